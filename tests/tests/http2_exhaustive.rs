//! Every order of events around one HTTP/2 connection, walked through with the real `Connection`.
//!
//! A script is what a client has to say: the streams that it opens, and what it may do beside them. Everything
//! else is choice: which frame comes next, where it is split, what the handlers do and in which steps, when the
//! client takes what it is sent and acks it, when the operator drains, which deadlines come first. The states in
//! which that can end up are all visited and asked for the invariants H1 to H19 of `core/LIFECYCLE.md`. Time moves
//! only to the next deadline, and a few times in a run; what time alone leads to is tried in every state.

use std::time::Duration;

use lameduck_core::{Config, HalfClose};
use lameduck_tests::model::Amount;
use lameduck_tests::model::http2::script::{Aside, Opening, Part, Says, Script, Stream};
use lameduck_tests::model::http2::{Action, Deed, Invariant, Say, State, probe};
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
            Property::always("H1: what the last GOAWAY counts is answered or reset by name", |_, state| {
                keeps(state, Invariant::H1)
            }),
            Property::always("H2: what it does not count is refused and never handled", |_, state| {
                keeps(state, Invariant::H2)
            }),
            Property::always("H3: a strict client can read all that is sent", |_, state| {
                keeps(state, Invariant::H3)
            }),
            Property::always("H4: no window is overrun", |_, state| keeps(state, Invariant::H4)),
            Property::always("H5: no window leaks", |runs, state| probe::no_window_leaks(&runs.0, state)),
            Property::always("H6: HPACK stays in step", |_, state| keeps(state, Invariant::H6)),
            Property::always("H7: a request ends once, by its answer or cancelled", |_, state| {
                keeps(state, Invariant::H7)
            }),
            Property::always("H8: a handler gets the body that was sent", |_, state| {
                keeps(state, Invariant::H8)
            }),
            Property::always("H9: a drain is told at once, and cuts off in time", |_, state| {
                keeps(state, Invariant::H9)
            }),
            Property::always("H10: time alone ends a drain", |runs, state| {
                probe::time_alone_ends_a_drain(&runs.0, state)
            }),
            Property::always("H11: a drain is a level", |runs, state| {
                keeps(state, Invariant::H11) && probe::a_drain_is_a_level(&runs.0, state)
            }),
            Property::always("H12: an abort ends it", |runs, state| probe::an_abort_ends_it(&runs.0, state)),
            Property::always("H13: no split of the input matters", |runs, state| {
                probe::no_split_matters(&runs.0, state)
            }),
            Property::always("H14: no deadline lies in the past", |runs, state| {
                probe::it_never_spins(&runs.0, state)
            }),
            Property::always("H15: closed is told once, and last", |runs, state| {
                keeps(state, Invariant::H15) && probe::closed_is_the_end(&runs.0, state)
            }),
            Property::always("H16: our FIN goes once, and after everything else", |_, state| {
                keeps(state, Invariant::H16)
            }),
            Property::always("H17: what is cut at the deadline is named", |_, state| {
                keeps(state, Invariant::H17)
            }),
            Property::always("H18: it is never deaf for good", |runs, state| {
                probe::it_is_never_deaf(&runs.0, state)
            }),
            Property::always("H19: a silent peer is found out", |runs, state| {
                keeps(state, Invariant::H19) && probe::no_wait_is_without_a_timer(&runs.0, state)
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

const AB: Part = Part::Data(b"ab");
const CD: Part = Part::Data(b"cd");

fn post() -> Stream {
    Stream::post([AB, CD])
}

/// Windows of a few bytes, so that every one of them fills.
fn narrow(script: Script) -> Script {
    script.configured(|config| {
        config.limits.stream_window = 3;
        config.limits.stream_window_most = 4;
        config.limits.send_queue = 64;
    })
}

fn limited(streams: u32) -> impl FnOnce(&mut Config) {
    move |config| config.limits.streams = streams
}

#[test]
fn a_request_and_its_preface_at_every_split_are_served_or_refused() {
    let one = |name| Script::new(name, [Stream::get()]);
    explore(one("one, with its preface").begun(Opening::WithRequest).cut_everywhere().with(&[Aside::Fin]));
    explore(
        one("one, politely").begun(Opening::Polite).cut_at(&[1, 9, 24, 33]).with(&[Aside::Fin, Aside::Fail]),
    );
    let in_two = [Stream::get_in_two()];
    explore(Script::new("one, in two frames", in_two).begun(Opening::WithRequest).cut_everywhere());
}

#[test]
fn no_stream_is_lost_whenever_it_comes() {
    let both = [Aside::Fin, Aside::Fail, Aside::TakeOne];
    explore(Script::new("two", [Stream::get(), Stream::get()]).cut_at(&[1, 9, 10]).with(&both));
    let late = [Aside::ReadLate, Aside::Fin];
    explore(Script::new("two, read late", [Stream::get(), Stream::get()]).with(&late));
    let leaves = [Aside::GoAway, Aside::Ping, Aside::Fin, Aside::Reset];
    explore(Script::new("two, from a client that leaves", [Stream::get(), Stream::get()]).with(&leaves));
    let three = || [Stream::get(), Stream::get(), Stream::get()];
    explore(Script::new("three", three()).with(&[Aside::Reset]));
    let too_large = [Stream::get_too_large(), Stream::get()];
    let small = |config: &mut Config| config.limits.head = 200;
    explore(Script::new("one too large, and another", too_large).configured(small).with(&[Aside::ReadLate]));
    explore(Script::new("three, one too many", three()).configured(limited(1)).with(&[Aside::Reset]));
}

#[test]
fn no_stream_with_a_body_is_lost_however_it_is_read() {
    explore(Script::new("a body", [post()]).stepwise().cut_at(&[10]).with(&[Aside::Reset, Aside::Fin]));
    let late = [Aside::ReadLate, Aside::Reset];
    explore(narrow(Script::new("a body, narrow, read late", [post()])).stepwise().with(&late));
    let before = narrow(Script::new("a body, before the window is known", [post()]));
    explore(before.begun(Opening::Polite).stepwise().with_wakes(1).with(&[Aside::ReadLate]));
    let empty = Stream::post([AB]).answered_by(0);
    explore(Script::new("a body, an answer without one", [empty]).stepwise().with(&[Aside::ReadLate]));
    let trailers = Stream::post([AB, Part::Padded(b"c"), Part::Trailers]);
    explore(narrow(Script::new("padding and trailers, narrow", [trailers])).with_trailers().cut_at(&[9]));
    let gives_up = [Aside::ReadLate];
    explore(
        Script::new("a body, a handler that gives up", [post()]).stepwise().with_resets().with(&gives_up),
    );
    explore(
        narrow(Script::new("a body beside another request", [Stream::post([AB]), Stream::get()])).stepwise(),
    );
    let too_late = [Stream::post([Part::Trailers]), Stream::get()];
    explore(Script::new("trailers that come too late", too_late).with_resets().with(&[Aside::ReadLate]));
    explore(Script::new("a body without an end", [post().without_end(), Stream::get()]).with(&[Aside::Fin]));
}

/// Of a request whose response is over: it is let come in for a while, and stopped then.
#[test]
fn a_body_that_nobody_reads_on_ends_quietly() {
    let sized = || post().saying(Says::Length);
    let any_end = [Aside::Reset, Aside::Fin];
    explore(Script::new("a body of a known length", [sized()]).stepwise().with_wakes(1).with(&any_end));
    let late = [Aside::ReadLate, Aside::Fail];
    explore(Script::new("a body of a known length, read late", [sized()]).stepwise().with(&late));
    explore(narrow(Script::new("a body of a known length, narrow", [sized()])).stepwise().with_resets());
    let short = Stream::post([AB]).saying(Says::Length);
    explore(
        Script::new("a short body beside another request", [short, Stream::get()]).stepwise().with_wakes(1),
    );
    let too_large = [Stream::post_too_large([AB]), Stream::get()];
    let small = |config: &mut Config| config.limits.head = 200;
    let refused = Script::new("a body of a known length behind a head too large", too_large);
    explore(refused.configured(small).with(&[Aside::Reset]));
    let never = || sized().without_end();
    let soon = Duration::from_millis(12_500);
    explore(Script::new("a body of a known length, without an end", [never()]).stepwise().with_grace(soon));
    let sooner = Duration::from_millis(1_700);
    explore(
        Script::new("a body without an end, soon cut", [never()]).stepwise().with_wakes(3).with_grace(sooner),
    );
    let unread = [Aside::ReadLate, Aside::Fail];
    let unknown = Script::new("a body of unknown length", [post()]).stepwise().with_wakes(3);
    explore(narrow(unknown.with_grace(sooner)).with(&unread));
}

#[test]
fn a_client_that_waits_for_a_word_is_told_or_not_and_sends_or_not() {
    let expects = || Stream::post([AB]).saying(Says::Expects);
    let any_end = [Aside::Reset, Aside::Fin];
    explore(Script::new("a body that is asked for", [expects()]).stepwise().with(&any_end));
    let late = [Aside::ReadLate];
    explore(Script::new("a body that is asked for, read late", [expects()]).with_resets().with(&late));
    explore(Script::new("a body that is asked for, beside another", [expects(), Stream::get()]));
}

#[test]
fn a_tunnel_lasts_until_its_ends_or_the_deadline() {
    let tunnel = || Stream::post([AB]).saying(Says::Connects);
    let any_end = [Aside::Reset, Aside::Fin, Aside::Fail];
    explore(Script::new("a tunnel", [tunnel()]).stepwise().with(&any_end));
    explore(narrow(Script::new("a tunnel, narrow", [tunnel()])).stepwise().with_resets());
    let soon = Duration::from_millis(2_500);
    explore(Script::new("a tunnel without an end", [tunnel().without_end()]).stepwise().with_grace(soon));
    explore(Script::new("a tunnel beside another request", [tunnel(), Stream::get()]));
}

#[test]
fn priorities_change_nothing_but_the_order() {
    let urgent = || Stream::get().saying(Says::Urgency);
    let changes = [Aside::Prioritize, Aside::Reset];
    explore(Script::new("two, with priorities", [Stream::get(), urgent()]).with(&changes));
    let two = [Stream::get().answered_by(3), urgent().answered_by(3)];
    let changes = [Aside::Prioritize, Aside::Grant(2)];
    let blocked = Script::new("two, with priorities, a window of one", two).with_windows_of(1);
    explore(blocked.with_wakes(1).with(&changes));
}

#[test]
fn no_response_overruns_a_window_or_waits_for_one_for_ever() {
    let long = || Stream::get().answered_by(3);
    let grants = [Aside::Grant(2), Aside::Reset, Aside::ReadLate];
    explore(Script::new("a window of one", [long()]).with_windows_of(1).with(&grants));
    let grants = [Aside::Grant(2), Aside::Fin];
    explore(Script::new("two, a window of one", [long(), long()]).with_windows_of(1).with(&grants));
    let shrinks = [Aside::Resize(0), Aside::Grant(4), Aside::Reset];
    explore(Script::new("a window that shrinks", [long()]).stepwise().with_windows_of(2).with(&shrinks));
    let grows = [Aside::Resize(9)];
    explore(
        Script::new("a window that grows", [long(), long()]).with_trailers().with_windows_of(0).with(&grows),
    );
}

/// A client that has used up all but `left` of the connection's window for responses.
fn used_up(left: usize) -> (Stream, Vec<Action>) {
    let all = 65_535 - left;
    let prelude = vec![
        Action::Say(Say::Opening, 42),
        Action::Say(Say::Part(1), 18),
        Action::Handle(1, Deed::Answer),
        Action::Take(Amount::All),
        Action::Take(Amount::All),
    ];
    (Stream::get().answered_by(all), prelude)
}

#[test]
fn the_window_of_the_connection_is_shared_and_never_overrun() {
    let (first, prelude) = used_up(2);
    let streams = [first, Stream::get().answered_by(2), Stream::get().answered_by(2)];
    let grants = [Aside::GrantAll(2), Aside::Reset];
    explore(Script::new("two, a connection's window of two", streams).after(prelude).with(&grants));
}

/// DATA of just less than half the connection's window: the next octet makes it grant.
static HALF: [u8; 16_383] = [b'-'; 16_383];

#[test]
fn no_window_of_the_connection_leaks() {
    let upload = Stream::post([Part::Data(&HALF), Part::Data(&HALF)]);
    let prelude = [
        Action::Say(Say::Opening, 42),
        Action::Say(Say::Part(1), 18),
        Action::Say(Say::Part(1), 9 + 16_383),
        Action::Say(Say::Part(1), 9 + 16_383),
        Action::Handle(1, Deed::Release),
        Action::Handle(1, Deed::Answer),
        Action::Take(Amount::All),
    ];
    let wide = |config: &mut Config| {
        config.limits.connection_window = 65_535;
        config.limits.stream_window = 65_535;
    };
    let padded = || Stream::post([AB, Part::Padded(b"c")]);
    let on_the_edge =
        |name, second| Script::new(name, [upload.clone(), second]).configured(wide).after(prelude);
    let any_fate = [Aside::Reset];
    explore(on_the_edge("a body on the window's edge", padded()).with_resets().cut_at(&[10]).with(&any_fate));
    explore(on_the_edge("a body on the window's edge, thrown away", padded()).stepwise().with_wakes(1));
    explore(
        on_the_edge("a body on the window's edge, read late", padded()).with(&[Aside::ReadLate, Aside::Fin]),
    );
}

#[test]
fn what_the_deadline_cuts_is_named() {
    let soon = Duration::from_millis(1_500);
    let two = || [Stream::get(), post()];
    let short = || Stream::post([AB]);
    explore(Script::new("two, cut", two()).with_grace(soon).with_wakes(3).with(&[Aside::TakeOne]));
    explore(Script::new("two, cut step by step", [Stream::get(), short()]).stepwise().with_grace(soon));
    let soonest = Duration::from_millis(500);
    let window = Script::new("two, cut before the cutoff", two()).with_windows_of(0).with_grace(soonest);
    explore(window.with_wakes(3).with(&[Aside::ReadLate, Aside::Fin]));
}

#[test]
fn handlers_that_give_up_and_clients_that_leave_harm_nobody_else() {
    let two = || [Stream::get(), Stream::get()];
    explore(
        Script::new("two, handlers that give up", two())
            .stepwise()
            .with_resets()
            .with_wakes(1)
            .with(&[Aside::Reset]),
    );
    let cancels = |config: &mut Config| config.half_close = HalfClose::Cancel;
    let leaves = [Aside::Fin, Aside::ReadLate];
    explore(Script::new("two, and a FIN means leaving", two()).configured(cancels).with(&leaves));
}

#[test]
fn a_caller_without_manners_breaks_nothing() {
    explore(Script::new("two, any order", [Stream::get(), Stream::get()]).without_manners());
    explore(narrow(Script::new("a body, any order", [post()])).without_manners().with(&[Aside::Reset]));
    let soon = Duration::from_millis(500);
    let cut = Script::new("two, cut in any order", [Stream::get(), Stream::get()]).with_grace(soon);
    explore(cut.without_manners().with_wakes(3).with(&[Aside::TakeOne]));
}
