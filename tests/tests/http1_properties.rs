//! Properties of one HTTP/1 connection over random input and random orders of calls.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use lameduck_core::{
    Allowance, Config, Connection, Event, Field, HalfClose, Instant, Limits, ResponseHead, ResponseLength,
    StreamId, Timeouts, Transmit,
};
use lameduck_tests::calls::{Call, Caller, NO_ROOM, call, cases};
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
    let few = Limits { body_window: 0, discard: 0, pipeline: 0, send_queue: 0, ..Limits::default() };
    let never = Allowance { serving: Duration::MAX, draining: Duration::ZERO };
    let odd = Timeouts { keep_alive: never, linger: never, ..Timeouts::default() };
    select(vec![
        Config::default(),
        narrow(),
        Config { limits: few, ..Config::default() },
        Config { limits: NO_ROOM, ..Config::default() },
        Config { half_close: HalfClose::Cancel, ..Config::default() },
        Config { timeouts: odd, ..Config::default() },
    ])
    .prop_map(Arc::new)
}

/// What happens to a connection.
#[derive(Clone, Debug)]
enum Step {
    Bytes(Vec<u8>),
    Call(Call),
}

fn step() -> impl Strategy<Value = Step> {
    // Mostly the first few requests, so that the call means something.
    let id = || prop_oneof![8 => 1..4_u64, 1 => Just(0), 1 => any::<u64>()];
    let cut = vec(any::<prop::sample::Index>(), 2).prop_flat_map(|cut| {
        input().prop_map(move |text| {
            let mut at = cut.iter().map(|at| at.index(text.len() + 1));
            let (a, b) = (at.next().unwrap_or(0), at.next().unwrap_or(0));
            text[a.min(b)..a.max(b)].to_vec()
        })
    });
    prop_oneof![
        2 => input().prop_map(Step::Bytes),
        1 => cut.prop_map(Step::Bytes),
        12 => call(id).prop_map(Step::Call),
    ]
}

fn steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
    vec(step(), 0..most)
}

/// A connection to which all that happens.
fn run(config: &Arc<Config>, steps: &[Step]) -> Caller {
    let mut run = Caller::new(config, Connection::new);
    for step in steps {
        match step {
            Step::Bytes(bytes) => run.receive(bytes),
            Step::Call(call) => run.call(call),
        }
    }
    run
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
    fn any_order_of_calls_is_legal_and_ends(config in config(), steps in steps(40)) {
        let mut run = run(&config, &steps);
        run.end();
        assert_events_in_order(&run.events);
    }

    #[test]
    fn equal_inputs_lead_to_equal_outputs(config in config(), steps in steps(40)) {
        let [one, other] = [(); 2].map(|()| {
            let mut run = run(&config, &steps);
            run.end();
            run
        });
        prop_assert!(one.connection == other.connection);
        prop_assert_eq!((one.events, one.sent, one.fin), (other.events, other.sent, other.fin));
    }

    #[test]
    fn a_getter_and_a_wake_too_early_change_nothing(config in config(), steps in steps(30)) {
        run(&config, &steps).expect_getters_and_early_wakes_to_change_nothing();
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
