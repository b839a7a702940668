//! Requests that others collected, served as they are: those of other projects' tests, with their verdicts,
//! and the seeds of other projects' fuzzers. Where the corpora are not at hand, that is said, and all is well.

use std::fs::File;
use std::io::Read;

use flate2::read::GzDecoder;
use lameduck_core::{CloseReason, Config};
use lameduck_tests::data;
use lameduck_tests::wire::{Answer, Outcome, serve_cut, serve_with, show};
use serde_json::Value;

/// Why we judge otherwise than a corpus does, and where. Nothing stands here that is not needed.
const DIFFERENCES: &[(&str, &[&str])] = &[
    (
        "a target has no fragment (RFC 9112 section 3.2)",
        &[
            "gunicorn/valid/005",
            "llhttp/transfer-encoding/754:POST with `chunked` as last transfer-encoding",
            "llhttp/transfer-encoding/796:POST with `chunked` as last transfer-encoding (multiple head",
            "llhttp/uri/168:Fragment in URI",
        ],
    ),
    ("the second request, of HTTP/1.1, has no host (RFC 9112 section 3.2)", &["gunicorn/valid/022"]),
    (
        "gzip is a coding we do not know: 501 (RFC 9112 section 6.1)",
        &["gunicorn/valid/025", "gunicorn/valid/025_line", "gunicorn/valid/rfc9112_smuggle_gzip_chunked_01"],
    ),
    ("a target is ASCII (RFC 9112 section 3.2, RFC 3986 section 2)", &["gunicorn/valid/027"]),
    (
        "identity is no longer a coding: 501 (RFC 9112 sections 6.1 and 7)",
        &[
            "gunicorn/valid/029",
            "gunicorn/valid/030",
            "gunicorn/valid/rfc9112_smuggle_te_identity_chunked_01",
        ],
    ),
    ("its body is half (RFC 9112 section 8)", &["gunicorn/valid/099"]),
    (
        "userinfo in a target is an error (RFC 9110 section 4.2.4)",
        &["gunicorn/valid/rfc9112_target_absolute_userinfo_01", "llhttp/uri/225:`host:port` and basic auth"],
    ),
    (
        "a method is any token (RFC 9110 section 9.1)",
        &[
            "gunicorn/invalid/003c",
            "llhttp/invalid/69:HTTP protocol and ANNOUNCE method",
            "llhttp/invalid/359:Invalid method",
        ],
    ),
    (
        "a trailer that comes too late is dropped (RFC 9112 section 7.1.2)",
        &[
            "gunicorn/invalid/rfc9110_trailer_forbidden_cl_01",
            "gunicorn/invalid/rfc9110_trailer_forbidden_te_01",
        ],
    ),
    (
        "what comes behind the last response is thrown away (RFC 9112 section 9.6)",
        &[
            "llhttp/connection/84:No restart when keep-alive is off (1.0)",
            "llhttp/connection/297:CRLF between requests, explicit `close`",
            "llhttp/connection/347:CRLF between requests, explicit `close` followed by tab",
        ],
    ),
    (
        "the second head is half (RFC 9112 section 8)",
        &["llhttp/connection/159:CRLF between requests, implicit `keep-alive`"],
    ),
    (
        "an asterisk is the target of OPTIONS alone (RFC 9112 section 3.2.4)",
        &["llhttp/method/138:M-SEARCH request"],
    ),
    (
        "extensions are ignored, whatever they say (RFC 9112 section 7.1.1)",
        &["llhttp/transfer-encoding/331:No extension after semicolon"],
    ),
];

fn differences() -> impl Iterator<Item = &'static &'static str> {
    DIFFERENCES.iter().flat_map(|(_, ids)| ids.iter())
}

fn open(name: &str) -> Option<File> {
    data::find(name).map(|path| File::open(path).expect("a file"))
}

fn serve(input: &[u8]) -> Outcome {
    serve_with(&Config::default(), input, Answer::willing)
}

/// A request of another project's tests.
struct Case {
    id: String,
    input: Vec<u8>,
    expect: String,
    requests: usize,
}

fn cases(mut file: File) -> Vec<Case> {
    let mut text = String::new();
    file.read_to_string(&mut text).expect("text");
    let case = |line: &str| {
        let line: Value = serde_json::from_str(line).expect("JSON");
        let text = |key: &str| line[key].as_str().expect("a string").to_owned();
        let requests = line["n"].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
        Case { id: text("id"), input: base64(&text("raw_b64")), expect: text("expect"), requests }
    };
    text.lines().map(case).collect()
}

/// RFC 4648 section 4.
fn base64(text: &str) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for digit in text.trim_end_matches('=').bytes() {
        let value = DIGITS.iter().position(|known| *known == digit).expect("a base64 digit");
        bits = bits << 6 | u32::try_from(value).expect("six bits");
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    bytes
}

/// What is wrong with an outcome, where it is not what the corpus expects.
fn differs(case: &Case, outcome: &Outcome) -> Option<String> {
    let refused = matches!(outcome.closed, CloseReason::Refused(_));
    let served = outcome.requests.len();
    match case.expect.as_str() {
        "accept" if refused || served != case.requests => {
            Some(format!("{served} of {} served, {}", case.requests, outcome.closed))
        }
        "reject" if !refused => Some(format!("{served} served, {}", outcome.closed)),
        "accept" | "reject" | "either" => None,
        other => panic!("unknown expectation {other}"),
    }
}

#[test]
fn requests_of_other_projects_tests_are_judged_as_they_judge_them() {
    let Some(file) = open("h1-requests.jsonl") else { return };
    let mut unexplained = Vec::new();
    let mut explained = Vec::new();
    let cases = cases(file);
    for case in &cases {
        let Some(what) = differs(case, &serve(&case.input)) else { continue };
        match differences().find(|id| **id == case.id) {
            Some(id) => explained.push(*id),
            None => unexplained.push(format!("{}: {what}\n    {}", case.id, show(&case.input))),
        }
    }
    assert!(unexplained.is_empty(), "\n{}", unexplained.join("\n"));
    let stale: Vec<_> = differences().filter(|id| !explained.contains(id)).collect();
    assert!(stale.is_empty(), "no longer a difference: {stale:?}");
    println!("{} requests, {} judged otherwise", cases.len(), explained.len());
}

/// A row of numbers that is the same each time (splitmix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        usize::try_from(mixed % bound as u64).expect("below a usize")
    }
}

#[test]
fn seeds_of_other_projects_fuzzers_are_read_alike_however_they_are_split() {
    let Some(file) = open("h2o-fuzz.tar.gz") else { return };
    let mut numbers = Numbers(1);
    let (mut seeds, mut served) = (0, 0);
    for entry in tar::Archive::new(GzDecoder::new(file)).entries().expect("an archive") {
        let mut entry = entry.expect("an entry");
        let path = entry.path().expect("a path").into_owned();
        if !entry.header().entry_type().is_file()
            || !path.components().any(|part| part.as_os_str() == "http1-corpus")
        {
            continue;
        }
        let mut input = Vec::new();
        entry.read_to_end(&mut input).expect("the seed");
        let whole = serve(&input);
        for _ in 0..4 {
            let mut cuts: Vec<_> = (0..numbers.below(6)).map(|_| numbers.below(input.len() + 1)).collect();
            cuts.sort_unstable();
            let split = serve_cut(&Config::default(), &input, cuts.iter().copied(), Answer::willing);
            assert_eq!(whole, split, "{} cut at {cuts:?}: {}", path.display(), show(&input));
        }
        seeds += 1;
        served += whole.requests.len();
    }
    assert!(seeds > 0, "an archive without seeds");
    println!("{seeds} seeds, {served} requests served");
}
