//! The field block of the last request. The next one is likely to be the same, and then its head is too.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::h2::request::Parsed;

/// A block that is longer is not kept.
const MOST: usize = 512;

/// The last block of a request, if it is kept: not by an idle connection, which owns none of this.
#[derive(Clone, Default, Debug)]
pub(crate) struct Recent(Option<Box<Kept>>);

#[derive(Clone, Default, Debug)]
struct Kept {
    block: Vec<u8>,
    end_stream: bool,
    /// What it became, once it has come twice: to share a head costs more than to have it alone.
    parsed: Option<Parsed>,
}

impl Recent {
    /// What this block becomes, where that is known.
    pub(crate) fn find(&self, block: &[u8], end_stream: bool) -> Option<Parsed> {
        self.0.as_ref().filter(|kept| kept.is(block, end_stream))?.parsed.clone()
    }

    /// Takes note of what a block has become that neither changed the table nor will become anything else while that
    /// stays as it is.
    pub(crate) fn note(&mut self, block: &[u8], end_stream: bool, parsed: &Parsed) {
        if block.len() > MOST {
            return self.forget();
        }
        let kept = self.0.get_or_insert_default();
        if kept.is(block, end_stream) {
            kept.parsed = Some(parsed.clone());
        } else {
            kept.block.clear();
            kept.block.extend_from_slice(block);
            kept.end_stream = end_stream;
            kept.parsed = None;
        }
    }

    /// The table has changed, to which blocks refer.
    pub(crate) fn forget(&mut self) {
        if let Some(kept) = &mut self.0 {
            kept.block.clear();
            kept.parsed = None;
        }
    }
}

impl Kept {
    fn is(&self, block: &[u8], end_stream: bool) -> bool {
        self.block == block && self.end_stream == end_stream
    }
}
