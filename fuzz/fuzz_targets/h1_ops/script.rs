//! What a script can say.

use lameduck_core::{Config, HalfClose, Limits, StreamId};
use lameduck_fuzz::decode::Status;

#[derive(Debug)]
pub struct Script {
    pub small_limits: bool,
    pub cancel_on_half_close: bool,
    /// So many requests have been answered when it begins.
    pub answered: u8,
    pub ops: Vec<Op>,
}

#[derive(Clone, Debug)]
pub enum Op {
    /// One of [`TEXTS`].
    Text(u8),
    /// The same, and events and bytes are taken until there are none.
    Ask(u8),
    /// One of [`TEXTS`], in two pieces.
    Split(u8),
    /// Half of one of [`TEXTS`].
    Half(u8, Half),
    Bytes(Vec<u8>),
    Eof,
    Gone,
    Timeout,
    /// Time passes until the next deadline, and [`Op::Timeout`].
    Due,
    /// Milliseconds pass; back, where they are negative.
    Pass(i16),
    SetDate,
    Respond {
        id: Id,
        status: Status,
        length: Option<u16>,
        field: u8,
    },
    /// The whole of a response.
    Answer {
        id: Id,
        status: Status,
        size: Size,
        trailer: Option<u8>,
    },
    Inform {
        id: Id,
        status: Status,
        field: u8,
    },
    SendBody {
        id: Id,
        size: Size,
    },
    Finish {
        id: Id,
        trailer: Option<u8>,
    },
    Reset(Id),
    ReadBody(Id),
    DiscardBody(Id),
    Release {
        id: Id,
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

#[derive(Clone, Copy, Debug)]
pub enum Half {
    First,
    Second,
}

#[derive(Clone, Copy, Debug)]
pub enum Id {
    Current,
    Previous,
    Next,
    Any(u64),
}

#[derive(Clone, Copy, Debug)]
pub enum Size {
    Small(u8),
    Some(u16),
    /// More than is gathered.
    Large,
}

const TEXTS: [&[u8]; 20] = [
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    b"GET / HTTP/1.0\r\n\r\n",
    b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 90000\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\nContent-Length: 5\r\n\r\n",
    b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"hello",
    b"5\r\nhello\r\n",
    b"0\r\n\r\n",
    b"0\r\na: b\r\n\r\n",
    b"5\r\nhello\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
];

impl Script {
    pub fn config(&self) -> Config {
        let mut config = Config::default();
        if self.small_limits {
            config.limits = Limits {
                head: 256,
                target: 64,
                fields: 4,
                body: Some(10_000),
                chunk_extensions: 16,
                body_window: 8,
                discard: 8,
                pipeline: 64,
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

/// What a client may say next.
pub fn text(choice: u8) -> &'static [u8] {
    TEXTS[usize::from(choice) % TEXTS.len()]
}

impl Half {
    pub fn of(self, text: &[u8]) -> &[u8] {
        let (first, second) = text.split_at(text.len() / 2);
        match self {
            Self::First => first,
            Self::Second => second,
        }
    }
}

impl Id {
    /// The number, when so many requests have been told.
    pub fn of(self, requests: u64) -> StreamId {
        StreamId(match self {
            Self::Current => requests,
            Self::Previous => requests.wrapping_sub(1),
            Self::Next => requests + 1,
            Self::Any(id) => id,
        })
    }
}

impl Size {
    pub fn of(self) -> usize {
        match self {
            Self::Small(size) => usize::from(size),
            Self::Some(size) => usize::from(size) % 4096,
            Self::Large => 20_000,
        }
    }
}
