//! HPACK by itself, for fuzz targets and benches: nothing here is promised to anybody.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{decode, encode, huffman};
use crate::h2::field::Kind;

/// A decoder, with its own scratch.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Decoder {
    decoder: decode::Decoder,
    scratch: Vec<u8>,
}

impl Decoder {
    /// One whose table may be of this size.
    pub fn new(max: u16) -> Self {
        Self { decoder: decode::Decoder::new(max), scratch: Vec::new() }
    }

    /// Sets the size that the table may have.
    pub fn set_max(&mut self, max: u16) {
        self.decoder.set_max(max);
    }

    /// Decodes a block. What is wrong with it is told in words.
    pub fn decode(
        &mut self,
        block: &[u8],
        limit: usize,
        mut sink: impl FnMut(&[u8], &[u8]),
    ) -> Result<(), String> {
        self.decoder
            .decode(block, limit, &mut self.scratch, |line| {
                debug_assert_eq!(core::hint::black_box(line.kind), Kind::of(line.name, line.value));
                sink(line.name, line.value);
            })
            .map(|_| ())
            .map_err(|error| error.to_string())
    }

    /// The table's size, and the most that it may be.
    pub fn size(&self) -> (usize, usize) {
        (self.decoder.table().size(), self.decoder.table().max().into())
    }

    /// The octets that the table owns.
    pub fn memory(&self) -> usize {
        self.decoder.memory()
    }

    /// The table's entries, the newest first.
    pub fn entries(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.decoder.table().iter().map(|entry| (entry.name.to_vec(), entry.value.to_vec())).collect()
    }
}

/// An encoder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Encoder(encode::Encoder);

impl Encoder {
    /// One for a peer whose table is of the initial size.
    #[expect(clippy::new_without_default, reason = "as the one inside")]
    pub fn new() -> Self {
        Self(encode::Encoder::new())
    }

    /// Follows a setting of the peer.
    pub fn set_peer_max(&mut self, max: u32) {
        self.0.set_peer_max(max);
    }

    /// Begins a block.
    pub fn begin(&mut self, out: &mut Vec<u8>) {
        self.0.begin(out);
    }

    /// Writes `:status`.
    pub fn status(&mut self, out: &mut Vec<u8>, status: u16) {
        self.0.status(out, status);
    }

    /// Writes a field line.
    pub fn field(&mut self, out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
        self.0.field(out, name, value);
    }

    /// The octets that the table owns.
    pub fn memory(&self) -> usize {
        self.0.memory()
    }

    /// The table's size, and the most that it may be.
    pub fn size(&self) -> (usize, usize) {
        (self.0.table().size(), self.0.table().max().into())
    }

    /// The table's entries, the newest first.
    pub fn entries(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.0.table().iter().map(|entry| (entry.name.to_vec(), entry.value.to_vec())).collect()
    }
}

/// The Huffman code of a text.
pub fn huffman(text: &[u8]) -> Vec<u8> {
    let mut code = Vec::new();
    huffman::encode(text, &mut code);
    code
}
