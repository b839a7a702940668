//! Flow control (RFC 9113 sections 5.2, 6.9), both ways.

use lameduck_core::{Config, Fault, Limits, StreamId};
use lameduck_tests::h2::frame::{self, Frame};
use lameduck_tests::h2::{Sent, Wire, code, setting};
use proptest::prelude::*;

const MOST: u32 = 0x7fff_ffff;

fn limited(change: impl FnOnce(&mut Limits)) -> Wire {
    let mut config = Config::default();
    change(&mut config.limits);
    Wire::greeted_with(&config, &[])
}

/// What has been granted on a stream, or on the connection where that is zero.
fn granted(sent: &[Sent], wanted: u32) -> u32 {
    let grant = |sent: &Sent| match sent {
        Sent::WindowUpdate { stream, increment } if *stream == wanted => *increment,
        _ => 0,
    };
    sent.iter().map(grant).sum()
}

mod sending {
    use super::*;

    #[test]
    fn no_more_is_sent_than_the_stream_lets() {
        let mut wire = Wire::windowed(3);
        wire.get(1, "/");
        assert_eq!(wire.answer(1, "hello world"), "HEADERS 1 200 content-length=11; DATA 1 \"hel\"");
        assert_eq!(wire.grant(1, 1), "DATA 1 \"l\"");
        assert_eq!(wire.grant(0, 100), "");
        assert_eq!(wire.grant(1, 100), "DATA 1 \"o world\" end");
    }

    #[test]
    fn nor_than_the_connection_lets() {
        let mut wire = Wire::windowed(MOST);
        wire.get(1, "/");
        wire.get(3, "/");
        wire.answer(1, vec![b'x'; 65_000]);
        assert_eq!(wire.reply(1).body.len(), 65_000);
        assert_eq!(wire.answer(3, vec![b'y'; 600]), "HEADERS 3 200 content-length=600; DATA 3 of 535");
        assert_eq!(wire.grant(3, 1), "");
        assert_eq!(wire.grant(0, 65), "DATA 3 of 65 end");
    }

    #[test]
    fn a_window_may_fall_below_zero() {
        let mut wire = Wire::windowed(10);
        wire.get(1, "/");
        assert_eq!(
            wire.answer(1, "0123456789abcdef"),
            "HEADERS 1 200 content-length=16; DATA 1 \"0123456789\""
        );
        assert_eq!(wire.set(&[(setting::INITIAL_WINDOW_SIZE, 4)]), "SETTINGS ack");
        assert_eq!(wire.grant(1, 6), "");
        assert_eq!(wire.grant(1, 1), "DATA 1 \"a\"");
        assert_eq!(wire.set(&[(setting::INITIAL_WINDOW_SIZE, 0)]), "SETTINGS ack");
        assert_eq!(wire.set(&[(setting::INITIAL_WINDOW_SIZE, 5)]), "SETTINGS ack; DATA 1 \"b\"");
        assert_eq!(wire.set(&[(setting::INITIAL_WINDOW_SIZE, 100)]), "SETTINGS ack; DATA 1 \"cdef\" end");
    }

    #[test]
    fn a_change_of_the_initial_window_holds_for_streams_to_come() {
        let mut wire = Wire::windowed(100);
        wire.set(&[(setting::INITIAL_WINDOW_SIZE, 1)]);
        wire.get(1, "/");
        assert_eq!(wire.answer(1, "ok"), "HEADERS 1 200 content-length=2; DATA 1 \"o\"");
        // Of a frame's settings each applies, in their order.
        wire.set(&[(setting::INITIAL_WINDOW_SIZE, 9), (setting::INITIAL_WINDOW_SIZE, 2)]);
        assert_eq!(wire.reply(1).body, b"ok");
    }

    #[test]
    fn an_end_needs_no_window() {
        let mut wire = Wire::windowed(0);
        wire.get(1, "/");
        wire.respond(1, 200, &[]);
        assert_eq!(wire.finish(1, &[]), "DATA 1 \"\" end");
        wire.get(3, "/");
        wire.respond(3, 200, &[]);
        assert_eq!(wire.finish(3, &[("x", "y")]), "HEADERS 3 trailers x=y end");
        wire.get(5, "/");
        assert_eq!(wire.answer(5, ""), "HEADERS 5 200 content-length=0 end");
    }

    #[test]
    fn trailers_wait_for_the_body() {
        let mut wire = Wire::windowed(1);
        wire.get(1, "/");
        wire.respond(1, 200, &[]);
        wire.send(1, "ab");
        assert_eq!(wire.finish(1, &[("x", "y")]), "");
        assert_eq!(wire.grant(1, 1), "DATA 1 \"b\"; HEADERS 1 trailers x=y end");
    }

    #[test]
    fn a_window_over_its_maximum_is_an_error_of_whose_it_is() {
        let mut wire = Wire::greeted();
        wire.get(1, "/");
        assert_eq!(wire.feed(frame::window_update(1, MOST - 65_535)), "");
        assert_eq!(
            wire.feed(frame::window_update(1, 1)),
            "cancelled 1: WindowOverflow; RST_STREAM 1 FLOW_CONTROL_ERROR"
        );
        assert_eq!(wire.feed(frame::window_update(0, MOST - 65_535)), "");
        wire.feed(frame::window_update(0, 1));
        wire.assert_failed(Fault::WindowOverflow);
    }

    #[test]
    fn so_it_is_where_settings_make_it_larger() {
        let mut wire = Wire::greeted();
        wire.get(1, "/");
        wire.feed(frame::window_update(1, MOST - 65_535));
        wire.feed(frame::settings(&[(setting::INITIAL_WINDOW_SIZE, 65_536)]));
        wire.assert_failed(Fault::WindowOverflow);
        let mut wire = Wire::greeted();
        wire.feed(frame::settings(&[(setting::INITIAL_WINDOW_SIZE, MOST + 1)]));
        wire.assert_failed(Fault::BadInitialWindowSize);
    }

    #[test]
    fn a_grant_of_nothing_is_an_error() {
        let mut wire = Wire::greeted();
        wire.get(1, "/");
        assert_eq!(
            wire.feed(frame::window_update(1, 0)),
            "cancelled 1: ZeroIncrement; RST_STREAM 1 PROTOCOL_ERROR"
        );
        wire.feed(frame::window_update(0, 0x8000_0000));
        wire.assert_failed(Fault::ZeroIncrement);
    }

    #[test]
    fn no_frame_is_longer_than_the_peer_takes() {
        let mut wire = Wire::windowed(MOST);
        wire.grant(0, 1_000_000);
        wire.get(1, "/");
        wire.answer(1, vec![b'x'; 100_000]);
        let long = |sent: &Sent| matches!(sent, Sent::Data { data, .. } if data.len() > 16_384);
        assert!(!wire.sent().iter().any(long));
        // A head of more than a frame goes on in CONTINUATION: the reader puts it together.
        wire.get(3, "/");
        let value = "v".repeat(20_000);
        wire.respond(3, 200, &[("a", &value), ("b", &value)]);
        assert_eq!(wire.reply(3).field("b"), Some(&*value));
    }

    #[test]
    fn what_may_be_given_is_what_one_stream_may_have_waiting() {
        let mut wire = Wire::windowed(0);
        wire.get(1, "/");
        assert_eq!(wire.connection.send_capacity(StreamId(1)), 0);
        wire.respond(1, 200, &[]);
        let capacity = wire.connection.send_capacity(StreamId(1));
        assert!(capacity >= 16_384);
        wire.send(1, vec![b'x'; capacity]);
        assert_eq!(wire.connection.send_capacity(StreamId(1)), 0);
        wire.grant(1, 10);
        assert_eq!(wire.connection.send_capacity(StreamId(1)), 10);
    }
}

mod receiving {
    use super::*;

    #[test]
    fn data_beyond_a_streams_window_is_an_error_of_the_stream() {
        let mut wire = limited(|limits| limits.body_window = 10);
        wire.post(1, "/");
        assert_eq!(wire.feed(frame::data(1, "0123456789")), "data 1 \"0123456789\"");
        assert_eq!(
            wire.feed(frame::data(1, "x")),
            "cancelled 1: WindowExceeded; RST_STREAM 1 FLOW_CONTROL_ERROR"
        );
        assert_eq!(wire.get(3, "/"), "request 3 GET /");
    }

    #[test]
    fn data_beyond_the_connections_window_is_an_error_of_the_connection() {
        let mut wire = limited(|limits| {
            (limits.connection_window, limits.body_window, limits.body_window_most) =
                (65_535, 60_000, 60_000);
        });
        wire.post(1, "/");
        wire.post(3, "/");
        for _ in 0..4 {
            wire.feed(frame::data(1, [b'x'; 15_000]));
        }
        wire.feed(frame::data(3, [b'x'; 5_535]));
        assert_eq!(wire.goaway(), None);
        wire.feed(frame::data(3, "x"));
        wire.assert_failed(Fault::WindowExceeded);
    }

    #[test]
    fn what_is_released_is_granted_again_by_halves() {
        let mut wire = limited(|limits| (limits.body_window, limits.body_window_most) = (8, 8));
        wire.post(1, "/");
        wire.feed(frame::data(1, "01234567"));
        assert_eq!(wire.release(1, 3), "");
        assert_eq!(wire.release(1, 1), "WINDOW_UPDATE 1 +4");
        assert_eq!(wire.feed(frame::data(1, "89ab")), "data 1 \"89ab\"");
        assert_eq!(wire.release(1, 1_000), "WINDOW_UPDATE 1 +8");
        assert_eq!(wire.release(1, 1_000), "");
    }

    #[test]
    fn a_window_grows_while_its_handler_keeps_up_and_no_further_than_it_may() {
        let mut wire = limited(|limits| (limits.body_window, limits.body_window_most) = (1_000, 5_000));
        wire.post(1, "/");
        let mut window = 1_000;
        for expected in [2_000, 4_000, 5_000, 5_000] {
            wire.feed(frame::data(1, vec![b'x'; window]));
            wire.release(1, window);
            window = 1_000 + granted(wire.sent(), 1) as usize - total(&wire);
            assert_eq!(window, expected);
        }
        // One byte is held up: it does not grow.
        let mut wire = limited(|limits| limits.body_window = 1_000);
        wire.post(1, "/");
        wire.feed(frame::data(1, vec![b'x'; 1_000]));
        assert_eq!(wire.release(1, 999), "WINDOW_UPDATE 1 +999");
    }

    /// How much of bodies the handlers were given.
    fn total(wire: &Wire) -> usize {
        let count = |event: &lameduck_core::Event| match event {
            lameduck_core::Event::Data { data, .. } => data.len(),
            _ => 0,
        };
        wire.events().iter().map(count).sum()
    }

    #[test]
    fn padding_is_given_back_at_once() {
        let mut wire = limited(|limits| {
            (limits.body_window, limits.body_window_most, limits.connection_window) = (600, 600, 65_535);
        });
        wire.post(1, "/");
        for _ in 0..1_000 {
            assert!(wire.feed(frame::data(1, "x").padded(255)).starts_with("data 1 \"x\""));
            wire.release(1, 1);
        }
        assert_eq!(wire.goaway(), None);
        assert!(wire.resets(1).is_empty());
    }

    #[test]
    fn more_padding_than_there_is_room_for_is_an_error() {
        for frame in [
            frame::data(1, "x").padded(3).with_payload([4, b'x', 0, 0]),
            frame::headers(1, "").end_headers().padded(0).with_payload([1]),
        ] {
            let mut wire = Wire::greeted();
            wire.post(1, "/");
            wire.feed(frame);
            wire.assert_failed(Fault::TooMuchPadding);
        }
    }

    /// Sends three times the connection's window as DATA that no handler gets; that must be given back.
    #[track_caller]
    fn send_into_the_void(wire: &mut Wire, frame: &Frame) {
        for _ in 0..200 {
            wire.feed(frame);
        }
        assert_eq!(wire.goaway(), None, "{:?}", wire.closed());
        let grants = granted(wire.sent(), 0);
        assert!(grants > 983_041 + 200 * 16_000 - 1_048_576 / 2, "{grants}");
    }

    #[test]
    fn data_of_streams_that_are_gone_is_given_back() {
        let piece = [b'x'; 16_000];
        // Reset by us.
        let mut wire = Wire::greeted();
        wire.post(1, "/");
        wire.connection.reset(wire.now(), StreamId(1)).expect("the request is there");
        send_into_the_void(&mut wire, &frame::data(1, piece));
        // Reset by the peer, which sends on.
        let mut wire = Wire::greeted();
        wire.post(1, "/");
        wire.feed(frame::rst_stream(1, code::CANCEL));
        send_into_the_void(&mut wire, &frame::data(1, piece));
        // Refused.
        let mut wire = limited(|limits| limits.streams = 0);
        wire.post(1, "/");
        send_into_the_void(&mut wire, &frame::data(1, piece));
    }

    #[test]
    fn what_was_read_by_nobody_is_given_back_with_the_stream() {
        let mut wire = limited(|limits| limits.connection_window = 65_535);
        for stream in 0..100 {
            let stream = 2 * stream + 1;
            wire.post(stream, "/");
            for _ in 0..3 {
                wire.feed(frame::data(stream, [b'x'; 10_000]));
            }
            match stream % 3 {
                0 => drop(wire.feed(frame::rst_stream(stream, code::CANCEL))),
                1 => {
                    let now = wire.now();
                    wire.connection.discard_body(now, StreamId(stream.into())).expect("it is there");
                    wire.answer(stream, "ok");
                }
                _ => {
                    let now = wire.now();
                    wire.connection.reset(now, StreamId(stream.into())).expect("it is there");
                    wire.settle();
                }
            }
            assert_eq!(wire.goaway(), None, "{stream}");
        }
    }
}

/// What a peer and its handlers do with a few streams.
#[derive(Clone, Copy, Debug)]
enum Op {
    Data(u8, u16, u8),
    End(u8),
    Reset(u8),
    Release(u8, u16),
    Discard(u8),
    GiveUp(u8),
    Answer(u8),
}

fn op() -> impl Strategy<Value = Op> {
    let stream = 0..6_u8;
    prop_oneof![
        8 => (stream.clone(), 0..9_000_u16, 0..=255_u8).prop_map(|(of, size, pad)| Op::Data(of, size, pad)),
        1 => stream.clone().prop_map(Op::End),
        1 => stream.clone().prop_map(Op::Reset),
        4 => (stream.clone(), 0..9_000_u16).prop_map(|(of, count)| Op::Release(of, count)),
        1 => stream.clone().prop_map(Op::Discard),
        1 => stream.clone().prop_map(Op::GiveUp),
        2 => stream.prop_map(Op::Answer),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// A peer that keeps to its windows, as it knows them, never exceeds them, whatever becomes of its streams; and
    /// when none is left, the connection's window is open again.
    #[test]
    fn no_window_leaks(ops in proptest::collection::vec(op(), 0..150)) {
        const WINDOW: u32 = 70_000;
        let mut wire = limited(|limits| {
            (limits.connection_window, limits.body_window, limits.body_window_most) = (WINDOW, 20_000, 40_000);
        });
        let mut sent = [0_u32; 6];
        for stream in 0..6 {
            wire.post(2 * stream + 1, "/");
        }
        for op in ops {
            apply(&mut wire, &mut sent, op);
            prop_assert_eq!(wire.goaway(), None);
        }
        for stream in 0..6 {
            wire.feed(frame::rst_stream(2 * stream + 1, code::CANCEL));
        }
        let left = 65_535 + granted(wire.sent(), 0) - sent.iter().sum::<u32>();
        prop_assert!((WINDOW / 2..=WINDOW).contains(&left), "{} of {}", left, WINDOW);
        let overruns = wire.sent().iter().any(|sent| {
            matches!(sent, Sent::RstStream { code: code::FLOW_CONTROL_ERROR, .. })
        });
        prop_assert!(!overruns);
    }
}

fn apply(wire: &mut Wire, sent: &mut [u32; 6], op: Op) {
    let now = wire.now();
    let number = |of: u8| 2 * u32::from(of) + 1;
    let id = |of: u8| StreamId(u64::from(number(of)));
    match op {
        Op::Data(of, size, padding) => {
            let all: u32 = sent.iter().sum();
            let taken = sent[usize::from(of)];
            let whole = u32::from(size) + u32::from(padding) + 1;
            let of_stream = (20_000 + granted(wire.sent(), number(of))).checked_sub(taken);
            let of_connection = (65_535 + granted(wire.sent(), 0)).checked_sub(all);
            if of_stream >= Some(whole) && of_connection >= Some(whole) {
                sent[usize::from(of)] += whole;
                // Whole: of what nobody reads, the grants depend on how it is split.
                let frame = frame::data(number(of), vec![b'x'; size.into()]).padded(padding);
                wire.connection.handle_bytes(now, frame.as_ref());
            }
        }
        Op::End(of) => drop(wire.feed(frame::data(number(of), "").end_stream())),
        Op::Reset(of) => drop(wire.feed(frame::rst_stream(number(of), code::CANCEL))),
        Op::Release(of, count) => drop(wire.connection.release(now, id(of), count.into())),
        Op::Discard(of) => drop(wire.connection.discard_body(now, id(of))),
        Op::GiveUp(of) => drop(wire.connection.reset(now, id(of))),
        Op::Answer(of) => {
            let length = lameduck_core::ResponseLength::Known(0);
            let head = lameduck_core::ResponseHead { status: 200, fields: [], length };
            if wire.connection.respond(now, id(of), head).is_ok() {
                let _ = wire.connection.finish(now, id(of), []);
            }
        }
    }
    wire.settle();
}
