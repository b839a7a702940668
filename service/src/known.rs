//! The fields of a thread's last requests: the next one is likely to have most of them again, in the same places, and
//! those are not read anew.

use std::cell::Cell;

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use lameduck_core::SharedField;

/// So many places are known.
const PLACES: usize = 32;

/// So much memory is kept for one field.
const MOST: usize = 4096;

thread_local! {
    static FIELDS: Cell<Fields> = const { Cell::new(Fields(Vec::new())) };
}

/// Fields by their places.
#[derive(Default)]
pub(crate) struct Fields(Vec<Field>);

struct Field {
    /// The name as it came, in whatever case.
    came_as: Bytes,
    name: HeaderName,
    value: HeaderValue,
}

/// Lends the thread's fields to `act`.
pub(crate) fn with<R>(act: impl FnOnce(&mut Fields) -> R) -> R {
    let mut fields = FIELDS.take();
    let result = act(&mut fields);
    FIELDS.set(fields);
    result
}

impl Fields {
    /// Reads the field that stands at `place`; `None`, where `http` cannot express it.
    #[inline]
    pub(crate) fn read(
        &mut self,
        place: usize,
        field: &SharedField<'_>,
    ) -> Option<(HeaderName, HeaderValue)> {
        match self.0.get(place) {
            Some(known) if known.value == *field.value() && known.came_as == *field.name() => {
                Some((known.name.clone(), known.value.clone()))
            }
            _ => self.read_anew(place, field),
        }
    }

    #[inline(never)]
    fn read_anew(&mut self, place: usize, field: &SharedField<'_>) -> Option<(HeaderName, HeaderValue)> {
        let name = HeaderName::from_bytes(field.name()).ok()?;
        let value = HeaderValue::from_maybe_shared(field.share_value()).ok()?;
        if field.shared_size() <= MOST {
            let known = Field { came_as: field.share_name(), name: name.clone(), value: value.clone() };
            let next = self.0.len();
            match self.0.get_mut(place) {
                Some(slot) => *slot = known,
                None if place == next && place < PLACES => self.0.push(known),
                None => {}
            }
        }
        Some((name, value))
    }
}

#[cfg(test)]
mod tests {
    use lameduck_core::RequestHead;

    use super::*;

    /// A head whose second field this is.
    fn head(line: &str) -> RequestHead {
        crate::head::tests::head(&format!("GET / HTTP/1.1\r\nhost: a\r\n{line}\r\n\r\n"))
    }

    fn read(fields: &mut Fields, place: usize, head: &RequestHead) -> Option<(HeaderName, HeaderValue)> {
        fields.read(place, &head.shared_fields().nth(1).unwrap())
    }

    #[test]
    fn in_every_order_a_field_is_read_as_if_it_were_the_first() {
        let lines = ["x: 1", "X: 1", "x: 2", "x: ", "y: 1", "xy: 1"].map(head);
        let anew = lines.each_ref().map(|line| read(&mut Fields::default(), 0, line).unwrap());
        let count = lines.len();
        for order in 0..count.pow(4) {
            let mut fields = Fields::default();
            for step in 0..4 {
                let which = order / count.pow(step) % count;
                let place = order % 3;
                assert_eq!(
                    read(&mut fields, place, &lines[which]).as_ref(),
                    Some(&anew[which]),
                    "order {order}"
                );
            }
        }
    }

    #[test]
    fn what_is_kept_is_bounded_in_number_and_in_size() {
        let mut fields = Fields::default();
        let long = head(&format!("x: {}", "y".repeat(MOST)));
        assert!(read(&mut fields, 0, &long).is_some());
        assert_eq!(fields.0.len(), 0);
        let short = head("x: 1");
        for place in 0..2 * PLACES {
            assert!(read(&mut fields, place, &short).is_some());
        }
        assert_eq!(fields.0.len(), PLACES);
        assert!(read(&mut fields, 0, &long).is_some());
        assert_eq!(fields.0[0].value, "1");
    }
}
