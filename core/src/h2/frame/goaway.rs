//! GOAWAY (RFC 9113 section 6.8).

use alloc::vec::Vec;

use super::{BITS_31, ErrorCode, Fault, FrameError, Header, LEAST_MAX_FRAME_SIZE, kind};

/// Which of the receiver's streams were or might yet be acted upon, and why no more will be.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct GoAway<'a> {
    /// The last such stream.
    pub(crate) last: u32,
    pub(crate) code: ErrorCode,
    /// For people to read.
    pub(crate) debug: &'a [u8],
}

impl<'a> GoAway<'a> {
    /// The last stream that says that there is no cutoff yet: the notice of a drain.
    pub(crate) const NO_CUTOFF: u32 = BITS_31;

    /// Every error is one of the connection.
    pub(super) fn parse(header: Header, payload: &'a [u8]) -> Result<Self, FrameError> {
        header.on_connection()?;
        let bad_length = FrameError::connection(Fault::BadLength);
        let (last, payload) = payload.split_first_chunk().ok_or(bad_length)?;
        let (code, debug) = payload.split_first_chunk().ok_or(bad_length)?;
        let last = u32::from_be_bytes(*last) & BITS_31;
        Ok(Self { last, code: ErrorCode(u32::from_be_bytes(*code)), debug })
    }

    /// Writes it; of `debug`, as much as every peer takes.
    pub(crate) fn write(self, out: &mut Vec<u8>) {
        const MOST: usize = LEAST_MAX_FRAME_SIZE as usize - 8;
        let debug = self.debug.get(..MOST).unwrap_or(self.debug);
        Header { length: debug.len() as u32 + 8, kind: kind::GOAWAY, flags: 0, stream: 0 }.write(out);
        out.extend_from_slice(&(self.last & BITS_31).to_be_bytes());
        out.extend_from_slice(&self.code.0.to_be_bytes());
        out.extend_from_slice(debug);
    }
}
