//! Requests, as field blocks (RFC 9113 section 8.3.1, RFC 7541).

use std::fmt;

use loona_hpack::Encoder;

use super::frame::{Frame, headers};

/// Makes field blocks, with the HPACK state of one connection: in the order in which it made them they have
/// to be sent.
#[derive(Default)]
pub struct Requests {
    hpack: Encoder<'static>,
}

impl Requests {
    /// For a connection that has just begun.
    pub fn new() -> Self {
        Self::default()
    }

    /// The field block of any fields, whether or not they make a request.
    pub fn block(&mut self, fields: &[(&str, &str)]) -> Vec<u8> {
        self.hpack.encode(fields.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())))
    }

    /// HEADERS with all of these fields; a body follows.
    pub fn headers(&mut self, stream: u32, fields: &[(&str, &str)]) -> Frame {
        headers(stream, self.block(fields)).end_headers()
    }

    /// A whole GET for `path`.
    pub fn get(&mut self, stream: u32, path: &str) -> Frame {
        self.headers(stream, &fields("GET", path)).end_stream()
    }

    /// The head of a POST to `path`; a body follows.
    pub fn post(&mut self, stream: u32, path: &str) -> Frame {
        self.headers(stream, &fields("POST", path))
    }
}

impl fmt::Debug for Requests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Requests").finish_non_exhaustive()
    }
}

/// The fields that a request has to have.
pub fn fields<'a>(method: &'a str, path: &'a str) -> [(&'a str, &'a str); 4] {
    [(":method", method), (":scheme", "http"), (":authority", "a"), (":path", path)]
}
