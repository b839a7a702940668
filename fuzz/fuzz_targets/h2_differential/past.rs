//! What the client has said so far.

use std::collections::BTreeMap;

use lameduck_fuzz::h2::frame::{flag, kind};
use lameduck_fuzz::h2::setting;

use crate::Refusal;
use crate::blocks::{Block, Blocks};
use crate::frame::View;

/// A frame where it stands.
#[derive(Debug)]
pub struct Case<'a> {
    pub frame: View<'a>,
    /// Whether more of a field block is to come.
    pub is_open: bool,
    /// The field block that ends with it.
    pub block: Option<Block>,
    /// Its stream, as it stood before.
    pub stream: Option<Stream>,
    /// Whether no stream so high has been used.
    pub is_idle: bool,
    /// Whether a higher one has been used, and it has not.
    pub is_skipped: bool,
    /// The highest stream that has been used.
    highest: u32,
}

impl Case<'_> {
    /// Whether so many others have been used, or could have been, that we do not know any more that it was not.
    pub fn is_skipped_long_ago(&self) -> bool {
        const REMEMBERED: u32 = 64;
        self.is_skipped && (self.highest - self.frame.stream) / 2 >= REMEMBERED
    }
}

/// A stream of which something has come.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stream {
    /// The client has opened it.
    pub is_opened: bool,
    /// The client has ended it.
    pub is_ended: bool,
    /// The client has reset it.
    pub is_reset: bool,
    /// We have given it up.
    pub is_refused_by_us: bool,
    /// We have answered it, and let the rest of the request come.
    pub is_answered_by_us: bool,
    /// h2 has given it up.
    pub is_refused_by_h2: bool,
    /// It was opened by CONNECT.
    pub is_tunnel: bool,
    /// The client has opened its window further.
    pub is_granted: bool,
}

impl Stream {
    /// Whether nothing more may come on it.
    pub fn is_over(self) -> bool {
        self.is_ended || self.is_closed()
    }

    /// Whether one of the servers, or the client, has broken it off.
    pub fn is_closed(self) -> bool {
        self.is_reset || self.is_refused_by_us || self.is_refused_by_h2
    }
}

/// All frames so far, the last included.
pub struct Past {
    /// How many, the preface included.
    pub frames: usize,
    pub settings_acks: usize,
    /// How many DATA frames had less than h2 likes.
    pub small_data: usize,
    /// The highest last stream that it may say in a GOAWAY without saying more than before.
    pub last_of_goaway: Option<u32>,
    pub streams: BTreeMap<u32, Stream>,
    highest: u32,
    blocks: Blocks,
}

impl Past {
    pub fn new() -> Self {
        Self {
            frames: 0,
            settings_acks: 0,
            small_data: 0,
            last_of_goaway: None,
            streams: BTreeMap::new(),
            highest: 0,
            blocks: Blocks::new(),
        }
    }

    /// A stream, as it stands.
    pub fn stream(&self, number: u32) -> Stream {
        self.streams.get(&number).copied().unwrap_or_default()
    }

    /// One of the two, or both, have given a stream up.
    pub fn give_up(&mut self, number: u32, by_us: Option<Refusal>, by_h2: Option<Refusal>) {
        let stream = self.streams.entry(number).or_default();
        stream.is_refused_by_us |= by_us.is_some();
        stream.is_answered_by_us |= by_us == Some(Refusal::Answered);
        stream.is_refused_by_h2 |= by_h2.is_some();
    }

    /// How many streams are not over for both.
    pub fn open(&self) -> usize {
        self.streams.values().filter(|stream| !stream.is_reset).count()
    }

    pub fn take<'a>(&mut self, frame: View<'a>) -> Case<'a> {
        let block = self.blocks.take(frame);
        let stream = self.streams.get(&frame.stream).copied();
        let is_idle = frame.stream.is_multiple_of(2) || frame.stream > self.highest;
        let is_skipped = !is_idle && !stream.is_some_and(|stream| stream.is_opened);
        let highest = self.highest;
        self.frames += 1;
        self.note(frame, block.as_ref());
        Case { frame, is_open: frame.is_open(), block, stream, is_idle, is_skipped, highest }
    }

    fn note(&mut self, frame: View<'_>, block: Option<&Block>) {
        match frame.kind {
            kind::SETTINGS if frame.has(flag::ACK) => self.settings_acks += 1,
            kind::DATA => {
                self.small_data += usize::from(frame.payload.len() < 256);
                if let Some(stream) = self.streams.get_mut(&frame.stream) {
                    stream.is_ended |= frame.has(flag::END_STREAM);
                }
            }
            kind::RST_STREAM => {
                if let Some(stream) = self.streams.get_mut(&frame.stream) {
                    stream.is_reset = true;
                }
            }
            kind::WINDOW_UPDATE => {
                if let Some(stream) = self.streams.get_mut(&frame.stream) {
                    stream.is_granted = true;
                }
            }
            kind::GOAWAY => {
                let last = frame.number_at(0).map(|last| last & 0x7fff_ffff);
                self.last_of_goaway =
                    last.map(|last| self.last_of_goaway.map_or(last, |before| before.min(last)));
            }
            _ => {}
        }
        if let Some(block) = block {
            self.highest = self.highest.max(block.stream);
            let is_tunnel = block.value(":method") == Some(b"CONNECT");
            let stream = self.streams.entry(block.stream).or_default();
            stream.is_tunnel |= is_tunnel && !stream.is_opened;
            stream.is_opened = true;
            stream.is_ended |= block.end_stream;
        }
    }

    /// Whether a change of the initial window can be too much for a stream that is over.
    pub fn remembers_windows(&self, frame: View<'_>) -> bool {
        frame.settings().any(|(id, _)| id == setting::INITIAL_WINDOW_SIZE)
            && self.streams.values().any(|stream| stream.is_over() && stream.is_granted)
    }
}
