//! Properties of one HTTP/2 connection over random frames and random orders of calls.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use lameduck_core::{
    Allowance, Config, Connection, Event, Field, HalfClose, Instant, Limits, ResponseHead, ResponseLength,
    Stage, StreamId, Timeouts, Transmit,
};
use lameduck_tests::checks::merged;
use lameduck_tests::h2::frame;
use lameduck_tests::h2::{Frame, PREFACE, Reader, Requests, Sent, fields, setting};
use lameduck_tests::model::http2::client::goaways;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// Something that a peer sends. The field blocks are made when it is sent, so that HPACK is in step.
#[derive(Clone, Debug)]
enum Piece {
    Request { stream: u32, kind: u8, end: bool, padding: Option<u8> },
    InTwo { stream: u32, end: bool },
    Trailers { stream: u32 },
    Frame(Frame),
    Noise(Vec<u8>),
}

/// Streams that a peer names: mostly those that it has opened.
fn stream() -> impl Strategy<Value = u32> {
    prop_oneof![12 => (0..5_u32).prop_map(|at| 2 * at + 1), 1 => Just(0), 1 => Just(2), 1 => any::<u32>()]
}

fn increment() -> impl Strategy<Value = u32> {
    prop_oneof![6 => 1..100_u32, 2 => Just(65_535), 1 => Just(0), 1 => Just(0x7fff_ffff), 1 => any::<u32>()]
}

fn settings() -> impl Strategy<Value = Frame> {
    let size = prop_oneof![3 => 0..20_u32, 1 => Just(65_535), 1 => any::<u32>()];
    let one = prop_oneof![
        4 => size.prop_map(|size| (setting::INITIAL_WINDOW_SIZE, size)),
        1 => prop_oneof![Just(0), Just(100), any::<u32>()].prop_map(|size| (setting::HEADER_TABLE_SIZE, size)),
        1 => prop_oneof![Just(16_384), Just(99_999), any::<u32>()].prop_map(|size| (setting::MAX_FRAME_SIZE, size)),
        1 => (any::<u16>(), any::<u32>()),
    ];
    vec(one, 0..3).prop_map(|all| frame::settings(&all))
}

fn data() -> impl Strategy<Value = Frame> {
    let size = prop_oneof![6 => 0..20_usize, 1 => Just(16_384), 1 => Just(3_000)];
    (stream(), size, any::<bool>(), prop::option::weighted(0.2, 0..9_u8)).prop_map(
        |(stream, size, end, padding)| {
            let frame = frame::data(stream, vec![b'd'; size]);
            let frame = if end { frame.end_stream() } else { frame };
            padding.map_or(frame.clone(), |padding| frame.padded(padding))
        },
    )
}

fn plain() -> impl Strategy<Value = Frame> {
    let acks = select(vec![*b"lameduck", *b"you here", [7; 8]]);
    prop_oneof![
        6 => data(),
        2 => (stream(), 0..14_u32).prop_map(|(stream, code)| frame::rst_stream(stream, code)),
        4 => (stream(), increment()).prop_map(|(stream, by)| frame::window_update(stream, by)),
        2 => settings(),
        2 => Just(frame::settings_ack()),
        1 => Just(frame::ping([1; 8])),
        3 => acks.prop_map(frame::ping_ack),
        1 => stream().prop_map(|last| frame::goaway(last, 0, "bye")),
        1 => stream().prop_map(|stream| frame::priority(stream, 0, 9)),
        1 => (stream(), select(vec!["u=1", "i", "u=7, i", "?"]))
            .prop_map(|(stream, value)| frame::priority_update(stream, value)),
        1 => (any::<u8>(), stream(), vec(any::<u8>(), 0..20))
            .prop_map(|(kind, stream, payload)| Frame::new(kind, stream, payload)),
    ]
}

/// A frame, or one that lies.
fn frame() -> impl Strategy<Value = Frame> {
    let lie = (plain(), 0..4_u8, any::<u8>()).prop_map(|(frame, how, by)| match how {
        0 => frame.with_flags(by),
        1 => frame.on_stream(u32::from(by)),
        2 => frame.saying_length(u32::from(by)),
        _ => frame.with_payload(vec![by; usize::from(by % 9)]),
    });
    prop_oneof![9 => plain(), 1 => lie]
}

fn piece() -> impl Strategy<Value = Piece> {
    let padding = prop::option::weighted(0.1, 0..9_u8);
    prop_oneof![
        10 => (stream(), 0..6_u8, any::<bool>(), padding)
            .prop_map(|(stream, kind, end, padding)| Piece::Request { stream, kind, end, padding }),
        1 => (stream(), any::<bool>()).prop_map(|(stream, end)| Piece::InTwo { stream, end }),
        1 => stream().prop_map(|stream| Piece::Trailers { stream }),
        14 => frame().prop_map(Piece::Frame),
        1 => vec(any::<u8>(), 0..30).prop_map(Piece::Noise),
    ]
}

fn greeting() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => Just(frame::join([PREFACE, frame::settings(&[]).as_ref(), frame::settings_ack().as_ref()])),
        4 => settings().prop_map(|settings| frame::join([PREFACE, settings.as_ref()])),
        1 => (0..PREFACE.len()).prop_map(|length| PREFACE[..length].to_vec()),
        1 => vec(any::<u8>(), 0..40),
    ]
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
        body_window_most: 0,
        connection_window: 0,
        header_table: 0,
        streams: 0,
    };
    let few = Limits { body_window: 3, send_queue: 16, streams: 2, body: Some(30), ..Limits::default() };
    let huge = Limits {
        body_window: usize::MAX,
        body_window_most: u32::MAX,
        connection_window: u32::MAX,
        header_table: u16::MAX,
        streams: u32::MAX,
        ..Limits::default()
    };
    let never = Allowance { serving: Duration::MAX, draining: Duration::ZERO };
    let odd = Timeouts { keep_alive: never, linger: never, goaway_ack: never, ..Timeouts::default() };
    let now = Allowance { serving: Duration::ZERO, draining: Duration::ZERO };
    let none = Timeouts {
        first_request: now,
        keep_alive: now,
        handshake: now,
        head: now,
        body: now,
        write: now,
        settings_ack: now,
        silence: now,
        ping_ack: now,
        goaway_ack: now,
        linger_quiet: now,
        linger: now,
        last_word: now,
    };
    select(vec![
        Config::default(),
        Config { limits: few, ..Config::default() },
        Config { limits: zero, ..Config::default() },
        Config { limits: huge, ..Config::default() },
        Config { half_close: HalfClose::Cancel, ..Config::default() },
        Config { timeouts: odd, ..Config::default() },
        Config { timeouts: none, ..Config::default() },
    ])
    .prop_map(Arc::new)
}

/// A call, with whatever arguments.
#[derive(Clone, Debug)]
enum Call {
    Send(Vec<Piece>, usize),
    Eof,
    Gone,
    Timeout,
    WakeInTime,
    Respond { id: u64, status: u16, length: Option<u64> },
    Inform { id: u64, status: u16 },
    Body { id: u64, size: usize },
    Finish { id: u64, trailers: bool },
    Answer { id: u64, size: usize },
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
    let id = || prop_oneof![12 => (0..5_u64).prop_map(|at| 2 * at + 1), 1 => Just(0), 1 => any::<u64>()];
    let size = || prop_oneof![6 => 0..8_usize, 1 => Just(3_000), 1 => Just(70_000)];
    let count = || prop_oneof![4 => 0..50_usize, 1 => Just(usize::MAX)];
    let status = prop_oneof![8 => Just(200_u16), 1 => Just(101), 1 => Just(204), 1 => any::<u16>()];
    let length = prop_oneof![2 => Just(None), 3 => (0..8_u64).prop_map(Some), 1 => Just(Some(u64::MAX))];
    let span = || prop_oneof![4 => -500..2_000_i64, 1 => Just(90_000), 1 => Just(i64::MAX / 4_000_000)];
    let split = prop_oneof![3 => Just(usize::MAX), 1 => 1..20_usize];
    prop_oneof![
        14 => (vec(piece(), 1..5), split).prop_map(|(pieces, size)| Call::Send(pieces, size)),
        1 => Just(Call::Eof),
        1 => Just(Call::Gone),
        2 => Just(Call::Timeout),
        2 => Just(Call::WakeInTime),
        4 => (id(), status, length).prop_map(|(id, status, length)| Call::Respond { id, status, length }),
        1 => (id(), 90..210_u16).prop_map(|(id, status)| Call::Inform { id, status }),
        5 => (id(), size()).prop_map(|(id, size)| Call::Body { id, size }),
        5 => (id(), any::<bool>()).prop_map(|(id, trailers)| Call::Finish { id, trailers }),
        6 => (id(), size()).prop_map(|(id, size)| Call::Answer { id, size }),
        1 => id().prop_map(|id| Call::Reset { id }),
        2 => id().prop_map(|id| Call::ReadBody { id }),
        2 => id().prop_map(|id| Call::Discard { id }),
        4 => (id(), count()).prop_map(|(id, count)| Call::Release { id, count }),
        1 => (-1_000..100_000_i64).prop_map(|grace| Call::Drain { grace }),
        1 => Just(Call::Abort),
        6 => Just(Call::PollEvent),
        8 => Just(Call::PollAll),
        6 => count().prop_map(|count| Call::Transmit { count }),
        3 => span().prop_map(|millis| Call::Pass { millis }),
    ]
}

/// A connection under a caller who does as it likes, and what came of it.
struct Run {
    connection: Connection,
    now: Instant,
    requests: Requests,
    events: Vec<Event>,
    sent: Vec<u8>,
    fin: bool,
    last_word: Duration,
}

impl Run {
    fn new(config: &Arc<Config>, greeting: &[u8]) -> Self {
        let now = Instant::from_millis(1_000_000);
        let mut connection = Connection::http2(Arc::clone(config), now);
        connection.handle_bytes(now, greeting);
        let last_word = config.timeouts.last_word.draining;
        let (events, sent) = (Vec::new(), Vec::new());
        Self { connection, now, requests: Requests::new(), events, sent, fin: false, last_word }
    }

    fn bytes_of(&mut self, piece: &Piece) -> Vec<u8> {
        let end = |frame: Frame, end: bool| if end { frame.end_stream() } else { frame };
        match piece {
            Piece::Request { stream, kind, end: is_last, padding } => {
                let block = match kind {
                    0 => self.requests.block(&fields("CONNECT", "/")),
                    1 => self.requests.block(&[(":method", "CONNECT"), (":authority", "a:1")]),
                    2 => {
                        self.requests.block(&[&fields("HEAD", "/h")[..], &[("priority", "u=1, i")]].concat())
                    }
                    3 => self
                        .requests
                        .block(&[&fields("PUT", "/")[..], &[("expect", "100-continue")]].concat()),
                    4 => {
                        self.requests.block(&[&fields("POST", "/")[..], &[("content-length", "9")]].concat())
                    }
                    _ => self.requests.block(&fields("GET", "/")),
                };
                let frame = end(frame::headers(*stream, block).end_headers(), *is_last);
                padding.map_or(frame.clone(), |padding| frame.padded(padding)).as_ref().to_vec()
            }
            Piece::InTwo { stream, end: is_last } => {
                let block = self.requests.block(&fields("GET", "/in/two"));
                let (first, second) = block.split_at(block.len() / 2);
                let first = end(frame::headers(*stream, first), *is_last);
                frame::join([first, frame::continuation(*stream, second).end_headers()])
            }
            Piece::Trailers { stream } => {
                self.requests.headers(*stream, &[("sum", "9")]).end_stream().as_ref().to_vec()
            }
            Piece::Frame(frame) => frame.as_ref().to_vec(),
            Piece::Noise(bytes) => bytes.clone(),
        }
    }

    fn call(&mut self, call: &Call) {
        let now = self.now;
        let connection = &mut self.connection;
        // What a misused call answers is not asked here: only that it harms nothing.
        match call {
            Call::Send(pieces, size) => {
                let bytes: Vec<u8> = pieces.iter().flat_map(|piece| self.bytes_of(piece)).collect();
                let mut split = bytes.chunks((*size).max(1));
                split.by_ref().for_each(|piece| self.connection.handle_bytes(now, piece));
            }
            Call::Eof => connection.handle_eof(now),
            Call::Gone => connection.handle_gone(now),
            Call::Timeout => connection.handle_timeout(now),
            Call::WakeInTime => self.wake(),
            Call::Respond { id, status, length } => {
                let length = length.map_or(ResponseLength::Unknown, ResponseLength::Known);
                let head =
                    ResponseHead { status: *status, fields: [Field { name: "x", value: b"y" }], length };
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
            Call::Answer { id, size } => {
                let head = ResponseHead { status: 200, fields: [], length: ResponseLength::Unknown };
                let _ = connection.respond(now, StreamId(*id), head);
                let _ = connection.send_body(now, StreamId(*id), Bytes::from(vec![b'x'; *size]));
                let _ = connection.finish(now, StreamId(*id), []);
            }
            Call::Reset { id } => drop(connection.reset(now, StreamId(*id))),
            Call::ReadBody { id } => drop(connection.read_body(now, StreamId(*id))),
            Call::Discard { id } => drop(connection.discard_body(now, StreamId(*id))),
            Call::Release { id, count } => drop(connection.release(now, StreamId(*id), *count)),
            Call::Drain { grace } => {
                let deadline = shifted(now, *grace);
                connection.drain(now, deadline);
                let once = self.connection.clone();
                self.connection.drain(now, deadline);
                assert!(once == self.connection, "a drain is a level: {once:?}\n{:?}", self.connection);
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
        assert!(self.now <= deadline + self.last_word, "by its deadline, and its last word");
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
    let mut ended = BTreeSet::new();
    let mut over = BTreeSet::new();
    for (at, event) in events.iter().enumerate() {
        match event {
            Event::Request { id, .. } => {
                assert!(id.0 > last && id.0 % 2 == 1, "{events:?}");
                last = id.0;
            }
            Event::Data { id, data } => {
                assert!(!data.is_empty() && id.0 <= last && !over.contains(id), "{events:?}");
                assert!(!ended.contains(id), "{events:?}");
            }
            Event::End { id, .. } => {
                assert!(id.0 <= last && !over.contains(id) && ended.insert(*id), "{events:?}");
            }
            Event::Cancelled { id, .. } => assert!(id.0 <= last && over.insert(*id), "{events:?}"),
            Event::Refused { id } => assert!(over.insert(*id), "{events:?}"),
            Event::Closed(_) => assert_eq!(at + 1, events.len(), "{events:?}"),
        }
    }
    assert!(matches!(events.last(), Some(Event::Closed(_))), "{events:?}");
    let told = events.iter().filter_map(|event| match event {
        Event::Request { id, .. } => Some(id),
        _ => None,
    });
    let refused = |id: &StreamId| events.contains(&Event::Refused { id: *id });
    assert!(told.clone().all(|id| !refused(id)), "{events:?}");
}

/// `PROPTEST_CASES` makes it more.
fn cases() -> ProptestConfig {
    let default = ProptestConfig::default();
    ProptestConfig { cases: 2 * default.cases, failure_persistence: None, ..default }
}

/// What was sent, as a client reads it that never binds the server by more than these windows: how much DATA a stream
/// had, what was granted to the client.
fn read_leniently(sent: &[u8]) -> Result<Vec<Sent>, TestCaseError> {
    let mut reader = Reader::new();
    // What the peer's own frames allowed is not followed here; the exploration does.
    reader.apply(&[(setting::INITIAL_WINDOW_SIZE, 0x7fff_ffff), (setting::MAX_FRAME_SIZE, 0x00ff_ffff)]);
    reader.grant(0, 0x7fff_ffff);
    reader.feed(sent);
    let mut all = Vec::new();
    while let Some(one) = reader.read().map_err(|error| TestCaseError::fail(format!("{error}: {all:?}")))? {
        all.push(one);
    }
    Ok(all)
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn any_order_of_calls_is_legal_and_ends(
        config in config(),
        greeting in greeting(),
        calls in vec(call(), 0..40),
    ) {
        let mut run = Run::new(&config, &greeting);
        calls.iter().for_each(|call| run.call(call));
        run.end();
        assert_events_in_order(&run.events);
        read_leniently(&run.sent)?;
    }

    #[test]
    fn equal_inputs_lead_to_equal_outputs(
        config in config(),
        greeting in greeting(),
        calls in vec(call(), 0..40),
    ) {
        let mut runs = [Run::new(&config, &greeting), Run::new(&config, &greeting)];
        for run in &mut runs {
            calls.iter().for_each(|call| run.call(call));
            run.end();
        }
        let [one, other] = runs;
        prop_assert!(one.connection == other.connection);
        prop_assert_eq!((one.events, one.sent, one.fin), (other.events, other.sent, other.fin));
    }

    #[test]
    fn a_getter_and_a_wake_too_early_change_nothing(
        config in config(),
        greeting in greeting(),
        calls in vec(call(), 0..30),
    ) {
        let mut run = Run::new(&config, &greeting);
        calls.iter().for_each(|call| run.call(call));
        run.connection.handle_timeout(run.now);
        let before = run.connection.clone();
        run.connection.handle_timeout(Instant::ORIGIN);
        run.connection.handle_timeout(run.now);
        let _ = (run.connection.status(), run.connection.wants_read(), run.connection.send_capacity(StreamId(1)));
        prop_assert!(before == run.connection, "{before:?}\n{:?}", run.connection);
    }

    #[test]
    fn no_split_of_any_input_changes_what_comes_of_it(
        config in config(),
        greeting in greeting(),
        pieces in vec(piece(), 0..12),
        size in 1..30_usize,
        drains in any::<bool>(),
    ) {
        let mut run = Run::new(&config, b"");
        if drains {
            run.connection.drain(run.now, run.now + Duration::from_secs(10));
        }
        let bytes: Vec<u8> = pieces.iter().flat_map(|piece| run.bytes_of(piece)).collect();
        let bytes = [greeting, bytes].concat();
        let [whole, split, single] = [usize::MAX, size, 1].map(|size| {
            let mut connection = run.connection.clone();
            bytes.chunks(size).for_each(|piece| connection.handle_bytes(run.now, piece));
            let events = merged(&mut connection);
            let output: Vec<u8> = match connection.poll_transmit(run.now) {
                Some(Transmit::Bytes(pieces)) => pieces.flatten().copied().collect(),
                _ => Vec::new(),
            };
            // Of a connection that was given up, what was read last means nothing.
            let is_given_up = goaways(&output).iter().any(|(_, code)| *code != 0);
            let due = connection.poll_timeout();
            (events, output, due, Some(connection).filter(|_| !is_given_up))
        });
        prop_assert!(whole == split, "{whole:?}\n{split:?}");
        prop_assert!(whole == single, "{whole:?}\n{single:?}");
    }

    /// A client within its rights, whose streams are all answered, given up or reset, has its windows back.
    #[test]
    fn whatever_is_uploaded_the_window_is_whole_again(
        uploads in vec((vec((0..16_000_usize, prop::option::of(0..200_u8)), 0..6), 0..6_u8), 1..8),
    ) {
        let mut config = Config::default();
        config.limits.connection_window = 70_000;
        config.limits.body_window = 65_535;
        let greeting = frame::join([PREFACE, frame::settings(&[]).as_ref(), frame::settings_ack().as_ref()]);
        let mut run = Run::new(&Arc::new(config), &greeting);
        let mut client = Credit::new(65_535);
        for (at, (frames, fate)) in uploads.iter().enumerate() {
            let number = 2 * u32::try_from(at).expect("few") + 1;
            let id = StreamId(u64::from(number));
            let head = run.requests.post(number, "/");
            run.connection.handle_bytes(run.now, head.as_ref());
            run.poll_all();
            for (size, padding) in frames {
                client.read(&run.sent)?;
                let frame = frame::data(number, vec![b'd'; *size]);
                let frame = padding.map_or(frame.clone(), |padding| frame.padded(padding));
                if !client.spend(number, frame.as_ref().len() - frame::HEADER) {
                    break;
                }
                run.connection.handle_bytes(run.now, frame.as_ref());
                run.poll_all();
                if *fate == 0 {
                    let _ = run.connection.release(run.now, id, *size);
                }
            }
            match fate {
                0 | 1 => run.call(&Call::Answer { id: id.0, size: 3 }),
                2 => run.call(&Call::Reset { id: id.0 }),
                3 => run.connection.handle_bytes(run.now, frame::rst_stream(number, 8).as_ref()),
                4 => run.call(&Call::Discard { id: id.0 }),
                _ => {}
            }
            run.poll_all();
        }
        for at in 0..uploads.len() {
            let number = 2 * u32::try_from(at).expect("few") + 1;
            run.connection.handle_bytes(run.now, frame::rst_stream(number, 8).as_ref());
        }
        run.poll_all();
        client.read(&run.sent)?;
        prop_assert_eq!(run.connection.status().stage, Stage::Idle);
        prop_assert!(client.connection > 70_000 / 2 && client.connection <= 70_000, "{client:?}");
    }
}

/// How much a client may send.
#[derive(Debug)]
struct Credit {
    connection: i64,
    initial: i64,
    streams: BTreeMap<u32, i64>,
    read: usize,
}

impl Credit {
    fn new(initial: i64) -> Self {
        Self { connection: 65_535, initial, streams: BTreeMap::new(), read: 0 }
    }

    /// Counts what all that was sent has granted.
    fn read(&mut self, sent: &[u8]) -> Result<(), TestCaseError> {
        let all = read_leniently(sent)?;
        for one in &all[self.read..] {
            if let Sent::WindowUpdate { stream, increment } = one {
                match stream {
                    0 => self.connection += i64::from(*increment),
                    _ => *self.streams.entry(*stream).or_default() += i64::from(*increment),
                }
            }
        }
        self.read = all.len();
        Ok(())
    }

    fn spend(&mut self, stream: u32, length: usize) -> bool {
        let length = i64::try_from(length).unwrap_or(i64::MAX);
        let used = self.streams.entry(stream).or_default();
        let fits = length <= self.connection && length <= self.initial + *used && length <= 16_384;
        if fits {
            *used -= length;
            self.connection -= length;
        }
        fits
    }
}
