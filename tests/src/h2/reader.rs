//! A client's reading of what a server sends. Strict: this is our own output.

use std::collections::BTreeMap;
use std::fmt;

use loona_hpack::Decoder;

use super::frame::{HEADER, flag, kind};
use super::setting;
use crate::reader::Malformed;

/// Fields in their order.
pub type Fields = Vec<(String, Vec<u8>)>;

/// What a server sent: a frame, or a field block with all of its frames.
#[allow(missing_docs, reason = "RFC 9113 says it")]
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Sent {
    Headers { stream: u32, fields: Fields, end: bool },
    Data { stream: u32, data: Vec<u8>, end: bool },
    Settings(Vec<(u16, u32)>),
    SettingsAck,
    Ping([u8; 8]),
    PingAck([u8; 8]),
    GoAway { last: u32, code: u32, debug: Vec<u8> },
    RstStream { stream: u32, code: u32 },
    WindowUpdate { stream: u32, increment: u32 },
}

/// Reads what a server sends on one connection, as it comes. What the client says that binds the server, its
/// settings and what it grants, has to be told to it too.
pub struct Reader {
    hpack: Decoder<'static>,
    unread: Vec<u8>,
    max_frame_size: usize,
    /// The server's half of each stream on which it has sent a response's head.
    streams: BTreeMap<u32, Half>,
    /// A field block that has begun: its stream, whether that ends with it, what has come of it.
    block: Option<(u32, bool, Vec<u8>)>,
    begun: bool,
    last: u32,
    windows: Windows,
}

/// How much more the server may send (RFC 9113 section 6.9).
struct Windows {
    connection: i64,
    initial: i64,
    /// By how much a stream's window differs from the initial one.
    streams: BTreeMap<u32, i64>,
}

impl Windows {
    fn take(&mut self, stream: u32, length: usize) -> Result<(), Malformed> {
        let length = i64::try_from(length).map_err(|_| Malformed("DATA over any window"))?;
        let used = self.streams.entry(stream).or_default();
        *used -= length;
        self.connection -= length;
        if self.connection < 0 || (length > 0 && self.initial + *used < 0) {
            return Err(Malformed("DATA over a window"));
        }
        Ok(())
    }
}

/// What may follow on a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Half {
    /// A body, and trailers.
    Open,
    /// Nothing.
    Ended,
}

/// A frame's header.
struct Header {
    length: usize,
    kind: u8,
    flags: u8,
    stream: u32,
}

impl Default for Reader {
    fn default() -> Self {
        let mut hpack = Decoder::new();
        hpack.set_max_allowed_table_size(4096);
        Self {
            hpack,
            unread: Vec::new(),
            max_frame_size: 1 << 14,
            streams: BTreeMap::new(),
            block: None,
            begun: false,
            last: u32::MAX,
            windows: Windows { connection: 65_535, initial: 65_535, streams: BTreeMap::new() },
        }
    }
}

impl Reader {
    /// For a client that leaves the settings as they are.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the client's own settings, from when on the server has to keep to them.
    pub fn apply(&mut self, ours: &[(u16, u32)]) {
        for (id, value) in ours {
            match *id {
                setting::HEADER_TABLE_SIZE => self.hpack.set_max_allowed_table_size(*value as usize),
                setting::INITIAL_WINDOW_SIZE => self.windows.initial = i64::from(*value),
                setting::MAX_FRAME_SIZE => self.max_frame_size = *value as usize,
                _ => {}
            }
        }
    }

    /// Takes what the client grants by a WINDOW_UPDATE.
    pub fn grant(&mut self, stream: u32, increment: u32) {
        match stream {
            0 => self.windows.connection += i64::from(increment),
            _ => *self.windows.streams.entry(stream).or_default() += i64::from(increment),
        }
    }

    /// Takes bytes of the server.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.unread.extend_from_slice(bytes);
    }

    /// What it was fed and could not yet make something of.
    pub fn unread(&self) -> &[u8] {
        &self.unread
    }

    /// What came next, where it is whole.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn read(&mut self) -> Result<Option<Sent>, Malformed> {
        loop {
            let Some(header) = self.header()? else { return Ok(None) };
            if self.unread.len() < HEADER + header.length {
                return Ok(None);
            }
            let rest = self.unread.split_off(HEADER + header.length);
            let frame = std::mem::replace(&mut self.unread, rest);
            if let Some(sent) = self.frame(&header, &frame[HEADER..])? {
                return Ok(Some(sent));
            }
        }
    }

    fn header(&self) -> Result<Option<Header>, Malformed> {
        let Some([a, b, c, kind, flags, stream @ ..]) = self.unread.first_chunk::<HEADER>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        let stream = u32::from_be_bytes(*stream);
        if length > self.max_frame_size {
            return Err(Malformed("a frame over SETTINGS_MAX_FRAME_SIZE"));
        }
        if stream >> 31 != 0 {
            return Err(Malformed("a reserved bit that is set"));
        }
        Ok(Some(Header { length, kind: *kind, flags: *flags, stream }))
    }

    /// Nothing where more of a field block is to come.
    fn frame(&mut self, header: &Header, payload: &[u8]) -> Result<Option<Sent>, Malformed> {
        if !std::mem::replace(&mut self.begun, true) && (header.kind, header.flags) != (kind::SETTINGS, 0) {
            return Err(Malformed("a first frame that is not SETTINGS"));
        }
        check_header(header)?;
        let stream = header.stream;
        if let Some((begun, ..)) = &self.block
            && (header.kind, stream) != (kind::CONTINUATION, *begun)
        {
            return Err(Malformed("a frame in the middle of a field block"));
        }
        let end = header.flags & flag::END_STREAM != 0;
        let is_ack = header.flags & flag::ACK != 0;
        Ok(Some(match header.kind {
            kind::HEADERS => {
                self.block = Some((stream, end, payload.to_vec()));
                return self.end_block(header);
            }
            kind::CONTINUATION => {
                let (.., block) = self.block.as_mut().ok_or(Malformed("a CONTINUATION of nothing"))?;
                block.extend_from_slice(payload);
                return self.end_block(header);
            }
            kind::DATA => {
                if self.streams.get(&stream) != Some(&Half::Open) {
                    return Err(Malformed("DATA where no body can be"));
                }
                self.windows.take(stream, payload.len())?;
                self.end_stream(stream, end);
                Sent::Data { stream, data: payload.to_vec(), end }
            }
            kind::RST_STREAM => {
                self.streams.insert(stream, Half::Ended);
                Sent::RstStream { stream, code: u32::from_be_bytes(exact(payload)?) }
            }
            kind::SETTINGS if is_ack => {
                exact::<0>(payload)?;
                Sent::SettingsAck
            }
            kind::SETTINGS => Sent::Settings(read_settings(payload)?),
            kind::PING if is_ack => Sent::PingAck(exact(payload)?),
            kind::PING => Sent::Ping(exact(payload)?),
            kind::GOAWAY => self.goaway(payload)?,
            kind::WINDOW_UPDATE => match u32::from_be_bytes(exact(payload)?) {
                increment @ 1..=0x7fff_ffff => Sent::WindowUpdate { stream, increment },
                _ => return Err(Malformed("a WINDOW_UPDATE of zero, or with a reserved bit")),
            },
            _ => return Err(Malformed("a frame that a server does not send")),
        }))
    }

    /// RFC 9113 section 6.8: the last stream never grows.
    fn goaway(&mut self, payload: &[u8]) -> Result<Sent, Malformed> {
        let (last, rest) = payload.split_first_chunk().ok_or(Malformed("a GOAWAY that is too short"))?;
        let (code, debug) = rest.split_first_chunk().ok_or(Malformed("a GOAWAY that is too short"))?;
        let last = u32::from_be_bytes(*last);
        if last > self.last.min(0x7fff_ffff) {
            return Err(Malformed("a GOAWAY that takes back what another said"));
        }
        self.last = last;
        Ok(Sent::GoAway { last, code: u32::from_be_bytes(*code), debug: debug.to_vec() })
    }

    fn end_block(&mut self, header: &Header) -> Result<Option<Sent>, Malformed> {
        if header.flags & flag::END_HEADERS == 0 {
            return Ok(None);
        }
        let Some((stream, end, block)) = self.block.take() else { return Ok(None) };
        let fields = self.hpack.decode(&block).map_err(|_| Malformed("a field block that is not HPACK"))?;
        let fields: Fields =
            fields.into_iter().map(|(name, value)| Ok((text(name)?, value))).collect::<Result<_, _>>()?;
        self.check_fields(stream, end, &fields)?;
        self.end_stream(stream, end);
        Ok(Some(Sent::Headers { stream, fields, end }))
    }

    /// RFC 9113 sections 8.1 to 8.3: a response's head has a status and trailers have none.
    fn check_fields(
        &mut self,
        stream: u32,
        end: bool,
        fields: &[(String, Vec<u8>)],
    ) -> Result<(), Malformed> {
        let (status, rest) = match fields.split_first() {
            Some(((name, value), rest)) if name == ":status" => (Some(value.as_slice()), rest),
            _ => (None, fields),
        };
        rest.iter().try_for_each(|(name, value)| check_field(name, value))?;
        match (self.streams.get(&stream), status, end) {
            (None, Some([b'1', b'0'..=b'9', b'0'..=b'9']), false) => {}
            (None, Some([b'2'..=b'9', b'0'..=b'9', b'0'..=b'9']), _) => {
                self.streams.insert(stream, Half::Open);
            }
            (None, ..) => return Err(Malformed("a response whose status is missing or wrong")),
            (Some(Half::Open), None, true) => {}
            (Some(Half::Open), ..) => return Err(Malformed("trailers that are none")),
            (Some(Half::Ended), ..) => return Err(Malformed("HEADERS on a stream that has ended")),
        }
        Ok(())
    }

    fn end_stream(&mut self, stream: u32, end: bool) {
        if end {
            self.streams.insert(stream, Half::Ended);
        }
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("unread", &crate::wire::show(&self.unread))
            .field("streams", &self.streams)
            .finish_non_exhaustive()
    }
}

/// All that a server sent on one connection.
///
/// # Panics
/// Where it is malformed, or ends in the middle of a frame or a field block.
#[track_caller]
pub fn read_all(bytes: &[u8]) -> Vec<Sent> {
    let mut reader = Reader::new();
    reader.feed(bytes);
    let mut all = Vec::new();
    while let Some(sent) = reader.read().unwrap_or_else(|malformed| panic!("{malformed} after {all:?}")) {
        all.push(sent);
    }
    assert_eq!((reader.unread(), &reader.block), (&b""[..], &None), "half a frame after {all:?}");
    all
}

/// RFC 9113 section 4.1: flags that a type does not have are unset where it is sent. We send no padding and no
/// priority. Section 5.1.1: a server's frames are on the client's streams, for it does not push.
fn check_header(header: &Header) -> Result<(), Malformed> {
    let flags = match header.kind {
        kind::DATA => flag::END_STREAM,
        kind::HEADERS => flag::END_STREAM | flag::END_HEADERS,
        kind::CONTINUATION => flag::END_HEADERS,
        kind::SETTINGS | kind::PING => flag::ACK,
        _ => 0,
    };
    if header.flags & !flags != 0 {
        return Err(Malformed("a flag that a frame does not have"));
    }
    let fits = match header.kind {
        kind::SETTINGS | kind::PING | kind::GOAWAY => header.stream == 0,
        kind::WINDOW_UPDATE => header.stream == 0 || header.stream % 2 == 1,
        _ => header.stream % 2 == 1,
    };
    if fits { Ok(()) } else { Err(Malformed("a frame on a stream that it cannot be on")) }
}

/// RFC 9113 section 8.2.
fn check_field(name: &str, value: &[u8]) -> Result<(), Malformed> {
    const OF_CONNECTIONS: [&str; 5] =
        ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"];
    if name.is_empty() || name.bytes().any(|byte| !byte.is_ascii_graphic() || byte.is_ascii_uppercase()) {
        return Err(Malformed("a field whose name is no token in lower case"));
    }
    if name.contains(':') {
        return Err(Malformed("a pseudo-field that cannot be there"));
    }
    if OF_CONNECTIONS.contains(&name) {
        return Err(Malformed("a field of the connection"));
    }
    if value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) || value.trim_ascii() != value {
        return Err(Malformed("a field whose value cannot be one"));
    }
    Ok(())
}

fn read_settings(payload: &[u8]) -> Result<Vec<(u16, u32)>, Malformed> {
    let (settings, []) = payload.as_chunks() else {
        return Err(Malformed("SETTINGS of a length that is no multiple of six"));
    };
    let read = |&[a, b, value @ ..]: &[u8; 6]| (u16::from_be_bytes([a, b]), u32::from_be_bytes(value));
    Ok(settings.iter().map(read).collect())
}

fn exact<const N: usize>(payload: &[u8]) -> Result<[u8; N], Malformed> {
    payload.try_into().map_err(|_| Malformed("a frame of a length that its type does not have"))
}

fn text(name: Vec<u8>) -> Result<String, Malformed> {
    String::from_utf8(name).map_err(|_| Malformed("a field whose name is not ASCII"))
}
