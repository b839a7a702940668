//! One transport connection, whatever protocol it speaks.

use alloc::sync::Arc;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::time::Duration;

use bytes::Bytes;

use crate::config::Config;
use crate::error::ApiMisuse;
use crate::event::{Event, StreamId, Transmit};
use crate::h1::Http1;
use crate::head::{Date, Field, ResponseHead};
use crate::lifecycle::http1::Phase;
use crate::time::Instant;
use crate::timer::{Drain, Due};

/// The server's side of one transport connection, as a state machine without I/O.
///
/// It has four kinds of method:
///
/// * **A. Getters**, which change nothing: [`wants_read`](Self::wants_read),
///   [`send_capacity`](Self::send_capacity), [`status`](Self::status) ...
/// * **B. `handle_*`**, for what came from the network or the clock: [`handle_bytes`](Self::handle_bytes),
///   [`handle_eof`](Self::handle_eof), [`handle_gone`](Self::handle_gone),
///   [`handle_timeout`](Self::handle_timeout).
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
    http1: Http1,
}

impl Connection {
    /// A connection that has just been accepted.
    pub fn new(config: Arc<Config>, now: Instant) -> Self {
        Self { config, now, http1: Http1::new(now) }
    }

    // A. Getters.

    /// Whether bytes are wanted. While they are not, leave them in the transport: that is backpressure.
    ///
    /// Bytes that are handed over all the same are kept, without a bound.
    pub fn wants_read(&self) -> bool {
        self.http1.wants_read(&self.config)
    }

    /// How many bytes of a response's body may be given now. More are taken, and wait.
    pub fn send_capacity(&self, id: StreamId) -> usize {
        self.http1.send_capacity(&self.config, id)
    }

    /// Whether a response's body is sent at all. One to HEAD, or with 204 or 304, has none: what is given for it
    /// is left out, and it can be finished at once.
    pub fn takes_body(&self, id: StreamId) -> bool {
        self.http1.takes_body(id)
    }

    /// How many bytes the transport has yet to take until the whole of a response is sent; `None` while parts of it
    /// have not been given, or wait for more than the transport.
    pub fn unsent(&self, id: StreamId) -> Option<usize> {
        self.http1.unsent(id)
    }

    /// The drain, since the connection has been told of it.
    pub fn drains(&self) -> Option<Drain> {
        self.http1.drains()
    }

    /// Where the connection stands, for an operator to read.
    pub fn status(&self) -> Status {
        let (stage, since) = match self.http1.phase() {
            Phase::Idle { since } => (Stage::Idle, Some(since)),
            Phase::Head { since } => (Stage::Head, Some(since)),
            Phase::Exchange { .. } => (Stage::Serving, None),
            Phase::Tunnel { .. } => (Stage::Tunnel, None),
            Phase::Flushing { .. } => (Stage::Sending, None),
            Phase::Lingering { since, .. } => (Stage::Lingering, Some(since)),
            Phase::Closed { .. } => (Stage::Closed, None),
        };
        let stage = match stage {
            Stage::Idle if self.http1.has_output() => Stage::Sending,
            other => other,
        };
        Status {
            protocol: "HTTP/1",
            stage,
            age: since.map(|since| self.now.since(since)),
            requests: self.http1.requests(),
            stream: self.http1.active(),
            due: self.http1.due(&self.config),
        }
    }

    // B. What came from the network or the clock.

    /// Takes bytes that the peer sent. All are taken.
    pub fn handle_bytes(&mut self, now: Instant, bytes: &[u8]) {
        let now = self.tick(now);
        self.http1.handle_bytes(now, &self.config, bytes);
    }

    /// Takes the peer's FIN: it sends no more, and may still read.
    pub fn handle_eof(&mut self, now: Instant) {
        let now = self.tick(now);
        self.http1.handle_eof(now, &self.config);
    }

    /// Takes a failure of the transport: nothing can be sent or read any more.
    pub fn handle_gone(&mut self, now: Instant) {
        self.tick(now);
        self.http1.handle_gone();
    }

    /// Ends the waits whose time has come. Legal at any time; due when [`poll_timeout`](Self::poll_timeout)
    /// says.
    ///
    /// Read the transport to its end first: what had arrived in time then counts as such.
    pub fn handle_timeout(&mut self, now: Instant) {
        let now = self.tick(now);
        self.http1.handle_timeout(now, &self.config);
    }

    // C. Commands.

    /// The wall clock, for the `date` of the responses that follow. Without it they have none.
    pub fn set_date(&mut self, date: Date) {
        self.http1.set_date(date);
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
        self.http1.respond(now, &self.config, id, head)
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
        self.http1.inform(now, id, status, fields)
    }

    /// Sends a piece of a response's body, or of what goes to the peer through a tunnel.
    ///
    /// Where the response can have no body, the piece is left out.
    ///
    /// # Errors
    /// [`ApiMisuse`]; for one, where the piece is more than the head declared.
    pub fn send_body(&mut self, now: Instant, id: StreamId, data: Bytes) -> Result<(), ApiMisuse> {
        let now = self.tick(now);
        self.http1.send_body(now, id, data)
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
        self.http1.finish(now, &self.config, id, trailers)
    }

    /// Gives a response up: a 500, where it has not been begun; else the peer sees that it broke off.
    ///
    /// # Errors
    /// [`UnknownStream`](ApiMisuse::UnknownStream).
    pub fn reset(&mut self, now: Instant, id: StreamId) -> Result<(), ApiMisuse> {
        let now = self.tick(now);
        self.http1.reset(now, id)
    }

    /// Asks for a request's body: answers `expect: 100-continue`, where the peer waits for that.
    ///
    /// # Errors
    /// [`UnknownStream`](ApiMisuse::UnknownStream).
    pub fn read_body(&mut self, now: Instant, id: StreamId) -> Result<(), ApiMisuse> {
        let now = self.tick(now);
        self.http1.read_body(now, id)
    }

    /// Says that nobody will read the rest of a request's body. It is thrown away; where that would be too
    /// much, the connection ends after the response.
    ///
    /// # Errors
    /// [`UnknownStream`](ApiMisuse::UnknownStream).
    pub fn discard_body(&mut self, now: Instant, id: StreamId) -> Result<(), ApiMisuse> {
        let now = self.tick(now);
        self.http1.discard_body(now, &self.config, id)
    }

    /// Says that so many bytes of [`Event::Data`] have been consumed, and makes room for as many.
    ///
    /// # Errors
    /// [`UnknownStream`](ApiMisuse::UnknownStream).
    pub fn release(&mut self, now: Instant, id: StreamId, count: usize) -> Result<(), ApiMisuse> {
        let now = self.tick(now);
        self.http1.release(now, &self.config, id, count)
    }

    /// Says that the server ends, and when what is left is cut. This is a level: saying it again changes
    /// nothing, but for an earlier deadline.
    ///
    /// Read the transport to its end first: a request that had begun to arrive is then served.
    pub fn drain(&mut self, now: Instant, deadline: Instant) {
        let now = self.tick(now);
        self.http1.drain(now, &self.config, deadline);
    }

    /// Ends the connection here and now, whatever it leaves undone.
    pub fn abort(&mut self, now: Instant) {
        self.tick(now);
        self.http1.abort();
    }

    // D. What the caller is to do.

    /// The next thing that happened.
    #[inline]
    pub fn poll_event(&mut self) -> Option<Event> {
        self.http1.poll_event(self.now, &self.config)
    }

    /// What is to be sent next.
    pub fn poll_transmit(&mut self, now: Instant) -> Option<Transmit<'_>> {
        let now = self.tick(now);
        self.http1.poll_transmit(now)
    }

    /// Says that the transport took so many of the bytes to be sent. Any number is legal; zero is nothing.
    pub fn transmitted(&mut self, now: Instant, count: usize) {
        let now = self.tick(now);
        self.http1.transmitted(now, &self.config, count);
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called, if nothing comes before.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.http1.due(&self.config).map(|due| due.at)
    }

    fn tick(&mut self, now: Instant) -> Instant {
        self.now = self.now.max(now);
        self.now
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
    /// The request under way.
    pub stream: Option<StreamId>,
    /// What it waits for, and until when; nothing, where it waits for the handler.
    pub due: Option<Due>,
}

/// What a connection is at.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Stage {
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
        (self.now, &self.http1) == (other.now, &other.http1)
    }
}

impl Eq for Connection {}

impl Hash for Connection {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.now, &self.http1).hash(state);
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("now", &self.now).field("http1", &self.http1).finish()
    }
}
