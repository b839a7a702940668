//! A request's body: by length or chunked (RFC 9112 sections 6.2, 7.1), or the bytes of a tunnel.

use alloc::vec::Vec;

use crate::config::Limits;
use crate::error::PeerError;
use crate::event::BodyLength;
use crate::head::{Fields, Trailers, span};

/// What is still to come of a body.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Decoder {
    /// Nothing.
    #[default]
    Ended,
    /// So many bytes.
    Length(u64),
    /// Chunks.
    Chunked(Chunked),
    /// All that comes, until the peer's FIN.
    Tunnel,
}

/// How far a call of [`Decoder::decode`] came.
pub(crate) struct Decoded {
    /// How much of the input was used.
    pub(crate) used: usize,
    /// The end, where it was reached.
    pub(crate) end: Option<End>,
}

/// The end of a body.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub(crate) struct End {
    pub(crate) trailers: Option<Trailers>,
}

impl Decoder {
    pub(crate) fn new(body: BodyLength) -> Self {
        match body {
            BodyLength::Empty => Self::Ended,
            BodyLength::Known(length) => Self::Length(length),
            BodyLength::Unknown => Self::Chunked(Chunked::default()),
        }
    }

    /// How many bytes are still to come, where that is known.
    pub(crate) fn remaining(&self) -> Option<u64> {
        match self {
            Self::Ended => Some(0),
            Self::Length(left) => Some(*left),
            Self::Chunked(_) | Self::Tunnel => None,
        }
    }

    /// Reads as much of `input` as belongs to the body, and passes what it holds to `sink`.
    pub(crate) fn decode(
        &mut self,
        input: &[u8],
        limits: &Limits,
        mut sink: impl FnMut(&[u8]),
    ) -> Result<Decoded, PeerError> {
        match self {
            Self::Ended => Ok(Decoded { used: 0, end: None }),
            Self::Tunnel => {
                sink(input);
                Ok(Decoded { used: input.len(), end: None })
            }
            Self::Length(left) => {
                let used = take(left, input, &mut sink);
                let end = (*left == 0).then(End::default);
                Ok(Decoded { used, end })
            }
            Self::Chunked(chunked) => chunked.decode(input, limits, sink),
        }
    }
}

/// Passes on up to `left` bytes of `input`.
fn take(left: &mut u64, input: &[u8], sink: &mut impl FnMut(&[u8])) -> usize {
    let count = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
    *left -= count as u64;
    sink(&input[..count]);
    count
}

/// A chunked body.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Chunked {
    at: At,
    /// Of all chunks so far.
    total: u64,
    /// The bytes of all chunk extensions so far.
    extensions: usize,
    /// The trailer section so far.
    trailers: Vec<u8>,
}

/// The digits of the largest `chunk-size` that can be counted.
const MAX_DIGITS: u8 = 16;

/// The place within the chunked coding (RFC 9112 section 7.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum At {
    /// In `chunk-size`, of which so many digits have been read; leading zeros count, so that the line has a
    /// bound.
    Size {
        size: u64,
        digits: u8,
    },
    /// In the blanks that may stand before an extension.
    Blank {
        size: u64,
    },
    /// In an extension, which is skipped.
    Extension {
        size: u64,
    },
    /// Before the LF that ends the size's line.
    SizeFeed {
        size: u64,
    },
    /// In `chunk-data`.
    Data {
        left: u64,
    },
    /// Before the CR and the LF that end a chunk.
    DataReturn,
    DataFeed,
    /// In a line of the trailer section that started there.
    Trailer {
        line: usize,
    },
}

impl Default for At {
    fn default() -> Self {
        Self::Size { size: 0, digits: 0 }
    }
}

impl Chunked {
    fn decode(
        &mut self,
        input: &[u8],
        limits: &Limits,
        mut sink: impl FnMut(&[u8]),
    ) -> Result<Decoded, PeerError> {
        let mut used = 0;
        while let Some(byte) = input.get(used) {
            if let At::Data { left } = &mut self.at {
                used += take(left, &input[used..], &mut sink);
                if *left == 0 {
                    self.at = At::DataReturn;
                }
                continue;
            }
            used += 1;
            if let Some(end) = self.step(*byte, limits)? {
                return Ok(Decoded { used, end: Some(end) });
            }
        }
        Ok(Decoded { used, end: None })
    }

    /// Reads one byte of what stands around the data.
    fn step(&mut self, byte: u8, limits: &Limits) -> Result<Option<End>, PeerError> {
        self.at = match (self.at, byte) {
            (At::Size { size, digits: digits @ ..MAX_DIGITS }, byte) if byte.is_ascii_hexdigit() => {
                At::Size { size: next_size(size, byte)?, digits: digits + 1 }
            }
            (At::Size { digits: 0, .. }, _) => return Err(PeerError::BadChunkSize),
            (At::Size { size, .. } | At::Blank { size } | At::Extension { size }, b'\r') => {
                self.check_total(size, limits)?;
                match self.at {
                    At::Blank { .. } => return Err(PeerError::BadChunkSize),
                    _ => At::SizeFeed { size },
                }
            }
            (At::Size { size, .. } | At::Blank { size }, b';') => At::Extension { size },
            (At::Size { size, .. } | At::Blank { size }, b' ' | b'\t') => {
                self.count_extension(limits)?;
                At::Blank { size }
            }
            (At::Size { .. } | At::Blank { .. }, _) => return Err(PeerError::BadChunkSize),
            (At::Extension { size }, b'\t' | b' '..=b'~' | 0x80..) => {
                self.count_extension(limits)?;
                At::Extension { size }
            }
            (At::Extension { .. }, _) => return Err(PeerError::BareLineBreak),
            (At::SizeFeed { size: 0 }, b'\n') => At::Trailer { line: 0 },
            (At::SizeFeed { size }, b'\n') => At::Data { left: size },
            (At::SizeFeed { .. }, _) => return Err(PeerError::BareLineBreak),
            (At::DataReturn, b'\r') => At::DataFeed,
            (At::DataFeed, b'\n') => At::default(),
            (At::DataReturn | At::DataFeed, _) => return Err(PeerError::BadChunkEnd),
            (At::Trailer { line }, _) => return self.trailer(line, byte, limits),
            (At::Data { .. }, _) => self.at,
        };
        Ok(None)
    }

    fn check_total(&mut self, size: u64, limits: &Limits) -> Result<(), PeerError> {
        self.total = self.total.checked_add(size).ok_or(PeerError::BodyTooLarge)?;
        match limits.body {
            Some(most) if self.total > most => Err(PeerError::BodyTooLarge),
            _ => Ok(()),
        }
    }

    fn count_extension(&mut self, limits: &Limits) -> Result<(), PeerError> {
        self.extensions += 1;
        if self.extensions > limits.chunk_extensions {
            return Err(PeerError::ChunkExtensionsTooLong);
        }
        Ok(())
    }

    /// Reads one byte of the trailer section (RFC 9112 section 7.1.2).
    fn trailer(&mut self, line: usize, byte: u8, limits: &Limits) -> Result<Option<End>, PeerError> {
        if self.trailers.len() >= usize::from(limits.head) {
            return Err(PeerError::HeadTooLarge);
        }
        self.trailers.push(byte);
        if byte != b'\n' {
            return Ok(None);
        }
        match &self.trailers[line..] {
            b"\r\n" => Ok(Some(End { trailers: parse_trailers(&self.trailers, limits)? })),
            [.., b'\r', b'\n'] => {
                self.at = At::Trailer { line: self.trailers.len() };
                Ok(None)
            }
            _ => Err(PeerError::BareLineBreak),
        }
    }
}

/// `size * 16 + digit`, which must not overflow (RFC 9112 section 7.1).
fn next_size(size: u64, digit: u8) -> Result<u64, PeerError> {
    let value = char::from(digit).to_digit(16).ok_or(PeerError::BadChunkSize)?;
    let shifted = size.checked_mul(16).ok_or(PeerError::BadChunkSize)?;
    Ok(shifted | u64::from(value))
}

fn parse_trailers(text: &[u8], limits: &Limits) -> Result<Option<Trailers>, PeerError> {
    let mut slots = [httparse::EMPTY_HEADER; Limits::FIELDS];
    let most = limits.fields.min(Limits::FIELDS);
    let fields = match httparse::parse_headers(text, &mut slots[..most]) {
        Ok(httparse::Status::Complete((_, fields))) => fields,
        Err(httparse::Error::TooManyHeaders) => return Err(PeerError::TooManyFields),
        Ok(httparse::Status::Partial) | Err(_) => return Err(PeerError::BadField),
    };
    let kept: Vec<_> = fields.iter().filter(|field| may_trail(field.name)).collect();
    let fields = kept.iter().map(|field| (span(text, field.name.as_bytes()), span(text, field.value)));
    Ok((!kept.is_empty()).then(|| Trailers(Fields::new(text, fields))))
}

/// Fields that are needed before the content cannot come after it: those that frame, route, authenticate or
/// modify a message, or say what its content is (RFC 9110 section 6.5.1), and those of the connection.
pub(crate) fn may_trail(name: &str) -> bool {
    const BARRED: [&str; 26] = [
        "authorization",
        "cache-control",
        "connection",
        "content-encoding",
        "content-length",
        "content-range",
        "content-type",
        "cookie",
        "expect",
        "host",
        "if-match",
        "if-modified-since",
        "if-none-match",
        "if-range",
        "if-unmodified-since",
        "keep-alive",
        "max-forwards",
        "pragma",
        "proxy-authorization",
        "proxy-connection",
        "range",
        "set-cookie",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];
    !BARRED.iter().any(|barred| name.eq_ignore_ascii_case(barred))
}
