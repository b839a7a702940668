//! One transport connection, whatever protocol it speaks.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::time::Duration;

use bytes::Bytes;

use crate::config::Config;
use crate::error::ApiMisuse;
use crate::event::{Event, StreamId, Transmit};
use crate::h1::Http1;
use crate::h1::recall::Recall;
use crate::h2::{Http2, PREFACE};
use crate::head::{Date, Field, ResponseHead};
use crate::input::Input;
use crate::lifecycle::{http1, http2};
use crate::time::Instant;
use crate::timer::{Drain, Due, Reason};

/// The server's side of one transport connection, as a state machine without I/O.
///
/// It has four kinds of method:
///
/// * **A. Getters**, which change nothing: [`wants_read`](Self::wants_read),
///   [`send_capacity`](Self::send_capacity), [`status`](Self::status) ...
/// * **B. `handle_*`**, for what came from the network or the clock: [`handle_bytes`](Self::handle_bytes),
///   [`handle_bytes_recalling`](Self::handle_bytes_recalling), [`handle_block`](Self::handle_block),
///   [`handle_eof`](Self::handle_eof), [`handle_gone`](Self::handle_gone), [`handle_timeout`](Self::handle_timeout).
/// * **C. Commands** of the application and the operator: [`respond`](Self::respond),
///   [`send_body`](Self::send_body), [`finish`](Self::finish), [`reset`](Self::reset),
///   [`read_body`](Self::read_body), [`release`](Self::release), [`drain`](Self::drain),
///   [`abort`](Self::abort) ...
/// * **D. `poll_*`**, for what the caller is to do: [`poll_event`](Self::poll_event),
///   [`poll_transmit`](Self::poll_transmit), [`poll_timeout`](Self::poll_timeout). After any call of B or C,
///   poll events and transmits in turn until neither has anything more: each may lead to the other.
///
/// Any order of calls is legal: a call that makes no sense changes nothing, and says so with an
/// [`ApiMisuse`] where there is something to say. No call panics. Each does a bounded amount of work: about
/// as much as it is given bytes. Equal inputs lead to equal outputs, byte for byte. Time that goes backwards
/// counts as standing still.
///
/// Two connections are equal where they will behave alike; their configuration is left out of that.
#[derive(Clone)]
pub struct Connection {
    config: Arc<Config>,
    now: Instant,
    protocol: Protocol,
}

/// What the peer speaks: HTTP/1, until its first bytes say otherwise.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[expect(clippy::large_enum_variant, reason = "the larger one is the one that every connection starts with")]
enum Protocol {
    Http1(Http1),
    Http2(Box<Http2>),
}

/// So much of the HTTP/2 preface tells it from every request of HTTP/1: no client has a use for the method `PRI` (RFC
/// 9113 section 11.6).
const TELLING: usize = 4;

/// Calls the same on either protocol.
macro_rules! either {
    ($protocol:expr, $it:ident => $call:expr) => {
        match $protocol {
            Protocol::Http1($it) => $call,
            Protocol::Http2($it) => $call,
        }
    };
}

impl Connection {
    /// A connection that has just been accepted. It speaks HTTP/1 or, where its first bytes are the preface of that,
    /// HTTP/2 (RFC 9113 section 3.3).
    pub fn new(config: Arc<Config>, now: Instant) -> Self {
        Self { config, now, protocol: Protocol::Http1(Http1::new(now)) }
    }

    /// A connection that speaks HTTP/2, as has been agreed to by other means: by ALPN, say (RFC 9113 section 3.2).
    pub fn http2(config: Arc<Config>, now: Instant) -> Self {
        let protocol = Protocol::Http2(Box::new(Http2::new(now, &config)));
        Self { config, now, protocol }
    }

    // A. Getters.

    /// Whether bytes are wanted. While they are not, leave them in the transport: that is backpressure.
    ///
    /// Bytes that are handed over all the same are kept, without a bound.
    pub fn wants_read(&self) -> bool {
        either!(&self.protocol, it => it.wants_read(&self.config))
    }

    /// How many bytes of a response's body may be given now. More are taken, and wait.
    pub fn send_capacity(&self, id: StreamId) -> usize {
        either!(&self.protocol, it => it.send_capacity(&self.config, id))
    }

    /// Whether a response's body is sent at all. One to HEAD, or with 204 or 304, has none: what is given for it
    /// is left out, and it can be finished at once.
    pub fn takes_body(&self, id: StreamId) -> bool {
        either!(&self.protocol, it => it.takes_body(id))
    }

    /// Whether a request has become a tunnel: what is sent and received for it is not HTTP any more.
    pub fn is_tunnel(&self, id: StreamId) -> bool {
        match &self.protocol {
            Protocol::Http1(http1) => {
                http1.active() == Some(id) && matches!(http1.phase(), http1::Phase::Tunnel { .. })
            }
            Protocol::Http2(http2) => http2.is_tunnel(id),
        }
    }

    /// How many bytes the transport has yet to take until the whole of a response is sent; `None` while parts of it
    /// have not been given, or wait for more than the transport.
    pub fn unsent(&self, id: StreamId) -> Option<usize> {
        either!(&self.protocol, it => it.unsent(id))
    }

    /// The drain, since the connection has been told of it.
    pub fn drains(&self) -> Option<Drain> {
        either!(&self.protocol, it => it.drains())
    }

    /// Where the connection stands, for an operator to read.
    pub fn status(&self) -> Status {
        let (stage, since) = match &self.protocol {
            Protocol::Http1(http1) => http1_stage(http1),
            Protocol::Http2(http2) => http2_stage(http2),
        };
        let protocol = match &self.protocol {
            Protocol::Http1(_) => "HTTP/1",
            Protocol::Http2(_) => "HTTP/2",
        };
        Status {
            protocol,
            stage,
            age: since.map(|since| self.now.since(since)),
            requests: either!(&self.protocol, it => it.requests()),
            stream: either!(&self.protocol, it => it.active()),
            due: either!(&self.protocol, it => it.due(&self.config)),
        }
    }

    // B. What came from the network or the clock.

    /// Takes bytes that the peer sent. All are taken.
    pub fn handle_bytes(&mut self, now: Instant, bytes: &[u8]) {
        self.handle_input(now, Input::borrowed(bytes), None);
    }

    /// The same, for who reads for many connections, one after the other: a head that comes whole, where one is to begin, and
    /// that `recall` knows is not read again. That spares time, and makes no other difference.
    pub fn handle_bytes_recalling(&mut self, now: Instant, bytes: &[u8], recall: &mut Recall) {
        self.handle_input(now, Input::borrowed(bytes), Some(recall));
    }

    /// The same, for a block whose memory may be passed on: a piece of a body that is at least 16 KiB large may come in
    /// [`Event::Data`] as a part of it, not as a copy, and keeps all of it for as long. Let a block be no larger than a
    /// few such pieces.
    pub fn handle_block(&mut self, now: Instant, block: &Bytes) {
        self.handle_input(now, Input::shared(block), None);
    }

    fn handle_input(&mut self, now: Instant, input: Input<'_>, recall: Option<&mut Recall>) {
        let now = self.tick(now);
        match &mut self.protocol {
            Protocol::Http1(http1) => match speaks_http2(http1, input.as_slice()) {
                false => http1.handle_bytes(now, &self.config, input.as_slice(), recall),
                true => self.switch_to_http2(input.as_slice()),
            },
            Protocol::Http2(http2) => http2.handle_bytes(now, &self.config, input),
        }
    }

    /// The preface of HTTP/2 comes in. It is told what has come, the date, and that the server drains, if it does.
    fn switch_to_http2(&mut self, bytes: &[u8]) {
        let (now, config) = (self.now, &self.config);
        let Protocol::Http1(http1) = &self.protocol else { return };
        let before = http1.beginning().unwrap_or(&[]);
        let mut http2 = Box::new(Http2::new(now, config));
        if let Some(date) = http1.date() {
            http2.set_date(date);
        }
        if let Some(drain) = http1.drains() {
            http2.carry(drain);
        }
        http2.handle_bytes(now, config, Input::borrowed(before));
        http2.handle_bytes(now, config, Input::borrowed(bytes));
        self.protocol = Protocol::Http2(http2);
    }

    /// Takes the peer's FIN: it sends no more, and may still read.
    pub fn handle_eof(&mut self, now: Instant) {
        let now = self.tick(now);
        either!(&mut self.protocol, it => it.handle_eof(now, &self.config));
    }

    /// Takes a failure of the transport: nothing can be sent or read any more.
    pub fn handle_gone(&mut self, now: Instant) {
        let now = self.tick(now);
        match &mut self.protocol {
            Protocol::Http1(http1) => http1.handle_gone(),
            Protocol::Http2(http2) => http2.handle_gone(now),
        }
    }

    /// Ends the waits whose time has come. Legal at any time; due when [`poll_timeout`](Self::poll_timeout)
    /// says.
    ///
    /// Read the transport to its end first: what had arrived in time then counts as such.
    pub fn handle_timeout(&mut self, now: Instant) {
        let now = self.tick(now);
        either!(&mut self.protocol, it => it.handle_timeout(now, &self.config));
    }

    // C. Commands.

    /// The wall clock, for the `date` of the responses that follow. Without it they have none.
    pub fn set_date(&mut self, date: Date) {
        either!(&mut self.protocol, it => it.set_date(date));
    }

    /// Begins the response to a request. [`finish`](Self::finish) must follow, whether or not it has a body.
    ///
    /// # Errors
    /// [`ApiMisuse`], where the stream, the status or a field is not one that can be sent.
    pub fn respond<'a>(
        &mut self,
        now: Instant,
        id: StreamId,
        head: ResponseHead<impl IntoIterator<Item = Field<'a>>>,
    ) -> Result<(), ApiMisuse> {
        let now = self.tick(now);
        match &mut self.protocol {
            Protocol::Http1(http1) => http1.respond(now, &self.config, id, head),
            Protocol::Http2(http2) => http2.respond(now, id, head),
        }
    }

    /// Sends an interim response, 102 to 199 or another 100, ahead of the final one (RFC 9110 section 15.2).
    ///
    /// # Errors
    /// [`ApiMisuse`], as for [`respond`](Self::respond).
    pub fn inform<'a>(
        &mut self,
        now: Instant,
        id: StreamId,
        status: u16,
        fields: impl IntoIterator<Item = Field<'a>>,
    ) -> Result<(), ApiMisuse> {
        let now = self.tick(now);
        either!(&mut self.protocol, it => it.inform(now, id, status, fields))
    }

    /// Sends a piece of a response's body, or of what goes to the peer through a tunnel.
    ///
    /// Where the response can have no body, the piece is left out.
    ///
    /// # Errors
    /// [`ApiMisuse`]; for one, where the piece is more than the head declared.
    pub fn send_body(&mut self, now: Instant, id: StreamId, data: Bytes) -> Result<(), ApiMisuse> {
        let now = self.tick(now);
        either!(&mut self.protocol, it => it.send_body(now, id, data))
    }

    /// Ends a response, or our half of a tunnel, with these trailers.
    ///
    /// Trailers are sent where the framing has a place for them (HTTP/1: chunked).
    ///
    /// # Errors
    /// [`ApiMisuse`]; for one, [`BodyTooShort`](ApiMisuse::BodyTooShort), where less was sent than declared.
    pub fn finish<'a>(
        &mut self,
        now: Instant,
        id: StreamId,
        trailers: impl IntoIterator<Item = Field<'a>>,
    ) -> Result<(), ApiMisuse> {
        let now = self.tick(now);
        match &mut self.protocol {
            Protocol::Http1(http1) => http1.finish(now, &self.config, id, trailers),
            Protocol::Http2(http2) => http2.finish(now, id, trailers),
        }
    }

    /// Gives a response up: a 500, where it has not been begun; else the peer sees that it broke off.
    ///
    /// # Errors
    /// [`UnknownStream`](ApiMisuse::UnknownStream).
    pub fn reset(&mut self, now: Instant, id: StreamId) -> Result<(), ApiMisuse> {
        let now = self.tick(now);
        either!(&mut self.protocol, it => it.reset(now, id))
    }

    /// Asks for a request's body: answers `expect: 100-continue`, where the peer waits for that.
    ///
    /// # Errors
    /// [`UnknownStream`](ApiMisuse::UnknownStream).
    pub fn read_body(&mut self, now: Instant, id: StreamId) -> Result<(), ApiMisuse> {
        let now = self.tick(now);
        either!(&mut self.protocol, it => it.read_body(now, id))
    }

    /// Says that nobody will read the rest of a request's body. It is thrown away; where that would be too
    /// much, the connection ends after the response.
    ///
    /// # Errors
    /// [`UnknownStream`](ApiMisuse::UnknownStream).
    pub fn discard_body(&mut self, now: Instant, id: StreamId) -> Result<(), ApiMisuse> {
        let now = self.tick(now);
        match &mut self.protocol {
            Protocol::Http1(http1) => http1.discard_body(now, &self.config, id),
            Protocol::Http2(http2) => http2.discard_body(now, id),
        }
    }

    /// Says that so many bytes of [`Event::Data`] have been consumed, and makes room for as many.
    ///
    /// # Errors
    /// [`UnknownStream`](ApiMisuse::UnknownStream).
    pub fn release(&mut self, now: Instant, id: StreamId, count: usize) -> Result<(), ApiMisuse> {
        let now = self.tick(now);
        match &mut self.protocol {
            Protocol::Http1(http1) => http1.release(now, &self.config, id, count),
            Protocol::Http2(http2) => http2.release(now, id, count),
        }
    }

    /// Says that the server ends, and when what is left is cut. This is a level: saying it again changes
    /// nothing, but for an earlier deadline.
    ///
    /// Read the transport to its end first: a request that had begun to arrive is then served.
    pub fn drain(&mut self, now: Instant, deadline: Instant) {
        self.drain_for(now, deadline, Reason::default());
    }

    /// The same, with a word on why, for whoever traces the peer. The first one counts.
    pub fn drain_for(&mut self, now: Instant, deadline: Instant, reason: Reason) {
        let now = self.tick(now);
        either!(&mut self.protocol, it => it.drain(now, &self.config, deadline, reason));
    }

    /// Ends the connection here and now, whatever it leaves undone.
    pub fn abort(&mut self, now: Instant) {
        let now = self.tick(now);
        match &mut self.protocol {
            Protocol::Http1(http1) => http1.abort(),
            Protocol::Http2(http2) => http2.abort(now),
        }
    }

    // D. What the caller is to do.

    /// The next thing that happened.
    #[inline]
    pub fn poll_event(&mut self) -> Option<Event> {
        match &mut self.protocol {
            Protocol::Http1(http1) => http1.poll_event(self.now, &self.config),
            Protocol::Http2(http2) => http2.poll_event(),
        }
    }

    /// What is to be sent next.
    pub fn poll_transmit(&mut self, now: Instant) -> Option<Transmit<'_>> {
        let now = self.tick(now);
        either!(&mut self.protocol, it => it.poll_transmit(now))
    }

    /// Says that the transport took so many of the bytes to be sent. Any number is legal; zero is nothing.
    pub fn transmitted(&mut self, now: Instant, count: usize) {
        let now = self.tick(now);
        match &mut self.protocol {
            Protocol::Http1(http1) => http1.transmitted(now, &self.config, count),
            Protocol::Http2(http2) => http2.transmitted(now, count),
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called, if nothing comes before.
    pub fn poll_timeout(&self) -> Option<Instant> {
        either!(&self.protocol, it => it.due(&self.config)).map(|due| due.at)
    }

    fn tick(&mut self, now: Instant) -> Instant {
        self.now = self.now.max(now);
        self.now
    }
}

/// Whether the first bytes of a connection, `bytes` the last of them, begin the preface of HTTP/2.
fn speaks_http2(http1: &Http1, bytes: &[u8]) -> bool {
    let Some(before) = http1.beginning() else { return false };
    let first = before.iter().chain(bytes).take(TELLING);
    before.len() < TELLING && before.len() + bytes.len() >= TELLING && first.eq(&PREFACE[..TELLING])
}

fn http1_stage(http1: &Http1) -> (Stage, Option<Instant>) {
    let (stage, since) = match http1.phase() {
        http1::Phase::Idle { since } => (Stage::Idle, Some(since)),
        http1::Phase::Head { since } => (Stage::Head, Some(since)),
        http1::Phase::Exchange { .. } => (Stage::Serving, None),
        http1::Phase::Tunnel { .. } => (Stage::Tunnel, None),
        http1::Phase::Flushing { .. } => (Stage::Sending, None),
        http1::Phase::Lingering { since, .. } => (Stage::Lingering, Some(since)),
        http1::Phase::Closed { .. } => (Stage::Closed, None),
    };
    match stage {
        Stage::Idle if http1.has_output() => (Stage::Sending, since),
        stage => (stage, since),
    }
}

fn http2_stage(http2: &Http2) -> (Stage, Option<Instant>) {
    match http2.phase() {
        http2::Phase::Handshake { since } => (Stage::Handshake, Some(since)),
        http2::Phase::Open => match http2.idle_since() {
            None => (Stage::Serving, None),
            since if http2.has_output() => (Stage::Sending, since),
            since => (Stage::Idle, since),
        },
        http2::Phase::Flushing { .. } => (Stage::Sending, None),
        http2::Phase::LastWord { since } => (Stage::Sending, Some(since)),
        http2::Phase::Lingering { since, .. } => (Stage::Lingering, Some(since)),
        http2::Phase::Closed { .. } => (Stage::Closed, None),
    }
}

/// Where a connection stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Status {
    /// The protocol that it speaks.
    pub protocol: &'static str,
    /// What it is at.
    pub stage: Stage,
    /// For how long, where that is known to the connection.
    pub age: Option<Duration>,
    /// How many requests it has taken.
    pub requests: u64,
    /// The request under way, the oldest where there are several.
    pub stream: Option<StreamId>,
    /// What it waits for, and until when; nothing, where it waits for the handler.
    pub due: Option<Due>,
}

/// What a connection is at.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Stage {
    /// The preface of HTTP/2 comes in.
    Handshake,
    /// No request has begun.
    Idle,
    /// A request's head comes in.
    Head,
    /// A request is being served.
    Serving,
    /// It carries another protocol.
    Tunnel,
    /// A response waits for the peer to take it.
    Sending,
    /// Our FIN has gone; the peer's has not come.
    Lingering,
    /// Over.
    Closed,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Handshake => "shaking hands",
            Self::Idle => "idle",
            Self::Head => "reading a head",
            Self::Serving => "serving",
            Self::Tunnel => "tunnelling",
            Self::Sending => "sending",
            Self::Lingering => "lingering",
            Self::Closed => "closed",
        })
    }
}

impl PartialEq for Connection {
    fn eq(&self, other: &Self) -> bool {
        (self.now, &self.protocol) == (other.now, &other.protocol)
    }
}

impl Eq for Connection {}

impl Hash for Connection {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.now, &self.protocol).hash(state);
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("now", &self.now).field("protocol", &self.protocol).finish()
    }
}
