//! A request's body between the wire and the handler: decoded, held for it within a window, or thrown away.

use alloc::vec::Vec;
use bytes::Bytes;

use crate::config::Limits;
use crate::error::PeerError;
use crate::event::BodyLength;
use crate::h1::body::{Decoder, End};

/// The body of the current request.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Intake {
    decoder: Decoder,
    reader: Reader,
    /// What the handler has or is about to get, and has not released.
    held: usize,
    data: Vec<u8>,
    end: Option<End>,
}

/// Who reads the body.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Debug)]
enum Reader {
    /// The handler.
    #[default]
    Handler,
    /// The handler, once it asks: the peer waits for a word before it sends any.
    Continue,
    /// Nobody: up to so many bytes more are thrown away.
    Discard { left: u64 },
    /// Nobody, and what is still to come is not even read.
    Nobody,
}

/// How much was read, and what that led to.
pub(crate) struct Read {
    pub(crate) used: usize,
    pub(crate) state: State,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    /// More is to come.
    More,
    /// More is to come, and the window is full.
    Full,
    /// The body is at its end.
    Ended,
    /// More is to come than may be thrown away.
    OverDiscard,
}

impl Intake {
    pub(crate) fn new(body: BodyLength, expects_continue: bool) -> Self {
        let reader = if expects_continue { Reader::Continue } else { Reader::Handler };
        Self { decoder: Decoder::new(body), reader, ..Self::default() }
    }

    pub(crate) fn tunnel() -> Self {
        Self { decoder: Decoder::Tunnel, ..Self::default() }
    }

    pub(crate) fn read(&mut self, input: &[u8], limits: &Limits) -> Result<Read, PeerError> {
        let Self { decoder, reader, data, .. } = self;
        let before = data.len();
        let mut over = false;
        if *reader == Reader::Continue {
            // The peer did not wait for the word (RFC 9110 section 10.1.1).
            *reader = Reader::Handler;
        }
        let decoded = decoder.decode(input, limits, |piece| match reader {
            Reader::Discard { left } => match left.checked_sub(piece.len() as u64) {
                Some(rest) => *left = rest,
                None => over = true,
            },
            Reader::Handler | Reader::Continue => data.extend_from_slice(piece),
            Reader::Nobody => {}
        })?;
        self.held += data.len() - before;
        let state = match decoded.end {
            // That its end came in the same piece makes it no shorter.
            _ if over => State::OverDiscard,
            Some(end) => {
                self.decoder = Decoder::Ended;
                if !self.is_discarded() {
                    self.end = Some(end);
                }
                State::Ended
            }
            None if self.has_room(limits) => State::More,
            None => State::Full,
        };
        Ok(Read { used: decoded.used, state })
    }

    /// The peer's half of a tunnel is at its end.
    pub(crate) fn end_tunnel(&mut self) {
        if self.decoder == Decoder::Tunnel {
            self.decoder = Decoder::Ended;
            if !self.is_discarded() {
                self.end = Some(End::default());
            }
        }
    }

    /// The handler has asked for the body.
    pub(crate) fn expect_peer(&mut self) {
        self.reader = Reader::Handler;
    }

    /// Nobody wants the body: as much as `left` is thrown away.
    pub(crate) fn discard(&mut self, left: u64) {
        *self = Self { decoder: core::mem::take(&mut self.decoder), ..Self::default() };
        self.reader = Reader::Discard { left };
    }

    /// What is still to come is not read.
    pub(crate) fn abandon(&mut self) {
        *self = Self { reader: Reader::Nobody, ..Self::default() };
    }

    pub(crate) fn release(&mut self, count: usize) {
        self.held = self.held.saturating_sub(count);
    }

    pub(crate) fn take_data(&mut self) -> Option<Bytes> {
        (!self.data.is_empty()).then(|| Bytes::from(core::mem::take(&mut self.data)))
    }

    pub(crate) fn take_end(&mut self) -> Option<End> {
        self.end.take()
    }

    pub(crate) fn has_events(&self) -> bool {
        !self.data.is_empty() || self.end.is_some()
    }

    pub(crate) fn has_room(&self, limits: &Limits) -> bool {
        self.held < limits.body_window.max(1)
    }

    pub(crate) fn awaits_continue(&self) -> bool {
        self.reader == Reader::Continue
    }

    pub(crate) fn is_discarded(&self) -> bool {
        matches!(self.reader, Reader::Discard { .. } | Reader::Nobody)
    }

    /// Whether nobody reads what is still to come, or the peer has not been told to send it.
    pub(crate) fn has_no_reader(&self) -> bool {
        self.reader != Reader::Handler
    }

    /// Whether more is to come than `limit`, as far as that is known.
    pub(crate) fn exceeds(&self, limit: u64) -> bool {
        self.decoder.remaining().is_some_and(|remaining| remaining > limit)
    }

    /// Whether nothing more is to come.
    pub(crate) fn is_ended(&self) -> bool {
        self.decoder == Decoder::Ended
    }

    /// Whether the handler has nothing more to hear: it was told the end, or does not want to be.
    pub(crate) fn is_over(&self) -> bool {
        self.is_ended() || self.is_discarded()
    }

    /// Whether all of it has left the wire and has been reported, or thrown away.
    pub(crate) fn is_settled(&self) -> bool {
        self.is_ended() && self.reader != Reader::Nobody && !self.has_events()
    }
}
