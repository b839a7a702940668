//! The client of a script: what it says, in bytes, and how much of that has arrived.

use lameduck_fuzz::h2::{Frame, PREFACE, Requests, frame};

use crate::script::{Number, Said, Shape};

const REQUESTS: [&[(&str, &str)]; 9] = [
    &[(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/")],
    &[(":method", "HEAD"), (":scheme", "http"), (":authority", "a"), (":path", "/"), ("priority", "u=1, i")],
    &[(":method", "POST"), (":scheme", "http"), (":authority", "a"), (":path", "/"), ("content-length", "9")],
    &[(":method", "PUT"), (":scheme", "http"), (":path", "/"), ("host", "a"), ("expect", "100-continue")],
    &[(":method", "CONNECT"), (":authority", "a:80")],
    &[(":method", "CONNECT"), (":protocol", "x"), (":scheme", "http"), (":authority", "a"), (":path", "/")],
    &[(":method", "GET"), (":scheme", "http"), (":path", "/")],
    &[(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/"), ("expect", "more")],
    &[
        (":method", "GET"),
        (":scheme", "http"),
        (":authority", "a"),
        (":path", "/a/path/that/is/longer/than/what/the/small/limits/allow/it/to/be"),
        ("cookie", "a"),
        ("cookie", "b"),
    ],
];

const PRIORITIES: [&str; 4] = ["u=1", "i", "u=7, i", "?"];

/// What a client has to say.
pub struct Words {
    requests: Requests,
    /// The highest stream that it has used for a request.
    highest: u32,
    /// What it has said and has not arrived.
    held: Vec<u8>,
}

impl Words {
    /// It begins with the preface.
    pub fn new() -> Self {
        Self { requests: Requests::new(), highest: 0, held: PREFACE.to_vec() }
    }

    /// The stream with this number, as it stands.
    pub fn number(&self, number: Number) -> u32 {
        number.of(self.highest)
    }

    /// It says this, and it is held back.
    pub fn say(&mut self, said: &Said) {
        match said {
            Said::Bytes(bytes) => self.held.extend_from_slice(bytes),
            said => {
                let frames = self.frames(said);
                self.held.extend(frame::join(frames));
            }
        }
    }

    /// So many bytes of what is held back arrive.
    pub fn arrive(&mut self, count: usize) -> Vec<u8> {
        self.held.drain(..count.min(self.held.len())).collect()
    }

    fn frames(&mut self, said: &Said) -> Vec<Frame> {
        let highest = self.highest;
        let number = |number: &Number| number.of(highest);
        let end = |frame: Frame, end: bool| if end { frame.end_stream() } else { frame };
        match said {
            Said::Request { stream, kind, shape, end } => {
                let stream = number(stream);
                self.highest = highest.max(stream & 0x7fff_ffff);
                let block = self.requests.block(REQUESTS[usize::from(*kind) % REQUESTS.len()]);
                self.shaped(stream, &block, *shape, *end)
            }
            Said::Trailers { stream, end: is_last } => {
                vec![end(self.requests.headers(number(stream), &[("a", "b")]), *is_last)]
            }
            Said::Data { stream, size, end: is_last, padding } => {
                let frame = end(frame::data(number(stream), vec![b'd'; size.of().min(16_384)]), *is_last);
                vec![padding.map_or(frame.clone(), |padding| frame.padded(padding))]
            }
            Said::Reset { stream, code } => vec![frame::rst_stream(number(stream), (*code).into())],
            Said::Grant { stream, by } => {
                vec![frame::window_update(stream.as_ref().map_or(0, number), by.of())]
            }
            Said::Settings { first, second } => {
                let settings = first.iter().chain(second).map(|(setting, by)| (setting.of(), by.of()));
                vec![frame::settings(&settings.collect::<Vec<_>>())]
            }
            Said::SettingsAck => vec![frame::settings_ack()],
            Said::Ping => vec![frame::ping(*b"whatever")],
            Said::PingAck(ack) => vec![frame::ping_ack(ack.of())],
            Said::GoAway(last) => vec![frame::goaway(number(last), 0, "bye")],
            Said::Priority(stream, other) => vec![frame::priority(number(stream), number(other), 9)],
            Said::PriorityUpdate(stream, choice) => {
                let value = PRIORITIES[usize::from(*choice) % PRIORITIES.len()];
                vec![frame::priority_update(number(stream), value)]
            }
            Said::Frame { kind, flags, stream, payload } => {
                vec![Frame::new(kind % 18, number(stream), payload).with_flags(*flags)]
            }
            Said::Bytes(_) => vec![],
        }
    }

    fn shaped(&self, stream: u32, block: &[u8], shape: Shape, is_last: bool) -> Vec<Frame> {
        let (block, rest) = match shape {
            Shape::InTwo(at) => block.split_at(usize::from(at).min(block.len())),
            _ => (block, &[][..]),
        };
        let mut frame = frame::headers(stream, block);
        if is_last {
            frame = frame.end_stream();
        }
        match shape {
            Shape::Plain => vec![frame.end_headers()],
            Shape::Padded(padding) => vec![frame.padded(padding).end_headers()],
            Shape::Prioritized(on) => vec![frame.prioritized(on.of(self.highest), 9).end_headers()],
            Shape::InTwo(_) => vec![frame, frame::continuation(stream, rest).end_headers()],
        }
    }
}
