//! What the exploration and the properties of HTTP/2 have found, each in its shortest form.

use std::sync::Arc;
use std::time::Duration;

use lameduck_core::{
    CloseReason, Config, Connection, Date, Event, Instant, ResponseHead, ResponseLength, StreamId, Transmit,
};
use lameduck_tests::h2::{Frame, PREFACE, Reader, Requests, Sent, code, frame, setting};

const NOW: Instant = Instant::ORIGIN;

/// A connection that has shaken hands, and a client that reads strictly.
struct Wire {
    connection: Connection,
    requests: Requests,
    reader: Reader,
    events: Vec<Event>,
}

impl Wire {
    fn new() -> Self {
        let mut wire = Self {
            connection: Connection::http2(Arc::new(config()), NOW),
            requests: Requests::new(),
            reader: Reader::new(),
            events: Vec::new(),
        };
        wire.feed(frame::join([PREFACE, frame::settings(&[]).as_ref(), frame::settings_ack().as_ref()]));
        wire
    }

    /// Hands bytes over; all that is then sent, and taken.
    fn feed(&mut self, bytes: impl AsRef<[u8]>) -> Vec<Sent> {
        self.connection.handle_bytes(NOW, bytes.as_ref());
        self.settle(NOW)
    }

    fn settle(&mut self, now: Instant) -> Vec<Sent> {
        let mut all = Vec::new();
        loop {
            let before = (self.events.len(), all.len());
            if let Some(Transmit::Bytes(pieces)) = self.connection.poll_transmit(now) {
                let bytes: Vec<u8> = pieces.flatten().copied().collect();
                self.connection.transmitted(now, bytes.len());
                self.reader.feed(&bytes);
            }
            while let Some(sent) = self.reader.read().expect("it is well formed") {
                all.push(sent);
            }
            self.events.extend(std::iter::from_fn(|| self.connection.poll_event()));
            if before == (self.events.len(), all.len()) {
                return all;
            }
        }
    }

    fn get(&mut self, stream: u32) -> Frame {
        self.requests.get(stream, "/")
    }
}

/// With windows of which a few frames are half.
fn config() -> Config {
    let mut config = Config::default();
    config.limits.connection_window = 65_535;
    config.limits.stream_window = 65_535;
    config
}

fn later(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

#[test]
fn a_request_behind_the_ack_of_the_notice_is_refused_however_it_is_split() {
    for size in [1, 1000] {
        let mut wire = Wire::new();
        let requests = frame::join([wire.get(1), frame::ping_ack(*b"lameduck"), wire.get(3)]);
        wire.connection.drain(NOW, later(10_000));
        wire.settle(NOW);
        let sent: Vec<Sent> = requests.chunks(size).flat_map(|piece| wire.feed(piece)).collect();
        let refused = Sent::RstStream { stream: 3, code: code::REFUSED_STREAM };
        assert!(sent.contains(&refused), "{size} at a time: {sent:?}");
        assert!(wire.events.contains(&Event::Refused { id: StreamId(3) }), "{size} at a time");
    }
}

#[test]
fn patience_is_the_same_however_a_body_is_split() {
    let [whole, split] = [100, 1].map(|size| {
        let mut wire = Wire::new();
        let post = wire.requests.post(1, "/");
        wire.feed(post);
        for _ in 0..9 {
            wire.feed(frame::ping(*b"and you?"));
        }
        frame::data(1, "hello").as_ref().chunks(size).for_each(|piece| drop(wire.feed(piece)));
        wire.connection
    });
    assert!(whole == split, "{whole:?}\n{split:?}");
}

#[test]
fn a_client_that_has_only_stopped_sending_gets_its_answer() {
    for half in [&b""[..], b"\0\0\x03\x01\x01\0\0\0\x03\x82\x86\x84"] {
        let mut wire = Wire::new();
        // Neither the ack of these settings nor the rest of that field block can come behind the FIN.
        wire.connection = Connection::http2(Arc::default(), NOW);
        wire.reader = Reader::new();
        let request = wire.get(1);
        wire.feed(frame::join([PREFACE, frame::settings(&[]).as_ref(), request.as_ref(), half]));
        wire.connection.handle_eof(NOW);
        wire.settle(NOW);
        let now = later(60_000);
        wire.connection.handle_timeout(now);
        let head = ResponseHead { status: 204, fields: [], length: ResponseLength::Unknown };
        wire.connection.respond(now, StreamId(1), head).expect("the request is still there");
        wire.connection.finish(now, StreamId(1), []).expect("the response has no body");
        assert!(matches!(&*wire.settle(now), [Sent::Headers { stream: 1, end: true, .. }]));
    }
}

#[test]
fn a_body_that_nobody_reads_is_granted_again_the_same_however_it_is_split() {
    let piece = frame::data(1, vec![b'-'; 16_000]);
    let [whole, split] = [100_000, 999].map(|size| {
        let mut wire = Wire::new();
        let post = wire.requests.post(1, "/");
        wire.feed(post);
        wire.connection.discard_body(NOW, StreamId(1)).expect("the request is there");
        let sent = |_| piece.as_ref().chunks(size).flat_map(|piece| wire.feed(piece)).collect::<Vec<_>>();
        (0..4).flat_map(sent).collect::<Vec<_>>()
    });
    assert_eq!(whole, split);
}

#[test]
fn what_was_on_its_way_to_a_stream_that_is_reset_is_ignored() {
    let mut wire = Wire::new();
    let post = wire.requests.post(1, "/");
    wire.feed(post);
    wire.connection.discard_body(NOW, StreamId(1)).expect("the request is there");
    let head = ResponseHead { status: 204, fields: [], length: ResponseLength::Unknown };
    wire.connection.respond(NOW, StreamId(1), head).expect("the request is there");
    wire.connection.finish(NOW, StreamId(1), []).expect("the response has no body");
    wire.settle(NOW);
    let later = NOW + Duration::from_secs(1);
    wire.connection.handle_timeout(later);
    let stop = Sent::RstStream { stream: 1, code: code::NO_ERROR };
    assert_eq!(wire.settle(later).last(), Some(&stop));
    for _ in 0..3 {
        assert_eq!(wire.feed(frame::data(1, "on its way")), []);
    }
}

#[test]
fn a_client_that_has_stopped_sending_with_its_window_shut_does_not_stay_for_ever() {
    let mut wire = Wire::new();
    let request = wire.get(1);
    wire.feed(frame::join([frame::settings(&[(setting::INITIAL_WINDOW_SIZE, 0)]), request]));
    let head = ResponseHead { status: 200, fields: [], length: ResponseLength::Known(2) };
    wire.connection.respond(NOW, StreamId(1), head).expect("the request is there");
    wire.connection.send_body(NOW, StreamId(1), "ok".into()).expect("the head declared it");
    wire.connection.handle_eof(NOW);
    wire.settle(NOW);
    assert_eq!(wire.connection.poll_timeout(), Some(later(30_000)));
    wire.connection.handle_timeout(later(30_000));
    wire.settle(later(30_000));
    assert_eq!(wire.events.last(), Some(&Event::Closed(CloseReason::PeerClosed)));
}

#[test]
fn the_date_that_was_set_before_the_first_byte_is_that_of_the_first_response() {
    let mut wire = Wire::new();
    wire.connection = Connection::new(Arc::default(), NOW);
    wire.reader = Reader::new();
    let text = b"Sun, 06 Nov 1994 08:49:37 GMT";
    wire.connection.set_date(Date::new(*text).expect("it is visible"));
    let request = wire.get(1);
    wire.feed(frame::join([PREFACE, frame::settings(&[]).as_ref(), request.as_ref()]));
    let head = ResponseHead { status: 204, fields: [], length: ResponseLength::Unknown };
    wire.connection.respond(NOW, StreamId(1), head).expect("the request is there");
    let sent = wire.settle(NOW);
    let [Sent::Headers { fields, .. }] = &sent[..] else { panic!("a response: {sent:?}") };
    assert!(fields.contains(&("date".to_owned(), text.to_vec())), "{fields:?}");
}

#[test]
fn an_end_that_leaves_the_reset_of_a_stream_unsent_is_a_cut() {
    type End = (fn(&mut Connection), CloseReason);
    let ends: [End; 2] = [
        (|connection| connection.abort(NOW), CloseReason::CutByForce),
        (|connection| connection.handle_gone(NOW), CloseReason::PeerLeft),
    ];
    for (end, reason) in ends {
        let mut wire = Wire::new();
        let request = wire.get(1);
        wire.feed(request);
        let head = ResponseHead { status: 200, fields: [], length: ResponseLength::Unknown };
        wire.connection.respond(NOW, StreamId(1), head).expect("the request is there");
        wire.settle(NOW);
        wire.connection.reset(NOW, StreamId(1)).expect("the response is not over");
        end(&mut wire.connection);
        wire.settle(NOW);
        assert_eq!(wire.events.last(), Some(&Event::Closed(reason)));
    }
}

#[test]
fn a_response_that_was_taken_before_its_stream_is_over_has_its_receipt() {
    type Rest = fn(&mut Wire, Frame) -> Vec<Sent>;
    let body = frame::data(1, "late").end_stream();
    let rests: [(u16, Rest); 2] = [
        // The request goes on behind it,
        (200, |wire, body| {
            wire.connection.send_body(NOW, StreamId(1), "ok".into()).expect("it has a body");
            wire.connection.finish(NOW, StreamId(1), []).expect("it is whole");
            wire.settle(NOW);
            wire.feed(body)
        }),
        // or its handler has not said that it is whole with its head.
        (204, |wire, body| {
            wire.feed(body);
            wire.connection.finish(NOW, StreamId(1), []).expect("it has no body");
            wire.settle(NOW)
        }),
    ];
    for (status, rest) in rests {
        let mut wire = Wire::new();
        let post = wire.requests.post(1, "/");
        wire.feed(post);
        wire.connection.drain(NOW, later(10_000));
        wire.settle(NOW);
        wire.feed(frame::ping_ack(*b"lameduck"));
        let head = ResponseHead { status, fields: [], length: ResponseLength::Unknown };
        wire.connection.respond(NOW, StreamId(1), head).expect("the request is there");
        wire.settle(NOW);
        let sent = rest(&mut wire, body.clone());
        assert!(sent.contains(&Sent::Ping(*b"all read")), "{status}: {sent:?}");
    }
}
