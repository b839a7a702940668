//! Tables are what they hold; and they hold what a plain list of lines would.

use core::hash::{Hash, Hasher};

use proptest::collection::vec as several;
use proptest::prelude::*;

use super::super::table::{Name, Table};
use super::*;

/// All that is hashed: what is equal hashes the same octets.
#[derive(Default)]
struct Hashed(Vec<u8>);

impl Hasher for Hashed {
    fn write(&mut self, octets: &[u8]) {
        self.0.extend_from_slice(octets);
    }

    fn finish(&self) -> u64 {
        0
    }
}

fn hashed(value: &impl Hash) -> Vec<u8> {
    let mut hashed = Hashed::default();
    value.hash(&mut hashed);
    hashed.0
}

#[test]
fn tables_are_equal_by_what_they_hold() {
    let (mut long, mut short) = (Table::new(200), Table::new(200));
    for round in 0..100_u8 {
        long.insert(Name::Text(b"name"), &[round; 20], ());
        if round >= 97 {
            short.insert(Name::Text(b"name"), &[round; 20], ());
        }
    }
    assert_eq!(entries(&long).len(), 3);
    assert_eq!(entries(&long), entries(&short));
    assert!(long == short && hashed(&long) == hashed(&short));
    assert!(long.clone() == long);

    let mut other = short.clone();
    other.insert(Name::Text(b"nam"), &[99; 21], ());
    short.insert(Name::Text(b"name"), &[99; 20], ());
    assert!(other != short);
    let mut resized = long.clone();
    resized.resize(199);
    assert!(resized != long);
}

#[test]
fn decoders_and_encoders_with_the_same_past_are_equal() {
    let block = hex("40 01 61 01 62 7e 01 63");
    let (mut one, mut other) = (Decoder::default(), Decoder::default());
    assert_eq!(decode(&mut one, &block), decode(&mut other, &block));
    assert!(one == other && hashed(&one) == hashed(&other));
    other.set_max(10);
    assert!(one != other);

    let (mut one, mut other) = (Encoder::new(), Encoder::new());
    let block = encode(&mut one, &[field("server", "lameduck")]);
    assert!(one != other);
    assert_eq!(encode(&mut other, &[field("server", "lameduck")]), block);
    assert!(one == other && hashed(&one) == hashed(&other));
}

#[derive(Clone, Debug)]
enum Step {
    Insert(Vec<u8>, Vec<u8>),
    InsertNamed(usize, Vec<u8>),
    Resize(u16),
}

fn step() -> impl Strategy<Value = Step> {
    let text = || several(any::<u8>(), 0..40);
    prop_oneof![
        8 => (text(), text()).prop_map(|(name, value)| Step::Insert(name, value)),
        4 => (0..8_usize, text()).prop_map(|(index, value)| Step::InsertNamed(index, value)),
        1 => (0..400_u16).prop_map(Step::Resize),
    ]
}

/// A table that is a list, the newest first.
struct Model {
    fields: Vec<Field>,
    max: usize,
}

impl Model {
    fn size(&self) -> usize {
        self.fields.iter().map(|(name, value)| name.len() + value.len() + 32).sum()
    }

    fn insert(&mut self, name: Vec<u8>, value: Vec<u8>) {
        self.fields.insert(0, (name, value));
        self.resize(self.max);
    }

    fn resize(&mut self, max: usize) {
        self.max = max;
        while self.size() > max {
            self.fields.pop();
        }
    }
}

proptest! {
    #[test]
    fn a_table_holds_what_a_list_would(steps in several(step(), 0..200)) {
        let mut table = Table::new(300);
        let mut model = Model { fields: vec![], max: 300 };
        for step in steps {
            match step {
                Step::Insert(name, value) => {
                    table.insert(Name::Text(&name), &value, ());
                    model.insert(name, value);
                }
                Step::InsertNamed(index, value) => {
                    let Some(name) = model.fields.get(index).map(|(name, _)| name.clone()) else { continue };
                    table.insert(Name::Entry(index), &value, ());
                    model.insert(name, value);
                }
                Step::Resize(max) => {
                    table.resize(max);
                    model.resize(max.into());
                }
            }
            prop_assert_eq!(entries(&table), model.fields.clone());
            prop_assert_eq!((table.size(), usize::from(table.max())), (model.size(), model.max));
            for (index, (name, value)) in model.fields.iter().enumerate() {
                let entry = table.get(index).expect("an entry");
                prop_assert_eq!((entry.name, entry.value), (&name[..], &value[..]));
            }
            prop_assert!(table.get(model.fields.len()).is_none());
        }
    }
}
