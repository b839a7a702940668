//! Every order of events around one HTTP/1 connection, walked through with the real `Connection`.
//!
//! A script is what a peer sends. Everything else is choice: where its bytes are split, when its FIN or RST
//! comes, what the handler does and in which steps, how the peer takes what it is sent, when the operator
//! drains or cuts, and which deadlines come first. The states in which that can end up are all visited and
//! asked for the invariants of `core/LIFECYCLE.md`. Time moves only to the next deadline, or once by a
//! pause that is longer than `idle_quiet`; that keeps the number of states finite. Requests without a body are
//! split at every byte, also two in a row; longer scripts (`cut_near_edges`) around every edge of a head or body.

use lameduck_core::{Config, HalfClose};
use lameduck_tests::model::script::{After, Answer, Request, Script, Sends, Verdict};
use lameduck_tests::model::{Action, Invariant, State, probe};
use lameduck_tests::reader::Asked;
use stateright::{Model, Property};

/// What the checker walks through.
struct Runs(Script);

impl Model for Runs {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::new(&self.0)]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        state.actions(&self.0, actions);
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        Some(state.step(&self.0, action))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("I1: a request that has begun is answered, whole", |_, state| {
                keeps(state, Invariant::I1)
            }),
            Property::always("I2: responses are well formed and in order", |_, state| {
                keeps(state, Invariant::I2)
            }),
            Property::always("I3: nothing is served after a response that said close", |_, state| {
                keeps(state, Invariant::I3)
            }),
            Property::always("I4: the last response of a drain says close", |_, state| {
                keeps(state, Invariant::I4)
            }),
            Property::always(
                "I5: close is said for a reason, and never over a request that has begun",
                |_, state| keeps(state, Invariant::I5),
            ),
            Property::always("I6: time alone ends a drain", |runs, state| {
                probe::time_alone_ends_a_drain(&runs.0, state)
            }),
            Property::always("I7: a drain is a level", |runs, state| {
                keeps(state, Invariant::I7) && probe::a_drain_is_a_level(&runs.0, state)
            }),
            Property::always("I8: an abort ends it", |runs, state| probe::an_abort_ends_it(&runs.0, state)),
            Property::always("I9: no split of the input matters", |runs, state| {
                probe::no_split_matters(&runs.0, state)
            }),
            Property::always("I10: no deadline lies in the past", |runs, state| {
                probe::it_never_spins(&runs.0, state)
            }),
            Property::always("I11: a request ends once, by its answer or cancelled", |_, state| {
                keeps(state, Invariant::I11)
            }),
            Property::always("I12: closed is told once, and last", |runs, state| {
                keeps(state, Invariant::I12) && probe::closed_is_the_end(&runs.0, state)
            }),
            Property::always("I13: our FIN goes once, and after everything else", |_, state| {
                keeps(state, Invariant::I13)
            }),
            Property::always("I14: a handler gets the body that was sent", |_, state| {
                keeps(state, Invariant::I14)
            }),
            Property::always("I16: it is never deaf for good", |runs, state| {
                probe::it_is_never_deaf(&runs.0, state)
            }),
            Property::always("I17: no wait is without a timer", |runs, state| {
                keeps(state, Invariant::I17) && probe::no_wait_is_without_a_timer(&runs.0, state)
            }),
            Property::always("I18: a drain leaves an idle peer its moment", |_, state| {
                keeps(state, Invariant::I18)
            }),
            Property::sometimes("all that can be served is", |runs, state: &State| {
                state.is_served_whole(&runs.0)
            }),
            Property::sometimes("a drain ends with nothing cut", |_, state: &State| state.is_drained()),
        ]
    }
}

fn keeps(state: &State, invariant: Invariant) -> bool {
    state.broken != Some(invariant)
}

fn explore(script: Script) {
    lameduck_tests::explore::explore(script.name, Runs(script));
}

const POST: &str = "POST / HTTP/1.1\r\nhost:a\r\ncontent-length:4\r\n\r\nabcd";
const CHUNKED: &str =
    "POST / HTTP/1.1\r\nhost:a\r\ntransfer-encoding:chunked\r\n\r\n2\r\nab\r\n2\r\ncd\r\n0\r\nx:y\r\n\r\n";
const EXPECTS: &str = "PUT / HTTP/1.1\r\nhost:a\r\nexpect:100-continue\r\ncontent-length:4\r\n\r\nabcd";
const LAST: &str = "GET / HTTP/1.1\r\nhost:a\r\nconnection:close\r\n\r\n";
const OLD: &str = "GET / HTTP/1.0\r\n\r\n";
const OLD_KEEP: &str = "GET / HTTP/1.0\r\nconnection:keep-alive\r\n\r\n";
const UPGRADE: &str = "GET / HTTP/1.1\r\nhost:a\r\nconnection:upgrade\r\nupgrade:x\r\n\r\n";
const CONNECT: &str = "CONNECT a:1 HTTP/1.1\r\nhost:a:1\r\n\r\n";

fn get() -> (&'static str, Request) {
    Request::get()
}

fn post(text: &'static str) -> (&'static str, Request) {
    Request::post(text, "abcd")
}

fn changed(part: (&'static str, Request), change: impl FnOnce(&mut Request)) -> (&'static str, Request) {
    let (text, mut request) = part;
    change(&mut request);
    (text, request)
}

fn expects() -> (&'static str, Request) {
    changed(post(EXPECTS), |request| request.sends = Sends::Expects)
}

fn closes(text: &'static str) -> (&'static str, Request) {
    changed(Request::text(text), |request| request.after = After::Close)
}

fn refused(text: &'static str) -> (&'static str, Request) {
    changed(Request::text(text), |request| request.verdict = Verdict::Refuse)
}

fn switches(text: &'static str, asked: Asked) -> (&'static str, Request) {
    changed(Request::text(text), |request| {
        request.verdict = Verdict::RefuseInDrain;
        request.asked = asked;
    })
}

/// Windows of a few bytes, so that every one of them fills.
fn narrow(script: Script) -> Script {
    script.configured(|config| {
        config.limits.body_window = 3;
        config.limits.discard = 2;
        config.limits.pipeline = 8;
        config.limits.send_queue = 16;
    })
}

#[test]
fn one_request_at_every_split_is_served_or_refused() {
    explore(Script::new("one request", [get()]).with_resets());
    explore(Script::new("one that says close", [closes(LAST)]));
    explore(Script::new("one of HTTP/1.0", [closes(OLD)]));
    let cancels = |config: &mut Config| config.half_close = HalfClose::Cancel;
    explore(Script::new("one, and a FIN means leaving", [get()]).configured(cancels));
}

#[test]
fn no_second_request_is_lost_whenever_it_comes() {
    explore(Script::new("two in turns", [get(), get()]).in_turns());
    explore(Script::new("two at will", [get(), get()]));
    explore(narrow(Script::new("two at will, narrow", [get(), get()])));
    let keeps = || changed(Request::text(OLD_KEEP), |request| request.after = After::KeepKnown);
    explore(Script::new("two of HTTP/1.0", [keeps(), closes(OLD)]));
    explore(Script::new("one, and one after close", [closes(LAST), get()]));
    explore(Script::new("one, and garbage", [get(), refused("\0\r\n\r\n")]));
    explore(
        Script::new("three at will", [get(), get(), get()]).cut_near_edges(1).answered_with(&[Answer::Known]),
    );
}

#[test]
fn no_request_with_a_body_is_lost_however_it_is_read() {
    explore(Script::new("a body", [post(POST)]).with_resets());
    explore(narrow(Script::new("a body, narrow, then another", [post(POST), get()]).cut_near_edges(4)));
    explore(
        narrow(Script::new("chunks and trailers", [post(CHUNKED)]))
            .answered_with(&[Answer::Known])
            .cut_near_edges(16),
    );
    explore(Script::new("a body that waits for 100", [expects(), get()]).cut_near_edges(2));
}

#[test]
fn a_tunnel_is_opened_or_refused_and_ends_once() {
    let tail = || changed(refused("xyz"), |_| {});
    let switch = [Answer::Known, Answer::Switch];
    let upgrade = || switches(UPGRADE, Asked::Plain);
    explore(Script::new("an upgrade", [upgrade(), tail()]).answered_with(&switch).cut_near_edges(4));
    explore(
        Script::new("an upgrade behind another", [get(), upgrade()]).answered_with(&switch).cut_near_edges(2),
    );
    explore(
        narrow(Script::new("a CONNECT", [switches(CONNECT, Asked::Connect), tail()]))
            .answered_with(&[Answer::Known])
            .cut_near_edges(4),
    );
}

#[test]
fn a_caller_without_manners_breaks_nothing() {
    explore(Script::new("one request, any order", [get()]).cut_near_edges(1).without_manners());
    explore(
        narrow(Script::new("two, any order", [get(), get()]))
            .cut_near_edges(0)
            .answered_with(&[Answer::Known])
            .without_manners(),
    );
    explore(narrow(Script::new("a body, any order", [post(POST)])).cut_near_edges(1).without_manners());
}
