//! What the exploration and the properties have found, each in its shortest form.

use bytes::Bytes;
use lameduck_core::{ApiMisuse, CloseReason, Config, Event, ResponseHead, ResponseLength, StreamId};
use lameduck_tests::wire::{NOW, Wire};

const ID: StreamId = StreamId(1);

fn head(length: ResponseLength) -> ResponseHead<[lameduck_core::Field<'static>; 0]> {
    ResponseHead { status: 200, fields: [], length }
}

fn answer(wire: &mut Wire) {
    wire.connection.respond(NOW, ID, head(ResponseLength::Known(2))).expect("the request is there");
    wire.connection.send_body(NOW, ID, Bytes::from_static(b"ok")).expect("the head declared it");
    wire.connection.finish(NOW, ID, []).expect("the body is whole");
}

fn changed(change: impl FnOnce(&mut Config)) -> Config {
    let mut config = Config::default();
    change(&mut config);
    config
}

fn is_cancelled(events: &[Event]) -> bool {
    events.iter().any(|event| matches!(event, Event::Cancelled { .. }))
}

#[test]
fn giving_up_a_response_that_is_complete_does_not_take_it_back() {
    let mut wire = Wire::new(&Config::default());
    wire.feed("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhe");
    answer(&mut wire);
    wire.connection.reset(NOW, ID).expect("its body still comes in");
    wire.settle();
    assert!(wire.text().ends_with("\r\n\r\nok"), "{}", wire.text());
}

#[test]
fn a_body_over_what_is_thrown_away_ends_the_connection_however_it_is_split() {
    let config = changed(|config| config.limits.discard = 2);
    for pieces in [&["5\r\nhello\r\n0\r\n\r\n"][..], &["5\r\nh", "ello\r\n0\r\n\r\n"][..]] {
        let mut wire = Wire::new(&config);
        wire.feed("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n");
        wire.connection.discard_body(NOW, ID).expect("the request is there");
        pieces.iter().for_each(|piece| drop(wire.feed(piece)));
        answer(&mut wire);
        wire.settle();
        assert!(wire.text().contains("connection: close"), "{pieces:?}: {}", wire.text());
    }
}

#[test]
fn no_upgrade_is_agreed_to_over_a_body_that_nobody_read() {
    let mut wire = Wire::new(&changed(|config| config.limits.discard = 2));
    wire.feed("POST / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: x\r\ncontent-length: 5\r\n\r\n");
    wire.connection.discard_body(NOW, ID).expect("the request is there");
    let switch = ResponseHead { status: 101, fields: [], length: ResponseLength::Unknown };
    // The five bytes that still come would be taken for the other protocol.
    assert_eq!(wire.connection.respond(NOW, ID, switch), Err(ApiMisuse::BadStatus));
}

#[test]
fn no_upgrade_is_agreed_to_before_the_body_has_been_reported() {
    let mut wire = Wire::new(&Config::default());
    let text =
        "POST / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: x\r\ncontent-length: 5\r\n\r\nhello";
    wire.connection.handle_bytes(NOW, text.as_bytes());
    assert!(matches!(wire.connection.poll_event(), Some(Event::Request { .. })));
    let switch = || ResponseHead { status: 101, fields: [], length: ResponseLength::Unknown };
    assert_eq!(wire.connection.respond(NOW, ID, switch()), Err(ApiMisuse::BadStatus));
    let data = Bytes::from_static(b"hello");
    assert_eq!(wire.settle(), [Event::Data { id: ID, data }, Event::End { id: ID, trailers: None }]);
    assert_eq!(wire.connection.respond(NOW, ID, switch()), Ok(()));
}

#[test]
fn a_send_queue_of_no_bytes_still_serves() {
    let mut wire = Wire::new(&changed(|config| config.limits.send_queue = 0));
    let events = wire.feed("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    assert!(matches!(events[..], [Event::Request { .. }]), "{events:?}");
    wire.connection.respond(NOW, ID, head(ResponseLength::Unknown)).expect("the request is there");
    wire.settle();
    assert!(wire.connection.send_capacity(ID) > 0);
}

#[test]
fn a_handler_that_is_through_hears_of_no_cancellation() {
    let mut wire = Wire::new(&Config::default());
    wire.feed("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhe");
    answer(&mut wire);
    wire.connection.discard_body(NOW, ID).expect("its body still comes in");
    wire.settle();
    wire.connection.handle_gone(NOW);
    assert!(!is_cancelled(&wire.settle()));

    let mut wire = Wire::new(&Config::default());
    wire.feed("POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 5\r\n\r\nhe");
    wire.connection.discard_body(NOW, ID).expect("the request is there");
    answer(&mut wire);
    assert!(!is_cancelled(&wire.settle()));
}

#[test]
fn a_tunnel_that_both_sides_have_finished_is_not_cancelled_while_it_is_flushed() {
    let mut wire = Wire::new(&Config::default());
    wire.feed("CONNECT a:1 HTTP/1.1\r\nhost: a:1\r\n\r\n");
    wire.eof();
    wire.connection.respond(NOW, ID, head(ResponseLength::Unknown)).expect("the request is there");
    wire.connection.finish(NOW, ID, []).expect("the tunnel is open");
    let mut events = Vec::from_iter(std::iter::from_fn(|| wire.connection.poll_event()));
    wire.connection.abort(NOW);
    events.extend(wire.settle());
    let end = Event::End { id: ID, trailers: None };
    assert_eq!(events, [end, Event::Closed(CloseReason::CutByForce)]);
}

#[test]
fn a_500_for_a_handler_that_gave_up_is_not_reset_away() {
    let mut wire = Wire::new(&Config::default());
    wire.feed("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    wire.eof();
    wire.connection.reset(NOW, ID).expect("the request is there");
    let events = wire.settle();
    assert!(wire.text().starts_with("HTTP/1.1 500 "), "{}", wire.text());
    // The transport is dropped now: a reset would throw away what the peer has not read yet.
    let [Event::Cancelled { .. }, Event::Closed(reason)] = events[..] else { panic!("{events:?}") };
    assert!(!reason.resets(), "{reason}");
}
