//! Properties of one HTTP/2 connection over random frames and random orders of calls.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use lameduck_core::{
    Allowance, Config, Connection, Event, HalfClose, Limits, Stage, StreamId, Timeouts, Transmit,
};
use lameduck_tests::calls::{Call, Caller, NO_ROOM, call, cases};
use lameduck_tests::h2::frame;
use lameduck_tests::h2::{Frame, PREFACE, Reader, Requests, Sent, fields, setting};
use lameduck_tests::model::http2::client::goaways;
use lameduck_tests::polled::merged;
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
    let few = Limits { stream_window: 3, send_queue: 16, streams: 2, body: Some(30), ..Limits::default() };
    let huge = Limits {
        body_window: usize::MAX,
        stream_window: u32::MAX,
        stream_window_most: u32::MAX,
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
        Config { limits: NO_ROOM, ..Config::default() },
        Config { limits: huge, ..Config::default() },
        Config { half_close: HalfClose::Cancel, ..Config::default() },
        Config { timeouts: odd, ..Config::default() },
        Config { timeouts: none, ..Config::default() },
    ])
    .prop_map(Arc::new)
}

/// What happens to a connection.
#[derive(Clone, Debug)]
enum Step {
    /// These come, in reads of so many bytes.
    Send(Vec<Piece>, usize),
    Call(Call),
}

fn step() -> impl Strategy<Value = Step> {
    let id = || prop_oneof![12 => (0..5_u64).prop_map(|at| 2 * at + 1), 1 => Just(0), 1 => any::<u64>()];
    let split = prop_oneof![3 => Just(usize::MAX), 1 => 1..20_usize];
    prop_oneof![
        1 => (vec(piece(), 1..5), split).prop_map(|(pieces, size)| Step::Send(pieces, size)),
        4 => call(id).prop_map(Step::Call),
    ]
}

fn steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
    vec(step(), 0..most)
}

/// A connection, its caller and what makes the peer's field blocks.
struct Run {
    caller: Caller,
    requests: Requests,
}

impl Run {
    fn new(config: &Arc<Config>, greeting: &[u8]) -> Self {
        let mut caller = Caller::new(config, Connection::http2);
        caller.receive(greeting);
        Self { caller, requests: Requests::new() }
    }

    /// A connection to which all that happens.
    fn of(config: &Arc<Config>, greeting: &[u8], steps: &[Step]) -> Self {
        let mut run = Self::new(config, greeting);
        for step in steps {
            match step {
                Step::Send(pieces, size) => {
                    let bytes: Vec<u8> = pieces.iter().flat_map(|piece| run.bytes_of(piece)).collect();
                    bytes.chunks(*size).for_each(|bytes| run.caller.receive(bytes));
                }
                Step::Call(call) => run.caller.call(call),
            }
        }
        run
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
        steps in steps(40),
    ) {
        let Run { mut caller, .. } = Run::of(&config, &greeting, &steps);
        caller.end();
        assert_events_in_order(&caller.events);
        read_leniently(&caller.sent)?;
    }

    #[test]
    fn equal_inputs_lead_to_equal_outputs(
        config in config(),
        greeting in greeting(),
        steps in steps(40),
    ) {
        let [one, other] = [(); 2].map(|()| {
            let Run { mut caller, .. } = Run::of(&config, &greeting, &steps);
            caller.end();
            caller
        });
        prop_assert!(one.connection == other.connection);
        prop_assert_eq!((one.events, one.sent, one.fin), (other.events, other.sent, other.fin));
    }

    #[test]
    fn a_getter_and_a_wake_too_early_change_nothing(
        config in config(),
        greeting in greeting(),
        steps in steps(30),
    ) {
        Run::of(&config, &greeting, &steps).caller.expect_getters_and_early_wakes_to_change_nothing();
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
        let now = run.caller.now;
        if drains {
            run.caller.connection.drain(now, now + Duration::from_secs(10));
        }
        let bytes: Vec<u8> = pieces.iter().flat_map(|piece| run.bytes_of(piece)).collect();
        let bytes = [greeting, bytes].concat();
        let [whole, split, single] = [usize::MAX, size, 1].map(|size| {
            let mut connection = run.caller.connection.clone();
            bytes.chunks(size).for_each(|piece| connection.handle_bytes(now, piece));
            let events = merged(&mut connection);
            let output: Vec<u8> = match connection.poll_transmit(now) {
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
        config.limits.stream_window = 65_535;
        let greeting = frame::join([PREFACE, frame::settings(&[]).as_ref(), frame::settings_ack().as_ref()]);
        let mut run = Run::new(&Arc::new(config), &greeting);
        let mut client = Credit::new(65_535);
        for (at, (frames, fate)) in uploads.iter().enumerate() {
            let number = 2 * u32::try_from(at).expect("few") + 1;
            let id = StreamId(u64::from(number));
            let head = run.requests.post(number, "/");
            run.caller.receive(head.as_ref());
            run.caller.poll_all();
            for (size, padding) in frames {
                client.read(&run.caller.sent)?;
                let frame = frame::data(number, vec![b'd'; *size]);
                let frame = padding.map_or(frame.clone(), |padding| frame.padded(padding));
                if !client.spend(number, frame.as_ref().len() - frame::HEADER) {
                    break;
                }
                run.caller.receive(frame.as_ref());
                run.caller.poll_all();
                if *fate == 0 {
                    run.caller.call(&Call::Release { id: id.0, count: *size });
                }
            }
            match fate {
                0 | 1 => run.caller.call(&Call::Answer { id: id.0, size: 3 }),
                2 => run.caller.call(&Call::Reset { id: id.0 }),
                3 => run.caller.receive(frame::rst_stream(number, 8).as_ref()),
                4 => run.caller.call(&Call::Discard { id: id.0 }),
                _ => {}
            }
            run.caller.poll_all();
        }
        for at in 0..uploads.len() {
            let number = 2 * u32::try_from(at).expect("few") + 1;
            run.caller.receive(frame::rst_stream(number, 8).as_ref());
        }
        run.caller.poll_all();
        client.read(&run.caller.sent)?;
        prop_assert_eq!(run.caller.connection.status().stage, Stage::Idle);
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
