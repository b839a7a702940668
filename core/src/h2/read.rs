//! What the peer sends: frames, and what each leads to (RFC 9113 sections 4 to 6).

use alloc::vec::Vec;

use super::{Http2, NOTICE, PREFACE, PROBE, RECEIPT, id_of};
use crate::config::{Config, Limits};
use crate::error::PeerError;
use crate::event::{BodyLength, CancelReason, Event};
use crate::fault::{ErrorCode, Fault};
use crate::h1::head::Kind;
use crate::h2::flow::{ReceiveWindow, SendWindow};
use crate::h2::frame::{
    Continuation, DataHead, Frame, FrameError, Header, Headers, LEAST_MAX_FRAME_SIZE, PriorityUpdate,
    RstStream, Scope, Setting, Settings, WindowUpdate, kind, write_settings_ack,
};
use crate::h2::hpack::{Effect, HpackError};
use crate::h2::numbers::Past;
use crate::h2::priority::Priority;
use crate::h2::request::{Assembler, Bad, Parsed, Rejected, Scratch, TrailerAssembler};
use crate::h2::respond::grant;
use crate::h2::streams::{Place, Promise, ResponseBody, Stream};
use crate::head::Trailers;
use crate::input::Input;
use crate::lifecycle::http2::{Ack, Admission, Leaving, Number, Phase};
use crate::lifecycle::patience::Annoyance;
use crate::lifecycle::stream::{Life, Receiving};
use crate::time::Instant;

/// What the next byte belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Reading {
    /// The preface, of which so much has come.
    Preface { matched: usize },
    /// A frame, which is read when it is whole.
    Frame,
    /// The body of a DATA frame, which is passed on as it comes.
    Body { number: Number, left: u32, padding: u32, end_stream: bool },
    /// What is thrown away.
    Skip { left: u32 },
}

impl Reading {
    /// So much is thrown away, before the next frame.
    fn skip(left: u32) -> Self {
        match left {
            0 => Self::Frame,
            left => Self::Skip { left },
        }
    }
}

/// A field block that goes on in CONTINUATION.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Block {
    opening: Opening,
    fragments: Vec<u8>,
}

/// What a HEADERS frame says beside its block.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Opening {
    number: Number,
    end_stream: bool,
}

/// How far a step of reading came.
enum Step {
    Used(usize),
    Stuck,
}

impl Http2 {
    /// Reads `input` as far as can be; how much of it is done with.
    pub(super) fn read(&mut self, now: Instant, config: &Config, input: Input<'_>) -> usize {
        let mut used = 0;
        while !self.life.is_ending() {
            let input = input.after(used);
            let rest = input.as_slice();
            let step = match self.reading {
                Reading::Preface { matched } => self.read_preface(matched, rest),
                Reading::Frame => self.read_frame(now, config, rest),
                Reading::Body { number, left, padding, end_stream } => {
                    let body = BodyLeft { number, left, padding, end_stream };
                    self.read_body_of(now, body, input)
                }
                Reading::Skip { left } => self.skip(left, rest),
            };
            match step {
                Step::Used(count) => used += count,
                Step::Stuck => return used,
            }
            // What this has led to holds for what follows, whether or not both came in one piece.
            self.settle(now);
        }
        input.as_slice().len()
    }

    fn read_preface(&mut self, matched: usize, rest: &[u8]) -> Step {
        let wanted = PREFACE.get(matched..).unwrap_or(&[]);
        let count = wanted.len().min(rest.len());
        if wanted.get(..count) != rest.get(..count) {
            self.fail(PeerError::Http2(Fault::BadPreface));
            return Step::Stuck;
        }
        self.reading = match matched + count {
            matched if matched < PREFACE.len() => Reading::Preface { matched },
            _ => Reading::Frame,
        };
        if count == 0 { Step::Stuck } else { Step::Used(count) }
    }

    fn skip(&mut self, left: u32, rest: &[u8]) -> Step {
        let count = (left as usize).min(rest.len());
        self.reading = Reading::skip(left - count as u32);
        if count == 0 && left > 0 { Step::Stuck } else { Step::Used(count) }
    }

    /// Reads one frame; of DATA, what stands ahead of its body.
    fn read_frame(&mut self, now: Instant, config: &Config, rest: &[u8]) -> Step {
        let Some((octets, payload)) = rest.split_first_chunk::<{ Header::LEN }>() else { return Step::Stuck };
        let header = Header::parse(octets);
        if let Err(error) = self.check_place(header) {
            self.fail_frame(now, error);
            return Step::Used(Header::LEN);
        }
        match header.kind {
            kind::DATA => match DataHead::parse(header, payload) {
                Ok(None) => return Step::Stuck,
                Ok(Some(head)) => {
                    self.begin_body(now, config, head);
                    return Step::Used(Header::LEN + head.prefix() as usize);
                }
                Err(error) => {
                    self.reading = Reading::Skip { left: header.length };
                    self.fail_frame(now, error);
                    return Step::Used(Header::LEN);
                }
            },
            kind if !is_known(kind) => {
                // Extensions that are not known are ignored (section 5.5).
                self.reading = Reading::Skip { left: header.length };
                self.bear(now, Annoyance::Chatter);
                return Step::Used(Header::LEN);
            }
            _ => {}
        }
        let Some(payload) = payload.get(..header.length as usize) else { return Step::Stuck };
        match Frame::parse(header, payload) {
            Ok(frame) => self.take_frame(now, config, frame),
            Err(error) => self.fail_frame(now, error),
        }
        Step::Used(Header::LEN + payload.len())
    }

    /// Whether a frame may stand here: SETTINGS comes first (section 3.4), a field block is not interrupted
    /// (section 4.3), and none is longer than was agreed to (section 4.2).
    fn check_place(&self, header: Header) -> Result<(), FrameError> {
        header.check_length(LEAST_MAX_FRAME_SIZE)?;
        let continues = header.kind == kind::CONTINUATION;
        let fault = match (&self.block, self.life.phase()) {
            (_, Phase::Handshake { .. }) if !header.is_settings() => Fault::SettingsMissing,
            (Some(block), _) if !continues || header.stream != block.opening.number => {
                Fault::BlockInterrupted
            }
            (None, _) if continues => Fault::NothingToContinue,
            _ => return Ok(()),
        };
        Err(FrameError::connection(fault))
    }

    fn fail_frame(&mut self, now: Instant, error: FrameError) {
        match error.scope {
            Scope::Connection => self.fail(PeerError::Http2(error.fault)),
            Scope::Stream(number) if self.is_idle(number) => self.fail(PeerError::Http2(error.fault)),
            Scope::Stream(number) => self.fail_stream(now, number, error.fault),
        }
    }

    fn take_frame(&mut self, now: Instant, config: &Config, frame: Frame<'_>) {
        match frame {
            Frame::Headers(headers) => self.take_headers(now, config, headers),
            Frame::Continuation(continuation) => self.take_continuation(now, config, continuation),
            Frame::RstStream(reset) => self.take_reset(now, reset),
            Frame::Settings(settings) => self.take_settings(now, settings),
            Frame::SettingsAck => {
                self.decoder.set_max(config.limits.header_table);
                let ack = self.life.settings_acked();
                self.bear_ack(now, ack);
            }
            Frame::Ping(ping) => {
                self.outbox.gather(|out| ping.write_ack(out));
                self.bear(now, Annoyance::Chatter);
            }
            Frame::PingAck(ping) => {
                let ack = match ping {
                    NOTICE => self.life.notice_acked(),
                    PROBE => self.life.probe_acked(),
                    RECEIPT => self.life.receipt_acked(),
                    _ => Ack::Unasked,
                };
                self.bear_ack(now, ack);
            }
            Frame::GoAway(_) => {
                if self.life.peer_leaves() == Leaving::Already {
                    self.bear(now, Annoyance::Chatter);
                }
            }
            Frame::WindowUpdate(update) => self.take_window_update(now, update),
            Frame::PriorityUpdate(update) => self.take_priority_update(now, config, update),
            // Priorities by dependency are deprecated (section 5.3.2): parsed, and ignored.
            Frame::Priority(_) | Frame::Data(_) | Frame::Unknown => self.bear(now, Annoyance::Chatter),
        }
    }

    /// An answer that nobody waits for is a frame that carries nothing.
    fn bear_ack(&mut self, now: Instant, ack: Ack) {
        if ack == Ack::Unasked {
            self.bear(now, Annoyance::Chatter);
        }
    }

    // Field blocks.

    fn take_headers(&mut self, now: Instant, config: &Config, headers: Headers<'_>) {
        if headers.stream.is_multiple_of(2) || self.numbers.past(headers.stream) == Past::Skipped {
            return self.fail(PeerError::Http2(Fault::BadStreamNumber));
        }
        let opening = Opening { number: headers.stream, end_stream: headers.end_stream };
        if headers.end_headers {
            return self.take_block(now, config, opening, headers.fragment);
        }
        self.life.begin_block(now);
        self.block = Some(Block { opening, fragments: headers.fragment.to_vec() });
    }

    fn take_continuation(&mut self, now: Instant, config: &Config, continuation: Continuation<'_>) {
        let Some(mut block) = self.block.take() else { return };
        block.fragments.extend_from_slice(continuation.fragment);
        if block.fragments.len() > most_of_block(&config.limits) {
            return self.fail(PeerError::Http2(Fault::BlockTooLarge));
        }
        if continuation.end_headers {
            return self.take_block(now, config, block.opening, &block.fragments);
        }
        if continuation.fragment.is_empty() {
            self.bear(now, Annoyance::Chatter);
        }
        self.block = Some(block);
    }

    /// A field block is whole. It is decoded whatever becomes of it, so that the table stays in step (section 4.3).
    fn take_block(&mut self, now: Instant, config: &Config, opening: Opening, block: &[u8]) {
        self.life.end_block();
        let number = opening.number;
        if self.is_idle(number) {
            self.numbers.open(number);
            self.take_request(now, config, opening, block);
        } else if self.streams.get(number).is_some() {
            self.take_trailers(now, config, opening, block);
        } else if self.decode(config, block) {
            self.take_for_closed(now, number, 0);
        }
    }

    /// Decodes a block for the table's sake alone; whether it could be.
    fn decode(&mut self, config: &Config, block: &[u8]) -> bool {
        let strings = &mut self.scratch.strings;
        let result = self.decoder.decode(block, most_of_string(&config.limits), strings, |_| {});
        self.check_decoded(result).is_some()
    }

    /// What a block has done to the table, if it could be decoded.
    fn check_decoded(&mut self, result: Result<Effect, HpackError>) -> Option<Effect> {
        let fault = match result {
            Ok(effect) => {
                if effect == Effect::Changed
                    && let Some(recent) = &mut self.scratch.recent
                {
                    recent.forget();
                }
                return Some(effect);
            }
            Err(error) if error.is_over_limit() => Fault::BlockTooLarge,
            Err(_) => Fault::BadBlock,
        };
        self.fail(PeerError::Http2(fault));
        None
    }

    fn take_request(&mut self, now: Instant, config: &Config, opening: Opening, block: &[u8]) {
        let recent = self.scratch.recent.as_ref().filter(|_| !self.decoder.is_owed_an_update());
        if let Some(parsed) = recent.and_then(|recent| recent.find(block, &opening.end_stream)) {
            return self.admit(now, &config.limits, opening, Ok(parsed));
        }
        if let Some(parsed) = self.parse(&config.limits, opening, block) {
            self.admit(now, &config.limits, opening, parsed);
        }
    }

    /// Reads a request's block; `None`, where the connection ends for it.
    fn parse(&mut self, limits: &Limits, opening: Opening, block: &[u8]) -> Option<Result<Parsed, Rejected>> {
        let Scratch { parts, strings, .. } = &mut self.scratch;
        let mut assembler = Assembler::new(parts, limits);
        let result = self.decoder.decode(block, most_of_string(limits), strings, |line| assembler.add(line));
        let parsed = assembler.conclude(opening.end_stream);
        let effect = self.check_decoded(result)?;
        // The only one is not worth it: nothing is kept on an idle connection.
        if let (Effect::None, Ok(parsed)) = (effect, &parsed)
            && !self.streams.is_empty()
        {
            self.scratch.recent.get_or_insert_default().note(block, opening.end_stream, parsed);
        }
        Some(parsed)
    }

    fn admit(&mut self, now: Instant, limits: &Limits, opening: Opening, parsed: Result<Parsed, Rejected>) {
        let number = opening.number;
        match (self.life.admit(number, limits.streams), parsed) {
            (Admission::Refuse, _) => {
                self.reset_stream(number, ErrorCode::REFUSED_STREAM, self.stream_window(limits));
                self.events.push_back(Event::Refused { id: id_of(number) });
                self.bear(now, Annoyance::Chatter);
            }
            (Admission::Serve, Ok(parsed)) => self.open(now, limits, opening, parsed),
            (Admission::Serve, Err(Rejected { bad: Bad::Malformed, .. })) => {
                self.life.stream_closed(now);
                let code = Fault::MalformedRequest.code();
                self.reset_stream(number, code, self.stream_window(limits));
                self.bear(now, Annoyance::Reset);
            }
            (Admission::Serve, Err(Rejected { bad: Bad::Status(status), announced, promise })) => {
                self.write_refusal(number, status);
                self.let_go(now, limits, opening, (announced, promise));
                self.bear(now, Annoyance::Reset);
            }
        }
    }

    fn open(&mut self, now: Instant, limits: &Limits, opening: Opening, parsed: Parsed) {
        let Parsed { head, exchange, body, expected, expects_continue, priority } = parsed;
        let receiving = match body {
            BodyLength::Empty => Receiving::Ended,
            // Nobody has to send anything through a tunnel.
            _ if expects_continue || exchange == Kind::Connect => Receiving::Handler,
            _ => Receiving::Peer { since: now },
        };
        let mut stream = self.begin_stream(limits, opening.number, Life::new(receiving));
        stream.kind = exchange;
        stream.promise = if expects_continue { Promise::Owed } else { Promise::None };
        stream.expected = expected;
        // The frame is the client's latest word, whichever came first (RFC 9218 section 7).
        stream.outgoing.priority = self.foretold.take(opening.number).unwrap_or(priority);
        self.streams.push(stream);
        if self.events.capacity() == 0 {
            self.events.reserve_exact(self.streams.peak());
        }
        self.events.push_back(Event::Request { id: id_of(opening.number), head, body });
    }

    /// A request that the connection has answered itself: what is still to come of it is let come in, or stopped, as
    /// behind any early answer.
    fn let_go(
        &mut self,
        now: Instant,
        limits: &Limits,
        opening: Opening,
        (announced, promise): (Option<u64>, Promise),
    ) {
        if opening.end_stream {
            return self.life.stream_closed(now);
        }
        let mut stream = self.begin_stream(limits, opening.number, Life::refused());
        (stream.expected, stream.promise) = (announced, promise);
        self.streams.push(stream);
        self.part_unrewarded(now, opening.number);
    }

    fn begin_stream(&self, limits: &Limits, number: Number, life: Life) -> Stream {
        Stream::new(number, life, self.stream_window(limits), SendWindow::new(self.peer.initial_window))
    }

    /// The window of a stream that begins. Until the peer has acknowledged our SETTINGS it may not know that it is
    /// smaller than usual (section 6.9.2).
    fn stream_window(&self, limits: &Limits) -> ReceiveWindow {
        let window = ReceiveWindow::new(limits.stream_window, limits.stream_window_most);
        if self.life.awaits_settings_ack() { window.or_as_large_as(SendWindow::DEFAULT) } else { window }
    }

    /// A second field block ends the request (section 8.1). There is none in a tunnel (section 8.5).
    fn take_trailers(&mut self, now: Instant, config: &Config, opening: Opening, block: &[u8]) {
        let limits = &config.limits;
        let Scratch { parts, strings, .. } = &mut self.scratch;
        let mut assembler = TrailerAssembler::new(parts, limits);
        let result = self.decoder.decode(block, most_of_string(limits), strings, |line| assembler.add(line));
        let trailers = assembler.conclude();
        if self.check_decoded(result).is_none() {
            return;
        }
        let number = opening.number;
        let Some(stream) = self.streams.get(number) else { return };
        match trailers {
            _ if !stream.life.receives() => self.fail_stream(now, number, Fault::StreamClosed),
            _ if stream.outgoing.body == ResponseBody::Tunnel => {
                self.fail_stream(now, number, Fault::MalformedRequest);
            }
            Ok(trailers) if opening.end_stream => self.end_request(now, number, trailers),
            _ => self.fail_stream(now, number, Fault::MalformedRequest),
        }
    }

    // Bodies.

    /// A DATA frame begins. All of it counts for the windows at once (section 6.9.1).
    fn begin_body(&mut self, now: Instant, config: &Config, head: DataHead) {
        let (number, whole) = (head.stream, head.flow_controlled());
        if self.is_idle(number) {
            return self.fail(PeerError::Http2(Fault::StreamIdle));
        }
        if self.intake.take(whole).is_err() {
            return self.fail(PeerError::Http2(Fault::WindowExceeded));
        }
        if head.body == 0 && !head.end_stream {
            self.bear(now, Annoyance::Chatter);
        }
        if self.life.is_ending() {
            return;
        }
        let padding = u32::from(head.padding.unwrap_or(0));
        match self.admit_body(&config.limits, head) {
            Ok(()) => {
                self.consume(now, whole - head.body);
                // What nobody reads is no useful work.
                if head.body > 0 && !self.is_let_go(number) {
                    self.patience.reward_frame(head.body as usize);
                }
                let end_stream = head.end_stream;
                self.reading = Reading::Body { number, left: head.body, padding, end_stream };
            }
            Err(refused) => {
                self.consume(now, whole);
                self.reading = Reading::Skip { left: head.body + padding };
                match refused {
                    RefusedBody::Closed => self.take_for_closed(now, number, whole),
                    RefusedBody::Fault(fault) => self.fail_stream(now, number, fault),
                    RefusedBody::TooLarge => {
                        self.refuse_stream(now, number, PeerError::BodyTooLarge);
                        self.bear(now, Annoyance::Reset);
                    }
                }
            }
        }
    }

    fn admit_body(&mut self, limits: &Limits, head: DataHead) -> Result<(), RefusedBody> {
        let Self { streams, outbox, .. } = self;
        let stream = streams.get_mut(head.stream).ok_or(RefusedBody::Closed)?;
        if !stream.life.receives() {
            return Err(RefusedBody::Fault(Fault::StreamClosed));
        }
        stream.window.take(head.flow_controlled()).map_err(|_| RefusedBody::Fault(Fault::WindowExceeded))?;
        // An empty frame is none of the body that a client holds back.
        if head.body > 0 || head.end_stream {
            stream.promise = Promise::None;
        }
        stream.total = stream.total.saturating_add(u64::from(head.body));
        if let Some(expected) = &mut stream.expected {
            let left = expected.checked_sub(u64::from(head.body));
            *expected = left.ok_or(RefusedBody::Fault(Fault::LengthMismatch))?;
        }
        match limits.body {
            Some(most) if stream.total > most && stream.life.is_wanted() => Err(RefusedBody::TooLarge),
            _ => {
                // The padding is done with.
                grant(stream, outbox, head.flow_controlled() - head.body);
                Ok(())
            }
        }
    }

    fn read_body_of(&mut self, now: Instant, body: BodyLeft, input: Input<'_>) -> Step {
        let BodyLeft { number, left, padding, end_stream } = body;
        if !self.streams.get(number).is_some_and(|stream| stream.life.is_wanted()) {
            // Nobody reads it: the rest of the frame is done with at once, however it comes.
            self.consume(now, left);
            self.reading = Reading::Skip { left: left + padding };
            if end_stream {
                self.end_request(now, number, None);
            }
            return Step::Used(0);
        }
        let count = (left as usize).min(input.as_slice().len()) as u32;
        if count == 0 && left > 0 {
            return Step::Stuck;
        }
        let left = left - count;
        self.take_body(now, number, input, count);
        if left > 0 {
            self.reading = Reading::Body { number, left, padding, end_stream };
        } else {
            self.reading = Reading::skip(padding);
            match end_stream {
                true => self.end_request(now, number, None),
                false => self.await_next(now, number),
            }
        }
        Step::Used(count as usize)
    }

    /// Passes on some of a body, the first `count` bytes of `input`.
    fn take_body(&mut self, now: Instant, number: Number, input: Input<'_>, count: u32) {
        let Some(stream) = self.streams.get_mut(number) else { return };
        stream.life.received(now);
        if count > 0 {
            stream.held = stream.held.saturating_add(count);
            self.events.push_back(Event::Data { id: id_of(number), data: input.piece(count as usize) });
        }
    }

    /// Who has to move, now that a frame has come whole.
    fn await_next(&mut self, now: Instant, number: Number) {
        if let Some(stream) = self.streams.get_mut(number) {
            match stream.window.is_shut() {
                true => stream.life.await_handler(),
                false if stream.waits_for_body() => stream.life.await_peer(now),
                false => {}
            }
        }
    }

    /// END_STREAM came.
    fn end_request(&mut self, now: Instant, number: Number, trailers: Option<Trailers>) {
        let Some(stream) = self.streams.get_mut(number) else { return };
        // It has parted from its handler: no other half is waited for.
        if stream.life.is_let_go() {
            self.remove(now, number);
            return;
        }
        // Where nobody reads it, a client may end it as soon as it sees the response, whatever it has announced.
        if stream.life.is_wanted() && stream.expected.is_some_and(|left| left > 0) {
            return self.fail_stream(now, number, Fault::LengthMismatch);
        }
        stream.life.received_all();
        if stream.life.is_wanted() {
            self.events.push_back(Event::End { id: id_of(number), trailers });
        }
        self.part(now, number);
    }

    /// DATA or HEADERS came for a stream that is closed: on its way since before the peer knew, or against the rules
    /// (section 5.1).
    fn take_for_closed(&mut self, now: Instant, number: Number, count: u32) {
        if self.numbers.past(number) == Past::Opened && self.dropped.excuses(number, count) {
            return;
        }
        if !self.dropped.has(number) {
            self.reset_stream(number, ErrorCode::STREAM_CLOSED, ReceiveWindow::new(0, 0));
        }
        self.bear(now, Annoyance::Chatter);
    }

    // What goes beside.

    fn take_reset(&mut self, now: Instant, reset: RstStream) {
        let number = reset.stream;
        if self.is_idle(number) {
            return self.fail(PeerError::Http2(Fault::StreamIdle));
        }
        let annoyance = match self.streams.get(number) {
            Some(stream) if !stream.life.is_let_go() => Annoyance::Reset,
            _ => Annoyance::Chatter,
        };
        self.cancel(now, number, CancelReason::Reset(reset.code), None);
        self.bear(now, annoyance);
    }

    /// The peer's SETTINGS apply in their order, and are acknowledged then (section 6.5.3).
    fn take_settings(&mut self, now: Instant, settings: Settings<'_>) {
        let mut count = 0;
        for setting in settings.iter() {
            count += 1;
            match setting {
                Setting::HeaderTableSize(size) => self.encoder.set_peer_max(size),
                Setting::InitialWindowSize(size) => self.resize_windows(size),
                Setting::MaxFrameSize(size) => self.peer.max_frame_size = size,
                // Of pushing, of streams that we open, of what responses may hold at most (which is advice), and of
                // extensions that are for us to announce.
                _ => {}
            }
        }
        if self.life.is_ending() {
            return;
        }
        self.schedule_all();
        self.outbox.gather(write_settings_ack);
        self.life.shaken(now);
        // There are nine that anybody has a use for.
        for _ in 0..count / 16 + 1 {
            self.bear(now, Annoyance::Chatter);
        }
    }

    /// Section 6.9.2: the windows of all streams change by the difference.
    fn resize_windows(&mut self, size: u32) {
        let before = core::mem::replace(&mut self.peer.initial_window, size);
        let mut overflows = false;
        for stream in self.streams.iter_mut() {
            overflows |= stream.outgoing.window.resize(before, size).is_err();
        }
        if overflows {
            self.fail(PeerError::Http2(Fault::WindowOverflow));
        }
    }

    fn take_window_update(&mut self, now: Instant, update: WindowUpdate) {
        let WindowUpdate { stream: number, increment } = update;
        self.bear(now, Annoyance::Chatter);
        if number == 0 {
            return match self.window.grow(increment) {
                Ok(()) => self.schedule_all(),
                Err(_) => self.fail(PeerError::Http2(Fault::WindowOverflow)),
            };
        }
        if self.is_idle(number) {
            return self.fail(PeerError::Http2(Fault::StreamIdle));
        }
        // One for a stream that is closed may have crossed its end (section 5.1).
        if let Some(stream) = self.streams.get_mut(number) {
            match stream.outgoing.window.grow(increment) {
                Ok(()) => self.schedule(number),
                Err(_) => self.fail_stream(now, number, Fault::WindowOverflow),
            }
        }
    }

    /// RFC 9218 section 7.1. One for a stream that is closed comes too late.
    fn take_priority_update(&mut self, now: Instant, config: &Config, update: PriorityUpdate<'_>) {
        if self.numbers.past(update.stream) == Past::Idle {
            let priority = Priority::parse(update.value);
            self.foretold.keep(update.stream, priority, config.limits.streams);
        } else if let Some(stream) = self.streams.get_mut(update.stream) {
            stream.outgoing.priority = Priority::parse(update.value);
            if stream.outgoing.place == Place::Scheduled {
                stream.outgoing.place = Place::Aside;
                self.schedule.remove(update.stream);
                self.schedule(update.stream);
            }
        }
        self.bear(now, Annoyance::Chatter);
    }

    /// Whether a stream has not been opened (section 5.1.1).
    fn is_idle(&self, number: Number) -> bool {
        self.numbers.is_idle(number)
    }
}

/// A field block that is larger, compressed as it is, is not worth decoding, and ends the connection. Below that, one
/// that is over the limit costs only its own request.
fn most_of_block(limits: &Limits) -> usize {
    (2 * usize::from(limits.head)).max(64 * 1024)
}

/// A Huffman code has five bits at least for eight.
fn most_of_string(limits: &Limits) -> usize {
    2 * most_of_block(limits)
}

/// What is left of a DATA frame.
#[derive(Clone, Copy)]
struct BodyLeft {
    number: Number,
    left: u32,
    padding: u32,
    end_stream: bool,
}

/// Why the body of a DATA frame is not passed on.
enum RefusedBody {
    Closed,
    Fault(Fault),
    TooLarge,
}

fn is_known(kind: u8) -> bool {
    matches!(kind, kind::DATA..=kind::CONTINUATION | kind::PRIORITY_UPDATE)
}
