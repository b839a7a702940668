//! What an HTTP/1 connection holds and does, counted: its allocations, by thread. No time is measured.
//!
//! A connection whose caller reads only what is wanted, and gives no more than there is room for, stays
//! within what its limits add up to, whatever the peer does.

use std::sync::Arc;

use allocation_counter::{AllocationInfo, measure};
use bytes::Bytes;
use lameduck_core::{
    BodyLength, Config, Connection, Event, Field, Instant, Limits, ResponseHead, ResponseLength, Stage,
    StreamId, Transmit,
};

const NOW: Instant = Instant::ORIGIN;
const ID: StreamId = StreamId(1);

/// What a shell reads at once.
const READ: usize = 1024;

fn narrow() -> Arc<Config> {
    let limits = Limits {
        head: 4 * 1024,
        target: 1024,
        body_window: 4 * 1024,
        discard: 4 * 1024,
        pipeline: 4 * 1024,
        send_queue: 4 * 1024,
        chunk_extensions: 1024,
        ..Limits::default()
    };
    Arc::new(Config { limits, ..Config::default() })
}

/// The most that a connection with [`narrow`] limits may hold at a time. Each buffer may be twice as large
/// as what is in it, and there are a moment of copying and one read on top.
fn bound() -> u64 {
    let limits = &narrow().limits;
    let kept = usize::from(limits.head) + limits.body_window + limits.pipeline + limits.send_queue;
    (3 * kept + 4 * READ) as u64
}

/// A connection, and how much it has on the heap.
fn counted(config: &Arc<Config>, drive: impl FnOnce(&mut Connection)) -> (Connection, AllocationInfo) {
    let mut connection = Connection::new(Arc::clone(config), NOW);
    let counts = measure(|| drive(&mut connection));
    (connection, counts)
}

fn head(length: ResponseLength) -> ResponseHead<[Field<'static>; 1]> {
    ResponseHead { status: 200, fields: [Field { name: "x", value: b"y" }], length }
}

fn answer(connection: &mut Connection, id: StreamId, body: &Bytes) {
    let length = ResponseLength::Known(body.len() as u64);
    connection.respond(NOW, id, head(length)).expect("the request is there");
    connection.send_body(NOW, id, body.clone()).expect("the head declared it");
    connection.finish(NOW, id, []).expect("the body is whole");
}

/// Takes up to `most` bytes of the output; how many that were.
fn take(connection: &mut Connection, most: usize) -> usize {
    let Some(Transmit::Bytes(pieces)) = connection.poll_transmit(NOW) else { return 0 };
    let count = pieces.map(<[u8]>::len).sum::<usize>().min(most);
    connection.transmitted(NOW, count);
    count
}

/// Serves all that has come, releasing bodies at once, and lets the peer take everything.
fn serve(connection: &mut Connection) {
    let body = Bytes::from_static(b"hello");
    loop {
        let taken = take(connection, usize::MAX);
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

#[test]
fn an_idle_connection_owns_no_memory() {
    let inputs: [&[u8]; 6] = [
        b"",
        b"GET / HTTP/1.1\r\nhost: a\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello",
        b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5;e\r\nhello\r\n0\r\nx: y\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: a\r\n\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n\r\n",
        b"PUT / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\nhello",
    ];
    for input in inputs {
        for size in [1, 7, input.len().max(1)] {
            let (connection, counts) = counted(&Arc::default(), |connection| {
                for piece in input.chunks(size) {
                    connection.handle_bytes(NOW, piece);
                    serve(connection);
                }
            });
            assert_eq!(connection.status().stage, Stage::Idle);
            assert_eq!(counts.bytes_current, 0, "{size} at a time: {}", input.escape_ascii());
        }
    }
}

#[test]
fn a_connection_that_has_ended_owns_no_memory() {
    let refused = b"GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\nand much more behind it";
    let half = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 50\r\n\r\nhello";
    for input in [&refused[..], &half[..]] {
        let (_, counts) = counted(&Arc::default(), |connection| {
            connection.handle_bytes(NOW, input);
            connection.abort(NOW);
            while connection.poll_event().is_some() {}
        });
        assert_eq!(counts.bytes_current, 0, "{}", input.escape_ascii());
    }
}

/// Feeds `input` as often as it is wanted, at most for a MiB; the handler does nothing.
fn flood(first: &[u8], input: &[u8], on: impl Fn(&mut Connection, Event)) -> AllocationInfo {
    let text: Vec<u8> = input.iter().copied().cycle().take(READ).collect();
    let (_, counts) = counted(&narrow(), |connection| {
        connection.handle_bytes(NOW, first);
        for _ in 0..1024 {
            while let Some(event) = connection.poll_event() {
                on(connection, event);
            }
            if !connection.wants_read() {
                break;
            }
            connection.handle_bytes(NOW, &text);
        }
    });
    counts
}

#[test]
fn no_flood_makes_a_connection_hold_more_than_its_limits() {
    const POST: &[u8] = b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
    let floods: [(&str, &[u8], &[u8]); 9] = [
        ("a target without an end", b"GET /", b"a"),
        ("a field without an end", b"GET / HTTP/1.1\r\nhost: a\r\nx: ", b"a"),
        ("fields without an end", b"GET / HTTP/1.1\r\nhost: a\r\n", b"a: b\r\n"),
        ("empty lines", b"", b"\r\n"),
        ("requests", b"", b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"),
        ("a body", b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9999999\r\n\r\n", b"a"),
        ("small chunks", POST, b"1\r\na\r\n"),
        ("chunk extensions", POST, b"1;a=b\r\na\r\n"),
        ("trailers", b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n", b"a: b\r\n"),
    ];
    for (name, first, input) in floods {
        let kept = flood(first, input, |_, _| {});
        assert!(kept.bytes_max <= bound(), "{name}, nobody reads: {} bytes", kept.bytes_max);
        let read = flood(first, input, |connection, event| {
            if let Event::Data { id, data } = event {
                connection.release(NOW, id, data.len()).expect("the request is there");
            }
        });
        assert!(read.bytes_max <= bound(), "{name}, the handler reads: {} bytes", read.bytes_max);
        let discarded = flood(first, input, |connection, event| {
            if let Event::Request { id, .. } = event {
                connection.discard_body(NOW, id).expect("the request is there");
            }
        });
        assert!(discarded.bytes_max <= bound(), "{name}, thrown away: {} bytes", discarded.bytes_max);
    }
}

#[test]
fn answers_that_a_peer_does_not_take_hold_up_its_next_requests() {
    let text = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n".repeat(READ / 26);
    let (connection, counts) = counted(&narrow(), |connection| {
        for _ in 0..1024 {
            while let Some(event) = connection.poll_event() {
                if let Event::Request { id, .. } = event {
                    answer(connection, id, &Bytes::from_static(b"hello"));
                }
            }
            if !connection.wants_read() {
                break;
            }
            connection.handle_bytes(NOW, &text);
        }
    });
    assert!(!connection.wants_read());
    assert!(counts.bytes_max <= bound(), "{} bytes", counts.bytes_max);
}

#[test]
fn a_peer_that_is_never_quite_done_reading_costs_no_more_than_the_queue() {
    for piece in [1, 100, 1500, 3000] {
        let config = narrow();
        let body = Bytes::from(vec![b'a'; piece]);
        let (_, counts) = counted(&config, |connection| {
            connection.handle_bytes(NOW, b"GET / HTTP/1.1\r\nhost: a\r\n\r\n");
            while connection.poll_event().is_some() {}
            connection.respond(NOW, ID, head(ResponseLength::Unknown)).expect("the request is there");
            let mut queued = 0;
            let mut taken = 0;
            while taken < 1024 * 1024 {
                while connection.send_capacity(ID) > 0 {
                    connection.send_body(NOW, ID, body.clone()).expect("there is room");
                    queued += piece;
                }
                // One byte stays, always.
                let waits = match connection.poll_transmit(NOW) {
                    Some(Transmit::Bytes(pieces)) => pieces.map(<[u8]>::len).sum::<usize>(),
                    _ => 0,
                };
                taken += take(connection, waits - 1);
            }
            assert!(queued > 0);
        });
        assert!(counts.bytes_max <= bound(), "pieces of {piece}: {} bytes", counts.bytes_max);
    }
}

#[test]
fn the_work_of_a_call_does_not_grow_with_what_came_before() {
    let head = format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "a".repeat(30_000));
    let (_, counts) = counted(&Arc::default(), |connection| {
        head.bytes().for_each(|byte| connection.handle_bytes(NOW, &[byte]));
    });
    // The head's own buffer doubles; after that there is one copy of it.
    assert!(counts.count_total <= 24, "{} allocations", counts.count_total);
    assert!(counts.bytes_total <= 4 * 32 * 1024, "{} bytes", counts.bytes_total);
}

#[test]
fn a_request_and_its_answer_cost_a_few_allocations() {
    let body = Bytes::from_static(b"hello");
    let (_, counts) = counted(&Arc::default(), |connection| {
        for _ in 0..100 {
            connection.handle_bytes(NOW, b"GET / HTTP/1.1\r\nhost: a\r\n\r\n");
            while let Some(event) = connection.poll_event() {
                if let Event::Request { id, .. } = event {
                    answer(connection, id, &body);
                }
            }
            take(connection, usize::MAX);
        }
    });
    assert!(counts.count_total <= 300, "{} allocations for 100 requests", counts.count_total);
    assert_eq!(counts.bytes_current, 0);
}
