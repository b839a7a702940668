//! Responses (RFC 9112 sections 4, 6 and 7; RFC 9110 sections 6.4, 8.6, 9.3.2 and 15): framed so that the
//! client can tell where each ends, and free of what a handler must not say.

use bytes::Bytes;
use lameduck_core::{
    ApiMisuse, CancelReason, CloseReason, Config, Connection, Date, Event, Field, ResponseHead,
    ResponseLength, StreamId, Transmit,
};
use lameduck_tests::wire::{Answer, NOW, Response, Wire, fields, serve_with};

const ID: StreamId = StreamId(1);

fn answered(request: &str, answer: &Answer) -> String {
    let outcome = serve_with(&Config::default(), request, |_| answer.clone());
    String::from_utf8(outcome.sent).expect("text")
}

fn response(request: &str, answer: &Answer) -> Response {
    let outcome = serve_with(&Config::default(), request, |_| answer.clone());
    outcome.responses().remove(0)
}

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const HEAD: &str = "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n";
const OLD: &str = "GET / HTTP/1.0\r\n\r\n";
const OLD_KEPT: &str = "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";

/// A connection that has reported the request in `input`.
fn asked(input: &str) -> Connection {
    let mut wire = Wire::new(&Config::default());
    let events = wire.feed(input);
    assert!(matches!(events[0], Event::Request { .. }), "{events:?}");
    wire.connection
}

fn plain(status: u16) -> ResponseHead<[Field<'static>; 0]> {
    ResponseHead { status, fields: [], length: ResponseLength::Known(0) }
}

#[test]
fn a_response_says_what_it_has_to_and_nothing_else() {
    assert_eq!(
        answered(GET, &Answer::ok().with_field("X-Case", "Kept").with_field("a", "")),
        "HTTP/1.1 200 OK\r\nX-Case: Kept\r\na: \r\ncontent-length: 2\r\n\r\nok"
    );
    assert_eq!(answered(GET, &Answer::new(404)), "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
    assert_eq!(answered(GET, &Answer::new(299)), "HTTP/1.1 299 \r\ncontent-length: 0\r\n\r\n");
    assert_eq!(answered(GET, &Answer::new(999)), "HTTP/1.1 999 \r\ncontent-length: 0\r\n\r\n");
}

#[test]
fn a_body_of_unknown_length_is_chunked() {
    assert_eq!(
        answered(GET, &Answer::new(200).with_pieces(&["abc", "", "0123456789abcdef"])),
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n"
    );
    assert_eq!(
        answered(GET, &Answer::new(200).with_pieces(&[])),
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"
    );
}

#[test]
fn trailers_follow_a_chunked_body_and_no_other() {
    let chunked = Answer::new(200).with_pieces(&["abc"]).with_trailer("X-Sum", "6");
    let response = response(GET, &chunked);
    assert_eq!((response.body.as_slice(), response.trailers.len()), (&b"abc"[..], 1));
    assert_eq!(response.trailers[0], ("X-Sum".to_owned(), "6".to_owned()));
    for (request, answer) in [(GET, Answer::ok()), (HEAD, chunked.clone()), (OLD, chunked)] {
        let text = answered(request, &answer.with_trailer("X-Sum", "6"));
        assert!(!text.contains("X-Sum"), "{text}");
    }
}

/// RFC 9110 section 6.5.1.
#[test]
fn trailers_that_would_come_too_late_are_not_sent() {
    let answer = Answer::new(200)
        .with_pieces(&["abc"])
        .with_trailer("Content-Length", "9")
        .with_trailer("transfer-encoding", "chunked")
        .with_trailer("a", "b");
    assert!(answered(GET, &answer).ends_with("\r\n0\r\na: b\r\n\r\n"));
}

#[test]
fn a_large_piece_is_one_chunk() {
    let body = Bytes::from(vec![b'x'; 70_000]);
    let mut answer = Answer::new(200).with_body(body.clone());
    answer.length = ResponseLength::Unknown;
    let text = answered(GET, &answer);
    assert!(text.contains("\r\n\r\n11170\r\nxxx"));
    assert_eq!(response(GET, &answer).body, body);
}

/// RFC 9110 section 9.3.2.
#[test]
fn a_response_to_head_has_the_length_of_a_get_and_no_body() {
    let cases = [
        (Answer::ok(), vec!["2"]),
        (Answer::new(200).with_pieces(&["abc"]).with_field("Content-Length", "3"), vec!["3"]),
        (Answer::new(200).with_pieces(&["abc"]), vec![]),
        (Answer::new(200), vec![]),
        (Answer::new(404).with_body("no"), vec!["2"]),
    ];
    for (answer, lengths) in cases {
        let outcome = serve_with(&Config::default(), format!("{HEAD}{GET}"), |request| {
            if request.method == "HEAD" { answer.clone() } else { Answer::ok() }
        });
        let responses = outcome.responses();
        assert_eq!(responses.len(), 2, "the connection goes on");
        assert_eq!(responses[0].values("content-length"), lengths);
        assert_eq!(responses[0].values("transfer-encoding"), [""; 0]);
        assert_eq!(responses[1].body, b"ok");
    }
}

/// RFC 9112 section 6.3, RFC 9110 sections 8.6, 15.3.5 and 15.4.5.
#[test]
fn a_204_and_a_304_have_no_body_and_a_204_no_length() {
    let given = |status| Answer::new(status).with_body("abc").with_field("content-length", "3");
    for (status, lengths) in [(204, &[][..]), (304, &["3"])] {
        for answer in [given(status), given(status).with_pieces(&["abc"])] {
            let outcome = serve_with(&Config::default(), format!("{GET}{GET}"), |_| answer.clone());
            let responses = outcome.responses();
            assert_eq!(responses.len(), 2);
            for response in responses {
                assert_eq!((response.status, response.values("content-length")), (status, lengths.to_vec()));
                assert_eq!(response.values("transfer-encoding"), [""; 0]);
                assert_eq!(response.values("connection"), [""; 0]);
            }
        }
    }
    assert_eq!(answered(GET, &Answer::new(304)), "HTTP/1.1 304 Not Modified\r\n\r\n");
}

#[test]
fn http_1_0_gets_no_chunks() {
    for request in [OLD, OLD_KEPT] {
        assert_eq!(
            answered(request, &Answer::new(200).with_pieces(&["abc", "def"])),
            "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nabcdef"
        );
    }
    assert_eq!(
        answered(OLD_KEPT, &Answer::ok()),
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: keep-alive\r\n\r\nok"
    );
    assert_eq!(
        answered(OLD, &Answer::ok()),
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok"
    );
}

#[test]
fn the_transport_is_the_connections_to_speak_for() {
    let answer = Answer::ok()
        .with_field("Transfer-Encoding", "gzip")
        .with_field("transfer-encoding", "chunked")
        .with_field("Connection", "keep-alive, x")
        .with_field("Keep-Alive", "timeout=5")
        .with_field("Proxy-Connection", "keep-alive")
        .with_field("Upgrade", "h2c")
        .with_field("Content-Length", "2");
    assert_eq!(answered(GET, &answer), "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
}

#[test]
fn a_handler_may_ask_for_the_end_of_the_connection() {
    for value in ["close", "Close", "x, CLOSE", "keep-alive,close"] {
        let outcome = serve_with(&Config::default(), format!("{GET}{GET}"), |_| {
            Answer::ok().with_field("connection", value)
        });
        assert_eq!((outcome.taken, outcome.closed, outcome.fin), (1, CloseReason::Finished, true));
        assert_eq!(outcome.responses()[0].values("connection"), ["close"]);
    }
}

#[test]
fn a_length_that_the_handler_declares_frames_the_body() {
    let mut answer = Answer::ok().with_field("Content-Length", "2");
    answer.length = ResponseLength::Unknown;
    assert_eq!(answered(GET, &answer), "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
}

#[test]
fn a_length_that_is_none_is_the_handlers_fault() {
    for value in ["", "+5", "-5", "5 ", " 5", "5,5", "0x5", "a", "5.0", "18446744073709551616", "\u{665}"] {
        let mut connection = asked(GET);
        let before = connection.clone();
        let given = [("a", "b"), ("content-length", value)];
        let head = ResponseHead { status: 200, fields: fields(&given), length: ResponseLength::Unknown };
        assert_eq!(connection.respond(NOW, ID, head), Err(ApiMisuse::BadField), "{value:?}");
        assert_eq!(connection, before);
    }
}

#[test]
fn lengths_that_differ_are_the_handlers_fault() {
    for lengths in [["3", "4"], ["4", "3"]] {
        let mut connection = asked(GET);
        let both = lengths.map(|length| ("content-length", length));
        let head = ResponseHead { status: 200, fields: fields(&both), length: ResponseLength::Unknown };
        assert_eq!(connection.respond(NOW, ID, head), Err(ApiMisuse::BadField));
    }
}

#[test]
fn a_date_comes_from_outside_and_a_handlers_own_wins() {
    let date = Date::new(*b"Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
    let mut wire = Wire::new(&Config::default());
    wire.connection.set_date(date);
    wire.feed(GET);
    wire.connection.respond(NOW, ID, plain(200)).unwrap();
    wire.connection.finish(NOW, ID, []).unwrap();
    wire.settle();
    assert_eq!(
        wire.text(),
        "HTTP/1.1 200 OK\r\ncontent-length: 0\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n"
    );
    wire.sent.clear();
    wire.feed(GET);
    let own =
        ResponseHead { status: 200, fields: fields(&[("Date", "today")]), length: ResponseLength::Known(0) };
    wire.connection.respond(NOW, StreamId(2), own).unwrap();
    wire.connection.finish(NOW, StreamId(2), []).unwrap();
    wire.settle();
    assert_eq!(wire.text(), "HTTP/1.1 200 OK\r\nDate: today\r\ncontent-length: 0\r\n\r\n");
    wire.sent.clear();
    wire.feed("\0");
    assert!(wire.text().contains("\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"), "refusals have one too");
}

#[test]
fn a_date_that_would_break_a_line_is_none() {
    for byte in [b'\r', b'\n', 0, 0x7f, 0x80] {
        let mut text = *b"Sun, 06 Nov 1994 08:49:37 GMT";
        text[28] = byte;
        assert_eq!(Date::new(text), None);
    }
}

#[test]
fn a_field_that_would_be_read_as_something_else_is_refused() {
    let bad: [(&str, &[u8]); 15] = [
        ("", b"b"),
        ("a b", b"c"),
        ("a:", b"b"),
        ("a\r\nb", b"c"),
        ("a\n", b"b"),
        ("a\0", b"b"),
        (" a", b"b"),
        ("caf\u{e9}", b"b"),
        ("(a)", b"b"),
        ("a", b"b\r\nc: d"),
        ("a", b"b\nc: d"),
        ("a", b"b\rc: d"),
        ("a", b"b\r\n"),
        ("a", b"\0"),
        ("date", b"x\r\ny"),
    ];
    for (name, value) in bad {
        let field = Field { name, value };
        let harmless = Field { name: "x", value: b"y" };
        let mut connection = asked("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
        let before = connection.clone();
        let head =
            |status| ResponseHead { status, fields: [harmless, field], length: ResponseLength::Unknown };
        assert_eq!(connection.respond(NOW, ID, head(426)), Err(ApiMisuse::BadField), "{name:?} {value:?}");
        assert_eq!(connection.inform(NOW, ID, 103, [harmless, field]), Err(ApiMisuse::BadField));
        assert_eq!(connection, before, "a call that is refused changes nothing");
        connection
            .respond(NOW, ID, ResponseHead { status: 200, fields: [], length: ResponseLength::Unknown })
            .unwrap();
        let before = connection.clone();
        assert_eq!(connection.finish(NOW, ID, [harmless, field]), Err(ApiMisuse::BadField));
        assert_eq!(connection, before);
        connection.finish(NOW, ID, []).unwrap();
    }
}

#[test]
fn an_offer_of_protocols_that_would_be_read_as_something_else_is_refused() {
    let given = [("upgrade", "x\r\ny")];
    let head = ResponseHead { status: 426, fields: fields(&given), length: ResponseLength::Unknown };
    assert_eq!(asked(GET).respond(NOW, ID, head), Err(ApiMisuse::BadField));
}

#[test]
fn a_status_that_cannot_stand_there_is_refused() {
    for status in [0, 1, 99, 100, 101, 102, 103, 199, 1000, u16::MAX] {
        let mut connection = asked(GET);
        let before = connection.clone();
        assert_eq!(connection.respond(NOW, ID, plain(status)), Err(ApiMisuse::BadStatus), "{status}");
        assert_eq!(connection, before);
    }
    for status in [0, 99, 101, 200, 204, 999, 1000] {
        assert_eq!(asked(GET).inform(NOW, ID, status, []), Err(ApiMisuse::BadStatus), "{status}");
    }
}

#[test]
fn interim_responses_come_before_the_final_one() {
    let mut wire = Wire::new(&Config::default());
    wire.feed(GET);
    wire.connection.inform(NOW, ID, 103, fields(&[("Link", "</a>; rel=preload")])).unwrap();
    wire.connection.inform(NOW, ID, 102, []).unwrap();
    wire.connection.inform(NOW, ID, 199, []).unwrap();
    wire.connection.respond(NOW, ID, plain(200)).unwrap();
    assert_eq!(wire.connection.inform(NOW, ID, 103, []), Err(ApiMisuse::AlreadyAnswered));
    wire.connection.finish(NOW, ID, []).unwrap();
    wire.settle();
    assert_eq!(
        wire.text(),
        "HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n\
         HTTP/1.1 102 \r\n\r\n\
         HTTP/1.1 199 \r\n\r\n\
         HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
    );
}

/// RFC 9112 section 6.1, RFC 9110 section 8.6: neither length nor coding stands in a 1xx.
#[test]
fn an_interim_response_is_not_framed() {
    let mut wire = Wire::new(&Config::default());
    wire.feed(GET);
    let given = [
        ("Content-Length", "5"),
        ("Transfer-Encoding", "chunked"),
        ("Connection", "close"),
        ("Keep-Alive", "timeout=5"),
        ("a", "b"),
    ];
    wire.connection.inform(NOW, ID, 103, fields(&given)).unwrap();
    wire.settle();
    assert_eq!(wire.text(), "HTTP/1.1 103 Early Hints\r\na: b\r\n\r\n");
}

/// RFC 9110 section 15.2.
#[test]
fn http_1_0_gets_no_interim_response() {
    let mut wire = Wire::new(&Config::default());
    wire.feed(OLD);
    wire.connection.inform(NOW, ID, 103, fields(&[("a", "b")])).unwrap();
    wire.settle();
    assert_eq!(wire.text(), "");
}

#[test]
fn more_body_than_declared_is_refused_and_less_breaks_off() {
    let mut connection = asked(GET);
    let head = ResponseHead { status: 200, fields: fields(&[]), length: ResponseLength::Known(3) };
    connection.respond(NOW, ID, head).unwrap();
    connection.send_body(NOW, ID, Bytes::from_static(b"ab")).unwrap();
    let before = connection.clone();
    assert_eq!(connection.send_body(NOW, ID, Bytes::from_static(b"cd")), Err(ApiMisuse::BodyTooLong));
    assert_eq!(connection, before);
    assert_eq!(connection.finish(NOW, ID, []), Err(ApiMisuse::BodyTooShort));
    let reason = CancelReason::Closed(CloseReason::HandlerReset);
    assert_eq!(connection.poll_event(), Some(Event::Cancelled { id: ID, reason }));
    // What was queued is sent, a response before it too; that it is too short shows that it broke off.
    let Some(Transmit::Bytes(pieces)) = connection.poll_transmit(NOW) else { panic!("nothing is sent") };
    let sent = pieces.collect::<Vec<_>>().concat();
    assert!(sent.ends_with(b"content-length: 3\r\n\r\nab"));
    connection.transmitted(NOW, sent.len());
    assert!(matches!(connection.poll_transmit(NOW), Some(Transmit::Fin)));
}

#[test]
fn a_response_is_begun_once_and_finished_once() {
    let mut connection = asked(GET);
    let chunked = || ResponseHead { status: 200, fields: [], length: ResponseLength::Unknown };
    assert_eq!(connection.send_body(NOW, ID, Bytes::from_static(b"a")), Err(ApiMisuse::NotAnswered));
    assert_eq!(connection.finish(NOW, ID, []), Err(ApiMisuse::NotAnswered));
    assert_eq!(connection.respond(NOW, StreamId(0), chunked()), Err(ApiMisuse::UnknownStream));
    assert_eq!(connection.respond(NOW, StreamId(2), chunked()), Err(ApiMisuse::UnknownStream));
    connection.respond(NOW, ID, chunked()).unwrap();
    assert_eq!(connection.respond(NOW, ID, chunked()), Err(ApiMisuse::AlreadyAnswered));
    connection.finish(NOW, ID, []).unwrap();
    assert_eq!(connection.finish(NOW, ID, []), Err(ApiMisuse::UnknownStream));
    assert_eq!(connection.send_body(NOW, ID, Bytes::from_static(b"a")), Err(ApiMisuse::UnknownStream));
}

#[test]
fn a_response_that_ends_before_its_request_is_over_only_once_that_has_come() {
    let mut wire = Wire::new(&Config::default());
    wire.feed("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na");
    wire.connection.respond(NOW, ID, plain(200)).unwrap();
    wire.connection.finish(NOW, ID, []).unwrap();
    assert_eq!(wire.connection.finish(NOW, ID, []), Err(ApiMisuse::AlreadyFinished));
    wire.settle();
    let events = wire.feed(format!("bc{GET}"));
    let [Event::Data { .. }, Event::End { .. }, Event::Request { id, .. }] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(*id, StreamId(2));
}
