//! WINDOW_UPDATE (RFC 9113 section 6.9).

use alloc::vec::Vec;

use super::{BITS_31, Fault, FrameError, Header, kind};

/// Leave to send more: on one stream, or on the connection where that is zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct WindowUpdate {
    pub(crate) stream: u32,
    /// From 1 to 2^31 - 1.
    pub(crate) increment: u32,
}

impl WindowUpdate {
    pub(super) fn parse(header: Header, payload: &[u8]) -> Result<Self, FrameError> {
        let increment = payload.try_into().map_err(|_| FrameError::connection(Fault::BadLength))?;
        let increment = u32::from_be_bytes(increment) & BITS_31;
        match (increment, header.stream) {
            (0, 0) => Err(FrameError::connection(Fault::ZeroIncrement)),
            (0, stream) => Err(FrameError::stream(stream, Fault::ZeroIncrement)),
            (increment, stream) => Ok(Self { stream, increment }),
        }
    }

    #[inline]
    pub(crate) fn write(self, out: &mut Vec<u8>) {
        Header { length: 4, kind: kind::WINDOW_UPDATE, flags: 0, stream: self.stream }.write(out);
        out.extend_from_slice(&self.increment.to_be_bytes());
    }
}
