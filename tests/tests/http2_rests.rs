//! What is still to come of a request whose response is whole, and that nobody reads (RFC 9113 section 8.1).

use lameduck_core::{ApiMisuse, Config, StreamId};
use lameduck_tests::h2::{Wire, code, fields, frame};

const ANSWERED: &str = "HEADERS 1 200 content-length=2; DATA 1 \"ok\" end";

/// The head of an upload, of which half comes; then the whole answer, by a handler that does not read on.
fn answered_early(wire: &mut Wire, length: &str) -> String {
    let head = [&fields("POST", "/")[..], &[("content-length", length)]].concat();
    let head = wire.requests.headers(1, &head);
    wire.feed_all([head, frame::data(1, "half")]);
    wire.connection.discard_body(wire.now(), StreamId(1)).expect("the request is there");
    wire.answer(1, "ok")
}

fn half_a_minute(wire: &mut Wire) -> String {
    assert_eq!(wire.wait_millis(15_000), "");
    wire.feed(frame::ping([0; 8]));
    assert_eq!(wire.wait_millis(14_999), "");
    wire.wait_millis(1)
}

/// curl 7.88 drops a whole response when RST_STREAM comes before it has sent all.
#[test]
fn a_short_one_is_let_come_in() {
    let mut wire = Wire::greeted();
    assert_eq!(answered_early(&mut wire, "8"), ANSWERED);
    assert_eq!(wire.connection.status().stream, Some(StreamId(1)));
    assert_eq!(wire.feed(frame::data(1, "ha")), "");
    assert_eq!(wire.feed(frame::data(1, "lf").end_stream()), "");
    assert_eq!(wire.connection.status().stream, None);
    assert_eq!(wire.feed(frame::data(1, "more")), "RST_STREAM 1 STREAM_CLOSED");
}

#[test]
fn one_that_does_not_come_is_stopped_and_no_handler_hears_of_it() {
    let mut wire = Wire::greeted();
    answered_early(&mut wire, "8");
    assert_eq!(half_a_minute(&mut wire), "RST_STREAM 1 NO_ERROR");
    assert_eq!(wire.feed(frame::data(1, "half").end_stream()), "");
    assert_eq!(wire.get(3, "/"), "request 3 GET /");
}

/// Octet by octet it gets no more time.
#[test]
fn one_that_comes_slowly_has_the_time_of_a_body_in_all() {
    let mut wire = Wire::greeted();
    answered_early(&mut wire, "99");
    for _ in 0..29 {
        assert_eq!(wire.feed(frame::data(1, "x")), "");
        assert_eq!(wire.wait_millis(1_000), "");
    }
    wire.feed(frame::data(1, "x"));
    assert_eq!(wire.wait_millis(1_000), "RST_STREAM 1 NO_ERROR");
}

/// It is not the handler's any more: what that still says of it neither counts nor gives the peer more time.
#[test]
fn one_whose_handler_is_through_is_no_stream_to_it() {
    for gives_up in [false, true] {
        let mut wire = Wire::greeted();
        if gives_up {
            let head = [&fields("POST", "/")[..], &[("content-length", "8")]].concat();
            let head = wire.requests.headers(1, &head);
            wire.feed(head);
            wire.connection.reset(wire.now(), StreamId(1)).expect("the request is there");
            assert!(wire.settle().starts_with("cancelled 1: BrokenOff; HEADERS 1 500"));
        } else {
            answered_early(&mut wire, "8");
        }
        let due = wire.connection.poll_timeout();
        wire.wait_millis(1_000);
        let (now, id, unknown) = (wire.now(), StreamId(1), Err(ApiMisuse::UnknownStream));
        let connection = &mut wire.connection;
        assert_eq!(connection.reset(now, id), unknown);
        assert_eq!(connection.read_body(now, id), unknown);
        assert_eq!(connection.discard_body(now, id), unknown);
        assert_eq!(connection.release(now, id, 1), unknown);
        assert_eq!(connection.finish(now, id, []), unknown);
        assert_eq!(connection.unsent(id), Some(0));
        assert_eq!(connection.poll_timeout(), due);
    }
}

#[test]
fn one_that_would_take_another_grant_is_stopped_at_once() {
    // The window of the stream has 256 KiB.
    for (length, stopped) in [("262144", ""), ("262145", "; RST_STREAM 1 NO_ERROR")] {
        let mut wire = Wire::greeted();
        assert_eq!(answered_early(&mut wire, length), format!("{ANSWERED}{stopped}"), "{length}");
    }
}

#[test]
fn so_is_one_that_waits_for_a_word() {
    let mut wire = Wire::greeted();
    let more = [("content-length", "8"), ("expect", "100-continue")];
    let head = wire.requests.headers(1, &[&fields("POST", "/")[..], &more].concat());
    wire.feed(head);
    wire.connection.discard_body(wire.now(), StreamId(1)).expect("the request is there");
    assert_eq!(wire.answer(1, "ok"), format!("{ANSWERED}; RST_STREAM 1 NO_ERROR"));
}

#[test]
fn what_comes_of_it_is_granted_again_to_the_others() {
    let mut config = Config::default();
    config.limits.connection_window = 65_535;
    let mut wire = Wire::greeted_with(&config, &[]);
    assert_eq!(answered_early(&mut wire, "40000"), ANSWERED);
    let pieces = [16_384, 16_384, 40_000 - 4 - 2 * 16_384].map(|size| frame::data(1, vec![b'x'; size]));
    let [first, second, last] = pieces;
    assert_eq!(wire.feed_all([first, second, last.end_stream()]), "WINDOW_UPDATE 0 +32772");
    assert_eq!(wire.connection.status().stream, None);
}

#[test]
fn behind_the_500_of_a_handler_that_gave_up_it_is_let_come_in_too() {
    let mut wire = Wire::greeted();
    let head = [&fields("POST", "/")[..], &[("content-length", "8")]].concat();
    let head = wire.requests.headers(1, &head);
    wire.feed_all([head, frame::data(1, "half")]);
    wire.connection.reset(wire.now(), StreamId(1)).expect("the request is there");
    assert_eq!(wire.settle(), "cancelled 1: BrokenOff; HEADERS 1 500 content-length=0 end");
    assert_eq!(wire.feed(frame::data(1, "half").end_stream()), "");
    assert_eq!(wire.connection.status().stream, None);
}

#[test]
fn so_it_is_behind_an_answer_of_the_connections_own() {
    let mut config = Config::default();
    config.limits.body = Some(5);
    let mut wire = Wire::greeted_with(&config, &[]);
    let head = [&fields("POST", "/")[..], &[("content-length", "8")]].concat();
    let head = wire.requests.headers(1, &head);
    assert_eq!(wire.feed(head), "HEADERS 1 413 content-length=0 end");
    assert_eq!(wire.feed_all([frame::data(1, "half"), frame::data(1, "half").end_stream()]), "");
    assert_eq!(wire.connection.status().stream, None);
    let head = [&fields("POST", "/")[..], &[("content-length", "8")]].concat();
    let head = wire.requests.headers(3, &head);
    wire.feed(head);
    assert_eq!(half_a_minute(&mut wire), "RST_STREAM 3 NO_ERROR");
    assert_eq!(wire.events(), []);
}

/// It takes room from what is still to come, and none is granted for it.
#[test]
fn one_that_padding_has_made_too_long_is_stopped_and_not_waited_for() {
    let mut config = Config::default();
    config.limits.stream_window = 100;
    let mut wire = Wire::greeted_with(&config, &[]);
    assert_eq!(answered_early(&mut wire, "50"), ANSWERED);
    assert_eq!(wire.feed(frame::data(1, "half").padded(20)), "");
    assert_eq!(wire.feed(frame::data(1, "half").padded(20)), "");
    // 21 octets of room, for 34.
    assert_eq!(wire.feed(frame::data(1, "half").padded(20)), "RST_STREAM 1 NO_ERROR");
    assert_eq!(wire.connection.status().stream, None);
}

/// What stands behind the line that a head is refused for still says that its client waits.
#[test]
fn behind_a_refused_head_it_is_not_waited_for_where_its_client_waits_for_a_word() {
    let mut wire = Wire::greeted();
    let more = [("content-length", "8"), ("expect", "a pony"), ("expect", "100-continue")];
    let head = wire.requests.headers(1, &[&fields("POST", "/")[..], &more].concat());
    assert_eq!(wire.feed(head), "HEADERS 1 417 content-length=0 end; RST_STREAM 1 NO_ERROR");
}

#[test]
fn what_breaks_off_or_breaks_a_rule_there_no_handler_hears_of() {
    type End = (&'static str, fn(&mut Wire) -> String, &'static str);
    let ends: [End; 5] = [
        ("RST_STREAM", |wire| wire.feed(frame::rst_stream(1, code::CANCEL)), ""),
        ("too much", |wire| wire.feed(frame::data(1, "toolong")), "RST_STREAM 1 PROTOCOL_ERROR"),
        ("too little", |wire| wire.feed(frame::data(1, "").end_stream()), "RST_STREAM 1 PROTOCOL_ERROR"),
        ("FIN", |wire| wire.eof(), "closed: PeerClosed; RST_STREAM 1 NO_ERROR"),
        ("a fault of the connection", |wire| wire.feed(frame::data(9, "x")), "GOAWAY 1 PROTOCOL_ERROR; FIN"),
    ];
    for (name, end, expected) in ends {
        let mut wire = Wire::greeted();
        answered_early(&mut wire, "8");
        assert_eq!(end(&mut wire), expected, "{name}");
    }
}

#[test]
fn a_drain_waits_for_it() {
    let minute = std::time::Duration::from_secs(60);
    let mut wire = Wire::greeted();
    answered_early(&mut wire, "8");
    wire.drain(minute);
    assert_eq!(wire.feed(frame::ping_ack(*b"lameduck")), "GOAWAY 1 NO_ERROR");
    // The PING of the notice went behind the response.
    assert_eq!(wire.feed(frame::data(1, "half").end_stream()), "FIN");
    let mut wire = Wire::greeted();
    answered_early(&mut wire, "8");
    wire.drain(minute);
    wire.feed(frame::ping_ack(*b"lameduck"));
    assert_eq!(wire.wait_millis(9_999), "");
    assert_eq!(wire.wait_millis(1), "RST_STREAM 1 NO_ERROR; FIN");
    assert_eq!(wire.eof(), "closed: Drained");
}

#[test]
fn at_the_deadline_of_a_drain_it_is_stopped_and_not_cancelled() {
    let mut wire = Wire::greeted();
    answered_early(&mut wire, "8");
    wire.drain(std::time::Duration::from_secs(5));
    wire.feed(frame::ping_ack(*b"lameduck"));
    assert_eq!(wire.wait_millis(5_000), "closed: StreamsCut; RST_STREAM 1 NO_ERROR; GOAWAY 1 NO_ERROR");
}

/// A client may give up an upload that has been answered as it likes: that costs nobody anything.
#[test]
fn resets_of_it_are_no_annoyance_of_their_own() {
    let mut wire = Wire::greeted();
    for stream in (1..1_000).step_by(2) {
        let head = [&fields("POST", "/")[..], &[("content-length", "8")]].concat();
        let head = wire.requests.headers(stream, &head);
        wire.feed(head);
        let id = StreamId(u64::from(stream));
        wire.connection.discard_body(wire.now(), id).expect("the request is there");
        wire.answer(stream, "ok");
        assert_eq!(wire.feed(frame::rst_stream(stream, code::CANCEL)), "");
    }
    assert_eq!(wire.goaway(), None);
}
