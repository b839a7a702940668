//! SETTINGS (RFC 9113 section 6.5).

use alloc::vec::Vec;

use super::{
    BITS_31, Fault, Frame, FrameError, Header, LEAST_MAX_FRAME_SIZE, MOST_MAX_FRAME_SIZE, flag, kind,
};

/// How many octets one setting takes.
const SETTING_LEN: usize = 6;

/// A SETTINGS frame's settings, all of them in their ranges.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Settings<'a>(&'a [[u8; SETTING_LEN]]);

impl Settings<'_> {
    /// The settings that are known, in the order in which they apply (section 6.5.3).
    pub(crate) fn iter(self) -> impl Iterator<Item = Setting> {
        self.0.iter().filter_map(|octets| Setting::decode(*octets).ok().flatten())
    }
}

/// Every error is one of the connection.
pub(super) fn parse(header: Header, payload: &[u8]) -> Result<Frame<'_>, FrameError> {
    header.on_connection()?;
    if header.has(flag::ACK) {
        return match payload {
            [] => Ok(Frame::SettingsAck),
            _ => Err(FrameError::connection(Fault::BadLength)),
        };
    }
    let (settings, []) = payload.as_chunks() else {
        return Err(FrameError::connection(Fault::BadLength));
    };
    for octets in settings {
        Setting::decode(*octets).map_err(FrameError::connection)?;
    }
    Ok(Frame::Settings(Settings(settings)))
}

/// A setting (RFC 9113 section 6.5.2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Setting {
    HeaderTableSize(u32),
    EnablePush(bool),
    MaxConcurrentStreams(u32),
    /// At most 2^31 - 1.
    InitialWindowSize(u32),
    /// From 2^14 to 2^24 - 1.
    MaxFrameSize(u32),
    MaxHeaderListSize(u32),
    /// RFC 8441 section 3.
    EnableConnectProtocol(bool),
    /// RFC 9218 section 2.1.
    NoRfc7540Priorities(bool),
}

impl Setting {
    /// Nothing for a setting that is not known, which is to be ignored.
    fn decode(octets: [u8; SETTING_LEN]) -> Result<Option<Self>, Fault> {
        let [a, b, value @ ..] = octets;
        let value = u32::from_be_bytes(value);
        Ok(Some(match u16::from_be_bytes([a, b]) {
            0x1 => Self::HeaderTableSize(value),
            0x2 => Self::EnablePush(decode_bool(value).ok_or(Fault::BadEnablePush)?),
            0x3 => Self::MaxConcurrentStreams(value),
            0x4 if value > BITS_31 => return Err(Fault::BadInitialWindowSize),
            0x4 => Self::InitialWindowSize(value),
            0x5 if !(LEAST_MAX_FRAME_SIZE..=MOST_MAX_FRAME_SIZE).contains(&value) => {
                return Err(Fault::BadMaxFrameSize);
            }
            0x5 => Self::MaxFrameSize(value),
            0x6 => Self::MaxHeaderListSize(value),
            0x8 => Self::EnableConnectProtocol(decode_bool(value).ok_or(Fault::BadEnableConnectProtocol)?),
            0x9 => Self::NoRfc7540Priorities(decode_bool(value).ok_or(Fault::BadNoRfc7540Priorities)?),
            _ => return Ok(None),
        }))
    }

    pub(super) fn encode(self) -> [u8; SETTING_LEN] {
        let (id, value) = match self {
            Self::HeaderTableSize(value) => (0x1, value),
            Self::EnablePush(value) => (0x2, u32::from(value)),
            Self::MaxConcurrentStreams(value) => (0x3, value),
            Self::InitialWindowSize(value) => (0x4, value),
            Self::MaxFrameSize(value) => (0x5, value),
            Self::MaxHeaderListSize(value) => (0x6, value),
            Self::EnableConnectProtocol(value) => (0x8, u32::from(value)),
            Self::NoRfc7540Priorities(value) => (0x9, u32::from(value)),
        };
        let [a, b, c, d] = value.to_be_bytes();
        [0, id, a, b, c, d]
    }
}

fn decode_bool(value: u32) -> Option<bool> {
    match value {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}

/// Writes a SETTINGS frame.
pub(crate) fn write_settings(out: &mut Vec<u8>, settings: &[Setting]) {
    let length = settings.len().saturating_mul(SETTING_LEN) as u32;
    Header { length, kind: kind::SETTINGS, flags: 0, stream: 0 }.write(out);
    settings.iter().for_each(|setting| out.extend_from_slice(&setting.encode()));
}

/// Writes the SETTINGS frame that says that the peer's apply (section 6.5.3).
#[inline]
pub(crate) fn write_settings_ack(out: &mut Vec<u8>) {
    Header { length: 0, kind: kind::SETTINGS, flags: flag::ACK, stream: 0 }.write(out);
}
