//! DATA (RFC 9113 section 6.1).

use alloc::vec::Vec;

use super::{Fault, FrameError, Header, flag, kind};

/// What is known of a DATA frame before its body has come: enough to pass that on as it comes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct DataHead {
    pub(crate) stream: u32,
    /// How many octets of body follow.
    pub(crate) body: u32,
    /// How many octets of padding follow the body. Where there is any to be told, one octet of the payload
    /// tells it, ahead of the body.
    pub(crate) padding: Option<u8>,
    pub(crate) end_stream: bool,
}

impl DataHead {
    /// Reads the header, and from what has come of the payload how much of that is padding; nothing where
    /// that one octet is still to come.
    pub(crate) fn parse(header: Header, payload: &[u8]) -> Result<Option<Self>, FrameError> {
        let stream = header.on_stream()?;
        let end_stream = header.has(flag::END_STREAM);
        if !header.has(flag::PADDED) {
            return Ok(Some(Self { stream, body: header.length, padding: None, end_stream }));
        }
        // An error of the stream alone: it carries no field block (section 4.2).
        let after = header.length.checked_sub(1).ok_or(FrameError::stream(stream, Fault::BadLength))?;
        let Some(&padding) = payload.first() else { return Ok(None) };
        let body = after.checked_sub(u32::from(padding));
        let body = body.ok_or(FrameError::connection(Fault::TooMuchPadding))?;
        Ok(Some(Self { stream, body, padding: Some(padding), end_stream }))
    }

    /// How many octets of the payload stand ahead of the body.
    pub(crate) const fn prefix(self) -> u32 {
        match self.padding {
            Some(_) => 1,
            None => 0,
        }
    }

    /// How much of the windows it takes: all of the payload (section 6.9.1).
    pub(crate) const fn flow_controlled(self) -> u32 {
        let padding = match self.padding {
            Some(padding) => padding as u32,
            None => 0,
        };
        self.prefix().saturating_add(self.body).saturating_add(padding)
    }

    /// Writes all that goes ahead of the body.
    #[inline]
    pub(crate) fn write(self, out: &mut Vec<u8>) {
        let end_stream = flag::when(flag::END_STREAM, self.end_stream);
        let padded = flag::when(flag::PADDED, self.padding.is_some());
        let (length, flags) = (self.flow_controlled(), end_stream | padded);
        Header { length, kind: kind::DATA, flags, stream: self.stream }.write(out);
        out.extend(self.padding);
    }
}

/// A DATA frame, whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Data<'a> {
    pub(crate) head: DataHead,
    pub(crate) body: &'a [u8],
}

impl<'a> Data<'a> {
    pub(super) fn parse(header: Header, payload: &'a [u8]) -> Result<Self, FrameError> {
        let bad_length = FrameError::stream(header.stream, Fault::BadLength);
        let head = DataHead::parse(header, payload)?.ok_or(bad_length)?;
        let from = payload.get(head.prefix() as usize..);
        let body = from.and_then(|from| from.get(..head.body as usize)).ok_or(bad_length)?;
        Ok(Self { head, body })
    }
}
