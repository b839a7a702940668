//! One connection, its peer, its handler and its caller, as a state that can be forked: the real
//! [`Connection`] within, and as little as possible around it.
//!
//! [`State::actions`] says what can happen next and [`State::step`] makes it happen; a checker walks through
//! all of it. What is wrong in a step is noted in [`State::broken`]; what has to hold in a state whatever
//! happens next is asked by the functions of [`probe`].

mod asks;
pub mod http2;
pub mod probe;
pub mod script;

use std::cell::RefCell;
use std::time::Duration;

use bytes::Bytes;
use lameduck_core::{
    Allowance, BodyLength, CancelReason, CloseReason, Connection, Event, Instant, Recall, ResponseHead,
    Stage, StreamId, Timer, Transmit,
};

use crate::polled::pending;
use crate::reader::{Asked, Delimited, Extent, Reply, read_reply};
use crate::recalled;
use script::{After, Answer, GRACE, Manners, Request, Resets, Script, Sends, Verdict};

/// How long the one pause of a run lasts: longer than `idle_quiet`, shorter than all that would end by itself.
const PAUSE: Duration = Duration::from_millis(400);

thread_local! {
    /// What is remembered of the heads of all runs. Nothing depends on it, as is checked here at each step; where that fails,
    /// the same run may pass alone.
    static RECALL: RefCell<Recall> = RefCell::default();
}

/// An invariant of `LIFECYCLE.md`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[allow(missing_docs, reason = "LIFECYCLE.md says what each of them is")]
pub enum Invariant {
    I1,
    I2,
    I3,
    I4,
    I5,
    I6,
    I7,
    I8,
    I9,
    I10,
    I11,
    I12,
    I13,
    I14,
    I15,
    I16,
    I17,
    I18,
}

/// What can happen.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Action {
    /// So many of the peer's bytes arrive.
    Deliver(usize),
    /// Its FIN arrives.
    PeerFin,
    /// Its RST arrives.
    PeerReset,
    /// The peer takes so much of what waits to be sent.
    Take(Amount),
    /// The handler writes its response's head.
    Respond(Answer),
    /// The handler writes its response's body.
    SendBody,
    /// The handler ends its response.
    Finish,
    /// The handler does the three in one go.
    AnswerWhole(Answer),
    /// The handler gives up.
    Reset,
    /// The handler asks for the request's body.
    ReadBody,
    /// The handler consumes what it has of it.
    Release,
    /// The handler wants no more of it.
    Discard,
    /// The operator drains.
    Drain,
    /// The operator cuts.
    Abort,
    /// The next deadline comes, and the connection is told.
    Wake,
    /// A while passes in which no deadline comes; once in a run.
    Pause,
    /// The next deadline passes, and nobody tells the connection; instead of the pause.
    Oversleep,
    /// The caller asks for an event.
    PollEvent,
    /// The caller asks what to send, and sends a FIN if that is it.
    PollTransmit,
}

/// How much a peer takes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Amount {
    /// The next byte; once for each time that output begins to wait.
    One,
    /// All.
    All,
}

/// The peer's half of the transport.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Peer {
    /// It may send.
    Open,
    /// It has sent its FIN.
    Finished,
    /// It has sent a RST.
    Gone,
}

/// The drain, as the model ordered it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Ordered {
    /// When it was ordered.
    pub at: Instant,
    /// When what is left is to be cut.
    pub deadline: Instant,
    /// How many response heads had been written.
    pub heads: usize,
}

/// A request that its handler has been told of, until both its response and its body are over.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Turn {
    id: StreamId,
    head: Option<Answer>,
    response: Progress,
    body: Progress,
    asked_for: bool,
    got: usize,
    held: usize,
    /// Whether what comes now is another protocol.
    tunnel: bool,
}

/// How far something is that ends.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Progress {
    Begun,
    Half,
    Over,
    Unwanted,
}

/// A response that the peer has, whole.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Got {
    is_last: bool,
}

/// The whole of a run so far.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct State {
    /// The real thing.
    pub connection: Connection,
    /// The time.
    pub now: Instant,
    /// How many of the peer's bytes have arrived.
    pub sent: usize,
    /// The peer's half of the transport.
    pub peer: Peer,
    /// The drain.
    pub drain: Option<Ordered>,
    /// The request that is with the handler.
    pub turn: Option<Turn>,
    /// Why the connection ended, once it has said so.
    pub ended: Option<CloseReason>,
    /// The first thing that went wrong.
    pub broken: Option<Invariant>,
    told: usize,
    heads: usize,
    answered: usize,
    /// How many bytes had arrived when our FIN went.
    fin_at: Option<usize>,
    replies: Vec<Got>,
    /// What the peer took of the response that is not whole yet.
    taken: Vec<u8>,
    has_taken_one: bool,
    /// Since when there is nothing for the peer to take.
    took_at: Option<Instant>,
    has_paused: bool,
    has_discarded: bool,
    /// A final response has been written that says that it is the last.
    said_close: bool,
    /// Somebody other than the connection has broken a response off.
    is_excused: bool,
}

impl State {
    /// A connection that has just been accepted.
    pub fn new(script: &Script) -> Self {
        Self {
            connection: Connection::new(script.config.clone(), Instant::ORIGIN),
            now: Instant::ORIGIN,
            sent: 0,
            peer: Peer::Open,
            drain: None,
            turn: None,
            ended: None,
            broken: None,
            told: 0,
            heads: 0,
            answered: 0,
            fin_at: None,
            replies: Vec::new(),
            taken: Vec::new(),
            has_taken_one: false,
            took_at: Some(Instant::ORIGIN),
            has_paused: false,
            has_discarded: false,
            said_close: false,
            is_excused: false,
        }
    }

    /// Whether every request of the script that can be served has had its response, and the connection its
    /// end.
    pub fn is_served_whole(&self, script: &Script) -> bool {
        self.ended.is_some() && self.answered == script.servable()
    }

    /// Whether a drain has ended the connection with nothing cut.
    pub fn is_drained(&self) -> bool {
        use CloseReason::{Drained, Finished, TunnelEnded};
        let in_order = matches!(self.ended, Some(Drained | Finished | TunnelEnded));
        self.drain.is_some() && in_order && self.answered > 0
    }

    /// What can happen next.
    pub fn actions(&self, script: &Script, actions: &mut Vec<Action>) {
        if self.ended.is_some() || self.broken.is_some() {
            return;
        }
        let faithful = script.manners == Manners::Faithful;
        if self.connection.status().stage == Stage::Closed {
            // Whoever has not heard of the end yet can only do what changes nothing: the probes try it.
            return actions.extend([Action::PollEvent, Action::PollTransmit]);
        }
        if self.peer == Peer::Open {
            if !faithful || self.connection.wants_read() {
                let places = self.sent + 1..=script.gate(self.replies.len());
                actions
                    .extend(places.filter(|at| script.is_cut(*at)).map(|at| Action::Deliver(at - self.sent)));
            }
            if !faithful || self.connection.wants_read() {
                actions.push(Action::PeerFin);
            }
        }
        if self.peer != Peer::Gone {
            actions.push(Action::PeerReset);
        }
        if !self.pending().is_empty() {
            actions.push(Action::Take(Amount::All));
            if !self.has_taken_one {
                actions.push(Action::Take(Amount::One));
            }
        }
        if let Some(turn) = &self.turn {
            self.handler_actions(script, turn, actions);
        }
        if self.drain.is_none() {
            actions.push(Action::Drain);
        }
        actions.push(Action::Abort);
        let due = self.connection.poll_timeout();
        if due.is_some() {
            actions.push(Action::Wake);
        }
        if !self.has_paused && due.is_none_or(|due| due > self.now + PAUSE) {
            actions.push(Action::Pause);
        }
        if !faithful {
            actions.extend([Action::PollEvent, Action::PollTransmit]);
            if !self.has_paused && due.is_some_and(|due| due > self.now) {
                actions.push(Action::Oversleep);
            }
        }
    }

    fn handler_actions(&self, script: &Script, turn: &Turn, actions: &mut Vec<Action>) {
        let request = &script.requests[self.told - 1];
        match (turn.head, turn.response) {
            (None, _) => {
                for answer in &script.answers {
                    let fits = *answer != Answer::Switch || request.verdict == Verdict::RefuseInDrain;
                    if fits && !(*answer == Answer::Switch && request.asked == Asked::Connect) {
                        actions.extend([Action::Respond(*answer), Action::AnswerWhole(*answer)]);
                    }
                }
            }
            (Some(_), Progress::Begun) => actions.push(Action::SendBody),
            (Some(_), Progress::Half) => actions.push(Action::Finish),
            (Some(_), Progress::Over | Progress::Unwanted) => {}
        }
        if script.resets == Resets::Sometimes {
            actions.push(Action::Reset);
        }
        if turn.held > 0 {
            actions.push(Action::Release);
        }
        if turn.body == Progress::Begun {
            actions.push(Action::Discard);
            if request.sends == Sends::Expects && !turn.asked_for {
                actions.push(Action::ReadBody);
            }
        }
    }

    /// What this leads to.
    pub fn step(&self, script: &Script, action: Action) -> Self {
        let mut next = self.clone();
        next.act(script, action);
        if script.manners == Manners::Faithful {
            next.settle(script);
            // Both FINs have gone: nothing is left to wait for.
            let both = next.fin_at.is_some() && next.peer == Peer::Finished;
            next.require(Invariant::I17, !both || next.ended.is_some());
        }
        next.observe();
        next
    }

    /// Polls until there is nothing more, as a shell does after every call.
    pub(crate) fn settle(&mut self, script: &Script) {
        loop {
            while let Some(event) = self.connection.poll_event() {
                self.hear(script, event);
            }
            if !self.poll_transmit(script) {
                match self.connection.poll_event() {
                    Some(event) => self.hear(script, event),
                    None => return,
                }
            }
        }
    }

    /// Whether a FIN was sent.
    fn poll_transmit(&mut self, script: &Script) -> bool {
        let is_whole = match self.connection.poll_transmit(self.now) {
            None => return false,
            Some(Transmit::Bytes(mut pieces)) => Some(pieces.all(|piece| !piece.is_empty())),
            Some(Transmit::Fin) => None,
        };
        self.require(Invariant::I13, self.fin_at.is_none() && is_whole != Some(false));
        if is_whole.is_none() {
            self.require(Invariant::I18, self.may_leave(script));
            self.fin_at = Some(self.sent);
            self.read_replies(script);
        }
        is_whole.is_none()
    }

    /// Whether a FIN to a peer that owes us nothing has waited long enough for its next request, in a drain.
    fn may_leave(&self, script: &Script) -> bool {
        let Some(drain) = self.drain else { return true };
        let took_at = self.took_at.unwrap_or(self.now);
        let is_stale = |allowance: Allowance| self.now >= took_at + allowance.serving;
        let timeouts = &script.config.timeouts;
        let read_up = self.told.checked_sub(1).map_or(0, |last| script.requests[last].ends);
        let is_idle = self.sent == read_up && self.turn.is_none() && self.peer == Peer::Open;
        match (is_idle && !self.said_close && !self.has_discarded && !self.is_excused, self.told) {
            (false, _) => true,
            (true, 0) => {
                self.now >= drain.at + timeouts.first_request.draining || is_stale(timeouts.first_request)
            }
            (true, _) => self.now >= took_at + timeouts.keep_alive.draining || is_stale(timeouts.keep_alive),
        }
    }

    /// Whether it is the peer's turn to send more of a request's body.
    pub(crate) fn awaits_body(&self, script: &Script, turn: &Turn) -> bool {
        let request = &script.requests[self.told - 1];
        let waits = request.sends == Sends::Expects && self.sent == request.head_ends && !turn.asked_for;
        let has_room = turn.held < script.config.limits.body_window.max(1);
        turn.body == Progress::Begun && !turn.tunnel && has_room && !waits
    }

    /// What waits to be sent.
    pub(crate) fn pending(&self) -> Vec<u8> {
        pending(&self.connection, self.now)
    }

    fn observe(&mut self) {
        let pending = self.pending();
        match (pending.is_empty(), self.took_at) {
            (false, _) => self.took_at = None,
            (true, Some(_)) => {}
            (true, None) => self.took_at = Some(self.now),
        }
        if pending.is_empty() {
            self.has_taken_one = false;
        }
        if !self.said_close {
            let unread: Vec<u8> = self.taken.iter().chain(&pending).copied().collect();
            self.said_close = says_close(&unread);
        }
    }

    fn act(&mut self, script: &Script, action: Action) {
        let now = self.now;
        match action {
            Action::Deliver(count) => {
                let piece = &script.text[self.sent..self.sent + count];
                self.sent += count;
                RECALL.with_borrow_mut(|recall| {
                    recalled::handle_bytes(&mut self.connection, now, piece, recall);
                });
            }
            Action::PeerFin => {
                self.peer = Peer::Finished;
                self.connection.handle_eof(now);
            }
            Action::PeerReset => {
                self.peer = Peer::Gone;
                self.is_excused = true;
                self.connection.handle_gone(now);
            }
            Action::Take(amount) => self.take(script, amount),
            Action::Drain => self.order_drain(),
            Action::Abort => self.connection.abort(now),
            Action::Wake => {
                self.now = now.max(self.connection.poll_timeout().unwrap_or(now));
                self.connection.handle_timeout(self.now);
            }
            Action::Oversleep => {
                self.has_paused = true;
                self.now = self.connection.poll_timeout().unwrap_or(now) + Duration::from_millis(1);
            }
            Action::Pause => {
                self.has_paused = true;
                self.now = now + PAUSE;
            }
            Action::PollEvent => {
                if let Some(event) = self.connection.poll_event() {
                    self.hear(script, event);
                }
            }
            Action::PollTransmit => {
                self.poll_transmit(script);
            }
            Action::Respond(_)
            | Action::SendBody
            | Action::Finish
            | Action::AnswerWhole(_)
            | Action::Reset
            | Action::ReadBody
            | Action::Release
            | Action::Discard => self.handle(script, action),
        }
    }

    fn order_drain(&mut self) {
        let deadline = self.now + GRACE;
        self.drain = Some(Ordered { at: self.now, deadline, heads: self.heads });
        self.connection.drain(self.now, deadline);
        let mut again = self.connection.clone();
        again.drain(self.now, deadline);
        self.require(Invariant::I7, again == self.connection);
    }

    fn take(&mut self, script: &Script, amount: Amount) {
        let pending = self.pending();
        let count = match amount {
            Amount::One => 1.min(pending.len()),
            Amount::All => pending.len(),
        };
        self.has_taken_one = true;
        self.taken.extend_from_slice(&pending[..count]);
        self.connection.transmitted(self.now, count);
        self.read_replies(script);
    }

    // The handler.

    fn handle(&mut self, script: &Script, action: Action) {
        let Some(mut turn) = self.turn else { return };
        let (now, id) = (self.now, turn.id);
        // In the adversarial runs a command may cross an end that has not been polled yet.
        let crossed = script.manners == Manners::Adversarial && self.connection.status().stream != Some(id);
        let taken = match action {
            Action::Respond(answer) => {
                turn.head = Some(answer);
                self.respond(script, id, answer)
            }
            Action::SendBody => {
                turn.response = Progress::Half;
                self.connection.send_body(now, id, digit(id)).is_ok()
            }
            Action::Finish => {
                turn.response = Progress::Over;
                self.connection.finish(now, id, []).is_ok()
            }
            Action::AnswerWhole(answer) => {
                turn.head = Some(answer);
                turn.response = Progress::Over;
                self.respond(script, id, answer)
                    && self.connection.send_body(now, id, digit(id)).is_ok()
                    && self.connection.finish(now, id, []).is_ok()
            }
            Action::Reset => {
                // Once the response is complete there is nothing left of it to be given up.
                self.is_excused |= turn.head.is_some() && turn.response != Progress::Over;
                self.said_close = true;
                turn.body = Progress::Unwanted;
                self.connection.reset(now, id).is_ok()
            }
            Action::ReadBody => {
                turn.asked_for = true;
                self.connection.read_body(now, id).is_ok()
            }
            Action::Release => {
                let held = std::mem::take(&mut turn.held);
                self.connection.release(now, id, held).is_ok()
            }
            _ => {
                self.has_discarded = true;
                turn.body = Progress::Unwanted;
                turn.held = 0;
                self.connection.discard_body(now, id).is_ok()
            }
        };
        // A request is with its handler for as long as the connection takes commands for it.
        self.require(Invariant::I11, taken || crossed);
        if !taken {
            return;
        }
        if !turn.tunnel && self.opens_tunnel(script, turn.head) {
            turn.tunnel = true;
            turn.body = Progress::Begun;
            turn.got = 0;
        }
        self.turn = Some(turn);
        self.retire();
    }

    fn opens_tunnel(&self, script: &Script, head: Option<Answer>) -> bool {
        let connects = script.requests[self.told - 1].asked == Asked::Connect;
        head.is_some_and(|answer| answer == Answer::Switch || connects)
    }

    fn respond(&mut self, script: &Script, id: StreamId, answer: Answer) -> bool {
        let request = &script.requests[self.told - 1];
        let turn = self.turn.as_ref();
        let behind = self.sent > request.ends;
        let ends = (self.drain.is_some() || self.peer == Peer::Finished) && !behind;
        let unsent_body = request.sends == Sends::Expects && self.sent == request.head_ends;
        let waits = unsent_body && !turn.is_some_and(|turn| turn.asked_for);
        let gives_up = turn.is_some_and(|turn| turn.body == Progress::Unwanted);
        let by_itself = match request.after {
            After::Keep => false,
            After::Close => true,
            After::KeepKnown => answer == Answer::Unknown,
        };
        let before = self.pending().len();
        let head = ResponseHead { status: answer.status(), fields: [], length: answer.length() };
        let taken = self.connection.respond(self.now, id, head).is_ok();
        let said = says_close(&self.pending()[before..]);
        if taken {
            self.heads += 1;
            self.require(Invariant::I3, !self.said_close);
            let switches = self.opens_tunnel(script, Some(answer));
            self.require(Invariant::I4, said || switches || !(ends || by_itself || waits));
            self.require(Invariant::I5, !said || ends || by_itself || waits || gives_up);
        }
        taken
    }

    /// Lets go of a request that is over.
    fn retire(&mut self) {
        let is_over = |part| matches!(part, Progress::Over | Progress::Unwanted);
        if let Some(turn) = self.turn
            && turn.response == Progress::Over
            && is_over(turn.body)
        {
            self.answered += 1;
            self.turn = None;
        }
    }

    // What the connection says.

    fn hear(&mut self, script: &Script, event: Event) {
        self.require(Invariant::I12, self.ended.is_none());
        match event {
            Event::Request { id, head, body } => {
                self.require(Invariant::I3, !self.said_close);
                self.require(Invariant::I11, self.turn.is_none());
                self.told += 1;
                let sent = script.requests.get(self.told - 1).filter(|sent| self.may_be_served(sent));
                let is_right = sent.is_some_and(|sent| {
                    head.as_bytes() == &script.text[sent.begins..sent.head_ends] && id.0 == self.told as u64
                });
                self.require(Invariant::I2, is_right);
                let body = if body == BodyLength::Empty { Progress::Over } else { Progress::Begun };
                self.turn = Some(Turn {
                    id,
                    head: None,
                    response: Progress::Begun,
                    body,
                    asked_for: false,
                    got: 0,
                    held: 0,
                    tunnel: false,
                });
            }
            Event::Data { id, data } => self.hear_data(script, id, &data),
            Event::End { id, .. } => {
                let expected = script.requests[self.told - 1].body.len();
                let is_right = self.turn.is_some_and(|turn| {
                    let is_all = if turn.tunnel { self.peer == Peer::Finished } else { turn.got == expected };
                    turn.id == id && is_all && turn.body == Progress::Begun
                });
                self.require(Invariant::I14, is_right);
                if let Some(turn) = &mut self.turn {
                    turn.body = Progress::Over;
                }
                self.retire();
            }
            Event::Cancelled { id, reason } => {
                self.require(Invariant::I11, self.turn.is_some_and(|turn| turn.id == id));
                let has_begun = self.turn.is_some_and(|turn| turn.head.is_some());
                self.is_excused |= has_begun && matches!(reason, CancelReason::Refused(_));
                self.turn = None;
            }
            // HTTP/1 refuses a request with a response.
            Event::Refused { .. } => self.require(Invariant::I2, false),
            Event::Closed(reason) => {
                self.ended = Some(reason);
                let never_switches =
                    script.requests.iter().all(|request| request.verdict != Verdict::RefuseInDrain);
                self.require(Invariant::I13, !(reason.resets() && self.fin_at.is_some() && never_switches));
                self.require(Invariant::I11, self.turn.is_none());
                if script.manners == Manners::Faithful {
                    self.judge(script, reason);
                }
            }
        }
    }

    fn may_be_served(&self, request: &Request) -> bool {
        match request.verdict {
            Verdict::Serve => true,
            Verdict::Refuse => false,
            Verdict::RefuseInDrain => self.drain.is_none(),
        }
    }

    fn hear_data(&mut self, script: &Script, id: StreamId, data: &[u8]) {
        let request = &script.requests[self.told - 1];
        let is_right = self.turn.is_some_and(|turn| {
            let body = if turn.tunnel { &script.text[request.ends..] } else { request.body };
            turn.id == id
                && turn.body == Progress::Begun
                && body.get(turn.got..turn.got + data.len()) == Some(data)
        });
        self.require(Invariant::I14, is_right && !data.is_empty());
        if let Some(turn) = &mut self.turn {
            turn.got += data.len();
            turn.held += data.len();
        }
    }

    // What the peer reads.

    fn read_replies(&mut self, script: &Script) {
        while !self.taken.is_empty() {
            let index = self.replies.len();
            let is_over = self.replies.last().is_some_and(|reply| reply.is_last);
            let asked = script.requests.get(index).map(|request| request.asked);
            let (false, Some(asked)) = (is_over, asked) else { return self.require(Invariant::I3, false) };
            match read_reply(&self.taken, asked) {
                Ok(None) => return,
                Ok(Some((reply, used))) => {
                    let ended = (self.fin_at.is_some() || self.ended.is_some())
                        && reply.delimited == Delimited::Close;
                    if reply.extent == Extent::Part && !ended {
                        return;
                    }
                    self.require(Invariant::I2, is_right(&reply, index));
                    self.replies.push(Got { is_last: reply.is_last() });
                    self.taken.drain(..used);
                }
                Err(_) => return self.require(Invariant::I2, false),
            }
        }
    }

    /// The end of a run in which the shell kept its side: what was begun has been answered.
    fn judge(&mut self, script: &Script, reason: CloseReason) {
        let excused = self.is_excused
            || reason.is_cut()
            || matches!(reason, CloseReason::TimedOut(Timer::Write) | CloseReason::PeerLeft);
        if excused {
            return;
        }
        let ours = self.fin_at.unwrap_or(self.sent);
        self.read_replies(script);
        if self.turns_to_tunnel(script) {
            return;
        }
        let begun = script.requests.iter().take_while(|request| request.begins < ours).count();
        let says_last = self.replies.last().is_some_and(|reply| reply.is_last);
        // What stands behind a body that is given up on, by us or by the peer, was never read as a request.
        let gives_up = matches!(reason, CloseReason::Finished | CloseReason::Refused(_)) && !says_last;
        let begun = if gives_up { begun.min(self.told) } else { begun };
        self.require(Invariant::I1, self.replies.len() >= begun || says_last);
        self.require(Invariant::I1, self.taken.is_empty());
        if let Some(drain) = self.drain {
            let out_before = self.replies.len() <= drain.heads;
            self.require(Invariant::I4, self.replies.is_empty() || says_last || out_before);
        }
    }

    fn turns_to_tunnel(&self, script: &Script) -> bool {
        let asked = script.requests[self.replies.len().min(script.requests.len() - 1)].asked;
        let reply = read_reply(&self.taken, asked).ok().flatten();
        reply.is_some_and(|(reply, _)| reply.delimited == Delimited::Tunnel)
    }

    pub(crate) fn require(&mut self, invariant: Invariant, holds: bool) {
        if !holds && self.broken.is_none() {
            self.broken = Some(invariant);
        }
    }
}

/// The body of the response to a request: its number.
fn digit(id: StreamId) -> Bytes {
    const DIGITS: &[u8; 10] = b"0123456789";
    let at = usize::try_from(id.0 % 10).unwrap_or(0);
    Bytes::from_static(&DIGITS[at..=at])
}

/// A response of ours to that very request, or a refusal that ends the connection.
fn is_right(reply: &Reply, index: usize) -> bool {
    match reply.status {
        200 => reply.body == digit(StreamId(index as u64 + 1)),
        400.. => reply.is_last() && reply.body.is_empty(),
        _ => false,
    }
}

fn says_close(text: &[u8]) -> bool {
    const WANTED: &[u8] = b"connection: close\r\n";
    text.windows(WANTED.len()).any(|window| window == WANTED)
}
