//! What the connections of one server share: its drain, and the record of how each ended.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use http::Extensions;
use lameduck_core::server::{Gate, Level, Plan, Server, Stage, Transition};
use lameduck_core::{CloseReason, Config, Due, Instant, Reason};
use slab::Slab;

use crate::clock::Clock;
use crate::notice::{Board, DrainNotice, Notices};

/// The centre of one server. The shell's threads, its listeners and every session hold it.
pub struct Hub {
    /// What each connection may use.
    pub config: Arc<Config>,
    /// The clock of all its instants.
    pub clock: Clock,
    plan: Plan,
    board: Arc<Board>,
    /// What a request starts with: mostly the drain notice. To copy it is less work than to make it.
    extensions: Extensions,
    served: AtomicU64,
    refused: AtomicU64,
    state: Mutex<State>,
    stepped: Condvar,
}

struct State {
    server: Server,
    /// Who has to look when the level or the gate changes: connections, threads, listeners.
    watchers: Slab<Waker>,
    /// Listening sockets that are open.
    listeners: usize,
    next: u64,
    /// The connections that a drain still waits for, and what they are at.
    holders: BTreeMap<u64, Holder>,
    drained: u64,
    cut: Vec<Cut>,
    transitions: Vec<Transition>,
    /// When the log last said that accepting fails for want of something.
    shortage: Option<Instant>,
}

/// A connection that a drain waits for.
#[derive(Clone, Debug)]
pub struct Holder {
    /// The peer.
    pub peer: SocketAddr,
    /// The protocol that it speaks.
    pub protocol: &'static str,
    /// What it is at.
    pub stage: lameduck_core::Stage,
    /// The oldest request that is being served or sent: its method and target.
    pub request: Option<String>,
    /// How many more there are.
    pub more: usize,
    /// Since when: that request, or the stage.
    pub since: Instant,
    /// What it waits for, and until when; nothing, where it waits for its handler.
    pub due: Option<Due>,
}

/// A request that was cut, or a connection that had none and was ended with something undone.
#[derive(Clone, Debug)]
pub struct Cut {
    /// The peer.
    pub peer: SocketAddr,
    /// The protocol that it spoke.
    pub protocol: &'static str,
    /// What it was at.
    pub stage: lameduck_core::Stage,
    /// The request that was lost: its method and target.
    pub request: Option<String>,
    /// How old that was.
    pub age: Duration,
    /// Why it was cut.
    pub reason: CloseReason,
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let request = self.request.as_deref().unwrap_or("no request");
        write!(
            f,
            "{} {} {}: {request}, {:.1?} old: {}",
            self.peer, self.protocol, self.stage, self.age, self.reason
        )
    }
}

/// How a server stands.
#[derive(Clone, Debug)]
pub struct Progress {
    /// Its stage.
    pub stage: Stage,
    /// How many connections are open.
    pub open: u64,
    /// How long until what is left is cut, in a drain.
    pub time_left: Option<Duration>,
    /// Those of the open connections that have heard of the drain, the one that is at it longest first.
    pub holders: Vec<Holder>,
    /// The moment of this picture, on the clock of the holders' instants.
    pub now: Instant,
}

/// How a server ended.
#[derive(Clone, Debug)]
pub struct Report {
    /// How many requests got their whole response.
    pub served: u64,
    /// How many requests of HTTP/2 were refused unheard, which is safe to retry: they came behind the cutoff, or were too
    /// many at once.
    pub refused: u64,
    /// How many connections ended by themselves once the drain had begun.
    pub drained: u64,
    /// The requests that were cut, and the connections that had none.
    pub cut: Vec<Cut>,
    /// Each step from one stage to the next, with its time and its cause.
    pub transitions: Vec<Transition>,
}

impl Report {
    /// Whether the operator did not wait for the drain's end.
    pub fn was_forced(&self) -> bool {
        self.transitions.iter().any(|step| step.cause == lameduck_core::server::Cause::Forced)
    }
}

/// The operator's hand on a server. Clones hold the same one.
#[derive(Clone)]
pub struct DrainHandle(pub(crate) Arc<Hub>);

impl DrainHandle {
    /// Ends the server in its own time. Again, it changes nothing.
    pub fn begin(&self) {
        self.begin_for(Reason::default());
    }

    /// The same, with a word on why, for whoever traces a client.
    pub fn begin_for(&self, reason: Reason) {
        self.0.change(|server, now, plan| server.drain_for(now, plan, reason));
    }

    /// Ends the server now; what is left is cut.
    pub fn force(&self) {
        self.0.change(|server, now, _| server.force(now));
    }

    /// Whether a load balancer should send new work.
    pub fn is_ready(&self) -> bool {
        self.0.lock().server.is_ready()
    }

    /// How the server stands, and who holds it.
    pub fn progress(&self) -> Progress {
        let now = self.0.clock.now();
        let state = self.0.lock();
        let mut holders: Vec<Holder> = state.holders.values().cloned().collect();
        holders.sort_by_key(|holder| holder.since);
        let time_left = match state.server.stage() {
            Stage::Draining { deadline } => Some(deadline.since(now)),
            _ => None,
        };
        Progress { stage: state.server.stage(), open: state.server.open(), time_left, holders, now }
    }

    /// Waits, for as long as `patience`, until the server passes to another stage than `stage`; the stage
    /// where it then stands. Blocks the thread.
    pub fn wait_for_step(&self, stage: Stage, patience: Duration) -> Stage {
        let state = self.0.lock();
        let (state, _) = self
            .0
            .stepped
            .wait_timeout_while(state, patience, |state| state.server.stage() == stage)
            .unwrap_or_else(PoisonError::into_inner);
        state.server.stage()
    }
}

impl fmt::Debug for DrainHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DrainHandle").field(&self.0.lock().server.stage()).finish()
    }
}

/// A place among those who are woken when something changes. Dropping it gives it up.
pub struct Watch {
    hub: Arc<Hub>,
    key: usize,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.hub.lock().watchers.try_remove(self.key);
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("key", &self.key).finish_non_exhaustive()
    }
}

/// A listening socket that is open. To be dropped after the socket.
pub struct Listening(Arc<Hub>);

impl Clone for Listening {
    fn clone(&self) -> Self {
        self.0.listening()
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.change_with(|state, _, _| state.listeners = state.listeners.saturating_sub(1));
    }
}

impl fmt::Debug for Listening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listening").finish_non_exhaustive()
    }
}

impl Hub {
    /// A hub of a server that serves.
    pub fn new(config: Config, plan: Plan) -> Arc<Self> {
        Self::with_notices(config, plan, Notices::default())
    }

    /// The same, where handlers find the drain notice as `notices` says.
    pub fn with_notices(config: Config, plan: Plan, notices: Notices) -> Arc<Self> {
        let clock = Clock::start();
        let board = Arc::new(Board::new(clock));
        let mut extensions = Extensions::new();
        if notices == Notices::InRequests {
            extensions.insert(DrainNotice(Arc::clone(&board)));
        }
        Arc::new(Self {
            config: Arc::new(config),
            clock,
            plan,
            board,
            extensions,
            served: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            state: Mutex::new(State {
                server: Server::new(clock.now()),
                watchers: Slab::new(),
                listeners: 0,
                next: 0,
                holders: BTreeMap::new(),
                drained: 0,
                cut: Vec::new(),
                transitions: Vec::new(),
                shortage: None,
            }),
            stepped: Condvar::new(),
        })
    }

    /// The operator's hand on this server.
    pub fn handle(self: &Arc<Self>) -> DrainHandle {
        DrainHandle(Arc::clone(self))
    }

    /// What handlers hear of the drain.
    pub fn notice(&self) -> DrainNotice {
        DrainNotice(Arc::clone(&self.board))
    }

    /// What a request starts with.
    pub(crate) fn extensions(&self) -> &Extensions {
        &self.extensions
    }

    /// What every connection is to know; to be read at every step.
    pub fn level(&self) -> Level {
        self.board.level()
    }

    /// Why the server ends.
    pub(crate) fn reason(&self) -> Reason {
        self.lock().server.reason()
    }

    /// What is to be done with the listening sockets.
    pub fn gate(&self) -> Gate {
        self.lock().server.gate()
    }

    /// Whether all is over.
    pub fn has_stopped(&self) -> bool {
        self.lock().server.stage() == Stage::Stopped
    }

    /// When [`expire`](Self::expire) is to be called.
    pub fn next_timeout(&self) -> Option<Instant> {
        self.lock().server.poll_timeout(&self.plan)
    }

    /// Lets the server's own time pass.
    pub fn expire(&self) {
        self.change(Server::handle_timeout);
    }

    /// Wakes `waker` whenever the level, the gate or the stage changes.
    pub fn watch(self: &Arc<Self>, waker: Waker) -> Watch {
        Watch { hub: Arc::clone(self), key: self.lock().watchers.insert(waker) }
    }

    /// Counts one more listening socket, until what is returned is dropped.
    pub fn listening(self: &Arc<Self>) -> Listening {
        self.lock().listeners += 1;
        Listening(Arc::clone(self))
    }

    /// Accepting failed for want of descriptors or memory: a line in the log, every ten seconds at most.
    pub fn note_shortage(&self, error: &io::Error) {
        let now = self.clock.now();
        let mut state = self.lock();
        if state.shortage.is_none_or(|last| now.since(last) >= Duration::from_secs(10)) {
            state.shortage = Some(now);
            let open = state.server.open();
            drop(state);
            tracing::error!(
                open,
                "cannot accept: {error}; new connections wait in the kernel's queue. Raise the limit of open \
                 files, or serve fewer connections"
            );
        }
    }

    /// How it all ended. Meant for after that.
    pub fn report(&self) -> Report {
        let state = self.lock();
        Report {
            served: self.served.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
            drained: state.drained,
            cut: state.cut.clone(),
            transitions: state.transitions.clone(),
        }
    }

    /// A connection was accepted: its number.
    pub(crate) fn opened(&self) -> u64 {
        let now = self.clock.now();
        let mut state = self.lock();
        state.server.handle_opened(now);
        state.next += 1;
        state.next
    }

    /// A connection has ended.
    pub(crate) fn closed(&self, number: u64, served: u64, cuts: Vec<Cut>) {
        self.served.fetch_add(served, Ordering::Relaxed);
        cuts.iter().for_each(log_cut);
        self.change_with(|state, now, _| {
            state.holders.remove(&number);
            if cuts.is_empty() && state.server.level() != Level::Serve {
                state.drained += 1;
            }
            state.cut.extend(cuts);
            state.server.handle_closed(now);
        });
    }

    /// A request was refused unheard.
    pub(crate) fn refuse(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// A request was cut in a drain, and its connection goes on.
    pub(crate) fn cut(&self, cut: Cut) {
        log_cut(&cut);
        self.lock().cut.push(cut);
    }

    /// A connection says what a drain waits for.
    pub(crate) fn hold(&self, number: u64, holder: Holder) {
        self.lock().holders.insert(number, holder);
    }

    fn change(&self, act: impl FnOnce(&mut Server, Instant, &Plan)) {
        self.change_with(|state, now, plan| act(&mut state.server, now, plan));
    }

    /// Moves the server, and tells everyone whom that concerns.
    fn change_with(&self, act: impl FnOnce(&mut State, Instant, &Plan)) {
        let now = self.clock.now();
        let mut state = self.lock();
        let before = (state.server.level(), state.server.gate(), state.server.stage());
        // A connection may be cut at the deadline before the shell's own timer says that it has come.
        state.server.handle_timeout(now, &self.plan);
        act(&mut state, now, &self.plan);
        if state.listeners == 0 {
            state.server.handle_shut(now);
        }
        let after = (state.server.level(), state.server.gate(), state.server.stage());
        if before == after {
            return;
        }
        // Before the log says so: whoever reads it there may count on it.
        self.board.set(after.0);
        let steps: Vec<Transition> = std::iter::from_fn(|| state.server.poll_transition()).collect();
        state.transitions.extend_from_slice(&steps);
        let open = state.server.open();
        let watchers: Vec<Waker> = state.watchers.iter().map(|(_, waker)| waker.clone()).collect();
        drop(state);
        for step in steps {
            tracing::info!(from = %step.from, to = %step.to, open, "{}: {}", step.to, step.cause);
        }
        if before.0 != after.0 {
            self.board.wake_all();
        }
        self.stepped.notify_all();
        watchers.into_iter().for_each(Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn log_cut(cut: &Cut) {
    tracing::warn!(
        peer = %cut.peer, protocol = cut.protocol, stage = %cut.stage,
        request = cut.request.as_deref().unwrap_or("none"), age_ms = cut.age.as_millis() as u64,
        "cut: {}", cut.reason
    );
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").field("stage", &self.lock().server.stage()).finish_non_exhaustive()
    }
}
