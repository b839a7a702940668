//! What holds of every connection, of whichever protocol it is and whatever it has been through; and what one has to
//! say.

use std::time::Duration;

use lameduck_core::{Connection, Event, Instant, Stage, StreamId, Transmit};

/// Told of the same drain once more, or of one that ends later, it does not change.
pub fn is_drained_once(connection: &Connection, now: Instant, deadline: Instant) -> bool {
    let mut once = connection.clone();
    once.handle_timeout(now);
    let mut again = once.clone();
    again.drain(now, deadline);
    again.drain(now, deadline + Duration::from_secs(1));
    once == again
}

/// Once it has been told the time, its next deadline lies ahead; after its end it has none.
pub fn never_spins(connection: &Connection, now: Instant) -> bool {
    let mut connection = connection.clone();
    connection.handle_timeout(now);
    match connection.poll_timeout() {
        Some(due) => due > now && connection.status().stage != Stage::Closed,
        None => true,
    }
}

/// It has ended, and nothing happens any more, though these bytes come, and after `all_waits` too.
pub fn is_over(connection: &Connection, now: Instant, all_waits: Duration, bytes: &[u8]) -> bool {
    let mut over = connection.clone();
    let id = over.status().stream.unwrap_or(StreamId(1));
    over.handle_bytes(now, bytes);
    over.handle_eof(now);
    over.drain(now, now);
    over.handle_timeout(now + all_waits);
    over.abort(now);
    over.finish(now, id, []).is_err()
        && over.poll_event().is_none()
        && over.poll_transmit(now).is_none()
        && over.poll_timeout().is_none()
        && !over.wants_read()
}

/// What waits to be sent.
pub fn pending(connection: &Connection, now: Instant) -> Vec<u8> {
    match connection.clone().poll_transmit(now) {
        Some(Transmit::Bytes(pieces)) => pieces.flatten().copied().collect(),
        Some(Transmit::Fin) | None => Vec::new(),
    }
}

/// All events that wait, with the pieces of a body put together.
pub fn merged(connection: &mut Connection) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    while let Some(event) = connection.poll_event() {
        match (events.last_mut(), &event) {
            (Some(Event::Data { id: before, data: begun }), Event::Data { id, data }) if before == id => {
                *begun = [&begun[..], data].concat().into();
            }
            _ => events.push(event),
        }
    }
    events
}
