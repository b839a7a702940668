//! The fields of a thread's last request that had some: the next one is likely to have fields of the same names, most of
//! them with the same values. Those are not read anew, and their map is copied, not built.

use std::cell::Cell;

use bytes::Bytes;
use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};
use lameduck_core::SharedField;

use crate::head::{self, Form};

/// Fewer fields are put into a spare map sooner than a map is cloned.
const LEAST: usize = 4;

/// More fields are not kept.
const MOST: usize = 32;

/// Nor are those of a larger head: each may keep the memory of all.
const MOST_MEMORY: usize = 4096;

/// As much of the heads that came later is kept by the values that were taken from them. They go into the map of every
/// request from then on, and who keeps that keeps all of it.
const MOST_LATER: usize = 4 * MOST_MEMORY;

thread_local! {
    static KNOWN: Cell<Option<Box<Known>>> = const { Cell::new(None) };
}

/// Fields, and what they make together.
#[derive(Default)]
struct Known {
    fields: Vec<Field>,
    map: HeaderMap,
    form: Form,
    /// How much memory is kept beside that of the head that was read.
    later: usize,
}

struct Field {
    /// The name as it came, in whatever case.
    came_as: Bytes,
    name: HeaderName,
    value: HeaderValue,
    /// How much memory the value keeps beside that.
    later: usize,
}

/// Field lines as a map, and whether an upgrade is offered among them; `None`, where `http` cannot express them.
pub(crate) fn fields<'a>(
    lines: impl ExactSizeIterator<Item = SharedField<'a>> + Clone,
) -> Option<(HeaderMap, Form)> {
    let memory = lines.clone().next().map_or(0, |line| line.shared_size());
    if !(LEAST..=MOST).contains(&lines.len()) || memory > MOST_MEMORY {
        return head::fields(lines);
    }
    let mut known = KNOWN.take().unwrap_or_default();
    let fields = known.describe(lines);
    KNOWN.set(Some(known));
    fields
}

/// A copy of a map.
pub(crate) fn copy(map: &HeaderMap) -> HeaderMap {
    if map.len() >= LEAST {
        return map.clone();
    }
    let mut copy = head::spare_map(map.len());
    for (name, value) in map {
        copy.append(name.clone(), value.clone());
    }
    copy
}

impl Known {
    fn describe<'a>(
        &mut self,
        lines: impl ExactSizeIterator<Item = SharedField<'a>> + Clone,
    ) -> Option<(HeaderMap, Form)> {
        if !self.follow(lines.clone()) {
            self.read(lines)?;
        }
        Some((self.map.clone(), self.form))
    }

    /// Takes over what differs in `lines`, if they have the same names, none of them twice.
    fn follow<'a>(&mut self, lines: impl ExactSizeIterator<Item = SharedField<'a>>) -> bool {
        let Self { fields, map, later, .. } = self;
        (map.keys_len(), fields.len()) == (lines.len(), lines.len())
            && fields.iter_mut().zip(lines).all(|(field, line)| {
                field.came_as == *line.name()
                    && (field.value == *line.value() || field.change(&line, map, later).is_some())
            })
    }

    fn read<'a>(&mut self, lines: impl Iterator<Item = SharedField<'a>>) -> Option<()> {
        *self = Self::default();
        for line in lines {
            let (name, value) = head::field(&line)?;
            self.form = self.form.with(&name);
            self.map.append(name.clone(), value.clone());
            self.fields.push(Field { came_as: line.share_name(), name, value, later: 0 });
        }
        Some(())
    }
}

impl Field {
    /// Takes another value, if there is room for the memory that it keeps.
    fn change(&mut self, line: &SharedField<'_>, map: &mut HeaderMap, later: &mut usize) -> Option<()> {
        let size = line.shared_size();
        let all = later.saturating_sub(self.later).saturating_add(size);
        if all > MOST_LATER {
            return None;
        }
        let value = HeaderValue::from_maybe_shared(line.share_value()).ok()?;
        *map.get_mut(&self.name)? = value.clone();
        self.value = value;
        (self.later, *later) = (size, all);
        Some(())
    }
}

#[cfg(test)]
mod tests;
