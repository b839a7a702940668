//! What reading the rules against the machine has found, each in its shortest form.

use std::sync::Arc;
use std::time::Duration;

use lameduck_core::{Config, Connection, Date, Fault, Instant, Limits, Timer};
use lameduck_tests::h2::{PREFACE, Taking, Wire, frame};

const MINUTE: Duration = Duration::from_secs(60);

fn limited(change: impl FnOnce(&mut Limits)) -> Config {
    let mut config = Config::default();
    change(&mut config.limits);
    config
}

#[test]
fn a_target_that_is_too_long_is_a_414_whatever_stands_behind_it() {
    let mut wire = Wire::greeted_with(&limited(|limits| limits.target = 4), &[]);
    let head = [(":path", "/long"), (":method", "GET"), (":scheme", "http"), (":authority", "a")];
    assert_eq!(wire.request(1, &head), "HEADERS 1 414 content-length=0 end");
    let mut wire = Wire::greeted();
    let get = [(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/")];
    let head = [&get[..], &[("expect", "a pony"), ("x", "y")]].concat();
    assert_eq!(wire.request(1, &head), "HEADERS 1 417 content-length=0 end");
}

#[test]
fn what_a_peer_still_has_to_be_asked_for_is_waited_for_after_its_fin_too() {
    let mut wire = Wire::windowed(0);
    wire.get(1, "/");
    wire.eof();
    wire.answer(1, "ok");
    assert!(wire.connection.poll_timeout().is_some(), "a window that nobody opens any more");
    assert_eq!(wire.wait(MINUTE), "cancelled 1: TimedOut(Window); closed: PeerClosed; RST_STREAM 1 CANCEL");
}

#[test]
fn nobody_is_waited_for_who_has_sent_a_fin() {
    let mut wire = Wire::new(&Config::default());
    let request = wire.requests.get(1, "/");
    wire.feed(frame::join([PREFACE, frame::settings(&[]).as_ref(), request.as_ref()]));
    wire.eof();
    // Our SETTINGS are not acknowledged any more, but the request waits for its answer.
    assert_eq!(wire.wait(MINUTE), "");
    assert_eq!(wire.answer(1, "ok"), "closed: PeerClosed; HEADERS 1 200 content-length=2; DATA 1 \"ok\" end");
}

#[test]
fn half_a_field_block_before_a_fin_costs_no_other_stream_its_answer() {
    let mut wire = Wire::greeted();
    wire.get(1, "/");
    let block = wire.requests.block(&[(":method", "GET")]);
    wire.feed(frame::headers(3, block));
    wire.eof();
    assert_eq!(wire.wait(MINUTE), "");
    assert_eq!(wire.answer(1, "ok"), "closed: PeerClosed; HEADERS 1 200 content-length=2; DATA 1 \"ok\" end");
}

#[test]
fn a_date_that_is_told_before_the_first_byte_is_that_of_the_first_answer() {
    let date = Date::new(*b"Sun, 06 Nov 1994 08:49:37 GMT").expect("a date");
    for told in [&[0][..], &[0, 2], &[2]] {
        let mut wire = Wire::new(&Config::default());
        let request = wire.requests.get(1, "/");
        let bytes = frame::join([PREFACE, frame::settings(&[]).as_ref(), request.as_ref()]);
        for (at, piece) in [&bytes[..2], &bytes[2..3], &bytes[3..]].into_iter().enumerate() {
            if told.contains(&at) {
                wire.connection.set_date(date);
            }
            wire.feed(piece);
        }
        wire.answer(1, "");
        assert_eq!(wire.reply(1).field("date"), Some("Sun, 06 Nov 1994 08:49:37 GMT"), "{told:?}");
    }
}

#[test]
fn a_pong_is_no_request_and_keeps_no_idle_connection() {
    let mut wire = Wire::greeted();
    wire.get(1, "/");
    wire.answer(1, "ok");
    assert_eq!(wire.wait_millis(30_000), "PING you here");
    wire.feed(frame::ping_ack(*b"you here"));
    assert_eq!(wire.wait_millis(30_000), "PING you here");
    wire.feed(frame::ping_ack(*b"you here"));
    assert_eq!(wire.wait_millis(14_999), "");
    assert_eq!(wire.wait_millis(1), "GOAWAY all NO_ERROR; PING lameduck");
}

#[test]
fn a_handler_that_does_not_read_on_is_no_fault_of_the_peer_however_little_it_has_taken() {
    let mut wire = Wire::greeted();
    wire.post(1, "/");
    for _ in 0..4 {
        wire.feed(frame::data(1, [b'x'; 16_384]));
    }
    // One byte of room is not worth a WINDOW_UPDATE: the peer cannot send it.
    assert_eq!(wire.release(1, 1), "");
    wire.feed(frame::ping([0; 8]));
    wire.wait_millis(20_000);
    wire.feed(frame::ping([0; 8]));
    assert_eq!(wire.wait_millis(20_000), "");
}

#[test]
fn a_handler_that_does_not_read_on_costs_no_other_stream_its_body() {
    let config = limited(|limits| limits.connection_window = 65_535);
    let mut wire = Wire::greeted_with(&config, &[]);
    wire.post(1, "/slow");
    wire.post(3, "/starved");
    for _ in 0..3 {
        wire.feed(frame::data(1, [b'x'; 16_384]));
    }
    wire.feed(frame::data(1, [b'x'; 16_383]));
    wire.wait_millis(20_000);
    wire.feed(frame::ping([0; 8]));
    // Neither stream can send: the connection's window is used up by what a handler of ours does not read.
    assert_eq!(wire.wait_millis(20_000), "");
    // It reads on. From now on it is the peer's turn.
    assert_eq!(wire.release(1, 65_535), "WINDOW_UPDATE 1 +131071; WINDOW_UPDATE 0 +65535");
    wire.feed(frame::ping([0; 8]));
    assert_eq!(wire.connection.status().due.map(|due| due.timer), Some(Timer::Body));
    assert_eq!(wire.wait_millis(29_999), "");
    let late = wire.wait_millis(1);
    assert!(late.contains("HEADERS 1 408") && late.contains("HEADERS 3 408"), "{late}");
}

#[test]
fn a_tunnel_has_no_trailers() {
    let connect = [(":method", "CONNECT"), (":authority", "a:1")];
    let mut wire = Wire::greeted();
    let request = wire.requests.headers(1, &connect);
    wire.feed(request);
    assert_eq!(wire.respond(1, 200, &[]), "HEADERS 1 200");
    // RFC 9113 section 8.5: what is no DATA is an error of the stream, and we send none.
    let trailers = wire.requests.headers(1, &[("x", "y")]).end_stream();
    assert_eq!(wire.feed(trailers), "cancelled 1: MalformedRequest; RST_STREAM 1 PROTOCOL_ERROR");
    let request = wire.requests.headers(3, &connect);
    wire.feed(request);
    wire.respond(3, 200, &[]);
    assert_eq!(wire.finish(3, &[("x", "y")]), "DATA 3 \"\" end");
}

#[test]
fn an_extended_connect_names_its_protocol() {
    let mut wire = Wire::greeted();
    let head =
        [(":method", "CONNECT"), (":scheme", "http"), (":authority", "a"), (":path", "/"), (":protocol", "")];
    assert_eq!(wire.request(1, &head), "RST_STREAM 1 PROTOCOL_ERROR");
}

#[test]
fn a_ping_is_answered_until_the_last_response_has_gone() {
    let mut connection = Connection::new(Arc::new(Config::default()), Instant::ORIGIN);
    connection.drain(Instant::ORIGIN, Instant::ORIGIN + MINUTE);
    let mut wire = Wire::over(connection);
    let request = wire.requests.get(1, "/");
    wire.feed(frame::join([PREFACE, frame::settings(&[]).as_ref(), request.as_ref()]));
    wire.feed_all([frame::settings_ack(), frame::ping_ack(*b"lameduck")]);
    // Half of the last response is with the transport, and the peer measures how far away we are.
    wire.taking = Taking::Nothing;
    wire.answer(1, "ok");
    assert!(wire.connection.poll_transmit(wire.now()).is_some());
    wire.feed(frame::ping(*b"how far?"));
    let late = wire.requests.get(3, "/");
    assert_eq!(wire.feed(late), "refused 3");
    wire.taking = Taking::All;
    assert_eq!(
        wire.settle(),
        "HEADERS 1 200 content-length=2; DATA 1 \"ok\" end; PING ack how far?; \
         RST_STREAM 3 REFUSED_STREAM; PING all read"
    );
}

#[test]
fn the_goaway_of_a_failure_is_the_last_frame() {
    let mut wire = Wire::greeted();
    wire.post(1, "/");
    let flood = frame::join(vec![frame::data(1, ""); 3_000]);
    wire.feed(flood);
    wire.assert_failed(Fault::TooMuchChatter);
}

/// Its windows are large, so that it has nothing to say; our PING waits behind what it is still to be sent.
#[test]
fn a_slow_download_is_no_silence() {
    let mut wire = Wire::windowed(10_000_000);
    wire.grant(0, 10_000_000);
    wire.get(1, "/");
    wire.taking = Taking::Nothing;
    wire.answer(1, vec![b'x'; 1 << 20]);
    for _ in 0..100 {
        wire.taking = Taking::Bytes(1_000);
        wire.wait_millis(1_000);
        assert_eq!(wire.closed(), None, "{:?}", wire.now());
    }
    // Only once it takes nothing more, has been asked, and has had time to answer, is it lost.
    wire.taking = Taking::All;
    assert!(wire.settle().ends_with("end"));
    assert_eq!(wire.reply(1).body.len(), 1 << 20);
    assert_eq!(wire.wait_millis(29_999), "");
    assert_eq!(wire.wait_millis(1), "PING you here");
    assert_eq!(wire.wait_millis(9_999), "");
    assert_eq!(wire.wait_millis(1), "closed: TimedOut(PingAck)");
}

/// It has opened a stream before it knew our SETTINGS, and keeps to them from then on.
#[test]
fn a_small_window_is_granted_again_to_a_peer_that_began_before_it_knew_of_it() {
    let mut wire = Wire::new(&limited(|limits| limits.body_window = 1_000));
    let post = wire.requests.post(1, "/");
    wire.feed(frame::join([PREFACE, frame::settings(&[]).as_ref(), post.as_ref()]));
    wire.feed(frame::settings_ack());
    wire.feed(frame::data(1, [b'x'; 1_000]));
    assert!(wire.release(1, 1_000).starts_with("WINDOW_UPDATE 1 +"), "it waits for this");
    // Another still takes it for as large as usual: that is no fault, and given back too.
    let mut late =
        Wire::new(&limited(|limits| (limits.body_window, limits.body_window_most) = (1_000, 1_000)));
    let post = late.requests.post(1, "/");
    late.feed(frame::join([PREFACE, frame::settings(&[]).as_ref(), post.as_ref()]));
    for _ in 0..3 {
        late.feed(frame::data(1, [b'x'; 16_384]));
    }
    assert!(late.resets(1).is_empty());
    assert_eq!(late.release(1, 3 * 16_384), "WINDOW_UPDATE 1 +49152");
}

#[test]
fn a_peer_that_leaves_with_all_its_answers_has_not_left_in_the_middle() {
    let mut wire = Wire::greeted();
    wire.get(1, "/");
    wire.answer(1, "ok");
    wire.taking = Taking::Nothing;
    // What it does not take any more is our own GOAWAY.
    wire.feed(frame::goaway(0, 0, ""));
    wire.connection.handle_gone(wire.now());
    assert_eq!(wire.settle(), "closed: PeerClosed");
    let mut wire = Wire::greeted();
    wire.get(1, "/");
    wire.taking = Taking::Nothing;
    wire.answer(1, "ok");
    assert!(wire.connection.poll_transmit(wire.now()).is_some());
    wire.connection.handle_gone(wire.now());
    assert_eq!(wire.settle(), "closed: PeerLeft");
}
