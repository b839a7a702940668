//! The chunked coding (RFC 9112 section 7.1).

use lameduck_core::{BodyLength, Config, Event, Limits, PeerError};
use lameduck_tests::wire::{
    Answer, NOW, Request, Wire, refused, refused_with, serve_with, served, served_one,
};

const HEAD: &str = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

fn chunked(body: impl AsRef<[u8]>) -> Vec<u8> {
    [HEAD.as_bytes(), body.as_ref()].concat()
}

fn trailers(request: &Request) -> Vec<(&str, &[u8])> {
    request.trailers.iter().map(|(name, value)| (name.as_str(), &value[..])).collect()
}

#[test]
fn chunks_are_joined() {
    let bodies = [
        ("0\r\n\r\n", ""),
        ("3\r\nabc\r\n0\r\n\r\n", "abc"),
        ("1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", "abc"),
        ("003\r\nabc\r\n000\r\n\r\n", "abc"),
        ("a\r\n0123456789\r\n0\r\n\r\n", "0123456789"),
        ("A\r\n0123456789\r\n0\r\n\r\n", "0123456789"),
        ("1a\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\n\r\n", "abcdefghijklmnopqrstuvwxyz"),
        ("2\r\n\r\n\r\n0\r\n\r\n", "\r\n"),
        ("5\r\n0\r\n\r\n\r\n0\r\n\r\n", "0\r\n\r\n"),
        ("0000000000000003\r\nabc\r\n0000000000000000\r\n\r\n", "abc"),
    ];
    for (body, whole) in bodies {
        let requests = served([&chunked(body)[..], b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n"].concat());
        assert_eq!(requests[0].length, BodyLength::Unknown);
        assert_eq!((requests[0].body.as_slice(), requests[0].trailers.len()), (whole.as_bytes(), 0));
        assert_eq!(requests[1].target, "/next");
    }
}

#[test]
fn a_size_that_is_no_hexadecimal_number_is_refused() {
    let bodies: [&[u8]; 30] = [
        b"\r\nabc\r\n0\r\n\r\n",
        b"\n3\r\nabc\r\n0\r\n\r\n",
        b" 3\r\nabc\r\n0\r\n\r\n",
        b"\t3\r\nabc\r\n0\r\n\r\n",
        b"3 \r\nabc\r\n0\r\n\r\n",
        b"3\t\r\nabc\r\n0\r\n\r\n",
        b"3 3\r\nabc\r\n0\r\n\r\n",
        b"+3\r\nabc\r\n0\r\n\r\n",
        b"-3\r\nabc\r\n0\r\n\r\n",
        b"-0\r\n\r\n",
        b"0x3\r\nabc\r\n0\r\n\r\n",
        b"x3\r\nabc\r\n0\r\n\r\n",
        b"3h\r\nabc\r\n0\r\n\r\n",
        b"3_0\r\nabc\r\n0\r\n\r\n",
        b"g\r\nabc\r\n0\r\n\r\n",
        b"3,\r\nabc\r\n0\r\n\r\n",
        b"3.0\r\nabc\r\n0\r\n\r\n",
        b"\"3\"\r\nabc\r\n0\r\n\r\n",
        b"3\0\r\nabc\r\n0\r\n\r\n",
        b"\xef\xbc\x93\r\nabc\r\n0\r\n\r\n",
        b"3\xa0\r\nabc\r\n0\r\n\r\n",
        b";a\r\nabc\r\n0\r\n\r\n",
        b"ffffffffffffffff0\r\nabc\r\n0\r\n\r\n",
        b"10000000000000000\r\nabc\r\n0\r\n\r\n",
        b"10000000000000003\r\nabc\r\n0\r\n\r\n",
        b"fffffffffffffffff\r\nabc\r\n0\r\n\r\n",
        b"100000000000000000000000000000003\r\nabc\r\n0\r\n\r\n",
        b"00000000000000003\r\nabc\r\n0\r\n\r\n",
        b"00000000000000000\r\n\r\n",
        b"3\r\nabc\r\n\r\n0\r\n\r\n",
    ];
    for body in bodies {
        refused(chunked(body), PeerError::BadChunkSize);
    }
}

#[test]
fn chunks_that_cannot_be_counted_together_are_413() {
    let config = Config::default();
    let sizes = ["ffffffffffffffff", "fffffffffffffffe"];
    for size in sizes {
        let outcome =
            refused_with(&config, chunked(format!("2\r\nab\r\n{size}\r\nabc")), PeerError::BodyTooLarge);
        assert_eq!(outcome.taken, 1);
    }
}

#[test]
fn a_line_around_the_data_ends_with_crlf_alone() {
    let bodies = [
        ("3\nabc\r\n0\r\n\r\n", PeerError::BadChunkSize),
        ("3\r\rabc\r\n0\r\n\r\n", PeerError::BareLineBreak),
        ("3\rabc\r\n0\r\n\r\n", PeerError::BareLineBreak),
        ("3;a\nabc\r\n0\r\n\r\n", PeerError::BareLineBreak),
        ("3;a\rabc\r\n0\r\n\r\n", PeerError::BareLineBreak),
        ("3;a\r\rabc\r\n0\r\n\r\n", PeerError::BareLineBreak),
        ("3;\"a\nb\"\r\nabc\r\n0\r\n\r\n", PeerError::BareLineBreak),
        ("3;a\0\r\nabc\r\n0\r\n\r\n", PeerError::BareLineBreak),
        ("3\r\nabc\n0\r\n\r\n", PeerError::BadChunkEnd),
        ("3\r\nabc\r0\r\n\r\n", PeerError::BadChunkEnd),
        ("3\r\nabc0\r\n\r\n", PeerError::BadChunkEnd),
        ("3\r\nabcd\r\n0\r\n\r\n", PeerError::BadChunkEnd),
        ("3\r\nabc\r\r\n0\r\n\r\n", PeerError::BadChunkEnd),
        ("2\r\nabc\r\n0\r\n\r\n", PeerError::BadChunkEnd),
        ("4\r\nabc\r\n0\r\n\r\n", PeerError::BadChunkEnd),
        ("0\n\r\n", PeerError::BadChunkSize),
        ("0\r\r\n", PeerError::BareLineBreak),
        ("0\r\n\n", PeerError::BareLineBreak),
        ("0\r\nA: b\n\r\n", PeerError::BareLineBreak),
        ("0\r\nA: b\r\n\n", PeerError::BareLineBreak),
        ("0\r\n\rA: b\r\n\r\n", PeerError::BadField),
        ("0\r\nA: b\rc\r\n\r\n", PeerError::BadField),
    ];
    for (body, error) in bodies {
        refused(chunked(body), error);
    }
}

#[test]
fn extensions_are_skipped() {
    let lines =
        ["3;a", "3;a=b", "3;a=\"b;c\"", "3 ; a", "3\t;\ta = b", "3;a;b;c", "3;a=\u{e9}", "3;", "3 \t ;a"];
    for line in lines {
        assert_eq!(served_one(chunked(format!("{line}\r\nabc\r\n0;z\r\n\r\n"))).body, b"abc");
    }
}

#[test]
fn the_extensions_of_a_body_are_bounded_all_together() {
    let config = Config { limits: Limits { chunk_extensions: 8, ..Limits::default() }, ..Config::default() };
    let within = "3;1234\r\nabc\r\n3;5678\r\nabc\r\n0\r\n\r\n";
    let over = [
        "3;123456789\r\nabc\r\n0\r\n\r\n",
        "3;1234\r\nabc\r\n3;56789\r\nabc\r\n0\r\n\r\n",
        "3;1234\r\nabc\r\n0;56789\r\n\r\n",
        "3         ;a\r\nabc\r\n0\r\n\r\n",
        "3;;;;;;;;;;\r\nabc\r\n0\r\n\r\n",
    ];
    let outcome = serve_with(&config, chunked(within), |_| Answer::ok());
    assert_eq!(outcome.requests[0].body, b"abcabc");
    for body in over {
        refused_with(&config, chunked(body), PeerError::ChunkExtensionsTooLong);
    }
}

#[test]
fn trailers_are_kept_as_they_came() {
    let request = served_one(chunked("3\r\nabc\r\n0\r\nZ: 1\r\nx-Sum:  2 \r\nZ:\r\n\r\n"));
    assert_eq!(trailers(&request), [("Z", &b"1"[..]), ("x-Sum", b"2"), ("Z", b"")]);
    assert!(request.fields.iter().all(|(name, _)| name != "Z"), "trailers are no fields of the head");
}

/// RFC 9110 section 6.5.1: what frames, routes, authenticates, modifies or controls a message must be known
/// before its content.
#[test]
fn trailers_that_would_come_too_late_are_dropped() {
    let barred = [
        "Authorization",
        "Cache-Control",
        "Connection",
        "Content-Encoding",
        "Content-Length",
        "Content-Range",
        "Content-Type",
        "Cookie",
        "Expect",
        "Host",
        "If-Match",
        "If-Modified-Since",
        "If-None-Match",
        "If-Range",
        "If-Unmodified-Since",
        "Keep-Alive",
        "Max-Forwards",
        "Pragma",
        "Proxy-Authorization",
        "Proxy-Connection",
        "Range",
        "TE",
        "Trailer",
        "Transfer-Encoding",
        "Upgrade",
    ];
    for name in barred {
        for name in [name.to_owned(), name.to_ascii_lowercase(), name.to_ascii_uppercase()] {
            let request = served_one(chunked(format!("3\r\nabc\r\n0\r\nA: 1\r\n{name}: 5\r\nB: 2\r\n\r\n")));
            assert_eq!(trailers(&request), [("A", &b"1"[..]), ("B", b"2")], "{name}");
            let request = served_one(chunked(format!("3\r\nabc\r\n0\r\n{name}: 5\r\n\r\n")));
            assert_eq!(request.trailers, []);
        }
    }
}

#[test]
fn a_malformed_trailer_is_refused() {
    let lines =
        ["a", ": b", "a : b", " a: b", "a: b\r\n c", "a\0: b", "a: \0", "a b: c", "a: \u{7f}", "(a): b"];
    for line in lines {
        refused(chunked(format!("3\r\nabc\r\n0\r\n{line}\r\n\r\n")), PeerError::BadField);
    }
}

#[test]
fn trailers_are_bounded_as_a_head_is() {
    let limits = Limits { head: 100, fields: 4, ..Limits::default() };
    let config = Config { limits, ..Config::default() };
    let long = "a".repeat(100);
    refused_with(&config, chunked(format!("0\r\na: {long}\r\n\r\n")), PeerError::HeadTooLarge);
    refused_with(&config, chunked(format!("0\r\n{long}{long}")), PeerError::HeadTooLarge);
    refused_with(&config, chunked("0\r\na:\r\nb:\r\nc:\r\nd:\r\ne:\r\n\r\n"), PeerError::TooManyFields);
    let text = format!("a: {}\r\n\r\n", "a".repeat(93));
    assert_eq!(text.len(), 100);
    let outcome = serve_with(&config, chunked(format!("0\r\n{text}")), |_| Answer::ok());
    assert_eq!(outcome.requests[0].trailers.len(), 1);
}

#[test]
fn a_request_whose_body_breaks_the_protocol_is_cancelled() {
    let mut wire = Wire::new(&Config::default());
    let events = wire.feed(chunked("3\r\nabc\r\n"));
    assert!(matches!(events[..], [Event::Request { .. }, Event::Data { .. }]), "{events:?}");
    let events = wire.feed("x");
    let [Event::Cancelled { id, reason }] = events[..] else { panic!("{events:?}") };
    assert_eq!(reason, lameduck_core::CancelReason::Refused(PeerError::BadChunkSize));
    assert!(wire.text().starts_with("HTTP/1.1 400 Bad Request\r\n"));
    assert!(wire.fin);
    assert_eq!(wire.connection.release(NOW, id, 3), Err(lameduck_core::ApiMisuse::UnknownStream));
}
