//! What a field line is to an HTTP/2 message (RFC 9113 section 8).

use crate::h1::head::TOKEN;
use crate::h1::target::is_host_with_port;

/// What a field line is. It is found out once, when a literal is decoded, and kept with its entry in the
/// table: a line that is indexed is not looked at again.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Kind {
    /// `:method` (RFC 9113 section 8.3.1)
    Method,
    /// `:scheme` (section 8.3.1)
    Scheme,
    /// `:authority` (section 8.3.1)
    Authority,
    /// `:path` (section 8.3.1)
    Path,
    /// `:protocol` (RFC 8441 section 4)
    Protocol,
    /// Any other name that starts with a colon. `:status` is among them: no request has it (section 8.3).
    UnknownPseudo,
    /// `cookie`, which may come in crumbs (section 8.2.3)
    Cookie,
    /// `host` (section 8.3.1)
    Host,
    /// `content-length` (section 8.1.1)
    ContentLength,
    /// `te`, which may say `trailers` and nothing else (section 8.2.2)
    Te,
    /// `expect` (RFC 9110 section 10.1.1)
    Expect,
    /// `priority` (RFC 9218 section 4)
    Priority,
    /// A field that speaks of the connection and has no place here (section 8.2.2)
    ConnectionSpecific,
    /// Any other field.
    Regular,
    /// The name is empty, has an uppercase letter, or is no token (section 8.2.1).
    BadName,
    /// The value has a control character, or a blank at one of its ends (section 8.2.1, RFC 9110 section 5.5); or it
    /// is none that a line of its name can have in a request.
    BadValue,
}

impl Kind {
    /// What this line is.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn of(name: &[u8], value: &[u8]) -> Self {
        Self::of_name(name).with_value(value)
    }

    /// What a line of this name is, if its value is well-formed.
    pub(crate) const fn of_name(name: &[u8]) -> Self {
        match name {
            b":method" => Self::Method,
            b":scheme" => Self::Scheme,
            b":authority" => Self::Authority,
            b":path" => Self::Path,
            b":protocol" => Self::Protocol,
            [b':', ..] => Self::UnknownPseudo,
            b"cookie" => Self::Cookie,
            b"host" => Self::Host,
            b"content-length" => Self::ContentLength,
            b"te" => Self::Te,
            b"expect" => Self::Expect,
            b"priority" => Self::Priority,
            b"connection" | b"keep-alive" | b"proxy-connection" | b"transfer-encoding" | b"upgrade" => {
                Self::ConnectionSpecific
            }
            name if is_name(name) => Self::Regular,
            _ => Self::BadName,
        }
    }

    /// What a line is whose name is of this kind.
    pub(crate) fn with_value(self, value: &[u8]) -> Self {
        match self {
            Self::BadName => Self::BadName,
            kind if is_value(value) && kind.allows(value) => kind,
            _ => Self::BadValue,
        }
    }

    /// Whether a well-formed value is one that a line of this kind can have in a request.
    fn allows(self, value: &[u8]) -> bool {
        match self {
            Self::Method | Self::Protocol => !value.is_empty() && TOKEN.has_all(value),
            Self::Scheme => is_scheme(value),
            Self::Authority | Self::Host => is_host_with_port(value),
            Self::Path => is_path(value),
            Self::Te => value.eq_ignore_ascii_case(b"trailers"),
            Self::ContentLength => !value.is_empty() && value.iter().all(u8::is_ascii_digit),
            _ => true,
        }
    }
}

/// RFC 3986 section 3.1
fn is_scheme(value: &[u8]) -> bool {
    let is_followed = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    value.first().is_some_and(u8::is_ascii_alphabetic) && value.iter().all(is_followed)
}

/// A path with its query, or the asterisk that goes with OPTIONS (section 8.3.1).
fn is_path(value: &[u8]) -> bool {
    match value {
        [b'/', rest @ ..] => {
            rest.iter().fold(true, |fits, byte| fits & matches!(byte, b'!'..=b'~') & (*byte != b'#'))
        }
        value => value == b"*",
    }
}

/// A token without uppercase letters (RFC 9113 section 8.2, RFC 9110 section 5.6.2).
const fn is_name(name: &[u8]) -> bool {
    let mut rest = name;
    while let [byte, behind @ ..] = rest {
        if !is_name_byte(*byte) {
            return false;
        }
        rest = behind;
    }
    !name.is_empty()
}

const fn is_name_byte(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~')
}

/// NUL, CR and LF are forbidden by RFC 9113 section 8.2.1, the other control characters by RFC 9110 section
/// 5.5: HTTP/1 refuses these as well. Blanks may stand inside alone.
fn is_value(value: &[u8]) -> bool {
    // Without a way out half-way, so that many bytes are compared at a step.
    let controlled = value.iter().fold(false, |bad, byte| bad | is_control(*byte));
    let [first, .., last] = value else { return !controlled && !matches!(value, [b' ' | b'\t']) };
    !controlled && !matches!(first, b' ' | b'\t') && !matches!(last, b' ' | b'\t')
}

fn is_control(byte: u8) -> bool {
    (byte < b' ' && byte != b'\t') || byte == 0x7f
}
