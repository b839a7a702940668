//! RST_STREAM (RFC 9113 section 6.4).

use alloc::vec::Vec;

use super::{ErrorCode, Fault, FrameError, Header, kind};

/// The end of a stream, both ways.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct RstStream {
    pub(crate) stream: u32,
    pub(crate) code: ErrorCode,
}

impl RstStream {
    /// A wrong length is an error of the connection, although the frame is a stream's.
    pub(super) fn parse(header: Header, payload: &[u8]) -> Result<Self, FrameError> {
        let stream = header.on_stream()?;
        let code = payload.try_into().map_err(|_| FrameError::connection(Fault::BadLength))?;
        Ok(Self { stream, code: ErrorCode(u32::from_be_bytes(code)) })
    }

    #[inline]
    pub(crate) fn write(self, out: &mut Vec<u8>) {
        Header { length: 4, kind: kind::RST_STREAM, flags: 0, stream: self.stream }.write(out);
        out.extend_from_slice(&self.code.0.to_be_bytes());
    }
}
