//! PRIORITY_UPDATE (RFC 9218 section 7.1).

use super::{BITS_31, Fault, FrameError, Header};

/// The client's new mind on how urgent a response is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct PriorityUpdate<'a> {
    /// The stream that it is for; the frame itself is the connection's.
    pub(crate) stream: u32,
    /// As the field `priority` would have it (section 4).
    pub(crate) value: &'a [u8],
}

impl<'a> PriorityUpdate<'a> {
    /// Every error is one of the connection.
    pub(super) fn parse(header: Header, payload: &'a [u8]) -> Result<Self, FrameError> {
        header.on_connection()?;
        let (stream, value) = payload.split_first_chunk().ok_or(FrameError::connection(Fault::BadLength))?;
        match u32::from_be_bytes(*stream) & BITS_31 {
            0 => Err(FrameError::connection(Fault::NothingPrioritized)),
            stream => Ok(Self { stream, value }),
        }
    }
}
