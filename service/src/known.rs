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
mod tests {
    use lameduck_core::RequestHead;

    use super::*;

    /// A head of these fields.
    fn head(lines: &[&str]) -> RequestHead {
        let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
        crate::head::tests::head(&format!("GET / HTTP/1.1\r\nhost: a\r\n{lines}\r\n"))
    }

    #[test]
    fn in_every_order_fields_are_described_as_if_they_were_the_first() {
        let heads = [
            head(&["a: 1", "b: 2", "c: 3"]),
            head(&["A: 1", "b: 2", "c: 3"]),
            head(&["a: 1", "b: 2", "c: 4"]),
            head(&["a: 2", "b: 1", "c: 3"]),
            head(&["a: 1", "b: 2", "c: 3", "d: 4"]),
            head(&["a: 1", "b: 2", "a: 3"]),
            head(&["a: 1", "b: 2", "upgrade: 3"]),
        ];
        let anew = heads.each_ref().map(|head| head::fields(head.shared_fields()).unwrap());
        let count = heads.len();
        for order in 0..count.pow(4) {
            let mut known = Known::default();
            for step in 0..4 {
                let which = order / count.pow(step) % count;
                let fields = known.describe(heads[which].shared_fields());
                assert_eq!(fields.as_ref(), Some(&anew[which]), "order {order}, step {step}");
            }
        }
    }

    #[test]
    fn what_is_kept_is_bounded_in_number_and_in_size() {
        let kept = |lines: &[&str]| {
            KNOWN.set(None);
            let head = head(lines);
            assert_eq!(fields(head.shared_fields()), head::fields(head.shared_fields()));
            KNOWN.take().map_or(0, |known| known.fields.len())
        };
        assert_eq!(kept(&["a: 1", "b: 2"]), 0);
        assert_eq!(kept(&["a: 1", "b: 2", "c: 3"]), LEAST);
        assert_eq!(kept(&["a: 1"; MOST - 1]), MOST);
        assert_eq!(kept(&["a: 1"; MOST]), 0);
        assert_eq!(kept(&["a: 1", "b: 2", &format!("c: {}", "d".repeat(MOST_MEMORY))]), 0);
    }

    #[test]
    fn a_map_keeps_the_memory_of_few_heads() {
        let mut values = vec!["x".repeat(100); MOST - 2];
        let mut known = Known::default();
        let mut heads = Vec::new();
        for round in 0..4 * MOST {
            let at = round % values.len();
            values[at] = format!("{round:0>100}");
            let lines: Vec<String> =
                values.iter().enumerate().map(|(at, value)| format!("a{at}: {value}")).collect();
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            let head = head(&lines);
            let (map, _) = known.describe(head.shared_fields()).expect("all of it is well-formed");
            assert_eq!(Some((map.clone(), Form::Plain)), head::fields(head.shared_fields()));
            heads.push(head);
            let keeps = |head: &&RequestHead| {
                map.values().any(|value| head.as_bytes().as_ptr_range().contains(&value.as_bytes().as_ptr()))
            };
            let kept: usize = heads.iter().filter(keeps).map(|head| head.as_bytes().len()).sum();
            assert!(kept <= MOST_MEMORY + MOST_LATER, "{kept}");
        }
    }
}
