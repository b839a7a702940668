//! HTTP/1.x on one connection: bytes to events, commands to bytes (RFC 9112).
//!
//! This codec translates and keeps no opinion: what is done next is asked of the lifecycle.

pub(crate) mod body;
mod byte_set;
pub(crate) mod encode;
mod framing;
pub(crate) mod head;
mod intake;
pub(crate) mod recall;
pub(crate) mod target;

use bytes::Bytes;

use crate::config::{Config, HalfClose};
use crate::error::{ApiMisuse, CloseReason, PeerError};
use crate::event::{BodyLength, CancelReason, Event, StreamId, Transmit};
use crate::head::{Date, Field, RequestHead, ResponseHead, Version};
use crate::inbox::Inbox;
use crate::lifecycle::http1::{
    Behind, Expired, Flushed, Lifecycle, Persistence, Phase, Receiving, Responding, Sending,
};
use crate::outbox::Outbox;
use crate::time::Instant;
use crate::timer::{Drain, Due, Reason};
use encode::{Asked, Encoder};
use head::{Bounds, Kind, Parsed, Scanner};
use intake::Intake;
use recall::Recall;

/// An HTTP/1 connection.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Http1 {
    life: Lifecycle,
    inbox: Inbox,
    scanner: Scanner,
    asked: Asked,
    intake: Intake,
    encoder: Encoder,
    outbox: Outbox,
    pending: Option<Pending>,
    close_told: CloseTold,
    date: Option<Date>,
}

/// What is to be reported before the bytes of a body. A request that is given up before it could be
/// reported is not reported at all.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Pending {
    Request { head: RequestHead, body: BodyLength },
    Cancelled { id: StreamId, reason: CancelReason },
}

/// Whether the end has been reported.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum CloseTold {
    No,
    Yes,
}

/// How far a step of reading came.
enum Step {
    Used(usize),
    Stuck,
}

impl Http1 {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            life: Lifecycle::new(now),
            inbox: Inbox::default(),
            scanner: Scanner::default(),
            asked: Asked { kind: Kind::Plain, version: Version::Http11 },
            intake: Intake::default(),
            encoder: Encoder::default(),
            outbox: Outbox::default(),
            pending: None,
            close_told: CloseTold::No,
            date: None,
        }
    }

    // What came from the network or the clock.

    /// After the peer's FIN there is nothing that could have come.
    pub(crate) fn handle_bytes(
        &mut self,
        now: Instant,
        config: &Config,
        bytes: &[u8],
        recall: Option<&mut Recall>,
    ) {
        if self.life.peer_has_finished() {
            return;
        }
        if self.inbox.is_empty() {
            let used = self.read(now, config, bytes, recall);
            self.inbox.push(bytes.get(used..).unwrap_or(&[]));
        } else {
            self.inbox.push(bytes);
        }
        self.advance(now, config);
    }

    pub(crate) fn handle_eof(&mut self, now: Instant, config: &Config) {
        let serving = matches!(self.life.phase(), Phase::Exchange { .. });
        if serving && config.half_close == HalfClose::Cancel {
            return self.handle_gone();
        }
        if let Phase::Tunnel { .. } = self.life.phase() {
            self.intake.end_tunnel();
        }
        self.closing(Lifecycle::peer_finished);
        self.advance(now, config);
    }

    pub(crate) fn handle_gone(&mut self) {
        self.closing(Lifecycle::gone);
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant, config: &Config) {
        loop {
            let mut expired = None;
            self.closing(|life| expired = life.expire(now, &config.timeouts));
            match expired {
                Some(Expired::Refuse(error)) => self.refuse(now, error),
                Some(Expired::Moved) => {}
                None => return,
            }
        }
    }

    // Commands.

    pub(crate) fn set_date(&mut self, date: Date) {
        self.date = Some(date);
    }

    pub(crate) fn respond<'a>(
        &mut self,
        now: Instant,
        config: &Config,
        id: StreamId,
        head: ResponseHead<impl IntoIterator<Item = Field<'a>>>,
    ) -> Result<(), ApiMisuse> {
        self.expect_owed(id)?;
        self.check_status(head.status)?;
        let heard = self.outbox.gather(|text| {
            let start = text.len();
            encode::write_handlers_part(text, head.status, head.fields).inspect_err(|_| text.truncate(start))
        })?;
        let frame = encode::frame(self.asked, head.status, head.length, heard);
        // A peer that has not been told to send its body may send it or not: nobody can tell where the next
        // request would start.
        let keeps = [heard.persistence, frame.persistence()] == [Persistence::Keep; 2];
        let asked = match keeps && !self.intake.awaits_continue() {
            true => Persistence::Keep,
            false => Persistence::Close,
        };
        let said = self.life.answer(asked, self.behind());
        let (asked, date) = (self.asked, self.date);
        self.outbox.gather(|text| {
            encode::write_connections_part(text, asked, head.status, frame, said, date, heard);
        });
        self.encoder = frame.encoder();
        if frame == encode::Frame::Tunnel {
            self.life.tunnel();
            self.intake = Intake::tunnel();
        }
        self.life.queued(now);
        self.advance(now, config);
        Ok(())
    }

    /// An interim response, which HTTP/1.0 does not know (RFC 9110 section 15.2).
    pub(crate) fn inform<'a>(
        &mut self,
        now: Instant,
        id: StreamId,
        status: u16,
        fields: impl IntoIterator<Item = Field<'a>>,
    ) -> Result<(), ApiMisuse> {
        self.expect_owed(id)?;
        if !matches!(status, 100 | 102..=199) {
            return Err(ApiMisuse::BadStatus);
        }
        if self.asked.version == Version::Http11 {
            self.outbox.gather(|text| {
                let start = text.len();
                encode::write_interim(text, status, fields).inspect_err(|_| text.truncate(start))
            })?;
            self.life.queued(now);
        }
        Ok(())
    }

    pub(crate) fn send_body(&mut self, now: Instant, id: StreamId, data: Bytes) -> Result<(), ApiMisuse> {
        self.expect_begun(id)?;
        self.encoder.send(&mut self.outbox, data)?;
        self.note_output(now);
        Ok(())
    }

    pub(crate) fn finish<'a>(
        &mut self,
        now: Instant,
        config: &Config,
        id: StreamId,
        trailers: impl IntoIterator<Item = Field<'a>>,
    ) -> Result<(), ApiMisuse> {
        self.expect_begun(id)?;
        match self.encoder.finish(&mut self.outbox, trailers) {
            Ok(()) => {}
            Err(ApiMisuse::BodyTooShort) => {
                self.break_off();
                return Err(ApiMisuse::BodyTooShort);
            }
            Err(error) => return Err(error),
        }
        self.note_output(now);
        if let Phase::Tunnel { .. } = self.life.phase() {
            self.life.finish_tunnel();
            if self.intake.is_discarded() {
                self.life.leave_tunnel(now);
            }
        } else {
            self.complete(now);
        }
        self.advance(now, config);
        Ok(())
    }

    /// The handler gives up. Before the head that is a 500; after it, the peer must see that it broke off. A
    /// response that is complete cannot be taken back: then it is only the request that nobody reads on.
    pub(crate) fn reset(&mut self, now: Instant, id: StreamId) -> Result<(), ApiMisuse> {
        self.expect_active(id)?;
        match self.life.phase() {
            _ if self.life.owes_response() => self.refuse_with(now, 500, CloseReason::HandlerReset),
            Phase::Exchange { response: Responding::Done { .. }, .. } => self.abandon_body(),
            _ => self.break_off(),
        }
        Ok(())
    }

    /// The response cannot be completed. What its framing says shows that to the peer; where nothing does, a
    /// FIN would look like its end.
    fn break_off(&mut self) {
        let reason = match self.encoder {
            Encoder::Raw => CloseReason::HandlerBrokeOff,
            _ => CloseReason::HandlerReset,
        };
        self.closing(|life| life.end(reason));
    }

    /// The handler asks for the body: a peer that waits for a word to send it gets that (RFC 9110 section
    /// 10.1.1).
    pub(crate) fn read_body(&mut self, now: Instant, id: StreamId) -> Result<(), ApiMisuse> {
        self.expect_active(id)?;
        if self.intake.awaits_continue() {
            self.intake.expect_peer();
            self.life.await_peer(now);
            if self.life.owes_response() {
                self.outbox.gather(|text| {
                    // Without fields there is nothing that could be refused.
                    let _ = encode::write_interim(text, 100, []);
                });
                self.life.queued(now);
            }
        }
        Ok(())
    }

    /// The handler does not want the rest of the body.
    pub(crate) fn discard_body(
        &mut self,
        now: Instant,
        config: &Config,
        id: StreamId,
    ) -> Result<(), ApiMisuse> {
        self.expect_active(id)?;
        if let Phase::Tunnel { .. } = self.life.phase() {
            self.intake.discard(u64::MAX);
            self.life.leave_tunnel(now);
        } else if self.intake.is_ended() {
            self.intake.discard(0);
        } else if self.intake.awaits_continue()
            || self.intake.exceeds(config.limits.discard)
            || self.life.is_answered_for_good()
        {
            self.abandon_body();
        } else {
            self.intake.discard(config.limits.discard);
            self.life.await_peer(now);
        }
        self.advance(now, config);
        Ok(())
    }

    pub(crate) fn release(
        &mut self,
        now: Instant,
        config: &Config,
        id: StreamId,
        count: usize,
    ) -> Result<(), ApiMisuse> {
        self.expect_active(id)?;
        self.intake.release(count);
        if self.intake.has_room(&config.limits) && !self.intake.awaits_continue() {
            self.life.await_peer(now);
        }
        Ok(())
    }

    pub(crate) fn drain(&mut self, now: Instant, config: &Config, deadline: Instant, reason: Reason) {
        self.life.drain(now, deadline, reason);
        self.handle_timeout(now, config);
    }

    pub(crate) fn abort(&mut self) {
        self.closing(|life| life.cut(CloseReason::CutByForce));
    }

    // What the caller is to do.

    #[inline]
    pub(crate) fn poll_event(&mut self, now: Instant, config: &Config) -> Option<Event> {
        if !self.has_events() && (self.close_told == CloseTold::Yes || self.closed().is_none()) {
            return None;
        }
        self.take_event(now, config)
    }

    fn take_event(&mut self, now: Instant, config: &Config) -> Option<Event> {
        let event = self.next_event();
        if !self.inbox.is_empty() && !self.has_events() {
            self.advance(now, config);
        }
        event
    }

    fn next_event(&mut self) -> Option<Event> {
        let id = StreamId(self.life.requests());
        match self.pending.take() {
            Some(Pending::Request { head, body }) => return Some(Event::Request { id, head, body }),
            Some(Pending::Cancelled { id, reason }) => return Some(Event::Cancelled { id, reason }),
            None => {}
        }
        if let Some(data) = self.intake.take_data() {
            return Some(Event::Data { id, data });
        }
        if let Some(end) = self.intake.take_end() {
            return Some(Event::End { id, trailers: end.trailers });
        }
        let reason = self.closed().filter(|_| self.close_told == CloseTold::No)?;
        self.close_told = CloseTold::Yes;
        Some(Event::Closed(reason))
    }

    pub(crate) fn poll_transmit(&mut self, now: Instant) -> Option<Transmit<'_>> {
        if self.outbox.is_empty() {
            let mut flushed = Flushed::Nothing;
            self.closing(|life| flushed = life.flushed(now));
            return match flushed {
                Flushed::SendFin => Some(Transmit::Fin),
                Flushed::Nothing => None,
            };
        }
        Some(Transmit::Bytes(self.outbox.pieces()))
    }

    pub(crate) fn transmitted(&mut self, now: Instant, config: &Config, count: usize) {
        if count > 0 && !self.outbox.is_empty() {
            self.outbox.advance(count);
            self.life.sent(now, !self.outbox.is_empty());
            self.advance(now, config);
        }
    }

    // Getters.

    pub(crate) fn due(&self, config: &Config) -> Option<Due> {
        self.life.due(&config.timeouts)
    }

    pub(crate) fn drains(&self) -> Option<Drain> {
        self.life.drains()
    }

    pub(crate) fn phase(&self) -> Phase {
        self.life.phase()
    }

    /// The request that is being read, served or answered.
    pub(crate) fn active(&self) -> Option<StreamId> {
        match self.life.phase() {
            Phase::Exchange { .. } | Phase::Tunnel { .. } => Some(StreamId(self.life.requests())),
            _ => None,
        }
    }

    /// The active request, unless its handler is through with both halves of it.
    fn unfinished(&self) -> Option<StreamId> {
        let answered = matches!(
            self.life.phase(),
            Phase::Exchange { response: Responding::Done { .. }, .. }
                | Phase::Tunnel { sending: Sending::Finishing | Sending::Finished }
        );
        self.active().filter(|_| !(answered && self.intake.is_over()))
    }

    pub(crate) fn requests(&self) -> u64 {
        self.life.requests()
    }

    /// The wall clock, as it was told.
    pub(crate) fn date(&self) -> Option<Date> {
        self.date
    }

    /// What has come of the connection's first head, while that is not whole; nothing once it has been.
    pub(crate) fn beginning(&self) -> Option<&[u8]> {
        match self.life.phase() {
            Phase::Idle { .. } | Phase::Head { .. } if self.life.requests() == 0 => {
                Some(self.inbox.as_slice())
            }
            _ => None,
        }
    }

    pub(crate) fn has_output(&self) -> bool {
        !self.outbox.is_empty()
    }

    pub(crate) fn wants_read(&self, config: &Config) -> bool {
        let limits = &config.limits;
        !self.life.peer_has_finished()
            && match self.life.phase() {
                Phase::Closed { .. } => false,
                Phase::Flushing { .. } | Phase::Lingering { .. } => true,
                Phase::Idle { .. } | Phase::Head { .. } => {
                    !self.is_held_up(config) || self.inbox.len() < limits.pipeline
                }
                Phase::Exchange { request: Receiving::Whole, .. } => self.inbox.len() < limits.pipeline,
                Phase::Exchange { .. } | Phase::Tunnel { .. } => self.intake.has_room(limits),
            }
    }

    pub(crate) fn send_capacity(&self, config: &Config, id: StreamId) -> usize {
        match self.expect_begun(id) {
            Ok(()) => send_queue(config).saturating_sub(self.outbox.len()),
            Err(_) => 0,
        }
    }

    pub(crate) fn takes_body(&self, id: StreamId) -> bool {
        self.expect_begun(id).is_ok() && self.encoder != Encoder::Bodiless
    }

    pub(crate) fn unsent(&self, id: StreamId) -> Option<usize> {
        match self.expect_begun(id) {
            Ok(()) | Err(ApiMisuse::NotAnswered) => None,
            Err(_) => Some(self.outbox.len()),
        }
    }

    fn closed(&self) -> Option<CloseReason> {
        match self.life.phase() {
            Phase::Closed { reason } => Some(reason),
            _ => None,
        }
    }

    fn has_events(&self) -> bool {
        self.pending.is_some() || self.intake.has_events()
    }

    // Reading.

    /// Reads on, where there is something to read, or to conclude from that there is not.
    #[inline]
    fn advance(&mut self, now: Instant, config: &Config) {
        let readable = !self.inbox.is_empty() && !self.life.serves_whole_request();
        if readable || self.life.peer_has_finished() {
            self.read_on(now, config);
        }
    }

    /// Reads on in what is kept.
    fn read_on(&mut self, now: Instant, config: &Config) {
        let mut inbox = core::mem::take(&mut self.inbox);
        inbox.advance(self.read(now, config, inbox.as_slice(), None));
        self.inbox = inbox;
        if self.life.peer_has_finished() && (self.inbox.is_empty() || !self.is_held_up(config)) {
            self.conclude(now);
        }
    }

    /// The peer will send no more, and what it sent has been read.
    fn conclude(&mut self, now: Instant) {
        if let Phase::Tunnel { .. } = self.life.phase() {
            self.intake.end_tunnel();
        }
        let mut fault = None;
        self.closing(|life| fault = life.exhausted());
        if let Some(error) = fault {
            self.refuse(now, error);
        }
    }

    /// Whether the next head has to wait: for what is queued to be sent, or reported.
    fn is_held_up(&self, config: &Config) -> bool {
        self.outbox.len() >= send_queue(config) || self.has_events()
    }

    /// Reads `input` as far as can be; how much of it is done with.
    fn read(
        &mut self,
        now: Instant,
        config: &Config,
        input: &[u8],
        mut recall: Option<&mut Recall>,
    ) -> usize {
        let mut used = 0;
        while let Some(rest) = input.get(used..).filter(|rest| !rest.is_empty()) {
            let step = match self.life.phase() {
                Phase::Idle { .. } | Phase::Head { .. } if self.is_held_up(config) => Step::Stuck,
                Phase::Idle { .. } => self.begin_head(now, config, rest, recall.as_deref_mut()),
                Phase::Head { .. } => self.read_head(now, config, rest, None),
                Phase::Exchange { .. } if self.life.serves_whole_request() => Step::Stuck,
                Phase::Exchange { .. } | Phase::Tunnel { .. } => self.read_content(now, config, rest),
                Phase::Flushing { .. } | Phase::Lingering { .. } | Phase::Closed { .. } => {
                    self.life.discarded(now);
                    Step::Used(rest.len())
                }
            };
            match step {
                Step::Used(count) => used += count,
                Step::Stuck => break,
            }
        }
        used
    }

    /// Skips empty lines before a request line (RFC 9112 section 2.2): they begin nothing.
    fn begin_head(
        &mut self,
        now: Instant,
        config: &Config,
        rest: &[u8],
        recall: Option<&mut Recall>,
    ) -> Step {
        match rest {
            [b'\r', b'\n', ..] => Step::Used(2),
            [b'\r'] => Step::Stuck,
            _ => {
                self.life.begin(now);
                self.read_head(now, config, rest, recall)
            }
        }
    }

    /// Reads on in a head. What is remembered of another one is asked where this one may be whole.
    #[inline(never)]
    fn read_head(&mut self, now: Instant, config: &Config, rest: &[u8], recall: Option<&mut Recall>) -> Step {
        let bounds = Bounds::of(&config.limits);
        if let Some(known) = recall.as_ref().and_then(|recall| recall.find(rest, &bounds)) {
            return self.take(now, known);
        }
        match head::read(&mut self.scanner, rest, &bounds) {
            Ok(Some(parsed)) => {
                if let Some(recall) = recall {
                    recall.note(&parsed, bounds);
                }
                self.take(now, parsed)
            }
            Ok(None) => Step::Stuck,
            Err(error) => {
                self.scanner = Scanner::default();
                self.refuse(now, error);
                Step::Used(0)
            }
        }
    }

    fn take(&mut self, now: Instant, parsed: Parsed) -> Step {
        let Parsed { head, kind, persistence, body, expects_continue } = parsed;
        let length = head.as_bytes().len();
        self.scanner = Scanner::default();
        self.asked = Asked { kind, version: head.version() };
        if matches!(kind, Kind::Upgrade | Kind::Connect) && !self.life.admits_upgrades() {
            self.refuse_with(now, 503, CloseReason::UpgradeRefused);
            return Step::Used(length);
        }
        let receiving = match body {
            BodyLength::Empty => Receiving::Whole,
            _ if expects_continue => Receiving::Handler,
            _ => Receiving::Peer { since: now },
        };
        self.life.take(persistence, receiving);
        self.intake = Intake::new(body, expects_continue);
        self.encoder = Encoder::default();
        self.pending = Some(Pending::Request { head, body });
        Step::Used(length)
    }

    /// Reads what belongs to the body or the tunnel.
    #[inline(never)]
    fn read_content(&mut self, now: Instant, config: &Config, rest: &[u8]) -> Step {
        self.life.received(now);
        match self.intake.read(rest, &config.limits) {
            Ok(intake::Read { used, state: intake::State::More }) => {
                self.life.await_peer(now);
                Step::Used(used)
            }
            Ok(intake::Read { used, state: intake::State::Full }) => {
                self.life.await_handler();
                Step::Used(used)
            }
            Ok(intake::Read { used, state: intake::State::Ended }) => {
                self.life.received_all(now);
                if self.life.is_ending() {
                    self.clear(None);
                }
                Step::Used(used)
            }
            Ok(intake::Read { used, state: intake::State::OverDiscard }) => {
                self.abandon_body();
                Step::Used(used)
            }
            Err(error) => {
                self.refuse(now, error);
                Step::Used(0)
            }
        }
    }

    /// The peer will see `connection: close`, or our FIN, before it has sent all of its body.
    fn abandon_body(&mut self) {
        self.intake.abandon();
        self.life.abandon_request();
        if self.life.is_ending() {
            self.clear(None);
        }
    }

    /// Whether the next request has begun to arrive behind the one being served.
    fn behind(&self) -> Behind {
        let mut text = self.inbox.as_slice();
        while let [b'\r', b'\n', rest @ ..] = text {
            text = rest;
        }
        match text {
            [] | [b'\r'] => Behind::Nothing,
            _ => Behind::Begun,
        }
    }

    // Ending.

    fn refuse(&mut self, now: Instant, error: PeerError) {
        self.refuse_with(now, error.status(), CloseReason::Refused(error));
    }

    /// No more is served: with a response that says why, where one can still be written.
    fn refuse_with(&mut self, now: Instant, status: u16, reason: CloseReason) {
        let date = self.date;
        if self.life.owes_response() {
            self.outbox.gather(|text| encode::write_refusal(text, status, date));
            self.life.queued(now);
        }
        self.closing(|life| life.end(reason));
    }

    /// Lets the lifecycle move. Where that ends it, the request under way is given up.
    fn closing(&mut self, step: impl FnOnce(&mut Lifecycle)) {
        let unfinished = self.unfinished();
        step(&mut self.life);
        if self.life.is_ending() {
            self.clear(unfinished);
        }
    }

    /// The response is complete. Where that ends the connection, so is all that can be read of the request.
    fn complete(&mut self, now: Instant) {
        let untold = self.active().filter(|_| self.intake.awaits_continue());
        self.encoder = Encoder::default();
        self.life.answered(now);
        if self.life.is_answered_for_good() && self.intake.has_no_reader() {
            self.abandon_body();
        }
        if self.life.is_ending() {
            self.clear(untold);
        }
    }

    fn clear(&mut self, cancelled: Option<StreamId>) {
        self.inbox.clear();
        self.scanner = Scanner::default();
        if let Some(id) = cancelled {
            self.cancel(id);
        }
        if self.closed().is_some() {
            self.outbox.clear();
        }
    }

    fn cancel(&mut self, id: StreamId) {
        let reason = match self.life.phase() {
            Phase::Flushing { reason } | Phase::Lingering { reason, .. } | Phase::Closed { reason } => reason,
            _ => return,
        };
        self.intake.abandon();
        let reason = match reason {
            CloseReason::Refused(error) => CancelReason::Refused(error),
            other => CancelReason::Closed(other),
        };
        self.pending = match self.pending.take() {
            Some(Pending::Request { .. }) => None,
            _ => Some(Pending::Cancelled { id, reason }),
        };
    }

    // The caller's claims.

    fn expect_active(&self, id: StreamId) -> Result<(), ApiMisuse> {
        if self.active() == Some(id) { Ok(()) } else { Err(ApiMisuse::UnknownStream) }
    }

    fn expect_owed(&self, id: StreamId) -> Result<(), ApiMisuse> {
        self.expect_active(id)?;
        if self.life.owes_response() { Ok(()) } else { Err(ApiMisuse::AlreadyAnswered) }
    }

    fn expect_begun(&self, id: StreamId) -> Result<(), ApiMisuse> {
        self.expect_active(id)?;
        match self.life.phase() {
            Phase::Exchange { response: Responding::Begun { .. }, .. }
            | Phase::Tunnel { sending: Sending::Open } => Ok(()),
            Phase::Exchange { response: Responding::Owed { .. }, .. } => Err(ApiMisuse::NotAnswered),
            _ => Err(ApiMisuse::AlreadyFinished),
        }
    }

    /// A final status; or 101, where an upgrade was offered and nothing of the request is outstanding.
    fn check_status(&self, status: u16) -> Result<(), ApiMisuse> {
        let switches = self.asked.kind == Kind::Upgrade && self.intake.is_settled();
        match status {
            101 if switches => Ok(()),
            200..=999 => Ok(()),
            _ => Err(ApiMisuse::BadStatus),
        }
    }

    fn note_output(&mut self, now: Instant) {
        if !self.outbox.is_empty() {
            self.life.queued(now);
        }
    }
}

/// A queue of no bytes would never hold a response.
fn send_queue(config: &Config) -> usize {
    config.limits.send_queue.max(1)
}
