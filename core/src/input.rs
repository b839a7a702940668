//! What has come, as the codecs read it.

use bytes::{Buf, Bytes};

/// A piece of a body that is at least so large, a whole frame of HTTP/2 for one, is passed on as a part of its block; a
/// smaller one would keep too much of that for what it is.
const SHARED: usize = 16 * 1024;

/// Bytes that the peer sent, from the one that is to be read next.
#[derive(Clone, Copy)]
pub(crate) struct Input<'a> {
    bytes: &'a [u8],
    /// The block whose end they are, where parts of it may be passed on.
    block: Option<&'a Bytes>,
}

impl<'a> Input<'a> {
    /// Bytes that are copied before they are passed on.
    pub(crate) fn borrowed(bytes: &'a [u8]) -> Self {
        Self { bytes, block: None }
    }

    /// A block that may be kept.
    pub(crate) fn shared(block: &'a Bytes) -> Self {
        Self { bytes: block, block: Some(block) }
    }

    pub(crate) fn as_slice(self) -> &'a [u8] {
        self.bytes
    }

    /// What comes after the first `count` bytes.
    pub(crate) fn after(self, count: usize) -> Self {
        Self { bytes: self.bytes.get(count..).unwrap_or(&[]), ..self }
    }

    /// The first `count` bytes, or all where there are fewer, to be passed on.
    pub(crate) fn piece(self, count: usize) -> Bytes {
        match self.block {
            Some(block) if count >= SHARED => {
                let mut piece = block.clone();
                piece.advance(block.len().saturating_sub(self.bytes.len()));
                piece.truncate(count);
                piece
            }
            _ => Bytes::copy_from_slice(self.bytes.get(..count).unwrap_or(self.bytes)),
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    /// Whether the memory of `part` is within that of `whole`.
    fn shares(part: &Bytes, whole: &Bytes) -> bool {
        whole.as_ptr_range().contains(&part.as_ptr())
    }

    #[test]
    fn what_is_large_is_shared_and_what_is_small_is_copied() {
        let block = Bytes::from_iter((0..2 * SHARED).map(|at| at.to_le_bytes()[0]));
        let input = Input::shared(&block).after(9);
        let (large, small) = (input.piece(SHARED), input.after(SHARED).piece(SHARED - 9));
        assert!(shares(&large, &block) && !shares(&small, &block));
        assert_eq!([large, small].concat(), &block[9..]);
        assert_eq!(input.after(2 * SHARED).piece(SHARED), "");
    }

    #[test]
    fn what_is_borrowed_is_copied() {
        let block = Bytes::from(vec![7; SHARED]);
        let piece = Input::borrowed(&block).piece(SHARED);
        assert_eq!(piece, block);
        assert!(!shares(&piece, &block));
    }
}
