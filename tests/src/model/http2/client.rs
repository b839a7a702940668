//! The client of a run: what it says, and what it makes of what it is sent. Strict, small, and with nothing of
//! the core's in it; it can be forked, compared and hashed, the HPACK tables of both directions too.

use loona_hpack::Decoder;

use crate::h2::code::{CANCEL, INTERNAL_ERROR, NO_ERROR, REFUSED_STREAM};
use crate::h2::frame::{HEADER, flag, kind};
use crate::h2::{Frame, frame};
use crate::reader::Malformed;

use super::script::{Opening, Part, Says, Script, Stream};

/// GOAWAY with this last stream leaves all open (RFC 9113 section 6.8).
pub const NO_CUTOFF: u32 = (1 << 31) - 1;

/// More DATA than a window has room for.
pub const OVERRUN: Malformed = Malformed("DATA over a window");

/// What the PING with the notice of a drain carries.
const NOTICE: [u8; 8] = *b"lameduck";

/// What the PING behind the last response carries.
const RECEIPT: [u8; 8] = *b"all read";

/// The fields of a block, as they stand there.
type Lines = Vec<(Vec<u8>, Vec<u8>)>;

/// A stream, as the client sees it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct View {
    /// How many parts of its request have been sent.
    pub parts: usize,
    /// Whether the client has reset it.
    pub reset: bool,
    /// The response.
    pub reply: Reply,
    /// Whether it has been told to go on with its body.
    pub told_on: bool,
    /// The code of the server's RST_STREAM.
    pub stopped: Option<u32>,
    /// By how much what the server may send of it differs from what windows start with.
    pub window: i64,
    /// How much the client may send of it.
    pub credit: i64,
}

/// How much of a response there is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Reply {
    /// Nothing.
    None,
    /// The head of a handler's response, and so much of its body.
    Part(usize),
    /// All of a handler's response.
    Whole,
    /// All of a response that the server gave by itself.
    Refusal(u16),
}

/// The client's side of one connection.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Client {
    /// The streams that it has opened.
    pub streams: Vec<View>,
    /// How much it may send on all of them.
    pub credit: i64,
    /// The last stream of the server's last GOAWAY, and its code.
    pub goaway: Option<(u32, u32)>,
    /// The server's PINGs that it could ack: the one with the notice, the one that asks for a sign of life, the one
    /// behind the last response.
    pub asked: [bool; 3],
    /// Whether it knows the server's SETTINGS.
    pub is_greeted: bool,
    window: i64,
    initial: i64,
    /// Sizes of its windows that the server has not acked yet.
    resizes: Vec<i64>,
    unread: Vec<u8>,
    /// The field blocks that it was sent: what its HPACK table is made of.
    blocks: Vec<Vec<u8>>,
    /// How many entries it has added to the table of its own field blocks.
    added: u8,
}

impl Client {
    /// One that has said nothing.
    pub fn new() -> Self {
        Self {
            streams: Vec::new(),
            credit: 65_535,
            goaway: None,
            asked: [false; 3],
            is_greeted: false,
            window: 65_535,
            initial: 65_535,
            resizes: Vec::new(),
            unread: Vec::new(),
            blocks: Vec::new(),
            added: 0,
        }
    }

    /// The stream of this number.
    pub fn view(&self, number: u32) -> Option<&View> {
        self.streams.get(index(number))
    }

    // What it says. The numbers that go with it are those of the moment in which it is said.

    /// Opens the next stream; its number.
    pub fn open(&mut self, script: &Script) -> u32 {
        let credit = self.first_credit(script);
        let number = 2 * u32::try_from(self.streams.len()).unwrap_or(u32::MAX) + 1;
        let view = View {
            parts: 0,
            reset: false,
            reply: Reply::None,
            told_on: false,
            stopped: None,
            window: 0,
            credit,
        };
        self.streams.push(view);
        number
    }

    /// The next part of a request.
    pub fn next_part(&mut self, script: &Script, number: u32) -> Vec<u8> {
        let stream = &script.streams[index(number)];
        let view = &mut self.streams[index(number)];
        let part = stream.parts[view.parts];
        view.parts += 1;
        let ends = view.parts == stream.parts.len() && stream.ends;
        let end = |frame: Frame| if ends { frame.end_stream() } else { frame };
        let frame = match part {
            Part::Head => end(frame::headers(number, self.request(script, number)).end_headers()),
            Part::LargeHead => {
                let mut block = self.request(script, number);
                block.extend_from_slice(b"\x40\x01l\x64");
                block.extend_from_slice(&[b'-'; 100]);
                self.added += 1;
                end(frame::headers(number, block).end_headers())
            }
            // The flag stands in HEADERS, whatever continues it.
            Part::HalfHead => {
                let block = self.clone().request(script, number);
                let frame = frame::headers(number, &block[..block.len() / 2]);
                if stream.ends && stream.parts.len() == 2 { frame.end_stream() } else { frame }
            }
            Part::RestOfHead => {
                let block = self.request(script, number);
                frame::continuation(number, &block[block.len() / 2..]).end_headers()
            }
            Part::Data(data) => {
                let length = i64::try_from(data.len()).unwrap_or(i64::MAX);
                view.credit -= length;
                self.credit -= length;
                end(frame::data(number, data))
            }
            Part::Padded(data) => {
                let length = i64::try_from(data.len() + 3).unwrap_or(i64::MAX);
                view.credit -= length;
                self.credit -= length;
                end(frame::data(number, data).padded(2))
            }
            Part::Trailers => {
                self.added += 1;
                frame::headers(number, b"\x40\x01t\x01u").end_headers().end_stream()
            }
        };
        frame.as_ref().to_vec()
    }

    /// A request's field block (RFC 7541 section 6): its path goes into the table, and the authority comes out of
    /// it, from behind all that has been added since the first request.
    fn request(&mut self, script: &Script, number: u32) -> Vec<u8> {
        let stream = &script.streams[index(number)];
        if stream.says == Says::Connects {
            return b"\x02\x07CONNECT\x01\x03a:1".to_vec();
        }
        let has_body = stream.has_body();
        let mut block = vec![if has_body { 0x83 } else { 0x82 }, 0x86];
        match self.added {
            0 => {
                self.added = 1;
                block.extend_from_slice(b"\x41\x01a");
            }
            added => block.push(0x80 | (61 + added)),
        }
        self.added += 1;
        block.extend_from_slice(&[0x44, 2, b'/', digit(number)]);
        if let Says::Length | Says::Expects = stream.says {
            block.extend_from_slice(&[0x0f, 0x0d, 1, digit(stream.body().len() as u32)]);
        }
        match stream.says {
            Says::Expects => block.extend_from_slice(b"\x0f\x14\x0c100-continue"),
            Says::Urgency => block.extend_from_slice(b"\x00\x08priority\x03u=1"),
            Says::Nothing | Says::Length | Says::Connects => {}
        }
        block
    }

    /// Takes it for done: the windows that it has opened count from now on.
    pub fn grant(&mut self, number: u32, increment: u32) {
        match number {
            0 => self.window += i64::from(increment),
            _ => self.streams[index(number)].window += i64::from(increment),
        }
    }

    /// Has asked for windows of this size.
    pub fn resize(&mut self, size: u32) {
        self.resizes.push(i64::from(size));
    }

    // What it is sent.

    /// Takes bytes of the server.
    pub fn take(&mut self, bytes: &[u8]) {
        self.unread.extend_from_slice(bytes);
    }

    /// Makes of what it was sent what can be made.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn read(&mut self, script: &Script) -> Result<(), Malformed> {
        while let Some(payload) = frame_at(&self.unread) {
            let rest = self.unread.split_off(HEADER + payload.len());
            let frame = std::mem::replace(&mut self.unread, rest);
            self.frame(script, &frame)?;
        }
        Ok(())
    }

    /// Whether there is something for it to read.
    pub fn can_read(&self) -> bool {
        frame_at(&self.unread).is_some()
    }

    /// Whether nothing half is left.
    pub fn has_read_all(&self) -> bool {
        self.unread.is_empty()
    }

    /// Whether the server may not take it that the last response has been read: it has been asked and has not said
    /// so, or has not read one and has acked all that it was asked before.
    pub fn may_lose_a_response(&self) -> bool {
        let has_unread = |payload: [u8; 8]| self.unread.windows(8).any(|window| window == payload);
        let is_silent = self.asked[0] || has_unread(NOTICE);
        self.asked[2] || has_unread(RECEIPT) || has_end_of_response(&self.unread) && !is_silent
    }

    /// What it was sent and has not read, and what is still to come to it, from a whole frame on.
    pub fn unread_with(&self, pending: &[u8]) -> Vec<u8> {
        [&self.unread, pending].concat()
    }

    fn frame(&mut self, script: &Script, frame: &[u8]) -> Result<(), Malformed> {
        let (kind, flags, number) = (frame[3], frame[4], number_of(frame));
        let payload = &frame[HEADER..];
        let word = |at: usize| match payload.get(at..at + 4) {
            Some(octets) => Ok(octets.iter().fold(0, |word, octet| word << 8 | u32::from(*octet))),
            None => Err(Malformed("a frame that is too short")),
        };
        match (kind, flags, number) {
            (kind::SETTINGS, 0, 0) if !self.is_greeted => self.take_greeting(script),
            _ if !self.is_greeted => return Err(Malformed("a first frame that is not SETTINGS")),
            (kind::SETTINGS, flag::ACK, 0) => self.take_settings_ack(),
            (kind::PING, 0, 0) if payload == NOTICE => self.asked[0] = true,
            (kind::PING, 0, 0) if payload == RECEIPT => self.asked[2] = true,
            (kind::PING, 0, 0) => self.asked[1] = true,
            (kind::PING, flag::ACK, 0) => {}
            (kind::GOAWAY, 0, 0) => self.take_goaway(word(0)?, word(4)?)?,
            (kind::WINDOW_UPDATE, 0, 0) => self.credit += i64::from(word(0)?),
            (kind::WINDOW_UPDATE, 0, _) => self.stream(number)?.credit += i64::from(word(0)?),
            (kind::RST_STREAM, 0, _) => self.take_reset(script, number, word(0)?)?,
            (kind::HEADERS, flags, _) if flags & flag::END_HEADERS != 0 => {
                self.take_block(script, number, flags & flag::END_STREAM != 0, payload)?;
            }
            (kind::DATA, 0 | flag::END_STREAM, _) => {
                self.take_data(script, number, flags == flag::END_STREAM, payload)?;
            }
            _ => return Err(Malformed("a frame that cannot be there")),
        }
        Ok(())
    }

    fn stream(&mut self, number: u32) -> Result<&mut View, Malformed> {
        let view = self.streams.get_mut(index(number)).filter(|_| number % 2 == 1);
        view.ok_or(Malformed("a frame on a stream that was not opened"))
    }

    /// RFC 9113 section 6.9.2: what streams were begun with is not what the server grants.
    fn take_greeting(&mut self, script: &Script) {
        let by = self.first_credit(script);
        self.is_greeted = true;
        let by = self.first_credit(script) - by;
        self.streams.iter_mut().for_each(|view| view.credit += by);
    }

    /// What it takes the window of a stream for that begins. One that acks the server's SETTINGS at once knows them.
    fn first_credit(&self, script: &Script) -> i64 {
        match (self.is_greeted, script.opening) {
            (false, Opening::Polite) => 65_535,
            _ => i64::from(script.config.limits.stream_window),
        }
    }

    fn take_settings_ack(&mut self) {
        if !self.resizes.is_empty() {
            self.initial = self.resizes.remove(0);
        }
    }

    /// RFC 9113 section 6.8: the last stream never grows.
    fn take_goaway(&mut self, last: u32, code: u32) -> Result<(), Malformed> {
        if self.goaway.is_some_and(|(before, _)| last > before) {
            return Err(Malformed("a GOAWAY that takes back what another said"));
        }
        self.goaway = Some((last, code));
        Ok(())
    }

    /// Once a stream, and for a reason.
    fn take_reset(&mut self, script: &Script, number: u32, code: u32) -> Result<(), Malformed> {
        let parts = script.streams.get(index(number)).map_or(0, |stream| stream.parts.len());
        let view = self.stream(number)?;
        let is_done = matches!(view.reply, Reply::Whole | Reply::Refusal(_));
        let fits = match code {
            REFUSED_STREAM => view.reply == Reply::None,
            NO_ERROR => is_done && parts > 1,
            CANCEL => true,
            INTERNAL_ERROR => matches!(view.reply, Reply::Part(_)),
            _ => false,
        };
        if view.stopped.replace(code).is_some() || !fits {
            return Err(Malformed("a RST_STREAM that has no reason"));
        }
        Ok(())
    }

    fn take_block(&mut self, script: &Script, number: u32, end: bool, block: &[u8]) -> Result<(), Malformed> {
        let fields = self.decode(block)?;
        let expected = script.streams.get(index(number)).map_or(0, |stream| stream.reply);
        let view = self.stream(number)?;
        let mine = [(&b"x"[..], &[digit(number)][..])];
        let length = expected.to_string();
        let declared = [mine[0], (b"content-length", length.as_bytes())];
        let refusal = [(&b"content-length"[..], &b"0"[..])];
        let is_too_large = script.streams.get(index(number)).is_some_and(Stream::is_too_large);
        let expects = script.streams.get(index(number)).is_some_and(|stream| stream.says == Says::Expects);
        let fields: Vec<(&[u8], &[u8])> =
            fields.iter().map(|(name, value)| (name.as_slice(), value.as_slice())).collect();
        view.reply = match (view.reply, view.stopped, &*fields) {
            (Reply::None, None, [(b":status", b"200"), rest @ ..])
                if (rest == mine && !end) || (rest == declared && end == (expected == 0)) =>
            {
                if end {
                    Reply::Whole
                } else {
                    Reply::Part(0)
                }
            }
            (Reply::None, None, [(b":status", status @ (b"408" | b"500")), rest @ ..])
                if rest == refusal && end =>
            {
                Reply::Refusal(if status == b"408" { 408 } else { 500 })
            }
            (Reply::None, None, [(b":status", b"431"), rest @ ..])
                if rest == refusal && end && is_too_large =>
            {
                Reply::Refusal(431)
            }
            (Reply::None, None, [(b":status", b"100")]) if !end && expects && !view.told_on => {
                view.told_on = true;
                Reply::None
            }
            (Reply::Part(count), None, rest) if rest == mine && end && count == expected => Reply::Whole,
            _ => return Err(Malformed("a field block that says what was not said, or not now")),
        };
        Ok(())
    }

    /// With a table that is made anew of all blocks so far.
    fn decode(&mut self, block: &[u8]) -> Result<Lines, Malformed> {
        let mut decoder = Decoder::new();
        for block in &self.blocks {
            decoder.decode(block).map_err(|_| Malformed("HPACK that was right before"))?;
        }
        // One that has nothing but indices changes nothing in the table.
        if block.iter().any(|octet| octet & 0x80 == 0) {
            self.blocks.push(block.to_vec());
        }
        decoder.decode(block).map_err(|_| Malformed("a field block that is not HPACK"))
    }

    fn take_data(&mut self, script: &Script, number: u32, end: bool, data: &[u8]) -> Result<(), Malformed> {
        let expected = script.streams.get(index(number)).map_or(0, |stream| stream.reply);
        let length = i64::try_from(data.len()).unwrap_or(i64::MAX);
        self.window -= length;
        let (connection, initial) = (self.window, self.initial);
        let view = self.stream(number)?;
        view.window -= length;
        if length > 0 && (initial + view.window < 0 || connection < 0) {
            return Err(OVERRUN);
        }
        let Reply::Part(before) = view.reply else { return Err(Malformed("DATA where no body can be")) };
        let count = before + data.len();
        let is_right = data.iter().all(|octet| *octet == digit(number));
        if view.stopped.is_some() || !is_right || count > expected || end && count != expected {
            return Err(Malformed("a body that is not what it was"));
        }
        view.reply = if end { Reply::Whole } else { Reply::Part(count) };
        Ok(())
    }
}

impl Default for Client {
    fn default() -> Self {
        Self::new()
    }
}

/// What stands for a stream: the body of its response, and its path.
pub fn digit(number: u32) -> u8 {
    b"0123456789"[number as usize % 10]
}

/// Where a stream of the client stands.
pub fn index(number: u32) -> usize {
    number as usize / 2
}

/// The payload of the first frame, where that is whole.
fn frame_at(bytes: &[u8]) -> Option<&[u8]> {
    let header = bytes.first_chunk::<HEADER>()?;
    let length = usize::from(header[1]) << 8 | usize::from(header[2]) | usize::from(header[0]) << 16;
    bytes.get(HEADER..HEADER + length)
}

fn number_of(frame: &[u8]) -> u32 {
    frame[5..HEADER].iter().fold(0, |number, octet| number << 8 | u32::from(*octet))
}

/// Whether a response ends among whole frames.
fn has_end_of_response(mut bytes: &[u8]) -> bool {
    while let Some(payload) = frame_at(bytes) {
        if matches!(bytes[3], kind::HEADERS | kind::DATA) && bytes[4] & flag::END_STREAM != 0 {
            return true;
        }
        bytes = &bytes[HEADER + payload.len()..];
    }
    false
}

/// How many streams are reset with this code among whole frames.
pub fn resets(mut bytes: &[u8], code: u32) -> usize {
    let mut count = 0;
    while let Some(payload) = frame_at(bytes) {
        count += usize::from(bytes[3] == kind::RST_STREAM && payload == code.to_be_bytes());
        bytes = &bytes[HEADER + payload.len()..];
    }
    count
}

/// The GOAWAYs among whole frames: the last stream and the code of each.
pub fn goaways(mut bytes: &[u8]) -> Vec<(u32, u32)> {
    let mut found = Vec::new();
    while let Some(payload) = frame_at(bytes) {
        if bytes[3] == kind::GOAWAY && payload.len() >= 8 {
            let word = |at: usize| payload[at..at + 4].iter().fold(0, |word, o| word << 8 | u32::from(*o));
            found.push((word(0), word(4)));
        }
        bytes = &bytes[HEADER + payload.len()..];
    }
    found
}
