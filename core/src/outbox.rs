//! What waits to be sent.

use alloc::collections::{VecDeque, vec_deque};
use alloc::vec::Vec;
use bytes::{Buf, Bytes};

/// Pieces below this size are gathered into one; larger ones are passed on uncopied.
const GATHER: usize = 2048;

/// Room for a usual response head and a small body.
const FIRST_ROOM: usize = 256;

/// As much of what has been sent may stay in the way of what follows, before that is moved up.
const SENT_ROOM: usize = 4096;

/// A queue of bytes: small pieces gathered, large ones shared. It owns no memory while it is empty.
#[derive(Clone, Default, Debug)]
pub(crate) struct Outbox {
    /// What goes before `tail`.
    pieces: VecDeque<Piece>,
    tail: Vec<u8>,
    /// How much of `tail` has been sent; zero while there are pieces.
    tail_sent: usize,
    len: usize,
}

/// A piece of the queue.
#[derive(Clone, Debug)]
enum Piece {
    Shared(Bytes),
    /// What stands between two shared ones, the head of a frame say: not worth an allocation.
    Brief {
        bytes: [u8; BRIEF],
        start: u8,
        end: u8,
    },
}

const BRIEF: usize = 24;

impl Piece {
    /// A copy of `bytes`, where they are few.
    fn brief(bytes: &[u8]) -> Option<Self> {
        let mut kept = [0; BRIEF];
        kept.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(Self::Brief { bytes: kept, start: 0, end: bytes.len() as u8 })
    }

    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Shared(bytes) => bytes,
            Self::Brief { bytes, start, end } => {
                bytes.get(usize::from(*start)..usize::from(*end)).unwrap_or(&[])
            }
        }
    }

    /// Forgets the first `count` bytes, of which there are more.
    fn advance(&mut self, count: usize) {
        match self {
            Self::Shared(bytes) => bytes.advance(count.min(bytes.len())),
            Self::Brief { start, end, .. } => *start = start.saturating_add(count as u8).min(*end),
        }
    }
}

impl Outbox {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Writes small things at the end of the queue.
    pub(crate) fn gather<R>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> R) -> R {
        if self.tail.capacity() == 0 {
            self.tail = Vec::with_capacity(FIRST_ROOM);
        }
        let before = self.tail.len();
        let result = write(&mut self.tail);
        self.len = (self.len + self.tail.len()).saturating_sub(before);
        result
    }

    pub(crate) fn push(&mut self, data: Bytes) {
        if data.len() < GATHER {
            return self.gather(|tail| tail.extend_from_slice(&data));
        }
        self.seal_tail();
        self.len += data.len();
        self.pieces.push_back(Piece::Shared(data));
    }

    fn seal_tail(&mut self) {
        let sent = core::mem::take(&mut self.tail_sent).min(self.tail.len());
        let Some(brief) = self.tail.get(sent..).and_then(Piece::brief) else {
            let mut tail = Bytes::from(core::mem::take(&mut self.tail));
            tail.advance(sent);
            return self.pieces.push_back(Piece::Shared(tail));
        };
        if sent < self.tail.len() {
            self.pieces.push_back(brief);
        }
        self.tail.clear();
    }

    /// The bytes that wait, in their order; no piece is empty.
    pub(crate) fn pieces(&self) -> Pieces<'_> {
        Pieces { shared: self.pieces.iter(), tail: self.tail.get(self.tail_sent..).unwrap_or(&[]) }
    }

    /// Forgets the first `count` bytes, or all where there are fewer.
    pub(crate) fn advance(&mut self, count: usize) {
        if count >= self.len {
            return self.clear();
        }
        self.len -= count;
        let mut left = count;
        while let Some(first) = self.pieces.front_mut() {
            let length = first.as_slice().len();
            if left < length {
                return first.advance(left);
            }
            left -= length;
            self.pieces.pop_front();
        }
        self.tail_sent += left;
        if self.tail_sent >= SENT_ROOM && self.tail_sent >= self.tail.len() / 2 {
            self.tail.drain(..self.tail_sent);
            self.tail_sent = 0;
        }
    }

    pub(crate) fn clear(&mut self) {
        if self.pieces.capacity() > 0 {
            self.pieces = VecDeque::new();
        }
        self.tail = Vec::new();
        (self.tail_sent, self.len) = (0, 0);
    }
}

/// Bytes to be sent, in their order; no piece is empty.
#[derive(Clone, Debug)]
pub struct Pieces<'a> {
    shared: vec_deque::Iter<'a, Piece>,
    tail: &'a [u8],
}

impl<'a> Iterator for Pieces<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        match self.shared.next() {
            Some(piece) => Some(piece.as_slice()),
            None => Some(core::mem::take(&mut self.tail)).filter(|tail| !tail.is_empty()),
        }
    }
}

impl PartialEq for Outbox {
    /// Two queues are equal where they send the same bytes.
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.pieces().flatten().eq(other.pieces().flatten())
    }
}

impl Eq for Outbox {}

impl core::hash::Hash for Outbox {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        self.len.hash(state);
        self.pieces().flatten().for_each(|byte| byte.hash(state));
    }
}
