//! Expectations, and connections that become something else (RFC 9110 sections 7.8, 9.3.6 and 10.1.1).

use std::time::Duration;

use bytes::Bytes;
use lameduck_core::{
    ApiMisuse, BodyLength, CloseReason, Config, Event, Field, PeerError, ResponseHead, ResponseLength, Stage,
    StreamId,
};
use lameduck_tests::wire::{Answer, NOW, Wire, fields, refused, serve_with, served_one};

const ID: StreamId = StreamId(1);

fn post(field_lines: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: a\r\n{field_lines}\r\n\r\n")
}

fn wire() -> Wire {
    Wire::new(&Config::default())
}

fn head(status: u16) -> ResponseHead<[Field<'static>; 0]> {
    ResponseHead { status, fields: [], length: ResponseLength::Known(0) }
}

const UPGRADE: &str =
    "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: x/1\r\n\r\n";

// Expectations.

#[test]
fn the_word_is_given_once_the_handler_asks_for_the_body() {
    for value in ["100-continue", "100-Continue", " 100-CONTINUE\t"] {
        let mut wire = wire();
        let events = wire.feed(post(&format!("Expect:{value}\r\nContent-Length: 3")));
        assert!(matches!(events[..], [Event::Request { body: BodyLength::Known(3), .. }]), "{events:?}");
        assert_eq!(wire.text(), "");
        assert_eq!(wire.connection.poll_timeout(), None, "the peer waits for us");
        wire.connection.read_body(NOW, ID).unwrap();
        wire.connection.read_body(NOW, ID).unwrap();
        wire.settle();
        assert_eq!(wire.text(), "HTTP/1.1 100 Continue\r\n\r\n");
        assert!(wire.connection.poll_timeout().is_some());
        assert_eq!(wire.feed("abc").len(), 2);
    }
}

#[test]
fn a_peer_that_does_not_wait_gets_no_word() {
    let mut wire = wire();
    assert_eq!(wire.feed(post("Expect: 100-continue\r\nContent-Length: 3") + "a").len(), 2);
    wire.connection.read_body(NOW, ID).unwrap();
    wire.settle();
    assert_eq!(wire.text(), "");
}

#[test]
fn where_there_is_no_body_there_is_no_word() {
    for lines in ["Expect: 100-continue", "Expect: 100-continue\r\nContent-Length: 0"] {
        let mut wire = wire();
        wire.feed(post(lines));
        wire.connection.read_body(NOW, ID).unwrap();
        wire.settle();
        assert_eq!(wire.text(), "");
    }
}

/// Nobody can tell whether what comes next is the body or the next request.
#[test]
fn a_final_answer_instead_of_the_word_ends_the_connection() {
    let mut wire = wire();
    wire.feed(post("Expect: 100-continue\r\nContent-Length: 3"));
    wire.connection.respond(NOW, ID, head(403)).unwrap();
    wire.connection.finish(NOW, ID, []).unwrap();
    wire.settle();
    assert_eq!(wire.text(), "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    assert!(wire.fin);
    assert_eq!(wire.feed("abcGET / HTTP/1.1\r\nHost: a\r\n\r\n"), []);
}

#[test]
fn a_body_that_is_not_wanted_gets_no_word() {
    let mut wire = wire();
    wire.feed(post("Expect: 100-continue\r\nContent-Length: 3"));
    wire.connection.discard_body(NOW, ID).unwrap();
    wire.connection.respond(NOW, ID, head(403)).unwrap();
    wire.connection.finish(NOW, ID, []).unwrap();
    wire.settle();
    assert_eq!(wire.text(), "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
}

#[test]
fn another_expectation_is_417() {
    for value in ["", "x", "100", "100-continue, x", "100-continue;q=1", "100 continue", "200-ok"] {
        let outcome =
            refused(post(&format!("Expect: {value}\r\nContent-Length: 3")), PeerError::UnknownExpectation);
        assert!(outcome.sent.starts_with(b"HTTP/1.1 417 Expectation Failed\r\n"));
    }
}

#[test]
fn http_1_0_expects_nothing() {
    let request = "POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
    let mut wire = wire();
    wire.feed(request);
    wire.connection.read_body(NOW, ID).unwrap();
    wire.settle();
    assert_eq!(wire.text(), "");
    served_one("POST / HTTP/1.0\r\nExpect: x\r\nContent-Length: 3\r\n\r\nabc");
}

// Upgrades.

#[test]
fn an_upgrade_that_is_agreed_to_carries_all_that_follows_its_head() {
    let agree = |_: &_| Answer::new(101).with_field("Upgrade", "x/1");
    let leftover = b"GET / HTTP/1.1\r\n\r\n\0\xff\r\n\r\nnot HTTP";
    let outcome = serve_with(&Config::default(), [UPGRADE.as_bytes(), leftover].concat(), agree);
    assert_eq!(outcome.tunnel, leftover);
    assert_eq!(
        outcome.sent,
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x/1\r\nconnection: upgrade\r\n\r\n"
    );
    assert_eq!((outcome.taken, outcome.closed), (1, CloseReason::TunnelEnded));
}

#[test]
fn an_upgrade_that_is_ignored_is_a_request_like_any_other() {
    let next = "GET /next HTTP/1.1\r\nHost: a\r\n\r\n";
    let outcome = serve_with(&Config::default(), format!("{UPGRADE}{next}"), |_| Answer::ok());
    assert_eq!(outcome.requests[1].target, "/next");
    assert_eq!(outcome.responses()[0].values("connection"), [""; 0]);
}

#[test]
fn an_upgrade_with_a_body_is_agreed_to_only_once_that_has_come() {
    let request = post("Connection: upgrade\r\nUpgrade: x\r\nContent-Length: 3");
    let mut wire = wire();
    wire.feed(&request);
    assert_eq!(wire.connection.respond(NOW, ID, head(101)), Err(ApiMisuse::BadStatus));
    wire.feed("abcdef");
    wire.connection.respond(NOW, ID, head(101)).unwrap();
    let events = wire.settle();
    assert_eq!(events, [Event::Data { id: ID, data: Bytes::from_static(b"def") }]);
}

#[test]
fn nobody_switches_protocols_unasked() {
    let requests = [
        post("X: y"),
        post("Upgrade: x"),
        post("Connection: upgrade"),
        post("Connection: upgrade\r\nUpgrade: "),
        post("Connection: upgrade\r\nUpgrade: h2c"),
        post("Connection: upgrade, http2-settings\r\nUpgrade: H2C"),
        "GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n".to_owned(),
        "HEAD / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n".to_owned(),
        "CONNECT a:80 HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n".to_owned(),
    ];
    for request in requests {
        let mut wire = wire();
        assert_eq!(wire.feed(&request).len(), 1);
        assert_eq!(wire.connection.respond(NOW, ID, head(101)), Err(ApiMisuse::BadStatus), "{request}");
    }
}

#[test]
fn an_upgrade_may_be_required() {
    let answer = Answer::new(426).with_field("Upgrade", "x/1");
    let outcome = serve_with(&Config::default(), post("X: y"), |_| answer.clone());
    let response = &outcome.responses()[0];
    assert_eq!((response.values("upgrade"), response.values("connection")), (vec!["x/1"], vec!["upgrade"]));
}

/// Nothing is begun that the drain would have to cut.
#[test]
fn while_the_server_drains_nobody_switches_protocols() {
    for request in [UPGRADE, CONNECT] {
        for text in [request.to_owned(), format!("{request}GET / HTTP/1.1\r\nHost: a\r\n\r\n")] {
            let mut wire = wire();
            wire.connection.drain(NOW, NOW + Duration::from_secs(10));
            assert_eq!(wire.feed(text), []);
            assert!(wire.text().starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
            assert!(wire.text().contains("\r\nconnection: close\r\nretry-after: 1\r\n"));
            assert!(wire.fin);
            assert_eq!(wire.eof(), [Event::Closed(CloseReason::UpgradeRefused)]);
        }
    }
}

// CONNECT.

const CONNECT: &str = "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n";

#[test]
fn a_connect_that_is_answered_2xx_carries_all_that_follows_its_head() {
    for status in [200, 201, 204, 299] {
        let leftover = b"\x16\x03\x01GET / HTTP/1.1\r\n\r\n";
        let answer = Answer::new(status).with_field("content-length", "5").with_field("x", "y");
        let outcome =
            serve_with(&Config::default(), [CONNECT.as_bytes(), leftover].concat(), |_| answer.clone());
        assert_eq!(outcome.tunnel, leftover);
        assert!(outcome.sent.ends_with(b"\r\nx: y\r\n\r\n"), "neither a length nor a coding");
        assert_eq!(outcome.closed, CloseReason::TunnelEnded);
    }
}

#[test]
fn a_connect_that_is_refused_is_a_request_like_any_other() {
    let next = "GET /next HTTP/1.1\r\nHost: a\r\n\r\n";
    for answer in [Answer::new(405), Answer::new(407).with_body("no"), Answer::new(502).with_pieces(&["no"])]
    {
        let outcome = serve_with(&Config::default(), format!("{CONNECT}{next}"), |request| {
            if request.method == "CONNECT" { answer.clone() } else { Answer::ok() }
        });
        assert_eq!((outcome.requests.len(), outcome.tunnel.len()), (2, 0));
    }
}

#[test]
fn each_half_of_a_tunnel_ends_by_itself() {
    let mut wire = wire();
    wire.feed(CONNECT);
    wire.connection.respond(NOW, ID, head(200)).unwrap();
    assert_eq!(wire.connection.status().stage, Stage::Tunnel);
    wire.connection.send_body(NOW, ID, Bytes::from_static(b"to the peer")).unwrap();
    wire.connection.finish(NOW, ID, []).unwrap();
    assert_eq!(wire.connection.finish(NOW, ID, []), Err(ApiMisuse::AlreadyFinished));
    assert_eq!(wire.settle(), []);
    assert!(wire.text().ends_with("\r\n\r\nto the peer") && wire.fin);
    assert_eq!(wire.feed("to us"), [Event::Data { id: ID, data: Bytes::from_static(b"to us") }]);
    let events = wire.eof();
    assert_eq!(events[0], Event::End { id: ID, trailers: None });
    assert_eq!(events[1..], [Event::Closed(CloseReason::TunnelEnded)]);
}

#[test]
fn a_peer_that_finishes_first_still_hears_the_rest() {
    let mut wire = wire();
    wire.feed(CONNECT);
    wire.connection.respond(NOW, ID, head(200)).unwrap();
    wire.settle();
    assert_eq!(wire.eof(), [Event::End { id: ID, trailers: None }]);
    wire.connection.send_body(NOW, ID, Bytes::from_static(b"late")).unwrap();
    wire.settle();
    assert!(wire.text().ends_with("late"));
    wire.connection.finish(NOW, ID, fields(&[("not", "sent")])).unwrap();
    assert_eq!(wire.settle(), [Event::Closed(CloseReason::TunnelEnded)]);
    assert!(wire.text().ends_with("late"));
}
