//! The head that was last read: the next one is likely to be the same.

use alloc::vec::Vec;
use core::fmt;

use crate::h1::head::{Bounds, Parsed};

/// A head that is longer is not kept.
const MOST: usize = 1024;

/// What a caller remembers of the last HTTP/1 head that one of its connections has read: the next one in the same words, to
/// the octet, is not read again. See [`Connection::handle_bytes_recalling`].
///
/// That is a head of up to 1 KiB, credentials and all: some KiB of memory at most, in which it stays until another takes
/// its place.
///
/// [`Connection::handle_bytes_recalling`]: crate::Connection::handle_bytes_recalling
#[derive(Clone, Default)]
pub struct Recall {
    text: Vec<u8>,
    bounds: Bounds,
    /// What the text became, once it has come twice: to share a head costs more than to have it alone.
    parsed: Option<Parsed>,
}

impl Recall {
    /// What the head becomes that `input` starts with, where that is known.
    #[inline]
    pub(crate) fn find(&self, input: &[u8], bounds: &Bounds) -> Option<Parsed> {
        let parsed = self.parsed.as_ref()?;
        (input.starts_with(&self.text) && self.bounds == *bounds).then(|| parsed.clone())
    }

    /// Takes note of what a head has become.
    pub(crate) fn note(&mut self, parsed: &Parsed, bounds: Bounds) {
        let text = parsed.head.as_bytes();
        if self.text == text && self.bounds == bounds {
            self.parsed = Some(parsed.clone());
            return;
        }
        self.parsed = None;
        self.bounds = bounds;
        self.text.clear();
        if text.len() <= MOST {
            self.text.extend_from_slice(text);
        }
    }
}

impl fmt::Debug for Recall {
    /// Shows no field: there may be credentials among them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Recall").field(&self.parsed.as_ref().map(|parsed| &parsed.head)).finish()
    }
}
