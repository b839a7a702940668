//! A connection of HTTP/2, its client, its handlers, and what they have come to.

use std::sync::Arc;
use std::time::Duration;

use lameduck_core::{Config, Connection, Event, Instant, StreamId};
use lameduck_fuzz::calls::{Call, Came};
use lameduck_fuzz::decode::{Status, field, length_of};
use lameduck_fuzz::h2::words::{Number, Said, Setting, Shape, Words};
use lameduck_fuzz::h2::{Client, Told};
use lameduck_fuzz::watched::{Watched, World};

use crate::responses::Responses;
use crate::script::{Op, Script};

/// When all begins, in milliseconds.
const START: u64 = 100_000;

pub struct Http2 {
    watched: Watched,
    words: Words,
    /// What the client makes of what it is sent. It hears that when it is shown.
    client: Client,
    /// Whether the client has sent its FIN.
    eof: bool,
    told: Told,
    responses: Responses,
}

impl World for Http2 {
    fn watched(&self) -> &Watched {
        &self.watched
    }

    fn call(&mut self, call: &Call) -> Came {
        let takes_body = self.watched.connection.takes_body(call.id());
        let came = self.watched.call(call);
        assert!(self.watched.connection.status().requests >= self.told.requests.len() as u64);
        self.eof |= matches!(call, Call::Eof);
        match &came {
            Came::Answer(Ok(())) => self.note_command(call, takes_body),
            Came::Event(Some(event)) => self.note_event(event),
            Came::Bytes(fresh) => {
                let sent = self.client.hear(fresh);
                sent.into_iter().for_each(|sent| self.responses.hear(sent));
            }
            Came::Fin => assert!(self.client.has_heard_all(), "a FIN amid a frame"),
            Came::Answer(Err(_)) | Came::Event(None) | Came::Nothing => {}
        }
        came
    }
}

impl Http2 {
    pub fn new(script: &Script) -> Self {
        let now = Instant::from_millis(START);
        let connection = Connection::http2(Arc::new(script.config()), now);
        let mut world = Self {
            watched: Watched::new(connection, now),
            words: Words::new(),
            client: Client::default(),
            eof: false,
            told: Told::default(),
            responses: Responses::default(),
        };
        if let Some(window) = script.greeted {
            let first = window.map(|window| (Setting::Window, window));
            world.step(&Op::Say(Said::Settings { first, second: None }));
            world.step(&Op::Say(Said::SettingsAck));
            for kind in 0..script.requests % 8 {
                let (stream, shape, end) = (Number::Next, Shape::Plain, kind % 2 == 0);
                world.step(&Op::Say(Said::Request { stream, kind, shape, end }));
            }
            world.settle();
        }
        world
    }

    pub fn step(&mut self, op: &Op) {
        match op {
            Op::Due => {
                self.watched.pass_to_deadline();
                self.step(&Op::Timeout);
            }
            Op::Pass(millis) => self.watched.pass(*millis),
            Op::Settle => self.settle(),
            Op::Hold(said) => self.words.say(said),
            Op::Say(said) => {
                self.words.say(said);
                self.arrive(usize::MAX);
            }
            Op::Arrive(count) => self.arrive(usize::from(*count)),
            Op::Answer { id, size, trailer } => {
                self.step(&Op::Respond { id: *id, status: Status::Ok, length: None, field: 0 });
                self.step(&Op::SendBody { id: *id, size: *size });
                self.step(&Op::Finish { id: *id, trailer: *trailer });
            }
            Op::Transmitted(count) if usize::from(*count) > self.watched.shown() => {
                self.call(&Call::Transmit);
                self.call(&self.call_of(op));
            }
            op => {
                self.call(&self.call_of(op));
            }
        }
    }

    /// So many bytes of what is held back arrive. Settings that change come by themselves, behind all that was framed
    /// by the ones before.
    fn arrive(&mut self, count: usize) {
        let arriving = self.words.arrive(count);
        let mut piece = vec![];
        let mut rest = &arriving[..];
        while !rest.is_empty() {
            let (first, behind) = rest.split_at(self.client.first(rest));
            if self.client.changes_settings(first) {
                self.call(&Call::Bytes(std::mem::take(&mut piece)));
                self.call(&Call::Transmit);
            }
            // Behind its FIN it says nothing.
            if !self.eof {
                self.client.say(first);
            }
            piece.extend_from_slice(first);
            rest = behind;
        }
        self.call(&Call::Bytes(piece));
    }

    fn call_of(&self, op: &Op) -> Call {
        let id = |number: &Number| StreamId(self.words.number(*number).into());
        match op {
            Op::Respond { id: number, status, length, field: choice } => {
                Call::Respond(id(number), status.number(), length_of(*length), field(*choice))
            }
            Op::Inform { id: number, status, field: choice } => {
                Call::Inform(id(number), status.number(), field(*choice))
            }
            Op::SendBody { id: number, size } => {
                Call::SendBody(id(number), self.responses.piece(id(number), size.of()))
            }
            Op::Finish { id: number, trailer } => Call::Finish(id(number), trailer.and_then(field)),
            Op::Reset(number) => Call::Reset(id(number)),
            Op::ReadBody(number) => Call::ReadBody(id(number)),
            Op::DiscardBody(number) => Call::DiscardBody(id(number)),
            Op::Release { id: number, count } => Call::Release(id(number), usize::from(*count)),
            Op::Drain(millis) => {
                Call::Drain(Instant::from_millis(START.saturating_add_signed((*millis).into())))
            }
            Op::Eof => Call::Eof,
            Op::Gone => Call::Gone,
            Op::Timeout => Call::Timeout,
            Op::SetDate => Call::SetDate,
            Op::Abort => Call::Abort,
            Op::Transmit => Call::Transmit,
            Op::Transmitted(count) => Call::Transmitted(usize::from(*count)),
            _ => Call::Event,
        }
    }

    fn note_command(&mut self, call: &Call, takes_body: bool) {
        let id = call.id().0;
        self.responses.give(call, takes_body);
        if let Some(request) = self.told.requests.get_mut(&id) {
            assert!(!request.is_cancelled, "{call:?} for no request");
            request.is_answered |= self.responses.is_finished(id);
        }
    }

    fn note_event(&mut self, event: &Event) {
        self.told.note(event);
        if let Event::Request { id, .. } = event {
            let cutoff = self.client.cutoff.map_or(u64::MAX, u64::from);
            assert!(id.0 <= cutoff, "told behind the cutoff");
            // It can be answered before it is told.
            let is_finished = self.responses.is_finished(id.0);
            self.told.requests.entry(id.0).and_modify(|request| request.is_answered = is_finished);
        }
    }

    /// However it stands, it ends: at once when it is cut, else at the drain's deadline at the latest.
    pub fn end(mut self) {
        self.check_cut();
        self.watched.now = self.watched.latest();
        self.call(&Call::Drain(self.watched.now + Duration::from_secs(1000)));
        self.settle();
        let drain = self.watched.connection.drains().expect("it has been told");
        self.watched.now = drain.deadline.max(self.watched.latest());
        self.call(&Call::Timeout);
        self.settle();
        self.watched.now = self.watched.now + Config::default().timeouts.last_word.draining;
        self.call(&Call::Timeout);
        self.settle();
        assert!(self.watched.is_closed(), "it is past its deadline and goes on");
        assert_eq!(self.watched.connection.poll_timeout(), None);
    }

    fn check_cut(&self) {
        let (mut cut, mut told) = (self.watched.clone(), self.told.clone());
        cut.call(&Call::Abort);
        while let Came::Event(Some(event)) = cut.call(&Call::Event) {
            told.note(&event);
            let answered = |id: &u64| self.responses.is_finished(*id);
            told.requests.iter_mut().for_each(|(id, request)| request.is_answered = answered(id));
        }
        assert!(told.closed.is_some(), "it was cut and goes on");
    }
}
