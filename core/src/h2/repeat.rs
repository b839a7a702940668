//! The head of the last response. The next one is likely to be the same, and then its field block is too.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::h2::hpack::Encoder;
use crate::h2::respond::Heard;
use crate::head::{Date, Field};

/// What a response's head says beside the handler's fields.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Said {
    pub(super) status: u16,
    pub(super) length: Option<u64>,
    pub(super) date: Option<Date>,
}

/// The last head that changed nothing in the table, if it is kept: not by an idle connection, which owns none of this.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub(super) struct Repeat(Option<Box<Kept>>);

/// A head, and the block that it became.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Kept {
    said: Said,
    heard: Heard,
    /// How long each name and each value is, and their text.
    lengths: Vec<(usize, usize)>,
    text: Vec<u8>,
    block: Vec<u8>,
    /// The table that the block refers to, by how often that had changed.
    changes: u64,
}

impl Repeat {
    /// The last head, where the fields are the same.
    pub(super) fn find(&self, fields: &[Field<'_>]) -> Option<&Kept> {
        self.0.as_deref().filter(|kept| kept.has(fields))
    }

    /// Keeps a head with its block.
    #[inline(never)]
    pub(super) fn keep(
        &mut self,
        said: Said,
        heard: Heard,
        fields: &[Field<'_>],
        block: &[u8],
        changes: u64,
    ) {
        let text = fields.iter().flat_map(|field| [field.name.as_bytes(), field.value]).flatten();
        self.0 = Some(Box::new(Kept {
            said,
            heard,
            lengths: fields.iter().map(|field| (field.name.len(), field.value.len())).collect(),
            text: text.copied().collect(),
            block: block.to_vec(),
            changes,
        }));
    }
}

impl Kept {
    pub(super) fn heard(&self) -> Heard {
        self.heard
    }

    /// Its block, where it still means what is to be said.
    pub(super) fn block(&self, said: Said, encoder: &Encoder) -> Option<&[u8]> {
        (self.changes == encoder.changes() && self.said == said).then_some(&self.block)
    }

    fn has(&self, fields: &[Field<'_>]) -> bool {
        let mut text = &*self.text;
        self.lengths.len() == fields.len()
            && self.lengths.iter().zip(fields).all(|((name, value), field)| {
                (*name, *value) == (field.name.len(), field.value.len())
                    && take(&mut text, field.name.as_bytes())
                    && take(&mut text, field.value)
            })
    }
}

/// Takes `part` off the front of `text`, where it is there.
fn take(text: &mut &[u8], part: &[u8]) -> bool {
    text.strip_prefix(part).inspect(|rest| *text = rest).is_some()
}
