//! Any header blocks, with changes of what we allow between them: no panic, a table that is never larger than
//! allowed, no more memory than it needs, and what we accept another implementation reads alike.

#![no_main]

use arbitrary::Arbitrary;
use lameduck_core::hpack::Decoder;
use libfuzzer_sys::fuzz_target;
use loona_hpack as theirs;

#[derive(Arbitrary, Debug)]
enum Step {
    Block(Vec<u8>),
    Allow(u16),
}

const LIMIT: usize = 1024;

fuzz_target!(|steps: Vec<Step>| {
    let mut decoder = Decoder::default();
    let mut others = theirs::Decoder::new();
    others.set_max_allowed_table_size(4096);
    let mut largest = 4096;
    for step in steps {
        match step {
            Step::Allow(max) => {
                largest = largest.max(usize::from(max));
                decoder.set_max(max);
                others.set_max_allowed_table_size(max.into());
            }
            Step::Block(block) => {
                let mut fields = vec![];
                let keep = |name: &[u8], value: &[u8]| fields.push((name.to_vec(), value.to_vec()));
                if decoder.decode(&block, LIMIT, keep).is_err() {
                    return;
                }
                check(&decoder, largest);
                // It takes a block of nothing but a size update for an error.
                if !fields.is_empty() {
                    assert_eq!(others.decode(&block).expect("what we accept"), fields);
                } else if !block.is_empty() {
                    let _ = others.decode(&block);
                }
            }
        }
    }
});

fn check(decoder: &Decoder, largest: usize) {
    let (size, max) = decoder.size();
    assert!(size <= max && max <= largest);
    let entries = decoder.entries();
    assert_eq!(entries.iter().map(|(name, value)| name.len() + value.len() + 32).sum::<usize>(), size);
    // Text of which a third is dead, and an entry that came before others had gone; the index, doubled.
    assert!(decoder.memory() <= largest * 5 / 2 + largest / 32 * 24 + 64, "{}", decoder.memory());
}
