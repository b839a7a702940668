//! Any operations in any order: bytes, ends, commands for requests that there are and are not, time that
//! jumps and goes back. What the documentation promises of them is checked at every step.

#![no_main]

use std::sync::Arc;
use std::time::Duration;

use arbitrary::Arbitrary;
use bytes::Bytes;
use lameduck_core::{
    ApiMisuse, BodyLength, CloseReason, Config, Connection, Date, Event, Field, HalfClose, Instant, Limits,
    ResponseHead, ResponseLength, Stage, StreamId, Transmit,
};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Script {
    small_limits: bool,
    cancel_on_half_close: bool,
    ops: Vec<Op>,
}

#[derive(Arbitrary, Clone, Debug)]
enum Op {
    /// One of [`TEXTS`].
    Text(u8),
    /// Half of one of [`TEXTS`], the first or the second.
    HalfText(u8, bool),
    Bytes(Vec<u8>),
    Eof,
    Gone,
    Timeout,
    /// Time passes until the next deadline, and [`Op::Timeout`].
    Due,
    /// Milliseconds pass; back, where they are negative.
    Pass(i16),
    SetDate,
    Respond {
        id: Id,
        status: Status,
        length: Option<u8>,
        field: u8,
    },
    Inform {
        id: Id,
        status: Status,
        field: u8,
    },
    SendBody {
        id: Id,
        size: u16,
    },
    Finish {
        id: Id,
        trailer: Option<u8>,
    },
    Reset(Id),
    ReadBody(Id),
    DiscardBody(Id),
    Release {
        id: Id,
        count: u16,
    },
    /// With a deadline so many milliseconds after the start, or before it.
    Drain(i16),
    Abort,
    Event,
    Transmit,
    /// So many bytes of what [`Op::Transmit`] showed are taken.
    Transmitted(u16),
    /// Events and bytes are taken until there are none.
    Settle,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Id {
    Current,
    Previous,
    Next,
    Any(u64),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Status {
    Ok,
    NoContent,
    NotModified,
    Switch,
    EarlyHints,
    UpgradeRequired,
    Any(u16),
}

const TEXTS: [&[u8]; 20] = [
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    b"GET / HTTP/1.0\r\n\r\n",
    b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 90000\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\nContent-Length: 5\r\n\r\n",
    b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"hello",
    b"5\r\nhello\r\n",
    b"0\r\n\r\n",
    b"0\r\na: b\r\n\r\n",
    b"5\r\nhello\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
];

const FIELDS: [Field<'_>; 8] = [
    Field { name: "a", value: b"b" },
    Field { name: "connection", value: b"close" },
    Field { name: "content-length", value: b"5" },
    Field { name: "content-length", value: b"+5" },
    Field { name: "transfer-encoding", value: b"chunked" },
    Field { name: "upgrade", value: b"x" },
    Field { name: "a b", value: b"c" },
    Field { name: "a", value: b"b\r\nc: d" },
];

/// When all begins, in milliseconds.
const START: u64 = 100_000;

/// What no body and no field of a response here has in it, unless it says so.
const CLOSE: &[u8] = b"connection: close\r\n";

fuzz_target!(|script: Script| {
    let mut world = World::new(&script);
    for op in &script.ops {
        world.step(op);
    }
    world.end();
});

/// What an operation led to.
#[derive(PartialEq, Debug)]
enum Came {
    Nothing,
    Event(Option<Event>),
    Answer(Result<(), ApiMisuse>),
    Bytes(Vec<u8>),
    Fin,
}

/// The request that was told last.
#[derive(Clone)]
struct Told {
    body: BodyLength,
    received: u64,
    ended: bool,
    given_up: bool,
}

#[derive(Clone)]
struct World {
    connection: Connection,
    /// What the connection is told; it may go back.
    now: Instant,
    /// The latest that it was told.
    latest: Instant,
    requests: u64,
    told: Option<Told>,
    /// The request that became a tunnel; it may not have been told yet.
    tunnel: Option<StreamId>,
    closed: Option<CloseReason>,
    /// The request whose response said close, or behind which a refusal did.
    last: Option<StreamId>,
    fin: bool,
}

impl World {
    fn new(script: &Script) -> Self {
        let mut config = Config::default();
        if script.small_limits {
            config.limits = Limits {
                head: 256,
                target: 64,
                fields: 4,
                body: Some(10_000),
                chunk_extensions: 16,
                body_window: 8,
                discard: 8,
                pipeline: 64,
                send_queue: 64,
                ..Limits::default()
            };
        }
        if script.cancel_on_half_close {
            config.half_close = HalfClose::Cancel;
        }
        let now = Instant::from_millis(START);
        Self {
            connection: Connection::new(Arc::new(config), now),
            now,
            latest: now,
            requests: 0,
            told: None,
            tunnel: None,
            closed: None,
            last: None,
            fin: false,
        }
    }

    fn step(&mut self, op: &Op) {
        match op {
            Op::Due => {
                if let Some(at) = self.connection.poll_timeout() {
                    self.now = self.now.max(at);
                }
                return self.step(&Op::Timeout);
            }
            Op::Pass(millis) => {
                let span = Duration::from_millis(u64::from(millis.unsigned_abs()));
                self.now = match millis {
                    0.. => self.now + span,
                    _ => Instant::from(self.now.since(Instant::ORIGIN).saturating_sub(span)),
                };
                return;
            }
            Op::Settle => return self.settle(),
            _ => {}
        }
        let before = self.connection.clone();
        let mut twin = self.connection.clone();
        let came = self.act(op);
        self.check_twin(&mut twin, op, &came);
        self.check_refusal(before, op, &came);
        self.check_level(op);
        self.check_getters();
        self.note(op, came);
    }

    fn act(&mut self, op: &Op) -> Came {
        if !matches!(op, Op::Event | Op::SetDate) {
            self.latest = self.latest.max(self.now);
        }
        let came = act(&mut self.connection, self.now, self.requests, op);
        if self.last.is_none() {
            let queued = take(&mut self.connection.clone(), self.latest);
            if queued.windows(CLOSE.len()).any(|part| part == CLOSE) {
                self.last = Some(StreamId(self.connection.status().requests));
            }
        }
        came
    }

    /// Equal inputs lead to equal outputs and equal states; time that goes back stands still.
    fn check_twin(&self, twin: &mut Connection, op: &Op, came: &Came) {
        assert_eq!(*came, act(twin, self.latest, self.requests, op));
        assert_eq!(*twin, self.connection);
        assert_eq!(twin.poll_timeout(), self.connection.poll_timeout());
    }

    /// A command that is refused changes nothing.
    fn check_refusal(&self, mut before: Connection, op: &Op, came: &Came) {
        if let Came::Answer(Err(error)) = came
            && *error != ApiMisuse::BodyTooShort
        {
            before.transmitted(self.latest, 0);
            assert_eq!(before, self.connection, "{op:?} was refused with {error} and changed something");
        }
    }

    /// The drain is a level, an end is an end, and a wait that is over is not waited for.
    fn check_level(&self, op: &Op) {
        match op {
            Op::Drain(_) => {
                let drain = self.connection.drains().expect("it has been told");
                let mut again = self.connection.clone();
                again.drain(self.latest, drain.deadline);
                assert_eq!(again, self.connection, "a drain that is told again changes something");
                again.drain(self.latest, drain.deadline + Duration::from_secs(1));
                assert_eq!(again, self.connection, "a later deadline changes something");
            }
            Op::Timeout => {
                let next = self.connection.poll_timeout();
                assert!(next.is_none_or(|at| at > self.latest), "a wait is over and goes on");
            }
            Op::Abort | Op::Gone => {
                assert_eq!(self.connection.status().stage, Stage::Closed);
                assert!(take(&mut self.connection.clone(), self.latest).is_empty());
            }
            _ => {}
        }
    }

    fn check_getters(&self) {
        let status = self.connection.status();
        assert!(!status.stage.to_string().is_empty());
        assert!(status.due.is_none_or(|due| !due.timer.to_string().is_empty()));
        assert!(status.requests >= self.requests);
        assert_eq!(status.due.map(|due| due.at), self.connection.poll_timeout());
        assert_eq!(self.connection.send_capacity(StreamId(0)), 0);
        assert_eq!(self.connection.send_capacity(StreamId(status.requests + 1)), 0);
        if status.stage == Stage::Closed {
            assert!(!self.connection.wants_read());
            assert_eq!((status.due, status.stream), (None, None));
        }
    }

    fn note(&mut self, op: &Op, came: Came) {
        match came {
            Came::Event(Some(event)) => self.note_event(event),
            Came::Fin => {
                assert!(!self.fin, "a second FIN");
                self.fin = true;
            }
            Came::Bytes(_) => {
                assert!(!self.fin, "bytes after the FIN");
                assert_eq!(self.closed, None, "bytes after the end");
            }
            Came::Answer(Ok(())) => {
                assert_eq!(self.closed, None, "a command is obeyed after the end");
                assert!(self.told.as_ref().is_none_or(|told| !told.given_up), "{op:?} for no request");
                self.note_tunnel();
            }
            Came::Answer(Err(_)) | Came::Event(None) | Came::Nothing => {}
        }
    }

    /// What has not been reported of a body by the time that its connection switches is not reported at all.
    fn note_tunnel(&mut self) {
        if self.connection.status().stage == Stage::Tunnel && self.tunnel.is_none() {
            self.tunnel = self.connection.status().stream;
            if let (Some(told), true) = (&mut self.told, self.tunnel == Some(StreamId(self.requests))) {
                told.ended = false;
            }
        }
    }

    fn note_event(&mut self, event: Event) {
        assert_eq!(self.closed, None, "an event after the last: {event:?}");
        match event {
            Event::Request { id, head, body } => {
                self.requests += 1;
                assert_eq!(id, StreamId(self.requests));
                assert!(self.told.as_ref().is_none_or(|told| !told.given_up));
                assert!(self.tunnel.is_none_or(|tunnel| tunnel >= id), "a request behind a tunnel");
                assert!(self.last.is_none_or(|last| id <= last), "a request after a close");
                assert!(!head.method().is_empty() && !head.target().is_empty());
                let ended = body == BodyLength::Empty && self.tunnel.is_none();
                self.told = Some(Told { body, received: 0, ended, given_up: false });
            }
            Event::Data { id, data } => {
                assert!(!data.is_empty());
                let tunnel = self.tunnel.is_some();
                let told = self.current(id);
                assert!(!told.ended, "data after the end");
                told.received += data.len() as u64;
                if let (BodyLength::Known(length), false) = (told.body, tunnel) {
                    assert!(told.received <= length);
                }
            }
            Event::End { id, trailers } => {
                let tunnel = self.tunnel.is_some();
                let told = self.current(id);
                assert!(!told.ended, "a second end");
                told.ended = true;
                if let (BodyLength::Known(length), false) = (told.body, tunnel) {
                    assert_eq!(told.received, length);
                }
                assert!(trailers.is_none() || (told.body == BodyLength::Unknown && !tunnel));
            }
            Event::Cancelled { id, .. } => self.current(id).given_up = true,
            Event::Refused { .. } => panic!("HTTP/1 refuses with a response"),
            Event::Closed(reason) => {
                assert!(!reason.to_string().is_empty());
                assert_eq!(self.connection.status().stage, Stage::Closed);
                self.closed = Some(reason);
            }
        }
    }

    fn current(&mut self, id: StreamId) -> &mut Told {
        assert_eq!(id, StreamId(self.requests));
        let told = self.told.as_mut().expect("a request has been told");
        assert!(!told.given_up, "something comes of a request that was given up");
        told
    }

    /// Takes all that the connection has to say.
    fn settle(&mut self) {
        const MOST: usize = 100_000;
        for _ in 0..MOST {
            let count = match self.act(&Op::Transmit) {
                Came::Bytes(bytes) => {
                    let count = bytes.len();
                    self.note(&Op::Transmit, Came::Bytes(bytes));
                    self.connection.transmitted(self.now, count);
                    count
                }
                Came::Fin => {
                    self.note(&Op::Transmit, Came::Fin);
                    1
                }
                _ => 0,
            };
            match self.act(&Op::Event) {
                Came::Event(Some(event)) => self.note_event(event),
                _ if count == 0 => return,
                _ => {}
            }
        }
        panic!("it never comes to rest");
    }

    /// However it stands, it ends: at once when it is cut, else at the drain's deadline at the latest.
    fn end(mut self) {
        let mut cut = self.clone();
        cut.step(&Op::Abort);
        cut.settle();
        assert!(cut.closed.is_some(), "it was cut and goes on");

        self.now = self.latest;
        self.step(&Op::Drain(1000));
        self.settle();
        self.now = self.connection.drains().expect("it has been told").deadline.max(self.latest);
        self.step(&Op::Timeout);
        self.settle();
        assert!(self.closed.is_some(), "it is past its deadline and goes on");
        assert_eq!(self.connection.poll_timeout(), None);
    }
}

/// What waits to be sent.
fn take(connection: &mut Connection, now: Instant) -> Vec<u8> {
    match connection.poll_transmit(now) {
        Some(Transmit::Bytes(pieces)) => {
            let pieces: Vec<_> = pieces.collect();
            assert!(pieces.iter().all(|piece| !piece.is_empty()), "an empty piece");
            pieces.concat()
        }
        Some(Transmit::Fin) | None => Vec::new(),
    }
}

fn act(connection: &mut Connection, now: Instant, requests: u64, op: &Op) -> Came {
    let id = |id: &Id| match id {
        Id::Current => StreamId(requests),
        Id::Previous => StreamId(requests.wrapping_sub(1)),
        Id::Next => StreamId(requests + 1),
        Id::Any(id) => StreamId(*id),
    };
    let field = |choice: &u8| FIELDS.get(usize::from(*choice)).copied();
    match op {
        Op::Text(choice) => connection.handle_bytes(now, text(*choice)),
        Op::HalfText(choice, first) => {
            let text = text(*choice);
            let (start, rest) = text.split_at(text.len() / 2);
            connection.handle_bytes(now, if *first { start } else { rest });
        }
        Op::Bytes(bytes) => connection.handle_bytes(now, bytes),
        Op::Eof => connection.handle_eof(now),
        Op::Gone => connection.handle_gone(now),
        Op::Timeout => connection.handle_timeout(now),
        Op::SetDate => {
            connection.set_date(Date::new(*b"Sun, 06 Nov 1994 08:49:37 GMT").expect("a date"));
        }
        Op::Respond { id: wanted, status, length, field: choice } => {
            let length =
                length.map_or(ResponseLength::Unknown, |length| ResponseLength::Known(length.into()));
            let head = ResponseHead { status: number(*status), fields: field(choice), length };
            return Came::Answer(connection.respond(now, id(wanted), head));
        }
        Op::Inform { id: wanted, status, field: choice } => {
            return Came::Answer(connection.inform(now, id(wanted), number(*status), field(choice)));
        }
        Op::SendBody { id: wanted, size } => {
            // Some are gathered, some are passed on as they are.
            let data = Bytes::from(vec![b'x'; usize::from(*size) % 4096]);
            return Came::Answer(connection.send_body(now, id(wanted), data));
        }
        Op::Finish { id: wanted, trailer } => {
            let trailer = trailer.as_ref().and_then(field);
            return Came::Answer(connection.finish(now, id(wanted), trailer));
        }
        Op::Reset(wanted) => return Came::Answer(connection.reset(now, id(wanted))),
        Op::ReadBody(wanted) => return Came::Answer(connection.read_body(now, id(wanted))),
        Op::DiscardBody(wanted) => return Came::Answer(connection.discard_body(now, id(wanted))),
        Op::Release { id: wanted, count } => {
            return Came::Answer(connection.release(now, id(wanted), usize::from(*count)));
        }
        Op::Drain(millis) => {
            let deadline = Instant::from_millis(START.saturating_add_signed((*millis).into()));
            connection.drain(now, deadline);
        }
        Op::Abort => connection.abort(now),
        Op::Event => return Came::Event(connection.poll_event()),
        Op::Transmit => {
            return match connection.poll_transmit(now) {
                Some(Transmit::Bytes(pieces)) => Came::Bytes(pieces.collect::<Vec<_>>().concat()),
                Some(Transmit::Fin) => Came::Fin,
                None => Came::Nothing,
            };
        }
        Op::Transmitted(count) => connection.transmitted(now, usize::from(*count)),
        Op::Due | Op::Pass(_) | Op::Settle => {}
    }
    Came::Nothing
}

fn text(choice: u8) -> &'static [u8] {
    TEXTS[usize::from(choice) % TEXTS.len()]
}

fn number(status: Status) -> u16 {
    match status {
        Status::Ok => 200,
        Status::NoContent => 204,
        Status::NotModified => 304,
        Status::Switch => 101,
        Status::EarlyHints => 103,
        Status::UpgradeRequired => 426,
        Status::Any(status) => status,
    }
}
