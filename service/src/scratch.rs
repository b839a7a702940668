//! The one buffer of a thread that everything is read into.

use std::cell::RefCell;

use bytes::{Bytes, BytesMut};
use lameduck_core::Recall;

/// As much as one read may bring: some frames of HTTP/2 of the usual size, whole.
const SIZE: usize = 4 * (9 + LARGE);

/// So much at least has to come for its memory to be shared: a piece of a body may then be so large.
const LARGE: usize = 16 * 1024;

/// So many reads are copied after one of which parts were kept.
const COPIED: u8 = 15;

/// A buffer to read into. What is large is shared with those that it is for, who are mostly done with it before the
/// next read. Where parts of it are kept, another buffer takes its place, and it is not shared again for a while: they
/// keep all of the memory.
pub(crate) struct Scratch {
    buffer: BytesMut,
    /// The buffer, since it was shared.
    shared: Option<Bytes>,
    /// How many reads are still to be copied.
    copied: u8,
    /// What is remembered of the last head.
    recall: Recall,
}

/// What was read.
pub(crate) enum Read<'a> {
    /// What is kept of it is to be copied. Beside it, what is remembered of the last head.
    Copied(&'a [u8], &'a mut Recall),
    /// Parts of it may be kept.
    Shared(Bytes),
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch::new());
}

/// Lends the thread's buffer to `act`; a fresh one, where it is already lent.
pub(crate) fn with<R>(act: impl FnOnce(&mut Scratch) -> R) -> R {
    SCRATCH.with(|scratch| match scratch.try_borrow_mut() {
        Ok(mut scratch) => act(&mut scratch),
        Err(_) => act(&mut Scratch::new()),
    })
}

impl Scratch {
    fn new() -> Self {
        Self { buffer: BytesMut::zeroed(SIZE), shared: None, copied: 0, recall: Recall::default() }
    }

    /// The buffer, to be read into.
    #[inline]
    pub(crate) fn buffer(&mut self) -> &mut [u8] {
        if let Some(shared) = self.shared.take() {
            self.take_back(shared);
        }
        &mut self.buffer
    }

    #[inline(never)]
    fn take_back(&mut self, shared: Bytes) {
        self.buffer = shared.try_into_mut().unwrap_or_else(|_| {
            self.copied = COPIED;
            BytesMut::zeroed(SIZE)
        });
    }

    /// The first `count` bytes of the buffer, which have been read into it.
    #[inline]
    pub(crate) fn read(&mut self, count: usize) -> Read<'_> {
        match count {
            LARGE.. if self.may_share() => Read::Shared(self.share(count)),
            _ => Read::Copied(self.buffer.get(..count).unwrap_or(&self.buffer), &mut self.recall),
        }
    }

    fn may_share(&mut self) -> bool {
        let copied = self.copied;
        self.copied = copied.saturating_sub(1);
        copied == 0
    }

    #[inline(never)]
    fn share(&mut self, count: usize) -> Bytes {
        let whole = self.shared.insert(std::mem::take(&mut self.buffer).freeze());
        let mut read = whole.clone();
        read.truncate(count);
        read
    }
}

#[cfg(test)]
mod tests;
