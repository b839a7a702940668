//! PING (RFC 9113 section 6.7).

use alloc::vec::Vec;

use super::{Fault, Frame, FrameError, Header, flag, kind};

/// What a PING carries, and its ack brings back.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Ping(pub(crate) [u8; 8]);

/// Every error is one of the connection.
pub(super) fn parse(header: Header, payload: &[u8]) -> Result<Frame<'_>, FrameError> {
    header.on_connection()?;
    let ping = Ping(payload.try_into().map_err(|_| FrameError::connection(Fault::BadLength))?);
    Ok(if header.has(flag::ACK) { Frame::PingAck(ping) } else { Frame::Ping(ping) })
}

impl Ping {
    #[inline]
    pub(crate) fn write(self, out: &mut Vec<u8>) {
        self.write_with(0, out);
    }

    /// Writes the answer to it.
    #[inline]
    pub(crate) fn write_ack(self, out: &mut Vec<u8>) {
        self.write_with(flag::ACK, out);
    }

    fn write_with(self, flags: u8, out: &mut Vec<u8>) {
        Header { length: 8, kind: kind::PING, flags, stream: 0 }.write(out);
        out.extend_from_slice(&self.0);
    }
}
