//! What is decoded and encoded, and what that may cost.

mod appendix_c;
mod bounds;
mod kinds;
mod malformed;
mod round_trip;
mod sending;
mod state;

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::table::Table;
use super::{Decoder, Encoder, HpackError};

/// A field line that is kept.
type Field = (Vec<u8>, Vec<u8>);

fn field(name: &str, value: &str) -> Field {
    (name.into(), value.into())
}

const LIMIT: usize = 64 * 1024;

/// A block's lines, whose kinds are checked on the way.
fn decode(decoder: &mut Decoder, block: &[u8]) -> Result<Vec<Field>, HpackError> {
    let mut fields = vec![];
    decoder.decode(block, LIMIT, &mut vec![], |line| {
        let kind = crate::h2::field::Kind::of(line.name, line.value);
        assert_eq!(line.kind, kind, "{}: {}", line.name.escape_ascii(), line.value.escape_ascii());
        fields.push((line.name.to_vec(), line.value.to_vec()));
    })?;
    assert!(decoder.table().size() <= decoder.table().max().into());
    Ok(fields)
}

/// The block that starts with what is due.
fn encode(encoder: &mut Encoder, fields: &[Field]) -> Vec<u8> {
    let mut block = vec![];
    encoder.begin(&mut block);
    for (name, value) in fields {
        encoder.field(&mut block, name, value);
    }
    assert!(encoder.table().size() <= encoder.table().max().into());
    block
}

/// How large a table is, and how large it may be.
fn sizes<N: Copy>(table: &Table<N>) -> (usize, u16) {
    (table.size(), table.max())
}

/// What is in a table, the newest first.
fn entries<N: Copy>(table: &Table<N>) -> Vec<Field> {
    table.iter().map(|entry| (entry.name.to_vec(), entry.value.to_vec())).collect()
}

/// The octets that these hexadecimal digits stand for, whatever blanks are between them.
fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let octet = |pair: &[u8]| u8::from_str_radix(core::str::from_utf8(pair).ok()?, 16).ok();
    digits.chunks(2).map(|pair| octet(pair).expect("two hexadecimal digits")).collect()
}
