//! The event loop of one thread.

use std::collections::VecDeque;
use std::error::Error;
use std::fmt::Display;
use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use http::{Request, Response};
use lameduck_core::Instant;
use lameduck_core::server::{Gate, Level};
use lameduck_service::listen::{AcceptError, Emptying};
use lameduck_service::{Body, Hub, Listener, Listening, Session, ToSend, Watch, service_for};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use slab::Slab;
use tower_service::Service;

use crate::pace::Pace;
use crate::socket::Socket;
use crate::timers::Timers;
use crate::wake::{Knock, Mailbox};

/// How many events are taken from the kernel at once.
const EVENTS: usize = 1024;

/// How many connections one door lets in before those that are in have their turn.
const ACCEPTS: usize = 256;

/// How many connections at most receive before they send.
const TOGETHER: usize = 8;

/// The token of the mailbox. Listeners have those below it, connections their key.
const MAILBOX: Token = Token(usize::MAX);

/// The token of the listener at this index.
fn listener_token(index: usize) -> Token {
    Token(MAILBOX.0 - 1 - index)
}

pub(crate) struct Worker<S, B>
where
    S: Service<Request<Body>>,
{
    hub: Arc<Hub>,
    service: S,
    poll: Poll,
    mailbox: Arc<Mailbox>,
    doors: Vec<Door>,
    connections: Slab<Box<Connection<S, B>>>,
    timers: Timers,
    pace: Pace,
    /// Those that have received, and have yet to send.
    to_send: VecDeque<usize>,
    /// When the loop last stopped waiting, or a handler working.
    now: Instant,
    _watch: Watch,
}

/// A listening socket of this thread.
struct Door {
    socket: TcpListener,
    /// Until when accepting rests: for want of descriptors or memory, for the end of a handshake, or for a turn.
    rests_until: Option<Instant>,
    /// Its end, since that has begun.
    emptying: Option<Emptying>,
    _listening: Listening,
}

struct Connection<S, B>
where
    S: Service<Request<Body>>,
{
    session: Session<S, B>,
    socket: Socket,
    knock: Arc<Knock>,
    waker: Waker,
    armed: Option<Instant>,
}

impl<S, B> Worker<S, B>
where
    S: Service<Request<Body>, Response = Response<B>> + Clone + 'static,
    S::Error: Display,
    B: http_body::Body + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    pub(crate) fn new(hub: &Arc<Hub>, listeners: Vec<Listener>, service: S) -> io::Result<Self> {
        let poll = Poll::new()?;
        let mailbox = Mailbox::new(poll.registry(), MAILBOX)?;
        let mut doors = Vec::with_capacity(listeners.len());
        for (index, listener) in listeners.into_iter().enumerate() {
            let (socket, listening) = listener.into_parts();
            let mut socket = TcpListener::from_std(socket);
            poll.registry().register(&mut socket, listener_token(index), Interest::READABLE)?;
            doors.push(Door { socket, rests_until: None, emptying: None, _listening: listening });
        }
        Ok(Self {
            hub: Arc::clone(hub),
            service,
            poll,
            _watch: hub.watch(Waker::from(Arc::clone(&mailbox))),
            mailbox,
            doors,
            connections: Slab::new(),
            timers: Timers::default(),
            pace: Pace::default(),
            to_send: VecDeque::with_capacity(TOGETHER),
            now: hub.clock.now(),
        })
    }

    /// Runs until the server has stopped.
    pub(crate) fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS);
        loop {
            if self.mailbox.take_changed() && self.follow_hub() {
                return Ok(());
            }
            self.send();
            self.turn(&mut events)?;
        }
    }

    /// Waits for news, and attends to all that there are.
    fn turn(&mut self, events: &mut Events) -> io::Result<()> {
        self.wait(events)?;
        for event in &*events {
            match event.token() {
                MAILBOX => {}
                Token(key) => match self.connections.get_mut(key) {
                    Some(connection) => {
                        connection.socket.note(event);
                        self.drive(key);
                    }
                    None => self.answer_door(MAILBOX.0 - 1 - key),
                },
            }
        }
        for key in self.mailbox.take_woken() {
            self.drive(key);
        }
        self.expire();
        Ok(())
    }

    fn wait(&mut self, events: &mut Events) -> io::Result<()> {
        let rests = self.doors.iter().filter_map(|door| door.rests_until);
        let next = rests.chain(self.timers.next()).chain(self.hub.next_timeout()).min();
        let timeout = match self.mailbox.may_wait() {
            true => next.map(|at| at.since(self.hub.clock.now())),
            false => Some(Duration::ZERO),
        };
        let result = self.poll.poll(events, timeout);
        self.mailbox.stop_waiting();
        self.now = self.hub.clock.now();
        match result {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            result => result,
        }
    }

    /// Does what the hub's change asks for; whether the server has stopped.
    fn follow_hub(&mut self) -> bool {
        if self.hub.has_stopped() {
            return true;
        }
        // Those who are in hear of it first.
        let keys: Vec<usize> = self.connections.iter().map(|(key, _)| key).collect();
        keys.into_iter().for_each(|key| self.drive(key));
        if self.hub.gate() != Gate::Open {
            self.close_doors();
        }
        false
    }

    /// Accepts what the kernel's queue holds, until it would block; then closes.
    fn close_doors(&mut self) {
        for index in (0..self.doors.len()).rev() {
            // It takes a moment to find out whether a door can be closed.
            self.send();
            if self.hub.gate() == Gate::Emptying {
                let now = self.hub.clock.now();
                let door = &mut self.doors[index];
                door.emptying.get_or_insert_with(|| Emptying::begin(&door.socket, now));
                self.accept(index);
                self.send();
                let door = &mut self.doors[index];
                // One that is short of descriptors has not been emptied.
                if door.rests_until.is_none() {
                    door.rests_until = door.emptying.as_mut().and_then(|emptying| emptying.look_again(now));
                }
            }
            if self.doors[index].rests_until.is_none() || self.hub.gate() == Gate::Shut {
                self.doors.swap_remove(index);
            }
        }
    }

    /// Somebody may be at this door.
    fn answer_door(&mut self, index: usize) {
        match self.hub.level() {
            Level::Serve => self.accept(index),
            Level::Drain(_) | Level::Abort => self.close_doors(),
        }
    }

    /// Accepts what waits at a door. A crowd that is larger than one turn's is gone on with at the next.
    fn accept(&mut self, index: usize) {
        for _ in 0..ACCEPTS {
            let Some(door) = self.doors.get_mut(index) else { return };
            match door.socket.accept() {
                Ok((stream, peer)) => {
                    door.rests_until = None;
                    self.attend(stream, peer);
                }
                Err(error) => {
                    door.rests_until = match AcceptError::of(&error, &self.hub) {
                        AcceptError::Next => continue,
                        AcceptError::Empty | AcceptError::Broken => None,
                        AcceptError::BackOff(rest) => Some(self.hub.clock.now() + rest),
                    };
                    return;
                }
            }
        }
        if let Some(door) = self.doors.get_mut(index) {
            door.rests_until = Some(self.now);
        }
    }

    fn attend(&mut self, mut stream: TcpStream, peer: SocketAddr) {
        let Some(service) = service_for(&self.service, peer) else { return };
        let entry = self.connections.vacant_entry();
        let key = entry.key();
        let interest = Interest::READABLE | Interest::WRITABLE;
        if let Err(error) = self.poll.registry().register(&mut stream, Token(key), interest) {
            tracing::error!(%peer, "a connection could not be registered and is dropped: {error}");
            return;
        }
        let knock = self.mailbox.waker(key);
        entry.insert(Box::new(Connection {
            session: Session::new(Arc::clone(&self.hub), service, peer),
            socket: Socket::new(stream),
            waker: knock.waker(),
            knock,
            armed: None,
        }));
        self.drive(key);
    }

    /// Lets one connection take in what there is, and send what comes of it: where many have their turn and are quick,
    /// once some others have taken in too.
    fn drive(&mut self, key: usize) {
        if self.connections.get(key).is_some_and(|connection| connection.session.is_to_send()) {
            // What it has answered goes before anything else happens to it.
            self.send();
        }
        let Some(connection) = self.connections.get_mut(key) else { return };
        let Connection { session, socket, knock, waker, .. } = &mut **connection;
        knock.answered();
        let to_send = session.receive(&mut Context::from_waker(waker), socket, self.now);
        // Handlers take their time; for the rest, a moment ago will do.
        self.now = self.now.max(session.now());
        let is_brisk = self.pace.count(|| self.hub.clock.now());
        match to_send {
            ToSend::AtOnce => self.to_send.push_front(key),
            ToSend::InAWhile => self.to_send.push_back(key),
        }
        if to_send == ToSend::AtOnce || !is_brisk || self.to_send.len() >= TOGETHER {
            self.send();
        }
    }

    /// Lets those send that have received.
    fn send(&mut self) {
        while let Some(key) = self.to_send.pop_front() {
            self.send_one(key);
        }
    }

    fn send_one(&mut self, key: usize) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        let Connection { session, socket, waker, armed, .. } = &mut **connection;
        let over = session.send(&mut Context::from_waker(waker), socket).is_ready();
        self.now = self.now.max(session.now());
        if over {
            let connection = self.connections.remove(key);
            // With it goes its service, which is the handlers' code.
            if catch_unwind(AssertUnwindSafe(|| drop(connection))).is_err() {
                tracing::error!("a service panicked while it was dropped with its connection");
            }
            let connections = &self.connections;
            self.timers.forget_stale(connections.len(), |key| connections.get(key)?.armed);
        } else if let Some(next) = session.next_timeout() {
            self.timers.arm(armed, next, key);
        }
    }

    /// Ends the waits whose time has come.
    fn expire(&mut self) {
        let now = self.now;
        if self.hub.next_timeout().is_some_and(|at| at <= now) {
            self.hub.expire();
        }
        while let Some((at, key)) = self.timers.take_due(now) {
            if let Some(connection) = self.connections.get_mut(key)
                && connection.armed == Some(at)
            {
                connection.armed = None;
                self.drive(key);
            }
        }
        for index in (0..self.doors.len()).rev() {
            // Those before it may have closed with it.
            let rests_until = self.doors.get(index).and_then(|door| door.rests_until);
            if rests_until.is_some_and(|until| until <= now) {
                self.answer_door(index);
            }
        }
    }
}

#[cfg(test)]
mod tests;
