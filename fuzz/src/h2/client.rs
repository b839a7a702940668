//! A client: what it has said, whatever that was, and what it makes of what it is sent.

use std::collections::BTreeSet;

use super::frame::{HEADER, flag, kind};
use super::reader::{Reader, Sent};
use super::{PREFACE, setting};

/// The client of a connection. What it says binds the server from when on that has read it: by then, all that the
/// server had framed before has to have been [heard](Self::hear).
#[derive(Debug, Default)]
pub struct Client {
    reader: Reader,
    said: Said,
    /// What it has said of the next frame, or of the preface.
    begun: Vec<u8>,
    /// The streams that it has reset.
    pub reset: BTreeSet<u32>,
    /// The last stream that the server takes, where it has said so.
    pub cutoff: Option<u32>,
    /// The code with which the server gave the connection up.
    pub failure: Option<u32>,
}

/// What a client has said.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Said {
    /// Some of the preface, or nothing.
    #[default]
    Little,
    /// The preface.
    Preface,
    /// What is not the preface: no server makes anything of what follows.
    Nonsense,
}

impl Client {
    /// How many of these bytes end what it has begun to say: a frame, or the preface. All, where they do not.
    pub fn first(&self, bytes: &[u8]) -> usize {
        let begun = self.begun.len();
        let header: Vec<u8> = self.begun.iter().chain(bytes).take(HEADER).copied().collect();
        let length = match (self.said, header.first_chunk()) {
            (Said::Little, _) => PREFACE.len(),
            (Said::Preface, Some([a, b, c])) if header.len() == HEADER => {
                HEADER + u32::from_be_bytes([0, *a, *b, *c]) as usize
            }
            (Said::Preface | Said::Nonsense, _) => usize::MAX,
        };
        length.saturating_sub(begun).min(bytes.len())
    }

    /// Whether these bytes, up to the [first](Self::first) end, end SETTINGS.
    pub fn changes_settings(&self, bytes: &[u8]) -> bool {
        let whole: Vec<u8> = self.begun.iter().chain(bytes).copied().collect();
        self.said == Said::Preface && whole.get(3) == Some(&kind::SETTINGS)
    }

    /// It says this: no more than up to the [first](Self::first) end.
    pub fn say(&mut self, bytes: &[u8]) {
        let is_whole = self.first(&[bytes, &[0]].concat()) == bytes.len();
        self.begun.extend_from_slice(bytes);
        if !is_whole {
            return;
        }
        let begun = std::mem::take(&mut self.begun);
        match self.said {
            Said::Little if begun == PREFACE => self.said = Said::Preface,
            Said::Little => self.said = Said::Nonsense,
            Said::Preface => self.say_frame(&begun),
            Said::Nonsense => {}
        }
    }

    fn say_frame(&mut self, frame: &[u8]) {
        let Some((&[_, _, _, kind, flags, ref stream @ ..], payload)) = frame.split_first_chunk::<HEADER>()
        else {
            return;
        };
        let stream = u32::from_be_bytes(*stream) & 0x7fff_ffff;
        match (kind, payload) {
            (kind::SETTINGS, _) if flags & flag::ACK == 0 => {
                let (settings, _) = payload.as_chunks::<6>();
                let setting = |&[a, b, ref value @ ..]: &[u8; 6]| {
                    (u16::from_be_bytes([a, b]), u32::from_be_bytes(*value))
                };
                let settings: Vec<_> = settings.iter().map(setting).collect();
                if payload.len() <= 1 << 14 && settings.iter().all(can_be) {
                    self.reader.apply(&settings);
                }
            }
            (kind::WINDOW_UPDATE, &[a, b, c, d]) => {
                self.reader.grant(stream, u32::from_be_bytes([a, b, c, d]) & 0x7fff_ffff);
            }
            (kind::RST_STREAM, _) => {
                self.reset.insert(stream);
            }
            _ => {}
        }
    }

    /// What the server has framed since; that, frame by frame.
    ///
    /// # Panics
    /// Where no server may send that.
    pub fn hear(&mut self, bytes: &[u8]) -> Vec<Sent> {
        self.reader.feed(bytes);
        let mut heard = vec![];
        loop {
            match self.reader.read() {
                Ok(Some(sent)) => {
                    self.note(&sent);
                    heard.push(sent);
                }
                Ok(None) => return heard,
                Err(malformed) => panic!("{malformed} after {heard:?}"),
            }
        }
    }

    fn note(&mut self, sent: &Sent) {
        if let Sent::GoAway { last, code, .. } = sent {
            self.cutoff = Some(*last);
            assert_eq!(self.failure, None, "a GOAWAY behind the last");
            self.failure = Some(*code).filter(|code| *code != 0);
        }
    }

    /// Whether all that it has heard was whole frames.
    pub fn has_heard_all(&self) -> bool {
        self.reader.unread().is_empty()
    }
}

/// Whether a setting has a value that it can have: others bind nobody (RFC 9113 section 6.5.2).
fn can_be((id, value): &(u16, u32)) -> bool {
    match *id {
        setting::INITIAL_WINDOW_SIZE => *value <= 0x7fff_ffff,
        setting::MAX_FRAME_SIZE => (1 << 14..1 << 24).contains(value),
        _ => true,
    }
}
