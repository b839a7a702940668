//! Field lines (RFC 9112 section 5, RFC 9110 section 5.5): kept as they came, refused where two readers
//! could read them in two ways.

use lameduck_core::PeerError;
use lameduck_tests::wire::{refused, serve, served_one};

fn with_line(line: impl AsRef<[u8]>) -> Vec<u8> {
    [b"GET / HTTP/1.1\r\nHost: a\r\n", line.as_ref(), b"\r\n\r\n"].concat()
}

#[test]
fn the_case_of_names_and_the_order_of_fields_are_kept() {
    let request = served_one("GET / HTTP/1.1\r\nzZz: 1\r\nHOST: a\r\nAbC: 2\r\nzzz: 3\r\nabc: 4\r\n\r\n");
    let fields: Vec<_> = request.fields.iter().map(|(name, value)| (name.as_str(), &value[..])).collect();
    let expected = [("zZz", &b"1"[..]), ("HOST", b"a"), ("AbC", b"2"), ("zzz", b"3"), ("abc", b"4")].to_vec();
    assert_eq!(fields, expected);
}

#[test]
fn a_value_is_kept_without_the_blanks_around_it() {
    let lines: [(&[u8], &[u8]); 14] = [
        (b"b:c", b"c"),
        (b"b: c", b"c"),
        (b"b:  \t c \t ", b"c"),
        (b"b:\tc\t", b"c"),
        (b"b:", b""),
        (b"b: ", b""),
        (b"b: \t ", b""),
        (b"b: c d", b"c d"),
        (b"b: c\td", b"c\td"),
        (b"b: :c:", b":c:"),
        (b"b: \"c", b"\"c"),
        (b"b: \x80\xff", b"\x80\xff"),
        (b"b: caf\xc3\xa9", b"caf\xc3\xa9"),
        (b"!#$%&'*+-.^_`|~09azAZ: c", b"c"),
    ];
    for (line, value) in lines {
        let request = served_one(with_line(line));
        assert_eq!(request.fields[1].1, value);
    }
}

#[test]
fn a_blank_before_the_colon_is_refused() {
    for line in ["b : c", "b\t: c", "b  : c", "Content-Length : 0", "Transfer-Encoding\t: chunked"] {
        refused(with_line(line), PeerError::BadField);
    }
}

#[test]
fn a_folded_value_is_refused() {
    for line in ["b: c\r\n d", "b: c\r\n\td", "b:\r\n c", "b: c\r\n ", "b: c\r\n d: e", "b: c\r\n \r\nd: e"] {
        refused(with_line(line), PeerError::BadField);
    }
}

#[test]
fn a_blank_before_the_first_field_is_refused() {
    for start in [" ", "\t", " \r\n", " b: c\r\n"] {
        refused(format!("GET / HTTP/1.1\r\n{start}Host: a\r\n\r\n"), PeerError::BadField);
    }
}

#[test]
fn a_name_that_is_no_token_is_refused() {
    let lines: [&[u8]; 18] = [
        b": c",
        b"b",
        b"b c: d",
        b"b\0: c",
        b"b\x7f: c",
        b"b\x80: c",
        b"caf\xc3\xa9: c",
        b"\"b\": c",
        b"(b): c",
        b"b,: c",
        b"b/c: d",
        b"b;: c",
        b"b<: c",
        b"b=c: d",
        b"b@c: d",
        b"b[c]: d",
        b"b\\: c",
        b"{b}: c",
    ];
    for line in lines {
        refused(with_line(line), PeerError::BadField);
    }
}

#[test]
fn no_control_character_but_the_tab_stands_in_a_value() {
    for byte in (0..=0x1f).chain([0x7f]) {
        for line in [vec![b'b', b':', byte, b'c'], vec![b'b', b':', b'c', byte, b'd']] {
            match byte {
                b'\t' => drop(served_one(with_line(line))),
                b'\n' => drop(refused(with_line(line), PeerError::BareLineBreak)),
                _ => drop(refused(with_line(line), PeerError::BadField)),
            }
        }
    }
}

#[test]
fn a_control_character_is_found_however_far_into_a_value_it_stands() {
    for length in 0..70 {
        for byte in [0, 0x0b, 0x1f, 0x7f] {
            let line = [b"b: ", &b"c".repeat(length)[..], &[byte], &b"c".repeat(70 - length)[..]].concat();
            refused(with_line(line), PeerError::BadField);
        }
    }
}

#[test]
fn an_unknown_field_has_no_effect() {
    for line in ["Content-Lengthx: 5", "Content-Lengt: 5", "X-Host: b", "Content_Length: 5", "TE: chunked"] {
        assert_eq!(served_one(with_line(line)).body, b"");
    }
}

#[test]
fn a_head_that_ends_with_the_connection_is_refused() {
    let input = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    for length in 1..input.len() {
        let outcome = serve(&input[..length]);
        assert_eq!(outcome.closed, lameduck_core::CloseReason::Refused(PeerError::TruncatedHead));
        lameduck_tests::wire::assert_is_refusal(&outcome, 400);
        assert_eq!(outcome.taken, 0);
    }
}
