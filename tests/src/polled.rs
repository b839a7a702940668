//! What a connection has to say.

use lameduck_core::{Connection, Event, Instant, Transmit};

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
