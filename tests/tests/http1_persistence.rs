//! Whether another request may follow (RFC 9112 section 9.3).

use lameduck_core::{CloseReason, Config, Event, HalfClose, Stage};
use lameduck_tests::wire::{Answer, Wire, serve_with};

/// How many of two requests are served, the first with these lines behind its method and target, and what
/// the first response says.
fn two(version: &str, field_lines: &str) -> (usize, Vec<String>, CloseReason) {
    let input = format!("GET / {version}\r\nHost: a\r\n{field_lines}\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let outcome = serve_with(&Config::default(), input, |_| Answer::ok());
    assert_eq!(outcome.fin, outcome.closed == CloseReason::Finished);
    let said = outcome.responses()[0].values("connection").into_iter().map(str::to_owned).collect();
    (outcome.requests.len(), said, outcome.closed)
}

#[test]
fn http_1_1_goes_on_unless_it_is_told_not_to() {
    let goes_on = [
        "",
        "Connection: keep-alive\r\n",
        "Connection: \r\n",
        "Connection: ,\r\n",
        "Connection: closed\r\n",
        "Connection: not-close\r\n",
        "Connection: \"close\"\r\n",
        "Connection: close;x\r\n",
        "Keep-Alive: close\r\n",
        "Proxy-Connection: close\r\n",
    ];
    for lines in goes_on {
        assert_eq!(two("HTTP/1.1", lines), (2, vec![], CloseReason::PeerClosed), "{lines:?}");
    }
    let ends = [
        "Connection: close\r\n",
        "Connection: CLOSE\r\n",
        "connection:Close\r\n",
        "Connection: x, close\r\n",
        "Connection: close,x\r\n",
        "Connection: ,,close\r\n",
        "Connection: \t close \t ,\r\n",
        "Connection: close, close\r\n",
        "Connection: keep-alive, close\r\n",
        "Connection: close, keep-alive\r\n",
        "Connection: x\r\nConnection: close\r\n",
        "Connection: close\r\nConnection: keep-alive\r\n",
    ];
    for lines in ends {
        let close = vec!["close".to_owned()];
        assert_eq!(two("HTTP/1.1", lines), (1, close, CloseReason::Finished), "{lines:?}");
    }
}

#[test]
fn http_1_0_ends_unless_it_is_told_not_to() {
    for lines in ["Connection: keep-alive\r\n", "Connection: Keep-Alive\r\n", "Connection: x,keep-alive\r\n"]
    {
        let kept = vec!["keep-alive".to_owned()];
        assert_eq!(two("HTTP/1.0", lines), (2, kept, CloseReason::PeerClosed), "{lines:?}");
    }
    let ends = [
        "",
        "Connection: close\r\n",
        "Connection: keep-alive, close\r\n",
        "Connection: close\r\nConnection: keep-alive\r\n",
        "Connection: keepalive\r\n",
        "Keep-Alive: timeout=5\r\n",
        "Proxy-Connection: keep-alive\r\n",
    ];
    for lines in ends {
        let close = vec!["close".to_owned()];
        assert_eq!(two("HTTP/1.0", lines), (1, close, CloseReason::Finished), "{lines:?}");
    }
}

#[test]
fn nothing_is_served_behind_a_response_that_said_close() {
    let mut wire = Wire::new(&Config::default());
    wire.feed("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    let head = lameduck_core::ResponseHead {
        status: 200,
        fields: [],
        length: lameduck_core::ResponseLength::Known(0),
    };
    wire.connection.respond(lameduck_tests::wire::NOW, lameduck_core::StreamId(1), head).unwrap();
    wire.connection.finish(lameduck_tests::wire::NOW, lameduck_core::StreamId(1), []).unwrap();
    assert_eq!(wire.settle(), []);
    assert!(wire.fin);
    assert_eq!(wire.connection.status().stage, Stage::Lingering);
    let sent = wire.sent.clone();
    assert_eq!(wire.feed("GET / HTTP/1.1\r\nHost: a\r\n\r\n\0"), []);
    assert_eq!(wire.sent, sent);
    assert_eq!(wire.eof(), [Event::Closed(CloseReason::Finished)]);
}

#[test]
fn a_client_that_has_nothing_more_to_say_still_gets_its_responses() {
    let request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let mut wire = Wire::new(&Config::default());
    let events = wire.feed(request);
    assert_eq!((events.len(), wire.eof().len()), (1, 0));
    let head = lameduck_core::ResponseHead {
        status: 200,
        fields: [],
        length: lameduck_core::ResponseLength::Known(0),
    };
    wire.connection.respond(lameduck_tests::wire::NOW, lameduck_core::StreamId(1), head).unwrap();
    wire.connection.finish(lameduck_tests::wire::NOW, lameduck_core::StreamId(1), []).unwrap();
    assert_eq!(wire.settle(), [Event::Closed(CloseReason::Finished)]);
    assert!(wire.text().contains("connection: close\r\n"));
    assert!(!wire.fin, "closing the transport is enough");
}

#[test]
fn a_half_close_cancels_where_it_is_set_to() {
    let config = Config { half_close: HalfClose::Cancel, ..Config::default() };
    let mut wire = Wire::new(&config);
    wire.feed("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let events = wire.eof();
    assert!(
        matches!(events[..], [Event::Cancelled { .. }, Event::Closed(CloseReason::PeerLeft)]),
        "{events:?}"
    );
    assert!(wire.sent.is_empty());
}
