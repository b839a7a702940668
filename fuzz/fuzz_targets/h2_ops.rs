//! Any operations in any order: frames that are right and frames that lie, ends, commands for streams that there are
//! and are not, time that jumps and goes back. What the documentation promises of them is checked at every step.

#![no_main]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arbitrary::{Arbitrary, Result, Unstructured};
use bytes::Bytes;
use lameduck_core::{
    ApiMisuse, Config, Connection, Date, Event, Field, HalfClose, Instant, Limits, ResponseHead,
    ResponseLength, Stage, StreamId, Transmit,
};
use lameduck_fuzz::h2::{Client, Frame, PREFACE, Requests, Sent, Told, frame, setting};
use libfuzzer_sys::fuzz_target;

#[derive(Debug)]
struct Script {
    small_limits: bool,
    cancel_on_half_close: bool,
    /// The handshake is over when the script begins; the windows of the streams are these, where they are not the usual.
    greeted: Option<Option<Increment>>,
    /// So many requests have been made by then.
    requests: u8,
    ops: Vec<Op>,
}

#[derive(Clone, Debug)]
enum Op {
    /// The client says this. It arrives with all that was held back.
    Say(Said),
    /// The client says this, and it is held back.
    Hold(Said),
    /// So many bytes of what is held back arrive.
    Arrive(u8),
    Eof,
    Gone,
    Timeout,
    /// Time passes until the next deadline, and [`Op::Timeout`].
    Due,
    /// Milliseconds pass; back, where they are negative.
    Pass(i16),
    SetDate,
    Respond {
        id: Number,
        status: Status,
        length: Option<u16>,
        field: u8,
    },
    /// The whole of a response.
    Answer {
        id: Number,
        size: Size,
        trailer: Option<u8>,
    },
    Inform {
        id: Number,
        status: Status,
        field: u8,
    },
    SendBody {
        id: Number,
        size: Size,
    },
    Finish {
        id: Number,
        trailer: Option<u8>,
    },
    Reset(Number),
    ReadBody(Number),
    DiscardBody(Number),
    Release {
        id: Number,
        count: u16,
    },
    /// With a deadline so many milliseconds after the start, or before it.
    Drain(i16),
    Abort,
    Event,
    Transmit,
    /// So many bytes of what [`Op::Transmit`] showed are taken; it is shown before, where they are more.
    Transmitted(u16),
    /// Events and bytes are taken until there are none.
    Settle,
}

/// What a client says.
#[derive(Clone, Debug)]
enum Said {
    Request { stream: Number, kind: u8, shape: Shape, end: bool },
    Trailers { stream: Number, end: bool },
    Data { stream: Number, size: Size, end: bool, padding: Option<u8> },
    Reset { stream: Number, code: u8 },
    Grant { stream: Option<Number>, by: Increment },
    Settings { first: Option<(Setting, Increment)>, second: Option<(Setting, Increment)> },
    SettingsAck,
    Ping,
    PingAck(Ack),
    GoAway(Number),
    Priority(Number, Number),
    PriorityUpdate(Number, u8),
    Frame { kind: u8, flags: u8, stream: Number, payload: Vec<u8> },
    Bytes(Vec<u8>),
}

#[derive(Clone, Copy, Debug)]
enum Shape {
    Plain,
    Padded(u8),
    Prioritized(Number),
    InTwo(u8),
}

#[derive(Clone, Copy, Debug)]
enum Number {
    /// The highest that the client has used for a request, or one of those below it.
    Used(u8),
    /// The one that comes behind it.
    Next,
    Any(u32),
}

#[derive(Clone, Copy, Debug)]
enum Size {
    Small(u8),
    Some(u16),
    /// More than a frame holds.
    Large,
    /// More than the usual window.
    Huge,
}

#[derive(Clone, Copy, Debug)]
enum Increment {
    Small(u8),
    Usual,
    Most,
    Any(u32),
}

#[derive(Clone, Copy, Debug)]
enum Setting {
    Window,
    Table,
    Frame,
    Any(u16),
}

#[derive(Clone, Copy, Debug)]
enum Ack {
    Notice,
    Probe,
    Receipt,
    Other,
}

#[derive(Clone, Copy, Debug)]
enum Status {
    Ok,
    NoContent,
    NotModified,
    EarlyHints,
    NotFound,
    Any(u16),
}

const REQUESTS: [&[(&str, &str)]; 9] = [
    &[(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/")],
    &[(":method", "HEAD"), (":scheme", "http"), (":authority", "a"), (":path", "/"), ("priority", "u=1, i")],
    &[(":method", "POST"), (":scheme", "http"), (":authority", "a"), (":path", "/"), ("content-length", "9")],
    &[(":method", "PUT"), (":scheme", "http"), (":path", "/"), ("host", "a"), ("expect", "100-continue")],
    &[(":method", "CONNECT"), (":authority", "a:80")],
    &[(":method", "CONNECT"), (":protocol", "x"), (":scheme", "http"), (":authority", "a"), (":path", "/")],
    &[(":method", "GET"), (":scheme", "http"), (":path", "/")],
    &[(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/"), ("expect", "more")],
    &[
        (":method", "GET"),
        (":scheme", "http"),
        (":authority", "a"),
        (":path", "/a/path/that/is/longer/than/what/the/small/limits/allow/it/to/be"),
        ("cookie", "a"),
        ("cookie", "b"),
    ],
];

const PRIORITIES: [&str; 4] = ["u=1", "i", "u=7, i", "?"];

const FIELDS: [Field<'_>; 8] = [
    Field { name: "a", value: b"b" },
    Field { name: "connection", value: b"close" },
    Field { name: "content-length", value: b"5" },
    Field { name: "content-length", value: b"+5" },
    Field { name: "date", value: b"today" },
    Field { name: "A", value: b"x" },
    Field { name: "a b", value: b"c" },
    Field { name: "a", value: b"b\r\nc: d" },
];

/// When all begins, in milliseconds.
const START: u64 = 100_000;

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

/// A response, as its handler gives it and its client gets it.
#[derive(Default)]
struct Response {
    given: usize,
    is_finished: bool,
    received: usize,
    declared: Option<usize>,
}

struct World {
    connection: Connection,
    client: Client,
    requests: Requests,
    /// The highest stream that the client has used for a request.
    highest: u32,
    /// What the client has said and has not arrived.
    held: Vec<u8>,
    eof: bool,
    /// What the connection is told; it may go back.
    now: Instant,
    /// The latest that it was told.
    latest: Instant,
    told: Told,
    responses: BTreeMap<u64, Response>,
    /// What has been shown, and not been taken. The client hears it when it is shown.
    shown: Vec<u8>,
    fin: bool,
}

impl World {
    fn new(script: &Script) -> Self {
        let mut config = Config::default();
        if script.small_limits {
            config.limits = Limits {
                head: 256,
                target: 64,
                fields: 6,
                body: Some(10_000),
                stream_window: 8,
                stream_window_most: 32,
                connection_window: 65_535,
                header_table: 64,
                streams: 3,
                send_queue: 64,
                ..Limits::default()
            };
        }
        if script.cancel_on_half_close {
            config.half_close = HalfClose::Cancel;
        }
        let now = Instant::from_millis(START);
        let mut world = Self {
            connection: Connection::http2(Arc::new(config), now),
            client: Client::default(),
            requests: Requests::new(),
            highest: 0,
            held: vec![],
            eof: false,
            now,
            latest: now,
            told: Told::default(),
            responses: BTreeMap::new(),
            shown: vec![],
            fin: false,
        };
        world.held.extend_from_slice(PREFACE);
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

    fn step(&mut self, op: &Op) {
        match op {
            Op::Due => {
                if let Some(at) = self.connection.poll_timeout() {
                    self.now = self.now.max(at);
                }
                self.step(&Op::Timeout);
            }
            Op::Pass(millis) => self.pass(*millis),
            Op::Settle => self.settle(),
            Op::Hold(said) => self.say(said),
            Op::Say(said) => {
                self.say(said);
                self.arrive(usize::MAX);
            }
            Op::Arrive(count) => self.arrive(usize::from(*count)),
            Op::Answer { id, size, trailer } => {
                self.step(&Op::Respond { id: *id, status: Status::Ok, length: None, field: 0 });
                self.step(&Op::SendBody { id: *id, size: *size });
                self.step(&Op::Finish { id: *id, trailer: *trailer });
            }
            Op::Transmitted(count) if usize::from(*count) > self.shown.len() => {
                self.call(&Call::Transmit);
                self.call(&self.call_of(op));
            }
            op => self.call(&self.call_of(op)),
        }
    }

    fn pass(&mut self, millis: i16) {
        let span = Duration::from_millis(u64::from(millis.unsigned_abs()));
        self.now = match millis {
            0.. => self.now + span,
            _ => Instant::from(self.now.since(Instant::ORIGIN).saturating_sub(span)),
        };
    }

    // The client.

    fn say(&mut self, said: &Said) {
        let highest = self.highest;
        let number = |number: &Number| number.of(highest);
        let end = |frame: Frame, end: bool| if end { frame.end_stream() } else { frame };
        let frames = match said {
            Said::Request { stream, kind, shape, end: is_last } => {
                let stream = number(stream);
                self.highest = highest.max(stream & 0x7fff_ffff);
                let block = self.requests.block(REQUESTS[usize::from(*kind) % REQUESTS.len()]);
                self.shaped(stream, &block, *shape, *is_last)
            }
            Said::Trailers { stream, end: is_last } => {
                vec![end(self.requests.headers(number(stream), &[("a", "b")]), *is_last)]
            }
            Said::Data { stream, size, end: is_last, padding } => {
                let frame = end(frame::data(number(stream), vec![b'd'; size.of().min(16_384)]), *is_last);
                vec![padding.map_or(frame.clone(), |padding| frame.padded(padding))]
            }
            Said::Reset { stream, code } => vec![frame::rst_stream(number(stream), (*code).into())],
            Said::Grant { stream, by } => {
                vec![frame::window_update(stream.as_ref().map_or(0, number), by.of())]
            }
            Said::Settings { first, second } => {
                let settings = first.iter().chain(second).map(|(setting, by)| (setting.of(), by.of()));
                vec![frame::settings(&settings.collect::<Vec<_>>())]
            }
            Said::SettingsAck => vec![frame::settings_ack()],
            Said::Ping => vec![frame::ping(*b"whatever")],
            Said::PingAck(ack) => vec![frame::ping_ack(match ack {
                Ack::Notice => *b"lameduck",
                Ack::Probe => *b"you here",
                Ack::Receipt => *b"all read",
                Ack::Other => [7; 8],
            })],
            Said::GoAway(last) => vec![frame::goaway(number(last), 0, "bye")],
            Said::Priority(stream, other) => vec![frame::priority(number(stream), number(other), 9)],
            Said::PriorityUpdate(stream, choice) => {
                let value = PRIORITIES[usize::from(*choice) % PRIORITIES.len()];
                vec![frame::priority_update(number(stream), value)]
            }
            Said::Frame { kind, flags, stream, payload } => {
                vec![Frame::new(kind % 18, number(stream), payload).with_flags(*flags)]
            }
            Said::Bytes(bytes) => return self.held.extend_from_slice(bytes),
        };
        self.held.extend(frame::join(frames));
    }

    fn shaped(&self, stream: u32, block: &[u8], shape: Shape, is_last: bool) -> Vec<Frame> {
        let (block, rest) = match shape {
            Shape::InTwo(at) => block.split_at(usize::from(at).min(block.len())),
            _ => (block, &[][..]),
        };
        let mut frame = frame::headers(stream, block);
        if is_last {
            frame = frame.end_stream();
        }
        match shape {
            Shape::Plain => vec![frame.end_headers()],
            Shape::Padded(padding) => vec![frame.padded(padding).end_headers()],
            Shape::Prioritized(on) => vec![frame.prioritized(on.of(self.highest), 9).end_headers()],
            Shape::InTwo(_) => vec![frame, frame::continuation(stream, rest).end_headers()],
        }
    }

    /// So many bytes of what is held back arrive. Settings that change come by themselves, behind all that was framed
    /// by the ones before.
    fn arrive(&mut self, count: usize) {
        let arriving: Vec<u8> = self.held.drain(..count.min(self.held.len())).collect();
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

    // The calls.

    fn call_of(&self, op: &Op) -> Call {
        let id = |number: &Number| StreamId(number.of(self.highest).into());
        let field = |choice: &u8| FIELDS.get(usize::from(*choice)).copied();
        match op {
            Op::Respond { id: number, status, length, field: choice } => {
                let length =
                    length.map_or(ResponseLength::Unknown, |length| ResponseLength::Known(length.into()));
                Call::Respond(id(number), status.of(), length, field(choice))
            }
            Op::Inform { id: number, status, field: choice } => {
                Call::Inform(id(number), status.of(), field(choice))
            }
            Op::SendBody { id: number, size } => {
                let given = self.responses.get(&id(number).0).map_or(0, |response| response.given);
                let body = (given..given + size.of()).map(|at| octet(id(number).0, at));
                Call::SendBody(id(number), body.collect::<Vec<_>>().into())
            }
            Op::Finish { id: number, trailer } => Call::Finish(id(number), trailer.as_ref().and_then(field)),
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

    fn call(&mut self, call: &Call) {
        let before = self.connection.clone();
        let mut twin = self.connection.clone();
        if !matches!(call, Call::Event | Call::SetDate) {
            self.latest = self.latest.max(self.now);
        }
        let takes_body = self.connection.takes_body(call.id());
        let came = act(&mut self.connection, self.now, call);
        self.check_twin(&mut twin, call, &came);
        self.check_refusal(before, call, &came);
        self.check_level(call);
        self.check_getters();
        if came == Came::Answer(Ok(())) {
            self.note_command(call, takes_body);
        }
        if let (Call::Eof, Stage::Closed) = (call, self.connection.status().stage) {
            self.eof = true;
        }
        self.eof |= matches!(call, Call::Eof);
        self.note(call, came);
    }

    /// Equal inputs lead to equal outputs and equal states; time that goes back stands still.
    fn check_twin(&self, twin: &mut Connection, call: &Call, came: &Came) {
        assert_eq!(*came, act(twin, self.latest, call));
        assert_eq!(*twin, self.connection);
        assert_eq!(twin.poll_timeout(), self.connection.poll_timeout());
    }

    /// A command that is refused changes nothing.
    fn check_refusal(&self, mut before: Connection, call: &Call, came: &Came) {
        if let Came::Answer(Err(error)) = came
            && *error != ApiMisuse::BodyTooShort
        {
            before.transmitted(self.latest, 0);
            assert_eq!(before, self.connection, "{call:?} was refused with {error} and changed something");
        }
    }

    /// The drain is a level, an end is an end, and a wait that is over is not waited for.
    fn check_level(&self, call: &Call) {
        match call {
            Call::Drain(_) => {
                let drain = self.connection.drains().expect("it has been told");
                let mut again = self.connection.clone();
                again.drain(self.latest, drain.deadline);
                assert_eq!(again, self.connection, "a drain that is told again changes something");
                again.drain(self.latest, drain.deadline + Duration::from_secs(1));
                assert_eq!(again, self.connection, "a later deadline changes something");
            }
            Call::Timeout => {
                let next = self.connection.poll_timeout();
                assert!(next.is_none_or(|at| at > self.latest), "a wait is over and goes on");
            }
            Call::Abort | Call::Gone => {
                assert_eq!(self.connection.status().stage, Stage::Closed);
                assert!(self.connection.clone().poll_transmit(self.latest).is_none());
            }
            _ => {}
        }
    }

    fn check_getters(&self) {
        let status = self.connection.status();
        assert!(!status.stage.to_string().is_empty());
        assert!(status.due.is_none_or(|due| !due.timer.to_string().is_empty()));
        assert!(status.requests >= self.told.requests.len() as u64);
        assert_eq!(status.due.map(|due| due.at), self.connection.poll_timeout());
        assert_eq!(self.connection.send_capacity(StreamId(0)), 0);
        assert_eq!(self.connection.send_capacity(StreamId(u64::MAX)), 0);
        if status.stage == Stage::Closed {
            assert!(!self.connection.wants_read());
            assert_eq!((status.due, status.stream), (None, None));
        }
    }

    // What came of them.

    fn note_command(&mut self, call: &Call, takes_body: bool) {
        assert_eq!(self.told.closed, None, "{call:?} is obeyed after the end");
        let id = call.id().0;
        let request = self.told.requests.get_mut(&id);
        assert!(request.as_ref().is_none_or(|request| !request.is_cancelled), "{call:?} for no request");
        let response = self.responses.entry(id).or_default();
        match call {
            Call::SendBody(_, data) if takes_body => response.given += data.len(),
            Call::Finish(..) | Call::Reset(_) => response.is_finished = true,
            _ => return,
        }
        if let (true, Some(request)) = (response.is_finished, request) {
            request.is_answered = true;
        }
    }

    fn note(&mut self, call: &Call, came: Came) {
        match came {
            Came::Event(Some(event)) => {
                self.told.note(&event);
                if let Event::Request { id, .. } = event {
                    let cutoff = self.client.cutoff.map_or(u64::MAX, u64::from);
                    assert!(id.0 <= cutoff, "told behind the cutoff");
                    // It can be answered before it is told.
                    let is_finished = self.responses.entry(id.0).or_default().is_finished;
                    self.told.requests.entry(id.0).and_modify(|request| request.is_answered = is_finished);
                }
            }
            Came::Fin => {
                assert!(!std::mem::replace(&mut self.fin, true), "a second FIN");
                assert!(self.shown.is_empty() && self.client.has_heard_all(), "a FIN amid output");
            }
            Came::Bytes(bytes) => {
                assert!(!self.fin, "bytes after the FIN");
                assert_eq!(self.told.closed, None, "bytes after the end");
                let fresh = bytes.strip_prefix(&self.shown[..]).expect("what has been shown is still there");
                self.client.hear(fresh).into_iter().for_each(|sent| self.hear(sent));
                self.shown = bytes;
            }
            Came::Answer(_) | Came::Event(None) | Came::Nothing => {}
        }
        if let Call::Transmitted(count) = call {
            self.shown.drain(..(*count).min(self.shown.len()));
        }
    }

    /// A response arrives as it was given.
    fn hear(&mut self, sent: Sent) {
        match sent {
            Sent::Headers { stream, fields, end } => {
                let response = self.responses.entry(stream.into()).or_default();
                let is_head = fields.first().is_some_and(|(name, _)| name == ":status");
                if !is_head {
                    assert!(response.is_finished && response.received == response.given && end);
                }
                let declared = fields.iter().find(|(name, _)| name == "content-length");
                if let Some((_, value)) = declared.filter(|_| is_head) {
                    response.declared = String::from_utf8_lossy(value).parse().ok();
                }
            }
            Sent::Data { stream, data, end } => {
                let response = self.responses.entry(stream.into()).or_default();
                for byte in data {
                    assert_eq!(byte, octet(stream.into(), response.received));
                    response.received += 1;
                }
                assert!(response.received <= response.given);
                if end {
                    assert!(response.is_finished);
                    assert_eq!(response.received, response.declared.unwrap_or(response.given));
                }
            }
            _ => {}
        }
    }

    /// Takes all that the connection has to say.
    fn settle(&mut self) {
        const MOST: usize = 10_000;
        for _ in 0..MOST {
            let before = self.fin;
            self.call(&Call::Transmit);
            let count = self.shown.len();
            self.call(&Call::Transmitted(count));
            let came = act(&mut self.connection.clone(), self.now, &Call::Event);
            self.call(&Call::Event);
            if count == 0 && came == Came::Event(None) && self.fin == before {
                return;
            }
        }
        panic!("it never comes to rest");
    }

    /// However it stands, it ends: at once when it is cut, else at the drain's deadline at the latest.
    fn end(mut self) {
        let mut cut = self.connection.clone();
        cut.abort(self.latest);
        let events: Vec<_> = std::iter::from_fn(|| cut.poll_event()).collect();
        let mut told = self.told.clone();
        let answered = |id: &u64| self.responses.get(id).is_some_and(|response| response.is_finished);
        for event in &events {
            told.note(event);
            told.requests.iter_mut().for_each(|(id, request)| request.is_answered = answered(id));
        }
        assert!(told.closed.is_some(), "it was cut and goes on");

        self.now = self.latest;
        self.call(&Call::Drain(self.now + Duration::from_secs(1000)));
        self.settle();
        self.now = self.connection.drains().expect("it has been told").deadline.max(self.latest);
        self.call(&Call::Timeout);
        self.settle();
        self.now = self.now + Config::default().timeouts.last_word.draining;
        self.call(&Call::Timeout);
        self.settle();
        assert!(self.told.closed.is_some(), "it is past its deadline and goes on");
        assert_eq!(self.connection.poll_timeout(), None);
    }
}

/// A call with its arguments.
#[derive(Debug)]
enum Call {
    Bytes(Vec<u8>),
    Eof,
    Gone,
    Timeout,
    SetDate,
    Respond(StreamId, u16, ResponseLength, Option<Field<'static>>),
    Inform(StreamId, u16, Option<Field<'static>>),
    SendBody(StreamId, Bytes),
    Finish(StreamId, Option<Field<'static>>),
    Reset(StreamId),
    ReadBody(StreamId),
    DiscardBody(StreamId),
    Release(StreamId, usize),
    Drain(Instant),
    Abort,
    Event,
    Transmit,
    Transmitted(usize),
}

impl Call {
    /// The stream that it is for; one that there is not, where it is for none.
    fn id(&self) -> StreamId {
        match self {
            Self::Respond(id, ..)
            | Self::Inform(id, ..)
            | Self::SendBody(id, _)
            | Self::Finish(id, _)
            | Self::Reset(id)
            | Self::ReadBody(id)
            | Self::DiscardBody(id)
            | Self::Release(id, _) => *id,
            _ => StreamId(0),
        }
    }
}

fn act(connection: &mut Connection, now: Instant, call: &Call) -> Came {
    match call {
        Call::Bytes(bytes) => connection.handle_bytes(now, bytes),
        Call::Eof => connection.handle_eof(now),
        Call::Gone => connection.handle_gone(now),
        Call::Timeout => connection.handle_timeout(now),
        Call::SetDate => {
            connection.set_date(Date::new(*b"Sun, 06 Nov 1994 08:49:37 GMT").expect("a date"));
        }
        Call::Respond(id, status, length, field) => {
            let head = ResponseHead { status: *status, fields: *field, length: *length };
            return Came::Answer(connection.respond(now, *id, head));
        }
        Call::Inform(id, status, field) => {
            return Came::Answer(connection.inform(now, *id, *status, *field));
        }
        Call::SendBody(id, data) => return Came::Answer(connection.send_body(now, *id, data.clone())),
        Call::Finish(id, trailer) => return Came::Answer(connection.finish(now, *id, *trailer)),
        Call::Reset(id) => return Came::Answer(connection.reset(now, *id)),
        Call::ReadBody(id) => return Came::Answer(connection.read_body(now, *id)),
        Call::DiscardBody(id) => return Came::Answer(connection.discard_body(now, *id)),
        Call::Release(id, count) => return Came::Answer(connection.release(now, *id, *count)),
        Call::Drain(deadline) => connection.drain(now, *deadline),
        Call::Abort => connection.abort(now),
        Call::Event => return Came::Event(connection.poll_event()),
        Call::Transmit => {
            return match connection.poll_transmit(now) {
                Some(Transmit::Bytes(pieces)) => {
                    let pieces: Vec<_> = pieces.collect();
                    assert!(pieces.iter().all(|piece| !piece.is_empty()), "an empty piece");
                    Came::Bytes(pieces.concat())
                }
                Some(Transmit::Fin) => Came::Fin,
                None => Came::Nothing,
            };
        }
        Call::Transmitted(count) => connection.transmitted(now, *count),
    }
    Came::Nothing
}

/// What a response's body has at this place.
fn octet(id: u64, at: usize) -> u8 {
    (id.wrapping_mul(31) as u8).wrapping_add(at as u8)
}

// A script is read byte by byte, to its end: what comes often in practice has the larger shares.

impl<'a> Arbitrary<'a> for Script {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let [choice, requests] = u.arbitrary()?;
        let window = if choice & 4 == 0 { Some(Increment::arbitrary(u)?) } else { None };
        let mut ops = vec![];
        while !u.is_empty() {
            ops.push(u.arbitrary()?);
        }
        Ok(Self {
            small_limits: choice & 1 != 0,
            cancel_on_half_close: choice & 2 != 0,
            greeted: (choice & 24 != 0).then_some(window),
            requests,
            ops,
        })
    }
}

impl<'a> Arbitrary<'a> for Op {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(match u.int_in_range(0..=63)? {
            0..=17 => Self::Say(u.arbitrary()?),
            18..=20 => Self::Hold(u.arbitrary()?),
            21 => Self::Arrive(u.arbitrary()?),
            22 => Self::Eof,
            23 => Self::Gone,
            24..=25 => Self::Timeout,
            26..=27 => Self::Due,
            28..=29 => Self::Pass(u.arbitrary()?),
            30 => Self::SetDate,
            31..=33 => {
                let (id, status) = (u.arbitrary()?, u.arbitrary()?);
                Self::Respond { id, status, length: short(u)?, field: u.arbitrary()? }
            }
            34..=38 => Self::Answer { id: u.arbitrary()?, size: u.arbitrary()?, trailer: short(u)? },
            39 => Self::Inform { id: u.arbitrary()?, status: u.arbitrary()?, field: u.arbitrary()? },
            40..=42 => Self::SendBody { id: u.arbitrary()?, size: u.arbitrary()? },
            43..=45 => Self::Finish { id: u.arbitrary()?, trailer: short(u)? },
            46 => Self::Reset(u.arbitrary()?),
            47 => Self::ReadBody(u.arbitrary()?),
            48 => Self::DiscardBody(u.arbitrary()?),
            49..=50 => Self::Release { id: u.arbitrary()?, count: u.arbitrary()? },
            51 => Self::Drain(u.arbitrary()?),
            52 => Self::Abort,
            53..=54 => Self::Event,
            55..=57 => Self::Transmit,
            58..=60 => Self::Transmitted(u.arbitrary()?),
            _ => Self::Settle,
        })
    }
}

/// A small number, or none.
fn short<T: From<u8>>(u: &mut Unstructured<'_>) -> Result<Option<T>> {
    let byte: u8 = u.arbitrary()?;
    Ok(byte.checked_sub(128).map(T::from))
}

impl<'a> Arbitrary<'a> for Said {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(match u.int_in_range(0..=31)? {
            0..=9 => Self::Request {
                stream: if u.ratio(7, 8)? { Number::Next } else { u.arbitrary()? },
                kind: u.arbitrary()?,
                shape: u.arbitrary()?,
                end: u.arbitrary()?,
            },
            10 => Self::Trailers { stream: u.arbitrary()?, end: u.arbitrary()? },
            11..=15 => {
                let (stream, size, end) = (u.arbitrary()?, u.arbitrary()?, u.arbitrary()?);
                Self::Data { stream, size, end, padding: short(u)? }
            }
            16 => Self::Reset { stream: u.arbitrary()?, code: u.arbitrary()? },
            17..=19 => {
                let stream = if u.arbitrary()? { Some(u.arbitrary()?) } else { None };
                Self::Grant { stream, by: u.arbitrary()? }
            }
            20..=21 => {
                let first = Some((u.arbitrary()?, u.arbitrary()?));
                let second = if u.arbitrary()? { Some((u.arbitrary()?, u.arbitrary()?)) } else { None };
                Self::Settings { first, second }
            }
            22 => Self::SettingsAck,
            23 => Self::Ping,
            24..=25 => Self::PingAck(u.arbitrary()?),
            26 => Self::GoAway(u.arbitrary()?),
            27 => Self::Priority(u.arbitrary()?, u.arbitrary()?),
            28 => Self::PriorityUpdate(u.arbitrary()?, u.arbitrary()?),
            29..=30 => Self::Frame {
                kind: u.arbitrary()?,
                flags: u.arbitrary()?,
                stream: u.arbitrary()?,
                payload: noise(u)?,
            },
            _ => Self::Bytes(noise(u)?),
        })
    }
}

fn noise(u: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let length = u.int_in_range(0..=16)?.min(u.len());
    u.bytes(length).map(<[u8]>::to_vec)
}

impl<'a> Arbitrary<'a> for Shape {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(match u.int_in_range(0..=15)? {
            0 => Self::Padded(u.arbitrary()?),
            1 => Self::Prioritized(u.arbitrary()?),
            2 => Self::InTwo(u.arbitrary()?),
            _ => Self::Plain,
        })
    }
}

impl<'a> Arbitrary<'a> for Number {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(match u.int_in_range(0..=31)? {
            back @ 0..=28 => Self::Used(back),
            29..=30 => Self::Next,
            _ => Self::Any(u.arbitrary()?),
        })
    }
}

impl<'a> Arbitrary<'a> for Size {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(match u.int_in_range(0..=31)? {
            size @ 0..=15 => Self::Small(size),
            16..=27 => Self::Some(u.arbitrary()?),
            28..=30 => Self::Large,
            _ => Self::Huge,
        })
    }
}

impl<'a> Arbitrary<'a> for Increment {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(match u.int_in_range(0..=15)? {
            0..=5 => Self::Small(u.arbitrary()?),
            6..=10 => Self::Usual,
            11..=13 => Self::Most,
            _ => Self::Any(u.arbitrary()?),
        })
    }
}

impl<'a> Arbitrary<'a> for Setting {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(match u.int_in_range(0..=7)? {
            0..=4 => Self::Window,
            5 => Self::Table,
            6 => Self::Frame,
            _ => Self::Any(u.arbitrary()?),
        })
    }
}

impl<'a> Arbitrary<'a> for Ack {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        u.choose(&[Self::Notice, Self::Probe, Self::Receipt, Self::Other]).copied()
    }
}

impl<'a> Arbitrary<'a> for Status {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(match u.int_in_range(0..=15)? {
            0 => Self::NoContent,
            1 => Self::NotModified,
            2..=3 => Self::EarlyHints,
            4 => Self::NotFound,
            5 => Self::Any(u.arbitrary()?),
            _ => Self::Ok,
        })
    }
}

impl Number {
    fn of(self, highest: u32) -> u32 {
        match self {
            Self::Used(back) => highest.saturating_sub(2 * u32::from(back % 8)),
            Self::Next if highest == 0 => 1,
            Self::Next => (highest.saturating_add(2)) | 1,
            Self::Any(number) => number,
        }
    }
}

impl Size {
    fn of(self) -> usize {
        match self {
            Self::Small(size) => usize::from(size % 16),
            Self::Some(size) => usize::from(size) % 4096,
            Self::Large => 20_000,
            Self::Huge => 70_000,
        }
    }
}

impl Increment {
    fn of(self) -> u32 {
        match self {
            Self::Small(by) => by.into(),
            Self::Usual => 65_535,
            Self::Most => 0x7fff_ffff,
            Self::Any(by) => by,
        }
    }
}

impl Setting {
    fn of(self) -> u16 {
        match self {
            Self::Window => setting::INITIAL_WINDOW_SIZE,
            Self::Table => setting::HEADER_TABLE_SIZE,
            Self::Frame => setting::MAX_FRAME_SIZE,
            Self::Any(id) => id,
        }
    }
}

impl Status {
    fn of(self) -> u16 {
        match self {
            Self::Ok => 200,
            Self::NoContent => 204,
            Self::NotModified => 304,
            Self::EarlyHints => 103,
            Self::NotFound => 404,
            Self::Any(status) => status,
        }
    }
}
