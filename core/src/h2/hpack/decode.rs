//! The peer's header blocks (RFC 7541 section 3.2).

use alloc::vec::Vec;
use core::ops::Range;

use super::table::{Name, Table};
use super::{HpackError, INITIAL_TABLE, huffman, integer, static_table};
use crate::h2::field::Kind;

/// A field line, as long as it takes to look at it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Line<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) value: &'a [u8],
    pub(crate) kind: Kind,
}

/// Decodes a connection's header blocks, each whole and in their order: one that is left out leaves the table
/// out of step with the peer's.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Decoder {
    table: Table<Kinds>,
    /// How large the peer may make the table.
    max: u16,
    /// What the peer has to make it before it sends anything else.
    owed: Option<u16>,
}

/// What a block has done to the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Effect {
    /// Nothing: until something changes the table, the same block says the same.
    None,
    /// An entry was inserted, or a size set.
    Changed,
}

/// What an entry's name is by itself, and the whole line.
#[derive(Clone, Copy, Debug)]
struct Kinds {
    name: Kind,
    line: Kind,
}

impl Decoder {
    /// One whose table may be of this size.
    pub(crate) fn new(max: u16) -> Self {
        Self { table: Table::new(max), max, owed: None }
    }

    /// Sets the size that the peer may make its table: what we have announced, once the peer has acknowledged
    /// it. If its table is larger, its next block has to start with an update that makes it no larger (RFC
    /// 7541 section 4.2, RFC 9113 section 4.3.1).
    pub(crate) fn set_max(&mut self, max: u16) {
        self.max = max;
        if max < self.table.max() {
            self.owed = Some(self.owed.map_or(max, |owed| owed.min(max)));
        }
    }

    /// Decodes a whole header block, each line into `sink`. Names and values of more octets than `limit` end
    /// it. `scratch` is used for texts that do not lie elsewhere as they are; what is in it means nothing.
    ///
    /// The work is bounded by the block's length, the literals in it, and for each literal whose name is in
    /// the table that name; a line that is indexed costs the same however long it is.
    pub(crate) fn decode(
        &mut self,
        block: &[u8],
        limit: usize,
        scratch: &mut Vec<u8>,
        mut sink: impl FnMut(Line<'_>),
    ) -> Result<Effect, HpackError> {
        let mut rest = block;
        let mut effect = self.read_size_updates(&mut rest)?;
        while let Some(first) = rest.first() {
            match Representation::of(*first) {
                Representation::Indexed => {
                    let index = integer::read(&mut rest, 7)? as usize;
                    sink(self.line(index)?);
                }
                Representation::Literal(indexing, prefix) => {
                    let literal = read_literal(&mut rest, prefix, limit, scratch)?;
                    self.take_literal(&literal, indexing, scratch, &mut sink)?;
                    if indexing == Indexing::Incremental {
                        effect = Effect::Changed;
                    }
                }
                Representation::SizeUpdate => return Err(HpackError::MisplacedSizeUpdate),
            }
        }
        Ok(effect)
    }

    /// Whether the next block has to start with an update of the table's size.
    pub(crate) fn is_owed_an_update(&self) -> bool {
        self.owed.is_some()
    }

    /// At most two, at the start of a block: the lowest size since the last block, and the final one (RFC 7541
    /// section 4.2).
    fn read_size_updates(&mut self, rest: &mut &[u8]) -> Result<Effect, HpackError> {
        let mut effect = Effect::None;
        for _ in 0..2 {
            if !rest.first().is_some_and(|first| Representation::of(*first) == Representation::SizeUpdate) {
                break;
            }
            let size = u16::try_from(integer::read(rest, 5)?).ok().filter(|size| *size <= self.max);
            let size = size.ok_or(HpackError::SizeUpdateTooLarge)?;
            self.table.resize(size);
            effect = Effect::Changed;
            self.owed = self.owed.filter(|owed| size > *owed);
        }
        match self.owed {
            Some(_) => Err(HpackError::MissingSizeUpdate),
            None => Ok(effect),
        }
    }

    /// The line of this index (RFC 7541 section 2.3.3).
    fn line(&self, index: usize) -> Result<Line<'_>, HpackError> {
        if let Some(entry) = static_table::entry(index) {
            return Ok(Line { name: entry.name, value: entry.value, kind: entry.line_kind() });
        }
        let entry = self.table.get(place(index)).ok_or(HpackError::BadIndex)?;
        Ok(Line { name: entry.name, value: entry.value, kind: entry.note.line })
    }

    /// The name of the line of this index, and what it is.
    fn name(&self, index: usize) -> Result<(&[u8], Kind), HpackError> {
        if let Some(entry) = static_table::entry(index) {
            return Ok((entry.name, entry.kind));
        }
        let entry = self.table.get(place(index)).ok_or(HpackError::BadIndex)?;
        Ok((entry.name, entry.note.name))
    }

    fn take_literal(
        &mut self,
        literal: &Literal<'_>,
        indexing: Indexing,
        scratch: &[u8],
        sink: &mut impl FnMut(Line<'_>),
    ) -> Result<(), HpackError> {
        let (name, name_kind) = match &literal.name {
            LiteralName::Text(text) => {
                let name = text.within(scratch);
                (name, Kind::of_name(name))
            }
            LiteralName::Entry(index) => self.name(*index)?,
        };
        let value = literal.value.within(scratch);
        let kind = name_kind.with_value(value);
        sink(Line { name, value, kind });
        if indexing == Indexing::Incremental {
            let name = match &literal.name {
                LiteralName::Text(text) => Name::Text(text.within(scratch)),
                LiteralName::Entry(index) => match static_table::entry(*index) {
                    Some(entry) => Name::Text(entry.name),
                    None => Name::Entry(place(*index)),
                },
            };
            self.table.insert(name, value, Kinds { name: name_kind, line: kind });
        }
        Ok(())
    }

    #[cfg(any(test, feature = "fuzzing"))]
    pub(super) fn table(&self) -> &Table<impl Copy + use<>> {
        &self.table
    }

    /// The memory that it owns beside itself, in octets.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn memory(&self) -> usize {
        self.table.memory()
    }
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new(INITIAL_TABLE)
    }
}

/// Where the dynamic table has the entry of this index, which is none of the static table's.
fn place(index: usize) -> usize {
    index.wrapping_sub(static_table::LENGTH + 1)
}

/// What the first bits of a line say (RFC 7541 section 6).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Representation {
    /// Section 6.1
    Indexed,
    /// Section 6.2, and how many bits of the first octet are the name's index.
    Literal(Indexing, u32),
    /// Section 6.3
    SizeUpdate,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Indexing {
    /// Section 6.2.1
    Incremental,
    /// Sections 6.2.2 and 6.2.3, which differ for those alone who send the line on.
    None,
}

impl Representation {
    fn of(first: u8) -> Self {
        match first {
            0x80.. => Self::Indexed,
            0x40.. => Self::Literal(Indexing::Incremental, 6),
            0x20.. => Self::SizeUpdate,
            _ => Self::Literal(Indexing::None, 4),
        }
    }
}

/// A literal line, read and not looked up yet.
struct Literal<'a> {
    name: LiteralName<'a>,
    value: Text<'a>,
}

enum LiteralName<'a> {
    Text(Text<'a>),
    /// That of the entry of this index.
    Entry(usize),
}

/// Where a string's text is.
enum Text<'a> {
    /// In the block.
    Plain(&'a [u8]),
    /// In the scratch.
    Decoded(Range<usize>),
}

impl<'a> Text<'a> {
    fn within(&self, scratch: &'a [u8]) -> &'a [u8] {
        match self {
            Self::Plain(text) => text,
            Self::Decoded(range) => scratch.get(range.clone()).unwrap_or(&[]),
        }
    }
}

/// RFC 7541 section 6.2
fn read_literal<'a>(
    rest: &mut &'a [u8],
    prefix: u32,
    limit: usize,
    scratch: &mut Vec<u8>,
) -> Result<Literal<'a>, HpackError> {
    scratch.clear();
    let name = match integer::read(rest, prefix)? {
        0 => LiteralName::Text(read_string(rest, limit, scratch)?),
        index => LiteralName::Entry(index as usize),
    };
    let value = read_string(rest, limit, scratch)?;
    Ok(Literal { name, value })
}

/// RFC 7541 section 5.2
fn read_string<'a>(rest: &mut &'a [u8], limit: usize, scratch: &mut Vec<u8>) -> Result<Text<'a>, HpackError> {
    let is_coded = rest.first().is_some_and(|first| first & 0x80 != 0);
    let length = integer::read(rest, 7)? as usize;
    let (string, behind) = rest.split_at_checked(length).ok_or(HpackError::Truncated)?;
    *rest = behind;
    if is_coded {
        let start = scratch.len();
        huffman::decode(string, limit, scratch)?;
        return Ok(Text::Decoded(start..scratch.len()));
    }
    if length > limit {
        return Err(HpackError::StringTooLong);
    }
    Ok(Text::Plain(string))
}
