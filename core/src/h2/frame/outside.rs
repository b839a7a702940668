//! Frames by themselves, for the project's own tests: nothing here is promised to anybody.

use alloc::vec::Vec;

use super::continuation::ContinuationHead;
use super::headers::HeadersHead;
use super::{
    Continuation, Data, Frame, Header, Headers, LEAST_MAX_FRAME_SIZE, Setting, write_settings,
    write_settings_ack,
};

/// A frame that was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Read {
    /// What its payload says, by name.
    pub parts: Vec<(&'static str, Part)>,
    /// The same as we write it, where a server sends such frames.
    pub written: Option<Vec<u8>>,
}

/// A part of a payload.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Part {
    /// It has none of that.
    Missing,
    /// A number.
    Number(u32),
    /// A flag.
    Flag(bool),
    /// Octets.
    Octets(Vec<u8>),
    /// Settings that are known: identifiers and values.
    Settings(Vec<(u16, u32)>),
}

/// Why a frame was not read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unread {
    /// It is malformed, for which an error of this code is due.
    Malformed(u32),
    /// It is not whole, or something stands behind it.
    NotOne,
}

/// What the header that `wire` starts with says: length, type, flags and stream.
pub fn header(wire: &[u8]) -> Option<(u32, u8, u8, u32)> {
    let Header { length, kind, flags, stream } = Header::parse(wire.first_chunk()?);
    Some((length, kind, flags, stream))
}

/// Reads the frame that is all of `wire`. One that is too long is refused by its header alone.
///
/// # Errors
/// [`Unread`].
pub fn read(wire: &[u8]) -> Result<Read, Unread> {
    let (header, payload) = wire.split_first_chunk().ok_or(Unread::NotOne)?;
    let header = Header::parse(header);
    header.check_length(LEAST_MAX_FRAME_SIZE).map_err(|error| Unread::Malformed(error.code.0))?;
    if payload.len() != header.length as usize {
        return Err(Unread::NotOne);
    }
    let frame = Frame::parse(header, payload).map_err(|error| Unread::Malformed(error.code.0))?;
    Ok(Read { parts: parts(&frame), written: written(&frame) })
}

fn parts(frame: &Frame<'_>) -> Vec<(&'static str, Part)> {
    let octets = |octets: &[u8]| Part::Octets(octets.to_vec());
    let number = |number: Option<u32>| number.map_or(Part::Missing, Part::Number);
    let flag = |flag: Option<bool>| flag.map_or(Part::Missing, Part::Flag);
    match frame {
        Frame::Data(Data { head, body }) => {
            Vec::from([("data", octets(body)), ("padding_length", number(head.padding.map(u32::from)))])
        }
        Frame::Headers(Headers { fragment, priority, .. }) => Vec::from([
            ("header_block_fragment", octets(fragment)),
            ("stream_dependency", number(priority.map(|priority| priority.dependency))),
            ("weight", number(priority.map(|priority| u32::from(priority.weight) + 1))),
            ("exclusive", flag(priority.map(|priority| priority.exclusive))),
        ]),
        Frame::Priority(priority) => Vec::from([
            ("stream_dependency", Part::Number(priority.dependency)),
            ("weight", Part::Number(u32::from(priority.weight) + 1)),
            ("exclusive", Part::Flag(priority.exclusive)),
        ]),
        Frame::RstStream(reset) => Vec::from([("error_code", Part::Number(reset.code.0))]),
        Frame::Settings(settings) => {
            Vec::from([("settings", Part::Settings(settings.iter().map(pair).collect()))])
        }
        Frame::Ping(ping) | Frame::PingAck(ping) => Vec::from([("opaque_data", octets(&ping.0))]),
        Frame::GoAway(goaway) => Vec::from([
            ("last_stream_id", Part::Number(goaway.last)),
            ("error_code", Part::Number(goaway.code.0)),
            ("additional_debug_data", octets(goaway.debug)),
        ]),
        Frame::WindowUpdate(update) => Vec::from([("window_size_increment", Part::Number(update.increment))]),
        Frame::Continuation(continuation) => {
            Vec::from([("header_block_fragment", octets(continuation.fragment))])
        }
        Frame::SettingsAck | Frame::PriorityUpdate(_) | Frame::Unknown => Vec::new(),
    }
}

fn pair(setting: Setting) -> (u16, u32) {
    let [a, b, value @ ..] = setting.encode();
    (u16::from_be_bytes([a, b]), u32::from_be_bytes(value))
}

fn written(frame: &Frame<'_>) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    match *frame {
        Frame::Data(Data { head, body }) => {
            head.write(&mut out);
            out.extend_from_slice(body);
            out.extend((0..head.padding.unwrap_or(0)).map(|_| 0));
        }
        Frame::Headers(Headers { stream, fragment, priority: None, end_stream, end_headers }) => {
            HeadersHead { stream, length: fragment.len() as u32, end_stream, end_headers }.write(&mut out);
            out.extend_from_slice(fragment);
        }
        Frame::RstStream(reset) => reset.write(&mut out),
        Frame::Settings(settings) => write_settings(&mut out, &settings.iter().collect::<Vec<_>>()),
        Frame::SettingsAck => write_settings_ack(&mut out),
        Frame::Ping(ping) => ping.write(&mut out),
        Frame::PingAck(ping) => ping.write_ack(&mut out),
        Frame::GoAway(goaway) => goaway.write(&mut out),
        Frame::WindowUpdate(update) => update.write(&mut out),
        Frame::Continuation(Continuation { stream, fragment, end_headers }) => {
            ContinuationHead { stream, length: fragment.len() as u32, end_headers }.write(&mut out);
            out.extend_from_slice(fragment);
        }
        Frame::Headers(_) | Frame::Priority(_) | Frame::PriorityUpdate(_) | Frame::Unknown => return None,
    }
    Some(out)
}
