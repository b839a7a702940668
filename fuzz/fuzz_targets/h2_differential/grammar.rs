//! What may stand in a request, said once more, after the RFCs.

use std::net::Ipv6Addr;

use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderName, HeaderValue, Method, StatusCode};

use crate::blocks::Block;

/// Whether the types of the `http` crate can hold a line. Where they cannot, h2 takes the block for one that cannot be
/// decoded.
pub fn fits_http(name: &[u8], value: &[u8]) -> bool {
    match name {
        b":method" => Method::from_bytes(value).is_ok(),
        b":status" => StatusCode::from_bytes(value).is_ok(),
        b":authority" | b":scheme" | b":path" | b":protocol" => str::from_utf8(value).is_ok(),
        name => is_lowercase(name) && HeaderValue::from_bytes(value).is_ok(),
    }
}

fn is_lowercase(name: &[u8]) -> bool {
    HeaderName::from_lowercase(name).is_ok()
}

/// `uri-host [ ":" port ]` (RFC 9110 section 7.2), where the host is not empty.
pub fn is_host(value: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(value) else { return false };
    let (host, port) = match text.rfind(':').filter(|at| !text[*at..].contains(']')) {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, ""),
    };
    let is_port = port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit());
    is_port && (is_literal(host) || is_name(host))
}

/// Whether a host has a port behind it that is not empty.
pub fn has_port(value: &[u8]) -> bool {
    is_host(value) && value.last().is_some_and(u8::is_ascii_digit) && {
        let digits = value.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        value.len().checked_sub(digits + 1).and_then(|at| value.get(at)) == Some(&b':')
            && value.first() != Some(&b':')
    }
}

fn is_literal(host: &str) -> bool {
    let Some(inner) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) else { return false };
    match inner.strip_prefix(['v', 'V']) {
        Some(future) => future.split_once('.').is_some_and(|(version, address)| {
            let is_hex = !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_hexdigit());
            is_hex && !address.is_empty() && address.bytes().all(|byte| is_reg_name(byte) || byte == b':')
        }),
        None => inner.parse::<Ipv6Addr>().is_ok(),
    }
}

fn is_name(host: &str) -> bool {
    let mut rest = host.bytes();
    while let Some(byte) = rest.next() {
        let is_escape = byte == b'%'
            && rest.next().is_some_and(|byte| byte.is_ascii_hexdigit())
            && rest.next().is_some_and(|byte| byte.is_ascii_hexdigit());
        if !is_escape && !is_reg_name(byte) {
            return false;
        }
    }
    !host.is_empty()
}

/// `unreserved / sub-delims` (RFC 3986 section 2).
fn is_reg_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(&byte)
}

/// A scheme (RFC 3986 section 3.1).
pub fn is_scheme(value: &[u8]) -> bool {
    value.first().is_some_and(u8::is_ascii_alphabetic)
        && value.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte))
}

/// A path that goes with a method (RFC 9113 section 8.3.1).
pub fn is_path(method: &[u8], value: &[u8]) -> bool {
    match value {
        b"*" => method == b"OPTIONS",
        value => {
            value.first() == Some(&b'/') && value.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'#')
        }
    }
}

/// A token (RFC 9110 section 5.6.2).
pub fn is_token(value: &[u8]) -> bool {
    Method::from_bytes(value).is_ok()
}

/// Whether a value has no blank at its ends (RFC 9113 section 8.2.1), and no control character (RFC 9110 section 5.5).
pub fn is_value(value: &[u8]) -> bool {
    let is_blank = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    !is_blank(value.first())
        && !is_blank(value.last())
        && value.iter().all(|byte| *byte == b'\t' || !byte.is_ascii_control())
}

/// Whether trailers may have a field: not those of framing, routing, conditions and the content's own (RFC 9110 section
/// 6.5.1).
pub fn may_trail(name: &str) -> bool {
    const NEVER: &str = "authorization cache-control connection content-encoding content-length content-range \
        content-type cookie expect host if-match if-modified-since if-none-match if-range if-unmodified-since \
        keep-alive max-forwards pragma proxy-authorization proxy-connection range set-cookie te trailer \
        transfer-encoding upgrade";
    !NEVER.split(' ').any(|never| never == name)
}

/// Whether `http::Uri` cannot hold what a request is for.
pub fn uri_is_too_much(block: &Block) -> bool {
    let is_wrong = |name, fits: fn(&str) -> bool| {
        block.value(name).is_some_and(|value| !str::from_utf8(value).is_ok_and(fits))
    };
    is_wrong(":authority", |text| text.parse::<Authority>().is_ok())
        || is_wrong(":path", |text| text.parse::<PathAndQuery>().is_ok())
        || is_wrong(":scheme", |text| text.parse::<Scheme>().is_ok())
}
