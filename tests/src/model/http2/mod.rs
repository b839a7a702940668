//! One HTTP/2 connection, its client, its handlers and its caller, as a state that can be forked: the real
//! [`Connection`] within, and as little as possible around it.
//!
//! As for HTTP/1, [`State::actions`] says what can happen next and [`State::step`] makes it happen. The client
//! is well-behaved: whatever is refused here, or reset, has to have its reason in what others do.

mod action;
pub mod client;
pub mod probe;
pub mod script;
mod verdict;

use bytes::Bytes;
use lameduck_core::{
    CloseReason, Connection, Field, Instant, ResponseHead, ResponseLength, Stage, StreamId, Transmit,
};

use super::script::{Manners, Resets};
use super::{Amount, Peer};
use crate::h2::code::{CANCEL, NO_ERROR};
use crate::h2::{PREFACE, frame, setting};
use crate::polled::pending;
pub use action::{Action, Deed, Say};
use client::{Client, NO_CUTOFF, digit, index};
use script::{Aside, Handler, Opening, Part, Script};

/// An invariant of `LIFECYCLE.md`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[allow(missing_docs, reason = "LIFECYCLE.md says what each of them is")]
pub enum Invariant {
    H1,
    H2,
    H3,
    H4,
    H5,
    H6,
    H7,
    H8,
    H9,
    H10,
    H11,
    H12,
    H13,
    H14,
    H15,
    H16,
    H17,
    H18,
    H19,
}

/// The drain, as the model ordered it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Ordered {
    /// When it was ordered.
    pub at: Instant,
    /// When what is left is to be cut.
    pub deadline: Instant,
}

/// A request that its handler has been told of, until both its response and its body are over.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Turn {
    number: u32,
    response: Progress,
    body: Progress,
    got: usize,
    held: usize,
    /// Whether the client may be expected to send the body.
    asked: bool,
}

/// How far something is that ends.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
enum Progress {
    None,
    Begun,
    Half,
    Over,
    Unwanted,
}

/// How far the server has heard the client's opening.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Handshake {
    /// Nothing has been said.
    None,
    /// It is on its way, and no wait has ended by time.
    Going,
    /// It has not come whole before a wait ended.
    Late,
    /// It has come.
    Whole,
}

/// The whole of a run so far.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct State {
    /// The real thing.
    pub connection: Connection,
    /// The time.
    pub now: Instant,
    /// The client.
    pub client: Client,
    /// The client's half of the transport.
    pub peer: Peer,
    /// The drain.
    pub drain: Option<Ordered>,
    /// The requests that are with their handlers.
    pub turns: Vec<Turn>,
    /// Why the connection ended, once it has said so.
    pub ended: Option<CloseReason>,
    /// The first thing that went wrong.
    pub broken: Option<Invariant>,
    /// What waits to be sent.
    pub output: Vec<u8>,
    /// Whether our FIN has gone.
    pub fin: bool,
    /// It went before the client had said that it has read the last response.
    is_unheard: bool,
    /// What of the words that are being said has not arrived, and what they are.
    coming: Option<(Say, Vec<u8>, usize)>,
    handshake: Handshake,
    has_acked_settings: bool,
    /// The client sent its FIN while nothing had been held against it.
    has_left_in_order: bool,
    /// What of the asides has been said.
    done: u32,
    wakes: u8,
    /// Streams whose handler has been told, that it was cancelled, and whose refusal has been told.
    told: u32,
    cancelled: u32,
    refused: u32,
    /// The last GOAWAY that the connection has written.
    announced: Option<(u32, u32)>,
    noticed_at: Option<Instant>,
    answered: usize,
}

impl State {
    /// A connection that has just been accepted, after the prelude of the script.
    pub fn new(script: &Script) -> Self {
        let state = Self {
            connection: Connection::new(script.config.clone(), Instant::ORIGIN),
            now: Instant::ORIGIN,
            client: Client::new(),
            peer: Peer::Open,
            drain: None,
            turns: Vec::new(),
            ended: None,
            broken: None,
            output: Vec::new(),
            fin: false,
            is_unheard: false,
            coming: None,
            handshake: Handshake::None,
            has_acked_settings: false,
            has_left_in_order: false,
            done: 0,
            wakes: 0,
            told: 0,
            cancelled: 0,
            refused: 0,
            announced: None,
            noticed_at: None,
            answered: 0,
        };
        script.prelude.iter().fold(state, |state, action| state.step(script, *action))
    }

    /// Whether every request of the script that ends has had its response, and the connection its end.
    pub fn is_served_whole(&self, script: &Script) -> bool {
        let servable = script.streams.iter().filter(|stream| stream.ends && !stream.is_too_large()).count();
        self.ended.is_some() && self.answered == servable
    }

    /// Whether a drain has ended the connection with nothing cut, and a request answered.
    pub fn is_drained(&self) -> bool {
        self.drain.is_some() && self.ended == Some(CloseReason::Drained) && self.answered > 0
    }

    // What can happen next.

    /// What can happen next.
    pub fn actions(&self, script: &Script, actions: &mut Vec<Action>) {
        if self.ended.is_some() || self.broken.is_some() {
            return;
        }
        let faithful = script.manners == Manners::Faithful;
        if self.connection.status().stage == Stage::Closed {
            return actions.extend([Action::PollEvent, Action::PollTransmit]);
        }
        if self.peer == Peer::Open && (!faithful || self.connection.wants_read()) {
            self.peer_actions(script, actions);
        }
        if self.peer != Peer::Gone && script.has(Aside::Fail) {
            actions.push(Action::PeerReset);
        }
        if !self.output.is_empty() {
            actions.push(Action::Take(Amount::All));
            if script.has(Aside::TakeOne) && !self.is_done(script, Aside::TakeOne, 0) {
                actions.push(Action::Take(Amount::One));
            }
        }
        if self.client.can_read() {
            actions.push(Action::Read);
        }
        for turn in &self.turns {
            self.handler_actions(script, turn, actions);
        }
        if self.drain.is_none() {
            actions.push(Action::Drain);
        }
        if self.wakes < script.wakes && self.connection.poll_timeout().is_some() {
            actions.push(Action::Wake);
        }
        if !faithful {
            actions.extend([Action::PollEvent, Action::PollTransmit]);
        }
    }

    fn peer_actions(&self, script: &Script, actions: &mut Vec<Action>) {
        if script.has(Aside::Fin) {
            actions.push(Action::PeerFin);
        }
        if let Some((_, rest, offset)) = &self.coming {
            let counts = (1..=rest.len()).filter(|n| *n == rest.len() || script.is_cut(offset + n));
            return actions.extend(counts.map(Action::Deliver));
        }
        let mut says = Vec::new();
        self.sayings(script, &mut says);
        for say in says {
            let length = self.clone().words(script, say).len();
            let counts = (1..=length).filter(|count| *count == length || script.is_cut(*count));
            actions.extend(counts.map(|count| Action::Say(say, count)));
        }
    }

    fn sayings(&self, script: &Script, says: &mut Vec<Say>) {
        if self.handshake == Handshake::None {
            return says.push(Say::Opening);
        }
        let client = &self.client;
        // Nothing may interrupt a field block.
        let open = client.streams.iter().enumerate().map(|(at, view)| (number_at(at), view));
        if let Some((number, _)) = open.clone().find(|(number, view)| is_mid_head(script, *number, view)) {
            return says.push(Say::Part(number));
        }
        for (number, view) in open {
            let stream = &script.streams[index(number)];
            let room = view.credit.min(client.credit);
            let fits = |part: &Part| match part {
                Part::Data(data) => room >= data.len() as i64,
                Part::Padded(data) => room >= data.len() as i64 + 3,
                _ => true,
            };
            if !view.reset && view.stopped.is_none() && stream.parts.get(view.parts).is_some_and(fits) {
                says.push(Say::Part(number));
            }
            if !view.reset && view.stopped.is_none() && self.may(script, Aside::Reset, 0) {
                says.push(Say::Reset(number));
            }
            for aside in &script.asides {
                if let Aside::Grant(increment) = *aside
                    && self.may(script, *aside, index(number))
                {
                    says.push(Say::Grant(number, increment));
                }
            }
        }
        for at in 0..script.streams.len() {
            if self.may(script, Aside::Prioritize, at) {
                says.push(Say::Prioritize(number_at(at)));
            }
        }
        let next = number_at(client.streams.len());
        let leaves = self.is_done(script, Aside::GoAway, 0);
        if client.goaway.is_none() && !leaves && script.streams.len() > client.streams.len() {
            says.push(Say::Part(next));
        }
        if client.is_greeted && !self.has_acked_settings {
            says.push(Say::AckSettings);
        }
        if client.asked[0] {
            says.push(Say::AckNotice);
        }
        if client.asked[1] {
            says.push(Say::AckProbe);
        }
        if client.asked[2] {
            says.push(Say::AckReceipt);
        }
        for aside in script.asides.iter().filter(|aside| self.may(script, **aside, 0)) {
            says.extend(match *aside {
                Aside::GrantAll(increment) => Some(Say::Grant(0, increment)),
                Aside::Resize(size) => Some(Say::Resize(size)),
                Aside::Ping => Some(Say::Ping),
                Aside::GoAway => Some(Say::GoAway),
                _ => None,
            });
        }
    }

    fn handler_actions(&self, script: &Script, turn: &Turn, actions: &mut Vec<Action>) {
        let mut can = |deed| actions.push(Action::Handle(turn.number, deed));
        match (turn.response, script.handler) {
            (Progress::None, Handler::Whole) => can(Deed::Answer),
            (Progress::None, _) => can(Deed::Respond),
            (Progress::Begun, _) => can(Deed::SendBody),
            (Progress::Half, _) => can(Deed::Finish),
            _ => {}
        }
        if script.resets == Resets::Sometimes {
            can(Deed::Reset);
        }
        if turn.held > 0 {
            can(Deed::Release);
        }
        if !turn.asked && turn.body == Progress::Begun {
            can(Deed::Ask);
        }
        if turn.body == Progress::Begun && script.handler != Handler::Whole {
            can(Deed::Discard);
        }
    }

    fn may(&self, script: &Script, aside: Aside, at: usize) -> bool {
        script.has(aside) && !self.is_done(script, aside, at)
    }

    fn is_done(&self, script: &Script, aside: Aside, at: usize) -> bool {
        self.done & bit_of(script, aside, at) != 0
    }

    fn did(&mut self, script: &Script, aside: Aside, at: usize) {
        self.done |= bit_of(script, aside, at);
    }

    // What that leads to.

    /// What this leads to.
    pub fn step(&self, script: &Script, action: Action) -> Self {
        let mut next = self.clone();
        next.act(script, action);
        if script.manners == Manners::Faithful {
            next.settle(script);
            // Both FINs have gone: nothing is left to wait for.
            let both = next.fin && next.peer == Peer::Finished;
            next.require(Invariant::H19, !both || next.ended.is_some());
        }
        next.observe();
        // What nobody reads on is let come in, for all of it has room in the connection's window: by time alone is it
        // stopped, or where nothing more can come.
        let is_time = matches!(action, Action::Wake | Action::PeerFin);
        let stops = |state: &Self| client::resets(&state.client.unread_with(&state.output), NO_ERROR);
        next.require(Invariant::H3, is_time || stops(&next) <= stops(self));
        if let (Action::Say(say, _), None) = (action, &next.coming) {
            next.check_heard(script, self, say);
        } else if let (Action::Deliver(_), Some((say, ..)), None) = (action, &self.coming, &next.coming) {
            next.check_heard(script, self, *say);
        }
        if action == Action::Drain || action == Action::Wake {
            next.check_drain(script);
        }
        next
    }

    fn act(&mut self, script: &Script, action: Action) {
        let now = self.now;
        match action {
            Action::Say(say, count) => {
                let words = self.words(script, say);
                self.coming = Some((say, words, 0));
                self.deliver(script, count);
            }
            Action::Deliver(count) => self.deliver(script, count),
            Action::PeerFin => {
                self.peer = Peer::Finished;
                self.has_left_in_order = self.announced.is_none_or(|(_, code)| code == NO_ERROR);
                self.connection.handle_eof(now);
            }
            Action::PeerReset => {
                self.peer = Peer::Gone;
                self.connection.handle_gone(now);
            }
            Action::Take(amount) => self.take(script, amount),
            Action::Read => self.read(script),
            Action::Handle(number, deed) => self.handle(script, number, deed),
            Action::Drain => {
                let deadline = now + script.grace;
                self.drain = Some(Ordered { at: now, deadline });
                self.connection.drain(now, deadline);
                let mut again = self.connection.clone();
                again.drain(now, deadline);
                self.require(Invariant::H11, again == self.connection);
            }
            Action::Wake => {
                self.wakes += 1;
                self.pass();
            }
            Action::PollEvent => {
                if let Some(event) = self.connection.poll_event() {
                    self.hear(script, event);
                }
            }
            Action::PollTransmit => {
                self.poll_transmit();
            }
        }
    }

    /// The next deadline comes.
    fn pass(&mut self) {
        self.now = self.now.max(self.connection.poll_timeout().unwrap_or(self.now));
        self.connection.handle_timeout(self.now);
        if self.handshake != Handshake::Whole {
            self.handshake = Handshake::Late;
        }
    }

    /// Polls until there is nothing more, as a shell does after every call.
    fn settle(&mut self, script: &Script) {
        loop {
            while let Some(event) = self.connection.poll_event() {
                self.hear(script, event);
            }
            if !self.poll_transmit() {
                match self.connection.poll_event() {
                    Some(event) => self.hear(script, event),
                    None => return,
                }
            }
        }
    }

    /// Whether a FIN was sent.
    fn poll_transmit(&mut self) -> bool {
        let is_whole = match self.connection.poll_transmit(self.now) {
            None => return false,
            Some(Transmit::Bytes(mut pieces)) => Some(pieces.all(|piece| !piece.is_empty())),
            Some(Transmit::Fin) => None,
        };
        self.require(Invariant::H16, !self.fin && is_whole != Some(false));
        if is_whole.is_none() {
            self.fin = true;
            let is_saying = matches!(self.coming, Some((Say::AckReceipt, ..)));
            self.is_unheard = is_saying || self.client.may_lose_a_response();
        }
        is_whole.is_none()
    }

    fn observe(&mut self) {
        self.output = pending(&self.connection, self.now);
        let unread = self.client.unread_with(&self.output);
        let last = client::goaways(&unread).last().copied();
        let announced = last.or(self.client.goaway).or(self.announced);
        if self.announced.is_none() && announced.is_some() {
            self.noticed_at = Some(self.now);
        }
        self.announced = announced;
    }

    // The client.

    /// The bytes that say it.
    fn words(&mut self, script: &Script, say: Say) -> Vec<u8> {
        let frame = match say {
            Say::Opening => return self.opening(script),
            Say::Part(number) => return self.part(script, number),
            Say::Reset(number) => {
                self.did(script, Aside::Reset, 0);
                self.client.streams[index(number)].reset = true;
                frame::rst_stream(number, CANCEL)
            }
            Say::Grant(0, increment) => {
                self.did(script, Aside::GrantAll(increment), 0);
                frame::window_update(0, increment)
            }
            Say::Grant(number, increment) => {
                self.did(script, Aside::Grant(increment), index(number));
                frame::window_update(number, increment)
            }
            Say::Resize(size) => {
                self.did(script, Aside::Resize(size), 0);
                frame::settings(&[(setting::INITIAL_WINDOW_SIZE, size)])
            }
            Say::AckSettings => frame::settings_ack(),
            Say::AckNotice => {
                self.client.asked[0] = false;
                frame::ping_ack(*b"lameduck")
            }
            Say::AckProbe => {
                self.client.asked[1] = false;
                frame::ping_ack(*b"you here")
            }
            Say::AckReceipt => {
                self.client.asked[2] = false;
                frame::ping_ack(*b"all read")
            }
            Say::Prioritize(number) => {
                self.did(script, Aside::Prioritize, index(number));
                frame::priority_update(number, "u=0")
            }
            Say::Ping => {
                self.did(script, Aside::Ping, 0);
                frame::ping(*b"and you?")
            }
            Say::GoAway => {
                self.did(script, Aside::GoAway, 0);
                frame::goaway(0, NO_ERROR, "")
            }
        };
        frame.as_ref().to_vec()
    }

    fn opening(&mut self, script: &Script) -> Vec<u8> {
        self.handshake = Handshake::Going;
        let ours = script.initial_window.map(|size| (setting::INITIAL_WINDOW_SIZE, size));
        self.client.resize(script.initial_window.unwrap_or(65_535));
        let mut words = frame::join([PREFACE, frame::settings(ours.as_slice()).as_ref()]);
        if script.opening != Opening::Polite {
            words.extend_from_slice(frame::settings_ack().as_ref());
        }
        if script.opening == Opening::WithRequest {
            words.extend_from_slice(&self.part(script, 1));
        }
        words
    }

    fn part(&mut self, script: &Script, number: u32) -> Vec<u8> {
        if self.client.view(number).is_none() {
            self.client.open(script);
        }
        self.client.next_part(script, number)
    }

    fn deliver(&mut self, script: &Script, count: usize) {
        let Some((say, mut words, offset)) = self.coming.take() else { return };
        let rest = words.split_off(count);
        // What it grants it has granted, once the server may know it.
        match say {
            Say::Grant(number, increment) if rest.is_empty() => self.client.grant(number, increment),
            Say::Resize(size) if rest.is_empty() => self.client.resize(size),
            _ => {}
        }
        self.connection.handle_bytes(self.now, &words);
        let settings = frame::HEADER + 6 * usize::from(script.initial_window.is_some());
        let has_greeted = say == Say::Opening && offset + count >= PREFACE.len() + settings;
        if has_greeted && self.handshake == Handshake::Going {
            self.handshake = Handshake::Whole;
        }
        if !rest.is_empty() {
            self.coming = Some((say, rest, offset + count));
        }
    }

    fn take(&mut self, script: &Script, amount: Amount) {
        let count = match amount {
            Amount::One => {
                self.did(script, Aside::TakeOne, 0);
                1.min(self.output.len())
            }
            Amount::All => self.output.len(),
        };
        let taken: Vec<u8> = self.output.drain(..count).collect();
        // A caller sends what it was given.
        self.poll_transmit();
        self.connection.transmitted(self.now, count);
        self.client.take(&taken);
        if !script.has(Aside::ReadLate) {
            self.read(script);
        }
    }

    fn read(&mut self, script: &Script) {
        let read = self.client.read(script);
        self.require(Invariant::H4, read != Err(client::OVERRUN));
        self.require(Invariant::H3, read.is_ok());
    }

    /// What was said has arrived whole.
    fn check_heard(&mut self, script: &Script, before: &Self, say: Say) {
        let is_late = self.handshake == Handshake::Late;
        let acks = say == Say::Opening && script.opening != Opening::Polite;
        let is_failed = self.announced.is_some_and(|(_, code)| code != NO_ERROR);
        self.has_acked_settings |= (acks || say == Say::AckSettings) && !is_failed;
        let number = match say {
            Say::Part(number) => number,
            Say::Opening if script.opening == Opening::WithRequest => 1,
            Say::AckNotice => return self.check_cutoff(script),
            _ => return,
        };
        let is_head = self
            .client
            .view(number)
            .is_some_and(|view| view.parts == script.streams[index(number)].head_parts());
        let is_open = before.announced.is_none_or(|(last, _)| last == NO_CUTOFF) && !before.fin && !is_late;
        if is_head && is_open && script.manners == Manners::Faithful {
            let limited = (script.config.limits.streams as usize) < script.streams.len();
            let is_told = self.told & bit(number) != 0;
            let is_too_large = script.streams[index(number)].is_too_large();
            let is_refused = limited && self.refused & bit(number) != 0;
            self.require(Invariant::H1, is_told != is_too_large || is_refused);
        }
    }

    /// H9: once the client has acked the notice, the cutoff is there.
    fn check_cutoff(&mut self, script: &Script) {
        let is_said = self.announced.is_some_and(|(last, _)| last != NO_CUTOFF);
        self.require(Invariant::H9, is_said || script.manners != Manners::Faithful || self.ended.is_some());
    }

    /// H9: the notice is there at once, the cutoff no later than `goaway_ack` after it.
    fn check_drain(&mut self, script: &Script) {
        let Some(ordered) = self.drain else { return };
        let is_over = self.ended.is_some() || self.fin || self.peer != Peer::Open;
        if is_over || self.handshake != Handshake::Whole || script.manners != Manners::Faithful {
            return;
        }
        let late = script.config.timeouts.goaway_ack.draining;
        let noticed_at = self.noticed_at.unwrap_or(self.now);
        let is_cut_off = self.announced.is_some_and(|(last, _)| last != NO_CUTOFF);
        let is_due = self.now >= noticed_at.max(ordered.at) + late;
        self.require(Invariant::H9, self.announced.is_some() && (is_cut_off || !is_due));
    }

    // The handlers.

    fn handle(&mut self, script: &Script, number: u32, deed: Deed) {
        let Some(at) = self.turns.iter().position(|turn| turn.number == number) else { return };
        let mut turn = self.turns[at];
        let (now, id) = (self.now, StreamId(u64::from(number)));
        let is_taken = match deed {
            Deed::Respond => {
                turn.response = Progress::Begun;
                self.respond(script, number)
            }
            Deed::SendBody => {
                turn.response = Progress::Half;
                self.send_body(script, number)
            }
            Deed::Finish => {
                turn.response = Progress::Over;
                self.finish(script, number)
            }
            Deed::Answer => {
                turn.response = Progress::Over;
                self.respond(script, number) && self.send_body(script, number) && self.finish(script, number)
            }
            Deed::Reset => {
                turn.body = Progress::Unwanted;
                self.connection.reset(now, id).is_ok()
            }
            Deed::Ask => {
                turn.asked = true;
                self.connection.read_body(now, id).is_ok()
            }
            Deed::Release => {
                let held = std::mem::take(&mut turn.held);
                self.connection.release(now, id, held).is_ok()
            }
            Deed::Discard => {
                turn.body = Progress::Unwanted;
                turn.held = 0;
                self.connection.discard_body(now, id).is_ok()
            }
        };
        // A request is with its handler for as long as the connection takes commands for it; only a command may
        // cross an end that has not been polled yet, and what is held may outlive the stream.
        let may_cross = script.manners == Manners::Adversarial || deed == Deed::Release;
        self.require(Invariant::H7, is_taken || may_cross);
        self.turns[at] = turn;
        self.retire(number);
    }

    fn respond(&mut self, script: &Script, number: u32) -> bool {
        let length = script.streams[index(number)].reply;
        let length = match index(number) % 2 {
            0 => ResponseLength::Known(length as u64),
            _ => ResponseLength::Unknown,
        };
        let value = [digit(number)];
        let head = ResponseHead { status: 200, fields: [Field { name: "x", value: &value }], length };
        self.connection.respond(self.now, StreamId(u64::from(number)), head).is_ok()
    }

    fn send_body(&mut self, script: &Script, number: u32) -> bool {
        let body = Bytes::from(vec![digit(number); script.streams[index(number)].reply]);
        self.connection.send_body(self.now, StreamId(u64::from(number)), body).is_ok()
    }

    fn finish(&mut self, script: &Script, number: u32) -> bool {
        let value = [digit(number)];
        let has_trailers = script.handler == Handler::WithTrailers;
        let trailers = has_trailers.then_some(Field { name: "x", value: &value });
        self.connection.finish(self.now, StreamId(u64::from(number)), trailers).is_ok()
    }

    /// Lets go of a request that is over.
    fn retire(&mut self, number: u32) {
        let is_over = |part| part >= Progress::Over;
        self.turns.retain(|turn| {
            let is_over = turn.number == number && turn.response == Progress::Over && is_over(turn.body);
            self.answered += usize::from(is_over);
            !is_over
        });
    }

    fn require(&mut self, invariant: Invariant, holds: bool) {
        if !holds && self.broken.is_none() {
            self.broken = Some(invariant);
        }
    }
}

fn is_mid_head(script: &Script, number: u32, view: &client::View) -> bool {
    view.parts < script.streams[index(number)].head_parts()
}

fn number_at(at: usize) -> u32 {
    2 * u32::try_from(at).unwrap_or(0) + 1
}

fn bit(number: u32) -> u32 {
    1 << index(number).min(31)
}

/// What marks an aside as done, for the stream at this place.
fn bit_of(script: &Script, aside: Aside, at: usize) -> u32 {
    let place = script.asides.iter().position(|known| *known == aside).unwrap_or(7);
    1 << (4 * place + at).min(31)
}
