//! A request's head (RFC 9112 sections 2 to 6), read strictly: what two readers could read in two ways is
//! refused.

use core::mem::MaybeUninit;

use crate::config::Limits;
use crate::error::PeerError;
use crate::event::BodyLength;
use crate::h1::byte_set::ByteSet;
use crate::h1::framing::Framing;
use crate::h1::target;
use crate::head::{RequestHead, Version};
use crate::lifecycle::http1::Persistence;

/// What a request line may have beside its target: a method, two spaces, a version.
const BESIDE_TARGET: usize = 64;

/// The limits under which a head is read. It depends on nothing else beside its own octets.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct Bounds {
    head: u16,
    target: u16,
    fields: usize,
    body: Option<u64>,
}

impl Bounds {
    pub(crate) fn of(limits: &Limits) -> Self {
        let Limits { head, target, fields, body, .. } = *limits;
        Self { head, target, fields: fields.min(Limits::FIELDS), body }
    }

    /// Whether a body may be so long.
    pub(crate) fn admit_body(&self, length: u64) -> bool {
        self.body.is_none_or(|most| length <= most)
    }
}

/// Reads the head that `text` starts with; `None`, while it is not all here. `scanner` is this head's own.
#[inline]
pub(crate) fn read(scanner: &mut Scanner, text: &[u8], bounds: &Bounds) -> Result<Option<Parsed>, PeerError> {
    if scanner.at == 0 {
        // Most heads come whole, and are in order.
        match parse(text, bounds) {
            Ok(None) => {}
            read => return read,
        }
    }
    let Some(length) = scanner.scan(text, bounds)? else { return Ok(None) };
    let text = &text[..length];
    match parse(text, bounds) {
        Ok(None) => Err(fault(text, bounds)),
        read => read,
    }
}

/// Finds the end of a head, however it is split: each byte is looked at once.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Scanner {
    /// Where the search goes on.
    at: usize,
    /// Where the line starts that `at` is in.
    line: usize,
}

impl Scanner {
    /// Looks through `text`, which starts with the head and has grown since the last call. The length of
    /// the head, when it is whole.
    fn scan(&mut self, text: &[u8], bounds: &Bounds) -> Result<Option<usize>, PeerError> {
        if text.first().is_some_and(|byte| !TOKEN.has(*byte)) {
            return Err(PeerError::BadRequestLine);
        }
        while let Some(offset) = text.get(self.at..).and_then(find_feed) {
            let feed = self.at + offset;
            self.check_length(feed + 1, bounds)?;
            if feed == self.line || text[feed - 1] != b'\r' {
                return Err(PeerError::BareLineBreak);
            }
            if feed - 1 == self.line {
                return Ok(Some(feed + 1));
            }
            self.at = feed + 1;
            self.line = self.at;
        }
        self.at = text.len();
        self.check_length(text.len(), bounds)?;
        Ok(None)
    }

    /// The limit that is reached first is the one that counts, whether or not more is here already.
    fn check_length(&self, length: usize, bounds: &Bounds) -> Result<(), PeerError> {
        let request_line = usize::from(bounds.target) + BESIDE_TARGET;
        let head = usize::from(bounds.head);
        if self.line == 0 && request_line < head && length > request_line {
            return Err(PeerError::TargetTooLong);
        }
        if length > head {
            return Err(PeerError::HeadTooLarge);
        }
        Ok(())
    }
}

/// Where the first LF is. The lines of a head are short: eight bytes at a step are there before a search that
/// is made for long texts has begun.
fn find_feed(text: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const FEEDS: u64 = u64::from_le_bytes([b'\n'; 8]);
    let (words, rest) = text.as_chunks();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word) ^ FEEDS;
        // The highest bit of each byte that is zero, and perhaps of some behind the first of these.
        let found = word.wrapping_sub(ONES) & !word & (ONES << 7);
        if found != 0 {
            return Some(index * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    let offset = rest.iter().position(|byte| *byte == b'\n')?;
    Some(words.len() * 8 + offset)
}

/// What kind of exchange a request asks for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Kind {
    Plain,
    /// A HEAD: its response has no body.
    Head,
    /// A CONNECT: a 2xx makes a tunnel.
    Connect,
    /// An upgrade is offered: a 101 makes a tunnel.
    Upgrade,
}

/// A head that has been read.
#[derive(Clone, Debug)]
pub(crate) struct Parsed {
    pub(crate) head: RequestHead,
    pub(crate) kind: Kind,
    pub(crate) persistence: Persistence,
    pub(crate) body: BodyLength,
    pub(crate) expects_continue: bool,
}

/// Reads the head that `text` starts with; `None`, where it is not whole, or the scanner or `httparse` would
/// find a fault in it.
fn parse(text: &[u8], bounds: &Bounds) -> Result<Option<Parsed>, PeerError> {
    let text = text.get(..usize::from(bounds.head)).unwrap_or(text);
    if !text.first().is_some_and(|byte| TOKEN.has(*byte)) {
        return Ok(None);
    }
    let mut slots = [const { MaybeUninit::uninit() }; Limits::FIELDS];
    let slots = &mut slots[..bounds.fields];
    let mut request = httparse::Request::new(&mut []);
    let text = match request.parse_with_uninit_headers(text, slots) {
        Ok(httparse::Status::Complete(length)) => text.get(..length).unwrap_or(text),
        _ => return Ok(None),
    };
    if !has_strict_lines(text, request.headers, bounds) {
        return Ok(None);
    }

    let method = request.method.unwrap_or_default();
    let target = request.path.unwrap_or_default();
    let version = match request.version {
        Some(0) => Version::Http10,
        _ => Version::Http11,
    };
    if target.len() > usize::from(bounds.target) {
        return Err(PeerError::TargetTooLong);
    }
    target::check(method, target)?;
    let mut framing = Framing::new(version);
    for field in request.headers.iter() {
        framing.read(field.name.as_bytes(), field.value)?;
    }
    let facts = framing.conclude(method, bounds)?;
    let fields = request.headers.iter().map(|field| (field.name.as_bytes(), field.value));
    Ok(Some(Parsed {
        head: RequestHead::new(text, method, target, version, fields),
        kind: facts.kind,
        persistence: facts.persistence,
        body: facts.body,
        expects_continue: facts.expects_continue,
    }))
}

/// Whether no line of a head ends in a bare LF, which `httparse` lets pass, and the first one is not too long.
fn has_strict_lines(text: &[u8], fields: &[httparse::Header<'_>], bounds: &Bounds) -> bool {
    let most = usize::from(bounds.target) + BESIDE_TARGET;
    fields.first().map_or(text.len(), |first| offset(text, first)) <= most
        && text.ends_with(b"\r\n\r\n")
        && fields.iter().all(|field| {
            let start = offset(text, field);
            text.get(start.wrapping_sub(2)..start) == Some(b"\r\n")
        })
}

/// Where a field, which is in `text`, starts.
fn offset(text: &[u8], field: &httparse::Header<'_>) -> usize {
    (field.name.as_ptr() as usize).wrapping_sub(text.as_ptr() as usize)
}

/// What is wrong with a whole head, in which the scanner has found no fault.
#[cold]
fn fault(text: &[u8], bounds: &Bounds) -> PeerError {
    let mut slots = [httparse::EMPTY_HEADER; Limits::FIELDS];
    let slots = &mut slots[..bounds.fields];
    match httparse::Request::new(slots).parse(text) {
        Err(httparse::Error::TooManyHeaders) => PeerError::TooManyFields,
        Err(httparse::Error::HeaderName | httparse::Error::HeaderValue) => PeerError::BadField,
        Err(httparse::Error::Version) if names_other_version(text) => PeerError::UnsupportedVersion,
        Err(httparse::Error::NewLine) if has_bare_return(text) => PeerError::BareLineBreak,
        _ => PeerError::BadRequestLine,
    }
}

fn has_bare_return(text: &[u8]) -> bool {
    text.windows(2).any(|pair| pair[0] == b'\r' && pair[1] != b'\n')
}

/// Whether the request line is one, of three parts that end with `HTTP/ DIGIT . DIGIT`, in a version that is
/// not ours.
fn names_other_version(text: &[u8]) -> bool {
    let line = memchr::memchr(b'\r', text).and_then(|end| text.get(..end)).unwrap_or(text);
    let mut parts = line.rsplit(|byte| *byte == b' ');
    match parts.next() {
        Some([b'H', b'T', b'T', b'P', b'/', major, b'.', minor]) => {
            major.is_ascii_digit() && minor.is_ascii_digit() && parts.count() == 2
        }
        _ => false,
    }
}

/// `tchar` (RFC 9110 section 5.6.2)
pub(crate) static TOKEN: ByteSet = ByteSet::alphanumeric_and(b"!#$%&'*+-.^_`|~");
