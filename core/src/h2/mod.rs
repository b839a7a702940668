//! HTTP/2 on one connection: bytes to events, commands to bytes (RFC 9113).
//!
//! This codec translates and keeps no opinion: what a frame leads to is asked of the lifecycles, that of the
//! connection and that of each stream.

mod field;
mod flow;
pub(crate) mod frame;
pub(crate) mod hpack;
mod numbers;
mod priority;
mod read;
mod repeat;
mod request;
mod respond;
mod schedule;
mod send;
mod streams;

use alloc::collections::VecDeque;
use alloc::string::ToString;
use alloc::vec::Vec;

use crate::config::{Config, HalfClose};
use crate::error::{ApiMisuse, CloseReason, PeerError};
use crate::event::{CancelReason, Event, StreamId, Transmit};
use crate::fault::{ErrorCode, Fault};
use crate::head::Date;
use crate::inbox::Inbox;
use crate::input::Input;
use crate::lifecycle::http2::{Expired, Flushed, Lifecycle, Number, Phase, Say};
use crate::lifecycle::patience::{Annoyance, Patience};
use crate::lifecycle::stream::{Parting, Responding};
use crate::outbox::Outbox;
use crate::time::Instant;
use crate::timer::{Drain, Due, Reason, Timer};
use flow::{ReceiveWindow, SendWindow};
use frame::{GoAway, LEAST_MAX_FRAME_SIZE, Ping, RstStream, Setting, WindowUpdate, write_settings};
use numbers::Numbers;
use priority::Foretold;
use read::{Block, Reading};
use repeat::Repeat;
use request::Scratch;
use schedule::Schedule;
use streams::{Place, Promise, Stream, Streams};

/// What a client sends first (section 3.4).
pub(crate) const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What our PINGs carry: the one that goes with the notice of a drain, the one that asks for a sign of life, and the
/// one behind the last response.
const NOTICE: Ping = Ping(*b"lameduck");
const PROBE: Ping = Ping(*b"you here");
const RECEIPT: Ping = Ping(*b"all read");

/// More events wait for the caller: reading pauses.
const EVENTS: usize = 1024;

/// An HTTP/2 connection.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Http2 {
    life: Lifecycle,
    reading: Reading,
    inbox: Inbox,
    block: Option<Block>,
    decoder: hpack::Decoder,
    encoder: hpack::Encoder,
    repeat: Repeat,
    scratch: Scratch,
    peer: PeerSettings,
    streams: Streams,
    numbers: Numbers,
    /// The highest stream whose request has been told.
    told: Number,
    dropped: Dropped,
    schedule: Schedule,
    foretold: Foretold,
    /// What we may send on all streams together, and what the peer may.
    window: SendWindow,
    intake: ReceiveWindow,
    /// What the streams have to send, all together.
    queued: usize,
    outbox: Outbox,
    events: VecDeque<Event>,
    patience: Patience,
    close_told: CloseTold,
    date: Option<Date>,
}

/// What the peer's SETTINGS say that concerns us (section 6.5.2).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct PeerSettings {
    initial_window: u32,
    max_frame_size: u32,
}

/// Whether the end has been reported.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum CloseTold {
    No,
    Yes,
}

/// The streams that we have reset: what the peer had sent before it knew is ignored (section 5.1).
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
struct Dropped {
    /// The last ones.
    streams: VecDeque<DroppedStream>,
    /// The highest of those before, and what the peer may have sent on all of them.
    highest: Number,
    room: u32,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct DroppedStream {
    number: Number,
    window: ReceiveWindow,
}

impl Dropped {
    const MOST: usize = 64;
    const FEW: usize = 4;

    fn push(&mut self, number: Number, window: ReceiveWindow) {
        self.keep(Self::MOST - 1);
        self.streams.push_back(DroppedStream { number, window });
    }

    /// An idle connection remembers a few: what crossed the last resets may still come.
    fn keep_few(&mut self) {
        self.keep(Self::FEW);
        self.streams.shrink_to_fit();
    }

    /// Keeps the last ones apart. Of the others the sum is known: many may end at once, with frames for all on their way.
    fn keep(&mut self, count: usize) {
        let others = self.streams.len().saturating_sub(count);
        for stream in self.streams.drain(..others) {
            self.highest = self.highest.max(stream.number);
            self.room = self.room.saturating_add(stream.window.room());
        }
    }

    fn has(&self, number: Number) -> bool {
        self.streams.iter().any(|stream| stream.number == number)
    }

    /// Whether the peer may have sent so much before it knew: not more than the stream's window had room for.
    fn excuses(&mut self, number: Number, count: u32) -> bool {
        if count == 0 {
            return false;
        }
        match self.streams.iter_mut().find(|stream| stream.number == number) {
            Some(stream) => stream.window.take(count).is_ok(),
            None if number > self.highest => false,
            None => self.room.checked_sub(count).inspect(|room| self.room = *room).is_some(),
        }
    }
}

impl Http2 {
    /// A connection whose client speaks HTTP/2: its preface is still to be read. Ours goes out at once (section
    /// 3.4).
    pub(crate) fn new(now: Instant, config: &Config) -> Self {
        let limits = &config.limits;
        let connection_window = limits.connection_window.clamp(SendWindow::DEFAULT, GoAway::NO_CUTOFF);
        let mut http2 = Self {
            life: Lifecycle::new(now),
            reading: Reading::Preface { matched: 0 },
            inbox: Inbox::default(),
            block: None,
            decoder: hpack::Decoder::default(),
            encoder: hpack::Encoder::new(),
            repeat: Repeat::default(),
            scratch: Scratch::default(),
            peer: PeerSettings { initial_window: SendWindow::DEFAULT, max_frame_size: LEAST_MAX_FRAME_SIZE },
            streams: Streams::default(),
            numbers: Numbers::default(),
            told: 0,
            dropped: Dropped::default(),
            schedule: Schedule::default(),
            foretold: Foretold::default(),
            window: SendWindow::new(SendWindow::DEFAULT),
            intake: ReceiveWindow::new(connection_window, connection_window),
            queued: 0,
            outbox: Outbox::default(),
            events: VecDeque::new(),
            patience: Patience::new(now),
            close_told: CloseTold::No,
            date: None,
        };
        http2.outbox.gather(|out| {
            write_settings(
                out,
                &[
                    Setting::HeaderTableSize(u32::from(limits.header_table)),
                    Setting::MaxConcurrentStreams(limits.streams),
                    Setting::InitialWindowSize(limits.stream_window.min(GoAway::NO_CUTOFF)),
                    Setting::MaxHeaderListSize(u32::from(limits.head)),
                    Setting::EnableConnectProtocol(true),
                    Setting::NoRfc7540Priorities(true),
                ],
            );
            if connection_window > SendWindow::DEFAULT {
                let increment = connection_window - SendWindow::DEFAULT;
                WindowUpdate { stream: 0, increment }.write(out);
            }
        });
        http2.life.announced(now);
        http2.life.queued(now);
        http2
    }

    // What came from the network or the clock.

    /// After the peer's FIN there is nothing that could have come.
    #[inline(never)]
    pub(crate) fn handle_bytes(&mut self, now: Instant, config: &Config, input: Input<'_>) {
        if self.life.peer_has_finished() {
            return;
        }
        self.life.received(now);
        if self.inbox.is_empty() {
            let used = self.read(now, config, input);
            self.inbox.push(input.after(used).as_slice());
        } else {
            let mut inbox = core::mem::take(&mut self.inbox);
            inbox.push(input.as_slice());
            inbox.advance(self.read(now, config, Input::borrowed(inbox.as_slice())));
            self.inbox = inbox;
        }
        self.settle(now);
    }

    /// The peer sends no more frames. Requests that are whole are served, within the windows that it has opened.
    pub(crate) fn handle_eof(&mut self, now: Instant, config: &Config) {
        let is_serving = self.streams.iter().any(|stream| !stream.life.is_let_go());
        if config.half_close == HalfClose::Cancel && is_serving {
            return self.handle_gone(now);
        }
        self.life.peer_finished();
        self.inbox.clear();
        self.block = None;
        let unfinished = self.streams.iter().filter(|stream| stream.life.receives());
        let unfinished: Vec<Number> = unfinished.map(|stream| stream.number).collect();
        for number in unfinished {
            match self.is_let_go(number) {
                true => self.stop_request(now, number),
                false => {
                    let reason = CancelReason::Closed(CloseReason::PeerLeft);
                    self.cancel(now, number, reason, Some(ErrorCode::CANCEL));
                }
            }
        }
        self.settle(now);
    }

    pub(crate) fn handle_gone(&mut self, now: Instant) {
        self.life.gone();
        self.settle(now);
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant, config: &Config) {
        while let Some(expired) = self.life.expire(now, &config.timeouts) {
            match expired {
                Expired::Moved => {}
                Expired::Say(say) => self.say(say),
                Expired::Probe => {
                    self.life.probed(now);
                    self.outbox.gather(|out| PROBE.write(out));
                }
                Expired::Fail(error) => self.fail(error),
                Expired::Cut => self.cut(now),
            }
            self.settle(now);
        }
        self.expire_streams(now, config);
        self.settle(now);
    }

    /// Ends the streams that have waited for their peer for too long.
    fn expire_streams(&mut self, now: Instant, config: &Config) {
        if self.life.phase() != Phase::Open {
            return;
        }
        let late = self.streams.iter().filter_map(|stream| {
            let due = self.waits_of(stream).due(config, &self.life);
            due.filter(|due| due.at <= now).map(|due| (stream.number, due.timer))
        });
        let late: Vec<(Number, Timer)> = late.collect();
        for (number, timer) in late {
            match timer {
                Timer::LingerQuiet | Timer::Linger => self.stop_request(now, number),
                Timer::Body => self.refuse_stream(now, number, PeerError::SlowBody),
                timer => self.cancel(now, number, CancelReason::TimedOut(timer), Some(ErrorCode::CANCEL)),
            }
        }
    }

    // The operator.

    pub(crate) fn set_date(&mut self, date: Date) {
        self.date = Some(date);
    }

    pub(crate) fn drain(&mut self, now: Instant, config: &Config, deadline: Instant, reason: Reason) {
        self.life.drain(now, deadline, reason);
        self.settle(now);
        self.handle_timeout(now, config);
    }

    /// Takes over the drain that the connection has been told of.
    pub(crate) fn carry(&mut self, drain: Drain) {
        self.life.carry(drain);
    }

    pub(crate) fn abort(&mut self, now: Instant) {
        self.life.cut(CloseReason::CutByForce);
        self.settle(now);
    }

    // What the caller is to do.

    #[inline(never)]
    pub(crate) fn poll_event(&mut self) -> Option<Event> {
        if let Some(event) = self.events.pop_front() {
            if let Event::Request { id, .. } = &event {
                self.told = number_of(*id).unwrap_or(self.told);
            }
            if self.events.is_empty() {
                self.rest();
            }
            return Some(event);
        }
        match (self.life.phase(), self.close_told) {
            (Phase::Closed { reason }, CloseTold::No) => {
                self.close_told = CloseTold::Yes;
                Some(Event::Closed(reason))
            }
            _ => None,
        }
    }

    #[inline(never)]
    pub(crate) fn poll_transmit(&mut self, now: Instant) -> Option<Transmit<'_>> {
        self.pump(now);
        self.settle(now);
        if self.outbox.is_empty() {
            if !self.life.is_ending() {
                return None;
            }
            let flushed = self.life.flushed(now);
            self.settle(now);
            return match flushed {
                Flushed::SendFin => Some(Transmit::Fin),
                Flushed::Nothing => None,
            };
        }
        Some(Transmit::Bytes(self.outbox.pieces()))
    }

    #[inline(never)]
    pub(crate) fn transmitted(&mut self, now: Instant, count: usize) {
        if count > 0 && !self.outbox.is_empty() {
            self.outbox.advance(count);
            self.life.sent(now, !self.outbox.is_empty());
            self.rest();
        }
    }

    // Getters.

    pub(crate) fn due(&self, config: &Config) -> Option<Due> {
        let waits = self.streams.iter().map(|stream| self.waits_of(stream)).fold(Waits::default(), Waits::or);
        self.life.due(&config.timeouts).into_iter().chain(waits.due(config, &self.life)).min()
    }

    /// What a stream waits for. While the connection's window is shut none waits for a body.
    fn waits_of(&self, stream: &Stream) -> Waits {
        Waits {
            body: stream.life.body_since().filter(|_| !self.intake.is_shut()),
            rest: stream.life.rest_since(),
            window: stream.life.window_since(),
        }
    }

    pub(crate) fn drains(&self) -> Option<Drain> {
        self.life.drains()
    }

    pub(crate) fn phase(&self) -> Phase {
        self.life.phase()
    }

    pub(crate) fn requests(&self) -> u64 {
        self.life.requests()
    }

    pub(crate) fn idle_since(&self) -> Option<Instant> {
        self.life.idle_since()
    }

    /// The first request under way.
    pub(crate) fn active(&self) -> Option<StreamId> {
        self.streams.first().map(id_of)
    }

    pub(crate) fn has_output(&self) -> bool {
        !self.outbox.is_empty()
    }

    pub(crate) fn wants_read(&self, config: &Config) -> bool {
        !self.life.peer_has_finished()
            && match self.life.phase() {
                Phase::Closed { .. } => false,
                Phase::Handshake { .. } | Phase::Open => {
                    self.outbox.len() < config.limits.send_queue.max(1) && self.events.len() < EVENTS
                }
                _ => true,
            }
    }

    // Ending.

    /// Says what the lifecycle asks to be said, and clears up behind it.
    fn settle(&mut self, now: Instant) {
        if let Phase::Closed { reason } = self.life.phase() {
            self.close_streams(CancelReason::Closed(reason));
            self.outbox.clear();
        }
        self.wait_for_transport(now);
        while let Some(say) = self.life.step(now) {
            self.say(say);
            self.wait_for_transport(now);
        }
        if self.life.is_ending() {
            self.inbox.clear();
            self.block = None;
            self.stop_rests(now);
        }
    }

    fn wait_for_transport(&mut self, now: Instant) {
        if !self.outbox.is_empty() {
            self.life.queued(now);
        }
    }

    fn say(&mut self, say: Say) {
        let Self { life, outbox, .. } = self;
        let go_away = |last, out: &mut Vec<u8>| {
            let why = life.why().to_string();
            GoAway { last, code: ErrorCode::NO_ERROR, debug: why.as_bytes() }.write(out);
        };
        outbox.gather(|out| match say {
            Say::Notice => {
                go_away(GoAway::NO_CUTOFF, out);
                NOTICE.write(out);
            }
            Say::Receipt => RECEIPT.write(out),
            Say::Cutoff { last } => go_away(last, out),
        });
    }

    /// The peer broke the protocol: a connection error (section 5.4.1).
    fn fail(&mut self, error: PeerError) {
        if self.life.is_ending() {
            return;
        }
        let last = self.life.fail(error);
        let (code, debug) = match error {
            PeerError::Http2(fault) => (fault.code(), fault.as_str()),
            _ => (ErrorCode::PROTOCOL_ERROR, ""),
        };
        self.outbox.gather(|out| GoAway { last, code, debug: debug.as_bytes() }.write(out));
        self.close_streams(CancelReason::Refused(error));
    }

    /// The drain's deadline has come: each stream that is left is cut, and its peer told.
    fn cut(&mut self, now: Instant) {
        let last = self.life.cut_at_deadline(now);
        let Self { outbox, streams, told, .. } = self;
        let told = *told;
        let untold = streams.iter().filter(|stream| stream.number > told && !stream.life.is_let_go());
        let untold: Vec<Number> = untold.map(|stream| stream.number).collect();
        outbox.gather(|out| {
            for stream in streams.iter() {
                let code = match stream.life.is_let_go() {
                    true => ErrorCode::NO_ERROR,
                    // Of what has not been told nothing has been done: it is safe to retry (section 8.7).
                    false if stream.number > told => ErrorCode::REFUSED_STREAM,
                    false => ErrorCode::CANCEL,
                };
                RstStream { stream: stream.number, code }.write(out);
            }
            GoAway { last, code: ErrorCode::NO_ERROR, debug: b"cut at the deadline" }.write(out);
        });
        self.close_streams(CancelReason::Closed(CloseReason::StreamsCut));
        self.events.extend(untold.into_iter().map(|number| Event::Refused { id: id_of(number) }));
    }

    /// Gives up all that is left. What has been told of a stream that is already closed stays told.
    fn close_streams(&mut self, reason: CancelReason) {
        let gone = self.streams.take_all();
        if gone.is_empty() {
            return;
        }
        let is_gone = |id: StreamId| gone.binary_search_by_key(&id, |stream| id_of(stream.number)).is_ok();
        self.events.retain(|event| !content_of(event).is_some_and(is_gone));
        let told = gone.iter().filter(|stream| stream.is_with_handler(self.told));
        self.events.extend(told.map(|stream| Event::Cancelled { id: id_of(stream.number), reason }));
        self.schedule.clear();
        self.queued = 0;
    }

    /// Gives a stream up; `code` is what the peer is told, where it is.
    fn cancel(&mut self, now: Instant, number: Number, reason: CancelReason, code: Option<ErrorCode>) {
        let is_told = self.streams.get(number).is_some_and(|stream| stream.is_with_handler(self.told));
        let Some(window) = self.remove(now, number) else { return };
        let id = id_of(number);
        self.events.retain(|event| content_of(event) != Some(id));
        if is_told {
            self.events.push_back(Event::Cancelled { id, reason });
        }
        if let Some(code) = code {
            self.reset_stream(number, code, window);
            self.life.given_up();
        }
    }

    /// Tells the peer that a stream is closed, whatever is still to come of it.
    fn reset_stream(&mut self, number: Number, code: ErrorCode, window: ReceiveWindow) {
        self.outbox.gather(|out| RstStream { stream: number, code }.write(out));
        self.dropped.push(number, window);
    }

    /// The request broke a rule: a stream error (section 5.4.2). Errors of ours to provoke are work for nothing.
    fn fail_stream(&mut self, now: Instant, number: Number, fault: Fault) {
        let reason = CancelReason::Refused(PeerError::Http2(fault));
        match self.streams.get(number) {
            Some(_) => self.cancel(now, number, reason, Some(fault.code())),
            None => self.reset_stream(number, fault.code(), ReceiveWindow::new(0, 0)),
        }
        self.bear(now, Annoyance::Reset);
    }

    /// The request is refused, with a response that says why where one can still be given.
    fn refuse_stream(&mut self, now: Instant, number: Number, error: PeerError) {
        let reason = CancelReason::Refused(error);
        match self.streams.get(number).map(|stream| stream.life.responding()) {
            None => {}
            Some(Responding::Owed) => {
                self.write_refusal(number, error.status());
                self.dismiss(now, number, reason);
            }
            Some(_) => self.cancel(now, number, reason, Some(ErrorCode::CANCEL)),
        }
    }

    /// Closes a stream whose handler has answered and is through with both halves, or goes on to its rest.
    fn part(&mut self, now: Instant, number: Number) {
        if self.part_unrewarded(now, number) != Parting::NotYet {
            self.patience.reward_response();
        }
    }

    /// The same for one that the connection has answered itself: that is no useful work.
    fn part_unrewarded(&mut self, now: Instant, number: Number) -> Parting {
        let Some(stream) = self.streams.get_mut(number) else { return Parting::NotYet };
        let rest = stream.rest(&self.intake);
        let parting = stream.life.part(now, rest);
        match parting {
            Parting::NotYet => {}
            Parting::Whole => {
                self.remove(now, number);
            }
            Parting::StopRequest => self.stop_request(now, number),
            Parting::LetIn => {
                self.life.let_in();
                // Nothing of it will be held: there may be as much as of all streams. It is granted at once, for there
                // are clients who read no more behind the end of a response.
                if stream.waits_for_body()
                    && let Some(increment) = stream.window.let_in(self.intake.size(), stream.expected)
                {
                    self.outbox.gather(|out| WindowUpdate { stream: number, increment }.write(out));
                }
            }
        }
        parting
    }

    /// Closes a stream whose response is complete, and asks the peer to send no more of its request (section 8.1).
    fn stop_request(&mut self, now: Instant, number: Number) {
        let Some(window) = self.remove(now, number) else { return };
        self.reset_stream(number, ErrorCode::NO_ERROR, window);
    }

    /// The connection ends, and reads no more: where a stream is left then, it has been answered.
    fn stop_rests(&mut self, now: Instant) {
        while let Some(number) = self.streams.first() {
            self.stop_request(now, number);
            self.wait_for_transport(now);
        }
    }

    /// The connection has given the response instead of the handler, who hears why: nobody reads the rest of the
    /// request.
    fn dismiss(&mut self, now: Instant, number: Number, reason: CancelReason) {
        let Some(stream) = self.streams.get_mut(number) else { return };
        stream.life.end_response();
        let id = id_of(number);
        self.events.retain(|event| content_of(event) != Some(id));
        if number <= self.told {
            self.events.push_back(Event::Cancelled { id, reason });
        }
        self.drop_body(now, number);
        self.part_unrewarded(now, number);
    }

    /// Whether a stream's handler is through with it, and only the rest of its request is waited for.
    fn is_let_go(&self, number: Number) -> bool {
        self.streams.get(number).is_some_and(|stream| stream.life.is_let_go())
    }

    /// A stream is closed: what it held of the windows and queues is given back. What the peer may have sent on it before
    /// it knows.
    fn remove(&mut self, now: Instant, number: Number) -> Option<ReceiveWindow> {
        let stream = self.streams.get(number)?;
        let (held, window) = (stream.held, stream.window.clone());
        self.queued = self.queued.saturating_sub(stream.outgoing.queue.len());
        if stream.outgoing.place == Place::Scheduled {
            self.schedule.remove(number);
        }
        if stream.life.lets_in() {
            self.life.rest_ended();
        }
        self.life.stream_closed(now);
        self.streams.remove(number);
        self.consume(now, held);
        Some(window)
    }

    /// Bytes of DATA are done with, as far as the connection's window is concerned. Where it was shut, no stream could
    /// be expected to send: their waits begin anew.
    fn consume(&mut self, now: Instant, count: u32) {
        let was_shut = self.intake.is_shut();
        if let Some(increment) = self.intake.consume(count, None) {
            self.outbox.gather(|out| WindowUpdate { stream: 0, increment }.write(out));
            if was_shut {
                self.streams.iter_mut().for_each(|stream| stream.life.received(now));
            }
        }
    }

    /// The peer causes work for nothing.
    #[inline]
    fn bear(&mut self, now: Instant, annoyance: Annoyance) {
        if !self.patience.bears(now, annoyance) {
            self.fail(PeerError::Http2(match annoyance {
                Annoyance::Reset => Fault::TooManyResets,
                Annoyance::Chatter => Fault::TooMuchChatter,
            }));
        }
    }

    /// An idle connection owns as little memory as can be. What it has reset it remembers: the peer's frames for that
    /// may be on their way for a while.
    fn rest(&mut self) {
        if self.streams.is_empty() && self.events.is_empty() && self.outbox.is_empty() {
            self.streams.release_memory();
            self.schedule.clear();
            self.scratch = Scratch::default();
            self.repeat = Repeat::default();
            self.events = VecDeque::new();
            self.dropped.keep_few();
        }
    }

    // Names.

    /// A stream that is the handler's: one that it is through with is not.
    fn expect_stream(&self, id: StreamId) -> Result<&Stream, ApiMisuse> {
        let stream = number_of(id).and_then(|number| self.streams.get(number));
        stream.filter(|stream| !stream.life.is_let_go()).ok_or(ApiMisuse::UnknownStream)
    }
}

/// Since when streams have waited for their peer, by what they wait for.
#[derive(Clone, Copy, Default)]
struct Waits {
    body: Option<Instant>,
    rest: Option<Instant>,
    window: Option<Instant>,
}

impl Waits {
    /// Those that began first: of two that wait for the same, the time of that one is over first.
    fn or(self, other: Self) -> Self {
        let first = |one: Option<Instant>, other| one.into_iter().chain(other).min();
        Self {
            body: first(self.body, other.body),
            rest: first(self.rest, other.rest),
            window: first(self.window, other.window),
        }
    }

    /// When the first of them is over.
    fn due(self, config: &Config, life: &Lifecycle) -> Option<Due> {
        let due = |timer: Timer, since| timer.due(&config.timeouts, since, life.drains());
        let body = self.body.map(|since| due(Timer::Body, since));
        let quiet = self.rest.map(|since| due(Timer::LingerQuiet, since.max(life.alive())));
        let linger = self.rest.map(|since| due(Timer::Linger, since));
        let window = self.window.map(|since| due(Timer::Window, since));
        [body, quiet, linger, window].into_iter().flatten().min()
    }
}

fn id_of(number: Number) -> StreamId {
    StreamId(u64::from(number))
}

fn number_of(id: StreamId) -> Option<Number> {
    Number::try_from(id.0).ok()
}

/// The request that an event brings, or brings a part of.
fn content_of(event: &Event) -> Option<StreamId> {
    match event {
        Event::Request { id, .. } | Event::Data { id, .. } | Event::End { id, .. } => Some(*id),
        _ => None,
    }
}
