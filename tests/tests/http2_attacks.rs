//! What a peer may make the server do for nothing, and what it may make it keep (RFC 9113 section 10.5): each attack
//! has a bound, and no client that goes about its business comes near it.

use std::time::Duration;

use bytes::Bytes;
use lameduck_core::{Config, Connection, Fault, Instant, Limits, ResponseLength, StreamId, Transmit};
use lameduck_tests::h2::frame::{self, Frame};
use lameduck_tests::h2::{Requests, Sent, Taking, Wire, code, fields, gets, setting};

fn limited(change: impl FnOnce(&mut Limits)) -> Wire {
    let mut config = Config::default();
    change(&mut config.limits);
    Wire::greeted_with(&config, &[])
}

/// Sends what `make` makes of each number until the connection fails, for this fault; how often that was.
#[track_caller]
fn endures(wire: &mut Wire, fault: Fault, mut make: impl FnMut(&mut Requests, u32) -> Vec<u8>) -> u32 {
    for count in 1..100_000 {
        let bytes = make(&mut wire.requests, count);
        wire.feed(bytes);
        if wire.goaway().is_some_and(|(_, code)| code != code::NO_ERROR) {
            wire.assert_failed(fault);
            return count;
        }
    }
    panic!("it is borne for ever");
}

mod resets {
    use super::*;

    fn reset(requests: &mut Requests, count: u32) -> Vec<u8> {
        let stream = 2 * count - 1;
        frame::join([requests.get(stream, "/"), frame::rst_stream(stream, code::CANCEL)])
    }

    /// CVE-2023-44487.
    #[test]
    fn rapid_ones_end_the_connection() {
        let count = endures(&mut Wire::greeted(), Fault::TooManyResets, reset);
        assert!((100..=256).contains(&count), "{count}");
    }

    /// The handler is started, and cancelled: that is the work.
    #[test]
    fn so_they_do_when_each_request_has_reached_its_handler() {
        let mut wire = Wire::greeted();
        for count in 1..1_000 {
            let stream = 2 * count - 1;
            wire.get(stream, "/");
            if wire.goaway().is_some() {
                break;
            }
            wire.feed(frame::rst_stream(stream, code::CANCEL));
        }
        wire.assert_failed(Fault::TooManyResets);
        assert!(wire.served().len() <= 256);
    }

    #[test]
    fn no_more_than_twenty_a_second_in_the_long_run() {
        let mut wire = Wire::greeted();
        let mut count = 0;
        for second in 0..60 {
            for _ in 0..20 {
                count += 1;
                let bytes = reset(&mut wire.requests, count);
                wire.feed(bytes);
            }
            assert_eq!(wire.goaway(), None, "after {second} seconds");
            wire.wait_millis(1_000);
        }
        for second in 0..60 {
            for _ in 0..40 {
                count += 1;
                let bytes = reset(&mut wire.requests, count);
                wire.feed(bytes);
            }
            if wire.goaway().is_some() {
                return;
            }
            assert!(second < 20);
            wire.wait_millis(1_000);
        }
    }

    /// CVE-2025-8671: the peer makes *us* reset, by errors that cost their streams alone.
    #[test]
    fn those_that_the_peer_provokes_count_too() {
        type Provoke = fn(u32) -> Frame;
        let ways: [(&str, Provoke); 5] = [
            ("a grant of nothing", |stream| frame::window_update(stream, 0)),
            ("a window that overflows", |stream| frame::window_update(stream, 0x7fff_ffff)),
            ("a priority of a wrong length", |stream| frame::priority(stream, 0, 0).with_payload("abc")),
            ("data on a half-closed stream", |stream| frame::data(stream, "x")),
            ("a second head", |stream| frame::headers(stream, [0x82]).end_headers().end_stream()),
        ];
        for (name, provoke) in ways {
            let mut wire = Wire::greeted();
            let count = endures(&mut wire, Fault::TooManyResets, |requests, count| {
                let stream = 2 * count - 1;
                frame::join([requests.get(stream, "/"), provoke(stream)])
            });
            assert!((100..=256).contains(&count), "{name}: {count}");
        }
    }

    #[test]
    fn and_so_do_requests_that_are_refused() {
        let malformed = [(":method", "GET")];
        let count = endures(&mut Wire::greeted(), Fault::TooManyResets, |requests, count| {
            requests.headers(2 * count - 1, &malformed).end_stream().as_ref().to_vec()
        });
        assert!((100..=256).contains(&count), "{count}");
        let mut wire = limited(|limits| limits.target = 1);
        let count = endures(&mut wire, Fault::TooManyResets, |requests, count| {
            requests.get(2 * count - 1, "/long").as_ref().to_vec()
        });
        assert!((100..=256).contains(&count), "{count}");
        // Their bodies, however short and whole, make them no better.
        let mut wire = limited(|limits| limits.body = Some(1));
        let count = endures(&mut wire, Fault::TooManyResets, |requests, count| {
            let stream = 2 * count - 1;
            let head = [&fields("POST", "/")[..], &[("content-length", "2")]].concat();
            frame::join([requests.headers(stream, &head), frame::data(stream, "ab").end_stream()])
        });
        assert!((100..=256).contains(&count), "{count}");
    }

    /// A body that ends late, with a request behind it that was told, is no answer either.
    #[test]
    fn and_so_they_do_with_an_honest_one_among_them() {
        let mut wire = limited(|limits| limits.body = Some(1));
        for round in 0..3 {
            let first = 200 * round + 1;
            let refused = || (first..first + 180).step_by(2);
            for stream in refused() {
                let head = [&fields("POST", "/")[..], &[("content-length", "2")]].concat();
                let head = wire.requests.headers(stream, &head);
                wire.feed(head);
                if wire.goaway().is_some() {
                    assert_eq!(round, 1, "{stream}");
                    return wire.assert_failed(Fault::TooManyResets);
                }
            }
            wire.get(first + 180, "/");
            wire.answer(first + 180, "ok");
            wire.feed_all(refused().map(|stream| frame::data(stream, "ab").end_stream()));
        }
        panic!("it is borne for ever");
    }

    #[test]
    fn streams_beyond_the_limit_are_refused_and_not_for_ever() {
        let mut wire = limited(|limits| limits.streams = 1);
        let count = endures(&mut wire, Fault::TooMuchChatter, |requests, count| {
            requests.get(2 * count - 1, "/").as_ref().to_vec()
        });
        assert!((1_000..=2_048).contains(&count), "{count}");
        assert_eq!(wire.served(), [1]);
    }
}

mod floods {
    use super::*;

    #[track_caller]
    fn is_bounded(name: &str, mut wire: Wire, frame: &Frame) {
        let count = endures(&mut wire, Fault::TooMuchChatter, |_, _| frame.as_ref().to_vec());
        assert!((1_000..=2_050).contains(&count), "{name}: {count}");
    }

    #[test]
    fn frames_that_carry_nothing_end_the_connection() {
        let frames = [
            ("SETTINGS", frame::settings(&[])),
            ("SETTINGS that say much", frame::settings(&[(setting::INITIAL_WINDOW_SIZE, 1); 10])),
            ("PING", frame::ping([0; 8])),
            ("an answer to no PING", frame::ping_ack([0; 8])),
            ("an answer to the PING of a notice that has not gone", frame::ping_ack(*b"lameduck")),
            ("an answer to a probe that has not gone", frame::ping_ack(*b"you here")),
            ("a receipt that nobody asked for", frame::ping_ack(*b"all read")),
            ("an ACK of no SETTINGS", frame::settings_ack()),
            ("GOAWAY", frame::goaway(0, 0, "")),
            ("PRIORITY", frame::priority(1, 0, 1)),
            ("PRIORITY_UPDATE", frame::priority_update(1, "u=1")),
            ("WINDOW_UPDATE of the connection", frame::window_update(0, 1)),
            ("WINDOW_UPDATE of a stream", frame::window_update(1, 1)),
            ("an empty DATA", frame::data(1, "")),
            ("nothing but padding", frame::data(1, "").padded(255)),
            ("an unknown frame", Frame::new(0xfe, 0, "?")),
            ("an unknown frame of a stream", Frame::new(0x0a, 1, [0; 1_000])),
        ];
        for (name, frame) in frames {
            let mut wire = Wire::greeted();
            wire.post(1, "/");
            is_bounded(name, wire, &frame);
        }
    }

    #[test]
    fn so_do_frames_on_streams_that_are_closed() {
        let frames = [
            ("DATA", frame::data(1, "x")),
            ("RST_STREAM", frame::rst_stream(1, code::CANCEL)),
            ("WINDOW_UPDATE", frame::window_update(1, 1)),
            ("HEADERS", frame::headers(1, [0x82]).end_headers().end_stream()),
        ];
        for (name, frame) in frames {
            let mut wire = Wire::greeted();
            wire.get(1, "/");
            wire.answer(1, "ok");
            is_bounded(name, wire, &frame);
        }
    }

    /// In a drain too: an answer is awaited once.
    #[test]
    fn answers_that_have_been_given_before_end_the_connection() {
        for (name, payload) in [("notice", *b"lameduck"), ("probe", *b"you here"), ("receipt", *b"all read")]
        {
            let mut wire = Wire::greeted();
            wire.get(1, "/");
            wire.wait_millis(30_000);
            wire.drain(Duration::from_secs(600));
            is_bounded(name, wire, &frame::ping_ack(payload));
        }
    }

    /// None of what an honest client answers costs it anything, late or not.
    #[test]
    fn answers_that_are_awaited_cost_nothing() {
        let mut wire = Wire::greeted();
        wire.get(1, "/");
        for _ in 0..3_000 {
            assert_eq!(wire.wait_millis(30_000), "PING you here");
            assert_eq!(wire.feed(frame::ping_ack(*b"you here")), "");
        }
        for _ in 1..1_024 {
            wire.feed(frame::priority(1, 0, 1));
        }
        wire.drain(Duration::from_secs(600));
        // The notice is answered too late, and the receipt in time.
        assert_eq!(wire.wait_millis(1_000), "GOAWAY 1 NO_ERROR");
        assert_eq!(wire.feed(frame::ping_ack(*b"lameduck")), "");
        wire.answer(1, "ok");
        assert_eq!(wire.receipt(), "FIN");
        assert_eq!(wire.eof(), "closed: Drained");
    }

    #[test]
    fn five_hundred_a_second_are_borne_in_the_long_run() {
        let mut wire = Wire::greeted();
        for _ in 0..60 {
            for _ in 0..450 {
                wire.feed(frame::ping([0; 8]));
            }
            wire.wait_millis(1_000);
        }
        assert_eq!(wire.closed(), None);
        for _ in 0..60 {
            for _ in 0..1_000 {
                wire.feed(frame::ping([0; 8]));
            }
            wire.wait_millis(1_000);
        }
        assert!(wire.goaway().is_some_and(|(_, code)| code == code::ENHANCE_YOUR_CALM));
    }

    /// CVE-2019-9511: a window that is opened octet by octet makes a frame of each.
    #[test]
    fn a_window_that_is_opened_octet_by_octet_ends_the_connection() {
        let mut wire = Wire::windowed(0);
        wire.get(1, "/");
        wire.answer(1, vec![b'x'; 100_000]);
        let mut count = 0;
        while wire.goaway().is_none() {
            wire.grant(1, 1);
            count += 1;
            assert!(count < 3_000);
        }
        wire.assert_failed(Fault::TooMuchChatter);
    }

    /// One octet in 266 is not padding; but each is one that the handler gets.
    #[test]
    fn giant_padding_keeps_nothing_and_hides_no_empty_frame() {
        let mut wire = Wire::greeted();
        wire.post(1, "/");
        let frame = frame::data(1, "x").padded(255);
        let before = wire.events().len();
        for _ in 0..10_000 {
            wire.feed(&frame);
            wire.release(1, 1);
        }
        assert_eq!(wire.events().len() - before, 10_000);
        assert_eq!(wire.closed(), None);
        let head = wire.requests.block(&fields("GET", "/"));
        let padded = frame::headers(3, head).padded(255).end_headers().end_stream();
        assert_eq!(wire.feed(padded), "request 3 GET /");
    }
}

mod blocks {
    use super::*;

    /// CVE-2024-27316.
    #[test]
    fn a_continuation_that_never_ends_ends_the_connection() {
        for size in [1, 100, 16_384] {
            let mut wire = Wire::greeted();
            wire.feed(frame::headers(1, "").end_stream());
            let piece = frame::continuation(1, vec![0x82; size]);
            let mut sent = 0;
            while wire.goaway().is_none() {
                wire.feed(&piece);
                sent += size;
                assert!(sent <= 64 * 1024 + size, "{size}: {sent}");
            }
            wire.assert_failed(Fault::BlockTooLarge);
        }
    }

    #[test]
    fn empty_ones_are_counted() {
        let mut wire = Wire::greeted();
        wire.feed(frame::headers(1, "").end_stream());
        let piece = frame::continuation(1, "").as_ref().to_vec();
        let count = endures(&mut wire, Fault::TooMuchChatter, |_, _| piece.clone());
        assert!((1_000..=2_048).contains(&count), "{count}");
    }

    #[test]
    fn a_block_is_not_interrupted() {
        let others = [
            frame::ping([0; 8]),
            frame::data(1, "x"),
            frame::headers(1, ""),
            frame::continuation(3, ""),
            frame::settings(&[]),
            frame::rst_stream(1, 0),
            Frame::new(0xfe, 1, "?"),
        ];
        for other in others {
            let mut wire = Wire::greeted();
            wire.feed(frame::headers(1, ""));
            wire.feed(other);
            wire.assert_failed(Fault::BlockInterrupted);
        }
    }

    /// Slow CONTINUATION: one more octet every second does not put the end off.
    #[test]
    fn a_slow_one_has_the_time_of_a_head() {
        let mut wire = Wire::greeted();
        wire.feed(frame::headers(1, "").end_stream());
        for _ in 0..14 {
            assert_eq!(wire.wait_millis(1_000), "");
            wire.feed(frame::continuation(1, [0x82]));
        }
        wire.wait_millis(1_000);
        wire.assert_failed(Fault::SlowBlock);
    }

    /// One octet each stands for a line of 4,000: the list would have 64 MB.
    #[test]
    fn a_bomb_of_indexed_lines_is_a_431_and_costs_what_it_is_long() {
        let mut wire = Wire::greeted();
        let value = "v".repeat(3_900);
        let mut block = wire.requests.block(&[&fields("GET", "/")[..], &[("x", &value)]].concat());
        block.extend([0x80 | 62; 12_000]);
        let bomb = frame::headers(1, block).end_headers().end_stream();
        assert_eq!(wire.feed(bomb), "HEADERS 1 431 content-length=0 end");
        // The table has been kept in step.
        assert_eq!(wire.request(3, &[&fields("GET", "/")[..], &[("x", &value)]].concat()), "request 3 GET /");
        let count = endures(&mut wire, Fault::TooManyResets, |_, count| {
            let block = [&[0x82, 0x84, 0x86][..], &[0x80 | 62; 12_000]].concat();
            frame::headers(2 * count + 3, block).end_headers().end_stream().as_ref().to_vec()
        });
        assert!(count <= 256, "{count}");
    }

    #[test]
    fn an_integer_or_a_code_without_an_end_is_an_error() {
        let blocks: [&[u8]; 6] = [
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
            &[0x80],
            &[0xbe],
            &[0x00, 0x01],
            &[0x00, 0x84, 0xff, 0xff, 0xff, 0xff, 0x00],
            &[0x3f, 0xff, 0xff, 0x7f],
        ];
        for block in blocks {
            let mut wire = Wire::greeted();
            wire.feed(frame::headers(1, block).end_headers().end_stream());
            wire.assert_failed(Fault::BadBlock);
        }
    }

    /// Five bits make an octet: over the limit when it is expanded, it costs its own request.
    #[test]
    fn a_code_that_expands_is_bounded() {
        let mut wire = limited(|limits| limits.head = 1_000);
        let huffman = [&[0x00, 0x01, b'x', 0xff, 0xa1, 0x05][..], &[0x00; 800]].concat();
        let said = wire.feed(frame::headers(1, huffman).end_headers().end_stream());
        assert_eq!(said, "HEADERS 1 431 content-length=0 end");
        assert_eq!(wire.get(3, "/"), "request 3 GET /");
    }

    /// Each block makes the table small and large again, and fills it: work for nothing, but for the requests' own.
    #[test]
    fn thrashing_the_table_keeps_no_more_than_the_table() {
        let mut wire = Wire::greeted();
        for count in 0..1_000_u32 {
            let mut block = vec![0x20, 0x3f, 0xe1, 0x1f, 0x82, 0x84, 0x86, 0x41, 0x01, b'a'];
            for line in 0..20_u8 {
                block.extend([0x40, 0x03, b'x', b'a' + line, b'a' + (count % 26) as u8, 0x7f, 0x00]);
                block.extend([b'v'; 127]);
            }
            let stream = 2 * count + 1;
            let said = wire.feed(frame::headers(stream, block).end_headers().end_stream());
            assert_eq!(said, format!("request {stream} GET /"));
            wire.answer(stream, "ok");
        }
        // More than two updates of the size, or one behind a line, is an error (RFC 7541 section 4.2).
        let mut wire = Wire::greeted();
        wire.feed(frame::headers(1, [0x20, 0x20, 0x20, 0x82]).end_headers().end_stream());
        wire.assert_failed(Fault::BadBlock);
    }

    #[test]
    fn a_frame_that_is_too_long_is_refused_at_its_header() {
        for kind in [0, 1, 4, 6, 9, 0xfe] {
            let mut wire = Wire::greeted();
            wire.feed(&Frame::new(kind, 1, "").saying_length(16_385).as_ref()[..9]);
            wire.assert_failed(Fault::TooLong);
        }
    }
}

mod holding {
    use super::*;

    /// Of what the handlers give to a peer that takes nothing, so much is kept, however many streams there are.
    #[test]
    fn answers_that_nobody_takes_are_bounded() {
        let mut wire = Wire::windowed(0);
        let requests = gets(&mut wire.requests, (0..128).map(|count| 2 * count + 1));
        wire.feed_all(requests);
        let mut kept = 0;
        for stream in (1..256).step_by(2) {
            wire.respond(stream, 200, &[]);
            loop {
                let capacity = wire.connection.send_capacity(StreamId(stream.into()));
                if capacity == 0 {
                    break;
                }
                kept += capacity;
                wire.send(stream, vec![b'x'; capacity]);
            }
        }
        assert!(kept <= 256 * 1024 + 64 * 1024 + 128 * 16 * 1024, "{kept}");
        // And not for ever.
        wire.wait_millis(15_000);
        wire.feed(frame::ping([0; 8]));
        wire.wait_millis(15_000);
        for stream in (1..256).step_by(2) {
            assert_eq!(wire.resets(stream), [code::CANCEL]);
        }
        assert_eq!(wire.connection.status().stream, None);
    }

    #[test]
    fn requests_that_are_never_finished_are_given_up() {
        let mut wire = Wire::greeted();
        for stream in (1..256).step_by(2) {
            wire.post(stream, "/");
        }
        wire.wait_millis(15_000);
        wire.feed(frame::ping([0; 8]));
        wire.wait_millis(15_000);
        assert_eq!(wire.reply(255).status, 408);
        wire.wait_millis(1_000);
        assert_eq!(wire.connection.status().stream, None);
        assert_eq!(wire.get(257, "/"), "request 257 GET /");
    }

    #[test]
    fn bodies_that_no_handler_reads_are_bounded_by_the_connections_window() {
        let mut wire = limited(|limits| limits.connection_window = 100_000);
        let mut sent = 0;
        for stream in (1..256).step_by(2) {
            wire.post(stream, "/");
            wire.feed(frame::data(stream, [b'x'; 10_000]));
            sent += 10_000;
            if wire.goaway().is_some() {
                break;
            }
        }
        assert_eq!(sent, 110_000);
        wire.assert_failed(Fault::WindowExceeded);
    }

    /// The most that waits to be sent to a peer that sends and does not read, with a caller who heeds `wants_read`.
    fn most_output(frame: &Frame) -> usize {
        let mut wire = Wire::greeted();
        wire.post(1, "/");
        wire.taking = Taking::Nothing;
        let batch = frame::join(vec![frame; 100]);
        let mut most = 0;
        for _ in 0..2_000 {
            if !wire.connection.wants_read() {
                break;
            }
            wire.connection.handle_bytes(wire.now(), &batch);
            while wire.connection.poll_event().is_some() {}
            let now = wire.now();
            most = most.max(output(&mut wire.connection, now));
            wire.wait_millis(1);
        }
        most
    }

    fn output(connection: &mut Connection, now: Instant) -> usize {
        match connection.poll_transmit(now) {
            Some(Transmit::Bytes(pieces)) => pieces.map(<[u8]>::len).sum(),
            _ => 0,
        }
    }

    #[test]
    fn acks_that_the_peer_does_not_read_are_bounded() {
        let frames = [
            frame::ping([0; 8]),
            frame::settings(&[]),
            frame::headers(1, [0x82]).end_headers().end_stream(),
            frame::window_update(1, 0),
            frame::data(1, "x").padded(255),
        ];
        for frame in frames {
            let most = most_output(&frame);
            assert!(most <= 256 * 1024, "{frame:?}: {most}");
        }
    }

    #[test]
    fn and_so_they_are_where_time_gives_patience_back() {
        let mut wire = Wire::greeted();
        wire.taking = Taking::Nothing;
        let mut most = 0;
        let mut reads = 0;
        while wire.closed().is_none() && reads < 100_000 {
            reads += 1;
            if wire.connection.wants_read() {
                wire.feed(frame::ping([0; 8]));
            }
            let now = wire.now();
            most = most.max(output(&mut wire.connection, now));
            wire.wait_millis(2);
        }
        assert!(most <= 257 * 1024, "{most}");
        // A peer that takes nothing is given up: in thirty seconds, whatever it sends.
        assert!(reads <= 15_001, "{reads}");
    }

    #[test]
    fn events_that_nobody_polls_pause_reading() {
        let mut wire = Wire::greeted();
        wire.post(1, "/");
        let mut fed = 0;
        while wire.connection.wants_read() {
            wire.connection.handle_bytes(wire.now(), frame::data(1, "x").as_ref());
            fed += 1;
            assert!(fed < 5_000);
        }
        wire.settle();
        assert!(wire.connection.wants_read());
    }
}

mod normal_clients {
    use super::*;

    /// Downloads 100 MB on so many streams at a time, through windows of this size. Each DATA frame is acknowledged by
    /// two WINDOW_UPDATEs, once all that came with it is here.
    #[track_caller]
    fn download(window: u32, streams: u32) {
        let size = 100_000_000 / streams as usize;
        let mut wire = Wire::windowed(window);
        wire.grant(0, 1 << 30);
        let requests = gets(&mut wire.requests, (0..streams).map(|count| 2 * count + 1));
        wire.feed_all(requests);
        for stream in 0..streams {
            wire.begin(2 * stream + 1, ResponseLength::Known(size as u64));
            wire.connection
                .send_body(wire.now(), StreamId(u64::from(2 * stream + 1)), Bytes::from(vec![0; size]))
                .expect("it fits");
            wire.connection.finish(wire.now(), StreamId(u64::from(2 * stream + 1)), []).expect("it is whole");
        }
        wire.settle();
        let (mut read, mut left) = (0, size * streams as usize);
        while left > 0 {
            let data: Vec<_> = wire.sent()[read..].iter().filter_map(length).collect();
            assert_eq!(wire.goaway(), None, "with {left} to come");
            assert!(!data.is_empty(), "it stalls with {left} to come");
            read = wire.sent().len();
            for (stream, length) in data {
                left -= length;
                let increment = u32::try_from(length).expect("a frame");
                wire.grant(0, increment);
                wire.grant(stream, increment);
            }
        }
        assert_eq!(wire.goaway(), None, "at the end");
    }

    fn length(sent: &Sent) -> Option<(u32, usize)> {
        match sent {
            Sent::Data { stream, data, .. } if !data.is_empty() => Some((*stream, data.len())),
            _ => None,
        }
    }

    #[test]
    fn that_acknowledge_each_data_by_two_window_updates_are_served() {
        for (window, streams) in [(65_535, 1), (65_535, 20), (4 << 20, 1), (4 << 20, 20), (64 << 20, 4)] {
            download(window, streams);
        }
    }

    #[test]
    fn that_cancel_some_of_a_thousand_requests_are_served() {
        let mut wire = Wire::greeted();
        for count in 0..1_000_u32 {
            let stream = 2 * count + 1;
            assert_eq!(wire.get(stream, "/"), format!("request {stream} GET /"));
            match count % 5 {
                0 => drop(wire.feed(frame::rst_stream(stream, code::CANCEL))),
                _ => {
                    wire.answer(stream, "ok");
                    assert_eq!(wire.reply(stream).body, b"ok");
                }
            }
        }
        assert_eq!(wire.goaway(), None);
    }

    /// Each answer is useful work, though the rest of its upload never comes.
    #[test]
    fn that_give_up_their_uploads_once_they_are_answered_are_served() {
        let mut wire = Wire::greeted();
        for stream in (1..6_001).step_by(2) {
            let length = [("content-length", "8")];
            let head = wire.requests.headers(stream, &[&fields("POST", "/")[..], &length].concat());
            wire.feed(head);
            wire.connection.discard_body(wire.now(), StreamId(stream.into())).expect("it is there");
            wire.respond(stream, 204, &[]);
            wire.finish(stream, &[]);
            assert_eq!(wire.feed(frame::rst_stream(stream, code::CANCEL)), "", "{stream}");
        }
    }

    #[test]
    fn that_leave_a_page_with_all_of_its_requests_are_served() {
        let mut wire = Wire::greeted();
        let streams = (0..100).map(|count| 2 * count + 1);
        let requests = gets(&mut wire.requests, streams.clone());
        wire.feed_all(requests);
        wire.feed_all(streams.map(|stream| frame::rst_stream(stream, code::CANCEL)));
        assert_eq!(wire.get(201, "/"), "request 201 GET /");
        assert!(wire.answer(201, "ok").ends_with("end"));
    }

    #[test]
    fn that_ping_with_every_message_of_a_long_stream_are_served() {
        let mut wire = Wire::greeted();
        wire.post(1, "/");
        wire.respond(1, 200, &[]);
        for _ in 0..10_000 {
            wire.feed_all([frame::data(1, "ask"), frame::ping([0; 8])]);
            wire.release(1, 3);
            wire.send(1, "tell");
            wire.grant(1, 4);
            wire.grant(0, 4);
        }
        assert_eq!(wire.goaway(), None);
    }

    #[test]
    fn that_upload_in_small_pieces_are_served() {
        let mut wire = Wire::greeted();
        wire.post(1, "/");
        for _ in 0..10_000 {
            wire.feed_all([frame::data(1, "x"), frame::data(1, "y")]);
            wire.release(1, 2);
        }
        assert_eq!(wire.goaway(), None);
    }

    #[test]
    fn that_start_with_a_tree_of_priorities_are_served() {
        let mut wire = Wire::greeted();
        wire.feed_all((0..100).map(|count| frame::priority(2 * count + 3, 0, 200)));
        wire.feed_all((0..100).map(|count| frame::priority_update(2 * count + 1, "u=2")));
        assert_eq!(wire.get(1, "/"), "request 1 GET /");
    }

    #[test]
    fn that_keep_a_quiet_connection_alive_are_served() {
        let mut wire = Wire::greeted();
        wire.get(1, "/");
        for _ in 0..1_000 {
            wire.wait(Duration::from_secs(10));
            assert_eq!(wire.feed(frame::ping([7; 8])), "PING ack \\x07\\x07\\x07\\x07\\x07\\x07\\x07\\x07");
        }
        assert_eq!(wire.goaway(), None);
    }
}
