//! What the handlers of a connection are told, and in which order they may be.

use std::collections::{BTreeMap, BTreeSet};

use lameduck_core::{BodyLength, CloseReason, Event, StreamId};

/// What has been told.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// The requests.
    pub requests: BTreeMap<u64, Request>,
    refused: BTreeSet<u64>,
    /// The end.
    pub closed: Option<CloseReason>,
}

/// A request that has been told.
#[derive(Clone, Debug)]
pub struct Request {
    body: BodyLength,
    received: u64,
    has_ended: bool,
    /// Whether it has been given up.
    pub is_cancelled: bool,
    /// Whether its handler is through with it.
    pub is_answered: bool,
}

impl Told {
    /// Takes the next event.
    ///
    /// # Panics
    /// Where it must not come now.
    pub fn note(&mut self, event: &Event) {
        assert_eq!(self.closed, None, "an event after the last: {event:?}");
        match event {
            Event::Request { id, head, body } => self.note_request(*id, head.method(), *body),
            Event::Data { id, data } => {
                assert!(!data.is_empty());
                let request = self.current(*id);
                assert!(!request.has_ended, "data after the end");
                request.received += data.len() as u64;
                if let BodyLength::Known(length) = request.body {
                    assert!(request.received <= length);
                }
            }
            Event::End { id, .. } => {
                let request = self.current(*id);
                assert!(!std::mem::replace(&mut request.has_ended, true), "a second end");
                if let BodyLength::Known(length) = request.body {
                    assert_eq!(request.received, length);
                }
            }
            Event::Cancelled { id, .. } => self.current(*id).is_cancelled = true,
            Event::Refused { id } => {
                assert!(self.refused.insert(id.0), "refused twice");
                assert!(!self.requests.contains_key(&id.0), "told, and refused");
            }
            Event::Closed(reason) => {
                assert!(!reason.to_string().is_empty());
                self.closed = Some(*reason);
                let left = self.requests.iter().find(|(_, request)| request.is_left());
                assert!(left.is_none(), "nothing has become of {left:?}");
            }
        }
    }

    fn note_request(&mut self, id: StreamId, method: &str, body: BodyLength) {
        assert!(!method.is_empty());
        assert!(id.0 % 2 == 1 && !self.refused.contains(&id.0));
        let last = self.requests.last_key_value();
        assert!(last.is_none_or(|(last, _)| *last < id.0), "told out of order");
        let has_ended = body == BodyLength::Empty;
        let request = Request { body, received: 0, has_ended, is_cancelled: false, is_answered: false };
        self.requests.insert(id.0, request);
    }

    fn current(&mut self, id: StreamId) -> &mut Request {
        let request = self.requests.get_mut(&id.0).expect("a request that has been told");
        assert!(!request.is_cancelled, "something comes of a request that was given up");
        request
    }
}

impl Request {
    /// A request ends once: answered, or cancelled.
    fn is_left(&self) -> bool {
        !self.is_cancelled && !self.is_answered
    }
}
