//! A connection of HTTP/1, its handler, and what they have come to.

use std::sync::Arc;

use bytes::Bytes;
use lameduck_core::{BodyLength, Connection, Event, Instant, Stage, StreamId};
use lameduck_fuzz::calls::{Call, Came};
use lameduck_fuzz::decode::{Status, field, length_of};
use lameduck_fuzz::polled::pending;
use lameduck_fuzz::watched::{Watched, World};

use crate::script::{Id, Op, Script, Size, text};

/// When all begins, in milliseconds.
const START: u64 = 100_000;

/// What no body and no field of a response here has in it, unless it says so.
const CLOSE: &[u8] = b"connection: close\r\n";

#[derive(Clone)]
pub struct Http1 {
    watched: Watched,
    requests: u64,
    told: Option<Told>,
    /// The request that became a tunnel; it may not have been told yet.
    tunnel: Option<StreamId>,
    /// The request whose response said close, or behind which a refusal did.
    last: Option<StreamId>,
}

/// The request that was told last.
#[derive(Clone)]
struct Told {
    body: BodyLength,
    received: u64,
    ended: bool,
    given_up: bool,
}

impl World for Http1 {
    fn watched(&self) -> &Watched {
        &self.watched
    }

    fn call(&mut self, call: &Call) -> Came {
        let came = self.watched.call(call);
        let status = self.watched.connection.status();
        assert!(status.requests >= self.requests);
        assert_eq!(self.watched.connection.send_capacity(StreamId(status.requests + 1)), 0);
        self.note_close();
        match &came {
            Came::Event(Some(event)) => self.note_event(event),
            Came::Answer(Ok(())) => {
                assert!(self.told.as_ref().is_none_or(|told| !told.given_up), "{call:?} for no request");
                self.note_tunnel();
            }
            _ => {}
        }
        came
    }
}

impl Http1 {
    pub fn new(script: &Script) -> Self {
        let now = Instant::from_millis(START);
        let connection = Connection::new(Arc::new(script.config()), now);
        let watched = Watched::new(connection, now);
        let mut world = Self { watched, requests: 0, told: None, tunnel: None, last: None };
        for _ in 0..script.answered {
            let (id, status, size) = (Id::Current, Status::Ok, Size::Small(5));
            world.step(&Op::Ask(0));
            world.step(&Op::Answer { id, status, size, trailer: None });
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
            Op::Split(choice) => {
                let (first, second) = text(*choice).split_at(text(*choice).len() / 2);
                self.call(&Call::Bytes(first.to_vec()));
                self.call(&Call::Bytes(second.to_vec()));
            }
            Op::Ask(choice) => {
                self.step(&Op::Text(*choice));
                self.settle();
            }
            Op::Answer { id, status, size, trailer } => {
                self.step(&Op::Respond { id: *id, status: *status, length: None, field: 0 });
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

    fn call_of(&self, op: &Op) -> Call {
        let requests = self.requests;
        match op {
            Op::Text(choice) => Call::Bytes(text(*choice).to_vec()),
            Op::Half(choice, half) => Call::Bytes(half.of(text(*choice)).to_vec()),
            Op::Bytes(bytes) => Call::Bytes(bytes.clone()),
            Op::Respond { id, status, length, field: choice } => {
                Call::Respond(id.of(requests), status.number(), length_of(*length), field(*choice))
            }
            Op::Inform { id, status, field: choice } => {
                Call::Inform(id.of(requests), status.number(), field(*choice))
            }
            // Some are gathered, some are passed on as they are.
            Op::SendBody { id, size } => Call::SendBody(id.of(requests), Bytes::from(vec![b'x'; size.of()])),
            Op::Finish { id, trailer } => Call::Finish(id.of(requests), trailer.and_then(field)),
            Op::Reset(id) => Call::Reset(id.of(requests)),
            Op::ReadBody(id) => Call::ReadBody(id.of(requests)),
            Op::DiscardBody(id) => Call::DiscardBody(id.of(requests)),
            Op::Release { id, count } => Call::Release(id.of(requests), usize::from(*count)),
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

    /// Once close has been said, that was the last.
    fn note_close(&mut self) {
        if self.last.is_none() {
            let queued = pending(&self.watched.connection, self.watched.latest());
            if queued.windows(CLOSE.len()).any(|part| part == CLOSE) {
                self.last = Some(StreamId(self.watched.connection.status().requests));
            }
        }
    }

    /// What has not been reported of a body by the time that its connection switches is not reported at all.
    fn note_tunnel(&mut self) {
        let status = self.watched.connection.status();
        if status.stage == Stage::Tunnel && self.tunnel.is_none() {
            self.tunnel = status.stream;
            if let (Some(told), true) = (&mut self.told, self.tunnel == Some(StreamId(self.requests))) {
                told.ended = false;
            }
        }
    }

    fn note_event(&mut self, event: &Event) {
        let tunnel = self.tunnel.is_some();
        match event {
            Event::Request { id, head, body } => {
                assert!(!head.method().is_empty() && !head.target().is_empty());
                self.note_request(*id, *body);
            }
            Event::Data { id, data } => {
                assert!(!data.is_empty());
                let told = self.current(*id);
                assert!(!told.ended, "data after the end");
                told.received += data.len() as u64;
                if let (BodyLength::Known(length), false) = (told.body, tunnel) {
                    assert!(told.received <= length);
                }
            }
            Event::End { id, trailers } => {
                let told = self.current(*id);
                assert!(!told.ended, "a second end");
                told.ended = true;
                if let (BodyLength::Known(length), false) = (told.body, tunnel) {
                    assert_eq!(told.received, length);
                }
                assert!(trailers.is_none() || (told.body == BodyLength::Unknown && !tunnel));
            }
            Event::Cancelled { id, .. } => self.current(*id).given_up = true,
            Event::Refused { .. } => panic!("HTTP/1 refuses with a response"),
            Event::Closed(_) => {}
        }
    }

    fn note_request(&mut self, id: StreamId, body: BodyLength) {
        self.requests += 1;
        assert_eq!(id, StreamId(self.requests));
        assert!(self.told.as_ref().is_none_or(|told| !told.given_up));
        assert!(self.tunnel.is_none_or(|tunnel| tunnel >= id), "a request behind a tunnel");
        assert!(self.last.is_none_or(|last| id <= last), "a request after a close");
        let ended = body == BodyLength::Empty && self.tunnel.is_none();
        self.told = Some(Told { body, received: 0, ended, given_up: false });
    }

    fn current(&mut self, id: StreamId) -> &mut Told {
        assert_eq!(id, StreamId(self.requests));
        let told = self.told.as_mut().expect("a request has been told");
        assert!(!told.given_up, "something comes of a request that was given up");
        told
    }

    /// However it stands, it ends: at once when it is cut, else at the drain's deadline at the latest.
    pub fn end(mut self) {
        let mut cut = self.clone();
        cut.call(&Call::Abort);
        cut.settle();
        assert!(cut.watched.is_closed(), "it was cut and goes on");

        self.watched.now = self.watched.latest();
        self.step(&Op::Drain(1000));
        self.settle();
        let drain = self.watched.connection.drains().expect("it has been told");
        self.watched.now = drain.deadline.max(self.watched.latest());
        self.call(&Call::Timeout);
        self.settle();
        assert!(self.watched.is_closed(), "it is past its deadline and goes on");
        assert_eq!(self.watched.connection.poll_timeout(), None);
    }
}
