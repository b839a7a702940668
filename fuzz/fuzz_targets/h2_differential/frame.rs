//! A frame, as it stands on the wire.

use std::fmt;

use lameduck_fuzz::h2::PREFACE;
use lameduck_fuzz::h2::frame::{HEADER, flag, kind};

/// A frame, or the preface: a frame of a type that there is not.
#[derive(Clone, Copy)]
pub struct View<'a> {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: &'a [u8],
}

/// The type that stands for the preface.
pub const OPENING: u8 = 0xff;

impl<'a> View<'a> {
    pub fn of(frame: &'a [u8]) -> Self {
        match frame.split_first_chunk::<HEADER>() {
            Some((&[_, _, _, kind, flags, ref stream @ ..], payload)) if frame != PREFACE => {
                let stream = u32::from_be_bytes(*stream) & 0x7fff_ffff;
                Self { kind, flags, stream, payload }
            }
            _ => Self { kind: OPENING, flags: 0, stream: 0, payload: &[] },
        }
    }

    pub fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Whether more of a field block is to come behind it.
    pub fn is_open(&self) -> bool {
        matches!(self.kind, kind::HEADERS | kind::PUSH_PROMISE | kind::CONTINUATION)
            && !self.has(flag::END_HEADERS)
    }

    /// What it has of a field block.
    pub fn fragment(&self) -> &'a [u8] {
        let is_headers = self.kind == kind::HEADERS;
        let is_padded = is_headers && self.has(flag::PADDED);
        let padding = if is_padded { usize::from(self.payload.first().copied().unwrap_or(0)) } else { 0 };
        let priority = if is_headers && self.has(flag::PRIORITY) { 5 } else { 0 };
        let start = usize::from(is_padded) + priority;
        let end = self.payload.len().saturating_sub(padding);
        self.payload.get(start..end).unwrap_or(&[])
    }

    /// Whether its stream is to depend on itself.
    pub fn depends_on_itself(&self) -> bool {
        let start = match self.kind {
            kind::PRIORITY if self.payload.len() == 5 => 0,
            kind::HEADERS if self.has(flag::PRIORITY) => usize::from(self.has(flag::PADDED)),
            _ => return false,
        };
        let dependency = self.payload.get(start..).and_then(|rest| rest.first_chunk());
        dependency.is_some_and(|octets| u32::from_be_bytes(*octets) & 0x7fff_ffff == self.stream)
    }

    /// The settings that it has.
    pub fn settings(&self) -> impl Iterator<Item = (u16, u32)> {
        let (settings, _) = self.payload.as_chunks::<6>();
        let is_settings = self.kind == kind::SETTINGS && !self.has(flag::ACK);
        let settings = if is_settings { settings } else { &[] };
        settings
            .iter()
            .map(|&[a, b, ref value @ ..]| (u16::from_be_bytes([a, b]), u32::from_be_bytes(*value)))
    }

    /// The number that stands at this place of it.
    pub fn number_at(&self, place: usize) -> Option<u32> {
        self.payload
            .get(place..)
            .and_then(|rest| rest.first_chunk())
            .map(|octets| u32::from_be_bytes(*octets))
    }
}

impl fmt::Debug for View<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, flags, stream, payload } = self;
        let start = payload[..payload.len().min(64)].escape_ascii();
        write!(f, "type {kind:#x}, flags {flags:#x}, stream {stream}, {} octets: {start}", payload.len())
    }
}

pub fn is_whole(frame: &[u8]) -> bool {
    let length = |header: &[u8; HEADER]| u32::from_be_bytes([0, header[0], header[1], header[2]]) as usize;
    frame == PREFACE || frame.first_chunk().is_some_and(|header| frame.len() == HEADER + length(header))
}
