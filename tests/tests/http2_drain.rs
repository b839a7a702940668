//! The drain of HTTP/2, and whatever else ends a connection that broke no rule: two cutoffs, and a bound to each
//! wait.

use std::time::Duration;

use lameduck_core::{CancelReason, CloseReason, Config, Event, HalfClose, Reason, Stage, StreamId, Timer};
use lameduck_tests::h2::frame;
use lameduck_tests::h2::{Sent, Taking, Wire, code, gets};

const MINUTE: Duration = Duration::from_secs(60);
const NOTICE: &str = "GOAWAY all NO_ERROR; PING lameduck";

fn heard() -> frame::Frame {
    frame::ping_ack(*b"lameduck")
}

/// What every GOAWAY said was the last stream.
fn lasts(wire: &Wire) -> Vec<u32> {
    let last = |sent: &Sent| match sent {
        Sent::GoAway { last, .. } => Some(*last),
        _ => None,
    };
    wire.sent().iter().filter_map(last).collect()
}

/// What the GOAWAYs say to people who trace a client.
mod words {
    use super::*;

    fn said(wire: &Wire) -> Vec<String> {
        let debug = |sent: &Sent| match sent {
            Sent::GoAway { debug, .. } => Some(String::from_utf8_lossy(debug).into_owned()),
            _ => None,
        };
        wire.sent().iter().filter_map(debug).collect()
    }

    #[test]
    fn a_drain_says_why_the_server_ends() {
        for (reason, words) in
            [("", "the server is draining"), ("SIGTERM", "the server is draining: SIGTERM")]
        {
            let mut wire = Wire::greeted();
            let deadline = wire.now() + MINUTE;
            wire.connection.drain_for(wire.now(), deadline, Reason(reason));
            wire.connection.drain_for(wire.now(), deadline, Reason("another"));
            assert_eq!(wire.settle(), NOTICE);
            wire.feed(heard());
            assert_eq!(said(&wire), [words, words]);
        }
    }

    #[test]
    fn so_does_one_that_came_before_the_preface() {
        let mut wire = Wire::new(&Config::default());
        wire.feed(b"PRI");
        let deadline = wire.now() + MINUTE;
        wire.connection.drain_for(wire.now(), deadline, Reason("deploy"));
        let preface = &lameduck_tests::h2::PREFACE[3..];
        wire.feed(frame::join([preface, frame::settings(&[]).as_ref()]));
        assert_eq!(said(&wire), ["the server is draining: deploy"]);
    }

    #[test]
    fn of_a_text_without_an_end_no_more_goes_out_than_every_client_takes() {
        let mut wire = Wire::greeted();
        let endless = Reason("nonsense ".repeat(5_000).leak());
        wire.connection.drain_for(wire.now(), wire.now() + MINUTE, endless);
        assert_eq!(wire.settle(), NOTICE);
        assert_eq!(said(&wire).concat().len(), 16_384 - 8);
    }

    #[test]
    fn what_ends_without_a_drain_has_words_of_its_own() {
        let mut wire = Wire::greeted();
        wire.feed(frame::goaway(0, 0, ""));
        assert_eq!(said(&wire), ["all that was asked is answered, and the client leaves"]);
        let mut config = Config::default();
        config.timeouts.keep_alive.serving = Duration::from_secs(20);
        let mut wire = Wire::greeted_with(&config, &[]);
        wire.wait_millis(21_000);
        assert_eq!(said(&wire), ["no request for too long", "no request for too long"]);
    }
}

mod two_phases {
    use super::*;

    #[test]
    fn an_idle_connection_is_told_at_once_and_ends_when_it_has_heard() {
        let mut wire = Wire::greeted();
        assert_eq!(wire.drain(MINUTE), NOTICE);
        assert_eq!(wire.feed(heard()), "GOAWAY 0 NO_ERROR; FIN");
        assert_eq!(wire.eof(), "closed: Drained");
    }

    #[test]
    fn so_is_a_busy_one_whose_streams_are_served() {
        let mut wire = Wire::greeted();
        wire.get(1, "/");
        wire.get(3, "/");
        assert_eq!(wire.drain(MINUTE), NOTICE);
        assert_eq!(wire.feed(heard()), "GOAWAY 3 NO_ERROR");
        assert_eq!(wire.answer(3, "ok"), "HEADERS 3 200 content-length=2; DATA 3 \"ok\" end");
        assert_eq!(wire.answer(1, "ok"), "HEADERS 1 200 content-length=2; DATA 1 \"ok\" end; PING all read");
        assert_eq!(wire.receipt(), "FIN");
        assert_eq!(wire.eof(), "closed: Drained");
    }

    #[test]
    fn one_that_does_not_say_that_it_has_heard_has_a_second() {
        let mut wire = Wire::greeted();
        wire.get(1, "/");
        wire.drain(MINUTE);
        assert_eq!(wire.wait_millis(999), "");
        assert_eq!(wire.wait_millis(1), "GOAWAY 1 NO_ERROR");
        assert_eq!(wire.feed(heard()), "");
        wire.answer(1, "ok");
        assert_eq!(wire.receipt(), "FIN");
        let mut wire = Wire::greeted();
        wire.drain(MINUTE);
        assert_eq!(wire.wait_millis(1_000), "GOAWAY 0 NO_ERROR; FIN");
    }

    #[test]
    fn no_other_answer_counts() {
        let mut wire = Wire::greeted();
        wire.feed(heard());
        wire.drain(MINUTE);
        for other in [frame::ping_ack(*b"you here"), frame::ping_ack([0; 8]), frame::ping(*b"lameduck")] {
            assert!(!wire.feed(other).contains("GOAWAY"));
        }
        assert_eq!(lasts(&wire), [0x7fff_ffff]);
    }

    #[test]
    fn what_was_on_its_way_when_it_heard_is_served() {
        let mut wire = Wire::greeted();
        wire.get(1, "/");
        wire.drain(MINUTE);
        let requests = gets(&mut wire.requests, [3, 5]);
        assert_eq!(wire.feed_all(requests), "request 3 GET /; request 5 GET /");
        let request = wire.requests.get(7, "/");
        assert_eq!(wire.feed_all([request, heard()]), "request 7 GET /; GOAWAY 7 NO_ERROR");
        for stream in [1, 3, 5, 7] {
            wire.answer(stream, "ok");
            assert_eq!(wire.reply(stream).body, b"ok");
        }
        assert_eq!(wire.receipt(), "FIN");
    }

    #[test]
    fn a_request_whose_block_has_begun_is_taken_before_the_cutoff() {
        let mut wire = Wire::greeted();
        let block = wire.requests.block(&lameduck_tests::h2::fields("GET", "/"));
        wire.feed(frame::headers(1, &block[..2]).end_stream());
        wire.drain(MINUTE);
        assert_eq!(wire.feed(frame::continuation(1, &block[2..]).end_headers()), "request 1 GET /");
        assert_eq!(wire.feed(heard()), "GOAWAY 1 NO_ERROR");
    }

    #[test]
    fn a_second_drain_changes_nothing_but_for_an_earlier_deadline() {
        let mut wire = Wire::greeted();
        wire.get(1, "/");
        assert_eq!(wire.drain(MINUTE), NOTICE);
        assert_eq!(wire.drain(2 * MINUTE), "");
        wire.feed(heard());
        assert_eq!(wire.drain(Duration::from_secs(5)), "");
        assert_eq!(wire.wait_millis(4_999), "");
        let cut = wire.wait_millis(1);
        assert!(cut.contains("RST_STREAM 1 CANCEL"), "{cut}");
        assert_eq!(lasts(&wire), [0x7fff_ffff, 1, 1]);
    }

    #[test]
    fn bodies_still_come_in_and_tunnels_stay_until_the_deadline() {
        let mut wire = Wire::greeted();
        wire.post(1, "/");
        let connect = wire.requests.headers(3, &[(":method", "CONNECT"), (":authority", "a:1")]);
        wire.feed(connect);
        wire.respond(3, 200, &[]);
        wire.drain(MINUTE);
        wire.feed(heard());
        for _ in 0..5 {
            assert_eq!(wire.wait_millis(9_999), "");
            assert_eq!(wire.feed(frame::data(1, "x")), "data 1 \"x\"");
        }
        assert_eq!(wire.feed(frame::data(1, "").end_stream()), "end 1");
        wire.answer(1, "ok");
        assert_eq!(wire.send(3, "out"), "DATA 3 \"out\"");
        let cut = wire.wait(MINUTE);
        assert!(cut.contains("RST_STREAM 3 CANCEL"), "{cut}");
    }
}

mod late_streams {
    use super::*;

    /// One that is past the cutoff, while stream 1 is still served.
    fn cut_off() -> Wire {
        let mut wire = Wire::greeted();
        wire.get(1, "/");
        wire.drain(MINUTE);
        wire.feed(heard());
        wire
    }

    #[test]
    fn they_are_refused_and_counted() {
        let mut wire = cut_off();
        assert_eq!(wire.get(3, "/"), "refused 3; RST_STREAM 3 REFUSED_STREAM");
        let requests = gets(&mut wire.requests, [5, 7]);
        assert_eq!(
            wire.feed_all(requests),
            "refused 5; refused 7; RST_STREAM 5 REFUSED_STREAM; RST_STREAM 7 REFUSED_STREAM"
        );
        assert_eq!(wire.served(), [1]);
        wire.answer(1, "ok");
        assert_eq!(wire.reply(1).body, b"ok");
        assert_eq!(lasts(&wire), [0x7fff_ffff, 1]);
        assert_eq!(wire.connection.status().requests, 1);
    }

    /// RFC 9113 section 4.3: their blocks change the table all the same. Here trailers of a stream that is served
    /// refer to what a refused one brought.
    #[test]
    fn their_blocks_are_decoded() {
        let mut wire = Wire::greeted();
        wire.post(1, "/");
        wire.drain(MINUTE);
        wire.feed(heard());
        let head = [&lameduck_tests::h2::fields("GET", "/")[..], &[("x-late", "yes")]].concat();
        let late = wire.requests.headers(3, &head).end_stream();
        wire.feed(late);
        let trailers = wire.requests.block(&[("x-late", "yes")]);
        assert_eq!(trailers.len(), 1, "an index into the table");
        assert_eq!(wire.feed(frame::headers(1, trailers).end_headers().end_stream()), "end 1 x-late=yes");
    }

    #[test]
    fn one_in_several_frames_is_refused_when_its_block_is_whole() {
        let mut wire = cut_off();
        let block = wire.requests.block(&lameduck_tests::h2::fields("GET", "/"));
        let frames = [frame::headers(3, &block[..1]), frame::continuation(3, &block[1..]).end_headers()];
        assert_eq!(wire.feed_all(frames), "refused 3; RST_STREAM 3 REFUSED_STREAM");
    }

    #[test]
    fn a_malformed_one_is_refused_like_the_others() {
        let mut wire = cut_off();
        assert_eq!(wire.request(3, &[("X", "y")]), "refused 3; RST_STREAM 3 REFUSED_STREAM");
    }

    #[test]
    fn their_bodies_are_given_back() {
        let mut wire = cut_off();
        wire.post(3, "/");
        for _ in 0..200 {
            wire.feed(frame::data(3, [b'x'; 16_000]));
        }
        assert_eq!(wire.closed(), None);
        assert_eq!(wire.resets(3), [code::REFUSED_STREAM]);
        let trailers = wire.requests.headers(3, &[("x", "y")]).end_stream();
        assert_eq!(wire.feed(trailers), "");
        assert_eq!(wire.feed(frame::rst_stream(3, code::CANCEL)), "");
        assert_eq!(wire.feed(frame::window_update(3, 7)), "");
    }
}

mod every_phase {
    use super::*;

    /// Checks that the connection still does what keeps a peer going.
    #[track_caller]
    fn is_attentive(wire: &mut Wire, phase: &str) {
        assert_eq!(wire.feed(frame::ping(*b"how far?")), "PING ack how far?", "{phase}");
        assert_eq!(wire.set(&[]), "SETTINGS ack", "{phase}");
        assert_eq!(wire.grant(0, 1), "", "{phase}");
    }

    #[test]
    fn pings_and_settings_are_acknowledged_and_windows_opened() {
        let mut wire = Wire::windowed(1);
        is_attentive(&mut wire, "serving");
        wire.get(1, "/");
        wire.answer(1, "0123456789");
        assert_eq!(wire.drain(MINUTE), NOTICE);
        is_attentive(&mut wire, "noticed");
        assert_eq!(wire.grant(1, 1), "DATA 1 \"1\"");
        wire.feed(heard());
        is_attentive(&mut wire, "cut off");
        assert_eq!(wire.grant(1, 1), "DATA 1 \"2\"");
        assert_eq!(wire.grant(1, 100), "DATA 1 \"3456789\" end; PING all read");
        is_attentive(&mut wire, "all sent");
        assert_eq!(wire.receipt(), "FIN");
    }

    #[test]
    fn after_our_fin_nothing_more_is_sent_and_all_is_taken() {
        let mut wire = Wire::greeted();
        wire.drain(MINUTE);
        wire.feed(heard());
        assert!(wire.fin());
        assert_eq!(wire.connection.status().stage, Stage::Lingering);
        let late = wire.requests.get(1, "/");
        assert_eq!(wire.feed_all([late, frame::ping([0; 8])]), "");
        assert_eq!(wire.feed([0xff; 3_000]), "");
        assert!(wire.connection.wants_read());
        assert_eq!(wire.eof(), "closed: Drained");
    }

    #[test]
    fn lingering_is_bounded() {
        let mut wire = Wire::greeted();
        wire.drain(MINUTE);
        wire.feed(heard());
        assert_eq!(wire.wait_millis(999), "");
        assert_eq!(wire.wait_millis(1), "closed: Drained");
        let mut wire = Wire::greeted();
        wire.drain(MINUTE);
        wire.feed(heard());
        for _ in 0..3 {
            assert_eq!(wire.wait_millis(600), "");
            assert_eq!(wire.feed("x"), "");
        }
        assert_eq!(wire.wait_millis(200), "closed: Drained");
    }
}

mod deadlines {
    use super::*;

    #[test]
    fn what_is_left_is_cut_and_named() {
        let mut wire = Wire::greeted();
        wire.get(1, "/");
        wire.get(3, "/");
        wire.respond(3, 200, &[]);
        wire.post(5, "/");
        wire.drain(Duration::from_secs(10));
        wire.feed(heard());
        assert_eq!(wire.wait_millis(9_999), "");
        let said = wire.wait_millis(1);
        let cut = ["RST_STREAM 1 CANCEL", "RST_STREAM 3 CANCEL", "GOAWAY 5 NO_ERROR"];
        assert!(cut.iter().all(|word| said.contains(word)), "{said}");
        for id in [1, 3].map(StreamId) {
            let reason = CancelReason::Closed(CloseReason::StreamsCut);
            assert!(wire.events().contains(&Event::Cancelled { id, reason }), "{said}");
        }
        assert_eq!(wire.closed(), Some(CloseReason::StreamsCut));
        assert!(wire.closed().is_some_and(CloseReason::is_cut));
    }

    #[test]
    fn a_request_that_nobody_has_heard_of_is_refused() {
        let mut wire = Wire::greeted();
        wire.drain(Duration::from_secs(1));
        let request = wire.requests.get(1, "/");
        wire.connection.handle_bytes(wire.now(), request.as_ref());
        // The drain's deadline comes before anybody polls.
        wire.connection.handle_timeout(wire.now() + Duration::from_secs(1));
        let said = wire.settle();
        assert!(said.contains("RST_STREAM 1 REFUSED_STREAM") && !said.contains("request"), "{said}");
        assert!(wire.events().contains(&Event::Refused { id: StreamId(1) }), "{said}");
    }

    #[test]
    fn a_peer_that_does_not_take_the_last_word_is_cut_all_the_same() {
        let mut wire = Wire::greeted();
        wire.get(1, "/");
        wire.drain(Duration::from_secs(1));
        wire.taking = Taking::Nothing;
        wire.wait_millis(1_000);
        assert_eq!(wire.closed(), None);
        wire.wait_millis(99);
        assert_eq!(wire.closed(), None);
        assert_eq!(wire.wait_millis(1), "closed: CutAtDeadline");
    }

    #[test]
    fn a_connection_that_has_nothing_left_to_do_is_not_cut() {
        for heard_of_it in [true, false] {
            let mut wire = Wire::greeted();
            wire.get(1, "/");
            wire.answer(1, "ok");
            wire.drain(Duration::from_millis(500));
            if heard_of_it {
                wire.feed(heard());
            }
            let said = wire.wait_millis(500);
            assert_eq!(said, "closed: Drained", "heard: {heard_of_it}");
        }
    }

    #[test]
    fn time_alone_ends_every_drain() {
        let enters: [fn(&mut Wire); 6] = [
            |_| (),
            |wire| drop(wire.get(1, "/")),
            |wire| drop(wire.post(1, "/")),
            |wire| drop(wire.feed(frame::headers(1, ""))),
            |wire| {
                wire.get(1, "/");
                wire.respond(1, 200, &[]);
                wire.taking = Taking::Nothing;
                wire.send(1, "never taken");
            },
            |wire| drop(wire.feed(frame::goaway(0, 0, ""))),
        ];
        for (at, enter) in enters.into_iter().enumerate() {
            let mut wire = Wire::greeted();
            enter(&mut wire);
            wire.drain(Duration::from_secs(25));
            wire.wait_millis(25_100);
            assert!(wire.closed().is_some(), "{at}: {:?}", wire.connection.status());
            assert_eq!(wire.connection.poll_timeout(), None);
        }
    }

    #[test]
    fn an_abort_ends_it_now() {
        let mut wire = Wire::greeted();
        wire.get(1, "/");
        wire.connection.abort(wire.now());
        assert_eq!(wire.settle(), "cancelled 1: CutByForce; closed: CutByForce");
    }
}

/// What the transport has taken the peer may not have read: a close would meet its next frame with a reset.
mod receipts {
    use super::*;

    fn answered() -> Wire {
        let mut wire = Wire::greeted();
        wire.get(1, "/");
        wire.drain(MINUTE);
        wire.feed(heard());
        assert!(wire.answer(1, "ok").ends_with("PING all read"));
        wire
    }

    #[test]
    fn a_slow_reader_has_as_long_as_it_reads() {
        let mut wire = answered();
        for _ in 0..5 {
            assert_eq!(wire.wait_millis(9_000), "");
            assert_eq!(wire.grant(0, 1), "");
        }
        assert_eq!(wire.receipt(), "FIN");
        assert_eq!(wire.eof(), "closed: Drained");
    }

    #[test]
    fn one_that_shows_nothing_any_more_is_let_go_and_named() {
        let mut wire = answered();
        assert_eq!(wire.connection.status().due.map(|due| due.timer), Some(Timer::Receipt));
        assert_eq!(wire.wait_millis(9_999), "");
        assert_eq!(wire.wait_millis(1), "FIN");
        assert_eq!(wire.eof(), "closed: TimedOut(Receipt)");
    }

    #[test]
    fn at_the_deadline_it_is_named() {
        let mut wire = Wire::greeted();
        wire.get(1, "/");
        wire.drain(Duration::from_secs(5));
        wire.feed(heard());
        wire.answer(1, "ok");
        assert!(wire.wait_millis(5_000).contains("closed: StreamsCut"));
    }

    #[test]
    fn none_is_asked_for_where_the_notice_went_behind_the_last_response() {
        let mut wire = Wire::greeted();
        wire.get(1, "/");
        wire.answer(1, "ok");
        wire.drain(MINUTE);
        assert_eq!(wire.feed(heard()), "GOAWAY 1 NO_ERROR; FIN");
    }

    #[test]
    fn none_is_asked_of_a_peer_that_answers_no_ping() {
        let mut wire = Wire::greeted();
        wire.get(1, "/");
        wire.drain(MINUTE);
        wire.wait_millis(1_000);
        assert!(wire.answer(1, "ok").ends_with("FIN"));
    }
}

mod their_leave {
    use super::*;

    #[test]
    fn a_goaway_of_the_peer_ends_the_connection_when_its_streams_are_done() {
        let mut wire = Wire::greeted();
        wire.get(1, "/");
        assert_eq!(wire.feed(frame::goaway(0, code::NO_ERROR, "bye")), "");
        assert_eq!(
            wire.answer(1, "ok"),
            "HEADERS 1 200 content-length=2; DATA 1 \"ok\" end; GOAWAY 1 NO_ERROR; PING all read"
        );
        assert_eq!(wire.eof(), "closed: PeerClosed");
    }

    #[test]
    fn an_idle_one_ends_at_once() {
        let mut wire = Wire::greeted();
        assert_eq!(wire.feed(frame::goaway(0, 2, "")), "GOAWAY 0 NO_ERROR; FIN");
    }

    #[test]
    fn it_may_come_in_a_drain() {
        let mut wire = Wire::greeted();
        wire.get(1, "/");
        wire.drain(MINUTE);
        assert_eq!(wire.feed(frame::goaway(0, 0, "")), "");
        assert_eq!(wire.feed(heard()), "GOAWAY 1 NO_ERROR");
        assert!(wire.answer(1, "ok").ends_with("PING all read"));
        assert_eq!(wire.receipt(), "FIN");
    }

    #[test]
    fn a_fin_of_the_peer_lets_whole_requests_be_served() {
        let mut wire = Wire::greeted();
        wire.get(1, "/");
        wire.post(3, "/");
        wire.feed(frame::data(3, "half"));
        assert_eq!(wire.eof(), "cancelled 3: PeerLeft; RST_STREAM 3 CANCEL");
        assert_eq!(
            wire.answer(1, "ok"),
            "closed: PeerClosed; HEADERS 1 200 content-length=2; DATA 1 \"ok\" end"
        );
    }

    #[test]
    fn a_fin_may_be_set_to_mean_that_it_has_left() {
        let config = Config { half_close: HalfClose::Cancel, ..Config::default() };
        let mut wire = Wire::greeted_with(&config, &[]);
        wire.get(1, "/");
        assert_eq!(wire.eof(), "cancelled 1: PeerLeft; closed: PeerLeft");
    }

    #[test]
    fn a_fin_in_a_drain_ends_it() {
        let mut wire = Wire::greeted();
        wire.drain(MINUTE);
        assert_eq!(wire.eof(), "closed: PeerClosed");
        let mut wire = Wire::greeted();
        wire.get(1, "/");
        wire.drain(MINUTE);
        wire.feed(heard());
        assert_eq!(wire.eof(), "");
        assert!(wire.answer(1, "ok").starts_with("closed: PeerClosed"));
    }
}

mod waits {
    use super::*;

    #[test]
    fn our_settings_are_to_be_acknowledged() {
        for (draining, millis) in [(false, 10_000), (true, 2_000)] {
            let mut wire = Wire::new(&Config::default());
            wire.feed(frame::join([lameduck_tests::h2::PREFACE, frame::settings(&[]).as_ref()]));
            wire.get(1, "/");
            if draining {
                wire.drain(MINUTE);
                wire.feed(heard());
            }
            assert_eq!(wire.wait_millis(millis - 1), "");
            assert!(wire.wait_millis(1).ends_with("GOAWAY 1 SETTINGS_TIMEOUT; FIN"), "{draining}");
        }
    }

    #[test]
    fn a_silent_peer_is_asked_whether_it_is_there() {
        let mut wire = Wire::greeted();
        wire.get(1, "/");
        assert_eq!(wire.wait_millis(29_999), "");
        assert_eq!(wire.wait_millis(1), "PING you here");
        assert_eq!(wire.connection.status().due.map(|due| due.timer), Some(Timer::PingAck));
        assert_eq!(wire.wait_millis(9_999), "");
        let end = CloseReason::TimedOut(Timer::PingAck);
        assert_eq!(wire.wait_millis(1), "cancelled 1: TimedOut(PingAck); closed: TimedOut(PingAck)");
        assert!(end.resets());
    }

    #[test]
    fn one_that_answers_stays() {
        let mut wire = Wire::greeted();
        wire.get(1, "/");
        for _ in 0..20 {
            assert_eq!(wire.wait_millis(30_000), "PING you here");
            wire.wait_millis(5_000);
            assert_eq!(wire.feed(frame::ping_ack(*b"you here")), "");
        }
        assert!(wire.answer(1, "ok").ends_with("end"));
    }

    #[test]
    fn a_drain_leaves_less_time_for_that() {
        let mut wire = Wire::greeted();
        wire.get(1, "/");
        wire.wait_millis(31_000);
        wire.drain(MINUTE);
        assert_eq!(wire.wait_millis(1_000), "GOAWAY 1 NO_ERROR");
        assert_eq!(wire.wait_millis(999), "");
        assert!(wire.wait_millis(1).contains("closed: TimedOut(PingAck)"));
    }

    #[test]
    fn an_idle_connection_is_let_go_in_two_phases() {
        let mut wire = Wire::greeted();
        wire.wait_millis(30_000);
        wire.feed(frame::ping_ack(*b"you here"));
        wire.wait_millis(30_000);
        wire.feed(frame::ping_ack(*b"you here"));
        assert_eq!(wire.wait_millis(15_000), NOTICE);
        // A request that crossed it is served.
        assert_eq!(wire.get(1, "/"), "request 1 GET /");
        assert_eq!(wire.feed(heard()), "GOAWAY 1 NO_ERROR");
        assert!(wire.answer(1, "ok").ends_with("PING all read"));
        assert_eq!(wire.receipt(), "FIN");
        assert_eq!(wire.eof(), "closed: TimedOut(KeepAlive)");
    }

    #[test]
    fn a_body_that_stalls_is_given_up() {
        for (draining, millis) in [(false, 30_000), (true, 10_000)] {
            let mut wire = Wire::greeted();
            wire.post(1, "/");
            wire.get(3, "/");
            if draining {
                wire.drain(MINUTE);
                wire.feed(heard());
            }
            wire.feed(frame::data(1, "x"));
            wire.wait_millis(millis / 2);
            wire.grant(0, 1);
            wire.wait_millis(millis / 2 - 1);
            assert_eq!(wire.reply(1).ended, None);
            let said = wire.wait_millis(1);
            let late = "cancelled 1: Refused(SlowBody); HEADERS 1 408 content-length=0 end";
            assert!(said.starts_with(late), "{said}");
            assert!(wire.wait_millis(1_000).contains("RST_STREAM 1 NO_ERROR"));
            // The others go on.
            assert!(wire.answer(3, "ok").contains("DATA 3 \"ok\" end"));
        }
    }

    #[test]
    fn a_window_that_stays_shut_is_given_up() {
        for (draining, millis) in [(false, 30_000), (true, 10_000)] {
            let mut wire = Wire::windowed(2);
            wire.get(1, "/");
            wire.get(3, "/");
            wire.answer(1, "four");
            if draining {
                wire.drain(MINUTE);
                wire.feed(heard());
            }
            wire.wait_millis(millis / 2);
            wire.grant(0, 1);
            wire.wait_millis(millis / 2 - 1);
            assert!(wire.resets(1).is_empty());
            let said = wire.wait_millis(1);
            assert!(said.starts_with("cancelled 1: TimedOut(Window); RST_STREAM 1 CANCEL"), "{said}");
            assert!(wire.answer(3, "ok").contains("DATA 3 \"ok\" end"));
        }
    }

    #[test]
    fn a_transport_that_takes_nothing_is_given_up() {
        for (draining, millis) in [(false, 30_000), (true, 10_000)] {
            let mut wire = Wire::greeted();
            wire.get(1, "/");
            wire.taking = Taking::Nothing;
            wire.answer(1, "ok");
            if draining {
                wire.drain(MINUTE);
            }
            // It is alive, and does not read.
            for _ in 0..millis / 5_000 - 1 {
                wire.wait_millis(5_000);
                wire.feed(frame::window_update(0, 1));
            }
            wire.wait_millis(4_999);
            assert_eq!(wire.closed(), None);
            wire.wait_millis(1);
            assert_eq!(wire.closed(), Some(CloseReason::TimedOut(Timer::Write)), "{draining}");
        }
    }

    #[test]
    fn a_block_that_does_not_come_whole_ends_the_connection() {
        for (draining, millis) in [(false, 15_000), (true, 5_000)] {
            let mut wire = Wire::greeted();
            wire.get(1, "/");
            wire.feed(frame::headers(3, ""));
            if draining {
                wire.drain(MINUTE);
            }
            for _ in 0..millis / 1_000 - 1 {
                wire.wait_millis(1_000);
                wire.feed(frame::continuation(3, [0x00, 0x01, b'x', 0x00]));
            }
            wire.wait_millis(999);
            assert_eq!(wire.closed(), None);
            wire.wait_millis(1);
            wire.assert_failed(lameduck_core::Fault::SlowBlock);
        }
    }
}

/// The transport fails: what is known of the last response.
mod gone {
    use super::*;

    fn gone(wire: &mut Wire) -> String {
        wire.connection.handle_gone(wire.now());
        wire.settle()
    }

    fn answered() -> Wire {
        let mut wire = Wire::greeted();
        wire.get(1, "/");
        wire.answer(1, "ok");
        wire
    }

    /// Nobody was asked.
    #[test]
    fn between_two_requests_the_peer_has_closed_it() {
        assert_eq!(gone(&mut answered()), "closed: PeerClosed");
        assert_eq!(gone(&mut Wire::greeted()), "closed: PeerClosed");
    }

    #[test]
    fn while_it_was_asked_whether_it_has_read_it_that_is_not_known() {
        // By the notice,
        let mut wire = answered();
        wire.drain(MINUTE);
        assert_eq!(gone(&mut wire), "closed: Unconfirmed");
        // or by a PING of its own.
        let mut wire = Wire::greeted();
        wire.get(1, "/");
        wire.drain(MINUTE);
        wire.feed(heard());
        wire.answer(1, "ok");
        assert_eq!(gone(&mut wire), "closed: Unconfirmed");
        assert!(!CloseReason::Unconfirmed.is_cut() && !CloseReason::Unconfirmed.leaves_unsent());
    }

    #[test]
    fn with_its_answer_or_its_fin_that_is_known() {
        let mut wire = answered();
        wire.drain(MINUTE);
        wire.feed(heard());
        assert_eq!(gone(&mut wire), "closed: Drained");
        let mut wire = answered();
        wire.drain(MINUTE);
        assert_eq!(wire.eof(), "closed: PeerClosed");
    }

    #[test]
    fn with_another_request_under_way_it_left_in_the_middle_of_that() {
        let mut wire = answered();
        wire.get(3, "/");
        wire.drain(MINUTE);
        assert_eq!(gone(&mut wire), "cancelled 3: PeerLeft; closed: PeerLeft");
    }
}
