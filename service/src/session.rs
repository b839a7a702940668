//! A connection and the handlers that it has called, driven by whoever owns the socket.

use std::error::Error;
use std::fmt::{self, Display};
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::Body as HttpBody;
use lameduck_core::server::Level;
use lameduck_core::{
    CancelReason, CloseReason, Connection, Instant, Stage, Status, StreamId, Timer, Transmit,
};
use tower_service::Service;

use crate::body::Body;
use crate::clock;
use crate::exchange::Scene;
use crate::hub::{Cut, Holder, Hub};
use crate::requests::Requests;
use crate::scratch::{self, Read, Scratch};
use crate::spawn::{InPlace, Spawn, Task};
use crate::transport::Transport;

/// How many pieces go into one write.
const PIECES: usize = 16;

/// How often a session goes round before it lets others have their turn.
const ROUNDS: usize = 32;

/// One connection, from its accept to its end. It is over when [`poll`](Self::poll) is ready; dropping it
/// before cuts it.
pub struct Session<S, B, P = InPlace>
where
    S: Service<Request<Body>>,
{
    connection: Connection,
    requests: Requests<S, B, P>,
    hub: Arc<Hub>,
    /// The time of this poll.
    now: Instant,
    /// The connection's next timeout, as of the last poll.
    next_timeout: Option<Instant>,
    peer: SocketAddr,
    number: u64,
    told: Level,
    /// What has been received, and not yet been followed by sending.
    received: Option<Received>,
    /// How many bytes the transport has taken.
    sent: u64,
    /// What the hub was last told of this connection.
    noted: Option<Note>,
    /// What it was at, and since when, before its time was over or the level rose.
    was: (Stage, Instant),
}

/// When a session that has received is to send.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum ToSend {
    /// Before any other session receives. A wait has ended or the level has changed, and there may be a FIN to send: what
    /// comes for it meanwhile would be lost.
    AtOnce,
    /// Before the caller waits for anything.
    InAWhile,
}

/// What came of receiving.
#[derive(Clone, Copy)]
struct Received {
    /// Whether anything was read.
    any: bool,
    /// Whether nothing could be, for want of room.
    paused: bool,
}

/// A service of its own for the connection of `peer`; none, where the handlers' code panics in making it: that connection
/// is to be dropped, and costs no other.
pub fn service_for<S: Clone>(service: &S, peer: SocketAddr) -> Option<S> {
    let made = catch_unwind(AssertUnwindSafe(|| service.clone()));
    if made.is_err() {
        tracing::error!(%peer, "the service panicked when it was cloned for a connection, which is dropped");
    }
    made.ok()
}

/// What a connection is at: its oldest request, how many there are, and what it waits for.
type Note = (Stage, Option<StreamId>, usize, Option<Timer>);

impl<S, B> Session<S, B>
where
    S: Service<Request<Body>, Response = Response<B>> + 'static,
    S::Error: Display,
    B: HttpBody + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    /// A session for a connection that has just been accepted. Its handlers stay where it is.
    pub fn new(hub: Arc<Hub>, service: S, peer: SocketAddr) -> Self {
        Self::with_spawn(hub, service, peer, InPlace)
    }
}

impl<S, B, P> Session<S, B, P>
where
    S: Service<Request<Body>, Response = Response<B>> + 'static,
    S::Error: Display,
    B: HttpBody + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
    P: Spawn<Task<S, B>>,
{
    /// A session for a connection that has just been accepted. Where many of its requests are under way at once,
    /// handlers that were not ready at once go on in tasks of their own.
    pub fn with_spawn(hub: Arc<Hub>, service: S, peer: SocketAddr, spawn: P) -> Self {
        let (number, now) = (hub.opened(), hub.clock.now());
        Self {
            connection: Connection::new(Arc::clone(&hub.config), now),
            requests: Requests::new(service, spawn),
            hub,
            now,
            next_timeout: None,
            peer,
            number,
            told: Level::Serve,
            received: None,
            sent: 0,
            noted: None,
            was: (Stage::Idle, now),
        }
    }

    /// Goes as far as it can; ready when the connection is over and `io` is to be dropped.
    ///
    /// To be called when `cx` was woken, when `io` has become ready, when [`next_timeout`](Self::next_timeout)
    /// has come, and when the hub has woken those who watch it. `now` is on the hub's clock; a moment ago will
    /// do.
    pub fn poll(&mut self, cx: &mut Context<'_>, io: &mut impl Transport, now: Instant) -> Poll<()> {
        let _ = self.receive(cx, io, now);
        self.send(cx, io)
    }

    /// The first half of [`poll`](Self::poll): takes in what has come, and lets the handlers work. [`send`](Self::send) is
    /// to follow as soon as this says, and before anything else is done with this session.
    ///
    /// A shell that has many connections to attend to lets some of them receive, and then the same ones send: each is
    /// done faster for being done several times in a row.
    pub fn receive(&mut self, cx: &mut Context<'_>, io: &mut impl Transport, now: Instant) -> ToSend {
        self.now = self.now.max(now);
        if let Some(date) = clock::date() {
            self.connection.set_date(date);
        }
        self.requests.begin();
        let has_expired = self.expire(io);
        let has_changed = self.obey(io);
        self.received = Some(self.take_in(cx, io));
        // Also where nothing was read: something may have come of the time, and of wake-ups.
        self.attend(cx);
        match has_expired || has_changed {
            true => ToSend::AtOnce,
            false => ToSend::InAWhile,
        }
    }

    /// Whether it has received and is still to send.
    pub fn is_to_send(&self) -> bool {
        self.received.is_some()
    }

    /// The second half: sends, and goes on for as long as there is something to do. Ready as [`poll`](Self::poll) is.
    pub fn send(&mut self, cx: &mut Context<'_>, io: &mut impl Transport) -> Poll<()> {
        let Some(mut received) = self.received.take() else { return self.conclude(io) };
        let mut rounds = 1;
        loop {
            let wrote = self.write(cx, io);
            if rounds == ROUNDS || self.requests.is_out_of_turns() {
                io.go_on_later(cx);
                return self.conclude(io);
            }
            if self.requests.ended().is_some() || !self.goes_on(received, wrote, io) {
                return self.conclude(io);
            }
            rounds += 1;
            let news = self.obey(io);
            received = self.take_in(cx, io);
            let work = self.requests.are_under_way() || self.requests.has_ready();
            if !(news || received.any || work) {
                return self.conclude(io);
            }
            self.attend(cx);
        }
    }

    /// When [`poll`](Self::poll) is to be called, if nothing else happens before.
    pub fn next_timeout(&self) -> Option<Instant> {
        self.next_timeout
    }

    /// The time, as of the last poll's last look at the clock.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Whether there is more to do than to wait, once what there was to send has been sent.
    fn goes_on(&self, received: Received, wrote: bool, io: &impl Transport) -> bool {
        // What has long been there when reading goes on is announced by no wake-up.
        let resumes = self.requests.has_ready() || (received.paused && self.connection.wants_read());
        let may_go_on = io.may_read() || (wrote && self.requests.are_under_way());
        resumes || (may_go_on && (received.any || wrote))
    }

    fn conclude(&mut self, io: &mut impl Transport) -> Poll<()> {
        match self.requests.ended() {
            None => {
                self.next_timeout = self.connection.poll_timeout();
                self.note_holder();
                Poll::Pending
            }
            Some(reason) => {
                if reason.resets() {
                    io.reset_on_close();
                }
                Poll::Ready(())
            }
        }
    }

    /// Ends the waits whose time has come; whether there were any. What had arrived by then is read first.
    fn expire(&mut self, io: &mut impl Transport) -> bool {
        let is_due = self.next_timeout.is_some_and(|due| due <= self.now);
        if is_due {
            self.read_to_the_end(io);
            self.was = self.stage();
            self.connection.handle_timeout(self.now);
        }
        is_due
    }

    /// Follows the level; whether it had changed. What had arrived before it did is read first.
    fn obey(&mut self, io: &mut impl Transport) -> bool {
        let level = self.hub.level();
        if level == self.told {
            return false;
        }
        self.read_to_the_end(io);
        self.was = self.stage();
        self.told = level;
        match level {
            Level::Serve => {}
            Level::Drain(deadline) => {
                self.connection.drain_for(self.now, deadline, self.hub.reason());
            }
            Level::Abort => self.connection.abort(self.now),
        }
        true
    }

    /// Reads until the socket would block; a peer that sends faster than that is not idle in any case.
    fn read_to_the_end(&mut self, io: &mut impl Transport) {
        for _ in 0..ROUNDS {
            if !self.connection.wants_read()
                || !scratch::with(|scratch| self.take(io.read_now(scratch.buffer()), scratch))
            {
                return;
            }
        }
    }

    /// Reads what is there, once.
    fn take_in(&mut self, cx: &mut Context<'_>, io: &mut impl Transport) -> Received {
        let paused = !self.connection.wants_read();
        let any = !paused
            && scratch::with(|scratch| match io.poll_read(cx, scratch.buffer()) {
                Poll::Pending => false,
                Poll::Ready(result) => {
                    self.take(result, scratch);
                    true
                }
            });
        Received { any, paused }
    }

    fn attend(&mut self, cx: &mut Context<'_>) {
        self.with_requests(|requests, scene| requests.attend(cx, scene));
    }

    /// Hands the result of a read to the connection; whether there may be more to read.
    fn take(&mut self, result: io::Result<usize>, scratch: &mut Scratch) -> bool {
        let now = self.now;
        match result {
            Ok(0) => {
                self.connection.handle_eof(now);
                false
            }
            Ok(count) => {
                match scratch.read(count) {
                    Read::Copied(bytes, recall) => {
                        self.connection.handle_bytes_recalling(now, bytes, recall);
                    }
                    Read::Shared(block) => self.connection.handle_block(now, &block),
                }
                true
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => true,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => false,
            Err(_) => {
                self.connection.handle_gone(now);
                false
            }
        }
    }

    #[inline]
    fn with_requests<R>(&mut self, act: impl FnOnce(&mut Requests<S, B, P>, &mut Scene<'_>) -> R) -> R {
        let Self { connection, requests, hub, now, peer, told, .. } = self;
        let mut scene = Scene { connection, hub, peer: *peer, now: *now, told: *told };
        let result = act(requests, &mut scene);
        *now = scene.now;
        result
    }

    /// Sends what there is to send; whether anything was.
    fn write(&mut self, cx: &mut Context<'_>, io: &mut impl Transport) -> bool {
        let mut any = false;
        loop {
            let now = self.now;
            match send_some(&mut self.connection, now, cx, io) {
                None => {
                    // A pipelined request that waited for room may be told now, and answered at once.
                    if !self.with_requests(|requests, scene| requests.take_events(cx, scene)) {
                        break;
                    }
                }
                Some(Poll::Pending) => {
                    self.with_requests(|requests, scene| requests.take_events(cx, scene));
                    break;
                }
                Some(Poll::Ready(Ok(count))) => {
                    self.sent += count as u64;
                    self.connection.transmitted(now, count);
                }
                Some(Poll::Ready(Err(error))) if error.kind() == io::ErrorKind::Interrupted => {}
                Some(Poll::Ready(Err(_))) => {
                    self.connection.handle_gone(now);
                    self.with_requests(|requests, scene| requests.take_events(cx, scene));
                    return any;
                }
            }
            any = true;
        }
        self.requests.note_sent(cx, &self.connection, self.sent);
        any
    }

    /// In a drain, says what this connection is at, when that has changed.
    fn note_holder(&mut self) {
        if self.told == Level::Serve {
            return;
        }
        let status = self.connection.status();
        let (oldest, count) = self.requests.oldest_work();
        let more = count.saturating_sub(1);
        let note = Some((status.stage, oldest.map(|(id, _)| id), more, status.due.map(|due| due.timer)));
        if note != self.noted {
            let holder = Holder {
                peer: self.peer,
                protocol: status.protocol,
                stage: status.stage,
                request: oldest.map(|(_, work)| work.to_string()),
                more,
                since: oldest.map_or_else(|| self.stage().1, |(_, work)| work.since),
                due: status.due,
            };
            self.hub.hold(self.number, holder);
            self.noted = note;
        }
    }
}

impl<S, B, P> Session<S, B, P>
where
    S: Service<Request<Body>>,
{
    /// What the connection is at, and since when; what it was at, once it is over.
    fn stage(&self) -> (Stage, Instant) {
        match self.connection.status() {
            Status { stage: Stage::Closed, .. } => self.was,
            status => (status.stage, self.now - status.age.unwrap_or_default()),
        }
    }

    /// What is lost with the connection: each request that it has not answered, or the connection itself.
    fn cuts(&self, reason: CloseReason) -> Vec<Cut> {
        let (protocol, now) = (self.connection.status().protocol, self.hub.clock.now());
        let (stage, since) = self.stage();
        let cut =
            |request, since| Cut { peer: self.peer, protocol, stage, request, age: now.since(since), reason };
        match self.requests.works() {
            works if works.is_empty() => vec![cut(None, since)],
            works => works.into_iter().map(|(_, work)| cut(Some(work.to_string()), work.since)).collect(),
        }
    }
}

/// Does what the connection says is to be done with the socket; `None`, where that is nothing.
fn send_some(
    connection: &mut Connection,
    now: Instant,
    cx: &mut Context<'_>,
    io: &mut impl Transport,
) -> Option<Poll<io::Result<usize>>> {
    Some(match connection.poll_transmit(now)? {
        Transmit::Fin => Poll::Ready(io.shut_down().map(|()| 0)),
        Transmit::Bytes(pieces) => {
            let mut gathered = [IoSlice::new(&[]); PIECES];
            let mut count = 0;
            for (slot, piece) in gathered.iter_mut().zip(pieces) {
                *slot = IoSlice::new(piece);
                count += 1;
            }
            // Nothing would tell when a socket takes bytes again that takes none and does not say why.
            io.poll_write(cx, &gathered[..count]).map(|result| match result {
                Ok(0) => Err(io::ErrorKind::WriteZero.into()),
                result => result,
            })
        }
    })
}

impl<S, B, P> Drop for Session<S, B, P>
where
    S: Service<Request<Body>>,
{
    fn drop(&mut self) {
        let reason = self.requests.ended().unwrap_or(CloseReason::CutByForce);
        // In a drain, a peer that takes its response too slowly is cut by us, and so is one that waits for one and has
        // fallen silent.
        let stalled = self.told != Level::Serve
            && match reason {
                CloseReason::TimedOut(Timer::Write | Timer::Receipt) => true,
                CloseReason::TimedOut(Timer::PingAck) => self.requests.oldest_work().0.is_some(),
                _ => false,
            };
        let cuts = if reason.is_cut() || stalled { self.cuts(reason) } else { Vec::new() };
        self.requests.cancel_all(CancelReason::Closed(reason));
        match reason {
            CloseReason::Refused(_)
            | CloseReason::UpgradeRefused
            | CloseReason::HandlerReset
            | CloseReason::HandlerBrokeOff => {
                tracing::info!(peer = %self.peer, "connection ended: {reason}");
            }
            _ => tracing::debug!(peer = %self.peer, "connection ended: {reason}"),
        }
        self.hub.closed(self.number, self.requests.served(), cuts);
    }
}

impl<S, B, P> fmt::Debug for Session<S, B, P>
where
    S: Service<Request<Body>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("peer", &self.peer)
            .field("status", &self.connection.status())
            .finish()
    }
}

#[cfg(test)]
mod tests;
