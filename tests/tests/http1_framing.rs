//! How long a request's body is (RFC 9112 sections 6.1 to 6.3): said in one way, or refused.

use lameduck_core::{BodyLength, CloseReason, PeerError};
use lameduck_tests::wire::{assert_is_refusal, refused, serve, served, served_one};

fn post(fields: &str, rest: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n{rest}")
}

const CHUNKS: &str = "3\r\nabc\r\n0\r\n\r\n";

#[test]
fn a_body_by_length_is_exactly_so_long() {
    for (length, digits) in [(1, "1"), (3, "3"), (3, "003"), (3, "00000000000000000000000000000003")] {
        let rest = "x".repeat(length) + "GET /next HTTP/1.1\r\nHost: a\r\n\r\n";
        let requests = served(post(&format!("Content-Length: {digits}"), &rest));
        assert_eq!(requests[0].length, BodyLength::Known(length as u64));
        assert_eq!(requests[0].body, b"x".repeat(length));
        assert_eq!(requests[1].target, "/next");
    }
}

#[test]
fn without_a_length_or_with_zero_there_is_no_body() {
    for fields in ["X: y", "Content-Length: 0", "content-length:00", "CONTENT-LENGTH:\t0 "] {
        let requests = served(post(fields, "GET /next HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!((requests[0].length, requests.len()), (BodyLength::Empty, 2));
    }
}

#[test]
fn any_method_may_have_a_body() {
    for method in ["GET", "HEAD", "DELETE", "OPTIONS", "TRACE", "X"] {
        let request = served_one(format!("{method} / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"));
        assert_eq!(request.body, b"abc");
    }
}

#[test]
fn a_length_that_is_not_one_plain_number_is_refused() {
    let values = [
        "", "+3", "-3", "-0", "3 3", "3\t3", "3a", "a", "0x3", "0b1", "3.0", "3e0", "3_0", "1,000", "3,3",
        "3, 3", "3,", ",3", "3, 4", "\"3\"", "'3'", "3;", "(3)", "٣", "³", "\u{a0}3", "３", "Infinity",
        "nan", "3 abc", "#3",
    ];
    for value in values {
        refused(post(&format!("Content-Length: {value}"), "abc"), PeerError::BadContentLength);
    }
}

#[test]
fn a_repeated_length_is_refused_even_where_they_agree() {
    for (one, other) in [("3", "3"), ("3", "4"), ("0", "0"), ("0", "3"), ("3", "")] {
        let fields = format!("Content-Length: {one}\r\nX: y\r\ncontent-length: {other}");
        refused(post(&fields, "abc"), PeerError::BadContentLength);
    }
}

#[test]
fn a_length_that_cannot_be_counted_is_413() {
    for digits in ["18446744073709551616", "99999999999999999999", "100000000000000000000000000000000000000"]
    {
        refused(post(&format!("Content-Length: {digits}"), "abc"), PeerError::BodyTooLarge);
    }
}

#[test]
fn the_longest_length_that_can_be_counted_is_begun() {
    let outcome = serve(post("Content-Length: 18446744073709551615", "abc"));
    assert_eq!((outcome.taken, outcome.closed), (1, CloseReason::Refused(PeerError::TruncatedBody)));
}

#[test]
fn a_body_that_ends_with_the_connection_is_refused() {
    let inputs = [
        post("Content-Length: 3", ""),
        post("Content-Length: 3", "ab"),
        post("Transfer-Encoding: chunked", ""),
        post("Transfer-Encoding: chunked", "3"),
        post("Transfer-Encoding: chunked", "3\r\nabc"),
        post("Transfer-Encoding: chunked", "3\r\nabc\r\n"),
        post("Transfer-Encoding: chunked", "3\r\nabc\r\n0\r\n"),
        post("Transfer-Encoding: chunked", "3\r\nabc\r\n0\r\nA: b\r\n\r"),
    ];
    for input in inputs {
        let outcome = serve(&input);
        assert_eq!(outcome.closed, CloseReason::Refused(PeerError::TruncatedBody), "{input:?}");
        assert_is_refusal(&outcome, 400);
        assert_eq!((outcome.taken, outcome.requests.len()), (1, 0));
    }
}

#[test]
fn chunked_is_the_one_coding() {
    for value in ["chunked", "Chunked", "CHUNKED", " chunked\t"] {
        let requests = served(post(
            &format!("Transfer-Encoding:{value}"),
            &format!("{CHUNKS}GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        ));
        assert_eq!((requests[0].length, &requests[0].body[..]), (BodyLength::Unknown, &b"abc"[..]));
        assert_eq!(requests.len(), 2);
    }
}

#[test]
fn both_a_length_and_a_coding_are_refused() {
    let length_first = ["0", "3", "13"].map(|n| format!("Content-Length: {n}\r\nTransfer-Encoding: chunked"));
    let length_last = ["0", "3", "13"].map(|n| format!("transfer-encoding: chunked\r\ncontent-length: {n}"));
    for fields in length_first.into_iter().chain(length_last) {
        refused(post(&fields, CHUNKS), PeerError::LengthAndEncoding);
    }
}

#[test]
fn chunked_that_is_not_last_and_once_is_refused() {
    let fields = [
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: chunked,",
        "Transfer-Encoding: ,chunked",
        "Transfer-Encoding: chunked, gzip",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: chunked\t,x y",
        "Transfer-Encoding: ",
        "Transfer-Encoding: ,",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: ",
        "Transfer-Encoding: \r\nTransfer-Encoding: chunked",
    ];
    for fields in fields {
        refused(post(fields, CHUNKS), PeerError::BadChunkedCoding);
    }
}

#[test]
fn another_coding_is_501() {
    let values = [
        "gzip",
        "gzip, chunked",
        "deflate",
        "compress",
        "identity",
        "identity, chunked",
        "x",
        "chunkedx",
        "xchunked",
        "chunke",
        "chunked;q=1",
        "chunked x",
        "\"chunked\"",
        "chunked\u{b}",
        "chunked\u{a0}",
        "ｃhunked",
        "[object]",
    ];
    for value in values {
        let input = post(&format!("Transfer-Encoding: {value}"), CHUNKS);
        match value.contains('\u{b}') {
            true => refused(input, PeerError::BadField),
            false => refused(input, PeerError::UnknownCoding),
        };
    }
}

#[test]
fn http_1_0_has_no_transfer_coding() {
    for fields in ["Transfer-Encoding: chunked", "Content-Length: 3\r\nTransfer-Encoding: chunked"] {
        let input = format!("POST / HTTP/1.0\r\nConnection: keep-alive\r\n{fields}\r\n\r\n{CHUNKS}");
        refused(input, PeerError::EncodingInHttp10);
    }
    refused(format!("POST / HTTP/1.0\r\nTransfer-Encoding: gzip\r\n\r\n{CHUNKS}"), PeerError::UnknownCoding);
}

#[test]
fn http_1_0_has_a_body_by_length() {
    assert_eq!(served_one("POST / HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc").body, b"abc");
}

#[test]
fn a_connect_has_no_body() {
    for fields in ["Content-Length: 3", "Transfer-Encoding: chunked"] {
        refused(
            format!("CONNECT a:80 HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n{CHUNKS}"),
            PeerError::BodyOnConnect,
        );
    }
    let outcome = serve("CONNECT a:80 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(outcome.closed, CloseReason::TunnelEnded);
}
