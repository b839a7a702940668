//! What a script can say.

use lameduck_core::{Config, HalfClose, Limits};
use lameduck_fuzz::decode::Status;
use lameduck_fuzz::h2::words::{Increment, Number, Said, Size};

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

impl Script {
    pub fn config(&self) -> Config {
        let mut config = Config::default();
        if self.small_limits {
            config.limits = Limits {
                head: 256,
                target: 64,
                fields: 6,
                body: Some(10_000),
                stream_window: 8,
                stream_window_most: 32,
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
