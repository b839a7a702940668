//! The start of an HTTP/2 connection (RFC 9113 section 3.4): sniffed on the port of HTTP/1, and bounded.

use std::sync::Arc;
use std::time::Duration;

use lameduck_core::{Config, Connection, Fault, Instant, Stage};
use lameduck_tests::h2::{PREFACE, Sent, Taking, Wire, frame, setting};

const MINUTE: Duration = Duration::from_secs(60);
const ANSWERED: &str = "HEADERS 1 200 content-length=2; DATA 1 \"ok\" end";

/// The preface, SETTINGS and a GET, made with the HPACK state of `wire`.
fn opening(wire: &mut Wire) -> Vec<u8> {
    let request = wire.requests.get(1, "/");
    frame::join([PREFACE, frame::settings(&[]).as_ref(), request.as_ref()])
}

fn http2() -> Wire {
    Wire::over(Connection::http2(Arc::new(Config::default()), Instant::ORIGIN))
}

#[test]
fn the_preface_is_told_from_http1_however_it_is_split() {
    let whole = opening(&mut Wire::new(&Config::default()));
    for cut in 0..whole.len() {
        let mut wire = Wire::new(&Config::default());
        opening(&mut wire);
        let said = [wire.feed(&whole[..cut]), wire.feed(&whole[cut..])].join("; ");
        let said: Vec<_> = said.split("; ").filter(|word| !word.is_empty()).collect();
        assert!(said.contains(&"request 1 GET /"), "cut at {cut}: {said:?}");
        assert_eq!(said.len(), 4, "cut at {cut}: {said:?}");
        assert_eq!(wire.answer(1, "ok"), ANSWERED, "cut at {cut}");
        assert_eq!(wire.connection.status().protocol, "HTTP/2");
    }
}

#[test]
fn nothing_is_said_before_the_peer_is_known_to_speak_http2() {
    let mut wire = Wire::new(&Config::default());
    for byte in &PREFACE[..3] {
        assert_eq!(wire.feed([*byte]), "");
        assert_eq!(wire.connection.status().protocol, "HTTP/1");
    }
    assert_eq!(wire.feed(&PREFACE[3..4]), "SETTINGS; WINDOW_UPDATE 0 +4128769");
    assert_eq!(wire.connection.status().stage, Stage::Handshake);
}

#[test]
fn what_was_agreed_to_is_spoken_at_once() {
    let mut wire = http2();
    assert_eq!(wire.settle(), "SETTINGS; WINDOW_UPDATE 0 +4128769");
    let bytes = opening(&mut wire);
    assert_eq!(wire.feed(bytes), "request 1 GET /; SETTINGS ack");
    assert_eq!(wire.answer(1, "ok"), ANSWERED);
}

#[test]
fn our_settings_say_what_our_limits_are() {
    let mut config = Config::default();
    (config.limits.streams, config.limits.stream_window) = (7, 1_000);
    let wire = Wire::greeted_with(&config, &[]);
    let expected = vec![
        (setting::HEADER_TABLE_SIZE, 4_096),
        (setting::MAX_CONCURRENT_STREAMS, 7),
        (setting::INITIAL_WINDOW_SIZE, 1_000),
        (setting::MAX_HEADER_LIST_SIZE, 32 * 1024),
        (setting::ENABLE_CONNECT_PROTOCOL, 1),
        (setting::NO_RFC7540_PRIORITIES, 1),
    ];
    assert_eq!(wire.sent()[0], Sent::Settings(expected));
}

#[test]
fn another_preface_is_refused_at_its_first_wrong_byte() {
    for at in 4..PREFACE.len() {
        let mut preface = PREFACE.to_vec();
        preface[at] ^= 1;
        let mut wire = Wire::new(&Config::default());
        let said = wire.feed(&preface[..=at]);
        assert!(said.ends_with("GOAWAY 0 PROTOCOL_ERROR; FIN"), "{at}: {said}");
        wire.assert_failed(Fault::BadPreface);
    }
}

#[test]
fn a_request_of_http1_to_a_connection_that_is_none_is_refused() {
    let mut wire = http2();
    wire.feed("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    wire.assert_failed(Fault::BadPreface);
}

#[test]
fn settings_come_first() {
    let frames = [
        frame::ping([0; 8]),
        frame::settings_ack(),
        frame::window_update(0, 1),
        frame::priority(1, 0, 1),
        frame::goaway(0, 0, ""),
        frame::headers(1, "").end_headers(),
        frame::data(1, "x"),
        frame::Frame::new(0xfe, 0, "?"),
    ];
    for first in frames {
        let mut wire = Wire::new(&Config::default());
        wire.feed(frame::join([PREFACE, first.as_ref()]));
        wire.assert_failed(Fault::SettingsMissing);
    }
}

#[test]
fn a_drain_before_the_preface_is_known_does_not_cut_it() {
    for before in 0..=PREFACE.len() {
        let mut wire = Wire::new(&Config::default());
        let bytes = opening(&mut wire);
        wire.feed(&bytes[..before]);
        let drained = wire.drain(MINUTE);
        assert!(!drained.contains("GOAWAY") && !wire.fin(), "{before}: {drained}");
        assert_eq!(wire.wait_millis(900), "", "{before}");
        let said = wire.feed(&bytes[before..]);
        assert!(said.starts_with("request 1 GET /"), "{before}: {said}");
        assert!(said.ends_with("SETTINGS ack; GOAWAY all NO_ERROR; PING lameduck"), "{before}: {said}");
        assert_eq!(wire.answer(1, "ok"), ANSWERED);
        wire.feed(frame::settings_ack());
        assert_eq!(wire.feed(frame::ping_ack(*b"lameduck")), "GOAWAY 1 NO_ERROR; PING all read");
        assert_eq!(wire.receipt(), "FIN");
        assert_eq!(wire.eof(), "closed: Drained");
    }
}

#[test]
fn a_drain_between_the_preface_and_the_settings_serves_the_first_requests() {
    let mut wire = Wire::new(&Config::default());
    wire.feed(PREFACE);
    assert_eq!(wire.drain(MINUTE), "");
    assert_eq!(wire.wait_millis(999), "");
    let requests = lameduck_tests::h2::gets(&mut wire.requests, [1, 3, 5]);
    let settings = frame::settings(&[]);
    assert_eq!(wire.feed(&settings), "SETTINGS ack; GOAWAY all NO_ERROR; PING lameduck");
    assert_eq!(wire.feed_all(requests), "request 1 GET /; request 3 GET /; request 5 GET /");
    for stream in [1, 3, 5] {
        wire.answer(stream, "ok");
    }
    assert_eq!(wire.feed(frame::ping_ack(*b"lameduck")), "GOAWAY 5 NO_ERROR; PING all read");
    assert_eq!(wire.receipt(), "FIN");
}

#[test]
fn a_handshake_that_does_not_come_is_given_up() {
    let mut wire = Wire::new(&Config::default());
    wire.feed(PREFACE);
    assert_eq!(wire.wait_millis(9_999), "");
    assert_eq!(wire.wait_millis(1), "FIN");
    assert_eq!(wire.eof(), "closed: TimedOut(Handshake)");
}

#[test]
fn a_handshake_that_does_not_come_is_given_up_sooner_in_a_drain() {
    for bytes in [0, 4, 10, 24] {
        let mut wire = http2();
        wire.settle();
        wire.feed(&PREFACE[..bytes]);
        wire.wait_millis(5_000);
        wire.drain(MINUTE);
        assert_eq!(wire.wait_millis(999), "", "{bytes}");
        assert_eq!(wire.wait_millis(1), "FIN", "{bytes}");
        assert_eq!(wire.eof(), "closed: Drained");
    }
}

#[test]
fn a_head_of_http1_that_may_still_become_a_preface_has_the_time_of_a_head() {
    for bytes in 1..4 {
        let mut wire = Wire::new(&Config::default());
        wire.feed(&PREFACE[..bytes]);
        wire.drain(MINUTE);
        assert_eq!(wire.wait_millis(4_999), "");
        assert!(!wire.fin());
        let bytes = &opening(&mut wire)[bytes..];
        let said = wire.feed(bytes);
        assert!(said.contains("request 1 GET /"), "{said}");
    }
}

#[test]
fn a_fin_in_the_handshake_ends_it() {
    for bytes in [4, 12, 24, 30] {
        let mut wire = Wire::new(&Config::default());
        let opening = opening(&mut wire);
        wire.feed(&opening[..bytes]);
        assert_eq!(wire.eof(), "closed: PeerClosed", "{bytes}");
    }
}

#[test]
fn a_peer_that_takes_not_even_our_settings_is_cut() {
    let mut wire = http2();
    wire.taking = Taking::Nothing;
    assert_eq!(wire.wait_millis(9_999), "");
    wire.wait_millis(30_000);
    assert_eq!(wire.connection.status().stage, Stage::Closed);
}

#[test]
fn a_drain_at_its_deadline_in_the_handshake_leaves_nothing_undone() {
    let mut wire = Wire::new(&Config::default());
    wire.feed(PREFACE);
    wire.drain(Duration::from_millis(500));
    assert_eq!(wire.wait_millis(500), "closed: Drained");
}
