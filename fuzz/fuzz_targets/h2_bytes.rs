//! Any bytes behind the preface, split in any way: no panic, the same outcome however they are split, and nothing sent
//! that a client cannot read; when the server drains, time alone ends it within the bounds of its waits.
//!
//! The first byte of an input chooses the configuration and what the client does beside, the next eight are four
//! places to cut the rest at.

#![no_main]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use lameduck_core::{
    BodyLength, Config, Connection, Event, Field, HalfClose, Instant, Limits, RequestHead, ResponseHead,
    ResponseLength, Stage, StreamId, Transmit,
};
use lameduck_fuzz::h2::{Client, PREFACE, Sent, Told, frame};
use lameduck_fuzz::polled::{merged, pending};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some(([choice, places @ ..], input)) = data.split_first_chunk::<9>() else { return };
    let choice = Choice(*choice);
    let input = [choice.greeting(), input.to_vec()].concat();
    splits(choice, &input, places);
    serve(choice, &input);
});

/// When all begins.
const START: Instant = Instant::from_millis(1_000_000);

/// Every wait of a drain that is not a handler's, one after the other: handshake, field block, body, window, write,
/// linger; and the notice.
const ALL_WAITS: Duration = Duration::from_secs(1 + 5 + 10 + 10 + 10 + 2 + 1);

/// How many of these come in a row at most.
const DEADLINES: usize = 300;

#[derive(Clone, Copy)]
struct Choice(u8);

impl Choice {
    fn is(self, bit: u8) -> bool {
        self.0 & (1 << bit) != 0
    }

    /// What goes before the input; inputs that were recorded have it in them.
    fn greeting(self) -> Vec<u8> {
        match self.is(0) {
            true => frame::join([PREFACE, frame::settings(&[]).as_ref(), frame::settings_ack().as_ref()]),
            false => vec![],
        }
    }

    fn connection(self) -> Connection {
        let mut config = Config::default();
        if self.is(1) {
            config.limits = Limits {
                head: 256,
                target: 64,
                fields: 8,
                stream_window: 512,
                stream_window_most: 1024,
                connection_window: 65_535,
                header_table: 128,
                streams: 4,
                send_queue: 512,
                ..Limits::default()
            };
        }
        if self.is(2) {
            config.limits.body = Some(64);
        }
        if self.is(3) {
            config.half_close = HalfClose::Cancel;
        }
        let mut connection = Connection::http2(Arc::new(config), START);
        if self.is(4) {
            connection.drain(START, DEADLINE);
        }
        connection
    }

    fn sends_fin(self) -> bool {
        self.is(5)
    }

    fn takes_nothing_at_the_end(self) -> bool {
        self.is(6)
    }
}

/// The drain's: far behind all waits.
const DEADLINE: Instant = Instant::from_millis(2_000_000);

// However it is split.

fn splits(choice: Choice, input: &[u8], places: &[u8]) {
    let mut cuts: Vec<_> =
        places.chunks_exact(2).map(|place| usize::from(u16::from_le_bytes([place[0], place[1]]))).collect();
    cuts.iter_mut().for_each(|cut| *cut %= input.len() + 1);
    cuts.sort_unstable();
    let ends = cuts.iter().copied().chain([input.len()]);
    let starts = [0].into_iter().chain(cuts.iter().copied());
    let pieces = starts.zip(ends).map(|(start, end)| &input[start..end]);

    let connection = choice.connection();
    let whole = outcome(connection.clone(), [input]);
    assert!(whole == outcome(connection.clone(), pieces), "cut at {cuts:?}");
    assert!(whole == outcome(connection, input.chunks(1)), "byte by byte");
}

/// What there is to be told and to be sent, and what comes then. Of a connection that was given up, what was read last
/// means nothing.
fn outcome<'a>(
    mut connection: Connection,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Event>, Vec<u8>, Option<Instant>, Option<Connection>) {
    pieces.into_iter().for_each(|piece| connection.handle_bytes(START, piece));
    let events = merged(&mut connection);
    let output = pending(&connection, START);
    let mut client = Client::default();
    client.hear(&output);
    let due = connection.poll_timeout();
    (events, output, due, Some(connection).filter(|_| client.failure.is_none()))
}

// Served.

fn serve(choice: Choice, input: &[u8]) {
    let mut server = Server::new(choice.connection());
    let mut rest = input;
    while !rest.is_empty() && server.connection.status().stage != Stage::Closed {
        let (frame, behind) = rest.split_at(server.client.first(rest));
        server.client.say(frame);
        server.connection.handle_bytes(START, frame);
        server.settle();
        rest = behind;
    }
    if choice.sends_fin() {
        server.connection.handle_eof(START);
        server.settle();
    }
    server.end(choice);
}

struct Server {
    connection: Connection,
    now: Instant,
    client: Client,
    told: Told,
    takes: bool,
    fin: bool,
}

impl Server {
    fn new(connection: Connection) -> Self {
        let (client, told) = (Client::default(), Told::default());
        Self { connection, now: START, client, told, takes: true, fin: false }
    }

    fn settle(&mut self) {
        loop {
            let sent = self.transmit();
            match self.connection.poll_event() {
                Some(event) => self.take(event),
                None if !sent => return,
                None => {}
            }
        }
    }

    /// Whether anything was sent.
    fn transmit(&mut self) -> bool {
        match self.connection.poll_transmit(self.now) {
            None => false,
            Some(Transmit::Bytes(_)) if !self.takes => false,
            Some(Transmit::Fin) => {
                assert!(!std::mem::replace(&mut self.fin, true), "a second FIN");
                assert!(self.client.has_heard_all(), "a FIN in the middle of a frame");
                true
            }
            Some(Transmit::Bytes(pieces)) => {
                let bytes = pieces.collect::<Vec<_>>().concat();
                assert!(!bytes.is_empty() && !self.fin);
                self.connection.transmitted(self.now, bytes.len());
                self.client.hear(&bytes).iter().for_each(|sent| self.hear(sent));
                true
            }
        }
    }

    /// What it is sent, it takes at once: nothing can be on its way for a stream that it has reset.
    fn hear(&self, sent: &Sent) {
        if let Sent::Headers { stream, .. } | Sent::Data { stream, .. } = sent {
            assert!(!self.client.reset.contains(stream), "an answer on a stream that was reset: {sent:?}");
        }
    }

    fn take(&mut self, event: Event) {
        self.told.note(&event);
        match event {
            Event::Request { id, head, body } => {
                let cutoff = self.client.cutoff.map_or(u64::MAX, u64::from);
                assert!(id.0 <= cutoff, "told behind the cutoff");
                self.answer(id, &head, body);
                self.told.requests.entry(id.0).and_modify(|request| request.is_answered = true);
            }
            Event::Data { id, data } => {
                let _ = self.connection.release(self.now, id, data.len());
                // Where it is an echo.
                let _ = self.connection.send_body(self.now, id, data);
            }
            Event::End { id, .. } => {
                let _ = self.connection.finish(self.now, id, []);
            }
            _ => {}
        }
    }

    /// Answers of every kind; which one, the target's length says.
    fn answer(&mut self, id: StreamId, head: &RequestHead, body: BodyLength) {
        let now = self.now;
        let field = Field { name: "a", value: b"b" };
        let whole = |status| ResponseHead { status, fields: [field], length: ResponseLength::Known(0) };
        let open = ResponseHead { status: 200, fields: [field], length: ResponseLength::Unknown };
        let connection = &mut self.connection;
        connection.read_body(now, id).expect("it has just been told");
        match head.target().len() % 7 {
            _ if head.method() == "CONNECT" => {
                connection.respond(now, id, whole(405)).expect("a status");
                connection.finish(now, id, []).expect("no body");
                let _ = connection.discard_body(now, id);
            }
            // An echo.
            1 => {
                connection.respond(now, id, open).expect("a head");
                if body == BodyLength::Empty {
                    connection.finish(now, id, []).expect("it was begun");
                }
            }
            2 => {
                connection.respond(now, id, open).expect("a head");
                connection.send_body(now, id, Bytes::from_static(b"hello")).expect("it was begun");
                connection.finish(now, id, [field]).expect("it was begun");
            }
            3 => {
                let length = ResponseLength::Known(70_000);
                let head = ResponseHead { status: 200, fields: [field], length };
                connection.respond(now, id, head).expect("a head");
                connection.send_body(now, id, vec![b'x'; 70_000].into()).expect("it was begun");
                connection.finish(now, id, []).expect("it is whole");
            }
            4 => {
                connection.inform(now, id, 103, [field]).expect("a head");
                connection.respond(now, id, whole(404)).expect("a head");
                connection.finish(now, id, []).expect("it is whole");
            }
            5 => connection.reset(now, id).expect("it has just been told"),
            6 => {
                connection.discard_body(now, id).expect("it has just been told");
                connection.respond(now, id, whole(204)).expect("a head");
                connection.finish(now, id, []).expect("it is whole");
            }
            _ => {
                connection.respond(now, id, whole(200)).expect("a head");
                connection.finish(now, id, []).expect("it is whole");
            }
        }
    }

    /// The server drains, and nothing comes any more.
    fn end(mut self, choice: Choice) {
        self.takes = !choice.takes_nothing_at_the_end();
        self.connection.drain(self.now, DEADLINE);
        for _ in 0..DEADLINES {
            self.settle();
            let Some(due) = self.connection.poll_timeout() else { break };
            self.now = self.now.max(due);
            self.connection.handle_timeout(self.now);
            assert!(
                self.connection.poll_timeout().is_none_or(|next| next > self.now),
                "a deadline that stays"
            );
        }
        assert!(self.told.closed.is_some(), "it goes on: {:?}", self.connection.status());
        assert!(self.now <= START + ALL_WAITS, "it went on for {:?}", self.now - START);
        assert!(!self.takes || self.client.has_heard_all(), "an end in the middle of a frame");
    }
}
