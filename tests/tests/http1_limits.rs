//! Limits and waits: what is too much is refused with the status that says so, and only what is too much.

use std::time::Duration;

use lameduck_core::{
    Config, Connection, Event, Instant, Limits, PeerError, ResponseHead, ResponseLength, Stage, StreamId,
    Transmit,
};
use lameduck_tests::wire::{
    Answer, NOW, Wire, fields, refused, refused_with, serve_with, served, served_one,
};

fn limited(limits: Limits) -> Config {
    Config { limits, ..Config::default() }
}

fn get(target: &str, fields: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: a\r\n{fields}\r\n")
}

#[test]
fn a_target_over_its_limit_is_414() {
    let limit = usize::from(Limits::default().target);
    let target = |length: usize| format!("/{}", "a".repeat(length - 1));
    served_one(get(&target(limit), ""));
    for length in [limit + 1, limit + 40, limit + 100, 2 * limit, 20 * limit] {
        let outcome = refused(get(&target(length), ""), PeerError::TargetTooLong);
        assert!(outcome.sent.starts_with(b"HTTP/1.1 414 "));
    }
}

#[test]
fn a_request_line_that_never_ends_is_refused_while_it_comes() {
    let config = limited(Limits { target: 100, ..Limits::default() });
    let mut wire = Wire::new(&config);
    wire.feed("GET /");
    for _ in 0..200 {
        wire.feed("a");
    }
    assert!(wire.text().starts_with("HTTP/1.1 414 "));
    assert!(wire.fin);
}

#[test]
fn a_head_over_its_limit_is_431() {
    let limit = usize::from(Limits::default().head);
    let padded = |length: usize| {
        let bare = get("/", "b: \r\n").len();
        get("/", &format!("b: {}\r\n", "c".repeat(length - bare)))
    };
    assert_eq!(padded(limit).len(), limit);
    served_one(padded(limit));
    for length in [limit + 1, limit + 2, 2 * limit, 10 * limit] {
        let outcome = refused(padded(length), PeerError::HeadTooLarge);
        assert!(outcome.sent.starts_with(b"HTTP/1.1 431 "));
    }
}

#[test]
fn a_head_that_never_ends_is_refused_while_it_comes() {
    let config = limited(Limits { head: 100, ..Limits::default() });
    for text in ["GET / HTTP/1.1\r\na: b", "GET / HTTP/1.1\r\na: b\r\n"] {
        let mut wire = Wire::new(&config);
        wire.feed(text);
        for _ in 0..100 {
            wire.feed("c");
        }
        assert!(wire.text().starts_with("HTTP/1.1 431 "), "{}", wire.text());
    }
}

#[test]
fn whichever_limit_comes_first_is_the_one_that_is_told() {
    let line = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(1000));
    let config = limited(Limits { target: 500, head: 300, ..Limits::default() });
    refused_with(&config, &line, PeerError::HeadTooLarge);
    let config = limited(Limits { target: 300, head: 500, ..Limits::default() });
    refused_with(&config, &line, PeerError::TargetTooLong);
}

#[test]
fn the_largest_limits_are_served_in_full() {
    let config =
        limited(Limits { target: u16::MAX, head: u16::MAX, fields: usize::MAX, ..Limits::default() });
    let target = format!("/{}", "a".repeat(30_000));
    let value = "c".repeat(30_000);
    let outcome = serve_with(&config, get(&target, &format!("b: {value}\r\n")), |_| Answer::ok());
    assert_eq!(outcome.requests[0].target, target);
    assert_eq!(outcome.requests[0].fields[1].1, value.as_bytes());
    let all = usize::from(u16::MAX);
    let bare = get("/", "b: \r\n").len();
    let text = get("/", &format!("b: {}\r\n", "c".repeat(all - bare)));
    let outcome = serve_with(&config, &text, |_| Answer::ok());
    assert_eq!(outcome.requests[0].fields[1].1.len(), all - bare);
    refused_with(
        &config,
        get("/", &format!("b: {}\r\n", "c".repeat(all - bare + 1))),
        PeerError::HeadTooLarge,
    );
}

#[test]
fn more_fields_than_the_limit_are_431() {
    let lines = |count: usize| "b: c\r\n".repeat(count - 1);
    let limit = Limits::default().fields;
    assert_eq!(served_one(get("/", &lines(limit))).fields.len(), limit);
    refused(get("/", &lines(limit + 1)), PeerError::TooManyFields);
    refused(get("/", &lines(5 * limit)), PeerError::TooManyFields);
    let config = limited(Limits { fields: usize::MAX, ..Limits::default() });
    let outcome = serve_with(&config, get("/", &lines(Limits::FIELDS)), |_| Answer::ok());
    assert_eq!(outcome.requests[0].fields.len(), Limits::FIELDS);
    refused_with(&config, get("/", &lines(Limits::FIELDS + 1)), PeerError::TooManyFields);
}

#[test]
fn a_body_over_its_limit_is_413() {
    let config = limited(Limits { body: Some(5), ..Limits::default() });
    let by_length = |length: usize| get("/", &format!("Content-Length: {length}\r\n")) + &"x".repeat(length);
    let chunks = |text: &str| get("/", "Transfer-Encoding: chunked\r\n") + text;
    for input in [by_length(5), chunks("5\r\nabcde\r\n0\r\n\r\n"), chunks("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")]
    {
        let outcome = serve_with(&config, input, |_| Answer::ok());
        assert_eq!(outcome.requests[0].body.len(), 5);
    }
    for input in
        [by_length(6), by_length(600), chunks("6\r\nabcdef\r\n0\r\n\r\n"), chunks("3\r\nabc\r\n3\r\n")]
    {
        let outcome = refused_with(&config, input, PeerError::BodyTooLarge);
        assert!(outcome.sent.starts_with(b"HTTP/1.1 413 "));
    }
}

#[test]
fn a_body_that_is_too_long_is_refused_before_it_comes() {
    let config = limited(Limits { body: Some(5), ..Limits::default() });
    let mut wire = Wire::new(&config);
    let events = wire.feed(get("/", "Expect: 100-continue\r\nContent-Length: 6\r\n"));
    assert_eq!(events, []);
    assert!(wire.text().starts_with("HTTP/1.1 413 "));
}

#[test]
fn a_limit_of_no_body_still_serves_requests_without_one() {
    let config = limited(Limits { body: Some(0), ..Limits::default() });
    assert_eq!(serve_with(&config, get("/", "Content-Length: 0\r\n"), |_| Answer::ok()).requests.len(), 1);
    assert_eq!(
        serve_with(&config, get("/", "Transfer-Encoding: chunked\r\n") + "0\r\n\r\n", |_| Answer::ok())
            .requests
            .len(),
        1
    );
    refused_with(&config, get("/", "Content-Length: 1\r\n"), PeerError::BodyTooLarge);
}

/// Waits until the connection's next deadline, which must be that of `span` from now.
#[track_caller]
fn wait(wire: &mut Wire, span: Duration) -> Vec<Event> {
    let then = NOW + span;
    assert_eq!(wire.connection.poll_timeout(), Some(then));
    wire.connection.handle_timeout(Instant::from_nanos(then.as_nanos() - 1));
    assert_eq!(wire.settle(), []);
    wire.connection.handle_timeout(then);
    wire.settle()
}

#[test]
fn a_head_that_does_not_come_in_time_is_408() {
    let config = Config::default();
    for start in ["G", "GET / HTTP/1.1\r\nHost: a\r\n"] {
        let mut wire = Wire::new(&config);
        wire.feed(start);
        let events = wait(&mut wire, config.timeouts.head.serving);
        assert_eq!(events, []);
        assert!(wire.text().starts_with("HTTP/1.1 408 Request Timeout\r\n"));
        assert!(wire.text().contains("\r\nconnection: close\r\n"));
        assert!(wire.fin);
        assert_eq!(wire.eof(), [Event::Closed(lameduck_core::CloseReason::Refused(PeerError::SlowHead))]);
    }
}

/// The whole head has one bound: a peer that sends a byte now and then does not put it off.
#[test]
fn a_byte_now_and_then_does_not_put_the_end_of_a_head_off() {
    let config = Config::default();
    let mut wire = Wire::new(&config);
    wire.feed("G");
    let due = wire.connection.poll_timeout();
    for second in 1..10 {
        wire.connection.handle_bytes(Instant::from_millis(second * 1000), b"E");
        assert_eq!(wire.connection.poll_timeout(), due);
    }
}

#[test]
fn a_body_that_stops_coming_is_408() {
    let config = Config::default();
    let mut wire = Wire::new(&config);
    let events = wire.feed(get("/", "Content-Length: 5\r\n") + "ab");
    assert_eq!(events.len(), 2);
    let events = wait(&mut wire, config.timeouts.body.serving);
    let reason = lameduck_core::CancelReason::Refused(PeerError::SlowBody);
    assert_eq!(events, [Event::Cancelled { id: StreamId(1), reason }]);
    assert!(wire.text().starts_with("HTTP/1.1 408 "));
}

#[test]
fn a_peer_that_takes_nothing_is_given_up() {
    let config = Config::default();
    let mut wire = Wire::new(&config);
    wire.connection.handle_bytes(NOW, get("/", "").as_bytes());
    assert!(matches!(wire.connection.poll_event(), Some(Event::Request { .. })));
    let head = ResponseHead { status: 200, fields: fields(&[]), length: ResponseLength::Known(0) };
    wire.connection.respond(NOW, StreamId(1), head).unwrap();
    wire.connection.finish(NOW, StreamId(1), []).unwrap();
    let due = wire.connection.poll_timeout().unwrap();
    assert_eq!(due, NOW + config.timeouts.write.serving);
    wire.connection.handle_timeout(due);
    let reason = lameduck_core::CloseReason::TimedOut(lameduck_core::Timer::Write);
    assert_eq!(wire.connection.poll_event(), Some(Event::Closed(reason)));
    assert!(wire.connection.poll_transmit(due).is_none());
    assert!(reason.resets());
}

#[test]
fn after_a_refusal_the_peer_is_listened_to_for_a_while_and_no_longer() {
    let config = Config::default();
    let mut wire = Wire::new(&config);
    wire.feed("\0");
    assert!(wire.fin);
    assert!(wire.connection.wants_read());
    assert_eq!(wire.feed("more of the same"), []);
    assert_eq!(wire.connection.status().stage, Stage::Lingering);
    let events = wait(&mut wire, config.timeouts.linger_quiet.serving);
    let reason = lameduck_core::CloseReason::Refused(PeerError::BadRequestLine);
    assert_eq!(events, [Event::Closed(reason)]);
    assert!(!reason.resets());
}

/// Answers every request that has been reported; how many those were.
fn answer_all(connection: &mut Connection) -> usize {
    let mut answered = 0;
    while let Some(event) = connection.poll_event() {
        let Event::Request { id, .. } = event else { panic!("{event:?}") };
        let head = ResponseHead { status: 200, fields: fields(&[]), length: ResponseLength::Known(0) };
        connection.respond(NOW, id, head).unwrap();
        connection.finish(NOW, id, []).unwrap();
        answered += 1;
    }
    answered
}

/// Takes all that waits to be sent now; how much that was.
fn take_all(connection: &mut Connection) -> usize {
    let count = match connection.poll_transmit(NOW) {
        Some(Transmit::Bytes(pieces)) => pieces.map(<[u8]>::len).sum(),
        _ => 0,
    };
    connection.transmitted(NOW, count);
    count
}

#[test]
fn pipelined_requests_wait_while_responses_are_not_taken() {
    let config = limited(Limits { send_queue: 100, pipeline: 100, ..Limits::default() });
    let mut connection = Wire::new(&config).connection;
    let mut answered = 0;
    for _ in 0..100 {
        connection.handle_bytes(NOW, get("/", "").as_bytes());
        answered += answer_all(&mut connection);
    }
    assert!(!connection.wants_read());
    assert!((1..=4).contains(&answered), "{answered}");
    let mut sent = 0;
    loop {
        let count = take_all(&mut connection);
        if count == 0 {
            break;
        }
        sent += count;
        answered += answer_all(&mut connection);
    }
    assert_eq!((answered, sent), (100, 100 * "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".len()));
}

#[test]
fn a_body_waits_while_its_handler_holds_a_window_of_it() {
    let config = limited(Limits { body_window: 10, ..Limits::default() });
    let mut wire = Wire::new(&config);
    wire.feed(get("/", "Content-Length: 30\r\n"));
    assert!(wire.connection.wants_read());
    wire.feed("x".repeat(10));
    assert!(!wire.connection.wants_read());
    assert_eq!(wire.connection.poll_timeout(), None, "it is not the peer's turn");
    wire.connection.release(NOW, StreamId(1), 1).unwrap();
    assert!(wire.connection.wants_read());
    assert!(wire.connection.poll_timeout().is_some());
    assert_eq!(served(get("/", "Content-Length: 30\r\n") + &"x".repeat(30)).len(), 1);
}
