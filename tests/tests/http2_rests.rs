//! What is still to come of a request whose response is whole, and that nobody reads (RFC 9113 section 8.1).

use std::time::Duration;

use lameduck_core::{ApiMisuse, CloseReason, Config, StreamId};
use lameduck_tests::h2::{Wire, code, fields, frame};

const ANSWERED: &str = "HEADERS 1 200 content-length=2; DATA 1 \"ok\" end";

/// The head of an upload, of which half comes; then the whole answer, by a handler that does not read on.
fn answered_early(wire: &mut Wire, length: &str) -> String {
    begin(wire, 1, &[("content-length", length)]);
    wire.feed(frame::data(1, "half"));
    discard(wire, 1);
    wire.answer(1, "ok")
}

fn begin(wire: &mut Wire, stream: u32, more: &[(&str, &str)]) -> String {
    let head = [&fields("POST", "/")[..], more].concat();
    let head = wire.requests.headers(stream, &head);
    wire.feed(head)
}

fn discard(wire: &mut Wire, stream: u32) {
    let id = StreamId(u64::from(stream));
    wire.connection.discard_body(wire.now(), id).expect("the request is there");
}

/// So much as full frames, without an end.
fn upload(wire: &mut Wire, mut count: usize) -> String {
    let mut frames = Vec::new();
    while count > 0 {
        let size = count.min(16_384);
        frames.push(frame::data(1, vec![b'x'; size]));
        count -= size;
    }
    wire.feed_all(frames)
}

fn a_second_of_silence(wire: &mut Wire) -> String {
    assert_eq!(wire.wait_millis(999), "");
    wire.wait_millis(1)
}

/// curl 7.88 drops a whole response when RST_STREAM comes before it has sent all.
#[test]
fn one_is_let_come_in() {
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
    assert_eq!(a_second_of_silence(&mut wire), "RST_STREAM 1 NO_ERROR");
    assert_eq!(wire.feed(frame::data(1, "half").end_stream()), "");
    assert_eq!(wire.get(3, "/"), "request 3 GET /");
}

/// Octet by octet it gets no more time.
#[test]
fn one_that_comes_slowly_has_five_seconds_in_all() {
    let mut wire = Wire::greeted();
    answered_early(&mut wire, "99");
    for _ in 0..9 {
        assert_eq!(wire.feed(frame::data(1, "x")), "");
        assert_eq!(wire.wait_millis(500), "");
    }
    wire.feed(frame::data(1, "x"));
    assert_eq!(wire.wait_millis(500), "RST_STREAM 1 NO_ERROR");
}

/// One that is answered already is not waited for until its window is opened by somebody else.
#[test]
fn one_has_no_more_time_while_the_window_of_the_connection_is_shut() {
    let mut config = Config::default();
    config.limits.connection_window = 65_535;
    let mut wire = Wire::greeted_with(&config, &[]);
    answered_early(&mut wire, "99");
    begin(&mut wire, 3, &[]);
    let pieces = [16_384, 16_384, 16_384, 16_383 - 4];
    wire.feed_all(pieces.map(|size| frame::data(3, vec![b'x'; size])));
    assert_eq!(a_second_of_silence(&mut wire), "RST_STREAM 1 NO_ERROR");
}

/// It is not the handler's any more: what that still says of it neither counts nor gives the peer more time.
#[test]
fn one_whose_handler_is_through_is_no_stream_to_it() {
    for gives_up in [false, true] {
        let mut wire = Wire::greeted();
        if gives_up {
            begin(&mut wire, 1, &[("content-length", "8")]);
            wire.connection.reset(wire.now(), StreamId(1)).expect("the request is there");
            assert!(wire.settle().starts_with("cancelled 1: BrokenOff; HEADERS 1 500"));
        } else {
            answered_early(&mut wire, "8");
        }
        let due = wire.connection.poll_timeout();
        wire.wait_millis(500);
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

/// The window of a stream has 256 KiB: what is longer is granted at once. curl 7.88 reads no more behind the answer.
#[test]
fn a_long_one_is_let_come_in_too() {
    let mut wire = Wire::greeted();
    // Four have come; all the others, and one to spare for the end.
    let granted = 1_000_000 - 262_144 + 1;
    assert_eq!(answered_early(&mut wire, "1000000"), format!("{ANSWERED}; WINDOW_UPDATE 1 +{granted}"));
    assert_eq!(upload(&mut wire, 1_000_000 - 8), "");
    assert_eq!(wire.feed(frame::data(1, "half").end_stream()), "");
    assert_eq!(wire.connection.status().stream, None);
}

/// Clients of nghttp2 send no empty frame into a window that is shut.
#[test]
fn one_that_fits_the_window_to_the_octet_gets_room_for_its_end() {
    let mut wire = Wire::greeted();
    assert_eq!(answered_early(&mut wire, "262143"), ANSWERED);
    let mut wire = Wire::greeted();
    assert_eq!(answered_early(&mut wire, "262144"), format!("{ANSWERED}; WINDOW_UPDATE 1 +1"));
    assert_eq!(upload(&mut wire, 262_144 - 4), "");
    assert_eq!(wire.feed(frame::data(1, "").end_stream()), "");
    assert_eq!(wire.connection.status().stream, None);
}

/// The window of the connection has 4 MiB. While the handler worked that of the stream was shut, and nobody knows how
/// much is still to come, or it is more than that and its client will see that it need not be sent.
#[test]
fn one_without_an_end_in_sight_is_granted_what_the_connection_may_send_and_no_more() {
    for (length, status) in [(None, 200), (Some(("content-length", "999999999")), 413)] {
        let mut wire = Wire::greeted();
        begin(&mut wire, 1, length.as_slice());
        discard(&mut wire, 1);
        assert_eq!(upload(&mut wire, 262_144), "");
        wire.respond(1, status, &[]);
        assert_eq!(wire.finish(1, &[]), "DATA 1 \"\" end; WINDOW_UPDATE 1 +4194304");
        assert_eq!(upload(&mut wire, 4_194_304), ["WINDOW_UPDATE 0 +2097152"; 2].join("; "));
        assert_eq!(a_second_of_silence(&mut wire), "RST_STREAM 1 NO_ERROR");
        wire.feed(frame::data(1, "x"));
        assert_eq!(wire.resets(1), [code::NO_ERROR]);
    }
}

/// curl 7.88 would wait for a window for ever, and hear nothing any more.
#[test]
fn one_that_is_longer_than_that_is_stopped_at_once_where_its_client_goes_on() {
    for (length, rest) in [(4_194_303, "; WINDOW_UPDATE 1 +3932160"), (4_194_304, "; RST_STREAM 1 NO_ERROR")]
    {
        let mut wire = Wire::greeted();
        begin(&mut wire, 1, &[("content-length", &length.to_string())]);
        discard(&mut wire, 1);
        assert_eq!(wire.answer(1, "ok"), format!("{ANSWERED}{rest}"));
    }
}

/// A client that waits for a word, and hears another, may send or not.
#[test]
fn one_that_was_not_asked_for_may_still_come() {
    let mut wire = Wire::greeted();
    begin(&mut wire, 1, &[("content-length", "8"), ("expect", "100-continue")]);
    discard(&mut wire, 1);
    assert_eq!(wire.answer(1, "ok"), ANSWERED);
    assert_eq!(a_second_of_silence(&mut wire), "RST_STREAM 1 NO_ERROR");
}

/// Nor is there more room for it where the connection has answered itself: nothing of it may come at all.
#[test]
fn one_that_was_not_asked_for_gets_no_room_behind_an_answer_of_the_connections_own() {
    let mut config = Config::default();
    config.limits.body = Some(5);
    let mut wire = Wire::greeted_with(&config, &[]);
    let large = [("content-length", "1000000"), ("expect", "100-continue")];
    assert_eq!(begin(&mut wire, 1, &large), "HEADERS 1 413 content-length=0 end");
    assert_eq!(a_second_of_silence(&mut wire), "RST_STREAM 1 NO_ERROR");
}

/// No response is lost to a body that outgrows its limit where nobody reads it.
#[test]
fn one_that_outgrows_the_limit_while_it_is_answered_harms_no_answer() {
    let mut config = Config::default();
    config.limits.body = Some(5);
    let mut wire = Wire::greeted_with(&config, &[]);
    begin(&mut wire, 1, &[]);
    discard(&mut wire, 1);
    wire.respond(1, 200, &[]);
    assert_eq!(wire.feed(frame::data(1, "too long")), "");
    assert_eq!(wire.send(1, "ok"), "DATA 1 \"ok\"");
    assert_eq!(wire.feed(frame::data(1, "by far")), "");
    assert!(wire.finish(1, &[]).starts_with("DATA 1 \"\" end"));
    assert_eq!(wire.feed(frame::data(1, "").end_stream()), "");
    assert_eq!(wire.connection.status().stream, None);
}

/// curl 7.88 ends its upload where it is once it has read a response that is none of success.
#[test]
fn one_may_end_before_what_was_announced() {
    let mut wire = Wire::greeted();
    begin(&mut wire, 1, &[("content-length", "8")]);
    discard(&mut wire, 1);
    wire.respond(1, 413, &[]);
    assert_eq!(wire.feed(frame::data(1, "half").end_stream()), "");
    assert_eq!(wire.finish(1, &[]), "DATA 1 \"\" end");
    assert_eq!(wire.connection.status().stream, None);
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
    begin(&mut wire, 1, &[("content-length", "8")]);
    wire.feed(frame::data(1, "half"));
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
    let length = [("content-length", "8")];
    assert_eq!(begin(&mut wire, 1, &length), "HEADERS 1 413 content-length=0 end");
    assert_eq!(wire.feed_all([frame::data(1, "half"), frame::data(1, "half").end_stream()]), "");
    assert_eq!(wire.connection.status().stream, None);
    begin(&mut wire, 3, &length);
    assert_eq!(a_second_of_silence(&mut wire), "RST_STREAM 3 NO_ERROR");
    assert_eq!(wire.events(), []);
}

/// The length was not announced, or the client is too slow: the handler hears of that, and the client of the reason.
#[test]
fn so_it_is_behind_one_that_ends_a_body_which_is_read() {
    let mut config = Config::default();
    config.limits.body = Some(5);
    let mut wire = Wire::greeted_with(&config, &[]);
    begin(&mut wire, 1, &[]);
    let large = "cancelled 1: Refused(BodyTooLarge); HEADERS 1 413 content-length=0 end";
    assert!(wire.feed(frame::data(1, "too long")).starts_with(large));
    assert_eq!(wire.feed(frame::data(1, "by far").end_stream()), "");
    assert_eq!((wire.resets(1), wire.connection.status().stream), (vec![], None));
    begin(&mut wire, 3, &[("content-length", "5")]);
    let slow = "cancelled 3: Refused(SlowBody); HEADERS 3 408 content-length=0 end";
    wire.wait_millis(15_000);
    wire.feed(frame::ping([0; 8]));
    assert_eq!(wire.wait_millis(15_000), slow);
    assert_eq!(wire.feed(frame::data(3, "late!").end_stream()), "");
    assert_eq!(wire.connection.status().stream, None);
}

/// It takes room from what is still to come.
#[test]
fn one_that_padding_has_made_too_long_is_not_waited_for() {
    let mut config = Config::default();
    config.limits.stream_window = 100;
    let mut wire = Wire::greeted_with(&config, &[]);
    assert_eq!(answered_early(&mut wire, "50"), ANSWERED);
    for _ in 0..3 {
        assert_eq!(wire.feed(frame::data(1, "half").padded(20)), "");
    }
    // 21 octets of room, for 34.
    assert_eq!(a_second_of_silence(&mut wire), "RST_STREAM 1 NO_ERROR");
}

#[test]
fn what_breaks_off_or_breaks_a_rule_there_no_handler_hears_of() {
    type End = (&'static str, fn(&mut Wire) -> String, &'static str);
    let ends: [End; 5] = [
        ("RST_STREAM", |wire| wire.feed(frame::rst_stream(1, code::CANCEL)), ""),
        ("too much", |wire| wire.feed(frame::data(1, "toolong")), "RST_STREAM 1 PROTOCOL_ERROR"),
        ("too little", |wire| wire.feed(frame::data(1, "").end_stream()), ""),
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
    let minute = Duration::from_secs(60);
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
    assert_eq!(a_second_of_silence(&mut wire), "RST_STREAM 1 NO_ERROR; FIN");
    assert_eq!(wire.eof(), "closed: Drained");
}

#[test]
fn a_drain_lets_it_come_for_two_seconds_in_all() {
    let mut wire = Wire::greeted();
    answered_early(&mut wire, "99");
    wire.feed(frame::data(1, "x"));
    wire.wait_millis(500);
    wire.drain(Duration::from_secs(60));
    wire.feed(frame::ping_ack(*b"lameduck"));
    for _ in 0..3 {
        assert_eq!(wire.feed(frame::data(1, "x")), "");
        assert_eq!(wire.wait_millis(500), "");
    }
    wire.feed(frame::data(1, "x"));
    assert_eq!(wire.wait_millis(500), "RST_STREAM 1 NO_ERROR; FIN");
}

/// Nothing is lost by it: every answer is whole, and was read.
#[test]
fn at_the_deadline_of_a_drain_there_is_nothing_in_it_to_cut() {
    let mut wire = Wire::greeted();
    answered_early(&mut wire, "8");
    wire.drain(Duration::from_millis(900));
    wire.feed(frame::ping_ack(*b"lameduck"));
    assert_eq!(wire.wait_millis(900), "closed: Drained");
}

/// Whether an answer was read is not known before the notice of the drain has its ACK: an end that meets what still
/// comes with a reset may cost it.
#[test]
fn at_the_deadline_an_answer_that_may_be_unread_is_cut() {
    for is_answered_before in [true, false] {
        let mut wire = Wire::greeted();
        begin(&mut wire, 1, &[("content-length", "8")]);
        discard(&mut wire, 1);
        if is_answered_before {
            wire.answer(1, "ok");
        }
        wire.drain(Duration::from_millis(500));
        if !is_answered_before {
            wire.answer(1, "ok");
        }
        let cut = "closed: StreamsCut; RST_STREAM 1 NO_ERROR; GOAWAY 1 NO_ERROR";
        assert_eq!(wire.wait_millis(500), cut);
    }
}

/// Whether it was read is asked at once, and does not wait for the rest.
#[test]
fn whether_the_answer_was_read_is_asked_while_it_comes() {
    for is_read in [true, false] {
        let mut wire = Wire::greeted();
        begin(&mut wire, 1, &[("content-length", "8")]);
        wire.drain(Duration::from_millis(900));
        wire.feed(frame::ping_ack(*b"lameduck"));
        discard(&mut wire, 1);
        assert_eq!(wire.answer(1, "ok"), format!("{ANSWERED}; PING all read"));
        if is_read {
            assert_eq!(wire.feed(frame::ping_ack(*b"all read")), "");
        }
        let expected = match is_read {
            true => "closed: Drained",
            false => "closed: StreamsCut; RST_STREAM 1 NO_ERROR; GOAWAY 1 NO_ERROR",
        };
        assert_eq!(wire.wait_millis(900), expected);
    }
}

#[test]
fn an_abort_and_a_failure_find_nothing_in_it_to_cut() {
    let mut wire = Wire::greeted();
    answered_early(&mut wire, "8");
    wire.connection.abort(wire.now());
    wire.settle();
    assert_eq!(wire.closed(), Some(CloseReason::Drained));
    let mut wire = Wire::greeted();
    answered_early(&mut wire, "8");
    wire.connection.handle_gone(wire.now());
    wire.settle();
    assert_eq!(wire.closed(), Some(CloseReason::PeerClosed));
}

/// Where the receipt has less time than the rest, it does not outlast the connection.
#[test]
fn one_that_outlasts_the_wait_for_the_receipt_is_stopped() {
    let mut config = Config::default();
    config.timeouts.write.draining = Duration::from_millis(300);
    let mut wire = Wire::greeted_with(&config, &[]);
    begin(&mut wire, 1, &[("content-length", "8")]);
    wire.drain(Duration::from_secs(60));
    wire.feed(frame::ping_ack(*b"lameduck"));
    discard(&mut wire, 1);
    wire.answer(1, "ok");
    assert_eq!(wire.wait_millis(300), "RST_STREAM 1 NO_ERROR; FIN");
    assert_eq!(wire.eof(), "closed: TimedOut(Receipt)");
}

/// A client may give up an upload that has been answered as it likes: that costs nobody anything.
#[test]
fn resets_of_it_are_no_annoyance_of_their_own() {
    let mut wire = Wire::greeted();
    for stream in (1..1_000).step_by(2) {
        begin(&mut wire, stream, &[("content-length", "8")]);
        discard(&mut wire, stream);
        wire.answer(stream, "ok");
        assert_eq!(wire.feed(frame::rst_stream(stream, code::CANCEL)), "");
    }
    assert_eq!(wire.goaway(), None);
}

/// Of the streams that it has reset the connection remembers the last ones, and how much may come for all others.
#[test]
fn what_crosses_the_stop_of_many_excuses_nothing_on_a_stream_that_was_passed_over() {
    let mut wire = Wire::greeted();
    let streams = [1, 3, 5, 7, 9, 21, 23, 25, 27, 29];
    for stream in streams {
        begin(&mut wire, stream, &[]);
        discard(&mut wire, stream);
        wire.respond(stream, 413, &[]);
        wire.finish(stream, &[]);
    }
    a_second_of_silence(&mut wire);
    wire.feed(frame::data(5, [0; 10]));
    assert_eq!(wire.resets(5), [code::NO_ERROR]);
    wire.feed(frame::data(11, [0; 10]));
    assert_eq!(wire.resets(11), [code::STREAM_CLOSED]);
}

/// Many that are stopped at once have frames on their way: those are no annoyance, and cost no other request anything.
#[test]
fn what_crosses_the_stop_of_many_harms_nobody() {
    for count in [20, 100] {
        let mut wire = Wire::greeted();
        let streams = || (1..2 * count).step_by(2);
        for stream in streams() {
            begin(&mut wire, stream, &[]);
            discard(&mut wire, stream);
            wire.respond(stream, 413, &[]);
            wire.finish(stream, &[]);
        }
        a_second_of_silence(&mut wire);
        assert!(streams().all(|stream| wire.resets(stream) == [code::NO_ERROR]));
        wire.get(999, "/");
        // As much as the window of the connection has room for.
        for _ in 0..4_000 / count {
            streams().for_each(|stream| drop(wire.feed(frame::data(stream, [0; 1024]))));
        }
        assert_eq!((wire.goaway(), wire.connection.status().stream), (None, Some(StreamId(999))));
        assert!(streams().all(|stream| wire.resets(stream) == [code::NO_ERROR]));
    }
}
