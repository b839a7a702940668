//! Properties of one HTTP/1 connection over random input and random orders of calls.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use lameduck_core::{
    Config, Connection, Event, Field, HalfClose, Instant, Limits, ResponseHead, ResponseLength, Stage,
    StreamId, Timeouts, Transmit,
};
use lameduck_tests::reader::{Asked, Delimited, Extent, read_replies};
use lameduck_tests::wire::{Answer, serve_cut, show};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

const REQUESTS: [&str; 14] = [
    "GET / HTTP/1.1\r\nhost: a\r\n\r\n",
    "HEAD /h HTTP/1.1\r\nhost: a\r\n\r\n",
    "\r\n\r\nGET /after-empty-lines HTTP/1.1\r\nhost: a\r\n\r\n",
    "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 11\r\n\r\nhello world",
    "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n6;e=\"x\"\r\n world\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\nx: y\r\nz: w\r\n\r\n",
    "PUT / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\nabc",
    "GET / HTTP/1.0\r\n\r\n",
    "GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
    "CONNECT a:1 HTTP/1.1\r\nhost: a:1\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n",
    "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
];

/// Input of a peer: requests, requests with a few bytes changed, and noise.
fn input() -> impl Strategy<Value = Vec<u8>> {
    let request = select(&REQUESTS[..]).prop_map(|text| text.as_bytes().to_vec());
    let change = (any::<prop::sample::Index>(), select(b"\r\n :;,aA0f9\0\x80\xff{".to_vec()));
    let changed = (request.clone(), vec((change, 0..3_u8), 1..4)).prop_map(|(mut text, changes)| {
        for ((at, byte), how) in changes {
            let at = at.index(text.len());
            match how {
                0 => text[at] = byte,
                1 => text.insert(at, byte),
                _ => drop(text.remove(at)),
            }
        }
        text
    });
    let noise = vec(any::<u8>(), 0..40);
    vec(prop_oneof![6 => request, 3 => changed, 1 => noise], 0..6).prop_map(|parts| parts.concat())
}

fn narrow() -> Config {
    let limits = Limits {
        body_window: 3,
        discard: 4,
        pipeline: 8,
        send_queue: 16,
        chunk_extensions: 4,
        head: 100,
        target: 10,
        fields: 4,
        body: Some(20),
        ..Limits::default()
    };
    Config { limits, ..Config::default() }
}

/// What a connection may be set up with, sensible or not.
fn config() -> impl Strategy<Value = Arc<Config>> {
    let zero = Limits {
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
    let few = Limits { body_window: 0, discard: 0, pipeline: 0, send_queue: 0, ..Limits::default() };
    let never = lameduck_core::Allowance { serving: Duration::MAX, draining: Duration::ZERO };
    let odd = Timeouts { keep_alive: never, linger: never, ..Timeouts::default() };
    select(vec![
        Config::default(),
        narrow(),
        Config { limits: few, ..Config::default() },
        Config { limits: zero, ..Config::default() },
        Config { half_close: HalfClose::Cancel, ..Config::default() },
        Config { timeouts: odd, ..Config::default() },
    ])
    .prop_map(Arc::new)
}

/// A call, with whatever arguments.
#[derive(Clone, Debug)]
enum Call {
    Bytes(Vec<u8>),
    Eof,
    Gone,
    Timeout,
    WakeInTime,
    Respond { id: u64, status: u16, length: Option<u64>, close: bool },
    Inform { id: u64, status: u16 },
    Body { id: u64, size: usize },
    Finish { id: u64, trailers: bool },
    Reset { id: u64 },
    ReadBody { id: u64 },
    Discard { id: u64 },
    Release { id: u64, count: usize },
    Drain { grace: i64 },
    Abort,
    PollEvent,
    PollAll,
    Transmit { count: usize },
    Pass { millis: i64 },
}

fn call() -> impl Strategy<Value = Call> {
    // Mostly the first few requests, so that the call means something.
    let id = || prop_oneof![8 => 1..4_u64, 1 => Just(0), 1 => any::<u64>()];
    let size = || prop_oneof![6 => 0..8_usize, 1 => Just(3_000), 1 => Just(70_000)];
    let count = || prop_oneof![4 => 0..50_usize, 1 => Just(usize::MAX)];
    let status = prop_oneof![8 => Just(200_u16), 1 => Just(101), 1 => Just(204), 1 => any::<u16>()];
    let length = prop_oneof![2 => Just(None), 3 => (0..8_u64).prop_map(Some), 1 => Just(Some(u64::MAX))];
    let span = || prop_oneof![4 => -500..2_000_i64, 1 => Just(90_000), 1 => Just(i64::MAX / 4_000_000)];
    prop_oneof![
        8 => input().prop_map(Call::Bytes),
        4 => vec(any::<prop::sample::Index>(), 2).prop_flat_map(|cut| input().prop_map(move |text| {
            let mut at = cut.iter().map(|at| at.index(text.len() + 1));
            let (a, b) = (at.next().unwrap_or(0), at.next().unwrap_or(0));
            Call::Bytes(text[a.min(b)..a.max(b)].to_vec())
        })),
        1 => Just(Call::Eof),
        1 => Just(Call::Gone),
        2 => Just(Call::Timeout),
        2 => Just(Call::WakeInTime),
        8 => (id(), status, length, any::<bool>())
            .prop_map(|(id, status, length, close)| Call::Respond { id, status, length, close }),
        1 => (id(), 90..210_u16).prop_map(|(id, status)| Call::Inform { id, status }),
        6 => (id(), size()).prop_map(|(id, size)| Call::Body { id, size }),
        6 => (id(), any::<bool>()).prop_map(|(id, trailers)| Call::Finish { id, trailers }),
        1 => id().prop_map(|id| Call::Reset { id }),
        2 => id().prop_map(|id| Call::ReadBody { id }),
        2 => id().prop_map(|id| Call::Discard { id }),
        3 => (id(), count()).prop_map(|(id, count)| Call::Release { id, count }),
        1 => (-1_000..100_000_i64).prop_map(|grace| Call::Drain { grace }),
        1 => Just(Call::Abort),
        6 => Just(Call::PollEvent),
        6 => Just(Call::PollAll),
        6 => count().prop_map(|count| Call::Transmit { count }),
        3 => span().prop_map(|millis| Call::Pass { millis }),
    ]
}

/// A connection under a caller who does as it likes, and what came of it.
struct Run {
    connection: Connection,
    now: Instant,
    events: Vec<Event>,
    sent: Vec<u8>,
    fin: bool,
    deadline: Option<Instant>,
}

impl Run {
    fn new(config: &Arc<Config>) -> Self {
        let now = Instant::from_millis(1_000_000);
        let connection = Connection::new(Arc::clone(config), now);
        Self { connection, now, events: Vec::new(), sent: Vec::new(), fin: false, deadline: None }
    }

    fn call(&mut self, call: &Call) {
        let now = self.now;
        let connection = &mut self.connection;
        // What a misused call answers is not asked here: only that it harms nothing.
        match call {
            Call::Bytes(bytes) => connection.handle_bytes(now, bytes),
            Call::Eof => connection.handle_eof(now),
            Call::Gone => connection.handle_gone(now),
            Call::Timeout => connection.handle_timeout(now),
            Call::WakeInTime => self.wake(),
            Call::Respond { id, status, length, close } => {
                let length = length.map_or(ResponseLength::Unknown, ResponseLength::Known);
                let fields = close.then_some(Field { name: "connection", value: b"close" });
                let head = ResponseHead { status: *status, fields, length };
                let _ = connection.respond(now, StreamId(*id), head);
            }
            Call::Inform { id, status } => {
                let _ = connection.inform(now, StreamId(*id), *status, []);
            }
            Call::Body { id, size } => {
                let _ = connection.send_body(now, StreamId(*id), Bytes::from(vec![b'x'; *size]));
            }
            Call::Finish { id, trailers } => {
                let trailers = trailers.then_some(Field { name: "x", value: b"y" });
                let _ = connection.finish(now, StreamId(*id), trailers);
            }
            Call::Reset { id } => drop(connection.reset(now, StreamId(*id))),
            Call::ReadBody { id } => drop(connection.read_body(now, StreamId(*id))),
            Call::Discard { id } => drop(connection.discard_body(now, StreamId(*id))),
            Call::Release { id, count } => drop(connection.release(now, StreamId(*id), *count)),
            Call::Drain { grace } => {
                let deadline = shifted(now, *grace);
                connection.drain(now, deadline);
                self.deadline = Some(self.deadline.map_or(deadline, |earlier| earlier.min(deadline)));
                let once = self.connection.clone();
                self.connection.drain(now, deadline);
                assert!(once == self.connection, "a drain is a level");
            }
            Call::Abort => connection.abort(now),
            Call::PollEvent => self.events.extend(connection.poll_event()),
            Call::PollAll => self.poll_all(),
            Call::Transmit { count } => {
                self.transmit(*count);
            }
            Call::Pass { millis } => self.now = shifted(now, *millis),
        }
        let mut told = self.connection.clone();
        told.handle_timeout(self.now);
        let is_past = told.poll_timeout().is_some_and(|due| due <= self.now);
        assert!(!is_past, "{:?} lies in the past", told.poll_timeout());
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

    fn poll_all(&mut self) {
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
    fn end(&mut self) {
        let patience = Duration::from_secs(1_000);
        let deadline = self.now + patience;
        self.connection.drain(self.now, deadline);
        for _ in 0..40 {
            self.poll_all();
            if self.connection.status().stage == Stage::Closed {
                break;
            }
            self.wake();
        }
        self.poll_all();
        assert_eq!(self.connection.status().stage, Stage::Closed, "time alone ends a drain");
        assert!(self.now <= deadline, "by its deadline");
        assert_eq!(self.connection.poll_timeout(), None);
        assert!(!self.connection.wants_read());
    }
}

fn shifted(now: Instant, millis: i64) -> Instant {
    let nanos = now.as_nanos().saturating_add_signed(millis.saturating_mul(1_000_000));
    Instant::from_nanos(nanos)
}

/// What must be true of the events of one connection, however it was driven.
fn assert_events_in_order(events: &[Event]) {
    let mut last = 0;
    let mut ends = Vec::new();
    for (at, event) in events.iter().enumerate() {
        let rest = &events[at + 1..];
        match event {
            Event::Request { id, .. } => {
                assert!(id.0 > last, "{events:?}");
                last = id.0;
            }
            Event::Data { id, data } => assert!(id.0 == last && !data.is_empty(), "{events:?}"),
            Event::End { id, .. } => {
                assert_eq!(id.0, last, "{events:?}");
                ends.push(*id);
            }
            Event::Cancelled { id, .. } => {
                assert!(id.0 == last && matches!(rest, [] | [Event::Closed(_)]), "{events:?}");
            }
            Event::Refused { .. } => panic!("HTTP/1 refuses with a response: {events:?}"),
            Event::Closed(_) => assert!(rest.is_empty(), "{events:?}"),
        }
    }
    assert!(matches!(events.last(), Some(Event::Closed(_))), "{events:?}");
    // A request with a body that turns into a tunnel has two ends: the body's and the tunnel's.
    assert!(ends.windows(3).all(|ends| ends[0] != ends[2]), "{events:?}");
}

/// `PROPTEST_CASES` makes it more.
fn cases() -> ProptestConfig {
    let default = ProptestConfig::default();
    ProptestConfig { cases: 2 * default.cases, failure_persistence: None, ..default }
}

fn answer_by(kind: u8) -> impl Fn(&lameduck_tests::wire::Request) -> Answer {
    move |request| match kind {
        0 => Answer::ok(),
        1 => Answer::new(200).with_pieces(&["he", "llo"]).with_trailer("x", "y"),
        2 => Answer::new(204),
        3 => Answer::new(304),
        _ => Answer::willing(request),
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn no_split_of_any_input_changes_what_comes_of_it(
        input in input(),
        cuts in vec(any::<prop::sample::Index>(), 0..6),
        kind in 0..5_u8,
        few in any::<bool>(),
    ) {
        let config = if few { narrow() } else { Config::default() };
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(input.len() + 1)).collect();
        cuts.sort_unstable();
        let whole = serve_cut(&config, &input, [], answer_by(kind));
        let split = serve_cut(&config, &input, cuts, answer_by(kind));
        let bytes = serve_cut(&config, &input, 0..input.len(), answer_by(kind));
        prop_assert_eq!(&whole, &split, "{}", show(&input));
        prop_assert_eq!(&whole, &bytes, "{}", show(&input));
    }

    #[test]
    fn what_is_sent_for_any_input_is_read_back_in_order(input in input(), kind in 0..5_u8) {
        let outcome = serve_cut(&Config::default(), &input, [], answer_by(kind));
        let asked = |at: usize| match outcome.requests.get(at).map(|request| request.method.as_str()) {
            Some("HEAD") => Asked::Head,
            Some("CONNECT") => Asked::Connect,
            _ => Asked::Plain,
        };
        let replies = read_replies(&outcome.sent, asked).map_err(|error| TestCaseError::fail(error.0))?;
        let refusals = usize::from(replies.last().is_some_and(|reply| reply.status >= 400));
        prop_assert_eq!(replies.len(), outcome.requests.len() + refusals);
        for reply in &replies {
            let whole = matches!(reply.delimited, Delimited::Close | Delimited::Tunnel);
            prop_assert!(reply.extent == Extent::Whole || whole, "{:?}", reply);
        }
    }

    #[test]
    fn any_order_of_calls_is_legal_and_ends(config in config(), calls in vec(call(), 0..40)) {
        let mut run = Run::new(&config);
        calls.iter().for_each(|call| run.call(call));
        run.end();
        assert_events_in_order(&run.events);
    }

    #[test]
    fn equal_inputs_lead_to_equal_outputs(config in config(), calls in vec(call(), 0..40)) {
        let mut runs = [Run::new(&config), Run::new(&config)];
        for run in &mut runs {
            calls.iter().for_each(|call| run.call(call));
            run.end();
        }
        let [one, other] = runs;
        prop_assert!(one.connection == other.connection);
        prop_assert_eq!((one.events, one.sent, one.fin), (other.events, other.sent, other.fin));
    }

    #[test]
    fn a_getter_and_a_wake_too_early_change_nothing(config in config(), calls in vec(call(), 0..30)) {
        let mut run = Run::new(&config);
        calls.iter().for_each(|call| run.call(call));
        run.connection.handle_timeout(run.now);
        let before = run.connection.clone();
        run.connection.handle_timeout(Instant::ORIGIN);
        run.connection.handle_timeout(run.now);
        let _ = (run.connection.status(), run.connection.wants_read(), run.connection.send_capacity(StreamId(1)));
        prop_assert!(before == run.connection);
    }

    #[test]
    fn any_response_is_read_back_as_it_was_given(
        status in prop_oneof![Just(200_u16), 201..600_u16],
        names in vec("[a-z][a-z0-9-]{0,8}", 0..6),
        values in vec("[ -~]{0,12}", 6),
        pieces in vec(vec(any::<u8>(), 0..30), 0..5),
        known in any::<bool>(),
        head in any::<bool>(),
    ) {
        let mut connection = Connection::new(Arc::default(), Instant::ORIGIN);
        let method = if head { "HEAD" } else { "GET" };
        connection.handle_bytes(Instant::ORIGIN, format!("{method} / HTTP/1.1\r\nhost: a\r\n\r\n").as_bytes());
        let own = ["connection", "content-length", "transfer-encoding", "keep-alive", "date", "upgrade", "trailer"];
        let names: Vec<_> = names.into_iter().filter(|name| !own.contains(&name.as_str())).collect();
        let fields = names.iter().zip(&values).map(|(name, value)| Field { name, value: value.as_bytes() });
        let body = pieces.concat();
        let length = if known { ResponseLength::Known(body.len() as u64) } else { ResponseLength::Unknown };
        let (now, id) = (Instant::ORIGIN, StreamId(1));
        connection.respond(now, id, ResponseHead { status, fields, length }).expect("the request is there");
        for piece in &pieces {
            connection.send_body(now, id, Bytes::from(piece.clone())).expect("it was declared");
        }
        connection.finish(now, id, []).expect("the body is whole");
        let sent: Vec<u8> = match connection.poll_transmit(now) {
            Some(Transmit::Bytes(pieces)) => pieces.flatten().copied().collect(),
            _ => Vec::new(),
        };

        let asked = if head { Asked::Head } else { Asked::Plain };
        let replies = read_replies(&sent, |_| asked).map_err(|error| TestCaseError::fail(error.0))?;
        let [reply] = &replies[..] else { return Err(TestCaseError::fail("one response")) };
        let bodiless = head || matches!(status, 204 | 304);
        prop_assert_eq!(reply.status, status);
        prop_assert_eq!(reply.extent, Extent::Whole);
        prop_assert_eq!(&reply.body, if bodiless { &b""[..] } else { &body });
        let mut slots = [httparse::EMPTY_HEADER; 32];
        let mut parsed = httparse::Response::new(&mut slots);
        prop_assert!(parsed.parse(&sent).expect("a response").is_complete());
        prop_assert_eq!(parsed.code, Some(status));
        let given = names.iter().zip(&values).map(|(name, value)| (name.as_str(), value.trim_matches([' ', '\t']).as_bytes()));
        let read = parsed.headers.iter().map(|field| (field.name, field.value.trim_ascii()));
        let read: Vec<_> = read.filter(|(name, _)| !own.contains(name)).collect();
        prop_assert_eq!(read, given.collect::<Vec<_>>());
    }
}
