//! The host (RFC 9112 section 3.2): there is exactly one, and it is one.

use lameduck_core::PeerError;
use lameduck_tests::wire::{refused, served_one};

fn with_host(host: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")
}

#[test]
fn a_request_without_a_host_is_refused() {
    refused("GET / HTTP/1.1\r\n\r\n", PeerError::MissingHost);
    refused("GET / HTTP/1.1\r\nX-Host: a\r\n\r\n", PeerError::MissingHost);
    refused("GET http://a/ HTTP/1.1\r\n\r\n", PeerError::MissingHost);
    refused("OPTIONS * HTTP/1.1\r\n\r\n", PeerError::MissingHost);
    refused("CONNECT a:80 HTTP/1.1\r\n\r\n", PeerError::MissingHost);
}

#[test]
fn http_1_0_needs_no_host() {
    served_one("GET / HTTP/1.0\r\n\r\n");
    served_one("GET / HTTP/1.0\r\nHost: a\r\n\r\n");
}

#[test]
fn more_than_one_host_is_refused_even_where_they_agree() {
    refused("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", PeerError::RepeatedHost);
    refused("GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n", PeerError::RepeatedHost);
    refused("GET / HTTP/1.1\r\nHost: a\r\nX: b\r\nHOST: a\r\n\r\n", PeerError::RepeatedHost);
    refused("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", PeerError::RepeatedHost);
}

#[test]
fn a_host_with_or_without_a_port_is_taken() {
    let hosts = [
        "a",
        "a.example",
        "A.EXAMPLE.",
        "a:80",
        "a:",
        "a:65535",
        "10.0.0.1:8080",
        "999.0.0.1",
        "[::1]",
        "[::1]:80",
        "[2001:db8::8:800:200c:417a]",
        "[::ffff:10.0.0.1]:80",
        "[v1.a:b]",
        "a_b",
        "a-b",
        "a~b",
        "a%20b",
        "xn--bcher-kva.example",
        "0.0.0.0=5000",
        "!$&'()*+,;=",
    ];
    for host in hosts {
        assert_eq!(served_one(with_host(host)).fields[0].1, host.as_bytes());
    }
}

#[test]
fn a_host_that_is_none_is_refused() {
    let hosts = [
        "",
        ":80",
        "a b",
        "a\tb",
        "a:b",
        "a:-1",
        "a:+80",
        "a:80a",
        "a:80:80",
        "a: 80",
        "a :80",
        "a:800000",
        "a/b",
        "a/",
        "/",
        "a?b",
        "a#b",
        "user@a",
        "@a",
        "http://a",
        "a\\b",
        "\"a\"",
        "<a>",
        "a^b",
        "a|b",
        "{a}",
        "a`b",
        "caf\u{e9}",
        "a%",
        "a%2",
        "a%zz",
        "[",
        "[]",
        "]",
        "[::1",
        "::1",
        "::1]",
        "[::1]80",
        "[::1]:a",
        "a[::1]",
        "[[::1]]",
        "[a]",
        "[1]",
        "[:::]",
        "[1:2:3:4:5:6:7:8:9]",
        "[::12345]",
        "[v.a]",
        "[v1]",
        "[v1.]",
        "[vx.a]",
        "[fe80::1%eth0]",
        "[fe80::1%25eth0]",
    ];
    for host in hosts {
        refused(with_host(host), PeerError::BadHost);
    }
}

/// A list of two hosts is, letter by letter, one `reg-name` (RFC 3986 section 3.2.2); a blank in it is not.
#[test]
fn a_list_of_hosts_with_a_blank_is_refused() {
    refused(with_host("a, b"), PeerError::BadHost);
}
