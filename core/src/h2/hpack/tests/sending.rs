//! In which form our lines go out.

use super::*;

fn status(encoder: &mut Encoder, status: u16) -> Vec<u8> {
    let mut block = vec![];
    encoder.begin(&mut block);
    encoder.status(&mut block, status);
    block
}

/// One whose first block has gone.
fn begun() -> Encoder {
    let mut encoder = Encoder::new();
    encoder.begin(&mut vec![]);
    encoder
}

#[test]
fn the_first_block_makes_the_table_as_small_as_ours() {
    let mut encoder = Encoder::new();
    assert_eq!(status(&mut encoder, 200), hex("3f e1 07 88"));
    assert_eq!(status(&mut encoder, 200), hex("88"));
    // More than we take changes nothing.
    encoder.set_peer_max(1 << 20);
    encoder.set_peer_max(4096);
    assert_eq!(status(&mut encoder, 200), hex("88"));
}

#[test]
fn the_lowest_size_and_the_last_one_are_told() {
    for (sizes, block) in [
        (&[100][..], "3f 45 88"),
        (&[100, 0], "20 88"),
        (&[0, 100], "20 3f 45 88"),
        (&[100, 0, 4096], "20 3f e1 07 88"),
        (&[30, 4096, 31, u32::MAX], "3e 3f e1 07 88"),
        (&[4096, 1024, u32::MAX], "88"),
    ] {
        let mut encoder = begun();
        sizes.iter().for_each(|size| encoder.set_peer_max(*size));
        assert_eq!(status(&mut encoder, 200), hex(block), "{sizes:?}");
        assert_eq!(status(&mut encoder, 200), hex("88"), "{sizes:?}");
    }
    let mut encoder = Encoder::new();
    encoder.set_peer_max(0);
    encoder.set_peer_max(1024);
    assert_eq!(status(&mut encoder, 200), hex("20 3f e1 07 88"), "before the first block");
}

#[test]
fn a_table_of_no_size_is_not_written_to() {
    let mut encoder = begun();
    encoder.set_peer_max(0);
    let server = field("server", "lameduck");
    let block = encode(&mut encoder, core::slice::from_ref(&server));
    assert_eq!(block[..3], hex("20 0f 27"));
    assert_eq!(encode(&mut encoder, core::slice::from_ref(&server)), block[1..]);
    assert_eq!(encoder.memory(), 0);
}

#[test]
fn known_statuses_are_one_octet_and_others_enter_the_table() {
    let mut encoder = begun();
    for (code, index) in
        [(200, 0x88), (204, 0x89), (206, 0x8a), (304, 0x8b), (400, 0x8c), (404, 0x8d), (500, 0x8e)]
    {
        assert_eq!(status(&mut encoder, code), [index]);
    }
    assert_eq!(status(&mut encoder, 302), hex("48 82 6402"));
    assert_eq!(status(&mut encoder, 302), hex("be"));
    let unknown = status(&mut encoder, 999);
    assert_eq!(decode(&mut Decoder::default(), &unknown), Ok(vec![field(":status", "999")]));
    assert_eq!(status(&mut encoder, 302), hex("bf"));
}

/// What the first octets say of the lines of two blocks that have this field alone.
#[derive(PartialEq, Eq, Debug)]
enum Sent {
    Indexed,
    Plain,
    Never,
}

fn sent(name: &str, value: &str) -> Sent {
    let mut encoder = begun();
    let fields = [field(name, value)];
    let first = encode(&mut encoder, &fields);
    let second = encode(&mut encoder, &fields);
    match (first[0], second[0]) {
        (0x40..0x80, 0xbe) => Sent::Indexed,
        (0x00..0x10, 0x00..0x10) => Sent::Plain,
        (0x10..0x20, 0x10..0x20) => Sent::Never,
        other => panic!("{name}: {other:x?}"),
    }
}

#[test]
fn secrets_stay_out_of_every_table() {
    let long = "s".repeat(200);
    for name in [
        "authorization",
        "proxy-authorization",
        "cookie",
        "set-cookie",
        "Set-Cookie",
        "authentication-info",
        "x-api-key",
        "x-auth-token",
        "x-csrf-token",
        "x-xsrf-token",
    ] {
        assert_eq!(sent(name, "a"), Sent::Never, "{name}");
        assert_eq!(sent(name, &long), Sent::Never, "{name}");
    }
}

#[test]
fn what_comes_but_once_stays_out_of_the_table() {
    for name in [
        "content-length",
        "etag",
        "last-modified",
        "location",
        "age",
        "content-range",
        "if-none-match",
        "expires",
        "if-anything",
        "x-request-id",
        "traceparent",
        ":path",
        "ETag",
    ] {
        assert_eq!(sent(name, "a"), Sent::Plain, "{name}");
    }
}

#[test]
fn the_rest_enters_the_table_and_is_one_octet_from_then_on() {
    for name in ["date", "server", "content-type", "cache-control", "vary", "x-anything", "Content-Type"] {
        assert_eq!(sent(name, "a value"), Sent::Indexed, "{name}");
    }
}

#[test]
fn an_entry_may_take_half_of_the_table_and_no_more() {
    let most = 512 - 32 - "x-y".len();
    assert_eq!(sent("x-y", &"v".repeat(most)), Sent::Indexed);
    assert_eq!(sent("x-y", &"v".repeat(most + 1)), Sent::Plain);
}

#[test]
fn names_are_written_in_lowercase() {
    let long = "X-Long".repeat(20);
    for name in ["Content-Type", "X-Mine", &long] {
        let lower = field(&name.to_ascii_lowercase(), "Value");
        let mut encoder = Encoder::new();
        let mut decoder = Decoder::default();
        for _ in 0..2 {
            let block = encode(&mut encoder, &[field(name, "Value")]);
            assert_eq!(decode(&mut decoder, &block), Ok(vec![lower.clone()]));
        }
    }
}

#[test]
fn another_value_of_a_name_has_that_name_by_its_index() {
    let mut encoder = begun();
    let mut decoder = Decoder::new(1024);
    let one = encode(&mut encoder, &[field("x-mine", "1")]);
    let two = encode(&mut encoder, &[field("x-mine", "2")]);
    let large = encode(&mut encoder, &[field("x-mine", &"3".repeat(600))]);
    assert_eq!(two, hex("7e 01 32"));
    assert_eq!(large[..2], hex("0f 2f"));
    for block in [one, two, large] {
        assert_eq!(decode(&mut decoder, &block).map(|lines| lines.len()), Ok(1));
    }
}
