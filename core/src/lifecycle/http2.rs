//! The life of an HTTP/2 connection (RFC 9113): its handshake, its two cutoffs, and how it ends.
//!
//! A GOAWAY is not a state of the connection: it is a cutoff, one in each direction, beside the phase (section
//! 6.8). The drain is a level: it is read at every step, and what it then asks to be said comes out of
//! [`Lifecycle::step`].

use core::fmt;

use crate::config::Timeouts;
use crate::error::{CloseReason, PeerError};
use crate::fault::Fault;
use crate::time::Instant;
use crate::timer::{Drain, Due, Reason, Timer};

/// A stream's number on the wire.
pub(crate) type Number = u32;

/// Where the connection stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Phase {
    /// The client's preface, or the SETTINGS that follow it, have not come whole (section 3.4).
    Handshake { since: Instant },
    /// Streams are served.
    Open,
    /// Every stream is done: what is queued is sent, then comes our FIN.
    Flushing { reason: CloseReason },
    /// What is left was cut: its peer is told, if it takes that at once.
    LastWord { since: Instant },
    /// Our FIN has gone; what the peer still sends is thrown away until its FIN.
    Lingering { reason: CloseReason, since: Instant, heard: Instant },
    /// Over.
    Closed { reason: CloseReason },
}

/// Which of the peer's streams we take: the cutoff that our GOAWAYs have told it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Cutoff {
    /// All of them; no GOAWAY has gone.
    None,
    /// All that come until the peer has heard of it: GOAWAY(2^31-1) and a PING went out then.
    Noticed { since: Instant },
    /// The peer has heard, or has had its time.
    Heard,
    /// Those up to this one. It never grows (section 6.8).
    At { last: Number },
}

/// The peer's half of the transport.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Peer {
    Open,
    /// It has sent GOAWAY: it opens no more streams.
    Leaving,
    /// Its FIN has come.
    Finished,
}

/// Whether the peer is asked if it is still there (section 6.7).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Probe {
    None,
    /// A PING was queued then, and no ACK has come.
    Sent {
        since: Instant,
    },
}

/// Whether the peer has taken the end of the last response, or the RST_STREAM that it ended with.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum LastResponse {
    Queued,
    Taken,
}

/// Whether the peer has read the last response. What the transport has taken may lie there for long; a FIN and a close
/// behind it would meet the peer's next frame with a reset, and lose it. Only a PING that goes behind it tells.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Receipt {
    /// There is nothing that it may not have read.
    None,
    /// No PING has gone behind it.
    Owed,
    /// The PING that goes with the notice of the cutoff has gone behind it.
    ByNotice,
    /// A PING was queued behind it then.
    Asked { since: Instant },
}

/// Whether the peer answers PINGs, as it must (section 6.7).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Manners {
    /// It does, as far as is known.
    Answers,
    /// It has not answered the one that went with the notice: it is not asked again.
    Silent,
}

/// What to do with a request that begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Admission {
    Serve,
    /// It came behind the cutoff, or is one too many: REFUSED_STREAM, which is safe to retry (section 8.7).
    Refuse,
}

/// What an ACK of the peer is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ack {
    /// It was waited for, whether or not in time.
    Awaited,
    /// Nothing of ours asks for it.
    Unasked,
}

impl Ack {
    fn of(is_awaited: bool) -> Self {
        if is_awaited { Self::Awaited } else { Self::Unasked }
    }
}

/// Whether a GOAWAY of the peer says something new.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Leaving {
    Now,
    /// It has said so before.
    Already,
}

/// What is to be said to the peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Say {
    /// GOAWAY(2^31-1, NO_ERROR), and a PING whose ACK shows that it has been read.
    Notice,
    /// GOAWAY with the last stream that is served.
    Cutoff { last: Number },
    /// A PING behind the last response, whose ACK shows that it has been read.
    Receipt,
}

/// Why the peer is to open no more streams, for people to read (section 6.8).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Why {
    Drain(Reason),
    PeerLeaves,
    Idle,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Drain(Reason("")) => f.write_str("the server is draining"),
            Self::Drain(reason) => write!(f, "the server is draining: {reason}"),
            Self::PeerLeaves => f.write_str("all that was asked is answered, and the client leaves"),
            Self::Idle => f.write_str("no request for too long"),
        }
    }
}

/// A wait that has lasted too long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Expired {
    /// The lifecycle has moved on by itself.
    Moved,
    /// Something is to be said.
    Say(Say),
    /// The peer is to be asked whether it is still there.
    Probe,
    /// The peer broke the protocol.
    Fail(PeerError),
    /// What is left is cut.
    Cut,
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
    cutoff: Cutoff,
    peer: Peer,
    probe: Probe,
    /// Streams that are not closed.
    open: u32,
    /// Those of them that are answered, and whose handlers are through with them: the rest of the request is let come in.
    rests: u32,
    /// Requests that have been taken, and the last one's stream.
    requests: u64,
    last: Number,
    /// Since when there is no stream, and the last response has gone.
    idle: Instant,
    last_response: LastResponse,
    receipt: Receipt,
    manners: Manners,
    /// When the peer last showed that it is there: it sent something, or made room for something.
    alive: Instant,
    /// Since when our SETTINGS wait for their ACK (section 6.5.3).
    settings: Option<Instant>,
    /// Since when a header block is incomplete.
    block: Option<Instant>,
    /// Since when bytes wait to be sent and none is taken.
    unsent: Option<Instant>,
    drain: Option<Drain>,
}

impl Lifecycle {
    /// A connection whose preface has begun.
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            phase: Phase::Handshake { since: now },
            cutoff: Cutoff::None,
            peer: Peer::Open,
            probe: Probe::None,
            open: 0,
            rests: 0,
            requests: 0,
            last: 0,
            idle: now,
            last_response: LastResponse::Taken,
            receipt: Receipt::None,
            manners: Manners::Answers,
            alive: now,
            settings: None,
            block: None,
            unsent: None,
            drain: None,
        }
    }

    // What the codec reports.

    /// Bytes came.
    pub(crate) fn received(&mut self, now: Instant) {
        self.alive = now;
        if let Phase::Lingering { heard, .. } = &mut self.phase {
            *heard = now;
        }
    }

    /// Our SETTINGS have gone out.
    pub(crate) fn announced(&mut self, now: Instant) {
        self.settings.get_or_insert(now);
    }

    pub(crate) fn settings_acked(&mut self) -> Ack {
        Ack::of(self.settings.take().is_some())
    }

    /// The client's preface and its SETTINGS are here.
    pub(crate) fn shaken(&mut self, now: Instant) {
        if let Phase::Handshake { .. } = self.phase {
            self.phase = Phase::Open;
            self.idle = now;
        }
    }

    /// A header block has begun, and goes on in CONTINUATION.
    pub(crate) fn begin_block(&mut self, now: Instant) {
        self.block.get_or_insert(now);
    }

    pub(crate) fn end_block(&mut self) {
        self.block = None;
    }

    /// A request begins on a stream that the peer opens: whether it is served. With GOAWAY(2^31-1) alone, it is:
    /// the peer may not have heard yet.
    pub(crate) fn admit(&mut self, number: Number, most: u32) -> Admission {
        match self.cutoff {
            Cutoff::At { last } if number > last => Admission::Refuse,
            _ if self.open >= most => Admission::Refuse,
            _ => {
                self.open += 1;
                self.requests += 1;
                self.last = self.last.max(number);
                Admission::Serve
            }
        }
    }

    /// The end of a response waits to be sent, whatever its stream still waits for.
    pub(crate) fn answered(&mut self) {
        self.last_response = LastResponse::Queued;
        self.receipt = Receipt::Owed;
    }

    /// A request is given up, and its RST_STREAM waits to be sent. No receipt is asked for that.
    pub(crate) fn given_up(&mut self) {
        self.last_response = LastResponse::Queued;
    }

    /// A stream is answered, and what is left of its request is let come in.
    pub(crate) fn let_in(&mut self) {
        self.rests += 1;
    }

    /// One of those is about to be closed.
    pub(crate) fn rest_ended(&mut self) {
        self.rests = self.rests.saturating_sub(1);
    }

    /// A stream is closed.
    pub(crate) fn stream_closed(&mut self, now: Instant) {
        self.open = self.open.saturating_sub(1);
        if self.open == 0 {
            self.idle = now;
        }
    }

    /// The PING that went with our first GOAWAY has its ACK: whatever the peer sent before it had read that is
    /// here.
    pub(crate) fn notice_acked(&mut self) -> Ack {
        let is_noticed = matches!(self.cutoff, Cutoff::Noticed { .. });
        let is_late = self.manners == Manners::Silent;
        if is_noticed {
            self.cutoff = Cutoff::Heard;
        }
        self.manners = Manners::Answers;
        if self.receipt == Receipt::ByNotice {
            self.receipt = Receipt::None;
        }
        Ack::of(is_noticed || is_late)
    }

    /// The PING behind the last response has its ACK.
    pub(crate) fn receipt_acked(&mut self) -> Ack {
        let is_awaited = matches!(self.receipt, Receipt::Asked { .. });
        if is_awaited {
            self.receipt = Receipt::None;
        }
        Ack::of(is_awaited)
    }

    pub(crate) fn probe_acked(&mut self) -> Ack {
        Ack::of(core::mem::replace(&mut self.probe, Probe::None) != Probe::None)
    }

    pub(crate) fn probed(&mut self, now: Instant) {
        self.probe = Probe::Sent { since: now };
    }

    /// The peer's GOAWAY came. It is not ours: what the peer has opened is served, and what it opens all the same.
    pub(crate) fn peer_leaves(&mut self) -> Leaving {
        match self.peer {
            Peer::Open => {
                self.peer = Peer::Leaving;
                Leaving::Now
            }
            Peer::Leaving | Peer::Finished => Leaving::Already,
        }
    }

    /// The peer's FIN came: nothing more of it is waited for.
    pub(crate) fn peer_finished(&mut self) {
        self.peer = Peer::Finished;
        (self.settings, self.block) = (None, None);
        match self.phase {
            Phase::Handshake { .. } => self.end(CloseReason::PeerClosed),
            Phase::Lingering { reason, .. } => self.phase = Phase::Closed { reason },
            _ => {}
        }
    }

    /// The transport is gone. With a receipt awaited, what has been answered may lie in it unread: that is nobody's
    /// request in the middle, and no more than a guess. After the peer's FIN there is none awaited.
    pub(crate) fn gone(&mut self) {
        let reason = match (self.phase, self.receipt) {
            (Phase::Lingering { reason, .. }, _) => reason,
            (Phase::LastWord { .. }, _) => CloseReason::CutAtDeadline,
            _ if self.is_at_work() => CloseReason::PeerLeft,
            (Phase::Open, Receipt::ByNotice | Receipt::Asked { .. }) if self.peer != Peer::Finished => {
                CloseReason::Unconfirmed
            }
            _ => CloseReason::PeerClosed,
        };
        self.close(reason);
    }

    /// Bytes wait to be sent.
    pub(crate) fn queued(&mut self, now: Instant) {
        self.unsent.get_or_insert(now);
    }

    /// The peer took some bytes; whether more wait. What goes out beside the responses, a PING for one, does not keep
    /// an idle connection.
    pub(crate) fn sent(&mut self, now: Instant, more: bool) {
        self.unsent = more.then_some(now);
        if more {
            // What there was no room for has gone out: that room is the peer's doing.
            self.alive = now;
        } else if self.last_response == LastResponse::Queued {
            self.idle = now;
            self.last_response = LastResponse::Taken;
        }
    }

    /// Nothing waits to be sent: whether it is time for our FIN. Where the peer has sent its own, closing the
    /// transport is enough.
    pub(crate) fn flushed(&mut self, now: Instant) -> Flushed {
        match (self.phase, self.peer) {
            (Phase::LastWord { .. }, _) => self.close(CloseReason::StreamsCut),
            (Phase::Flushing { reason }, Peer::Finished) => self.close(reason),
            (Phase::Flushing { reason }, _) => {
                self.phase = Phase::Lingering { reason, since: now, heard: now };
                return Flushed::SendFin;
            }
            _ => {}
        }
        Flushed::Nothing
    }

    // The drain.

    /// Raises the level. Told again, only an earlier deadline counts.
    pub(crate) fn drain(&mut self, now: Instant, deadline: Instant, reason: Reason) {
        let drain = self.drain.get_or_insert(Drain { since: now, deadline, reason });
        drain.deadline = drain.deadline.min(deadline);
    }

    /// Takes over a drain that began before the protocol was known.
    pub(crate) fn carry(&mut self, drain: Drain) {
        self.drain = Some(drain);
    }

    /// What is to be said next, if anything; at the end of it, the end. To be asked after each change, until
    /// nothing comes.
    ///
    /// Two-phase (section 6.8): first the notice, on an idle connection too; then, once the peer has heard it or
    /// has had its time, the cutoff; then, when the streams up to it are done, our FIN. During the handshake
    /// nothing is said: its first requests are served.
    pub(crate) fn step(&mut self, now: Instant) -> Option<Say> {
        if self.phase != Phase::Open {
            return None;
        }
        match self.cutoff {
            Cutoff::None if self.drain.is_some() => Some(self.notice(now)),
            // Nothing more can come: there is nobody to be told.
            Cutoff::None | Cutoff::Noticed { .. } if self.peer == Peer::Finished => self.end_if_idle(now),
            Cutoff::None if self.peer == Peer::Leaving && self.open == 0 => Some(self.cut_off()),
            Cutoff::None | Cutoff::Noticed { .. } => None,
            Cutoff::Heard => Some(self.cut_off()),
            Cutoff::At { .. } => self.end_if_idle(now),
        }
    }

    fn notice(&mut self, now: Instant) -> Say {
        self.cutoff = Cutoff::Noticed { since: now };
        if self.receipt == Receipt::Owed {
            self.receipt = Receipt::ByNotice;
        }
        Say::Notice
    }

    fn cut_off(&mut self) -> Say {
        let last = self.last;
        self.cutoff = Cutoff::At { last };
        Say::Cutoff { last }
    }

    /// Until the last response has gone and has been read, whatever else the peer sends is still attended to. It is asked
    /// for that while it still sends the rest of a request.
    fn end_if_idle(&mut self, now: Instant) -> Option<Say> {
        if self.is_serving() || self.unsent.is_some() {
            return None;
        }
        match (self.receipt, self.manners, self.peer) {
            // Its FIN has come: what it has not read yet, no frame of its own can cost it.
            (Receipt::None, _, _) | (_, Manners::Silent, _) | (_, _, Peer::Finished) => {
                if self.open == 0 {
                    self.end(self.end_reason());
                }
                None
            }
            (Receipt::Owed | Receipt::ByNotice, Manners::Answers, _) => {
                self.receipt = Receipt::Asked { since: now };
                Some(Say::Receipt)
            }
            (Receipt::Asked { .. }, Manners::Answers, _) => None,
        }
    }

    fn end_reason(&self) -> CloseReason {
        match (self.drain, self.peer) {
            (_, Peer::Leaving | Peer::Finished) => CloseReason::PeerClosed,
            (Some(_), Peer::Open) => CloseReason::Drained,
            (None, Peer::Open) => CloseReason::TimedOut(Timer::KeepAlive),
        }
    }

    /// Why a GOAWAY that names no error goes out.
    pub(crate) fn why(&self) -> Why {
        match (self.drain, self.peer) {
            (Some(drain), _) => Why::Drain(drain.reason),
            (None, Peer::Leaving) => Why::PeerLeaves,
            (None, Peer::Open | Peer::Finished) => Why::Idle,
        }
    }

    // Ending.

    /// The peer broke the protocol: no stream is served any more. The last stream that its GOAWAY is to name.
    pub(crate) fn fail(&mut self, error: PeerError) -> Number {
        let last = match self.cutoff {
            Cutoff::At { last } => last.min(self.last),
            _ => self.last,
        };
        self.cutoff = Cutoff::At { last };
        self.end(CloseReason::Refused(error));
        last
    }

    /// The deadline has come: what is left has been cut, and its peer is to hear of it.
    pub(crate) fn cut_at_deadline(&mut self, now: Instant) -> Number {
        let last = match self.cutoff {
            Cutoff::At { last } => last,
            _ => self.last,
        };
        self.cutoff = Cutoff::At { last };
        self.phase = Phase::LastWord { since: now };
        last
    }

    /// What is queued is sent, then comes our FIN.
    pub(crate) fn end(&mut self, reason: CloseReason) {
        if !self.is_ending() {
            self.phase = Phase::Flushing { reason };
        }
    }

    /// Everything ends now, for `cut`; that is the reason only where it leaves something undone.
    pub(crate) fn cut(&mut self, cut: CloseReason) {
        let reason = match (self.phase, self.unsent) {
            (Phase::Lingering { reason, .. }, _) => reason,
            (Phase::Flushing { reason }, unsent) if unsent.is_none() || !self.is_at_work() => reason,
            (Phase::Handshake { .. } | Phase::Open, _) if !self.leaves_something() => CloseReason::Drained,
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

    // Time.

    /// The next wait that ends by itself, but for those of the streams.
    pub(crate) fn due(&self, timeouts: &Timeouts) -> Option<Due> {
        let wait = |timer: Timer, since| Some(timer.due(timeouts, since, self.drain));
        let phase = match self.phase {
            Phase::Closed { .. } => return None,
            Phase::Handshake { since } => wait(Timer::Handshake, since),
            Phase::Open => self.open_due(timeouts),
            Phase::Flushing { .. } => None,
            Phase::LastWord { since } => return wait(Timer::LastWord, since),
            Phase::Lingering { since, heard, .. } => {
                wait(Timer::LingerQuiet, heard).min(wait(Timer::Linger, since))
            }
        };
        let write = self.unsent.and_then(|since| wait(Timer::Write, since));
        let grace = self.drain.map(|drain| Due { at: drain.deadline, timer: Timer::Grace });
        [phase, write, grace].into_iter().flatten().min()
    }

    fn open_due(&self, timeouts: &Timeouts) -> Option<Due> {
        let wait = |timer: Timer, since| Some(timer.due(timeouts, since, self.drain));
        let settings = self.settings.filter(|_| self.peer != Peer::Finished);
        let settings = settings.and_then(|since| wait(Timer::SettingsAck, since));
        let block = self.block.and_then(|since| wait(Timer::Head, since));
        let notice = match self.cutoff {
            Cutoff::Noticed { since } => wait(Timer::GoawayAck, since),
            Cutoff::None if self.open == 0 && self.unsent.is_none() => wait(Timer::KeepAlive, self.idle),
            _ => None,
        };
        let probe = match (self.probe, self.peer) {
            (_, Peer::Finished) => None,
            (Probe::None, _) => wait(Timer::Silence, self.alive),
            // It may stand behind much else that the peer takes first.
            (Probe::Sent { since }, _) => wait(Timer::PingAck, since.max(self.alive)),
        };
        let receipt = match self.receipt {
            Receipt::Asked { since } => wait(Timer::Receipt, since.max(self.alive)),
            _ => None,
        };
        [settings, block, notice, probe, receipt].into_iter().flatten().min()
    }

    /// Ends the wait that is due, if one is.
    pub(crate) fn expire(&mut self, now: Instant, timeouts: &Timeouts) -> Option<Expired> {
        let due = self.due(timeouts).filter(|due| due.at <= now)?;
        match due.timer {
            Timer::Head => return Some(Expired::Fail(PeerError::Http2(Fault::SlowBlock))),
            Timer::SettingsAck => return Some(Expired::Fail(PeerError::Http2(Fault::SettingsIgnored))),
            Timer::Silence => return Some(Expired::Probe),
            Timer::Grace if self.phase == Phase::Open && self.leaves_something() => {
                return Some(Expired::Cut);
            }
            Timer::GoawayAck => {
                self.cutoff = Cutoff::Heard;
                self.manners = Manners::Silent;
            }
            Timer::KeepAlive => {
                return Some(Expired::Say(self.notice(now)));
            }
            Timer::Handshake if self.drain.is_some() => self.end(CloseReason::Drained),
            Timer::Handshake | Timer::Receipt => self.end(CloseReason::TimedOut(due.timer)),
            Timer::Write | Timer::PingAck => self.close(CloseReason::TimedOut(due.timer)),
            _ => self.cut(CloseReason::CutAtDeadline),
        }
        Some(Expired::Moved)
    }

    // Getters.

    pub(crate) fn phase(&self) -> Phase {
        self.phase
    }

    pub(crate) fn requests(&self) -> u64 {
        self.requests
    }

    pub(crate) fn drains(&self) -> Option<Drain> {
        self.drain
    }

    pub(crate) fn peer_has_finished(&self) -> bool {
        self.peer == Peer::Finished
    }

    /// When the peer last showed that it is there.
    pub(crate) fn alive(&self) -> Instant {
        self.alive
    }

    /// Whether a stream is open that is not answered, or whose handler is not through with it.
    fn is_serving(&self) -> bool {
        self.open > self.rests
    }

    /// Whether a request has begun whose response is not over.
    fn is_at_work(&self) -> bool {
        self.is_serving() || self.block.is_some() || self.last_response == LastResponse::Queued
    }

    /// Whether the end of the connection would cost the peer something.
    fn leaves_something(&self) -> bool {
        self.is_at_work() || matches!(self.receipt, Receipt::Asked { .. }) || self.may_be_unread()
    }

    /// Whether a response is likely to be lost to a drain's end: it may not have been read, and what still comes of a
    /// request would be met with a reset.
    fn may_be_unread(&self) -> bool {
        let awaits_receipt = self.receipt != Receipt::None && self.manners == Manners::Answers;
        self.drain.is_some() && self.rests > 0 && awaits_receipt
    }

    pub(crate) fn awaits_settings_ack(&self) -> bool {
        self.settings.is_some()
    }

    /// Whether no stream is left, and since when.
    pub(crate) fn idle_since(&self) -> Option<Instant> {
        (self.open == 0).then_some(self.idle)
    }

    /// Whether all that still comes is thrown away.
    pub(crate) fn is_ending(&self) -> bool {
        matches!(
            self.phase,
            Phase::Flushing { .. } | Phase::LastWord { .. } | Phase::Lingering { .. } | Phase::Closed { .. }
        )
    }
}
