//! What a field line is, and that the tables remember it.

use super::super::Effect;
use super::super::static_table;
use super::*;
use crate::h2::field::Kind;

#[test]
fn lines_are_what_the_rfcs_say() {
    let long = "a".repeat(300);
    for (name, value, kind) in [
        (":method", "GET", Kind::Method),
        (":scheme", "https", Kind::Scheme),
        (":authority", "example.com", Kind::Authority),
        (":path", "/", Kind::Path),
        (":protocol", "websocket", Kind::Protocol),
        (":status", "200", Kind::UnknownPseudo),
        (":", "x", Kind::UnknownPseudo),
        (":Method", "GET", Kind::UnknownPseudo),
        ("cookie", "a=b", Kind::Cookie),
        ("host", "example.com", Kind::Host),
        ("content-length", "1", Kind::ContentLength),
        ("te", "trailers", Kind::Te),
        ("expect", "100-continue", Kind::Expect),
        ("priority", "u=1", Kind::Priority),
        ("connection", "close", Kind::ConnectionSpecific),
        ("keep-alive", "timeout=5", Kind::ConnectionSpecific),
        ("proxy-connection", "close", Kind::ConnectionSpecific),
        ("transfer-encoding", "chunked", Kind::ConnectionSpecific),
        ("upgrade", "h2c", Kind::ConnectionSpecific),
        ("accept", "*/*", Kind::Regular),
        ("accept", "", Kind::Regular),
        ("x", "a b\tc", Kind::Regular),
        ("x", "\u{e4}", Kind::Regular),
        ("!#$%&'*+-.^_`|~09az", "x", Kind::Regular),
        (&long, &long, Kind::Regular),
        ("", "x", Kind::BadName),
        ("Accept", "x", Kind::BadName),
        ("accepT", "x", Kind::BadName),
        ("a b", "x", Kind::BadName),
        ("a:b", "x", Kind::BadName),
        ("a\u{e4}", "x", Kind::BadName),
        ("a\0", "x", Kind::BadName),
        ("a\r", "\n", Kind::BadName),
        ("x", "a\0b", Kind::BadValue),
        ("x", "a\rb", Kind::BadValue),
        ("x", "a\nb", Kind::BadValue),
        ("x", "a\u{1}b", Kind::BadValue),
        ("x", "a\u{7f}", Kind::BadValue),
        ("x", " ", Kind::BadValue),
        ("x", "\t", Kind::BadValue),
        ("x", " a", Kind::BadValue),
        ("x", "\ta", Kind::BadValue),
        ("x", "a ", Kind::BadValue),
        ("x", "a\t", Kind::BadValue),
        (":path", "/ ", Kind::BadValue),
        (":method", "G\nET", Kind::BadValue),
        ("cookie", " ", Kind::BadValue),
        (":method", "", Kind::BadValue),
        (":method", "GE T", Kind::BadValue),
        (":scheme", "", Kind::BadValue),
        (":scheme", "1http", Kind::BadValue),
        (":scheme", "http:", Kind::BadValue),
        (":authority", "", Kind::BadValue),
        (":authority", "user@host", Kind::BadValue),
        (":authority", "host:80x", Kind::BadValue),
        (":path", "", Kind::BadValue),
        (":path", "x", Kind::BadValue),
        (":path", "/a b", Kind::BadValue),
        (":path", "/a#b", Kind::BadValue),
        (":path", "/\u{e4}", Kind::BadValue),
        (":path", "*", Kind::Path),
        ("host", "a, b", Kind::BadValue),
        ("te", "gzip", Kind::BadValue),
        ("content-length", "+1", Kind::BadValue),
        ("content-length", "1, 1", Kind::BadValue),
    ] {
        assert_eq!(Kind::of(name.as_bytes(), value.as_bytes()), kind, "{name:?}: {value:?}");
    }
}

#[test]
fn names_are_made_of_the_letters_of_tokens() {
    for byte in 0..=u8::MAX {
        let is_token = byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        let expected = if is_token && !byte.is_ascii_uppercase() { Kind::Regular } else { Kind::BadName };
        assert_eq!(Kind::of(&[b'a', byte], b""), expected, "{byte:#x}");
    }
}

#[test]
fn the_static_table_knows_what_its_lines_are() {
    for index in 1..=static_table::LENGTH {
        let entry = static_table::entry(index).expect("an entry");
        assert_eq!(entry.line_kind(), Kind::of(entry.name, entry.value));
        assert_eq!(entry.kind, Kind::of_name(entry.name));
    }
}

#[test]
fn a_name_is_known_beside_a_malformed_value() {
    // The second line has the name of the first one, the third is the second one again.
    let block = hex("40 02 7465 02 7820  7e 08 747261696c657273  be");
    let mut decoder = Decoder::default();
    let mut kinds = vec![];
    let decoded = decoder.decode(&block, LIMIT, &mut vec![], |line| kinds.push(line.kind));
    assert_eq!(decoded, Ok(Effect::Changed));
    assert_eq!(kinds, [Kind::BadValue, Kind::Te, Kind::Te]);
}
