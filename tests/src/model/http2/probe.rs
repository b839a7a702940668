//! What has to hold in every state, whatever happens next: each function tries it on a copy.

use std::time::Duration;

use lameduck_core::{Connection, Event, Instant, Stage, Transmit};

use super::client::index;
use super::script::{Says, Script};
use super::{Progress, Say, State, Turn, number_at};
use crate::h2::code::CANCEL;
use crate::h2::frame;
use crate::model::script::Manners;
use crate::model::{Amount, Peer, asks};
use crate::polled::merged;

/// All waits of a drain that are not a handler's, one after the other: first byte, head, handshake, field block,
/// body, window, the rest of an upload that is answered, write, receipt, linger.
const ALL_WAITS: Duration = Duration::from_secs(1 + 5 + 1 + 5 + 10 + 10 + 2 + 10 + 10 + 2);

/// Those that are left once the client has been asked whether it has read the last response: receipt, linger.
const LAST_WAITS: Duration = Duration::from_secs(10 + 2);

/// How long, behind the deadline, what was cut may take to be told.
const LAST_WORD: Duration = Duration::from_millis(100);

/// How many deadlines may come in a row.
const DEADLINES: usize = 32;

/// H10: time alone ends a draining connection, whether or not the peer takes what is sent; it acks nothing. Within
/// the bounds of its waits, or where a handler has a request, at the deadline.
pub fn time_alone_ends_a_drain(script: &Script, state: &State) -> bool {
    let Some(drain) = state.drain else { return true };
    let cut = drain.deadline.max(state.now) + LAST_WORD;
    let waits = if state.client.asked[2] { LAST_WAITS } else { ALL_WAITS };
    [Takes::Everything, Takes::Nothing].into_iter().all(|takes| match idle_away(script, state, takes) {
        Some((end, Waits::ForHandler)) => end <= cut,
        Some((end, Waits::ForPeer)) => end <= (state.now + waits).min(cut),
        None => false,
    })
}

/// H19: a peer that falls silent is found out, drain or not.
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
enum Waits {
    ForPeer,
    ForHandler,
}

/// When the connection ends where only time passes; nothing where it does not, and the peer is not known to
/// have nothing more to say.
fn idle_away(script: &Script, state: &State, takes: Takes) -> Option<(Instant, Waits)> {
    let mut run = state.clone();
    let mut waits = Waits::ForPeer;
    for _ in 0..DEADLINES {
        run.settle(script);
        run.observe();
        while takes == Takes::Everything && !run.output.is_empty() {
            run.take(script, Amount::All);
            run.settle(script);
            run.observe();
        }
        if run.turns.iter().any(|turn| !run.awaits_peer(script, turn)) {
            waits = Waits::ForHandler;
        }
        if run.ended.is_some() {
            return Some((run.now, waits)).filter(|_| run.broken == state.broken);
        }
        if run.connection.poll_timeout().is_none() {
            let is_silent = run.peer == Peer::Finished && waits == Waits::ForHandler;
            return is_silent.then_some((run.now, waits));
        }
        run.pass();
    }
    None
}

impl State {
    /// Whether a request waits for the peer, and not for its handler: for more of its body, or to take its response.
    fn awaits_peer(&self, script: &Script, turn: &Turn) -> bool {
        let says = script.streams[index(turn.number)].says;
        let has_room = turn.held < script.config.limits.stream_window.max(1) as usize;
        // Through a tunnel nobody has to send anything, nor a body that nobody asks for.
        let is_due = says != Says::Connects && (turn.asked || turn.got > 0);
        let is_open = turn.body == Progress::Begun;
        is_open && is_due && has_room || turn.response == Progress::Over && (is_due || !is_open)
    }
}

/// H11: told of the same drain once more, nothing changes.
pub fn a_drain_is_a_level(_: &Script, state: &State) -> bool {
    state.drain.is_none_or(|drain| asks::a_drain_is_a_level(&state.connection, state.now, drain.deadline))
}

/// H12: an abort ends it here and now, and nothing goes out after it.
pub fn an_abort_ends_it(script: &Script, state: &State) -> bool {
    let mut run = state.clone();
    run.connection.abort(run.now);
    let silent = run.connection.clone().poll_transmit(run.now).is_none();
    run.settle(script);
    silent && run.ended.is_some() && run.broken == state.broken && run.fin == state.fin
}

/// H13: the rest of what the client has to say leads to the same, at once or byte by byte.
pub fn no_split_matters(script: &Script, state: &State) -> bool {
    let is_asked = state.ended.is_none() && state.peer == Peer::Open;
    if !is_asked || script.manners != Manners::Faithful {
        return true;
    }
    let rest = state.clone().rest(script);
    if rest.len() < 2 {
        return true;
    }
    let mut whole = state.connection.clone();
    let mut split = whole.clone();
    whole.handle_bytes(state.now, &rest);
    rest.iter().for_each(|byte| split.handle_bytes(state.now, &[*byte]));
    outcome(&mut whole, state.now) == outcome(&mut split, state.now) && whole == split
}

impl State {
    /// All that the client still has to say of its requests, stream by stream.
    fn rest(&mut self, script: &Script) -> Vec<u8> {
        let mut rest = self.coming.take().map_or(Vec::new(), |(_, words, _)| words);
        if rest.is_empty() && self.handshake == super::Handshake::None {
            rest = self.words(script, Say::Opening);
        }
        // A field block that has begun goes first.
        let streams = (0..script.streams.len()).map(number_at);
        let begun = |number: &u32| self.client.view(*number).is_some_and(|view| view.parts > 0);
        let (begun, fresh): (Vec<u32>, Vec<u32>) = streams.partition(begun);
        for number in begun.into_iter().rev().chain(fresh) {
            let sent = self.client.view(number).map_or(0, |view| view.parts);
            for _ in sent..script.streams[index(number)].parts.len() {
                rest.extend_from_slice(&self.words(script, Say::Part(number)));
            }
        }
        rest
    }
}

/// What a connection says now: its events, with the pieces of a body put together, and its output.
fn outcome(connection: &mut Connection, now: Instant) -> (Vec<Event>, Vec<u8>) {
    let events = merged(connection);
    let output = match connection.poll_transmit(now) {
        Some(Transmit::Bytes(pieces)) => pieces.flatten().copied().collect(),
        Some(Transmit::Fin) => b"FIN".to_vec(),
        None => Vec::new(),
    };
    (events, output)
}

/// H14: once it has been told the time, the next deadline lies ahead; after its end there is none.
pub fn it_never_spins(_: &Script, state: &State) -> bool {
    asks::it_never_spins(&state.connection, state.now)
}

/// H15: after `Closed` nothing happens, whatever is done.
pub fn closed_is_the_end(_: &Script, state: &State) -> bool {
    let (now, later) = (state.now, state.now + ALL_WAITS);
    let more = frame::headers(9, b"\x82\x86\x41\x01a\x84").end_headers();
    state.ended.is_none() || asks::closed_is_the_end(&state.connection, now, later, more.as_ref())
}

/// H18: where nothing is read, somebody can change that: the peer by taking output, the caller by taking events.
pub fn it_is_never_deaf(_: &Script, state: &State) -> bool {
    asks::it_is_never_deaf(&state.connection, state.peer) || !state.output.is_empty()
}

/// H5: when the client gives up all that is open, more than half of the connection's window is its own again, and
/// never more than all of it.
pub fn no_window_leaks(script: &Script, state: &State) -> bool {
    let is_asked = state.ended.is_none() && state.peer == Peer::Open && !state.fin;
    if !is_asked || script.manners != Manners::Faithful {
        return true;
    }
    let mut run = state.clone();
    run.read(script);
    if let Some((_, words, _)) = run.coming.take() {
        run.connection.handle_bytes(run.now, &words);
    }
    // Half a field block stays half: the connection waits for the rest of it.
    let views = run.client.streams.iter().enumerate().map(|(at, view)| (number_at(at), view));
    if views.clone().any(|(number, view)| super::is_mid_head(script, number, view)) {
        return true;
    }
    let open: Vec<u32> = views.filter(|(_, view)| view.stopped.is_none()).map(|(number, _)| number).collect();
    for number in open {
        run.client.streams[index(number)].reset = true;
        run.connection.handle_bytes(run.now, frame::rst_stream(number, CANCEL).as_ref());
    }
    loop {
        run.settle(script);
        run.observe();
        if run.output.is_empty() {
            break;
        }
        run.take(script, Amount::All);
        run.read(script);
    }
    let size = i64::from(script.config.limits.connection_window.max(65_535));
    let is_serving = run.connection.status().stage == Stage::Idle && run.client.is_greeted;
    !is_serving || run.client.credit > size - size / 2 && run.client.credit <= size
}
