//! HEADERS (RFC 9113 section 6.2), and field blocks over as many frames as they need.

use alloc::vec::Vec;

use super::continuation::ContinuationHead;
use super::{Fault, FrameError, Header, LEAST_MAX_FRAME_SIZE, MOST_MAX_FRAME_SIZE, Priority, flag, kind};

/// A HEADERS frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Headers<'a> {
    pub(crate) stream: u32,
    /// The start of the field block, or all of it where `end_headers`.
    pub(crate) fragment: &'a [u8],
    pub(crate) priority: Option<Priority>,
    pub(crate) end_stream: bool,
    pub(crate) end_headers: bool,
}

impl<'a> Headers<'a> {
    /// Every error is one of the connection: without the field block the HPACK state is lost (section 4.2).
    pub(super) fn parse(header: Header, payload: &'a [u8]) -> Result<Self, FrameError> {
        let stream = header.on_stream()?;
        let bad_length = FrameError::connection(Fault::BadLength);
        let (padding, payload) = match header.has(flag::PADDED) {
            true => payload.split_first().ok_or(bad_length)?,
            false => (&0, payload),
        };
        let (priority, payload) = match header.has(flag::PRIORITY) {
            true => {
                let (priority, payload) = payload.split_first_chunk().ok_or(bad_length)?;
                (Some(Priority::decode(stream, *priority)), payload)
            }
            false => (None, payload),
        };
        let end = payload.len().checked_sub(usize::from(*padding));
        let fragment = end.and_then(|end| payload.get(..end));
        Ok(Self {
            stream,
            fragment: fragment.ok_or(FrameError::connection(Fault::TooMuchPadding))?,
            priority,
            end_stream: header.has(flag::END_STREAM),
            end_headers: header.has(flag::END_HEADERS),
        })
    }
}

/// What goes ahead of the start of a field block.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct HeadersHead {
    pub(crate) stream: u32,
    /// How many octets of field block follow.
    pub(crate) length: u32,
    pub(crate) end_stream: bool,
    pub(crate) end_headers: bool,
}

impl HeadersHead {
    #[inline]
    pub(crate) fn write(self, out: &mut Vec<u8>) {
        let flags =
            flag::when(flag::END_STREAM, self.end_stream) | flag::when(flag::END_HEADERS, self.end_headers);
        Header { length: self.length, kind: kind::HEADERS, flags, stream: self.stream }.write(out);
    }
}

/// Writes the field block that `encode` writes, in a HEADERS frame and as many CONTINUATION frames as the
/// peer's `max_frame_size` makes of it.
pub(crate) fn write_block<R>(
    out: &mut Vec<u8>,
    stream: u32,
    end_stream: bool,
    max_frame_size: u32,
    encode: impl FnOnce(&mut Vec<u8>) -> R,
) -> R {
    let start = out.len();
    HeadersHead { stream, length: 0, end_stream, end_headers: true }.write(out);
    let block = out.len();
    let result = encode(out);
    let length = out.len().saturating_sub(block);
    let most = max_frame_size.clamp(LEAST_MAX_FRAME_SIZE, MOST_MAX_FRAME_SIZE);
    match u32::try_from(length) {
        Ok(length) if length <= most => set_length(out, start, length),
        _ => split_block(out, start, stream, end_stream, most as usize),
    }
    result
}

/// Puts `length` where the header that stands at `start` has it.
fn set_length(out: &mut [u8], start: usize, length: u32) {
    let [_, octets @ ..] = length.to_be_bytes();
    if let Some(field) = out.get_mut(start..).and_then(<[u8]>::first_chunk_mut) {
        *field = octets;
    }
}

/// Makes several frames of the one that stands at `start`. That a response's fields need it is rare.
fn split_block(out: &mut Vec<u8>, start: usize, stream: u32, end_stream: bool, most: usize) {
    let block = out.split_off((start + Header::LEN).min(out.len()));
    out.truncate(start);
    let mut fragments = block.chunks(most.max(1)).peekable();
    let mut is_first = true;
    while let Some(fragment) = fragments.next() {
        let length = fragment.len() as u32;
        let end_headers = fragments.peek().is_none();
        match core::mem::replace(&mut is_first, false) {
            true => HeadersHead { stream, length, end_stream, end_headers }.write(out),
            false => ContinuationHead { stream, length, end_headers }.write(out),
        }
        out.extend_from_slice(fragment);
    }
}
