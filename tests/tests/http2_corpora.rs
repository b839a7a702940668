//! Frames and header blocks that others collected, read and written as they say.

use std::fs;
use std::path::{Path, PathBuf};

use lameduck_core::frame::{self, Part, Read, Unread};
use lameduck_core::hpack::{Decoder, Encoder};
use lameduck_tests::data;
use serde_json::{Map, Value, json};

/// A folder's entries that are `wanted`, by name.
fn entries(folder: &Path, wanted: impl Fn(&Path) -> bool) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut paths: Vec<_> =
        entries.map(|entry| entry.expect("an entry").path()).filter(|path| wanted(path)).collect();
    paths.sort_unstable();
    assert!(!paths.is_empty(), "{} is empty", folder.display());
    paths
}

fn is_json(path: &Path) -> bool {
    path.extension().is_some_and(|kind| kind == "json")
}

fn json_of(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).expect("a file")).expect("JSON")
}

fn octets(hex: &str) -> Vec<u8> {
    let digit = |at| u8::from_str_radix(hex.get(at..at + 2).expect("two digits"), 16).expect("digits");
    (0..hex.len()).step_by(2).map(digit).collect()
}

// Frames (http2-frame-test-case).

/// Why we read otherwise than the corpus does, and where. Nothing stands here that is not needed.
const READ_OTHERWISE: &[(&str, &[&str])] =
    &[("a client cannot push (RFC 9113 section 8.4)", &["push_promise/normal.json"])];

/// Why we write otherwise, or not at all, and where.
const WRITTEN_OTHERWISE: &[(&str, &[&str])] = &[
    ("padding is zero where we send it (RFC 9113 section 6.1)", &["data/normal.json"]),
    (
        "a server sends no priority: it is deprecated (RFC 9113 section 5.3.2)",
        &["headers/priority.json", "priority/normal.json"],
    ),
];

/// The cases, by name.
fn frames() -> Vec<(String, Value)> {
    let Some(folder) = data::find("http2-frame-test-case") else { return Vec::new() };
    let name = |path: &Path| path.file_name().expect("a name").to_string_lossy().into_owned();
    let folders = entries(&folder, |path| path.is_dir() && !name(path).starts_with('.'));
    let mut cases = Vec::new();
    for folder in folders {
        for file in entries(&folder, is_json) {
            cases.push((format!("{}/{}", name(&folder), name(&file)), json_of(&file)));
        }
    }
    cases
}

/// A frame's payload as the corpus has it.
fn described(read: &Read) -> Value {
    let value = |part: &Part| match part {
        Part::Missing => Value::Null,
        Part::Number(number) => json!(number),
        Part::Flag(flag) => json!(flag),
        Part::Octets(octets) => json!(String::from_utf8(octets.clone()).expect("text")),
        Part::Settings(settings) => json!(settings),
    };
    let parts: Map<String, Value> =
        read.parts.iter().map(|(name, part)| ((*name).to_owned(), value(part))).collect();
    Value::Object(parts)
}

/// What the corpus says of a payload, without the padding, of which only DATA has to know the length.
fn expected(case: &Value) -> Value {
    let mut payload = case["frame"]["frame_payload"].clone();
    let fields = payload.as_object_mut().expect("an object");
    fields.remove("padding");
    if !fields.contains_key("data") {
        fields.remove("padding_length");
    }
    payload
}

#[test]
fn frames_of_another_projects_corpus_are_read_and_written_as_it_says() {
    let cases = frames();
    let (mut unexplained, mut read_otherwise, mut written_otherwise) = (vec![], vec![], vec![]);
    for (name, case) in &cases {
        let wire = octets(case["wire"].as_str().expect("a string"));
        let read = frame::read(&wire);
        if let Some(codes) = case["error"].as_array() {
            let is_named = |code: u32| codes.iter().any(|allowed| allowed.as_u64() == Some(code.into()));
            if !matches!(read, Err(Unread::Malformed(code)) if is_named(code)) {
                unexplained.push(format!("{name}: {read:?}"));
            }
            continue;
        }
        let (length, kind, flags, stream) = frame::header(&wire).expect("a header");
        let of = |key: &str| case["frame"][key].as_u64().expect("a number");
        let header = ["length", "type", "flags", "stream_identifier"].map(of);
        assert_eq!([length, kind.into(), flags.into(), stream].map(u64::from), header, "{name}");
        match read {
            Ok(read) if described(&read) == expected(case) => {
                if read.written.is_none_or(|written| written != wire) {
                    written_otherwise.push(name.to_owned());
                }
            }
            _ => read_otherwise.push(name.to_owned()),
        }
    }
    if !cases.is_empty() {
        assert_explained(read_otherwise, READ_OTHERWISE);
        assert_explained(written_otherwise, WRITTEN_OTHERWISE);
    }
    assert_eq!(unexplained, [""; 0]);
    println!("{} frames", cases.len());
}

/// Checks that `found` is what the table says, and nothing else.
#[track_caller]
fn assert_explained(mut found: Vec<String>, table: &[(&str, &[&str])]) {
    let mut explained: Vec<_> = table.iter().flat_map(|(_, names)| names.iter().copied()).collect();
    found.sort_unstable();
    explained.sort_unstable();
    assert_eq!(found, explained);
}

// Stories that other encoders told (hpack-test-case), decoded, and told again by ours.

/// As much as any name or value in them has.
const LIMIT: usize = 64 * 1024;

type Field = (Vec<u8>, Vec<u8>);

fn fields(case: &Value) -> Vec<Field> {
    let headers = case["headers"].as_array().expect("a list").iter();
    let lines = headers.flat_map(|header| header.as_object().expect("a field"));
    lines.map(|(name, value)| (name.clone().into(), value.as_str().expect("text").into())).collect()
}

fn decode(decoder: &mut Decoder, block: &[u8]) -> Result<Vec<Field>, String> {
    let mut fields = vec![];
    decoder.decode(block, LIMIT, |name, value| fields.push((name.to_vec(), value.to_vec())))?;
    let (size, max) = decoder.size();
    assert!(size <= max);
    Ok(fields)
}

/// The block that starts with what is due.
fn encode(encoder: &mut Encoder, fields: &[Field]) -> Vec<u8> {
    let mut block = vec![];
    encoder.begin(&mut block);
    fields.iter().for_each(|(name, value)| encoder.field(&mut block, name, value));
    let (size, max) = encoder.size();
    assert!(size <= max);
    block
}

fn retell(encoder: &str) {
    let Some(folder) = data::find(&format!("hpack-test-case/{encoder}")) else { return };
    let (mut cases, mut theirs, mut ours, mut plain) = (0, 0, 0, 0);
    for path in entries(&folder, is_json) {
        let (mut their_decoder, mut our_decoder) = (Decoder::default(), Decoder::default());
        let mut our_encoder = Encoder::new();
        for case in json_of(&path)["cases"].as_array().expect("a list") {
            let fields = fields(case);
            let size = case["header_table_size"].as_u64().and_then(|size| u16::try_from(size).ok());
            if let Some(size) = size {
                their_decoder.set_max(size);
                our_decoder.set_max(size);
                our_encoder.set_peer_max(size.into());
            }
            let wire = octets(case["wire"].as_str().expect("text"));
            let place = || format!("{} {}", path.display(), case["seqno"]);
            assert_eq!(decode(&mut their_decoder, &wire).as_ref(), Ok(&fields), "{}", place());
            let block = encode(&mut our_encoder, &fields);
            assert_eq!(decode(&mut our_decoder, &block).as_ref(), Ok(&fields), "{}", place());
            cases += 1;
            theirs += wire.len();
            ours += block.len();
            plain += fields.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
        }
    }
    println!("{encoder}: {cases} blocks of {plain} octets in {theirs} by them, {ours} by us");
}

#[test]
fn stories_with_changes_of_the_table_size_are_followed() {
    retell("nghttp2-change-table-size");
}

#[test]
fn stories_in_linear_huffman_are_followed() {
    retell("haskell-http2-linear-huffman");
}
