//! The head that was last read: the next one is likely to be the same.

use alloc::vec::Vec;

use crate::config::Limits;
use crate::h1::head::Parsed;

/// A head that is longer is not kept.
const MOST: usize = 1024;

/// What a caller remembers of the last HTTP/1 head that it had read, on whichever of its connections: one in the same
/// words, to the octet, is then not read again. See [`Connection::handle_bytes_recalling`].
///
/// It keeps at most one head, of up to 1 KiB.
///
/// [`Connection::handle_bytes_recalling`]: crate::Connection::handle_bytes_recalling
#[derive(Clone, Default, Debug)]
pub struct Recall {
    text: Vec<u8>,
    bounds: Bounds,
    /// What the text became, once it has come twice: to share a head costs more than to have it alone.
    parsed: Option<Parsed>,
}

/// The limits that a head is read under.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
struct Bounds {
    head: u16,
    target: u16,
    fields: usize,
    body: Option<u64>,
}

impl Bounds {
    fn of(limits: &Limits) -> Self {
        let Limits { head, target, fields, body, .. } = *limits;
        Self { head, target, fields, body }
    }
}

impl Recall {
    /// What the head becomes that `input` starts with, where that is known.
    #[inline]
    pub(crate) fn find(&self, input: &[u8], limits: &Limits) -> Option<Parsed> {
        let parsed = self.parsed.as_ref()?;
        (input.starts_with(&self.text) && self.bounds == Bounds::of(limits)).then(|| parsed.clone())
    }

    /// Takes note of what a head has become.
    pub(crate) fn note(&mut self, parsed: &Parsed, limits: &Limits) {
        let (text, bounds) = (parsed.head.as_bytes(), Bounds::of(limits));
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
