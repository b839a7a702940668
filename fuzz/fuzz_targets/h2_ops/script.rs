//! What a script can say.

use lameduck_core::{Config, Field, HalfClose, Limits};
use lameduck_fuzz::decode::Status;
use lameduck_fuzz::h2::setting;

#[derive(Debug)]
pub struct Script {
    pub small_limits: bool,
    pub cancel_on_half_close: bool,
    /// The handshake is over when the script begins; the windows of the streams are these, where they are not the usual.
    pub greeted: Option<Option<Increment>>,
    /// So many requests have been made by then.
    pub requests: u8,
    pub ops: Vec<Op>,
}

#[derive(Clone, Debug)]
pub enum Op {
    /// The client says this. It arrives with all that was held back.
    Say(Said),
    /// The client says this, and it is held back.
    Hold(Said),
    /// So many bytes of what is held back arrive.
    Arrive(u8),
    Eof,
    Gone,
    Timeout,
    /// Time passes until the next deadline, and [`Op::Timeout`].
    Due,
    /// Milliseconds pass; back, where they are negative.
    Pass(i16),
    SetDate,
    Respond {
        id: Number,
        status: Status,
        length: Option<u16>,
        field: u8,
    },
    /// The whole of a response.
    Answer {
        id: Number,
        size: Size,
        trailer: Option<u8>,
    },
    Inform {
        id: Number,
        status: Status,
        field: u8,
    },
    SendBody {
        id: Number,
        size: Size,
    },
    Finish {
        id: Number,
        trailer: Option<u8>,
    },
    Reset(Number),
    ReadBody(Number),
    DiscardBody(Number),
    Release {
        id: Number,
        count: u16,
    },
    /// With a deadline so many milliseconds after the start, or before it.
    Drain(i16),
    Abort,
    Event,
    Transmit,
    /// So many bytes of what [`Op::Transmit`] showed are taken; it is shown before, where they are more.
    Transmitted(u16),
    /// Events and bytes are taken until there are none.
    Settle,
}

/// What a client says.
#[derive(Clone, Debug)]
pub enum Said {
    Request { stream: Number, kind: u8, shape: Shape, end: bool },
    Trailers { stream: Number, end: bool },
    Data { stream: Number, size: Size, end: bool, padding: Option<u8> },
    Reset { stream: Number, code: u8 },
    Grant { stream: Option<Number>, by: Increment },
    Settings { first: Option<(Setting, Increment)>, second: Option<(Setting, Increment)> },
    SettingsAck,
    Ping,
    PingAck(Ack),
    GoAway(Number),
    Priority(Number, Number),
    PriorityUpdate(Number, u8),
    Frame { kind: u8, flags: u8, stream: Number, payload: Vec<u8> },
    Bytes(Vec<u8>),
}

#[derive(Clone, Copy, Debug)]
pub enum Shape {
    Plain,
    Padded(u8),
    Prioritized(Number),
    InTwo(u8),
}

#[derive(Clone, Copy, Debug)]
pub enum Number {
    /// The highest that the client has used for a request, or one of those below it.
    Used(u8),
    /// The one that comes behind it.
    Next,
    Any(u32),
}

#[derive(Clone, Copy, Debug)]
pub enum Size {
    Small(u8),
    Some(u16),
    /// More than a frame holds.
    Large,
    /// More than the usual window.
    Huge,
}

#[derive(Clone, Copy, Debug)]
pub enum Increment {
    Small(u8),
    Usual,
    Most,
    Any(u32),
}

#[derive(Clone, Copy, Debug)]
pub enum Setting {
    Window,
    Table,
    Frame,
    Any(u16),
}

#[derive(Clone, Copy, Debug)]
pub enum Ack {
    Notice,
    Probe,
    Receipt,
    Other,
}

const FIELDS: [Field<'_>; 8] = [
    Field { name: "a", value: b"b" },
    Field { name: "connection", value: b"close" },
    Field { name: "content-length", value: b"5" },
    Field { name: "content-length", value: b"+5" },
    Field { name: "date", value: b"today" },
    Field { name: "A", value: b"x" },
    Field { name: "a b", value: b"c" },
    Field { name: "a", value: b"b\r\nc: d" },
];

impl Script {
    pub fn config(&self) -> Config {
        let mut config = Config::default();
        if self.small_limits {
            config.limits = Limits {
                head: 256,
                target: 64,
                fields: 6,
                body: Some(10_000),
                body_window: 8,
                body_window_most: 32,
                connection_window: 65_535,
                header_table: 64,
                streams: 3,
                send_queue: 64,
                ..Limits::default()
            };
        }
        if self.cancel_on_half_close {
            config.half_close = HalfClose::Cancel;
        }
        config
    }
}

pub fn field(choice: u8) -> Option<Field<'static>> {
    FIELDS.get(usize::from(choice)).copied()
}

impl Number {
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
    pub fn of(self) -> [u8; 8] {
        match self {
            Self::Notice => *b"lameduck",
            Self::Probe => *b"you here",
            Self::Receipt => *b"all read",
            Self::Other => [7; 8],
        }
    }
}
