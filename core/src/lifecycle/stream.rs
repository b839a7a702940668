//! The life of an HTTP/2 stream that the client has opened (RFC 9113 section 5.1), as two halves.
//!
//! `idle` is a stream that is not here yet, `closed` one that is here no more; a server that pushes nothing knows
//! no reserved ones. What is left are `open`, the two half-closed ones, and who has to move in each half.

use crate::time::Instant;

/// Who has to move for the request to come in.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Receiving {
    /// The peer: its last byte came then.
    Peer { since: Instant },
    /// The handler: it has not asked for the body, has enough of it for now, or does not want it.
    Handler,
    /// The peer, since then, though nobody reads it and the response is over: the rest is let come in.
    Rest { since: Instant },
    /// Nobody: END_STREAM has come.
    Ended,
}

/// How far the response is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Responding {
    /// Its head has not been written.
    Owed,
    /// Its head has been written; more is to come from the handler.
    Begun { sending: Sending },
    /// The handler has given all of it; the rest waits to be sent.
    Finishing { sending: Sending },
    /// All of it has been sent.
    Ended,
}

/// Who has to move for what the handler has given to be sent.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Sending {
    /// Nobody: it goes out as the transport takes it.
    Free,
    /// The peer, whose window is used up (section 5.2): since then.
    Blocked { since: Instant },
}

/// What the peer's half still means to us.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Wanted {
    /// The handler reads it, or may.
    Yes,
    /// Nobody will read the rest.
    No,
}

/// What a response says to a client that still sends the request.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Verdict {
    /// Success: it goes on sending.
    GoOn,
    /// Anything else: it stops by itself once it has read that (RFC 9112 section 9.5).
    Stop,
}

impl Verdict {
    fn of(status: u16) -> Self {
        if status < 300 { Self::GoOn } else { Self::Stop }
    }
}

/// What is still to come of a request that nobody reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Rest {
    /// No more than the connection's window has room for, as far as anybody knows.
    Fits,
    /// More than that.
    TooLong,
}

/// Where a stream stands.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Life {
    receiving: Receiving,
    responding: Responding,
    wanted: Wanted,
    /// What the response says, once it has begun. One that the connection gives itself is no success.
    verdict: Verdict,
}

/// How a stream is to be closed now that its response is complete.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Parting {
    /// Both halves have ended.
    Whole,
    /// The request still comes and nobody reads it: the peer is asked to stop, with NO_ERROR (section 8.1).
    StopRequest,
    /// The same, but what is left of it is let come in from now on.
    LetIn,
    /// One of the halves is not over, or the rest is let come in already.
    NotYet,
}

impl Life {
    pub(crate) fn new(receiving: Receiving) -> Self {
        Self { receiving, responding: Responding::Owed, wanted: Wanted::Yes, verdict: Verdict::Stop }
    }

    /// One whose request the connection answers itself, and that is not over: no handler hears of it.
    pub(crate) fn refused() -> Self {
        let wanted = Wanted::No;
        Self { receiving: Receiving::Handler, responding: Responding::Ended, wanted, verdict: Verdict::Stop }
    }

    // The peer's half.

    /// Some of the body came, or can come from now on.
    pub(crate) fn received(&mut self, now: Instant) {
        if let Receiving::Peer { since } = &mut self.receiving {
            *since = now;
        }
    }

    /// END_STREAM came.
    pub(crate) fn received_all(&mut self) {
        self.receiving = Receiving::Ended;
    }

    /// It is the handler's turn to make room, or to ask for the body.
    pub(crate) fn await_handler(&mut self) {
        if let Receiving::Peer { .. } = self.receiving {
            self.receiving = Receiving::Handler;
        }
    }

    /// It is the peer's turn to send more of the body.
    pub(crate) fn await_peer(&mut self, now: Instant) {
        if self.receiving == Receiving::Handler && self.wanted == Wanted::Yes {
            self.receiving = Receiving::Peer { since: now };
        }
    }

    /// Nobody will read the rest of the request.
    pub(crate) fn unwant(&mut self) {
        self.wanted = Wanted::No;
        self.await_handler();
    }

    // Our half.

    pub(crate) fn begin_response(&mut self, status: u16) {
        if self.responding == Responding::Owed {
            self.verdict = Verdict::of(status);
            self.responding = Responding::Begun { sending: Sending::Free };
        }
    }

    /// The handler has given all of the response.
    pub(crate) fn finish_response(&mut self) {
        if let Responding::Begun { sending } = self.responding {
            self.responding = Responding::Finishing { sending };
        }
    }

    /// What is queued waits for the peer's window, or does no more.
    pub(crate) fn set_sending(&mut self, to: Sending) {
        if let Responding::Begun { sending } | Responding::Finishing { sending } = &mut self.responding {
            match (*sending, to) {
                // It waits on: since when does not change.
                (Sending::Blocked { .. }, Sending::Blocked { .. }) => {}
                _ => *sending = to,
            }
        }
    }

    /// END_STREAM has been sent.
    pub(crate) fn end_response(&mut self) {
        self.responding = Responding::Ended;
    }

    /// How a stream is to be closed, if it is; `rest` is what is still to come of its request.
    ///
    /// RST_STREAM with NO_ERROR asks the peer to send no more of its request (section 8.1). But a client may well drop
    /// a response that it has whole where that overtakes its upload, and one that looks for the response only behind its
    /// upload never sees it. So what is left is let come in, and thrown away, for as long as an HTTP/1 connection would
    /// linger for the same. A success does not stop a client, and curl 7.88 would wait for ever for a window, deaf to
    /// whatever else comes behind the response: where the upload is longer than that, it is told at once.
    pub(crate) fn part(&mut self, now: Instant, rest: Rest) -> Parting {
        match (self.responding, self.receiving, self.wanted) {
            (Responding::Ended, Receiving::Ended, _) => Parting::Whole,
            (Responding::Ended, Receiving::Rest { .. }, _) => Parting::NotYet,
            (Responding::Ended, _, Wanted::No) => match (self.verdict, rest) {
                (Verdict::GoOn, Rest::TooLong) => Parting::StopRequest,
                (Verdict::GoOn, Rest::Fits) | (Verdict::Stop, _) => {
                    self.receiving = Receiving::Rest { since: now };
                    Parting::LetIn
                }
            },
            _ => Parting::NotYet,
        }
    }

    // Getters.

    pub(crate) fn receives(&self) -> bool {
        self.receiving != Receiving::Ended
    }

    pub(crate) fn is_wanted(&self) -> bool {
        self.wanted == Wanted::Yes
    }

    /// Whether the handler is through with both halves: whatever still becomes of the stream, it hears nothing more.
    pub(crate) fn is_let_go(&self) -> bool {
        self.responding == Responding::Ended && self.wanted == Wanted::No
    }

    /// Whether the rest of its request is let come in.
    pub(crate) fn lets_in(&self) -> bool {
        self.rest_since().is_some()
    }

    pub(crate) fn responding(&self) -> Responding {
        self.responding
    }

    /// Since when it waits for more of the request, if it does.
    #[inline]
    pub(crate) fn body_since(&self) -> Option<Instant> {
        match self.receiving {
            Receiving::Peer { since } => Some(since),
            Receiving::Handler | Receiving::Rest { .. } | Receiving::Ended => None,
        }
    }

    /// Since when the rest of the request has been let come in, if it is.
    #[inline]
    pub(crate) fn rest_since(&self) -> Option<Instant> {
        match self.receiving {
            Receiving::Rest { since } => Some(since),
            Receiving::Peer { .. } | Receiving::Handler | Receiving::Ended => None,
        }
    }

    /// Since when it waits for the peer's window, if it does.
    #[inline]
    pub(crate) fn window_since(&self) -> Option<Instant> {
        match self.responding {
            Responding::Begun { sending: Sending::Blocked { since } }
            | Responding::Finishing { sending: Sending::Blocked { since } } => Some(since),
            _ => None,
        }
    }
}
