//! Our server, a request of which nobody answers.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use lameduck_core::{
    BodyLength, CloseReason, Config, Connection, Event, Fault, Instant, PeerError, RequestHead, Stage,
    StreamId, Transmit,
};
use lameduck_fuzz::h2::{Client, Sent};

use crate::seen::{Seen, sorted};
use crate::{Refusal, Refused};

pub struct Ours {
    connection: Connection,
    client: Client,
    pub requests: BTreeMap<u32, Seen>,
    /// What was given up, and not been asked for.
    pub refused: Refused,
    closed: Option<CloseReason>,
}

const NOW: Instant = Instant::ORIGIN;

impl Ours {
    pub fn new() -> Self {
        Self {
            connection: Connection::http2(Arc::new(Config::default()), NOW),
            client: Client::default(),
            requests: BTreeMap::new(),
            refused: Refused::new(),
            closed: None,
        }
    }

    /// How many of these bytes are the next frame.
    pub fn first(&self, bytes: &[u8]) -> usize {
        self.client.first(bytes)
    }

    pub fn take(&mut self, frame: &[u8]) {
        self.client.say(frame);
        self.connection.handle_bytes(NOW, frame);
        loop {
            let sent = self.transmit();
            match self.connection.poll_event() {
                Some(event) => self.note(event),
                None if !sent => break,
                None => {}
            }
        }
        if self.connection.status().stage == Stage::Lingering {
            self.connection.handle_eof(NOW);
            while let Some(event) = self.connection.poll_event() {
                self.note(event);
            }
        }
    }

    /// Why the connection was given up, where it was.
    pub fn failure(&self) -> Option<Fault> {
        match self.closed {
            Some(CloseReason::Refused(PeerError::Http2(fault))) => Some(fault),
            _ => None,
        }
    }

    pub fn is_over(&self) -> bool {
        self.closed.is_some()
    }

    /// Whether anything was sent.
    fn transmit(&mut self) -> bool {
        let sent = match self.connection.poll_transmit(NOW) {
            Some(Transmit::Bytes(pieces)) => pieces.collect::<Vec<_>>().concat(),
            Some(Transmit::Fin) | None => vec![],
        };
        self.connection.transmitted(NOW, sent.len());
        for sent in self.client.hear(&sent) {
            match sent {
                Sent::RstStream { stream, code } => {
                    self.refused.entry(stream).or_insert(Refusal::Reset(code));
                }
                Sent::Headers { stream, .. } => {
                    self.refused.insert(stream, Refusal::Answered);
                }
                _ => {}
            }
        }
        !sent.is_empty()
    }

    fn note(&mut self, event: Event) {
        match event {
            Event::Request { id, head, body } => {
                let is_whole = body == BodyLength::Empty;
                self.requests.insert(id.0 as u32, Seen { is_whole, ..seen(&head) });
            }
            Event::Data { id, data } => {
                let _ = self.connection.release(NOW, id, data.len());
                self.request(id).body.extend_from_slice(&data);
            }
            Event::End { id, trailers } => {
                let fields = trailers.iter().flat_map(|trailers| trailers.fields());
                let fields = sorted(fields.map(|field| (field.name.to_owned(), field.value.to_vec())));
                let request = self.request(id);
                request.is_whole = true;
                request.trailers = fields;
            }
            // What there is to it is sent, or was by the client.
            Event::Cancelled { .. } | Event::Refused { .. } => {}
            Event::Closed(reason) => self.closed = Some(reason),
        }
    }

    fn request(&mut self, id: StreamId) -> &mut Seen {
        self.requests.get_mut(&(id.0 as u32)).expect("told")
    }
}

fn seen(head: &RequestHead) -> Seen {
    let text = |part: Option<Bytes>| String::from_utf8(part.unwrap_or_default().into()).expect("text");
    Seen {
        method: head.method().to_owned(),
        scheme: text(head.scheme_bytes()),
        authority: text(head.authority_bytes()),
        path: head.target().to_owned(),
        protocol: head.protocol().unwrap_or("").to_owned(),
        fields: sorted(head.fields().map(|field| (field.name.to_owned(), field.value.to_vec()))),
        ..Seen::default()
    }
}
