//! An HTTP/2 connection in memory, with a client at its other end and a clock.
//!
//! Each step answers with all that came of it, in words: what the handlers were told first, then what the
//! client was sent. A short input is also given to a copy byte by byte, and must lead to the same.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use lameduck_core::{
    BodyLength, CancelReason, CloseReason, Config, Connection, ErrorCode, Event, Fault, Field, Instant,
    PeerError, ResponseHead, ResponseLength, StreamId, Transmit,
};

use super::frame::{self, Frame};
use super::reader::{Reader, Sent};
use super::reply::{Reply, reply};
use super::requests::Requests;
use super::{PREFACE, setting};

/// The longest input that is also given byte by byte.
const BY_BYTES: usize = 1024;

/// The longest piece of a body that is told in full.
const IN_FULL: usize = 32;

/// Whether the client takes what it is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Taking {
    /// All of it, at once.
    All,
    /// So many bytes.
    Bytes(usize),
    /// Nothing.
    Nothing,
}

/// A connection, its client and the clock.
#[derive(Debug)]
pub struct Wire {
    /// The connection.
    pub connection: Connection,
    /// What makes the client's field blocks.
    pub requests: Requests,
    /// Whether the client takes what it is sent.
    pub taking: Taking,
    now: Instant,
    reader: Reader,
    sent: Vec<Sent>,
    events: Vec<Event>,
    fin: bool,
}

impl Wire {
    /// A connection that has just been accepted.
    pub fn new(config: &Config) -> Self {
        Self::over(Connection::new(Arc::new(config.clone()), Instant::ORIGIN))
    }

    /// A client on this connection.
    pub fn over(connection: Connection) -> Self {
        Self {
            connection,
            requests: Requests::new(),
            taking: Taking::All,
            now: Instant::ORIGIN,
            reader: Reader::new(),
            sent: Vec::new(),
            events: Vec::new(),
            fin: false,
        }
    }

    /// One whose handshake is over, with the defaults.
    pub fn greeted() -> Self {
        Self::greeted_with(&Config::default(), &[])
    }

    /// One whose handshake is over, the client's settings being these.
    pub fn greeted_with(config: &Config, settings: &[(u16, u32)]) -> Self {
        let mut wire = Self::new(config);
        wire.reader.apply(settings);
        let grant = match config.limits.connection_window.saturating_sub(65_535) {
            0 => String::new(),
            more => format!("WINDOW_UPDATE 0 +{more}; "),
        };
        let hello = frame::join([PREFACE, frame::settings(settings).as_ref()]);
        assert_eq!(wire.feed(hello), format!("SETTINGS; {grant}SETTINGS ack"));
        assert_eq!(wire.feed(frame::settings_ack()), "");
        wire
    }

    /// One whose client lets every stream have so much.
    pub fn windowed(window: u32) -> Self {
        Self::greeted_with(&Config::default(), &[(setting::INITIAL_WINDOW_SIZE, window)])
    }

    // The client.

    /// Sends bytes; what came of it.
    ///
    /// # Panics
    /// Where other things come of it when they come one by one, or in a block that may be kept.
    #[track_caller]
    pub fn feed(&mut self, bytes: impl AsRef<[u8]>) -> String {
        let bytes = bytes.as_ref();
        let mut shared = self.connection.clone();
        let split = (bytes.len() <= BY_BYTES).then(|| self.connection.clone());
        self.connection.handle_bytes(self.now, bytes);
        shared.handle_block(self.now, &Bytes::copy_from_slice(bytes));
        assert_eq!(self.connection, shared, "copied and shared differ");
        if let Some(mut split) = split {
            bytes.chunks(1).for_each(|byte| split.handle_bytes(self.now, byte));
            let (whole, split) = (unpoll(self.connection.clone(), self.now), unpoll(split, self.now));
            assert_eq!(whole, split, "whole and byte by byte differ");
        }
        self.settle()
    }

    /// Sends frames in one go; what came of it.
    #[track_caller]
    pub fn feed_all<T: AsRef<[u8]>>(&mut self, frames: impl IntoIterator<Item = T>) -> String {
        self.feed(frame::join(frames))
    }

    /// Sends a whole GET; what came of it.
    #[track_caller]
    pub fn get(&mut self, stream: u32, path: &str) -> String {
        let request = self.requests.get(stream, path);
        self.feed(request)
    }

    /// Sends the head of a POST; what came of it.
    #[track_caller]
    pub fn post(&mut self, stream: u32, path: &str) -> String {
        let request = self.requests.post(stream, path);
        self.feed(request)
    }

    /// Sends a request of these fields, whole; what came of it.
    #[track_caller]
    pub fn request(&mut self, stream: u32, fields: &[(&str, &str)]) -> String {
        let request = self.requests.headers(stream, fields).end_stream();
        self.feed(request)
    }

    /// Sends SETTINGS and keeps to them; what came of it.
    #[track_caller]
    pub fn set(&mut self, settings: &[(u16, u32)]) -> String {
        self.reader.apply(settings);
        self.feed(frame::settings(settings))
    }

    /// Lets the server send so much more: on a stream, or on the connection where that is zero.
    #[track_caller]
    pub fn grant(&mut self, stream: u32, increment: u32) -> String {
        self.reader.grant(stream, increment);
        self.feed(frame::window_update(stream, increment))
    }

    /// Sends the client's FIN; what came of it.
    #[track_caller]
    pub fn eof(&mut self) -> String {
        self.connection.handle_eof(self.now);
        self.settle()
    }

    // The clock and the operator.

    /// The time.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Lets time pass, from one deadline to the next; what came of it.
    ///
    /// # Panics
    /// Where a deadline does not move on when it has come.
    #[track_caller]
    pub fn wait(&mut self, span: Duration) -> String {
        let until = self.now + span;
        let (events, sent, fin) = (self.events.len(), self.sent.len(), self.fin);
        while let Some(due) = self.connection.poll_timeout().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.connection.handle_timeout(self.now);
            self.settle();
            assert!(self.connection.poll_timeout().is_none_or(|next| next > due), "a deadline that stays");
        }
        self.now = until;
        self.connection.handle_timeout(until);
        self.settle();
        self.tell_from(events, sent, fin)
    }

    /// [`wait`](Self::wait), in milliseconds.
    #[track_caller]
    pub fn wait_millis(&mut self, millis: u64) -> String {
        self.wait(Duration::from_millis(millis))
    }

    /// The peer says that it has read all there is; what came of it.
    #[track_caller]
    pub fn receipt(&mut self) -> String {
        self.feed(frame::ping_ack(*b"all read"))
    }

    /// Drains, with so much time; what came of it.
    #[track_caller]
    pub fn drain(&mut self, grace: Duration) -> String {
        self.connection.drain(self.now, self.now + grace);
        self.settle()
    }

    // The handlers.

    /// Answers with 200 and this body; what came of it.
    #[track_caller]
    pub fn answer(&mut self, stream: u32, body: impl Into<Bytes>) -> String {
        let body = body.into();
        self.begin(stream, ResponseLength::Known(body.len() as u64));
        self.connection.send_body(self.now, id(stream), body).expect("the head declared it");
        self.connection.finish(self.now, id(stream), []).expect("the body is whole");
        self.settle()
    }

    /// Answers with 200 and a body of this length, without taking or telling anything.
    #[track_caller]
    pub fn begin(&mut self, stream: u32, length: ResponseLength) {
        let head = ResponseHead { status: 200, fields: [], length };
        self.connection.respond(self.now, id(stream), head).expect("the request waits for its answer");
    }

    /// Answers with this head; what came of it.
    #[track_caller]
    pub fn respond(&mut self, stream: u32, status: u16, fields: &[(&str, &str)]) -> String {
        let fields = fields.iter().map(|(name, value)| Field { name, value: value.as_bytes() });
        let head = ResponseHead { status, fields, length: ResponseLength::Unknown };
        self.connection.respond(self.now, id(stream), head).expect("the request waits for its answer");
        self.settle()
    }

    /// Sends a piece of a body; what came of it.
    #[track_caller]
    pub fn send(&mut self, stream: u32, piece: impl Into<Bytes>) -> String {
        self.connection.send_body(self.now, id(stream), piece.into()).expect("the response is open");
        self.settle()
    }

    /// Ends a response with these trailers; what came of it.
    #[track_caller]
    pub fn finish(&mut self, stream: u32, trailers: &[(&str, &str)]) -> String {
        let trailers = trailers.iter().map(|(name, value)| Field { name, value: value.as_bytes() });
        self.connection.finish(self.now, id(stream), trailers).expect("the response is open");
        self.settle()
    }

    /// Says that so much of a request's body has been consumed; what came of it.
    #[track_caller]
    pub fn release(&mut self, stream: u32, count: usize) -> String {
        self.connection.release(self.now, id(stream), count).expect("the request is known");
        self.settle()
    }

    // What came of it.

    /// Takes all that the connection has to say; that, in words.
    #[track_caller]
    pub fn settle(&mut self) -> String {
        let (events, sent, fin) = (self.events.len(), self.sent.len(), self.fin);
        loop {
            let before = self.events.len();
            let sends = self.transmit();
            while let Some(event) = self.connection.poll_event() {
                self.events.push(event);
            }
            if !sends && self.events.len() == before {
                return self.tell_from(events, sent, fin);
            }
        }
    }

    /// Whether anything was sent.
    #[track_caller]
    fn transmit(&mut self) -> bool {
        let most = match self.taking {
            Taking::Nothing | Taking::Bytes(0) => return false,
            Taking::Bytes(most) => most,
            Taking::All => usize::MAX,
        };
        let count = match self.connection.poll_transmit(self.now) {
            None => return false,
            Some(Transmit::Fin) => {
                assert!(!std::mem::replace(&mut self.fin, true), "a second FIN");
                return true;
            }
            Some(Transmit::Bytes(pieces)) => pieces.fold(0, |count, piece| {
                let taken = &piece[..piece.len().min(most - count)];
                self.reader.feed(taken);
                count + taken.len()
            }),
        };
        if let Taking::Bytes(left) = &mut self.taking {
            *left -= count;
        }
        assert!(count > 0 && !self.fin, "{count} bytes to send, FIN {}", self.fin);
        self.connection.transmitted(self.now, count);
        let read = || self.reader.read().unwrap_or_else(|malformed| panic!("{malformed}: {:?}", self.sent));
        self.sent.extend(std::iter::from_fn(read).collect::<Vec<_>>());
        true
    }

    fn tell_from(&self, events: usize, sent: usize, fin: bool) -> String {
        let mut told = tell_events(&self.events[events..]);
        told.extend(self.sent[sent..].iter().map(tell_sent));
        told.extend((self.fin != fin).then(|| "FIN".to_owned()));
        told.join("; ")
    }

    /// All that the client was sent.
    pub fn sent(&self) -> &[Sent] {
        &self.sent
    }

    /// All that the handlers were told.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// Whether the server's FIN has been sent.
    pub fn fin(&self) -> bool {
        self.fin
    }

    /// What there is of the response on a stream.
    pub fn reply(&self, stream: u32) -> Reply {
        reply(&self.sent, stream)
    }

    /// The requests that the handlers were told of.
    pub fn served(&self) -> Vec<u32> {
        let number = |id: &StreamId| u32::try_from(id.0).expect("31 bits");
        let request = |event: &Event| match event {
            Event::Request { id, .. } => Some(number(id)),
            _ => None,
        };
        self.events.iter().filter_map(request).collect()
    }

    /// The end, where it has come.
    pub fn closed(&self) -> Option<CloseReason> {
        self.events.iter().find_map(|event| match event {
            Event::Closed(reason) => Some(*reason),
            _ => None,
        })
    }

    /// The codes with which this stream was reset.
    pub fn resets(&self, stream: u32) -> Vec<u32> {
        let reset = |sent: &Sent| match sent {
            Sent::RstStream { stream: of, code } if *of == stream => Some(*code),
            _ => None,
        };
        self.sent.iter().filter_map(reset).collect()
    }

    /// The last GOAWAY: its last stream and its code.
    pub fn goaway(&self) -> Option<(u32, u32)> {
        self.sent.iter().rev().find_map(|sent| match sent {
            Sent::GoAway { last, code, .. } => Some((*last, *code)),
            _ => None,
        })
    }

    /// Checks that the connection has failed for this fault, and has said so: the GOAWAY and our FIN came
    /// last.
    ///
    /// # Panics
    /// Where it has not.
    #[track_caller]
    pub fn assert_failed(&mut self, fault: Fault) {
        let Some(Sent::GoAway { code, debug, .. }) = self.sent.last() else {
            panic!("no GOAWAY came last: {:?}", self.sent.iter().map(tell_sent).collect::<Vec<_>>());
        };
        let debug = String::from_utf8_lossy(debug);
        assert_eq!((ErrorCode(*code), &*debug), (fault.code(), fault.as_str()));
        assert!(self.fin, "our FIN follows");
        let end = CloseReason::Refused(PeerError::Http2(fault));
        assert_eq!(self.eof(), format!("closed: {}", tell_end(end)));
    }
}

fn id(stream: u32) -> StreamId {
    StreamId(u64::from(stream))
}

/// All that a connection has to say.
fn unpoll(mut connection: Connection, now: Instant) -> (Vec<String>, Vec<u8>) {
    let mut events = Vec::new();
    let mut bytes = Vec::new();
    loop {
        let before = (events.len(), bytes.len());
        events.extend(std::iter::from_fn(|| connection.poll_event()));
        let count = match connection.poll_transmit(now) {
            Some(Transmit::Bytes(pieces)) => pieces.fold(0, |count, piece| {
                bytes.extend_from_slice(piece);
                count + piece.len()
            }),
            Some(Transmit::Fin) | None => 0,
        };
        connection.transmitted(now, count);
        if before == (events.len(), bytes.len()) {
            return (tell_events(&events), bytes);
        }
    }
}

/// Events in words; pieces of one body that follow each other are one.
fn tell_events(events: &[Event]) -> Vec<String> {
    let mut told = Vec::new();
    let mut rest = events;
    while let [event, behind @ ..] = rest {
        rest = behind;
        match event {
            Event::Data { id, data } => {
                let mut whole = data.to_vec();
                while let [Event::Data { id: of, data }, behind @ ..] = rest
                    && of == id
                {
                    whole.extend_from_slice(data);
                    rest = behind;
                }
                told.push(format!("data {} {}", id.0, tell_body(&whole)));
            }
            event => told.push(tell_event(event)),
        }
    }
    told
}

fn tell_event(event: &Event) -> String {
    match event {
        Event::Request { id, head, body } => {
            let length = match body {
                BodyLength::Empty => String::new(),
                BodyLength::Known(length) => format!(" ({length})"),
                BodyLength::Unknown => " (?)".to_owned(),
            };
            format!("request {} {} {}{length}", id.0, head.method(), head.target())
        }
        Event::Data { id, data } => format!("data {} {}", id.0, tell_body(data)),
        Event::End { id, trailers } => {
            let trailers = trailers.iter().flat_map(lameduck_core::Trailers::fields);
            let trailers = trailers.map(|field| (field.name.to_owned(), field.value.to_vec()));
            format!("end {}{}", id.0, tell_fields(&trailers.collect::<Vec<_>>()))
        }
        Event::Cancelled { id, reason } => format!("cancelled {}: {}", id.0, tell_reason(*reason)),
        Event::Refused { id } => format!("refused {}", id.0),
        Event::Closed(reason) => format!("closed: {}", tell_end(*reason)),
    }
}

fn tell_reason(reason: CancelReason) -> String {
    match reason {
        CancelReason::Reset(code) => format!("reset {code}"),
        CancelReason::Refused(PeerError::Http2(fault)) => format!("{fault:?}"),
        CancelReason::Closed(reason) => tell_end(reason),
        reason => format!("{reason:?}"),
    }
}

fn tell_end(reason: CloseReason) -> String {
    match reason {
        CloseReason::Refused(PeerError::Http2(fault)) => format!("{fault:?}"),
        reason => format!("{reason:?}"),
    }
}

fn tell_sent(sent: &Sent) -> String {
    let end = |end: &bool| if *end { " end" } else { "" };
    match sent {
        Sent::Headers { stream, fields, end: last } => {
            let (status, fields) = match fields.split_first() {
                Some(((name, value), rest)) if name == ":status" => (value.escape_ascii().to_string(), rest),
                _ => ("trailers".to_owned(), &fields[..]),
            };
            format!("HEADERS {stream} {status}{}{}", tell_fields(fields), end(last))
        }
        Sent::Data { stream, data, end: last } => format!("DATA {stream} {}{}", tell_body(data), end(last)),
        Sent::Settings(_) => "SETTINGS".to_owned(),
        Sent::SettingsAck => "SETTINGS ack".to_owned(),
        Sent::Ping(data) => format!("PING {}", data.escape_ascii()),
        Sent::PingAck(data) => format!("PING ack {}", data.escape_ascii()),
        Sent::GoAway { last: 0x7fff_ffff, code, .. } => format!("GOAWAY all {}", ErrorCode(*code)),
        Sent::GoAway { last, code, .. } => format!("GOAWAY {last} {}", ErrorCode(*code)),
        Sent::RstStream { stream, code } => format!("RST_STREAM {stream} {}", ErrorCode(*code)),
        Sent::WindowUpdate { stream, increment } => format!("WINDOW_UPDATE {stream} +{increment}"),
    }
}

fn tell_fields(fields: &[(String, Vec<u8>)]) -> String {
    let mut told = String::new();
    for (name, value) in fields {
        let _ = write!(told, " {name}={}", value.escape_ascii());
    }
    told
}

fn tell_body(body: &[u8]) -> String {
    match body.len() {
        ..=IN_FULL => format!("\"{}\"", body.escape_ascii()),
        length => format!("of {length}"),
    }
}

/// These frames, each as [`Frame`] makes it, are what a client sends for a whole GET.
pub fn gets(requests: &mut Requests, streams: impl IntoIterator<Item = u32>) -> Vec<Frame> {
    streams.into_iter().map(|stream| requests.get(stream, "/")).collect()
}
