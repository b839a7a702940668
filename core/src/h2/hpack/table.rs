//! The dynamic table, as both sides have it (RFC 7541 sections 2.3.2 and 4).

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::hash::{Hash, Hasher};
use core::ops::Range;

/// What an entry counts beside its text (RFC 7541 section 4.1).
pub(super) const OVERHEAD: usize = 32;

/// What an entry of these lengths counts (RFC 7541 section 4.1).
pub(super) const fn size(name: usize, value: usize) -> usize {
    name.saturating_add(value).saturating_add(OVERHEAD)
}

/// Entries in the order in which they came, each with a note of its owner's. It owns no memory while it is
/// empty, and little more than its text and twelve bytes an entry while it is not.
///
/// Sizes are below 64 KiB: that is what the lengths of an entry have room for.
#[derive(Clone, Debug)]
pub(super) struct Table<N> {
    /// The text of the entries, one behind the other; in front of it perhaps that of some that are gone.
    text: Vec<u8>,
    /// Where `text` starts, in octets since the table was made, wrapping; entries are placed likewise.
    origin: u32,
    /// The oldest first.
    entries: VecDeque<Slot<N>>,
    size: usize,
    max: u16,
}

#[derive(Clone, Copy, Debug)]
struct Slot<N> {
    start: u32,
    name: u16,
    value: u16,
    note: N,
}

/// An entry, borrowed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'a, N> {
    pub(super) name: &'a [u8],
    pub(super) value: &'a [u8],
    pub(super) note: N,
}

/// The name of an entry that is to be inserted.
#[derive(Clone, Copy, Debug)]
pub(super) enum Name<'a> {
    Text(&'a [u8]),
    /// That of this entry, which may itself have to make room (RFC 7541 section 4.4).
    Entry(usize),
}

impl<N: Copy> Table<N> {
    pub(super) fn new(max: u16) -> Self {
        Self { text: Vec::new(), origin: 0, entries: VecDeque::new(), size: 0, max }
    }

    /// Makes an entry, which is then the newest; others make room for it. One that is larger than the whole
    /// table leaves an empty table, and that is no error (RFC 7541 section 4.4).
    pub(super) fn insert(&mut self, name: Name<'_>, value: &[u8], note: N) {
        let (text, within) = match name {
            Name::Text(text) => (text, 0..0),
            Name::Entry(index) => (&[][..], self.slot(index).map_or(0..0, |slot| self.name_of(&slot))),
        };
        let length = text.len() + within.len();
        let added = size(length, value.len());
        let (Ok(name), Ok(value_length)) = (u16::try_from(length), u16::try_from(value.len())) else {
            return self.clear();
        };
        if added > usize::from(self.max) {
            return self.clear();
        }
        self.shrink_to(usize::from(self.max) - added);
        // Nothing has been moved: the text of an entry that is gone is still where it was.
        self.reserve(length + value.len());
        let start = self.origin.wrapping_add(self.text.len() as u32);
        self.text.extend_from_within(within);
        self.text.extend_from_slice(text);
        self.text.extend_from_slice(value);
        self.entries.push_back(Slot { start, name, value: value_length, note });
        self.size += added;
        self.compact();
    }

    /// Changes the size that the table may have (RFC 7541 section 4.3).
    pub(super) fn resize(&mut self, max: u16) {
        self.max = max;
        if self.size > usize::from(max) {
            self.shrink_to(usize::from(max));
            self.drop_front();
            self.text.shrink_to_fit();
            self.entries.shrink_to_fit();
        }
    }

    /// The entry of this index; zero is the newest.
    pub(super) fn get(&self, index: usize) -> Option<Entry<'_, N>> {
        self.slot(index).map(|slot| self.entry(&slot))
    }

    /// The entries, the newest first.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(super) fn iter(&self) -> impl Iterator<Item = Entry<'_, N>> + '_ {
        self.entries.iter().rev().map(|slot| self.entry(slot))
    }

    /// The notes of the entries, the newest first.
    pub(super) fn notes(&self) -> impl Iterator<Item = N> + '_ {
        self.entries.iter().rev().map(|slot| slot.note)
    }

    /// What all entries count (RFC 7541 section 4.1).
    #[cfg(any(test, feature = "fuzzing"))]
    pub(super) fn size(&self) -> usize {
        self.size
    }

    pub(super) fn max(&self) -> u16 {
        self.max
    }

    /// The memory that it owns, in octets.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(super) fn memory(&self) -> usize {
        self.text.capacity() + self.entries.capacity() * size_of::<Slot<N>>()
    }

    fn slot(&self, index: usize) -> Option<Slot<N>> {
        let last = self.entries.len().checked_sub(1)?;
        self.entries.get(last.checked_sub(index)?).copied()
    }

    fn entry(&self, slot: &Slot<N>) -> Entry<'_, N> {
        let name = self.name_of(slot);
        let value = name.end..name.end + usize::from(slot.value);
        Entry {
            name: self.text.get(name).unwrap_or(&[]),
            value: self.text.get(value).unwrap_or(&[]),
            note: slot.note,
        }
    }

    fn name_of(&self, slot: &Slot<N>) -> Range<usize> {
        let start = slot.start.wrapping_sub(self.origin) as usize;
        start..start + usize::from(slot.name)
    }

    /// The text of all entries.
    fn live(&self) -> &[u8] {
        self.text.get(self.dead()..).unwrap_or(&[])
    }

    /// How much of `text` belongs to entries that are gone.
    fn dead(&self) -> usize {
        self.entries.front().map_or(self.text.len(), |slot| slot.start.wrapping_sub(self.origin) as usize)
    }

    /// Lets the oldest entries go, until the rest count no more than this (RFC 7541 sections 4.3 and 4.4).
    fn shrink_to(&mut self, size_limit: usize) {
        while self.size > size_limit {
            let Some(slot) = self.entries.pop_front() else { return };
            self.size -= size(usize::from(slot.name), usize::from(slot.value));
        }
    }

    /// Makes room by doubling, but not beyond what a full table needs.
    fn reserve(&mut self, count: usize) {
        let (length, capacity) = (self.text.len(), self.text.capacity());
        if capacity - length < count {
            let doubled = (2 * capacity).min(usize::from(self.max)).max(length + count);
            self.text.reserve_exact(doubled - length);
        }
    }

    /// Moves the text to the front when a third of it is dead: two octets are moved for one that came.
    fn compact(&mut self) {
        if self.dead() > self.live().len() / 2 {
            self.drop_front();
        }
    }

    fn drop_front(&mut self) {
        let dead = self.dead();
        self.text.drain(..dead);
        self.origin = self.origin.wrapping_add(dead as u32);
    }

    fn clear(&mut self) {
        *self = Self::new(self.max);
    }

    fn lengths(&self) -> impl Iterator<Item = (u16, u16)> + '_ {
        self.entries.iter().map(|slot| (slot.name, slot.value))
    }
}

/// By what it holds, wherever that lies. The notes follow from the text.
impl<N: Copy> PartialEq for Table<N> {
    fn eq(&self, other: &Self) -> bool {
        self.max == other.max && self.lengths().eq(other.lengths()) && self.live() == other.live()
    }
}

impl<N: Copy> Eq for Table<N> {}

impl<N: Copy> Hash for Table<N> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.max.hash(state);
        self.entries.len().hash(state);
        self.lengths().for_each(|lengths| lengths.hash(state));
        self.live().hash(state);
    }
}

/// A few bits of a text's length and its ends, by which most that differ can be told apart.
pub(super) const fn fingerprint(text: &[u8]) -> u16 {
    let word = match (text.first_chunk(), text.last_chunk()) {
        (Some(first), Some(last)) => u64::from_le_bytes(*first) ^ u64::from_le_bytes(*last).rotate_left(29),
        _ => brief(text),
    };
    ((word ^ ((text.len() as u64) << 56)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48) as u16
}

/// Up to seven octets.
const fn brief(text: &[u8]) -> u64 {
    match (text.first_chunk(), text.last_chunk()) {
        (Some(first), Some(last)) => {
            (u32::from_le_bytes(*first) as u64) << 32 | u32::from_le_bytes(*last) as u64
        }
        _ => match *text {
            [a, b, c] => u32::from_le_bytes([a, b, c, 0]) as u64,
            [a, b] => u16::from_le_bytes([a, b]) as u64,
            [a] => a as u64,
            _ => 0,
        },
    }
}
