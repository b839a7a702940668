//! The request target and the host (RFC 9112 section 3.2).

use core::net::Ipv6Addr;

use crate::error::PeerError;

/// Checks that the target is in a form that its method may have.
pub(crate) fn check(method: &str, target: &str) -> Result<(), PeerError> {
    let printable = target.bytes().all(|byte| matches!(byte, b'!'..=b'~') && byte != b'#');
    let well_formed = printable
        && match method {
            "CONNECT" => is_authority_form(target),
            _ => target.starts_with('/') || is_asterisk_form(method, target) || is_absolute_form(target),
        };
    if well_formed { Ok(()) } else { Err(PeerError::BadTarget) }
}

/// A host and a port, both needed (RFC 9112 section 3.2.3).
fn is_authority_form(target: &str) -> bool {
    match target.rsplit_once(':') {
        Some((host, port)) => !port.is_empty() && is_host(host.as_bytes()) && is_port(port.as_bytes()),
        None => false,
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
    let literal_end = memchr::memchr(b']', value).map_or(0, |end| end + 1);
    match memchr::memchr(b':', &value[literal_end..]) {
        Some(colon) => {
            let (host, port) = value.split_at(literal_end + colon);
            is_host(host) && is_port(&port[1..])
        }
        None => is_host(value),
    }
}

fn is_port(port: &[u8]) -> bool {
    port.len() <= 5 && port.iter().all(u8::is_ascii_digit)
}

/// RFC 3986 section 3.2.2. A zone (RFC 6874) means something to the client alone, which leaves it out.
fn is_host(host: &[u8]) -> bool {
    match host {
        [] => false,
        [b'[', b'v' | b'V', literal @ .., b']'] => is_future_address(literal),
        [b'[', literal @ .., b']'] => {
            core::str::from_utf8(literal).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok())
        }
        name => is_reg_name(name),
    }
}

/// `1*HEXDIG "." 1*( unreserved / sub-delims / ":" )`
fn is_future_address(literal: &[u8]) -> bool {
    let Some(dot) = memchr::memchr(b'.', literal) else { return false };
    let (version, address) = (&literal[..dot], &literal[dot + 1..]);
    !version.is_empty()
        && version.iter().all(u8::is_ascii_hexdigit)
        && !address.is_empty()
        && address.iter().all(|byte| *byte == b':' || is_reg_name_byte(*byte))
}

/// `*( unreserved / pct-encoded / sub-delims )`
fn is_reg_name(name: &[u8]) -> bool {
    if name.iter().all(|byte| is_reg_name_byte(*byte)) {
        return true;
    }
    let mut rest = name;
    loop {
        rest = match rest {
            [] => return true,
            [b'%', high, low, rest @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => rest,
            [byte, rest @ ..] if is_reg_name_byte(*byte) => rest,
            _ => return false,
        }
    }
}

/// `unreserved / sub-delims`
fn is_reg_name_byte(byte: u8) -> bool {
    matches!(byte,
        b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z'
        | b'-' | b'.' | b'_' | b'~' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=')
}
