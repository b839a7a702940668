//! Every order of events around the drain of a whole server, walked through with the real `Server`.

use std::time::Duration;

use lameduck_core::Instant;
use lameduck_core::server::{Cause, Gate, Level, Plan, Server, Stage, Transition};
use stateright::{Model, Property};

/// Connections at once, and connections in all.
const OPEN: u64 = 2;
const ACCEPTED: u8 = 4;

/// How often time passes although nothing is due, and by how much.
const NAPS: u8 = 6;
const NAP: Duration = Duration::from_millis(700);

/// What the checker walks through.
struct Servers(Plan);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Action {
    Open,
    Close,
    Shut,
    Drain,
    Force,
    Wake,
    /// Time passes; the server is not told.
    Nap,
    /// Time seems to go back.
    Rewind,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct State {
    server: Server,
    now: Instant,
    accepted: u8,
    naps: u8,
    newest: Instant,
    deadline: Option<Instant>,
    broken: Option<&'static str>,
}

const S1: &str = "S1: stages only go forward, each with its cause";
const S2: &str = "S2: the level never goes down, and the gate never opens again";
const S3: &str = "S3: it stops the moment nothing is left, and never before";
const S4: &str = "S4: a lame duck lasts as long as it has to and no longer than it may";
const S5: &str = "S5: every stage of the end but the cut itself has a timer ahead";
const S6: &str = "S6: a drain, once asked for, is never put off";
const S7: &str = "S7: what is left at the deadline is cut";

impl Model for Servers {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let now = Instant::from_millis(5_000);
        vec![State {
            server: Server::new(now),
            now,
            accepted: 0,
            naps: 0,
            newest: now,
            deadline: None,
            broken: None,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.server.gate() != Gate::Shut && state.server.open() < OPEN && state.accepted < ACCEPTED {
            actions.push(Action::Open);
        }
        if state.naps < NAPS {
            actions.push(Action::Nap);
        }
        if state.server.poll_timeout(&self.0).is_some() {
            actions.push(Action::Wake);
        }
        // A close too many, and every command at any time: nothing that a caller does is out of order.
        actions.extend([Action::Close, Action::Shut, Action::Drain, Action::Force, Action::Rewind]);
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let plan = &self.0;
        let mut next = state.clone();
        let server = &mut next.server;
        match action {
            Action::Open => {
                next.accepted += 1;
                next.newest = next.now;
                server.handle_opened(next.now);
            }
            Action::Close => server.handle_closed(next.now),
            Action::Shut => server.handle_shut(next.now),
            Action::Drain => {
                server.drain(next.now, plan);
                let mut again = server.clone();
                again.drain(next.now, plan);
                if again != *server {
                    next.broken = Some(S6);
                }
            }
            Action::Force => server.force(next.now),
            Action::Wake => {
                next.now = next.now.max(server.poll_timeout(plan).unwrap_or(next.now));
                server.handle_timeout(next.now, plan);
            }
            Action::Nap => {
                next.naps += 1;
                next.now = next.now + NAP;
            }
            Action::Rewind => server.handle_timeout(Instant::ORIGIN, plan),
        }
        next.check(plan, state);
        (next != *state).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(S1, |_, state: &State| state.broken != Some(S1)),
            Property::always(S2, |_, state: &State| state.broken != Some(S2)),
            Property::always(S3, |_, state: &State| state.broken != Some(S3)),
            Property::always(S4, |_, state: &State| state.broken != Some(S4)),
            Property::always(S5, |servers, state: &State| has_a_timer_ahead(&servers.0, state)),
            Property::always(S6, |_, state: &State| state.broken != Some(S6)),
            Property::always(S7, |servers, state: &State| {
                state.broken != Some(S7) && ends_in_time(&servers.0, state)
            }),
            Property::sometimes("a server drains with nothing cut", |_, state: &State| {
                state.server.stage() == Stage::Stopped
                    && state.accepted > 0
                    && state.deadline.is_some_and(|deadline| deadline > state.now)
            }),
            Property::sometimes("a server is forced by its deadline", |_, state: &State| {
                state.server.stage() == Stage::Forced && state.server.level() != Level::Abort
            }),
        ]
    }
}

impl State {
    fn check(&mut self, plan: &Plan, before: &Self) {
        let mut stage = before.server.stage();
        while let Some(step) = self.server.poll_transition() {
            self.require(S1, step.from == stage && is_forward(step));
            if let Stage::LameDuck { least, most } = step.from {
                let lasts_enough = match step.cause {
                    Cause::Quiet => self.now >= least && self.now >= self.newest + plan.lame_duck_quiet,
                    Cause::StillBusy => self.now >= most,
                    _ => step.cause == Cause::Forced,
                };
                self.require(S4, lasts_enough);
            }
            if let Stage::Draining { deadline } = step.to {
                self.deadline = Some(deadline);
                self.require(S6, deadline == step.at + plan.grace && step.at <= self.now);
            }
            if step.cause == Cause::Deadline {
                self.require(S7, self.deadline.is_some_and(|deadline| deadline <= self.now));
            }
            stage = step.to;
        }
        self.require(S1, stage == self.server.stage());
        let gates = [Gate::Open, Gate::Emptying, Gate::Shut];
        let at = |gate| gates.iter().position(|other| *other == gate);
        self.require(S2, self.server.level() >= before.server.level());
        self.require(S2, at(self.server.gate()) >= at(before.server.gate()));
        self.require(S2, self.server.is_ready() == (stage == Stage::Serving));
        let is_left = self.server.open() > 0 || self.server.gate() != Gate::Shut;
        match stage {
            Stage::Serving | Stage::LameDuck { .. } => {
                self.require(S2, self.server.level() == Level::Serve && self.server.gate() == Gate::Open);
            }
            Stage::Draining { deadline } => {
                self.require(S3, is_left);
                self.require(S2, self.server.level() == Level::Drain(deadline));
            }
            Stage::Forced => {
                self.require(S3, is_left);
                self.require(S2, self.server.gate() == Gate::Shut);
                let cuts = match self.server.level() {
                    Level::Abort => true,
                    Level::Drain(deadline) => deadline <= self.now,
                    Level::Serve => false,
                };
                self.require(S7, cuts);
            }
            Stage::Stopped => self.require(S3, !is_left),
        }
        if let Stage::LameDuck { least, most } = stage {
            let due = self.server.poll_timeout(plan);
            self.require(S4, due.is_some_and(|due| due >= least && due <= most));
            self.require(S4, most.since(least) <= plan.lame_duck_max);
        }
    }

    fn require(&mut self, name: &'static str, holds: bool) {
        if !holds && self.broken.is_none() {
            self.broken = Some(name);
        }
    }
}

fn is_forward(step: Transition) -> bool {
    use Stage::{Draining, Forced, LameDuck, Serving, Stopped};
    matches!(
        (step.from, step.to, step.cause),
        (Serving, LameDuck { .. } | Draining { .. }, Cause::Asked)
            | (LameDuck { .. }, Draining { .. }, Cause::Quiet | Cause::StillBusy)
            | (Draining { .. }, Forced, Cause::Deadline)
            | (Serving | LameDuck { .. } | Draining { .. }, Forced, Cause::Forced)
            | (Draining { .. } | Forced, Stopped, Cause::NothingLeft)
    )
}

fn has_a_timer_ahead(plan: &Plan, state: &State) -> bool {
    let mut server = state.server.clone();
    server.handle_timeout(state.now, plan);
    let due = server.poll_timeout(plan);
    match server.stage() {
        Stage::LameDuck { .. } | Stage::Draining { .. } => due.is_some_and(|due| due > state.now),
        Stage::Serving | Stage::Forced | Stage::Stopped => due.is_none(),
    }
}

/// Time alone brings a server whose end was asked for to the cut; and once that is obeyed, to its end.
fn ends_in_time(plan: &Plan, state: &State) -> bool {
    let mut server = state.server.clone();
    if server.stage() == Stage::Serving {
        return true;
    }
    let mut now = state.now;
    while let Some(due) = server.poll_timeout(plan) {
        now = now.max(due);
        server.handle_timeout(now, plan);
    }
    let bound = plan.lame_duck.max(plan.lame_duck_max) + plan.grace;
    let in_time = now <= state.now + bound;
    server.handle_shut(now);
    while server.open() > 0 {
        server.handle_closed(now);
    }
    in_time && server.stage() == Stage::Stopped
}

fn explore(name: &str, plan: Plan) {
    lameduck_tests::explore::explore(name, Servers(plan));
}

fn plan(lame_duck: u64, lame_duck_max: u64, grace: u64) -> Plan {
    Plan {
        lame_duck: Duration::from_millis(lame_duck),
        lame_duck_max: Duration::from_millis(lame_duck_max),
        lame_duck_quiet: Duration::from_millis(1_000),
        grace: Duration::from_millis(grace),
    }
}

#[test]
fn a_server_without_a_lame_duck_drains_in_every_order() {
    explore("no lame duck", plan(0, 15_000, 3_000));
    explore("hardly any grace", plan(0, 15_000, 1));
}

#[test]
fn a_server_with_a_lame_duck_drains_in_every_order() {
    explore("a lame duck", plan(2_000, 4_000, 3_000));
    explore("a lame duck that lasts longer than its most", plan(4_000, 2_000, 3_000));
    explore("a lame duck shorter than its quiet", plan(300, 1_500, 3_000));
}
