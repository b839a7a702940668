//! CONTINUATION (RFC 9113 section 6.10).

use alloc::vec::Vec;

use super::{FrameError, Header, flag, kind};

/// More of a field block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Continuation<'a> {
    pub(crate) stream: u32,
    pub(crate) fragment: &'a [u8],
    pub(crate) end_headers: bool,
}

impl<'a> Continuation<'a> {
    pub(super) fn parse(header: Header, payload: &'a [u8]) -> Result<Self, FrameError> {
        let stream = header.on_stream()?;
        Ok(Self { stream, fragment: payload, end_headers: header.has(flag::END_HEADERS) })
    }
}

/// What goes ahead of more of a field block.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct ContinuationHead {
    pub(crate) stream: u32,
    /// How many octets of field block follow.
    pub(crate) length: u32,
    pub(crate) end_headers: bool,
}

impl ContinuationHead {
    #[inline]
    pub(crate) fn write(self, out: &mut Vec<u8>) {
        let flags = flag::when(flag::END_HEADERS, self.end_headers);
        Header { length: self.length, kind: kind::CONTINUATION, flags, stream: self.stream }.write(out);
    }
}
