//! Request lines (RFC 9112 sections 2.2, 2.3 and 3): what is one, what form its target has, which versions
//! there are.

use lameduck_core::{CloseReason, PeerError, Version};
use lameduck_tests::wire::{refused, serve, served, served_one};

fn with_line(line: &str) -> String {
    format!("{line}\r\nHost: a\r\n\r\n")
}

#[test]
fn the_parts_of_a_request_line_are_kept_as_they_came() {
    let lines = [
        ("GET / HTTP/1.1", "GET", "/", Version::Http11),
        ("GET / HTTP/1.0", "GET", "/", Version::Http10),
        ("get / HTTP/1.1", "get", "/", Version::Http11),
        ("M-SEARCH /a?b=c&d=/?e HTTP/1.1", "M-SEARCH", "/a?b=c&d=/?e", Version::Http11),
        ("!#$%&'*+-.^_`|~09azAZ / HTTP/1.1", "!#$%&'*+-.^_`|~09azAZ", "/", Version::Http11),
        ("GET //a//b HTTP/1.1", "GET", "//a//b", Version::Http11),
        ("GET /%00%zz%20+ HTTP/1.1", "GET", "/%00%zz%20+", Version::Http11),
        ("GET /\"<>[]\\^`{|} HTTP/1.1", "GET", "/\"<>[]\\^`{|}", Version::Http11),
        ("GET /../../etc HTTP/1.1", "GET", "/../../etc", Version::Http11),
        ("OPTIONS * HTTP/1.1", "OPTIONS", "*", Version::Http11),
        ("OPTIONS / HTTP/1.1", "OPTIONS", "/", Version::Http11),
        ("GET http://b/c?d HTTP/1.1", "GET", "http://b/c?d", Version::Http11),
        ("GET HTTP://B:80 HTTP/1.1", "GET", "HTTP://B:80", Version::Http11),
        ("GET http://b?c HTTP/1.1", "GET", "http://b?c", Version::Http11),
        ("GET http://[::1]:8080/ HTTP/1.1", "GET", "http://[::1]:8080/", Version::Http11),
        ("GET a+b-c.d://e HTTP/1.1", "GET", "a+b-c.d://e", Version::Http11),
    ];
    for (line, method, target, version) in lines {
        let request = served_one(with_line(line));
        assert_eq!((request.method.as_str(), request.target.as_str()), (method, target));
        assert_eq!(request.version, version);
    }
}

#[test]
fn a_line_that_is_not_three_parts_with_single_spaces_is_refused() {
    let lines = [
        "GET",
        "GET /",
        "GET  / HTTP/1.1",
        "GET /  HTTP/1.1",
        "GET / HTTP/1.1 ",
        "GET\t/ HTTP/1.1",
        "GET /\tHTTP/1.1",
        "GET / a HTTP/1.1",
        "GET HTTP/1.1",
        "GET /HTTP/1.1",
        " GET / HTTP/1.1",
        "\tGET / HTTP/1.1",
        "GET / HTTP/1.1\t",
        "G\0T / HTTP/1.1",
        "G(T / HTTP/1.1",
        "GET: / HTTP/1.1",
        "\"GET\" / HTTP/1.1",
        "\u{7f} / HTTP/1.1",
        "GÉT / HTTP/1.1",
        "GET /\0 HTTP/1.1",
        "GET /\u{7f} HTTP/1.1",
        "GET /\u{1b} HTTP/1.1",
        "GET / http/1.1",
        "GET / Http/1.1",
        "GET / HTTP",
        "GET / HTTP/",
        "GET / HTTP/1",
        "GET / HTTP/1.",
        "GET / HTTP/.1",
        "GET / HTTP/1.1a",
        "GET / HTTP/11",
        "GET / HTTP/1,1",
        "GET / HTTP/1.10",
        "GET / HTTP/01.1",
        "GET / HTTP/+1.1",
        "GET / HTTP /1.1",
        "GET / HTTPS/1.1",
        "GET / ICE/1.0",
        "HTTP/1.1 200 OK",
        "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}",
    ];
    for line in lines {
        refused(with_line(line), PeerError::BadRequestLine);
    }
}

#[test]
fn a_version_that_is_not_ours_is_505() {
    for version in ["0.9", "1.2", "1.9", "2.0", "3.0", "9.9", "0.0"] {
        let outcome = refused(with_line(&format!("GET / HTTP/{version}")), PeerError::UnsupportedVersion);
        assert!(outcome.sent.starts_with(b"HTTP/1.1 505 HTTP Version Not Supported\r\n"));
    }
}

#[test]
fn http_0_9_has_no_version_and_is_refused() {
    refused("GET /\r\n\r\n", PeerError::BadRequestLine);
}

#[test]
fn a_target_in_none_of_the_four_forms_is_refused() {
    let lines = [
        "GET * HTTP/1.1",
        "GET a HTTP/1.1",
        "GET a/b HTTP/1.1",
        "GET ?a HTTP/1.1",
        "GET a:80 HTTP/1.1",
        "GET mailto:a@b HTTP/1.1",
        "OPTIONS ** HTTP/1.1",
        "OPTIONS *a HTTP/1.1",
        "options * HTTP/1.1",
        "GET /a#b HTTP/1.1",
        "GET http://a/#b HTTP/1.1",
        "GET http:/a HTTP/1.1",
        "GET http:// HTTP/1.1",
        "GET http:///a HTTP/1.1",
        "GET http://?a HTTP/1.1",
        "GET http://:80/ HTTP/1.1",
        "GET http://a:b/ HTTP/1.1",
        "GET http://a:800000/ HTTP/1.1",
        "GET http://a:80:80/ HTTP/1.1",
        "GET http://user@a/ HTTP/1.1",
        "GET http://user:pw@a/ HTTP/1.1",
        "GET http://a\\b/ HTTP/1.1",
        "GET http://a%2/ HTTP/1.1",
        "GET http://[::1/ HTTP/1.1",
        "GET http://[]/ HTTP/1.1",
        "GET http://[::1]a/ HTTP/1.1",
        "GET http://a[::1]/ HTTP/1.1",
        "GET 1http://a/ HTTP/1.1",
        "GET ://a/ HTTP/1.1",
        "GET ht_tp://a/ HTTP/1.1",
        "CONNECT / HTTP/1.1",
        "CONNECT * HTTP/1.1",
        "CONNECT a HTTP/1.1",
        "CONNECT a: HTTP/1.1",
        "CONNECT :80 HTTP/1.1",
        "CONNECT a:b HTTP/1.1",
        "CONNECT a:800000 HTTP/1.1",
        "CONNECT a:80/ HTTP/1.1",
        "CONNECT ::1:80 HTTP/1.1",
        "CONNECT user@a:80 HTTP/1.1",
        "CONNECT http://a:80 HTTP/1.1",
        "GET /caf\u{e9} HTTP/1.1",
    ];
    for line in lines {
        refused(with_line(line), PeerError::BadTarget);
    }
}

#[test]
fn a_target_that_is_no_text_at_all_is_refused() {
    refused(b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n", PeerError::BadRequestLine);
}

#[test]
fn an_authority_is_the_target_of_a_connect() {
    for target in ["a:80", "a.example:443", "10.0.0.1:1", "[::1]:65535", "[2001:db8::1]:443"] {
        let outcome = serve(with_line(&format!("CONNECT {target} HTTP/1.1")));
        assert_eq!(outcome.requests[0].target, target);
        assert_eq!(outcome.closed, CloseReason::TunnelEnded);
    }
}

#[test]
fn empty_lines_before_a_request_are_skipped() {
    let request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_eq!(served(format!("\r\n{request}")).len(), 1);
    assert_eq!(served(format!("\r\n\r\n\r\n{request}\r\n\r\n{request}\r\n")).len(), 2);
}

#[test]
fn empty_lines_alone_begin_no_request() {
    for input in ["", "\r\n", "\r\n\r\n", "\r"] {
        let outcome = serve(input);
        assert_eq!((outcome.taken, outcome.sent.len()), (0, 0));
        assert_eq!(outcome.closed, CloseReason::PeerClosed);
    }
}

#[test]
fn half_an_empty_line_before_a_request_is_refused() {
    for start in ["\n", "\r", "\r\r\n", "\r\n\n", "\n\r\n", "\r\n\r"] {
        refused(format!("{start}GET / HTTP/1.1\r\nHost: a\r\n\r\n"), PeerError::BadRequestLine);
    }
}

#[test]
fn a_bare_line_feed_ends_no_line() {
    let inputs = [
        "GET / HTTP/1.1\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\n",
        "GET / HTTP/1.1\r\nHost: a\n\n",
        "GET / HTTP/1.1\n\n",
        "GET /\nHTTP/1.1\r\nHost: a\r\n\r\n",
        "GET\n/ HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nB: c\nd\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\nB: c\r\n\r\n",
    ];
    for input in inputs {
        refused(input, PeerError::BareLineBreak);
    }
}

#[test]
fn a_bare_carriage_return_is_refused_wherever_it_stands() {
    let inputs = [
        ("GET / HTTP/1.1\rHost: a\r\n\r\n", PeerError::BareLineBreak),
        ("GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", PeerError::BareLineBreak),
        ("GET /\r HTTP/1.1\r\nHost: a\r\n\r\n", PeerError::BadRequestLine),
        ("GET\r / HTTP/1.1\r\nHost: a\r\n\r\n", PeerError::BadRequestLine),
        ("GET / HTTP/1.1\r\nHost: a\rB: c\r\n\r\n", PeerError::BadField),
        ("GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", PeerError::BadField),
        ("GET / HTTP/1.1\r\nHost\r: a\r\n\r\n", PeerError::BadField),
        ("GET / HTTP/1.1\r\nHost:\ra\r\n\r\n", PeerError::BadField),
        ("GET / HTTP/1.1\r\nHost: a\r\n\rB: c\r\n\r\n", PeerError::BareLineBreak),
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\r\n\r\n", PeerError::BareLineBreak),
    ];
    for (input, error) in inputs {
        refused(input, error);
    }
}

#[test]
fn what_comes_behind_a_refused_request_is_never_served() {
    let request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let outcome =
        refused(format!("{request}GET  / HTTP/1.1\r\n\r\n{request}{request}"), PeerError::BadRequestLine);
    assert_eq!((outcome.taken, outcome.requests.len()), (1, 1));
}

#[test]
fn requests_in_a_row_are_served_in_their_order() {
    let input: String =
        (0..50).map(|n| format!("POST /{n} HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")).collect();
    let requests = served(input);
    for (n, request) in requests.iter().enumerate() {
        assert_eq!((request.target.as_str(), request.body.as_slice()), (&*format!("/{n}"), &b"abc"[..]));
    }
    assert_eq!(requests.len(), 50);
}
