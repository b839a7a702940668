//! What blocks that mean harm can cost.

use super::super::{Effect, huffman};
use super::*;

/// One that the peer has filled with a single entry, as large as can be.
fn with_large_entry() -> Decoder {
    let value = vec![b'x'; 4096 - 32 - 1];
    let mut block = hex("40 01 61");
    super::super::integer::write(&mut block, 0, 7, value.len());
    block.extend_from_slice(&value);
    let mut decoder = Decoder::default();
    assert_eq!(decode(&mut decoder, &block), Ok(vec![(b"a".to_vec(), value)]));
    assert_eq!(sizes(decoder.table()), (4096, 4096));
    decoder
}

#[test]
fn an_index_costs_the_same_however_large_its_entry_is() {
    let mut decoder = with_large_entry();
    let before = decoder.memory();
    let mut scratch = vec![];
    let mut places = vec![];
    let block = vec![0xbe; 16 * 1024];
    let decoded = decoder.decode(&block, LIMIT, &mut scratch, |line| {
        assert_eq!(line.value.len(), 4063);
        places.push((line.name.as_ptr(), line.value.as_ptr()));
    });
    assert_eq!(decoded, Ok(Effect::None));
    // 64 MiB in 16 KiB: each line is lent from the one place where it lies.
    assert_eq!(places.len(), 16 * 1024);
    places.dedup();
    assert_eq!(places.len(), 1);
    assert_eq!((scratch.capacity(), decoder.memory()), (0, before));
}

#[test]
fn a_huffman_code_is_decoded_no_further_than_the_limit() {
    // All zeros are the letter 0, five bits each: what expands the most.
    let code = vec![0; 1024 * 1024];
    for limit in [0, 1, 7, 8, 100, 4096, 16 * 1024] {
        let mut out = vec![];
        assert_eq!(huffman::decode(&code, limit, &mut out), Err(HpackError::StringTooLong));
        assert!(out.capacity() <= limit + 8, "{} at a limit of {limit}", out.capacity());
    }
}

#[test]
fn names_and_values_are_as_long_as_the_limit_and_not_longer() {
    const LIMIT: usize = 100;
    for length in [LIMIT - 1, LIMIT, LIMIT + 1, LIMIT + 20] {
        let text = vec![b'0'; length];
        let mut coded = vec![];
        huffman::encode(&text, &mut coded);
        let mut plain_string = vec![];
        super::super::integer::write(&mut plain_string, 0, 7, text.len());
        plain_string.extend_from_slice(&text);
        let mut coded_string = vec![];
        super::super::integer::write(&mut coded_string, 0x80, 7, coded.len());
        coded_string.extend_from_slice(&coded);
        for string in [&plain_string, &coded_string] {
            let as_name = [&[0x40][..], string, &[0]].concat();
            let as_value = [&[0x40, 1, b'a'][..], string].concat();
            for block in [as_name, as_value] {
                let decoded = Decoder::default().decode(&block, LIMIT, &mut vec![], |_| {});
                let expected =
                    if length > LIMIT { Err(HpackError::StringTooLong) } else { Ok(Effect::Changed) };
                assert_eq!(decoded, expected, "{length}");
            }
        }
    }
    assert!(HpackError::StringTooLong.is_over_limit());
}

#[test]
fn an_empty_table_owns_nothing() {
    let mut decoder = Decoder::default();
    assert_eq!(decoder.memory(), 0);
    assert_eq!(
        decode(&mut decoder, &hex("82 00 01 61 01 62 10 01 61 01 62")).map(|lines| lines.len()),
        Ok(3)
    );
    assert_eq!(decoder.memory(), 0);
    let mut decoder = with_large_entry();
    assert!(decoder.memory() >= 4064);
    assert_eq!(decode(&mut decoder, &hex("20")), Ok(vec![]));
    assert_eq!((decoder.memory(), sizes(decoder.table())), (0, (0, 0)));
    assert_eq!(Encoder::new().memory(), 0);
}

#[test]
fn an_entry_that_is_too_large_empties_the_table() {
    let mut decoder = Decoder::new(64);
    assert_eq!(decode(&mut decoder, &hex("40 01 61 01 62")).map(|lines| lines.len()), Ok(1));
    assert_eq!(sizes(decoder.table()), (34, 64));
    let mut block = hex("40 01 61 21");
    block.extend_from_slice(&[b'x'; 33]);
    assert_eq!(decode(&mut decoder, &block).map(|lines| lines.len()), Ok(1));
    assert_eq!((sizes(decoder.table()), decoder.memory()), ((0, 64), 0));
}

#[test]
fn a_name_outlives_its_entry_that_makes_room() {
    let mut decoder = Decoder::new(64);
    // The second line has the name of the first, which has to go for it.
    let lines = decode(&mut decoder, &hex("40 03 616263 01 64  7e 02 6566  be"));
    let second = field("abc", "ef");
    assert_eq!(lines, Ok(vec![field("abc", "d"), second.clone(), second]));
    assert_eq!(sizes(decoder.table()), (37, 64));
}

#[test]
fn memory_follows_the_table_however_long_it_is_used() {
    let mut decoder = Decoder::default();
    let mut most = 0;
    for round in 0..20_000_usize {
        let name = alloc::format!("name-{}", round % 7);
        let value = vec![b'v'; round * 7919 % 300];
        let mut block = vec![0x40, name.len() as u8];
        block.extend_from_slice(name.as_bytes());
        super::super::integer::write(&mut block, 0, 7, value.len());
        block.extend_from_slice(&value);
        assert_eq!(decode(&mut decoder, &block), Ok(vec![(name.into_bytes(), value)]));
        most = most.max(decoder.memory());
    }
    assert!(most <= 4096 * 3 / 2 + 512 + 64 * 12, "{most} octets");
}
