//! What has to hold of a connection in every state, whatever its protocol: each function tries it on a copy.

use lameduck_core::{Connection, Instant, Stage, StreamId};

use super::Peer;

/// Told of the same drain once more, nothing changes.
pub(super) fn a_drain_is_a_level(connection: &Connection, now: Instant, deadline: Instant) -> bool {
    let mut once = connection.clone();
    once.handle_timeout(now);
    let mut again = once.clone();
    again.drain(now, deadline);
    once == again
}

/// Once it has been told the time, the next deadline lies ahead; after its end there is none.
pub(super) fn it_never_spins(connection: &Connection, now: Instant) -> bool {
    let mut connection = connection.clone();
    connection.handle_timeout(now);
    match connection.poll_timeout() {
        Some(due) => due > now && connection.status().stage != Stage::Closed,
        None => true,
    }
}

/// After `Closed` nothing happens, whatever is done, and whatever more comes of the peer.
pub(super) fn closed_is_the_end(connection: &Connection, now: Instant, later: Instant, more: &[u8]) -> bool {
    let mut over = connection.clone();
    over.handle_bytes(now, more);
    over.handle_eof(now);
    over.drain(now, now);
    over.handle_timeout(later);
    over.abort(now);
    let id = over.status().stream.unwrap_or(StreamId(1));
    over.finish(now, id, []).is_err()
        && over.poll_event().is_none()
        && over.poll_transmit(now).is_none()
        && over.poll_timeout().is_none()
        && !over.wants_read()
}

/// Where nothing is read, the caller can change that by taking events, if nobody else can.
pub(super) fn it_is_never_deaf(connection: &Connection, peer: Peer) -> bool {
    let mut connection = connection.clone();
    connection.wants_read()
        || peer != Peer::Open
        || connection.poll_event().is_some()
        || connection.status().stage == Stage::Closed
}
