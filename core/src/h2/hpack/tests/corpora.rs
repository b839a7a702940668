//! Stories that other encoders told (hpack-test-case), decoded, and told again by ours. Where they are not at
//! hand, that is said, and all is well.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use serde_json::Value;

use super::*;

/// The stories of this encoder: beside the repository, or where `LAMEDUCK_DATA` says.
fn stories(encoder: &str) -> Vec<(PathBuf, Value)> {
    let folder = match std::env::var_os("LAMEDUCK_DATA") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data")),
    };
    let folder = folder.join("hpack-test-case").join(encoder);
    let Ok(files) = fs::read_dir(&folder) else {
        // Past the harness, which would keep it to itself.
        let _ = writeln!(std::io::stderr(), "skipped: there is no {}", folder.display());
        return vec![];
    };
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("a story");
        (path, serde_json::from_str(&text).expect("JSON"))
    };
    let mut stories: Vec<_> = files.map(|file| read(file.expect("a file").path())).collect();
    stories.sort_by(|(one, _), (other, _)| one.cmp(other));
    assert!(!stories.is_empty(), "a folder without stories");
    stories
}

fn fields(case: &Value) -> Vec<Field> {
    let headers = case["headers"].as_array().expect("a list").iter();
    let lines = headers.flat_map(|header| header.as_object().expect("a field"));
    lines.map(|(name, value)| field(name, value.as_str().expect("text"))).collect()
}

fn retell(encoder: &str) {
    let (mut cases, mut theirs, mut ours, mut plain) = (0, 0, 0, 0);
    for (path, story) in stories(encoder) {
        let mut their_decoder = Decoder::default();
        let mut our_encoder = Encoder::new();
        let mut our_decoder = Decoder::default();
        for case in story["cases"].as_array().expect("a list") {
            let fields = fields(case);
            let size = case["header_table_size"].as_u64().and_then(|size| u16::try_from(size).ok());
            if let Some(size) = size {
                their_decoder.set_max(size);
                our_decoder.set_max(size);
                our_encoder.set_peer_max(size.into());
            }
            let wire = hex(case["wire"].as_str().expect("text"));
            let place = || std::format!("{} {}", path.display(), case["seqno"]);
            assert_eq!(decode(&mut their_decoder, &wire), Ok(fields.clone()), "{}", place());
            let block = encode(&mut our_encoder, &fields);
            assert_eq!(decode(&mut our_decoder, &block), Ok(fields.clone()), "{}", place());
            cases += 1;
            theirs += wire.len();
            ours += block.len();
            plain += fields.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
        }
    }
    std::println!("{encoder}: {cases} blocks of {plain} octets in {theirs} by them, {ours} by us");
}

#[test]
fn stories_with_changes_of_the_table_size_are_followed() {
    retell("nghttp2-change-table-size");
}

#[test]
fn stories_in_linear_huffman_are_followed() {
    retell("haskell-http2-linear-huffman");
}
