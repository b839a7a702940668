//! Streams (RFC 9113 sections 5.1 and 8.1): their states and numbers, both halves of an exchange, its ends.

use std::fmt::Write;

use lameduck_core::{ApiMisuse, CancelReason, Config, ErrorCode, Event, Fault, StreamId, Timer};
use lameduck_tests::h2::frame::{self, Frame};
use lameduck_tests::h2::{Requests, Wire, code, fields};

const ANSWERED: &str = "HEADERS 1 200 content-length=2; DATA 1 \"ok\" end";

mod states {
    use super::*;

    /// A state of section 5.1, and how a stream gets there. A server that pushes nothing knows no reserved ones.
    type State = (&'static str, fn(&mut Wire));

    const STATES: [State; 8] = [
        ("idle", |_| ()),
        ("open", |wire| drop(wire.post(5, "/"))),
        ("half-closed (remote)", |wire| drop(wire.get(5, "/"))),
        ("half-closed (local)", |wire| {
            wire.post(5, "/");
            wire.answer(5, "ok");
        }),
        ("closed by both ends", |wire| {
            wire.get(5, "/");
            wire.answer(5, "ok");
        }),
        ("closed by their RST_STREAM", |wire| {
            wire.post(5, "/");
            wire.feed(frame::rst_stream(5, code::CANCEL));
        }),
        ("closed by our RST_STREAM", |wire| {
            wire.post(5, "/");
            wire.respond(5, 200, &[]);
            wire.connection.reset(wire.now(), StreamId(5)).expect("the request is there");
            wire.settle();
        }),
        ("closed by a higher number", |wire| drop(wire.get(7, "/"))),
    ];

    /// A frame on the stream.
    type Make = (&'static str, fn(&mut Requests) -> Frame);

    const FRAMES: [Make; 12] = [
        ("DATA", |_| frame::data(5, "hey")),
        ("DATA, END_STREAM", |_| frame::data(5, "hey").end_stream()),
        ("HEADERS of a request", |requests| requests.get(5, "/")),
        ("HEADERS of trailers", |requests| requests.headers(5, &[("x", "y")]).end_stream()),
        ("HEADERS, no END_STREAM", |requests| requests.headers(5, &[("x", "y")])),
        ("PRIORITY", |_| frame::priority(5, 1, 9)),
        ("RST_STREAM", |_| frame::rst_stream(5, code::CANCEL)),
        ("PUSH_PROMISE", |requests| {
            frame::push_promise(5, 2, requests.block(&fields("GET", "/"))).end_headers()
        }),
        ("WINDOW_UPDATE", |_| frame::window_update(5, 1)),
        ("WINDOW_UPDATE of zero", |_| frame::window_update(5, 0)),
        ("CONTINUATION", |_| frame::continuation(5, "").end_headers()),
        ("PRIORITY_UPDATE", |_| frame::priority_update(5, "u=1")),
    ];

    fn table() -> String {
        let mut table = String::new();
        for (state, enter) in STATES {
            let _ = writeln!(table, "{state}");
            for (name, make) in FRAMES {
                let mut wire = Wire::greeted();
                // So that there is something to be cut where the connection fails.
                wire.get(1, "/");
                enter(&mut wire);
                let frame = make(&mut wire.requests);
                let said = wire.feed(frame);
                let said = if said.is_empty() { "-" } else { &said };
                let _ = writeln!(table, "  {name:<24} {said}");
            }
        }
        table
    }

    /// What each frame leads to in each state, against section 5.1: a change of it has to be a change of
    /// `http2_streams.txt`.
    #[test]
    fn every_frame_in_every_state_leads_to_what_the_table_says() {
        let table = table();
        let expected = include_str!("http2_streams.txt");
        for (line, (found, expected)) in table.lines().zip(expected.lines()).enumerate() {
            assert_eq!(found, expected, "line {}; the whole of it:\n{table}", line + 1);
        }
        assert_eq!(table.lines().count(), expected.lines().count(), "{table}");
    }

    /// Whatever does not end the connection leaves it usable, HPACK and all.
    #[test]
    fn no_frame_puts_a_connection_that_lives_on_out_of_step() {
        for (state, enter) in STATES {
            for (name, make) in FRAMES {
                let mut wire = Wire::greeted();
                enter(&mut wire);
                let frame = make(&mut wire.requests);
                wire.feed(frame);
                if wire.goaway().is_none() {
                    let head = [&fields("GET", "/next")[..], &[("x", "y"), ("z", state)]].concat();
                    assert_eq!(wire.request(9, &head), "request 9 GET /next", "{name} while {state}");
                    wire.answer(9, "ok");
                    assert_eq!(wire.reply(9).body, b"ok", "{name} while {state}");
                }
            }
        }
    }
}

mod numbers {
    use super::*;

    #[test]
    fn streams_may_skip_numbers() {
        let mut wire = Wire::greeted();
        for stream in [1, 3, 9, 101, 0x7fff_ffff] {
            assert_eq!(wire.get(stream, "/"), format!("request {stream} GET /"));
            wire.answer(stream, "ok");
            assert_eq!(wire.reply(stream).body, b"ok");
        }
    }

    /// Section 5.1.1: a number is higher than all before. What was passed over, and by how much, does not matter.
    #[test]
    fn a_number_that_was_skipped_is_not_used_any_more() {
        for (highest, skipped) in [(3, 1), (9, 7), (127, 1), (0x7fff_ffff, 0x7fff_fffd)] {
            let mut wire = Wire::greeted();
            wire.get(highest, "/");
            wire.get(skipped, "/");
            wire.assert_failed(Fault::BadStreamNumber);
        }
    }

    #[test]
    fn so_long_ago_that_it_may_have_been_used_it_counts_as_closed() {
        let mut wire = Wire::greeted();
        wire.get(131, "/");
        assert_eq!(wire.get(1, "/"), "RST_STREAM 1 STREAM_CLOSED");
        assert_eq!(wire.get(133, "/"), "request 133 GET /");
        wire.get(129, "/");
        wire.assert_failed(Fault::BadStreamNumber);
    }

    /// The head of a request that was refused or malformed has opened its stream all the same.
    #[test]
    fn a_number_that_was_refused_was_used() {
        let mut config = Config::default();
        config.limits.streams = 1;
        let mut wire = Wire::greeted_with(&config, &[]);
        wire.get(1, "/");
        assert_eq!(wire.get(3, "/"), "refused 3; RST_STREAM 3 REFUSED_STREAM");
        wire.request(5, &[(":method", "GET")]);
        wire.answer(1, "ok");
        assert_eq!(wire.get(7, "/"), "request 7 GET /");
        for stream in [1, 3, 5] {
            wire.get(stream, "/");
            assert_eq!(wire.goaway(), None, "{stream}");
        }
    }

    #[test]
    fn even_numbers_are_not_the_clients() {
        for stream in [2, 4, 0x7fff_fffe] {
            let mut wire = Wire::greeted();
            wire.get(stream, "/");
            wire.assert_failed(Fault::BadStreamNumber);
        }
    }

    #[test]
    fn there_is_no_request_on_stream_zero() {
        let mut wire = Wire::greeted();
        wire.get(0, "/");
        wire.assert_failed(Fault::StreamMissing);
    }

    #[test]
    fn the_reserved_bit_is_ignored() {
        let mut wire = Wire::greeted();
        let request = wire.requests.get(1, "/").on_stream(0x8000_0001);
        assert_eq!(wire.feed(request), "request 1 GET /");
    }

    #[test]
    fn one_too_many_is_refused_and_safe_to_retry() {
        let mut config = Config::default();
        config.limits.streams = 2;
        let mut wire = Wire::greeted_with(&config, &[]);
        wire.get(1, "/");
        wire.get(3, "/");
        assert_eq!(wire.get(5, "/"), "refused 5; RST_STREAM 5 REFUSED_STREAM");
        wire.answer(1, "ok");
        assert_eq!(wire.get(7, "/"), "request 7 GET /");
    }
}

mod bodies {
    use super::*;

    #[test]
    fn a_body_comes_with_its_trailers() {
        let mut wire = Wire::greeted();
        assert_eq!(wire.post(1, "/"), "request 1 POST / (?)");
        assert_eq!(wire.feed(frame::data(1, "hel")), "data 1 \"hel\"");
        assert_eq!(wire.feed(frame::data(1, "lo")), "data 1 \"lo\"");
        let trailers = wire.requests.headers(1, &[("sum", "5")]).end_stream();
        assert_eq!(wire.feed(trailers), "end 1 sum=5");
        assert_eq!(wire.answer(1, "ok"), ANSWERED);
    }

    #[test]
    fn trailers_that_could_frame_or_route_are_left_out() {
        let mut wire = Wire::greeted();
        wire.post(1, "/");
        let trailers = wire.requests.headers(1, &[("content-length", "9"), ("host", "b"), ("x", "y")]);
        assert_eq!(wire.feed(trailers.end_stream()), "end 1 x=y");
    }

    #[test]
    fn trailers_end_a_request_and_have_no_pseudo_field() {
        for (trailers, ends) in [(&[("x", "y")][..], false), (&[(":path", "/")], true), (&[("X", "y")], true)]
        {
            let mut wire = Wire::greeted();
            wire.post(1, "/");
            let frame = wire.requests.headers(1, trailers);
            let frame = if ends { frame.end_stream() } else { frame };
            assert_eq!(wire.feed(frame), "cancelled 1: MalformedRequest; RST_STREAM 1 PROTOCOL_ERROR");
        }
    }

    #[test]
    fn an_empty_data_may_end_a_request() {
        let mut wire = Wire::greeted();
        wire.post(1, "/");
        assert_eq!(wire.feed(frame::data(1, "").end_stream()), "end 1");
    }

    #[test]
    fn a_response_has_its_trailers() {
        let mut wire = Wire::greeted();
        wire.get(1, "/");
        wire.respond(1, 200, &[("x", "y")]);
        wire.send(1, "hello");
        let trailers = [("grpc-status", "0"), ("content-length", "5")];
        assert_eq!(wire.finish(1, &trailers), "HEADERS 1 trailers grpc-status=0 end");
        let reply = wire.reply(1);
        assert_eq!((reply.field("x"), &*reply.body), (Some("y"), &b"hello"[..]));
    }

    #[test]
    fn an_answer_may_be_over_before_its_request() {
        let mut wire = Wire::greeted();
        wire.post(1, "/");
        assert_eq!(wire.answer(1, "ok"), ANSWERED);
        // The handler still reads.
        assert_eq!(wire.feed(frame::data(1, "more").end_stream()), "data 1 \"more\"; end 1");
        assert_eq!(wire.connection.release(wire.now(), StreamId(1), 4), Err(ApiMisuse::UnknownStream));
    }

    #[test]
    fn what_nobody_reads_on_is_stopped_with_no_error() {
        let mut wire = Wire::greeted();
        wire.post(1, "/");
        wire.connection.discard_body(wire.now(), StreamId(1)).expect("the request is there");
        assert_eq!(wire.answer(1, "ok"), format!("{ANSWERED}; WINDOW_UPDATE 1 +3932160"));
        assert_eq!(wire.wait_millis(1_000), "RST_STREAM 1 NO_ERROR");
        // It was on its way: ignored, and not an error.
        assert_eq!(wire.feed(frame::data(1, "more")), "");
        assert_eq!(wire.feed(frame::data(1, "more").end_stream()), "");
    }
}

mod lengths {
    use super::*;

    fn post(wire: &mut Wire, length: &str) -> String {
        let head = [&fields("POST", "/")[..], &[("content-length", length)]].concat();
        let head = wire.requests.headers(1, &head);
        wire.feed(head)
    }

    #[test]
    fn a_body_is_as_long_as_its_head_says() {
        let mut wire = Wire::greeted();
        assert_eq!(post(&mut wire, "5"), "request 1 POST / (5)");
        assert_eq!(wire.feed(frame::data(1, "hello")), "data 1 \"hello\"");
        assert_eq!(wire.feed(frame::data(1, "").end_stream()), "end 1");
    }

    #[test]
    fn a_body_that_is_longer_or_shorter_is_an_error_of_its_stream() {
        let cases: [&[Frame]; 5] = [
            &[frame::data(1, "longer")],
            &[frame::data(1, "hello"), frame::data(1, "!")],
            &[frame::data(1, "hell").end_stream()],
            &[frame::data(1, "").end_stream()],
            &[frame::data(1, "hell"), frame::headers(1, "").end_headers().end_stream()],
        ];
        for frames in cases {
            let mut wire = Wire::greeted();
            post(&mut wire, "5");
            let said = wire.feed_all(frames);
            assert_eq!(wire.resets(1), [code::PROTOCOL_ERROR], "{said}");
            assert!(said.contains("cancelled 1: LengthMismatch"), "{said}");
            assert!(!said.contains("end 1"), "no handler takes it for whole: {said}");
        }
    }

    #[test]
    fn a_length_without_a_body_is_malformed() {
        let mut wire = Wire::greeted();
        let head = [&fields("POST", "/")[..], &[("content-length", "5")]].concat();
        assert_eq!(wire.request(1, &head), "RST_STREAM 1 PROTOCOL_ERROR");
        let head = [&fields("POST", "/")[..], &[("content-length", "0")]].concat();
        assert_eq!(wire.request(3, &head), "request 3 POST /");
    }

    #[test]
    fn a_length_of_zero_before_an_empty_body_is_no_lie() {
        let mut wire = Wire::greeted();
        assert_eq!(post(&mut wire, "0"), "request 1 POST / (?)");
        assert_eq!(wire.feed(frame::data(1, "").end_stream()), "end 1");
        let mut wire = Wire::greeted();
        post(&mut wire, "0");
        assert_eq!(
            wire.feed(frame::data(1, "x")),
            "cancelled 1: LengthMismatch; RST_STREAM 1 PROTOCOL_ERROR"
        );
    }
}

mod statuses {
    use super::*;

    #[test]
    fn interim_responses_come_first() {
        let mut wire = Wire::greeted();
        wire.get(1, "/");
        let now = wire.now();
        let link = lameduck_core::Field { name: "link", value: b"</a>" };
        assert_eq!(wire.connection.inform(now, StreamId(1), 101, []), Err(ApiMisuse::BadStatus));
        wire.connection.inform(now, StreamId(1), 103, [link]).expect("the response waits");
        wire.connection.inform(now, StreamId(1), 199, []).expect("the response waits");
        wire.answer(1, "ok");
        let reply = wire.reply(1);
        assert_eq!((reply.interim, reply.status), (vec![103, 199], 200));
    }

    #[test]
    fn a_client_that_waits_for_a_word_gets_it_when_the_body_is_asked_for() {
        let mut wire = Wire::greeted();
        let head = [&fields("POST", "/")[..], &[("expect", "100-Continue")]].concat();
        let head = wire.requests.headers(1, &head);
        assert_eq!(wire.feed(head), "request 1 POST / (?)");
        // Nobody has to send anything, as yet.
        for _ in 0..10 {
            assert_eq!(wire.wait_millis(30_000), "PING you here");
            wire.feed(frame::ping_ack(*b"you here"));
        }
        wire.connection.read_body(wire.now(), StreamId(1)).expect("the request is there");
        assert_eq!(wire.settle(), "HEADERS 1 100");
        wire.connection.read_body(wire.now(), StreamId(1)).expect("the request is there");
        assert_eq!(wire.settle(), "");
    }

    /// It carries nothing of the body that the client holds back.
    #[test]
    fn an_empty_frame_does_not_stand_for_the_body_that_waits_for_a_word() {
        let mut wire = Wire::greeted();
        let head = [&fields("POST", "/")[..], &[("expect", "100-continue")]].concat();
        let head = wire.requests.headers(1, &head);
        wire.feed_all([head, frame::data(1, ""), frame::data(1, "").padded(9)]);
        assert_eq!(wire.connection.status().due.map(|due| due.timer), Some(Timer::Silence));
        wire.connection.read_body(wire.now(), StreamId(1)).expect("the request is there");
        assert_eq!(wire.settle(), "HEADERS 1 100");
        assert_eq!(wire.connection.status().due.map(|due| due.timer), Some(Timer::Body));
        assert_eq!(wire.feed(frame::data(1, "ok").end_stream()), "data 1 \"ok\"; end 1");
        // The end is a word of its own: none is waited for any more.
        let head = [&fields("POST", "/")[..], &[("expect", "100-continue")]].concat();
        let head = wire.requests.headers(3, &head);
        wire.feed_all([head, frame::data(3, "").end_stream()]);
        wire.connection.read_body(wire.now(), StreamId(3)).expect("the request is there");
        assert_eq!(wire.settle(), "");
    }

    #[test]
    fn nor_a_body_where_there_is_none() {
        for (method, status, said) in [
            ("HEAD", 200, "HEADERS 1 200 content-length=5 end"),
            ("GET", 204, "HEADERS 1 204 end"),
            ("GET", 304, "HEADERS 1 304 content-length=5 end"),
        ] {
            let mut wire = Wire::greeted();
            wire.request(1, &fields(method, "/"));
            let length = if status == 204 { &[][..] } else { &[("content-length", "5")] };
            assert_eq!(wire.respond(1, status, length), said);
            assert!(!wire.connection.takes_body(StreamId(1)));
            assert_eq!(wire.send(1, "hello"), "");
            assert_eq!(wire.finish(1, &[("x", "y")]), "");
        }
    }

    #[test]
    fn fields_of_the_connection_are_not_sent() {
        let mut wire = Wire::greeted();
        wire.get(1, "/");
        let head = [
            ("Connection", "close"),
            ("keep-alive", "x"),
            ("Transfer-Encoding", "chunked"),
            ("upgrade", "y"),
            ("proxy-connection", "z"),
            ("X-Case", " v "),
        ];
        assert_eq!(wire.respond(1, 200, &head), "HEADERS 1 200 x-case=v");
    }
}

mod resets {
    use super::*;

    #[test]
    fn a_reset_cancels_the_handler() {
        let mut wire = Wire::greeted();
        wire.get(1, "/");
        assert_eq!(wire.feed(frame::rst_stream(1, code::CANCEL)), "cancelled 1: reset CANCEL");
        wire.get(3, "/");
        wire.feed(frame::rst_stream(3, 0xfeed));
        let reason = CancelReason::Reset(ErrorCode(0xfeed));
        assert_eq!(wire.events().last(), Some(&Event::Cancelled { id: StreamId(3), reason }));
        let now = wire.now();
        assert_eq!(wire.connection.reset(now, StreamId(1)), Err(ApiMisuse::UnknownStream));
    }

    #[test]
    fn a_request_that_is_reset_before_anybody_heard_of_it_is_not_told() {
        let mut wire = Wire::greeted();
        let request = wire.requests.get(1, "/");
        assert_eq!(wire.feed_all([request, frame::rst_stream(1, code::CANCEL)]), "");
    }

    #[test]
    fn what_is_left_of_a_response_is_not_sent_behind_a_reset() {
        let mut wire = Wire::windowed(3);
        wire.get(1, "/");
        assert_eq!(wire.answer(1, "hello"), "HEADERS 1 200 content-length=5; DATA 1 \"hel\"");
        wire.feed(frame::rst_stream(1, code::CANCEL));
        assert_eq!(wire.grant(0, 100), "");
    }

    #[test]
    fn a_handler_that_gives_up_says_so() {
        let mut wire = Wire::greeted();
        wire.get(1, "/");
        wire.post(3, "/");
        wire.get(5, "/");
        wire.respond(5, 200, &[]);
        for stream in [1, 3, 5] {
            wire.connection.reset(wire.now(), StreamId(stream)).expect("the request is there");
        }
        assert_eq!(
            wire.settle(),
            "cancelled 1: BrokenOff; cancelled 3: BrokenOff; cancelled 5: BrokenOff; \
             HEADERS 1 500 content-length=0 end; HEADERS 3 500 content-length=0 end; \
             WINDOW_UPDATE 3 +3932160; RST_STREAM 5 INTERNAL_ERROR"
        );
    }

    #[test]
    fn a_response_that_is_shorter_than_its_head_says_does_not_look_whole() {
        let mut wire = Wire::greeted();
        wire.get(1, "/");
        wire.respond(1, 200, &[("content-length", "5")]);
        wire.send(1, "hell");
        let now = wire.now();
        assert_eq!(wire.connection.finish(now, StreamId(1), []), Err(ApiMisuse::BodyTooShort));
        assert_eq!(wire.settle(), "cancelled 1: BrokenOff; RST_STREAM 1 INTERNAL_ERROR");
    }

    #[test]
    fn a_handler_that_gives_up_a_whole_response_does_not_take_it_back() {
        let mut wire = Wire::windowed(0);
        wire.post(1, "/");
        wire.answer(1, "ok");
        wire.connection.reset(wire.now(), StreamId(1)).expect("its body still comes in");
        assert_eq!(wire.grant(1, 2), "DATA 1 \"ok\" end; WINDOW_UPDATE 1 +3932160");
        assert_eq!(wire.feed(frame::data(1, "").end_stream()), "");
        assert_eq!(wire.connection.status().stream, None);
    }
}

mod tunnels {
    use super::*;

    const CONNECT: [(&str, &str); 2] = [(":method", "CONNECT"), (":authority", "a:1")];
    const EXTENDED: [(&str, &str); 5] = [
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":scheme", "https"),
        (":authority", "a"),
        (":path", "/chat"),
    ];

    fn open(wire: &mut Wire, stream: u32, head: &[(&str, &str)]) -> String {
        let head = wire.requests.headers(stream, head);
        wire.feed(head)
    }

    #[test]
    fn a_connect_becomes_a_tunnel() {
        let mut wire = Wire::greeted();
        assert_eq!(open(&mut wire, 1, &CONNECT), "request 1 CONNECT  (?)");
        assert!(!wire.connection.is_tunnel(StreamId(1)));
        assert_eq!(wire.respond(1, 200, &[("content-length", "7")]), "HEADERS 1 200");
        assert!(wire.connection.is_tunnel(StreamId(1)));
        assert_eq!(wire.feed(frame::data(1, "in")), "data 1 \"in\"");
        assert_eq!(wire.send(1, "out"), "DATA 1 \"out\"");
        assert_eq!(wire.feed(frame::data(1, "").end_stream()), "end 1");
        assert_eq!(wire.finish(1, &[]), "DATA 1 \"\" end");
        assert!(!wire.connection.is_tunnel(StreamId(1)));
    }

    #[test]
    fn a_tunnel_that_is_quiet_stays() {
        let mut wire = Wire::greeted();
        open(&mut wire, 1, &CONNECT);
        wire.respond(1, 200, &[]);
        for _ in 0..10 {
            assert_eq!(wire.wait_millis(30_000), "PING you here");
            assert_eq!(wire.feed(frame::ping_ack(*b"you here")), "");
        }
        assert_eq!(wire.feed(frame::data(1, "in")), "data 1 \"in\"");
    }

    #[test]
    fn a_connect_may_be_refused() {
        let mut wire = Wire::greeted();
        open(&mut wire, 1, &CONNECT);
        wire.connection.discard_body(wire.now(), StreamId(1)).expect("the request is there");
        let said = wire.respond(1, 403, &[("content-length", "0")]);
        assert_eq!(said, "HEADERS 1 403 content-length=0 end");
        assert_eq!(wire.finish(1, &[]), "");
        assert_eq!(wire.wait_millis(1_000), "RST_STREAM 1 NO_ERROR");
    }

    #[test]
    fn an_extended_connect_says_for_what() {
        let mut wire = Wire::greeted();
        assert_eq!(open(&mut wire, 1, &EXTENDED), "request 1 CONNECT /chat (?)");
        let Some(Event::Request { head, .. }) = wire.events().last() else { panic!("a request") };
        assert_eq!(head.protocol(), Some("websocket"));
        assert_eq!(head.scheme_bytes().as_deref(), Some(&b"https"[..]));
        assert_eq!(wire.respond(1, 200, &[]), "HEADERS 1 200");
        assert!(wire.connection.is_tunnel(StreamId(1)));
    }

    #[test]
    fn a_connect_has_an_authority_and_nothing_else() {
        let all = [(":scheme", "https"), (":path", "/"), ("content-length", "1")];
        for more in all {
            let mut wire = Wire::greeted();
            let head = [&CONNECT[..], &[more]].concat();
            assert_eq!(open(&mut wire, 1, &head), "RST_STREAM 1 PROTOCOL_ERROR", "{more:?}");
        }
        let mut wire = Wire::greeted();
        assert_eq!(open(&mut wire, 1, &[(":method", "CONNECT")]), "RST_STREAM 1 PROTOCOL_ERROR");
        let get = [(":protocol", "websocket"), (":method", "GET"), (":scheme", "https"), (":path", "/")];
        let get = [&get[..], &[(":authority", "a")]].concat();
        assert_eq!(open(&mut wire, 3, &get), "RST_STREAM 3 PROTOCOL_ERROR");
    }

    #[test]
    fn an_extended_connect_has_all_that_a_request_has() {
        for left_out in 2..EXTENDED.len() {
            let mut wire = Wire::greeted();
            let mut head = EXTENDED.to_vec();
            let (name, _) = head.remove(left_out);
            assert_eq!(open(&mut wire, 1, &head), "RST_STREAM 1 PROTOCOL_ERROR", "without {name}");
        }
    }
}
