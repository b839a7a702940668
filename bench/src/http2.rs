//! A client of one HTTP/2 request, which then lets the server end the connection (RFC 9113).

use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail, ensure};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The one stream.
const STREAM: u32 = 1;
/// What a GOAWAY names as the last stream where it only gives notice (section 6.8).
const ANY_STREAM: u32 = 0x7fff_ffff;

const FRAME_HEADER: usize = 9;

// Section 6.
const DATA: u8 = 0x0;
const HEADERS: u8 = 0x1;
const SETTINGS: u8 = 0x4;
const PING: u8 = 0x6;
const GOAWAY: u8 = 0x7;
const WINDOW_UPDATE: u8 = 0x8;

const ACK: u8 = 0x1;
const END_STREAM: u8 = 0x1;
const END_HEADERS: u8 = 0x4;
const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;

/// The client's end of one connection, without its socket.
#[derive(Debug, Default)]
pub struct Client {
    /// A frame that is not whole yet.
    unread: Vec<u8>,
    answer: Answer,
    /// Which GOAWAYs have come.
    pub farewell: Farewell,
}

/// How far the one answer has come.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
enum Answer {
    #[default]
    Awaited,
    Begun,
    Whole,
}

/// The GOAWAYs of one connection.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Farewell {
    /// One that only gives notice of another.
    pub notice: bool,
    /// One that names the last stream.
    pub last: bool,
}

struct Frame<'a> {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: &'a [u8],
}

impl Client {
    /// What the client sends first: the preface, its SETTINGS, and one request.
    pub fn opening(path: &str, server: SocketAddr) -> Vec<u8> {
        let mut bytes = PREFACE.to_vec();
        push_frame(&mut bytes, SETTINGS, 0, 0, &[]);
        push_frame(&mut bytes, HEADERS, END_STREAM | END_HEADERS, STREAM, &fields(path, server));
        bytes
    }

    /// Whether the answer has come to its end.
    pub fn is_answered(&self) -> bool {
        self.answer == Answer::Whole
    }

    /// Takes what the server sent; returns what is to be sent back.
    ///
    /// # Errors
    /// Anything but a whole 200, and frames that nobody asked for.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<Vec<u8>> {
        let mut unread = std::mem::take(&mut self.unread);
        unread.extend_from_slice(bytes);
        let mut rest = &unread[..];
        let mut reply = Vec::new();
        while let Some(frame) = Frame::take(&mut rest) {
            self.take(&frame, &mut reply)?;
        }
        self.unread = rest.to_vec();
        Ok(reply)
    }

    fn take(&mut self, frame: &Frame<'_>, reply: &mut Vec<u8>) -> Result<()> {
        match (frame.kind, frame.stream) {
            (HEADERS, STREAM) if self.answer == Answer::Awaited => {
                ensure!(frame.flags & (PADDED | PRIORITY) == 0, "the answer's HEADERS are not plain");
                ensure!(says_200(frame.payload), "the answer is not a 200");
                self.answer = Answer::Begun;
                self.end_answer(frame.flags);
            }
            (DATA, STREAM) if self.answer == Answer::Begun => self.end_answer(frame.flags),
            (SETTINGS | PING, 0) if frame.flags & ACK != 0 => {}
            (SETTINGS, 0) => push_frame(reply, SETTINGS, ACK, 0, &[]),
            (PING, 0) => push_frame(reply, PING, ACK, 0, frame.payload),
            (GOAWAY, 0) => self.take_goaway(frame.payload)?,
            (WINDOW_UPDATE, _) => {}
            (kind, stream) => bail!("the server sent a frame of type {kind} on stream {stream}"),
        }
        Ok(())
    }

    fn end_answer(&mut self, flags: u8) {
        if flags & END_STREAM != 0 {
            self.answer = Answer::Whole;
        }
    }

    fn take_goaway(&mut self, payload: &[u8]) -> Result<()> {
        let (last, rest) = payload.split_first_chunk().context("a GOAWAY is too short")?;
        let (code, _) = rest.split_first_chunk().context("a GOAWAY is too short")?;
        let code = u32::from_be_bytes(*code);
        ensure!(code == 0, "the server sent a GOAWAY with error {code}");
        match u32::from_be_bytes(*last) & ANY_STREAM {
            ANY_STREAM => self.farewell.notice = true,
            _ => self.farewell.last = true,
        }
        Ok(())
    }
}

impl<'a> Frame<'a> {
    /// Takes a whole frame off the front (section 4.1).
    fn take(bytes: &mut &'a [u8]) -> Option<Self> {
        let (&[a, b, c, kind, flags, s, t, u, v], rest) = bytes.split_first_chunk::<FRAME_HEADER>()?;
        let length = u32::from_be_bytes([0, a, b, c]);
        let (payload, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
        *bytes = rest;
        Some(Self { kind, flags, stream: u32::from_be_bytes([s, t, u, v]) & ANY_STREAM, payload })
    }
}

fn push_frame(bytes: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let length = u32::try_from(payload.len()).expect("what is sent here is short");
    bytes.extend_from_slice(&length.to_be_bytes()[1..]);
    bytes.extend_from_slice(&[kind, flags]);
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(payload);
}

/// The request's fields: two from the static table, two literals that no table keeps (RFC 7541 sections 6.1, 6.2.2).
fn fields(path: &str, server: SocketAddr) -> Vec<u8> {
    let mut block = vec![0x82, 0x86]; // :method GET, :scheme http
    push_literal(&mut block, 4, path); // :path
    push_literal(&mut block, 1, &server.to_string()); // :authority
    block
}

fn push_literal(block: &mut Vec<u8>, name: u8, value: &str) {
    let length = u8::try_from(value.len()).ok().filter(|length| *length < 0x7f);
    block.extend_from_slice(&[name, length.expect("paths and addresses are short")]);
    block.extend_from_slice(value.as_bytes());
}

/// Whether a block of fields begins with `:status 200` from the static table, behind any size updates (RFC 7541
/// section 6.3). All servers send it so.
fn says_200(mut block: &[u8]) -> bool {
    while let [first @ 0x20..=0x3f, rest @ ..] = block {
        block = rest;
        if first & 0x1f == 0x1f {
            let length = block.iter().take_while(|byte| **byte & 0x80 != 0).count() + 1;
            block = block.get(length..).unwrap_or_default();
        }
    }
    block.first() == Some(&0x88)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        push_frame(&mut bytes, kind, flags, stream, payload);
        bytes
    }

    fn answer() -> Vec<u8> {
        let mut bytes = frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 100]);
        bytes.extend(frame(HEADERS, END_HEADERS, STREAM, &[0x3f, 0xe1, 0x1f, 0x20, 0x88]));
        bytes.extend(frame(DATA, END_STREAM, STREAM, b"Hello, world!"));
        bytes
    }

    fn farewell() -> Vec<u8> {
        let mut bytes = frame(GOAWAY, 0, 0, &[0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
        bytes.extend(frame(PING, 0, 0, b"goodbye!"));
        bytes.extend(frame(GOAWAY, 0, 0, &[0, 0, 0, 1, 0, 0, 0, 0]));
        bytes
    }

    #[test]
    fn a_connection_is_understood_wherever_its_bytes_are_split() {
        let bytes = [answer(), farewell()].concat();
        let expected = [frame(SETTINGS, ACK, 0, &[]), frame(PING, ACK, 0, b"goodbye!")].concat();
        for split in 0..=bytes.len() {
            let mut client = Client::default();
            let mut replies = client.receive(&bytes[..split]).unwrap();
            replies.extend(client.receive(&bytes[split..]).unwrap());
            assert_eq!(replies, expected, "split at {split}");
            assert!(client.is_answered());
            assert_eq!(client.farewell, Farewell { notice: true, last: true });
        }
    }

    #[test]
    fn an_answer_ends_with_its_stream() {
        let mut client = Client::default();
        let bytes = answer();
        client.receive(&bytes[..bytes.len() - 1]).unwrap();
        assert!(!client.is_answered());
        client.receive(&bytes[bytes.len() - 1..]).unwrap();
        assert!(client.is_answered());
    }

    #[test]
    fn anything_but_a_whole_200_is_an_error() {
        let whole = HEADERS_200.to_vec();
        for bad in [
            frame(HEADERS, END_HEADERS, STREAM, &[0x8d]), // :status 404
            frame(HEADERS, END_HEADERS, STREAM, &[]),
            frame(DATA, END_STREAM, STREAM, b"no HEADERS"),
            frame(0x3, 0, STREAM, &[0, 0, 0, 8]), // RST_STREAM
            frame(GOAWAY, 0, 0, &[0, 0, 0, 0, 0, 0, 0, 1]),
            frame(GOAWAY, 0, 0, &[0, 0]),
            [whole.clone(), whole].concat(),
        ] {
            assert!(Client::default().receive(&bad).is_err(), "{bad:?}");
        }
    }

    /// HEADERS that end stream 1 with a 200.
    const HEADERS_200: &[u8] = &[0, 0, 1, HEADERS, END_HEADERS | END_STREAM, 0, 0, 0, 1, 0x88];
}
