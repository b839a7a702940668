//! What a client can say: words that are right and words that lie, and the bytes of them.

mod decode;

use super::{Frame, PREFACE, Requests, frame, setting};

/// What a client says.
#[allow(missing_docs, reason = "RFC 9113 says it")]
#[derive(Clone, Debug)]
pub enum Said {
    Request {
        stream: Number,
        kind: u8,
        shape: Shape,
        end: bool,
    },
    /// A field block of any of [`LINES`].
    Lines {
        stream: Number,
        lines: Vec<u8>,
        shape: Shape,
        end: bool,
    },
    Trailers {
        stream: Number,
        end: bool,
    },
    Data {
        stream: Number,
        size: Size,
        end: bool,
        padding: Option<u8>,
    },
    Reset {
        stream: Number,
        code: u8,
    },
    Grant {
        stream: Option<Number>,
        by: Increment,
    },
    Settings {
        first: Option<(Setting, Increment)>,
        second: Option<(Setting, Increment)>,
    },
    SettingsAck,
    Ping,
    PingAck(Ack),
    GoAway(Number),
    Priority(Number, Number),
    PriorityUpdate(Number, u8),
    Frame {
        kind: u8,
        flags: u8,
        stream: Number,
        payload: Vec<u8>,
    },
    Bytes(Vec<u8>),
}

/// How the field block of a request is framed.
#[allow(missing_docs, reason = "their names say it")]
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    Plain,
    Padded(u8),
    Prioritized(Number),
    InTwo(u8),
}

/// The number of a stream.
#[allow(missing_docs, reason = "their names say it")]
#[derive(Clone, Copy, Debug)]
pub enum Number {
    /// The highest that the client has used for a request, or one of those below it.
    Used(u8),
    /// The one that comes behind it.
    Next,
    Any(u32),
}

/// How much of a body.
#[allow(missing_docs, reason = "their names say it")]
#[derive(Clone, Copy, Debug)]
pub enum Size {
    Small(u8),
    Some(u16),
    /// More than a frame holds.
    Large,
    /// More than the usual window.
    Huge,
}

/// A value of a window, or by how much it grows.
#[allow(missing_docs, reason = "their names say it")]
#[derive(Clone, Copy, Debug)]
pub enum Increment {
    Small(u8),
    Usual,
    Most,
    Any(u32),
}

/// A setting.
#[allow(missing_docs, reason = "their names say it")]
#[derive(Clone, Copy, Debug)]
pub enum Setting {
    Window,
    Table,
    Frame,
    Any(u16),
}

/// Which PING is acknowledged.
#[allow(missing_docs, reason = "their names say it")]
#[derive(Clone, Copy, Debug)]
pub enum Ack {
    Notice,
    Probe,
    Receipt,
    Other,
}

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

/// Lines that a request may have, and some that none has.
const LINES: [(&str, &str); 64] = [
    (":method", "GET"),
    (":method", "POST"),
    (":method", "OPTIONS"),
    (":method", "CONNECT"),
    (":method", "HEAD"),
    (":method", ""),
    (":method", "a b"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":scheme", "HTTP"),
    (":scheme", "x-y"),
    (":scheme", "4"),
    (":scheme", ""),
    (":authority", "a"),
    (":authority", "a:80"),
    (":authority", "A"),
    (":authority", "b@a"),
    (":authority", "[::1]:8"),
    (":authority", "a:"),
    (":authority", "a:123456"),
    (":authority", "a:b"),
    (":authority", ""),
    (":path", "/"),
    (":path", "/?a=%20"),
    (":path", "*"),
    (":path", ""),
    (":path", "a"),
    (":path", "/#a"),
    (":path", "/\""),
    (":path", "/ a"),
    (":path", "/\u{e4}"),
    (":protocol", "x"),
    (":protocol", "x y"),
    (":protocol", ""),
    (":status", "200"),
    (":x", ""),
    ("host", "a"),
    ("host", "A"),
    ("host", "b"),
    ("host", ""),
    ("content-length", "0"),
    ("content-length", "5"),
    ("content-length", "+5"),
    ("content-length", "0000000000000000000000005"),
    ("content-length", "99999999999999999999"),
    ("expect", "100-continue"),
    ("expect", "more"),
    ("te", "trailers"),
    ("te", "Trailers"),
    ("te", "gzip"),
    ("connection", "close"),
    ("transfer-encoding", "chunked"),
    ("cookie", "a"),
    ("cookie", "b"),
    ("cookie", ""),
    ("priority", "u=1"),
    ("a", "b"),
    ("a", " b"),
    ("a", "b\t"),
    ("a", "b\0c"),
    ("a", "\u{e4}"),
    ("A", "b"),
    ("a b", ""),
    ("", "b"),
];

/// A client that has words.
pub struct Words {
    requests: Requests,
    /// The highest stream that it has used for a request.
    highest: u32,
    /// What it has said and has not arrived.
    held: Vec<u8>,
}

impl Default for Words {
    fn default() -> Self {
        Self::new()
    }
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
            Said::Lines { stream, lines, shape, end } => {
                let stream = number(stream);
                self.highest = highest.max(stream & 0x7fff_ffff);
                let lines: Vec<_> =
                    lines.iter().map(|line| LINES[usize::from(*line) % LINES.len()]).collect();
                let block = self.requests.block(&lines);
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

impl Number {
    /// What that is.
    pub fn of(self, highest: u32) -> u32 {
        match self {
            Self::Used(back) => highest.saturating_sub(2 * u32::from(back % 8)),
            Self::Next if highest == 0 => 1,
            Self::Next => (highest.saturating_add(2)) | 1,
            Self::Any(number) => number,
        }
    }
}

impl Size {
    /// What that is.
    pub fn of(self) -> usize {
        match self {
            Self::Small(size) => usize::from(size % 16),
            Self::Some(size) => usize::from(size) % 4096,
            Self::Large => 20_000,
            Self::Huge => 70_000,
        }
    }
}

impl Increment {
    /// What that is.
    pub fn of(self) -> u32 {
        match self {
            Self::Small(by) => by.into(),
            Self::Usual => 65_535,
            Self::Most => 0x7fff_ffff,
            Self::Any(by) => by,
        }
    }
}

impl Setting {
    /// What that is.
    pub fn of(self) -> u16 {
        match self {
            Self::Window => setting::INITIAL_WINDOW_SIZE,
            Self::Table => setting::HEADER_TABLE_SIZE,
            Self::Frame => setting::MAX_FRAME_SIZE,
            Self::Any(id) => id,
        }
    }
}

impl Ack {
    /// What that is.
    pub fn of(self) -> [u8; 8] {
        match self {
            Self::Notice => *b"lameduck",
            Self::Probe => *b"you here",
            Self::Receipt => *b"all read",
            Self::Other => [7; 8],
        }
    }
}
