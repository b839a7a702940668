//! A connection and the handlers that it has called, driven by whoever owns the socket.

use std::error::Error;
use std::fmt::{self, Display};
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use http::{Request, Response, header};
use http_body::Body as HttpBody;
use lameduck_core::server::Level;
use lameduck_core::{
    BodyLength, CancelReason, CloseReason, Connection, Event, Instant, RequestHead, Stage, Status, StreamId,
    Timer, Transmit,
};
use smallvec::SmallVec;
use tower_service::Service;

use crate::body::{Body, Channel};
use crate::exchange::{self, Exchange, Outcome, Scene, Work};
use crate::head;
use crate::hub::{Cut, Holder, Hub};
use crate::scratch;
use crate::transport::Transport;

/// How many pieces go into one write.
const PIECES: usize = 16;

/// How many requests a session answers before it lets others have their turn.
const TURNS: usize = 32;

/// How often a session goes round before it lets others have their turn.
const ROUNDS: usize = 32;

/// In the extensions of a request that may become a tunnel: a CONNECT, or one that offers an upgrade.
///
/// A handler that answers with 2xx or 101 takes [`incoming`](Self::incoming) for what the peer sends; the
/// body of its response is what is sent to the peer.
#[derive(Clone, Debug)]
pub struct Tunnel(Arc<Mutex<Option<Body>>>);

impl Tunnel {
    /// The bytes that the peer sends through the tunnel; `None` when they have been taken before.
    pub fn incoming(&self) -> Option<Body> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// A handler that has been called.
type Called<S, B> = Pin<Box<Exchange<S, B>>>;

/// One connection, from its accept to its end. It is over when [`poll`](Self::poll) is ready; dropping it
/// before cuts it.
pub struct Session<S, B>
where
    S: Service<Request<Body>>,
{
    connection: Connection,
    service: S,
    /// The requests under way; HTTP/1 has one.
    exchanges: SmallVec<[Called<S, B>; 1]>,
    hub: Arc<Hub>,
    /// The time of this poll.
    now: Instant,
    /// The connection's next timeout, as of the last poll.
    next_timeout: Option<Instant>,
    peer: SocketAddr,
    number: u64,
    told: Level,
    /// Responses that have been given, and of those the ones that have been sent.
    answered: u64,
    served: u64,
    /// What the hub was last told of this connection.
    noted: Option<(Stage, Option<StreamId>, Option<Timer>)>,
    /// What it was at, and since when, before its time was over or the level rose.
    was: (Stage, Instant),
    /// How many more requests may be answered in this poll.
    turns: usize,
    /// The last request whose handler is gone: its response may not have been sent yet.
    last: Option<Called<S, B>>,
    ended: Option<CloseReason>,
}

impl<S, B> Session<S, B>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Error: Display,
    B: HttpBody,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    /// A session for a connection that has just been accepted.
    pub fn new(hub: Arc<Hub>, service: S, peer: SocketAddr) -> Self {
        let (number, now) = (hub.opened(), hub.clock.now());
        Self {
            connection: Connection::new(Arc::clone(&hub.config), now),
            service,
            exchanges: SmallVec::new(),
            hub,
            now,
            next_timeout: None,
            peer,
            number,
            told: Level::Serve,
            answered: 0,
            served: 0,
            noted: None,
            was: (Stage::Idle, now),
            turns: TURNS,
            last: None,
            ended: None,
        }
    }

    /// Goes as far as it can; ready when the connection is over and `io` is to be dropped.
    ///
    /// To be called when `cx` was woken, when `io` has become ready, when [`next_timeout`](Self::next_timeout)
    /// has come, and when the hub has woken those who watch it. `now` is on the hub's clock; a moment ago will
    /// do.
    pub fn poll(&mut self, cx: &mut Context<'_>, io: &mut impl Transport, now: Instant) -> Poll<()> {
        self.now = self.now.max(now);
        self.turns = TURNS;
        self.expire(io);
        for _ in 0..ROUNDS {
            self.obey(io);
            let paused = !self.connection.wants_read();
            let read = self.read(cx, io);
            self.attend(cx);
            let wrote = self.write(cx, io);
            let may_go_on = io.may_read() || (wrote && !self.exchanges.is_empty());
            // What has long been there when reading goes on is announced by no wake-up.
            let resumes = paused && self.connection.wants_read();
            if self.turns == 0 {
                break;
            }
            if self.ended.is_some() || !(resumes || (may_go_on && (read || wrote))) {
                return self.conclude(io);
            }
        }
        io.go_on_later(cx);
        self.conclude(io)
    }

    /// When [`poll`](Self::poll) is to be called, if nothing else happens before.
    pub fn next_timeout(&self) -> Option<Instant> {
        self.next_timeout
    }

    fn conclude(&mut self, io: &mut impl Transport) -> Poll<()> {
        match self.ended {
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

    /// Ends the waits whose time has come. What had arrived by then is read first.
    fn expire(&mut self, io: &mut impl Transport) {
        if self.next_timeout.is_some_and(|due| due <= self.now) {
            self.read_to_the_end(io);
            self.was = self.stage();
            self.connection.handle_timeout(self.now);
        }
    }

    /// Follows the level. What had arrived before it changed is read first.
    fn obey(&mut self, io: &mut impl Transport) {
        let level = self.hub.level();
        if level == self.told {
            return;
        }
        self.read_to_the_end(io);
        self.was = self.stage();
        self.told = level;
        match level {
            Level::Serve => {}
            Level::Drain(deadline) => self.connection.drain(self.now, deadline),
            Level::Abort => self.connection.abort(self.now),
        }
    }

    /// Reads until the socket would block; a peer that sends faster than that is not idle in any case.
    fn read_to_the_end(&mut self, io: &mut impl Transport) {
        for _ in 0..ROUNDS {
            if !self.connection.wants_read()
                || !scratch::with(|buffer| self.take(io.read_now(buffer), buffer))
            {
                return;
            }
        }
    }

    /// Reads what is there, once; whether anything was.
    fn read(&mut self, cx: &mut Context<'_>, io: &mut impl Transport) -> bool {
        self.connection.wants_read()
            && scratch::with(|buffer| match io.poll_read(cx, buffer) {
                Poll::Pending => false,
                Poll::Ready(result) => {
                    self.take(result, buffer);
                    true
                }
            })
    }

    /// Hands the result of a read to the connection; whether there may be more to read.
    fn take(&mut self, result: io::Result<usize>, buffer: &[u8]) -> bool {
        let now = self.now;
        match result {
            Ok(0) => {
                self.connection.handle_eof(now);
                false
            }
            Ok(count) => {
                if let Some(date) = crate::clock::date(now) {
                    self.connection.set_date(date);
                }
                self.connection.handle_bytes(now, buffer.get(..count).unwrap_or(buffer));
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

    /// Passes on what happened, and lets the handlers work.
    fn attend(&mut self, cx: &mut Context<'_>) {
        self.take_events(cx);
        let mut at = 0;
        while let Some(exchange) = self.exchanges.get_mut(at) {
            let Self { connection, service, now, .. } = self;
            let mut scene = Scene { connection, service, now: *now };
            let outcome = exchange.as_mut().step(cx, &mut scene);
            // Handlers take their time.
            *now = self.hub.clock.now();
            self.answered += u64::from(outcome == Outcome::Answered);
            self.turns = self.turns.saturating_sub(usize::from(outcome == Outcome::Answered));
            if exchange.is_over() {
                self.last = Some(self.exchanges.swap_remove(at));
            } else {
                at += 1;
            }
            self.take_events(cx);
            if self.turns == 0 {
                // Many requests have come at once: the other connections have their turn between them.
                break;
            }
        }
        if self.exchanges.is_empty() && self.exchanges.spilled() {
            // An idle connection owns no memory.
            self.exchanges = SmallVec::new();
        }
    }

    #[inline]
    fn take_events(&mut self, cx: &mut Context<'_>) {
        while let Some(event) = self.connection.poll_event() {
            self.take_event(cx, event);
        }
    }

    /// Apart from the loop, which mostly finds that there is nothing.
    #[inline(never)]
    fn take_event(&mut self, cx: &mut Context<'_>, event: Event) {
        match event {
            Event::Request { id, head, body } => self.call(cx, id, head, body),
            Event::Data { id, data } => match self.exchange(id).and_then(|one| one.incoming.clone()) {
                Some(channel) => channel.push(data, cx.waker()),
                // Nobody reads it; where the stream is gone too, there is nothing to make room in.
                None => drop(self.connection.release(self.now, id, data.len())),
            },
            Event::End { id, trailers } => {
                let trailers = trailers.and_then(|trailers| head::trailers(&trailers));
                if let Some(exchange) = self.exchange(id) {
                    exchange.as_mut().finish_incoming(trailers);
                }
            }
            Event::Cancelled { id, reason } => {
                if let Some(at) = self.exchanges.iter().position(|exchange| exchange.id == id) {
                    let mut exchange = self.exchanges.swap_remove(at);
                    exchange.as_mut().cancel(reason);
                    self.last = Some(exchange);
                }
            }
            Event::Refused { .. } => {}
            Event::Closed(reason) => self.ended = Some(reason),
        }
    }

    fn exchange(&mut self, id: StreamId) -> Option<&mut Called<S, B>> {
        self.exchanges.iter_mut().find(|exchange| exchange.id == id)
    }

    /// Makes a request of a head, for its handler to be called with.
    fn call(&mut self, cx: &mut Context<'_>, id: StreamId, head: RequestHead, length: BodyLength) {
        let now = self.now;
        let incoming = (length != BodyLength::Empty).then(|| Channel::new(length));
        let mut request = Some(Request::new(Body::new(incoming.clone(), Some(self.peer))));
        let Some(made) = request.as_mut().and_then(|made| head::describe(made, &head).map(|()| made)) else {
            // Well-formed for HTTP, but not for the types that handlers know.
            let _ = exchange::answer_briefly(&mut self.connection, now, id, 400);
            return;
        };
        let tunnel = may_become_tunnel(made).then(Channel::tunnel);
        let extensions = made.extensions_mut();
        extensions.clone_from(self.hub.extensions());
        if let Some(channel) = &tunnel {
            let incoming = Body::new(Some(Arc::clone(channel)), Some(self.peer));
            extensions.insert(Tunnel(Arc::new(Mutex::new(Some(incoming)))));
        }
        let exchange = Exchange::new(id, Work { head, since: now }, incoming, tunnel);
        let mut called = match self.last.take() {
            Some(mut last) => {
                // Its place is free: it was kept for its name alone, and this one is nearer to being lost.
                last.set(exchange);
                last
            }
            None => Box::pin(exchange),
        };
        called.as_mut().call(cx, &mut self.service, &mut request);
        self.exchanges.push(called);
    }

    /// Sends what there is to send; whether anything was.
    fn write(&mut self, cx: &mut Context<'_>, io: &mut impl Transport) -> bool {
        let mut any = false;
        loop {
            let now = self.now;
            match send_some(&mut self.connection, now, cx, io) {
                None => {
                    self.take_events(cx);
                    if !self.ended.is_some_and(CloseReason::leaves_unsent) {
                        self.served = self.answered;
                        self.last = None;
                    }
                    return any;
                }
                Some(Poll::Pending) => return any,
                Some(Poll::Ready(Ok(count))) => self.connection.transmitted(now, count),
                Some(Poll::Ready(Err(error))) if error.kind() == io::ErrorKind::Interrupted => {}
                Some(Poll::Ready(Err(_))) => {
                    self.connection.handle_gone(now);
                    self.take_events(cx);
                    return any;
                }
            }
            any = true;
        }
    }

    /// In a drain, says what this connection is at, when that has changed.
    fn note_holder(&mut self) {
        if self.told == Level::Serve {
            return;
        }
        let status = self.connection.status();
        let note = Some((status.stage, status.stream, status.due.map(|due| due.timer)));
        if note != self.noted {
            self.noted = note;
            let (request, since) = self.work();
            let holder = Holder {
                peer: self.peer,
                protocol: status.protocol,
                stage: status.stage,
                request,
                since,
                due: status.due,
            };
            self.hub.hold(self.number, holder);
        }
    }
}

impl<S, B> Session<S, B>
where
    S: Service<Request<Body>>,
{
    /// The request that is being served or sent, and since when.
    fn work(&self) -> (Option<String>, Instant) {
        match self.exchanges.first().or(self.last.as_ref()).map(|exchange| &exchange.work) {
            Some(work) => (Some(work.to_string()), work.since),
            None => (None, self.stage().1),
        }
    }

    /// What the connection is at, and since when; what it was at, once it is over.
    fn stage(&self) -> (Stage, Instant) {
        match self.connection.status() {
            Status { stage: Stage::Closed, .. } => self.was,
            status => (status.stage, self.now - status.age.unwrap_or_default()),
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
            io.poll_write(cx, &gathered[..count])
        }
    })
}

fn may_become_tunnel(request: &Request<Body>) -> bool {
    request.method() == http::Method::CONNECT || request.headers().contains_key(header::UPGRADE)
}

impl<S, B> Drop for Session<S, B>
where
    S: Service<Request<Body>>,
{
    fn drop(&mut self) {
        let ended = self.ended;
        let status = self.connection.status();
        let (request, since) = self.work();
        let (stage, _) = self.stage();
        let reason = ended.unwrap_or(CloseReason::CutByForce);
        for exchange in &mut self.exchanges {
            exchange.as_mut().cancel(CancelReason::Closed(reason));
        }
        // In a drain, a peer that takes its response too slowly is cut by us.
        let stalled = self.told != Level::Serve && reason == CloseReason::TimedOut(Timer::Write);
        let cut = (reason.is_cut() || stalled).then(|| Cut {
            peer: self.peer,
            protocol: status.protocol,
            stage,
            request,
            age: self.hub.clock.now().since(since),
            reason,
        });
        match reason {
            CloseReason::Refused(_)
            | CloseReason::UpgradeRefused
            | CloseReason::HandlerReset
            | CloseReason::HandlerBrokeOff => {
                tracing::info!(peer = %self.peer, "connection ended: {reason}");
            }
            _ => tracing::debug!(peer = %self.peer, "connection ended: {reason}"),
        }
        self.hub.closed(self.number, self.served, cut);
    }
}

impl<S, B> fmt::Debug for Session<S, B>
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
