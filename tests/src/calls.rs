//! A caller who calls a connection as it likes, and what comes of that.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use lameduck_core::{
    Config, Connection, Event, Field, Instant, Limits, ResponseHead, ResponseLength, Stage, StreamId,
    Transmit,
};
use proptest::prelude::*;

/// A call of whatever protocol, with whatever arguments.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "they are the connection's own methods")]
pub enum Call {
    Eof,
    Gone,
    Timeout,
    /// Time moves on to the next deadline, and the connection is told.
    WakeInTime,
    Respond {
        id: u64,
        status: u16,
        length: Option<u64>,
        close: bool,
    },
    Inform {
        id: u64,
        status: u16,
    },
    Body {
        id: u64,
        size: usize,
    },
    Finish {
        id: u64,
        trailers: bool,
    },
    /// A whole response.
    Answer {
        id: u64,
        size: usize,
    },
    Reset {
        id: u64,
    },
    ReadBody {
        id: u64,
    },
    Discard {
        id: u64,
    },
    Release {
        id: u64,
        count: usize,
    },
    Drain {
        grace: i64,
    },
    Abort,
    PollEvent,
    /// Takes all events and all output.
    PollAll,
    Transmit {
        count: usize,
    },
    Pass {
        millis: i64,
    },
}

/// Any call, mostly for one of the requests that `id` makes.
pub fn call<I>(id: impl Fn() -> I) -> impl Strategy<Value = Call>
where
    I: Strategy<Value = u64> + 'static,
{
    let size = || prop_oneof![6 => 0..8_usize, 1 => Just(3_000), 1 => Just(70_000)];
    let count = || prop_oneof![4 => 0..50_usize, 1 => Just(usize::MAX)];
    let status = prop_oneof![8 => Just(200_u16), 1 => Just(101), 1 => Just(204), 1 => any::<u16>()];
    let length = prop_oneof![2 => Just(None), 3 => (0..8_u64).prop_map(Some), 1 => Just(Some(u64::MAX))];
    let span = || prop_oneof![4 => -500..2_000_i64, 1 => Just(90_000), 1 => Just(i64::MAX / 4_000_000)];
    prop_oneof![
        1 => Just(Call::Eof),
        1 => Just(Call::Gone),
        2 => Just(Call::Timeout),
        2 => Just(Call::WakeInTime),
        6 => (id(), status, length, any::<bool>())
            .prop_map(|(id, status, length, close)| Call::Respond { id, status, length, close }),
        1 => (id(), 90..210_u16).prop_map(|(id, status)| Call::Inform { id, status }),
        6 => (id(), size()).prop_map(|(id, size)| Call::Body { id, size }),
        6 => (id(), any::<bool>()).prop_map(|(id, trailers)| Call::Finish { id, trailers }),
        4 => (id(), size()).prop_map(|(id, size)| Call::Answer { id, size }),
        1 => id().prop_map(|id| Call::Reset { id }),
        2 => id().prop_map(|id| Call::ReadBody { id }),
        2 => id().prop_map(|id| Call::Discard { id }),
        4 => (id(), count()).prop_map(|(id, count)| Call::Release { id, count }),
        1 => (-1_000..100_000_i64).prop_map(|grace| Call::Drain { grace }),
        1 => Just(Call::Abort),
        6 => Just(Call::PollEvent),
        7 => Just(Call::PollAll),
        6 => count().prop_map(|count| Call::Transmit { count }),
        3 => span().prop_map(|millis| Call::Pass { millis }),
    ]
}

/// Limits of nothing at all.
pub const NO_ROOM: Limits = Limits {
    body_window: 0,
    discard: 0,
    pipeline: 0,
    send_queue: 0,
    chunk_extensions: 0,
    head: 0,
    target: 0,
    fields: 0,
    body: Some(0),
    stream_window: 0,
    stream_window_most: 0,
    connection_window: 0,
    header_table: 0,
    streams: 0,
};

/// How many cases a property is asked for; `PROPTEST_CASES` makes it more.
pub fn cases() -> ProptestConfig {
    let default = ProptestConfig::default();
    ProptestConfig { cases: 2 * default.cases, failure_persistence: None, ..default }
}

/// A connection under such a caller, and what it has said.
#[derive(Debug)]
#[allow(missing_docs, reason = "their names say it")]
pub struct Caller {
    pub connection: Connection,
    pub now: Instant,
    pub events: Vec<Event>,
    pub sent: Vec<u8>,
    pub fin: bool,
    last_word: Duration,
}

impl Caller {
    /// One who calls what `connect` makes.
    pub fn new(config: &Arc<Config>, connect: impl FnOnce(Arc<Config>, Instant) -> Connection) -> Self {
        let now = Instant::from_millis(1_000_000);
        Self {
            connection: connect(Arc::clone(config), now),
            now,
            events: Vec::new(),
            sent: Vec::new(),
            fin: false,
            last_word: config.timeouts.last_word.draining,
        }
    }

    /// The peer's bytes.
    pub fn receive(&mut self, bytes: &[u8]) {
        self.connection.handle_bytes(self.now, bytes);
        self.expect_no_past();
    }

    /// One call. What a misused one answers is not asked here: only that it harms nothing.
    pub fn call(&mut self, call: &Call) {
        let now = self.now;
        let connection = &mut self.connection;
        match *call {
            Call::Eof => connection.handle_eof(now),
            Call::Gone => connection.handle_gone(now),
            Call::Timeout => connection.handle_timeout(now),
            Call::WakeInTime => self.wake(),
            Call::Respond { id, status, length, close } => {
                let length = length.map_or(ResponseLength::Unknown, ResponseLength::Known);
                let (name, value): (_, &[u8]) = if close { ("connection", b"close") } else { ("x", b"y") };
                let head = ResponseHead { status, fields: [Field { name, value }], length };
                let _ = connection.respond(now, StreamId(id), head);
            }
            Call::Inform { id, status } => drop(connection.inform(now, StreamId(id), status, [])),
            Call::Body { id, size } => drop(connection.send_body(now, StreamId(id), filler(size))),
            Call::Finish { id, trailers } => {
                let trailers = trailers.then_some(Field { name: "x", value: b"y" });
                let _ = connection.finish(now, StreamId(id), trailers);
            }
            Call::Answer { id, size } => {
                let head = ResponseHead { status: 200, fields: [], length: ResponseLength::Unknown };
                let _ = connection.respond(now, StreamId(id), head);
                let _ = connection.send_body(now, StreamId(id), filler(size));
                let _ = connection.finish(now, StreamId(id), []);
            }
            Call::Reset { id } => drop(connection.reset(now, StreamId(id))),
            Call::ReadBody { id } => drop(connection.read_body(now, StreamId(id))),
            Call::Discard { id } => drop(connection.discard_body(now, StreamId(id))),
            Call::Release { id, count } => drop(connection.release(now, StreamId(id), count)),
            Call::Drain { grace } => self.drain(shifted(now, grace)),
            Call::Abort => connection.abort(now),
            Call::PollEvent => self.events.extend(connection.poll_event()),
            Call::PollAll => self.poll_all(),
            Call::Transmit { count } => drop(self.transmit(count)),
            Call::Pass { millis } => self.now = shifted(now, millis),
        }
        self.expect_no_past();
    }

    fn drain(&mut self, deadline: Instant) {
        self.connection.drain(self.now, deadline);
        let once = self.connection.clone();
        self.connection.drain(self.now, deadline);
        assert!(once == self.connection, "a drain is a level: {once:?}\n{:?}", self.connection);
    }

    fn expect_no_past(&self) {
        let mut told = self.connection.clone();
        told.handle_timeout(self.now);
        let is_past = told.poll_timeout().is_some_and(|due| due <= self.now);
        assert!(!is_past, "{:?} lies in the past: {told:?}", told.status().due);
    }

    fn wake(&mut self) {
        if let Some(due) = self.connection.poll_timeout() {
            self.now = self.now.max(due);
            self.connection.handle_timeout(self.now);
        }
    }

    /// Takes up to `most` of the output; whether there was any.
    fn transmit(&mut self, most: usize) -> bool {
        match self.connection.poll_transmit(self.now) {
            None => false,
            Some(Transmit::Fin) => {
                assert!(!self.fin, "a second FIN");
                self.fin = true;
                true
            }
            Some(Transmit::Bytes(pieces)) => {
                assert!(!self.fin, "bytes after the FIN");
                let mut bytes = Vec::new();
                for piece in pieces {
                    assert!(!piece.is_empty());
                    bytes.extend_from_slice(piece);
                }
                bytes.truncate(most);
                self.sent.extend_from_slice(&bytes);
                self.connection.transmitted(self.now, bytes.len());
                !bytes.is_empty()
            }
        }
    }

    /// Takes all events and all output.
    pub fn poll_all(&mut self) {
        loop {
            let before = self.events.len();
            while let Some(event) = self.connection.poll_event() {
                self.events.push(event);
            }
            if !self.transmit(usize::MAX) && before == self.events.len() {
                return;
            }
        }
    }

    /// The server drains, and nothing comes any more.
    ///
    /// # Panics
    /// Where time alone does not end that by its deadline.
    pub fn end(&mut self) {
        let deadline = self.now + Duration::from_secs(1_000);
        self.connection.drain(self.now, deadline);
        for _ in 0..60 {
            self.poll_all();
            if self.connection.status().stage == Stage::Closed {
                break;
            }
            self.wake();
        }
        self.poll_all();
        assert_eq!(self.connection.status().stage, Stage::Closed, "time alone ends a drain");
        let last_word =
            if self.connection.status().protocol == "HTTP/2" { self.last_word } else { Duration::ZERO };
        assert!(self.now <= deadline + last_word, "by its deadline, and its last word");
        assert_eq!(self.connection.poll_timeout(), None);
        assert!(!self.connection.wants_read());
    }

    /// Asks what may change nothing.
    ///
    /// # Panics
    /// Where it does.
    pub fn expect_getters_and_early_wakes_to_change_nothing(mut self) {
        self.connection.handle_timeout(self.now);
        let before = self.connection.clone();
        self.connection.handle_timeout(Instant::ORIGIN);
        self.connection.handle_timeout(self.now);
        let connection = &self.connection;
        let _ = (connection.status(), connection.wants_read(), connection.send_capacity(StreamId(1)));
        assert!(before == self.connection, "{before:?}\n{:?}", self.connection);
    }
}

fn filler(size: usize) -> Bytes {
    Bytes::from(vec![b'x'; size])
}

fn shifted(now: Instant, millis: i64) -> Instant {
    let nanos = now.as_nanos().saturating_add_signed(millis.saturating_mul(1_000_000));
    Instant::from_nanos(nanos)
}
