//! What has to hold in every state, whatever happens next: each function tries it on a copy.

use std::time::Duration;

use lameduck_core::Instant;

use super::script::{Manners, Script};
use super::{Action, Amount, Peer, State, asks};

/// All waits of a drain that are not a handler's, one after the other: first byte, head, body, write, linger.
const ALL_WAITS: Duration = Duration::from_secs(1 + 5 + 10 + 10 + 2);

/// How many deadlines may come in a row.
const DEADLINES: usize = 24;

/// I6: time alone ends a draining connection, whether or not the peer takes what is sent: within the bounds
/// of its waits, or where a handler has it, at the deadline.
pub fn time_alone_ends_a_drain(script: &Script, state: &State) -> bool {
    let Some(drain) = state.drain else { return true };
    [Takes::Everything, Takes::Nothing].into_iter().all(|takes| match idle_away(script, state, takes) {
        Some((end, Handler::Silent)) => end <= drain.deadline.max(state.now),
        Some((end, Handler::None)) => end <= (state.now + ALL_WAITS).min(drain.deadline.max(state.now)),
        None => false,
    })
}

/// I17: a connection that waits for no handler ends by itself in time, drain or not.
pub fn no_wait_is_without_a_timer(script: &Script, state: &State) -> bool {
    [Takes::Everything, Takes::Nothing].into_iter().all(|takes| idle_away(script, state, takes).is_some())
}

/// What a peer that has fallen silent does with what it is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Takes {
    Everything,
    Nothing,
}

/// Whether a request waited for its handler on the way.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Handler {
    None,
    Silent,
}

/// When the connection ends where only time passes; nothing where it does not, or waits for
/// what is not the handler's and not due either.
fn idle_away(script: &Script, state: &State, takes: Takes) -> Option<(Instant, Handler)> {
    let mut run = state.clone();
    let mut handler = Handler::None;
    for _ in 0..DEADLINES {
        run.settle(script);
        while takes == Takes::Everything && !run.pending().is_empty() {
            run.act(script, Action::Take(Amount::All));
            run.settle(script);
        }
        if run.turn.is_some_and(|turn| !run.awaits_body(script, &turn)) {
            handler = Handler::Silent;
        }
        if run.ended.is_some() {
            return Some((run.now, handler));
        }
        if run.connection.poll_timeout().is_none() {
            return (handler == Handler::Silent).then_some((run.now, handler));
        }
        run.act(script, Action::Wake);
    }
    None
}

/// I7: told of the same drain once more, nothing changes.
pub fn a_drain_is_a_level(_: &Script, state: &State) -> bool {
    state.drain.is_none_or(|drain| asks::a_drain_is_a_level(&state.connection, state.now, drain.deadline))
}

/// I8: an abort ends it here and now, and nothing goes out after it.
pub fn an_abort_ends_it(script: &Script, state: &State) -> bool {
    let mut run = state.clone();
    run.connection.abort(run.now);
    let silent = run.connection.clone().poll_transmit(run.now).is_none();
    run.settle(script);
    silent && run.ended.is_some() && run.broken == state.broken && run.fin_at == state.fin_at
}

/// I9: the rest of what the peer sends leads to the same, at once or byte by byte. Only where a body is being
/// thrown away, the moment at which that is too much shows earlier byte by byte.
pub fn no_split_matters(script: &Script, state: &State) -> bool {
    let rest = script.gate(state.replies.len()).saturating_sub(state.sent);
    let is_asked = state.ended.is_none() && state.peer == Peer::Open && !state.has_discarded;
    if !is_asked || rest < 2 || script.manners != Manners::Faithful {
        return true;
    }
    let whole = state.step(script, Action::Deliver(rest));
    let bytes = (0..rest).fold(state.clone(), |state, _| state.step(script, Action::Deliver(1)));
    // In the middle of all that, our FIN may go as soon as it can.
    [whole.fin_at, bytes.fin_at].iter().all(|fin_at| fin_at.is_some() == whole.fin_at.is_some())
        && State { fin_at: None, ..whole } == State { fin_at: None, ..bytes }
}

/// I10: once it has been told the time, the next deadline lies ahead; after its end there is none.
pub fn it_never_spins(_: &Script, state: &State) -> bool {
    asks::it_never_spins(&state.connection, state.now)
}

/// I12: after `Closed` nothing happens, whatever is done.
pub fn closed_is_the_end(_: &Script, state: &State) -> bool {
    let (now, later) = (state.now, state.now + ALL_WAITS);
    let more = b"GET / HTTP/1.1\r\nhost:a\r\n\r\n";
    state.ended.is_none() || asks::closed_is_the_end(&state.connection, now, later, more)
}

/// I16: where nothing is read, somebody can change that: the peer by taking output, the caller by taking
/// events, the handler by going on with its request.
pub fn it_is_never_deaf(_: &Script, state: &State) -> bool {
    asks::it_is_never_deaf(&state.connection, state.peer)
        || state.turn.is_some()
        || !state.pending().is_empty()
}
