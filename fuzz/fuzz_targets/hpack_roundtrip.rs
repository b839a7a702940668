//! Any fields, with changes of the table size between their blocks: what we encode, we and another
//! implementation decode, and what that one encodes, we decode; all tables stay in step.

#![no_main]

use arbitrary::Arbitrary;
use lameduck_core::hpack::{Decoder, Encoder};
use libfuzzer_sys::fuzz_target;
use loona_hpack as theirs;

#[derive(Arbitrary, Debug)]
enum Step {
    Block(Vec<Field>),
    Resize(u16),
}

#[derive(Arbitrary, Debug)]
struct Field {
    name: Name,
    value: Vec<u8>,
}

/// One that is in use, by its place, or any.
#[derive(Arbitrary, Debug)]
enum Name {
    Known(u8),
    Any(Vec<u8>),
}

const NAMES: &[&str] = &[
    ":status",
    ":method",
    "content-type",
    "Content-Type",
    "content-length",
    "date",
    "server",
    "etag",
    "cookie",
    "set-cookie",
    "accept-encoding",
    "x-one",
    "x-two",
    "vary",
];

/// Of our encoder, whose table takes 1024 octets at most, of entries of 32 at least: text of which a third is dead, and
/// an entry that came before others had gone; the index, doubled.
const MOST_MEMORY: usize = 1024 * 5 / 2 + 1024 / 32 * 24 + 64;

fn fields(fields: Vec<Field>) -> Vec<(Vec<u8>, Vec<u8>)> {
    let name = |name| match name {
        Name::Known(place) => NAMES[usize::from(place) % NAMES.len()].as_bytes().to_vec(),
        Name::Any(name) => name,
    };
    fields.into_iter().map(|field| (name(field.name), field.value)).collect()
}

fuzz_target!(|steps: Vec<Step>| {
    let (mut encoder, mut decoder, mut their_decoder) =
        (Encoder::new(), Decoder::default(), theirs::Decoder::new());
    let (mut their_encoder, mut their_reader) = (theirs::Encoder::new(), Decoder::default());
    for step in steps {
        match step {
            Step::Resize(max) => {
                encoder.set_peer_max(max.into());
                decoder.set_max(max);
                their_decoder.set_max_allowed_table_size(max.into());
                // Their encoder changes its size without telling.
                their_encoder.set_max_table_size(max.into());
                their_reader.set_max(max);
                let update = size_update(max.into());
                their_reader.decode(&update, usize::MAX, |_, _| panic!("no line")).expect("an update");
            }
            Step::Block(list) => {
                let list = fields(list);
                let lower: Vec<_> =
                    list.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect();
                let mut block = vec![];
                encoder.begin(&mut block);
                list.iter().for_each(|(name, value)| encoder.field(&mut block, name, value));
                assert_eq!(read(&mut decoder, &block), lower);
                assert_eq!(encoder.size(), decoder.size());
                assert_eq!(encoder.entries(), decoder.entries());
                assert!(encoder.memory() <= MOST_MEMORY, "{}", encoder.memory());
                match their_decoder.decode(&block) {
                    Ok(read) => assert_eq!(read, lower),
                    // It takes a block of nothing but a size update for an error.
                    Err(error) => assert!(list.is_empty(), "{error}"),
                }
                let block = their_encoder.encode(list.iter().map(|(name, value)| (&name[..], &value[..])));
                assert_eq!(read(&mut their_reader, &block), list);
            }
        }
    }
});

fn read(decoder: &mut Decoder, block: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut fields = vec![];
    let keep = |name: &[u8], value: &[u8]| fields.push((name.to_vec(), value.to_vec()));
    decoder.decode(block, usize::MAX, keep).expect("well-formed");
    fields
}

/// RFC 7541 section 6.3
fn size_update(max: usize) -> Vec<u8> {
    let mut update = vec![];
    theirs::encoder::encode_integer_into(max, 5, 0x20, &mut update).expect("memory");
    update
}
