//! Parts of scripts, from bytes. A script is read byte by byte, to its end: what comes often in practice has the larger
//! shares.

use arbitrary::{Arbitrary, Result, Unstructured};
use lameduck_core::{Field, ResponseLength};

/// What there is left, operation by operation.
pub fn all<'a, T: Arbitrary<'a>>(u: &mut Unstructured<'a>) -> Result<Vec<T>> {
    let mut all = vec![];
    while !u.is_empty() {
        all.push(u.arbitrary()?);
    }
    Ok(all)
}

/// A small number, or none.
pub fn short<T: From<u8>>(u: &mut Unstructured<'_>) -> Result<Option<T>> {
    let byte: u8 = u.arbitrary()?;
    Ok(byte.checked_sub(128).map(T::from))
}

/// A few bytes.
pub fn noise(u: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let length = u.int_in_range(0..=16)?.min(u.len());
    u.bytes(length).map(<[u8]>::to_vec)
}

/// The length that a response declares.
pub fn length_of(length: Option<u16>) -> ResponseLength {
    length.map_or(ResponseLength::Unknown, |length| ResponseLength::Known(length.into()))
}

/// Fields that a handler may say, some of which it may not.
const FIELDS: [Field<'_>; 10] = [
    Field { name: "a", value: b"b" },
    Field { name: "connection", value: b"close" },
    Field { name: "content-length", value: b"5" },
    Field { name: "content-length", value: b"+5" },
    Field { name: "transfer-encoding", value: b"chunked" },
    Field { name: "upgrade", value: b"x" },
    Field { name: "date", value: b"today" },
    Field { name: "A", value: b"x" },
    Field { name: "a b", value: b"c" },
    Field { name: "a", value: b"b\r\nc: d" },
];

/// One of them, or none.
pub fn field(choice: u8) -> Option<Field<'static>> {
    FIELDS.get(usize::from(choice)).copied()
}

/// The status of a response.
#[allow(missing_docs, reason = "named as RFC 9110 does")]
#[derive(Clone, Copy, Debug)]
pub enum Status {
    Ok,
    NoContent,
    NotModified,
    SwitchingProtocols,
    EarlyHints,
    NotFound,
    UpgradeRequired,
    Any(u16),
}

impl Status {
    /// Its number.
    pub fn number(self) -> u16 {
        match self {
            Self::Ok => 200,
            Self::NoContent => 204,
            Self::NotModified => 304,
            Self::SwitchingProtocols => 101,
            Self::EarlyHints => 103,
            Self::NotFound => 404,
            Self::UpgradeRequired => 426,
            Self::Any(status) => status,
        }
    }
}

impl<'a> Arbitrary<'a> for Status {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(match u.int_in_range(0..=31)? {
            0..=1 => Self::NoContent,
            2..=3 => Self::NotModified,
            4..=6 => Self::SwitchingProtocols,
            7..=9 => Self::EarlyHints,
            10 => Self::NotFound,
            11 => Self::UpgradeRequired,
            12 => Self::Any(u.arbitrary()?),
            _ => Self::Ok,
        })
    }
}
