//! The life of an HTTP/1 connection (RFC 9112 section 9): which request it is at, whether another may
//! follow, and how it ends.
//!
//! The drain is a level: `drain` is read wherever a decision is made, and arms nothing.

use crate::config::Timeouts;
use crate::error::{CloseReason, PeerError};
use crate::time::Instant;
use crate::timer::{Drain, Due, Reason, Timer};

/// Whether another request may follow on the connection (RFC 9112 section 9.3).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Persistence {
    Keep,
    Close,
}

/// Whether a byte of the next request is already here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Behind {
    Nothing,
    Begun,
}

/// Where the connection stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Phase {
    /// No byte of the next request has come: since the accept, or since the last response was sent.
    Idle { since: Instant },
    /// A request's head has begun.
    Head { since: Instant },
    /// A request is being served.
    Exchange { request: Receiving, response: Responding },
    /// The connection carries bytes of another protocol.
    Tunnel { sending: Sending },
    /// What is queued is sent, then comes our FIN.
    Flushing { reason: CloseReason },
    /// Our FIN has gone; what the peer still sends is thrown away until its FIN (RFC 9112 section 9.6).
    Lingering { reason: CloseReason, since: Instant, heard: Instant },
    /// Over.
    Closed { reason: CloseReason },
}

/// Who has to move for the request to come in.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Receiving {
    /// The peer: its last byte came then.
    Peer { since: Instant },
    /// The handler: it has not asked for the body, or has enough of it for now.
    Handler,
    /// Nobody: all of it is here, or what is not is not wanted.
    Whole,
}

/// How far the response is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Responding {
    /// Its head has not been written; the request alone would allow this.
    Owed { allowed: Persistence },
    /// Its head has been written, and said this.
    Begun { said: Persistence },
    /// It has all been written, and its head said this; the request still comes in, and somebody reads it.
    Done { said: Persistence },
}

/// Our half of a tunnel.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Sending {
    Open,
    /// What is queued is sent, then comes our FIN.
    Finishing,
    Finished,
}

/// The peer's half of the transport.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Peer {
    Open,
    Finished,
}

/// What the codec has to do about a wait that has lasted too long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Expired {
    /// Nothing: the lifecycle has moved on by itself.
    Moved,
    /// Refuse the request.
    Refuse(PeerError),
}

/// What is to be done now that nothing waits to be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Flushed {
    Nothing,
    SendFin,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Lifecycle {
    phase: Phase,
    requests: u64,
    peer: Peer,
    /// Since when bytes wait to be sent and none is taken.
    unsent: Option<Instant>,
    drain: Option<Drain>,
}

impl Lifecycle {
    pub(crate) fn new(now: Instant) -> Self {
        Self { phase: Phase::Idle { since: now }, requests: 0, peer: Peer::Open, unsent: None, drain: None }
    }

    // What the codec reports.

    /// The first byte of a head is here: that ends idleness, whatever else is going on.
    pub(crate) fn begin(&mut self, now: Instant) {
        if let Phase::Idle { .. } = self.phase {
            self.phase = Phase::Head { since: now };
        }
    }

    /// A head is whole: its request is taken.
    pub(crate) fn take(&mut self, allowed: Persistence, request: Receiving) {
        self.requests += 1;
        self.phase = Phase::Exchange { request, response: Responding::Owed { allowed } };
    }

    /// Some of the body came.
    pub(crate) fn received(&mut self, now: Instant) {
        if let Phase::Exchange { request: Receiving::Peer { since }, .. } = &mut self.phase {
            *since = now;
        }
    }

    /// All of the body came.
    pub(crate) fn received_all(&mut self, now: Instant) {
        if let Phase::Exchange { request, response } = &mut self.phase {
            *request = Receiving::Whole;
            if let Responding::Done { said } = *response {
                self.part(now, said);
            }
        }
    }

    /// The rest of the body is not wanted, and is too much to be read for nothing.
    pub(crate) fn abandon_request(&mut self) {
        if let Phase::Exchange { request, response } = &mut self.phase {
            *request = Receiving::Whole;
            match response {
                Responding::Owed { allowed } => *allowed = Persistence::Close,
                Responding::Begun { said } => *said = Persistence::Close,
                Responding::Done { .. } => self.end(CloseReason::Finished),
            }
        }
    }

    /// It is the handler's turn to ask for more of the body.
    pub(crate) fn await_handler(&mut self) {
        if let Phase::Exchange { request: request @ Receiving::Peer { .. }, .. } = &mut self.phase {
            *request = Receiving::Handler;
        }
    }

    /// It is the peer's turn to send more of the body.
    pub(crate) fn await_peer(&mut self, now: Instant) {
        if let Phase::Exchange { request: request @ Receiving::Handler, .. } = &mut self.phase {
            *request = Receiving::Peer { since: now };
        }
    }

    /// A response's head is being written: decides here and now, not when the request was parsed, whether
    /// it says `connection: close`.
    ///
    /// `asked` is what the handler and the message's framing ask for. A drain closes after this response,
    /// unless the next request has already begun: then that one is the last.
    pub(crate) fn answer(&mut self, asked: Persistence, behind: Behind) -> Persistence {
        let Phase::Exchange { response, .. } = &mut self.phase else { return Persistence::Close };
        let Responding::Owed { allowed } = *response else { return Persistence::Close };
        let last = (self.drain.is_some() || self.peer == Peer::Finished) && behind == Behind::Nothing;
        let said = match (allowed, asked, last) {
            (Persistence::Keep, Persistence::Keep, false) => Persistence::Keep,
            _ => Persistence::Close,
        };
        *response = Responding::Begun { said };
        said
    }

    /// The last byte of a response has been queued.
    pub(crate) fn answered(&mut self, now: Instant) {
        let Phase::Exchange { request, response: Responding::Begun { said } } = self.phase else { return };
        match request {
            Receiving::Whole => self.part(now, said),
            _ => self.phase = Phase::Exchange { request, response: Responding::Done { said } },
        }
    }

    /// The exchange is over on both sides.
    fn part(&mut self, now: Instant, said: Persistence) {
        match said {
            Persistence::Keep => self.phase = Phase::Idle { since: now },
            Persistence::Close => self.end(CloseReason::Finished),
        }
    }

    /// The response agreed to another protocol: what follows is not HTTP.
    pub(crate) fn tunnel(&mut self) {
        self.phase = Phase::Tunnel { sending: Sending::Open };
    }

    /// Our half of the tunnel is at its end.
    pub(crate) fn finish_tunnel(&mut self) {
        if let Phase::Tunnel { sending: sending @ Sending::Open } = &mut self.phase {
            *sending = Sending::Finishing;
        }
    }

    /// Nobody reads the peer's half of the tunnel: once ours is at its end too, the tunnel is.
    pub(crate) fn leave_tunnel(&mut self, now: Instant) {
        let reason = CloseReason::TunnelEnded;
        match self.phase {
            Phase::Tunnel { sending: Sending::Finishing } => self.phase = Phase::Flushing { reason },
            Phase::Tunnel { sending: Sending::Finished } => {
                self.phase = Phase::Lingering { reason, since: now, heard: now };
            }
            _ => {}
        }
    }

    /// Bytes wait to be sent.
    pub(crate) fn queued(&mut self, now: Instant) {
        self.unsent.get_or_insert(now);
    }

    /// The peer took some bytes; whether more wait.
    pub(crate) fn sent(&mut self, now: Instant, more: bool) {
        self.unsent = more.then_some(now);
        if let (false, Phase::Idle { since }) = (more, &mut self.phase) {
            *since = now;
        }
    }

    /// Nothing waits to be sent: whether it is time for our FIN. Where the peer has sent its own, closing
    /// the transport is enough.
    pub(crate) fn flushed(&mut self, now: Instant) -> Flushed {
        let (reason, after) = match self.phase {
            Phase::Flushing { reason } if reason.resets() => (reason, Phase::Closed { reason }),
            Phase::Flushing { reason } => (reason, Phase::Lingering { reason, since: now, heard: now }),
            Phase::Tunnel { sending: Sending::Finishing } => {
                (CloseReason::TunnelEnded, Phase::Tunnel { sending: Sending::Finished })
            }
            _ => return Flushed::Nothing,
        };
        match (self.peer, after) {
            (Peer::Finished, _) | (_, Phase::Closed { .. }) => {
                self.phase = Phase::Closed { reason };
                Flushed::Nothing
            }
            (Peer::Open, _) => {
                self.phase = after;
                Flushed::SendFin
            }
        }
    }

    /// Bytes came that nobody will read.
    pub(crate) fn discarded(&mut self, now: Instant) {
        if let Phase::Lingering { heard, .. } = &mut self.phase {
            *heard = now;
        }
    }

    /// The peer's FIN came.
    pub(crate) fn peer_finished(&mut self) {
        self.peer = Peer::Finished;
        match self.phase {
            Phase::Lingering { reason, .. } => self.phase = Phase::Closed { reason },
            Phase::Tunnel { sending: Sending::Finished } => {
                self.phase = Phase::Closed { reason: CloseReason::TunnelEnded };
            }
            _ => {}
        }
    }

    /// All that came has been read. After the peer's FIN nothing else will come: the fault in that, where a
    /// request is half here; an end, where none is.
    pub(crate) fn exhausted(&mut self) -> Option<PeerError> {
        match (self.peer, self.phase) {
            (Peer::Finished, Phase::Idle { .. }) => {
                self.end(CloseReason::PeerClosed);
                None
            }
            (Peer::Finished, Phase::Head { .. }) => Some(PeerError::TruncatedHead),
            (
                Peer::Finished,
                Phase::Exchange { request: Receiving::Peer { .. } | Receiving::Handler, .. },
            ) => Some(PeerError::TruncatedBody),
            _ => None,
        }
    }

    /// No other request is served: what is queued is sent, then comes our FIN.
    pub(crate) fn end(&mut self, reason: CloseReason) {
        if !self.is_ending() {
            self.phase = Phase::Flushing { reason };
        }
    }

    /// The transport is gone.
    pub(crate) fn gone(&mut self) {
        let reason = match self.phase {
            Phase::Lingering { reason, .. } => reason,
            Phase::Idle { .. } if self.unsent.is_none() => CloseReason::PeerClosed,
            _ => CloseReason::PeerLeft,
        };
        self.close(reason);
    }

    /// Everything ends now, for `cut`; that is the reason only where it leaves something undone.
    pub(crate) fn cut(&mut self, cut: CloseReason) {
        let reason = match (self.phase, self.unsent) {
            (Phase::Lingering { reason, .. }, _) | (Phase::Flushing { reason }, None) => reason,
            (Phase::Idle { .. }, None) => CloseReason::Drained,
            _ => cut,
        };
        self.close(reason);
    }

    fn close(&mut self, reason: CloseReason) {
        self.unsent = None;
        if !matches!(self.phase, Phase::Closed { .. }) {
            self.phase = Phase::Closed { reason };
        }
    }

    // The drain.

    /// Raises the level. Told again, only an earlier deadline counts.
    pub(crate) fn drain(&mut self, now: Instant, deadline: Instant, reason: Reason) {
        let drain = self.drain.get_or_insert(Drain { since: now, deadline, reason });
        drain.deadline = drain.deadline.min(deadline);
    }

    /// Whether an upgrade may still be agreed to: nothing that a drain would have to cut is begun in it.
    pub(crate) fn admits_upgrades(&self) -> bool {
        self.drain.is_none()
    }

    // Time.

    /// The next wait that ends by itself.
    pub(crate) fn due(&self, timeouts: &Timeouts) -> Option<Due> {
        let wait = |timer: Timer, since| Some(timer.due(timeouts, since, self.drain));
        let phase = match self.phase {
            Phase::Closed { .. } => return None,
            Phase::Idle { since } if self.unsent.is_none() => wait(self.idle_timer(), since),
            Phase::Head { since } => wait(Timer::Head, since),
            Phase::Exchange { request: Receiving::Peer { since }, .. } => wait(Timer::Body, since),
            Phase::Lingering { since, heard, .. } => {
                wait(Timer::LingerQuiet, heard).min(wait(Timer::Linger, since))
            }
            Phase::Idle { .. } | Phase::Exchange { .. } | Phase::Tunnel { .. } | Phase::Flushing { .. } => {
                None
            }
        };
        let write = self.unsent.and_then(|since| wait(Timer::Write, since));
        let grace = self.drain.map(|drain| Due { at: drain.deadline, timer: Timer::Grace });
        earlier(phase, earlier(write, grace))
    }

    fn idle_timer(&self) -> Timer {
        match self.requests {
            0 => Timer::FirstByte,
            _ => Timer::KeepAlive,
        }
    }

    /// Ends the wait that is due, if one is.
    pub(crate) fn expire(&mut self, now: Instant, timeouts: &Timeouts) -> Option<Expired> {
        let due = self.due(timeouts).filter(|due| due.at <= now)?;
        match due.timer {
            Timer::Head => return Some(Expired::Refuse(PeerError::SlowHead)),
            Timer::Body => return Some(Expired::Refuse(PeerError::SlowBody)),
            Timer::FirstByte | Timer::KeepAlive if self.drain.is_some() => self.end(CloseReason::Drained),
            Timer::FirstByte | Timer::KeepAlive => self.end(CloseReason::TimedOut(due.timer)),
            Timer::Write => self.close(CloseReason::TimedOut(due.timer)),
            _ => self.cut(CloseReason::CutAtDeadline),
        }
        Some(Expired::Moved)
    }

    // Getters.

    pub(crate) fn phase(&self) -> Phase {
        self.phase
    }

    /// How many requests have been taken: the number of the current one, counted from 1.
    pub(crate) fn requests(&self) -> u64 {
        self.requests
    }

    pub(crate) fn drains(&self) -> Option<Drain> {
        self.drain
    }

    pub(crate) fn peer_has_finished(&self) -> bool {
        self.peer == Peer::Finished
    }

    /// Whether a request is served of which nothing is to be read any more: what follows it waits.
    pub(crate) fn serves_whole_request(&self) -> bool {
        matches!(self.phase, Phase::Exchange { request: Receiving::Whole, .. })
    }

    /// Whether a response can still be written to the request that is being read or served.
    pub(crate) fn owes_response(&self) -> bool {
        matches!(
            self.phase,
            Phase::Idle { .. }
                | Phase::Head { .. }
                | Phase::Exchange { response: Responding::Owed { .. }, .. }
        )
    }

    /// Whether the last response is complete, and only the rest of its request is still read.
    pub(crate) fn is_answered_for_good(&self) -> bool {
        matches!(self.phase, Phase::Exchange { response: Responding::Done { said: Persistence::Close }, .. })
    }

    /// Whether all that still comes is thrown away.
    pub(crate) fn is_ending(&self) -> bool {
        matches!(self.phase, Phase::Flushing { .. } | Phase::Lingering { .. } | Phase::Closed { .. })
    }
}

fn earlier(one: Option<Due>, other: Option<Due>) -> Option<Due> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
