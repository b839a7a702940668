//! The examples of RFC 7541 appendix C, with the tables that they show.

use super::super::{huffman, integer};
use super::*;

#[test]
fn c_1_integers() {
    for (prefix, value, text) in [(5, 10, "0a"), (5, 1337, "1f 9a 0a"), (8, 42, "2a")] {
        let mut out = vec![];
        integer::write(&mut out, 0, prefix, value);
        assert_eq!(out, hex(text));
        assert_eq!(integer::read(&mut &out[..], prefix), Ok(value as u32));
    }
}

type Lines<'a> = &'a [(&'a str, &'a str)];

/// Blocks of one connection: each with its lines, and the table that it leaves, the newest entry first.
fn follow(table: u16, blocks: &[(&str, Lines<'_>, usize, Lines<'_>)]) {
    let list = |fields: Lines<'_>| fields.iter().map(|(n, v)| field(n, v)).collect::<Vec<_>>();
    let mut decoder = Decoder::new(table);
    for (block, fields, counted, left) in blocks {
        assert_eq!(decode(&mut decoder, &hex(block)), Ok(list(fields)));
        assert_eq!(sizes(decoder.table()), (*counted, table));
        assert_eq!(entries(decoder.table()), list(left));
    }
}

#[test]
fn c_2_1_literal_with_indexing() {
    let line = &[("custom-key", "custom-header")];
    follow(4096, &[("400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572", line, 55, line)]);
}

#[test]
fn c_2_2_literal_without_indexing() {
    follow(4096, &[("040c 2f73 616d 706c 652f 7061 7468", &[(":path", "/sample/path")], 0, &[])]);
}

#[test]
fn c_2_3_literal_never_indexed() {
    follow(4096, &[("1008 7061 7373 776f 7264 0673 6563 7265 74", &[("password", "secret")], 0, &[])]);
}

#[test]
fn c_2_4_indexed() {
    follow(4096, &[("82", &[(":method", "GET")], 0, &[])]);
}

fn requests(first: &str, second: &str, third: &str) {
    let authority = (":authority", "www.example.com");
    let cached = ("cache-control", "no-cache");
    let custom = ("custom-key", "custom-value");
    let get = (":method", "GET");
    let http = (":scheme", "http");
    follow(
        4096,
        &[
            (first, &[get, http, (":path", "/"), authority], 57, &[authority]),
            (second, &[get, http, (":path", "/"), authority, cached], 110, &[cached, authority]),
            (
                third,
                &[get, (":scheme", "https"), (":path", "/index.html"), authority, custom],
                164,
                &[custom, cached, authority],
            ),
        ],
    );
}

#[test]
fn c_3_requests_without_huffman() {
    requests(
        "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
        "8286 84be 5808 6e6f 2d63 6163 6865",
        "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
    );
}

#[test]
fn c_4_requests_with_huffman() {
    requests(
        "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
        "8286 84be 5886 a8eb 1064 9cbf",
        "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
    );
}

const COOKIE: &str = "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1";

fn responses(first: &str, second: &str, third: &str) {
    let private = ("cache-control", "private");
    let before = ("date", "Mon, 21 Oct 2013 20:13:21 GMT");
    let after = ("date", "Mon, 21 Oct 2013 20:13:22 GMT");
    let location = ("location", "https://www.example.com");
    let found = (":status", "302");
    let moved = (":status", "307");
    let gzip = ("content-encoding", "gzip");
    let cookie = ("set-cookie", COOKIE);
    follow(
        256,
        &[
            (first, &[found, private, before, location], 222, &[location, before, private, found]),
            (second, &[moved, private, before, location], 222, &[moved, location, before, private]),
            (
                third,
                &[(":status", "200"), private, after, location, gzip, cookie],
                215,
                &[cookie, gzip, after],
            ),
        ],
    );
}

#[test]
fn c_5_responses_without_huffman() {
    responses(
        "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133
         2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70
         6c65 2e63 6f6d",
        "4803 3330 37c1 c0bf",
        "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d
         54c0 5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049
         5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e
         3d31",
    );
}

#[test]
fn c_6_responses_with_huffman() {
    responses(
        "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6
         2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
        "4883 640e ffc1 c0bf",
        "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab
         77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f
         9587 3160 65c0 03ed 4ee5 b106 3d50 07",
    );
}

#[test]
fn c_4_and_c_6_texts_are_coded_as_shown() {
    for (text, code) in [
        ("www.example.com", "f1e3 c2e5 f23a 6ba0 ab90 f4ff"),
        ("no-cache", "a8eb 1064 9cbf"),
        ("custom-key", "25a8 49e9 5ba9 7d7f"),
        ("custom-value", "25a8 49e9 5bb8 e8b4 bf"),
        ("302", "6402"),
        ("307", "640e ff"),
        ("private", "aec3 771a 4b"),
        ("Mon, 21 Oct 2013 20:13:21 GMT", "d07a be94 1054 d444 a820 0595 040b 8166 e082 a62d 1bff"),
        ("https://www.example.com", "9d29 ad17 1863 c78f 0b97 c8e9 ae82 ae43 d3"),
        ("gzip", "9bd9 ab"),
        (
            COOKIE,
            "94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160
             65c0 03ed 4ee5 b106 3d50 07",
        ),
    ] {
        let mut out = vec![];
        huffman::encode(text.as_bytes(), &mut out);
        assert_eq!(out, hex(code), "{text}");
        assert_eq!(huffman::encoded_length(text.as_bytes()), out.len());
    }
}
