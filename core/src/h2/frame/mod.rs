//! Frames, to and from bytes (RFC 9113 sections 4 and 6, RFC 9218 section 7.1).
//!
//! What one frame alone shows to be malformed is refused here, with the scope and the code that its section
//! names. Which frame may come when is not decided here.

mod continuation;
mod data;
mod goaway;
mod headers;
#[cfg(feature = "fuzzing")]
pub mod outside;
mod ping;
mod priority;
mod priority_update;
mod push_promise;
mod rst_stream;
mod settings;
#[cfg(test)]
mod tests;
mod window_update;

use alloc::vec::Vec;
use core::error::Error;
use core::fmt;

use crate::fault::{ErrorCode, Fault};

pub(crate) use continuation::Continuation;
pub(crate) use data::{Data, DataHead};
pub(crate) use goaway::GoAway;
pub(crate) use headers::{Headers, write_block};
pub(crate) use ping::Ping;
pub(crate) use priority::Priority;
pub(crate) use priority_update::PriorityUpdate;
pub(crate) use rst_stream::RstStream;
pub(crate) use settings::{Setting, Settings, write_settings, write_settings_ack};
pub(crate) use window_update::WindowUpdate;

/// The longest payload that every endpoint takes, and the least that SETTINGS_MAX_FRAME_SIZE can say (RFC 9113
/// section 4.2).
pub(crate) const LEAST_MAX_FRAME_SIZE: u32 = 1 << 14;

/// The longest payload that a header can announce, and the most that SETTINGS_MAX_FRAME_SIZE can say.
pub(crate) const MOST_MAX_FRAME_SIZE: u32 = (1 << 24) - 1;

/// The bits of a stream identifier, a promise, a window increment: what they stand in has one more, which is
/// reserved and ignored.
const BITS_31: u32 = (1 << 31) - 1;

/// The types of frame (RFC 9113 section 11.2, RFC 9218 section 7.1).
pub(crate) mod kind {
    pub(crate) const DATA: u8 = 0x00;
    pub(crate) const HEADERS: u8 = 0x01;
    pub(crate) const PRIORITY: u8 = 0x02;
    pub(crate) const RST_STREAM: u8 = 0x03;
    pub(crate) const SETTINGS: u8 = 0x04;
    pub(crate) const PUSH_PROMISE: u8 = 0x05;
    pub(crate) const PING: u8 = 0x06;
    pub(crate) const GOAWAY: u8 = 0x07;
    pub(crate) const WINDOW_UPDATE: u8 = 0x08;
    pub(crate) const CONTINUATION: u8 = 0x09;
    pub(crate) const PRIORITY_UPDATE: u8 = 0x10;
}

/// The flags, of which each type of frame has some; the others are ignored (RFC 9113 section 4.1).
mod flag {
    pub(super) const ACK: u8 = 0x01;
    pub(super) const END_STREAM: u8 = 0x01;
    pub(super) const END_HEADERS: u8 = 0x04;
    pub(super) const PADDED: u8 = 0x08;
    pub(super) const PRIORITY: u8 = 0x20;

    /// `flag` where it is set, as the header has it.
    pub(super) const fn when(flag: u8, set: bool) -> u8 {
        if set { flag } else { 0 }
    }
}

/// What every frame starts with (RFC 9113 section 4.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Header {
    /// Of the payload, without this header; 24 bits.
    pub(crate) length: u32,
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    /// Zero for the connection; 31 bits.
    pub(crate) stream: u32,
}

impl Header {
    /// How many octets it takes.
    pub(crate) const LEN: usize = 9;

    pub(crate) fn parse(octets: &[u8; Self::LEN]) -> Self {
        let [a, b, c, kind, flags, stream @ ..] = *octets;
        let length = u32::from_be_bytes([0, a, b, c]);
        Self { length, kind, flags, stream: u32::from_be_bytes(stream) & BITS_31 }
    }

    #[inline]
    pub(crate) fn write(self, out: &mut Vec<u8>) {
        let [_, a, b, c] = self.length.to_be_bytes();
        let [d, e, f, g] = self.stream.to_be_bytes();
        out.extend_from_slice(&[a, b, c, self.kind, self.flags, d, e, f, g]);
    }

    /// Refuses a frame that is longer than we said to take (RFC 9113 section 4.2). Where that is an error of
    /// one stream only, it is made one of the connection (section 5.4.1 allows it): what it announces, up to
    /// 16 MB, is not worth reading.
    pub(crate) fn check_length(self, max_frame_size: u32) -> Result<(), FrameError> {
        if self.length > max_frame_size {
            return Err(FrameError::connection(Fault::TooLong));
        }
        Ok(())
    }

    /// Whether it announces SETTINGS, and not the ACK of ours.
    pub(crate) const fn is_settings(self) -> bool {
        self.kind == kind::SETTINGS && !self.has(flag::ACK)
    }

    const fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// The stream of a frame that belongs to one.
    fn on_stream(self) -> Result<u32, FrameError> {
        if self.stream == 0 {
            return Err(FrameError::connection(Fault::StreamMissing));
        }
        Ok(self.stream)
    }

    /// Refuses a frame of the connection that names a stream.
    fn on_connection(self) -> Result<(), FrameError> {
        if self.stream != 0 {
            return Err(FrameError::connection(Fault::StreamNamed));
        }
        Ok(())
    }
}

/// A frame that a client sent. It borrows its payload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Frame<'a> {
    Data(Data<'a>),
    Headers(Headers<'a>),
    Priority(Priority),
    RstStream(RstStream),
    Settings(Settings<'a>),
    SettingsAck,
    Ping(Ping),
    PingAck(Ping),
    GoAway(GoAway<'a>),
    WindowUpdate(WindowUpdate),
    Continuation(Continuation<'a>),
    PriorityUpdate(PriorityUpdate<'a>),
    /// Of a type that is not known: ignored, but inside of a field block (RFC 9113 section 5.5).
    Unknown,
}

impl<'a> Frame<'a> {
    /// The frame that `header` announced, with its whole payload.
    pub(crate) fn parse(header: Header, payload: &'a [u8]) -> Result<Self, FrameError> {
        debug_assert_eq!(header.length as usize, payload.len());
        Ok(match header.kind {
            kind::DATA => Self::Data(Data::parse(header, payload)?),
            kind::HEADERS => Self::Headers(Headers::parse(header, payload)?),
            kind::PRIORITY => Self::Priority(Priority::parse(header, payload)?),
            kind::RST_STREAM => Self::RstStream(RstStream::parse(header, payload)?),
            kind::SETTINGS => settings::parse(header, payload)?,
            kind::PUSH_PROMISE => return Err(push_promise::refuse()),
            kind::PING => ping::parse(header, payload)?,
            kind::GOAWAY => Self::GoAway(GoAway::parse(header, payload)?),
            kind::WINDOW_UPDATE => Self::WindowUpdate(WindowUpdate::parse(header, payload)?),
            kind::CONTINUATION => Self::Continuation(Continuation::parse(header, payload)?),
            kind::PRIORITY_UPDATE => Self::PriorityUpdate(PriorityUpdate::parse(header, payload)?),
            _ => Self::Unknown,
        })
    }
}

/// What an error ends (RFC 9113 section 5.4).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Scope {
    /// The connection, by a GOAWAY.
    Connection,
    /// This stream, by a RST_STREAM.
    Stream(u32),
}

/// A frame that is malformed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct FrameError {
    pub(crate) scope: Scope,
    pub(crate) code: ErrorCode,
    pub(crate) fault: Fault,
}

impl FrameError {
    pub(crate) const fn connection(fault: Fault) -> Self {
        Self { scope: Scope::Connection, code: fault.code(), fault }
    }

    pub(crate) const fn stream(stream: u32, fault: Fault) -> Self {
        Self { scope: Scope::Stream(stream), code: fault.code(), fault }
    }
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.scope {
            Scope::Connection => write!(f, "{}: {}", self.code, self.fault),
            Scope::Stream(stream) => write!(f, "{} on stream {stream}: {}", self.code, self.fault),
        }
    }
}

impl Error for FrameError {}
