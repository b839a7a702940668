//! What an HTTP/2 connection holds and does, counted: its allocations, by thread. No time is measured.
//!
//! As for HTTP/1: a connection whose caller reads only what is wanted, and gives no more than there is room for,
//! stays within what its limits add up to, whatever the peer does.

use std::sync::Arc;

use allocation_counter::{AllocationInfo, measure};
use bytes::Bytes;
use lameduck_core::{
    BodyLength, Config, Connection, Event, Field, Instant, Limits, ResponseHead, ResponseLength, Stage,
    StreamId, Transmit,
};
use lameduck_tests::h2::{Frame, PREFACE, Requests, code, fields, frame};

const NOW: Instant = Instant::ORIGIN;

/// What a shell reads at once.
const READ: usize = 1024;

/// What the two tables of a connection may take beside their text: where each entry stands in it, twice over.
const TABLES: u64 = 2 * 2 * (4096 / 32) * 16;

fn narrow() -> Arc<Config> {
    let limits = Limits {
        head: 4 * 1024,
        target: 1024,
        stream_window: 4 * 1024,
        stream_window_most: 8 * 1024,
        connection_window: 65_535,
        streams: 8,
        send_queue: 4 * 1024,
        ..Limits::default()
    };
    Arc::new(Config { limits, ..Config::default() })
}

/// The most that a connection with [`narrow`] limits may hold at a time: a field block or a frame, what no handler
/// has released, events and streams, output; each buffer may be twice as large as what is in it, and there are a
/// moment of copying and one read on top.
fn bound() -> u64 {
    let limits = &narrow().limits;
    let bodies = limits.streams as usize * limits.stream_window_most as usize;
    let events = (1024 + READ / 9) * (size_of::<Event>() + 64);
    let streams = limits.streams as usize * 1024;
    let kept = 16 * 1024 + usize::from(limits.head) + bodies + events + streams + 2 * limits.send_queue;
    (3 * kept + 4 * READ) as u64 + TABLES + 3 * (4096 + 1024)
}

fn greeting() -> Vec<u8> {
    frame::join([PREFACE, frame::settings(&[]).as_ref(), frame::settings_ack().as_ref()])
}

/// A connection, and how much it has on the heap.
fn counted(config: &Arc<Config>, drive: impl FnOnce(&mut Connection)) -> (Connection, AllocationInfo) {
    let mut connection = Connection::new(Arc::clone(config), NOW);
    let counts = measure(|| drive(&mut connection));
    (connection, counts)
}

fn answer(connection: &mut Connection, id: StreamId, body: &Bytes) {
    let fields = [Field { name: "server", value: b"lameduck" }];
    let head = ResponseHead { status: 200, fields, length: ResponseLength::Known(body.len() as u64) };
    connection.respond(NOW, id, head).expect("the request is there");
    connection.send_body(NOW, id, body.clone()).expect("the head declared it");
    connection.finish(NOW, id, []).expect("the body is whole");
}

/// Takes the output; how much that was.
fn take(connection: &mut Connection) -> usize {
    let Some(Transmit::Bytes(pieces)) = connection.poll_transmit(NOW) else { return 0 };
    let count = pieces.map(<[u8]>::len).sum::<usize>();
    connection.transmitted(NOW, count);
    count
}

/// Serves all that has come, releasing bodies at once, and lets the peer take everything.
fn serve(connection: &mut Connection) {
    let body = Bytes::from_static(b"hello");
    loop {
        let taken = take(connection);
        match connection.poll_event() {
            Some(Event::Request { id, body: BodyLength::Empty, .. }) => answer(connection, id, &body),
            Some(Event::Data { id, data }) => connection.release(NOW, id, data.len()).expect("it is there"),
            Some(Event::End { id, .. }) => answer(connection, id, &body),
            Some(_) => {}
            None if taken == 0 => return,
            None => {}
        }
    }
}

/// What a browser says once.
fn visit(requests: &mut Requests, stream: u32) -> Frame {
    let more = [
        ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"),
        ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
        ("accept-language", "en-US,en;q=0.5"),
        ("accept-encoding", "gzip, deflate, br, zstd"),
    ];
    requests.headers(stream, &[&fields("GET", "/")[..], &more].concat()).end_stream()
}

#[test]
fn an_idle_connection_owns_little_more_than_its_tables() {
    for size in [1, 7, 10_000] {
        let (connection, counts) = counted(&Arc::default(), |connection| {
            let input = [greeting(), visit(&mut Requests::new(), 1).as_ref().to_vec()].concat();
            for piece in input.chunks(size) {
                connection.handle_bytes(NOW, piece);
                serve(connection);
            }
        });
        assert_eq!((connection.status().stage, connection.status().requests), (Stage::Idle, 1));
        println!("idle: {} bytes on the heap, {} beside", counts.bytes_current, size_of::<Connection>());
        assert!(counts.bytes_current <= 1536, "{} bytes, {size} at a time", counts.bytes_current);
    }
}

#[test]
fn a_busy_hour_leaves_an_idle_connection_no_larger() {
    let (connection, counts) = counted(&Arc::default(), |connection| {
        let mut requests = Requests::new();
        connection.handle_bytes(NOW, &greeting());
        for at in 0..2_000_u32 {
            let (get, post) = (4 * at + 1, 4 * at + 3);
            let path = format!("/{at}");
            let frames = [
                requests.get(get, &path),
                requests.post(post, &path),
                frame::data(post, vec![b'd'; 1_000]),
                frame::data(post, "").end_stream(),
            ];
            frames.iter().for_each(|frame| connection.handle_bytes(NOW, frame.as_ref()));
            serve(connection);
        }
    });
    assert_eq!((connection.status().stage, connection.status().requests), (Stage::Idle, 4_000));
    let most = i64::try_from(TABLES + 2 * (4096 + 1024)).expect("it is small");
    assert!(counts.bytes_current <= most, "{} bytes", counts.bytes_current);
}

#[test]
fn a_connection_that_has_ended_owns_no_more_than_an_idle_one() {
    let (connection, counts) = counted(&Arc::default(), |connection| {
        let mut requests = Requests::new();
        let frames = [visit(&mut requests, 1), requests.post(3, "/"), frame::data(3, vec![b'd'; 9_000])];
        connection.handle_bytes(NOW, &[greeting(), frame::join(frames), b"\0\0\x09half".to_vec()].concat());
        while connection.poll_event().is_some() {}
        connection.respond(NOW, StreamId(1), head()).expect("the request is there");
        connection.send_body(NOW, StreamId(1), vec![b'd'; 50_000].into()).expect("there is no length");
        connection.abort(NOW);
        while connection.poll_event().is_some() {}
    });
    assert_eq!(connection.status().stage, Stage::Closed);
    assert!(counts.bytes_current <= 2 * 1024, "{} bytes", counts.bytes_current);
}

fn head() -> ResponseHead<[Field<'static>; 0]> {
    ResponseHead { status: 200, fields: [], length: ResponseLength::Unknown }
}

/// What the caller does with what comes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Caller {
    /// It asks for no event.
    Sleeps,
    /// It hears, and its handlers do nothing.
    Hears,
    Releases,
    Discards,
    Answers,
}

/// Feeds what `next` makes for as long as it is wanted, at most a MiB of it; the peer takes all or nothing.
fn flood(caller: Caller, takes: bool, first: &[u8], mut next: impl FnMut() -> Vec<u8>) -> AllocationInfo {
    let (_, counts) = counted(&narrow(), |connection| {
        let body = Bytes::from_static(b"hello");
        connection.handle_bytes(NOW, &greeting());
        connection.handle_bytes(NOW, first);
        let mut fed = 0;
        while fed < 1024 * 1024 && connection.wants_read() {
            let mut text = next();
            while text.len() < READ / 2 {
                text.extend_from_slice(&next());
            }
            fed += text.len();
            connection.handle_bytes(NOW, &text);
            while caller != Caller::Sleeps
                && let Some(event) = connection.poll_event()
            {
                match (caller, event) {
                    // The flood may have ended its own stream by now.
                    (Caller::Releases, Event::Data { id, data }) => {
                        let _ = connection.release(NOW, id, data.len());
                    }
                    (Caller::Discards, Event::Request { id, .. }) => {
                        let _ = connection.discard_body(NOW, id);
                    }
                    (Caller::Answers, Event::Request { id, .. }) => answer(connection, id, &body),
                    _ => {}
                }
            }
            if takes {
                take(connection);
            } else {
                connection.poll_transmit(NOW);
            }
        }
    });
    counts
}

#[test]
fn no_flood_makes_a_connection_hold_more_than_its_limits() {
    /// What a flood begins with, and each next part of it.
    type Flood = fn() -> (Vec<u8>, Box<dyn FnMut() -> Vec<u8>>);
    fn same(frame: Frame) -> Box<dyn FnMut() -> Vec<u8>> {
        Box::new(move || frame.as_ref().to_vec())
    }
    fn begun() -> Vec<u8> {
        Requests::new().post(1, "/").as_ref().to_vec()
    }
    /// Requests, one stream after the other.
    fn streams(one: fn(&mut Requests, u32) -> Vec<u8>) -> Box<dyn FnMut() -> Vec<u8>> {
        let (mut requests, mut stream) = (Requests::new(), 1);
        Box::new(move || {
            stream += 2;
            one(&mut requests, stream - 2)
        })
    }
    fn long(requests: &mut Requests, stream: u32) -> Vec<u8> {
        let value = format!("{stream:0>900}");
        requests.headers(stream, &[&fields("GET", "/")[..], &[("x", &value)]].concat()).as_ref().to_vec()
    }
    let floods: [(&str, Flood); 14] = [
        ("PING", || (Vec::new(), same(frame::ping([0; 8])))),
        ("SETTINGS", || (Vec::new(), same(frame::settings(&[(4, 9)])))),
        ("PRIORITY", || (Vec::new(), same(frame::priority(1, 0, 9)))),
        ("unknown frames", || (Vec::new(), same(Frame::new(0xfe, 1, [0; 9])))),
        ("WINDOW_UPDATE", || (begun(), same(frame::window_update(1, 1)))),
        ("empty DATA", || (begun(), same(frame::data(1, "")))),
        ("small DATA", || (begun(), same(frame::data(1, "d")))),
        ("large DATA", || (begun(), same(frame::data(1, [b'd'; 700])))),
        ("padding", || (begun(), same(frame::data(1, "d").padded(255)))),
        ("CONTINUATION", || {
            (frame::headers(1, [0x82]).as_ref().to_vec(), same(frame::continuation(1, [0x82; 400])))
        }),
        ("streams", || {
            (Vec::new(), streams(|requests, stream| requests.post(stream, "/").as_ref().to_vec()))
        }),
        ("requests", || {
            (Vec::new(), streams(|requests, stream| requests.get(stream, "/").as_ref().to_vec()))
        }),
        ("large heads", || (Vec::new(), streams(long))),
        ("resets", || {
            let one = |requests: &mut Requests, stream| {
                frame::join([requests.get(stream, "/"), frame::rst_stream(stream, code::CANCEL)])
            };
            (Vec::new(), streams(one))
        }),
    ];
    let callers = [Caller::Sleeps, Caller::Hears, Caller::Releases, Caller::Discards, Caller::Answers];
    for (name, flood_of) in floods {
        for caller in callers {
            for takes in [true, false] {
                let (first, next) = flood_of();
                let counts = flood(caller, takes, &first, next);
                let most = counts.bytes_max;
                assert!(most <= bound(), "{name}, the caller {caller:?}, takes {takes}: {most} bytes");
            }
        }
    }
}

#[test]
fn the_work_of_a_call_does_not_grow_with_what_came_before() {
    let mut requests = Requests::new();
    let value = "a".repeat(12_000);
    let head = requests.headers(1, &[&fields("GET", "/")[..], &[("x", &value)]].concat());
    let body = frame::data(1, vec![b'd'; 16_000]);
    let (_, counts) = counted(&Arc::default(), |connection| {
        connection.handle_bytes(NOW, &greeting());
        head.as_ref().iter().for_each(|byte| connection.handle_bytes(NOW, &[*byte]));
        // What came of the body before is not copied again.
        body.as_ref().chunks(100).for_each(|piece| {
            connection.handle_bytes(NOW, piece);
            while connection.poll_event().is_some() {}
        });
    });
    assert!(counts.bytes_total <= 12 * 16_000, "{} bytes", counts.bytes_total);
}

#[test]
fn a_request_and_its_answer_cost_a_few_allocations() {
    let body = Bytes::from_static(b"hello");
    let mut requests = Requests::new();
    let frames: Vec<Frame> = (0..101).map(|at| requests.get(2 * at + 1, "/")).collect();
    let (connection, counts) = counted(&Arc::default(), |connection| {
        connection.handle_bytes(NOW, &greeting());
        for frame in &frames {
            connection.handle_bytes(NOW, frame.as_ref());
            while let Some(event) = connection.poll_event() {
                if let Event::Request { id, .. } = event {
                    answer(connection, id, &body);
                }
            }
            take(connection);
        }
    });
    assert_eq!(connection.status().requests, 101);
    assert!(counts.count_total <= 1_200, "{} allocations for 101 requests", counts.count_total);
}
