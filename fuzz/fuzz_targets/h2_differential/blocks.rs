//! Field blocks, as a third reader has them: `loona-hpack`. It says what is in one of which the two others do not make
//! the same.

use std::fmt;

use lameduck_fuzz::h2::frame::{flag, kind};
use loona_hpack::Decoder;

use crate::frame::View;

/// The lines of a field block.
pub type Lines = Vec<(Vec<u8>, Vec<u8>)>;

/// A field block that is whole.
pub struct Block {
    pub stream: u32,
    pub end_stream: bool,
    /// As many as could be read.
    pub lines: Lines,
    bytes: Vec<u8>,
    /// Where its CONTINUATION frames begin.
    cuts: Vec<usize>,
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self
            .lines
            .iter()
            .map(|(name, value)| format!("{}: {}", name.escape_ascii(), value.escape_ascii()));
        f.debug_list().entries(lines).finish()
    }
}

impl Block {
    /// The values of a name.
    pub fn values(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.lines.iter().filter(move |(line, _)| line == name.as_bytes()).map(|(_, value)| &value[..])
    }

    pub fn value(&self, name: &str) -> Option<&[u8]> {
        self.values(name).next()
    }

    pub fn has_empty_name(&self) -> bool {
        self.lines.iter().any(|(name, _)| name.is_empty())
    }

    /// How large it is, as RFC 9113 section 6.5.2 counts it.
    pub fn size(&self) -> usize {
        self.lines.iter().map(|(name, value)| name.len() + value.len() + 32).sum()
    }

    pub fn continuations(&self) -> usize {
        self.cuts.len()
    }

    /// How many changes of the table's size it begins with.
    pub fn resizes(&self) -> usize {
        resizes(&self.bytes)
    }

    /// Whether a CONTINUATION begins with a change of the table's size.
    pub fn resizes_inside(&self) -> bool {
        self.cuts.iter().any(|cut| self.bytes.get(*cut).is_some_and(|first| first & 0xe0 == 0x20))
    }
}

/// Puts field blocks together.
pub struct Blocks {
    decoder: Decoder<'static>,
    begun: Option<Block>,
}

impl Blocks {
    pub fn new() -> Self {
        let mut decoder = Decoder::new();
        decoder.set_max_allowed_table_size(4096);
        Self { decoder, begun: None }
    }

    /// The field block that a frame ends.
    pub fn take(&mut self, frame: View<'_>) -> Option<Block> {
        match frame.kind {
            kind::HEADERS => {
                let (stream, end_stream) = (frame.stream, frame.has(flag::END_STREAM));
                let bytes = frame.fragment().to_vec();
                self.begun = Some(Block { stream, end_stream, lines: vec![], bytes, cuts: vec![] });
            }
            kind::CONTINUATION => {
                let begun = self.begun.as_mut()?;
                begun.cuts.push(begun.bytes.len());
                begun.bytes.extend_from_slice(frame.fragment());
            }
            _ => return None,
        }
        if frame.is_open() {
            return None;
        }
        let mut block = self.begun.take()?;
        let lines = &mut block.lines;
        // It takes a block of nothing but a size update for an error.
        let _ = self
            .decoder
            .decode_with_cb(&block.bytes, |name, value| lines.push((name.into_owned(), value.into_owned())));
        Some(block)
    }
}

fn resizes(mut block: &[u8]) -> usize {
    let mut count = 0;
    while let Some((first, rest)) = block.split_first().filter(|(first, _)| **first & 0xe0 == 0x20) {
        count += 1;
        let more = match first & 0x1f {
            0x1f => rest.iter().take_while(|byte| **byte & 0x80 != 0).count() + 1,
            _ => 0,
        };
        block = rest.get(more..).unwrap_or(&[]);
    }
    count
}
