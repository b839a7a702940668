//! What a caller remembers of the last head.

use core::fmt;

use crate::h1::head::{Bounds, Parsed};
use crate::recent::Recent;

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
pub struct Recall(Recent<Bounds, Parsed, MOST>);

impl Recall {
    /// What the head becomes that `input` starts with, where that is known.
    #[inline]
    pub(crate) fn find(&self, input: &[u8], bounds: &Bounds) -> Option<Parsed> {
        self.0.find_first(input, bounds)
    }

    /// Takes note of what a head has become.
    pub(crate) fn note(&mut self, parsed: &Parsed, bounds: Bounds) {
        self.0.note(parsed.head.as_bytes(), bounds, parsed);
    }
}

impl fmt::Debug for Recall {
    /// Shows nothing of the head: there may be credentials in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recall").finish_non_exhaustive()
    }
}
