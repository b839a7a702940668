//! The server as a whole: serving, lame duck, draining, forced, stopped.
//!
//! One [`Server`] stands for one process. It knows no connection by name: it counts them, says when to stop
//! accepting, and tells every connection, old or new, the [`Level`] that it is to read.

use alloc::collections::VecDeque;
use core::fmt;
use core::time::Duration;

use crate::time::Instant;
use crate::timer::Reason;

/// How long the stages of an end may last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Plan {
    /// How long, once told to drain, the server only says that it is not ready and serves on. Default: not at
    /// all.
    pub lame_duck: Duration,
    /// How long that may become while new connections still come: whoever sends them has not heard yet.
    /// Default 15 s; counts only where `lame_duck` is not zero.
    pub lame_duck_max: Duration,
    /// How long no new connection must have come for the lame duck to end. Default 1 s.
    pub lame_duck_quiet: Duration,
    /// How long the drain may last; what is left then is cut. Default 25 s.
    pub grace: Duration,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            lame_duck: Duration::ZERO,
            lame_duck_max: Duration::from_secs(15),
            lame_duck_quiet: Duration::from_secs(1),
            grace: Duration::from_secs(25),
        }
    }
}

/// Where a server stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Stage {
    /// It serves.
    Serving,
    /// It serves, and says that it is not ready: its end has been asked for.
    LameDuck {
        /// It lasts at least until then.
        least: Instant,
        /// It lasts at most until then.
        most: Instant,
    },
    /// It takes no new connection and finishes what it has.
    Draining {
        /// What is left then is cut.
        deadline: Instant,
    },
    /// What was left is being cut.
    Forced,
    /// Nothing is left.
    Stopped,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Serving => "serving",
            Self::LameDuck { .. } => "lame duck",
            Self::Draining { .. } => "draining",
            Self::Forced => "forced",
            Self::Stopped => "stopped",
        })
    }
}

/// Why a server passed from one stage to the next.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Cause {
    /// The operator asked for its end.
    Asked,
    /// The lame duck's time was over and no new connection came.
    Quiet,
    /// The lame duck's longest time was over; new connections still came.
    StillBusy,
    /// The drain's deadline came.
    Deadline,
    /// The operator would not wait.
    Forced,
    /// Nothing was left.
    NothingLeft,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Asked => "asked to end",
            Self::Quiet => "no new connection comes",
            Self::StillBusy => "new connections still come, and the longest wait for them is over",
            Self::Deadline => "the deadline has come",
            Self::Forced => "told not to wait",
            Self::NothingLeft => "nothing is left",
        })
    }
}

/// A step from one stage to the next.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Transition {
    /// When.
    pub at: Instant,
    /// From where.
    pub from: Stage,
    /// To where.
    pub to: Stage,
    /// Why.
    pub cause: Cause,
}

/// What is to be done with the listening sockets.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Gate {
    /// Accept.
    Open,
    /// Accept what the kernel's queue holds, until it would block; then close, and say so with
    /// [`Server::handle_shut`].
    Emptying,
    /// Closed, or to be closed without another look.
    Shut,
}

/// What every connection is to know.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Level {
    /// Serve.
    Serve,
    /// [`Connection::drain_for`](crate::Connection::drain_for), with this deadline and [`Server::reason`].
    Drain(Instant),
    /// [`Connection::abort`](crate::Connection::abort).
    Abort,
}

/// The drain of a whole server.
///
/// The methods are of the same four kinds as those of a [`Connection`](crate::Connection), and keep the same
/// promises: any order of calls is legal, none panics, and time comes from the caller.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Server {
    stage: Stage,
    level: Level,
    reason: Reason,
    gate: Gate,
    open: u64,
    /// When the newest connection came.
    newest: Instant,
    now: Instant,
    transitions: VecDeque<Transition>,
}

impl Server {
    /// A server that serves.
    pub fn new(now: Instant) -> Self {
        Self {
            stage: Stage::Serving,
            level: Level::Serve,
            reason: Reason::default(),
            gate: Gate::Open,
            open: 0,
            newest: now,
            now,
            transitions: VecDeque::new(),
        }
    }

    // A. Getters.

    /// Where it stands.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// What every connection is to know, one that comes late too.
    pub fn level(&self) -> Level {
        self.level
    }

    /// Why its end was asked for.
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// What is to be done with the listening sockets.
    pub fn gate(&self) -> Gate {
        self.gate
    }

    /// Whether a load balancer should send new work.
    pub fn is_ready(&self) -> bool {
        self.stage == Stage::Serving
    }

    /// How many connections are open.
    pub fn open(&self) -> u64 {
        self.open
    }

    // B. What happened.

    /// A connection was accepted.
    pub fn handle_opened(&mut self, now: Instant) {
        self.newest = self.tick(now);
        self.open = self.open.saturating_add(1);
    }

    /// A connection has ended.
    pub fn handle_closed(&mut self, now: Instant) {
        self.tick(now);
        self.open = self.open.saturating_sub(1);
        self.stop_if_empty();
    }

    /// Every listening socket has been emptied and closed.
    pub fn handle_shut(&mut self, now: Instant) {
        self.tick(now);
        if self.gate != Gate::Open {
            self.gate = Gate::Shut;
            self.stop_if_empty();
        }
    }

    /// Ends the stages whose time has come.
    pub fn handle_timeout(&mut self, now: Instant, plan: &Plan) {
        let now = self.tick(now);
        while let Some((_, cause)) = self.next_step(plan).filter(|(at, _)| *at <= now) {
            match cause {
                Cause::Deadline => {
                    // Whoever is still in the kernel's queue has waited in vain: for descriptors, say.
                    self.gate = Gate::Shut;
                    self.pass_to(Stage::Forced, cause);
                    self.stop_if_empty();
                }
                _ => self.begin_drain(plan, cause),
            }
        }
    }

    // C. Commands.

    /// Ends the server in its own time. Said again, it changes nothing.
    pub fn drain(&mut self, now: Instant, plan: &Plan) {
        self.drain_for(now, plan, Reason::default());
    }

    /// The same, with a word on why, which its connections are to pass on.
    pub fn drain_for(&mut self, now: Instant, plan: &Plan, reason: Reason) {
        let now = self.tick(now);
        if self.stage != Stage::Serving {
            return;
        }
        self.reason = reason;
        if plan.lame_duck.is_zero() {
            return self.begin_drain(plan, Cause::Asked);
        }
        let most = now + plan.lame_duck_max.max(plan.lame_duck);
        self.pass_to(Stage::LameDuck { least: now + plan.lame_duck, most }, Cause::Asked);
    }

    /// Ends the server now: what is left is cut.
    pub fn force(&mut self, now: Instant) {
        self.tick(now);
        if self.stage != Stage::Stopped {
            self.level = Level::Abort;
            self.gate = Gate::Shut;
            if self.stage != Stage::Forced {
                self.pass_to(Stage::Forced, Cause::Forced);
            }
            self.stop_if_empty();
        }
    }

    // D. What the caller is to do.

    /// The next step that was taken, for the log.
    pub fn poll_transition(&mut self) -> Option<Transition> {
        self.transitions.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called.
    pub fn poll_timeout(&self, plan: &Plan) -> Option<Instant> {
        self.next_step(plan).map(|(at, _)| at)
    }

    fn next_step(&self, plan: &Plan) -> Option<(Instant, Cause)> {
        match self.stage {
            Stage::LameDuck { least, most } => {
                let quiet = least.max(self.newest + plan.lame_duck_quiet);
                Some(if quiet <= most { (quiet, Cause::Quiet) } else { (most, Cause::StillBusy) })
            }
            Stage::Draining { deadline } => Some((deadline, Cause::Deadline)),
            Stage::Serving | Stage::Forced | Stage::Stopped => None,
        }
    }

    fn begin_drain(&mut self, plan: &Plan, cause: Cause) {
        let deadline = self.now + plan.grace;
        self.level = Level::Drain(deadline);
        self.gate = Gate::Emptying;
        self.pass_to(Stage::Draining { deadline }, cause);
    }

    fn stop_if_empty(&mut self) {
        let ending = matches!(self.stage, Stage::Draining { .. } | Stage::Forced);
        if ending && self.gate == Gate::Shut && self.open == 0 {
            self.pass_to(Stage::Stopped, Cause::NothingLeft);
        }
    }

    fn pass_to(&mut self, to: Stage, cause: Cause) {
        let transition = Transition { at: self.now, from: self.stage, to, cause };
        self.stage = to;
        self.transitions.push_back(transition);
    }

    fn tick(&mut self, now: Instant) -> Instant {
        self.now = self.now.max(now);
        self.now
    }
}
