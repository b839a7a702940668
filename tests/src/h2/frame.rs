//! Frames as they go onto the wire (RFC 9113 section 6), whether or not they make sense.
//!
//! A function a type makes the plain frame; the methods add to it, or make a lie of it:
//! `data(1, "hello").end_stream()`, `ping([0; 8]).on_stream(3)`, `rst_stream(1, CANCEL).with_payload("")`.

/// The types.
#[allow(missing_docs, reason = "the RFC says it")]
pub mod kind {
    pub const DATA: u8 = 0x0;
    pub const HEADERS: u8 = 0x1;
    pub const PRIORITY: u8 = 0x2;
    pub const RST_STREAM: u8 = 0x3;
    pub const SETTINGS: u8 = 0x4;
    pub const PUSH_PROMISE: u8 = 0x5;
    pub const PING: u8 = 0x6;
    pub const GOAWAY: u8 = 0x7;
    pub const WINDOW_UPDATE: u8 = 0x8;
    pub const CONTINUATION: u8 = 0x9;
    pub const PRIORITY_UPDATE: u8 = 0x10;
}

/// The flags.
#[allow(missing_docs, reason = "the RFC says it")]
pub mod flag {
    pub const ACK: u8 = 0x1;
    pub const END_STREAM: u8 = 0x1;
    pub const END_HEADERS: u8 = 0x4;
    pub const PADDED: u8 = 0x8;
    pub const PRIORITY: u8 = 0x20;
}

/// How many bytes a frame's header takes.
pub const HEADER: usize = 9;

/// A frame: its bytes.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Frame(Vec<u8>);

impl Frame {
    /// A frame of any type.
    pub fn new(kind: u8, stream: u32, payload: impl AsRef<[u8]>) -> Self {
        Self(vec![0, 0, 0, kind, 0, 0, 0, 0, 0]).on_stream(stream).with_payload(payload)
    }

    /// With this stream identifier; its highest bit is the reserved one.
    pub fn on_stream(mut self, stream: u32) -> Self {
        self.0[5..HEADER].copy_from_slice(&stream.to_be_bytes());
        self
    }

    /// With this payload instead of its own, and its length.
    pub fn with_payload(mut self, payload: impl AsRef<[u8]>) -> Self {
        self.0.truncate(HEADER);
        self.0.extend_from_slice(payload.as_ref());
        self.with_own_length()
    }

    /// With these flags too.
    pub fn with_flags(mut self, flags: u8) -> Self {
        self.0[4] |= flags;
        self
    }

    /// As the last of its stream.
    pub fn end_stream(self) -> Self {
        self.with_flags(flag::END_STREAM)
    }

    /// As the last of its field block.
    pub fn end_headers(self) -> Self {
        self.with_flags(flag::END_HEADERS)
    }

    /// With a priority ahead of its field block.
    pub fn prioritized(mut self, dependency: u32, weight: u8) -> Self {
        self.0.splice(HEADER..HEADER, priority_octets(dependency, weight));
        self.with_flags(flag::PRIORITY).with_own_length()
    }

    /// With padding around all that it has by now.
    pub fn padded(mut self, padding: u8) -> Self {
        self.0.insert(HEADER, padding);
        self.0.resize(self.0.len() + usize::from(padding), 0);
        self.with_flags(flag::PADDED).with_own_length()
    }

    /// With this length in its header, whatever its payload has.
    pub fn saying_length(mut self, length: u32) -> Self {
        self.0[..3].copy_from_slice(&length.to_be_bytes()[1..]);
        self
    }

    fn with_own_length(self) -> Self {
        let length = u32::try_from(self.0.len() - HEADER).expect("24 bits");
        self.saying_length(length)
    }
}

impl AsRef<[u8]> for Frame {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Frames, one behind the other.
pub fn join<T: AsRef<[u8]>>(frames: impl IntoIterator<Item = T>) -> Vec<u8> {
    let mut bytes = Vec::new();
    frames.into_iter().for_each(|frame| bytes.extend_from_slice(frame.as_ref()));
    bytes
}

/// DATA; more of it follows.
pub fn data(stream: u32, body: impl AsRef<[u8]>) -> Frame {
    Frame::new(kind::DATA, stream, body)
}

/// HEADERS; more of the field block and a body follow.
pub fn headers(stream: u32, fragment: impl AsRef<[u8]>) -> Frame {
    Frame::new(kind::HEADERS, stream, fragment)
}

/// CONTINUATION; more of the field block follows.
pub fn continuation(stream: u32, fragment: impl AsRef<[u8]>) -> Frame {
    Frame::new(kind::CONTINUATION, stream, fragment)
}

/// PRIORITY; the highest bit of `dependency` says that it is exclusive.
pub fn priority(stream: u32, dependency: u32, weight: u8) -> Frame {
    Frame::new(kind::PRIORITY, stream, priority_octets(dependency, weight))
}

/// RST_STREAM.
pub fn rst_stream(stream: u32, code: u32) -> Frame {
    Frame::new(kind::RST_STREAM, stream, code.to_be_bytes())
}

/// SETTINGS.
pub fn settings(settings: &[(u16, u32)]) -> Frame {
    let octets = settings.iter().map(|(id, value)| [&id.to_be_bytes()[..], &value.to_be_bytes()].concat());
    Frame::new(kind::SETTINGS, 0, join(octets))
}

/// The ack of SETTINGS.
pub fn settings_ack() -> Frame {
    Frame::new(kind::SETTINGS, 0, "").with_flags(flag::ACK)
}

/// PUSH_PROMISE, which no client may send; more of the field block follows.
pub fn push_promise(stream: u32, promised: u32, fragment: impl AsRef<[u8]>) -> Frame {
    Frame::new(kind::PUSH_PROMISE, stream, [&promised.to_be_bytes()[..], fragment.as_ref()].concat())
}

/// PING.
pub fn ping(data: [u8; 8]) -> Frame {
    Frame::new(kind::PING, 0, data)
}

/// The ack of a PING.
pub fn ping_ack(data: [u8; 8]) -> Frame {
    ping(data).with_flags(flag::ACK)
}

/// GOAWAY.
pub fn goaway(last: u32, code: u32, debug: impl AsRef<[u8]>) -> Frame {
    Frame::new(kind::GOAWAY, 0, [&last.to_be_bytes()[..], &code.to_be_bytes(), debug.as_ref()].concat())
}

/// WINDOW_UPDATE.
pub fn window_update(stream: u32, increment: u32) -> Frame {
    Frame::new(kind::WINDOW_UPDATE, stream, increment.to_be_bytes())
}

/// PRIORITY_UPDATE (RFC 9218 section 7.1), for this stream.
pub fn priority_update(stream: u32, value: impl AsRef<[u8]>) -> Frame {
    Frame::new(kind::PRIORITY_UPDATE, 0, [&stream.to_be_bytes()[..], value.as_ref()].concat())
}

fn priority_octets(dependency: u32, weight: u8) -> [u8; 5] {
    let [a, b, c, d] = dependency.to_be_bytes();
    [a, b, c, d, weight]
}
