//! Responses, as their handlers give them and as the client gets them.

use std::collections::BTreeMap;

use bytes::Bytes;
use lameduck_core::StreamId;
use lameduck_fuzz::calls::Call;
use lameduck_fuzz::h2::Sent;

/// The responses of a connection, by their streams.
#[derive(Default)]
pub struct Responses(BTreeMap<u64, Response>);

#[derive(Default)]
struct Response {
    given: usize,
    is_finished: bool,
    received: usize,
    declared: Option<usize>,
}

impl Responses {
    /// The next piece of a body, of this size.
    pub fn piece(&self, id: StreamId, size: usize) -> Bytes {
        let given = self.0.get(&id.0).map_or(0, |response| response.given);
        (given..given + size).map(|at| octet(id.0, at)).collect::<Vec<_>>().into()
    }

    /// Whether its handler is through with it.
    pub fn is_finished(&self, id: u64) -> bool {
        self.0.get(&id).is_some_and(|response| response.is_finished)
    }

    /// Takes note of a command that was obeyed.
    pub fn give(&mut self, call: &Call, takes_body: bool) {
        let response = self.0.entry(call.id().0).or_default();
        match call {
            Call::SendBody(_, data) if takes_body => response.given += data.len(),
            Call::Finish(..) | Call::Reset(_) => response.is_finished = true,
            _ => {}
        }
    }

    /// A response arrives as it was given.
    pub fn hear(&mut self, sent: Sent) {
        match sent {
            Sent::Headers { stream, fields, end } => {
                let response = self.0.entry(stream.into()).or_default();
                let is_head = fields.first().is_some_and(|(name, _)| name == ":status");
                if !is_head {
                    assert!(response.is_finished && response.received == response.given && end);
                }
                let declared = fields.iter().find(|(name, _)| name == "content-length");
                if let Some((_, value)) = declared.filter(|_| is_head) {
                    response.declared = String::from_utf8_lossy(value).parse().ok();
                }
            }
            Sent::Data { stream, data, end } => {
                let response = self.0.entry(stream.into()).or_default();
                for byte in data {
                    assert_eq!(byte, octet(stream.into(), response.received));
                    response.received += 1;
                }
                assert!(response.received <= response.given);
                if end {
                    assert!(response.is_finished);
                    assert_eq!(response.received, response.declared.unwrap_or(response.given));
                }
            }
            _ => {}
        }
    }
}

/// What a response's body has at this place.
fn octet(id: u64, at: usize) -> u8 {
    (id.wrapping_mul(31) as u8).wrapping_add(at as u8)
}
