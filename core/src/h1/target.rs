//! The request target and the host (RFC 9112 section 3.2).

use core::net::Ipv6Addr;

use crate::error::PeerError;
use crate::h1::byte_set::ByteSet;

/// Checks that the target is in a form that its method may have.
pub(crate) fn check(method: &str, target: &str) -> Result<(), PeerError> {
    let well_formed = TARGET.has_all(target.as_bytes())
        && match method {
            "CONNECT" => is_authority_form(target.as_bytes()),
            _ => target.starts_with('/') || is_asterisk_form(method, target) || is_absolute_form(target),
        };
    if well_formed { Ok(()) } else { Err(PeerError::BadTarget) }
}

/// A host and a port, both needed (RFC 9112 section 3.2.3).
pub(crate) fn is_authority_form(target: &[u8]) -> bool {
    match after_host(target) {
        Some([b':', port @ ..]) => !port.is_empty() && is_port(port),
        _ => false,
    }
}

fn is_asterisk_form(method: &str, target: &str) -> bool {
    method == "OPTIONS" && target == "*"
}

/// A scheme and an authority with a host (RFC 9112 section 3.2.2, RFC 9110 section 4.2.1).
fn is_absolute_form(target: &str) -> bool {
    let Some((scheme, rest)) = target.split_once("://") else { return false };
    let authority = rest.split(['/', '?']).next().unwrap_or(rest);
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    is_scheme && is_host_with_port(authority.as_bytes())
}

/// `uri-host [ ":" port ]` (RFC 9110 section 7.2); the host must not be empty (section 4.2.1).
pub(crate) fn is_host_with_port(value: &[u8]) -> bool {
    match after_host(value) {
        Some([b':', port @ ..]) => is_port(port),
        Some(rest) => rest.is_empty(),
        None => false,
    }
}

fn is_port(port: &[u8]) -> bool {
    port.len() <= 5 && port.iter().all(u8::is_ascii_digit)
}

/// What stands behind the host that `value` starts with, where it does (RFC 3986 section 3.2.2).
fn after_host(value: &[u8]) -> Option<&[u8]> {
    match value {
        [b'[', literal @ ..] => {
            let end = memchr::memchr(b']', literal)?;
            is_literal(&literal[..end]).then_some(&literal[end + 1..])
        }
        name => {
            let rest = after_reg_name(name);
            (rest.len() < name.len()).then_some(rest)
        }
    }
}

/// A zone (RFC 6874) means something to the client alone, which leaves it out.
fn is_literal(literal: &[u8]) -> bool {
    match literal {
        [b'v' | b'V', address @ ..] => is_future_address(address),
        address => core::str::from_utf8(address).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok()),
    }
}

/// `1*HEXDIG "." 1*( unreserved / sub-delims / ":" )`
fn is_future_address(literal: &[u8]) -> bool {
    let Some(dot) = memchr::memchr(b'.', literal) else { return false };
    let (version, address) = (&literal[..dot], &literal[dot + 1..]);
    !version.is_empty()
        && version.iter().all(u8::is_ascii_hexdigit)
        && !address.is_empty()
        && address.iter().all(|byte| *byte == b':' || REG_NAME.has(*byte))
}

/// What stands behind `*( unreserved / pct-encoded / sub-delims )`.
fn after_reg_name(mut rest: &[u8]) -> &[u8] {
    loop {
        rest = match REG_NAME.skip(rest) {
            [b'%', high, low, rest @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => rest,
            rest => return rest,
        }
    }
}

/// What a target may be made of: a fragment is the client's own (RFC 9110 section 4.2.5).
static TARGET: ByteSet = ByteSet::visible_but(b'#');

/// `unreserved / sub-delims`
static REG_NAME: ByteSet = ByteSet::alphanumeric_and(b"-._~!$&'()*+,;=");
