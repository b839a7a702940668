//! PRIORITY (RFC 9113 section 6.3): read, and not acted upon (section 5.3.2).

use super::{BITS_31, Fault, FrameError, Header};

/// What a PRIORITY frame, or a HEADERS frame that has the flag, says of a stream's place in a tree that
/// RFC 7540 had. That a stream depends on itself is no error any more.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Priority {
    pub(crate) stream: u32,
    pub(crate) dependency: u32,
    pub(crate) exclusive: bool,
    /// As it is sent: one less than what it means.
    pub(crate) weight: u8,
}

impl Priority {
    pub(super) fn parse(header: Header, payload: &[u8]) -> Result<Self, FrameError> {
        let stream = header.on_stream()?;
        let octets = payload.try_into().map_err(|_| FrameError::stream(stream, Fault::BadLength))?;
        Ok(Self::decode(stream, octets))
    }

    pub(super) fn decode(stream: u32, octets: [u8; 5]) -> Self {
        let [dependency @ .., weight] = octets;
        let dependency = u32::from_be_bytes(dependency);
        Self { stream, dependency: dependency & BITS_31, exclusive: dependency > BITS_31, weight }
    }
}
