//! What no block may be, by name.

use super::*;

#[test]
fn malformed_blocks_are_named() {
    use HpackError::*;
    for (what, block, error) in [
        ("index of zero", "80", BadIndex),
        ("index behind the static table, the dynamic one being empty", "be", BadIndex),
        ("index behind the last entry", "40 01 61 01 62  bf", BadIndex),
        ("index far behind", "ff ff ff ff 7f", BadIndex),
        ("name of an entry that is not there", "7e 01 61", BadIndex),
        ("name of an entry that is not there, not indexed", "0f 2f 01 61", BadIndex),
        ("name of an entry that is not there, never indexed", "1f 2f 01 61", BadIndex),
        ("index without its last octet", "ff", Truncated),
        ("index without its last octets", "ff 80 80", Truncated),
        ("index of five octets behind the prefix", "ff 80 80 80 80 00", IntegerTooLong),
        ("index that overflows", "ff ff ff ff ff ff ff ff ff ff 01", IntegerTooLong),
        ("literal without a name", "40", Truncated),
        ("literal without a value", "40 01 61", Truncated),
        ("literal of an indexed name without a value", "41", Truncated),
        ("name that is cut", "00 05 61", Truncated),
        ("value that is cut", "00 01 61 05 62", Truncated),
        ("Huffman name that is cut", "00 82 1f", Truncated),
        ("length that is cut", "00 7f", Truncated),
        ("length that overflows", "00 7f ff ff ff ff ff 0f", IntegerTooLong),
        ("length beyond the limit and the block", "00 7f ff ff ff 7f", Truncated),
        ("Huffman code of EOS", "00 84 ff ff ff ff 00", BadHuffman),
        ("Huffman code of EOS behind a letter", "00 85 1f ff ff ff ff 00", BadHuffman),
        ("padding of eight bits", "00 81 ff 00", BadHuffman),
        ("padding of eleven bits", "00 82 1f ff 00", BadHuffman),
        ("padding of zeros", "00 81 18 00", BadHuffman),
        ("padding that is not all ones", "00 81 1e 00", BadHuffman),
        ("size update above what is allowed", "3f e2 1f", SizeUpdateTooLarge),
        ("size update far above", "3f ff ff ff 7f", SizeUpdateTooLarge),
        ("size update that overflows", "3f ff ff ff ff 7f", IntegerTooLong),
        ("size update that is cut", "3f", Truncated),
        ("size update behind a line", "82 20", MisplacedSizeUpdate),
        ("size update between lines", "82 20 82", MisplacedSizeUpdate),
        ("third size update", "20 3f 01 20", MisplacedSizeUpdate),
    ] {
        let found = decode(&mut Decoder::new(4096), &hex(block));
        assert_eq!(found, Err(error), "{what}");
        assert!(!error.is_over_limit(), "{what}");
    }
}

#[test]
fn what_only_looks_odd_is_accepted() {
    for (what, block, fields) in [
        ("nothing", "", vec![]),
        ("nothing but size updates", "20 3f e1 1f", vec![]),
        ("integer with zeros behind it", "3f 81 80 80 00", vec![]),
        ("Huffman code without padding", "00 01 61 81 f8", vec![field("a", "&")]),
        ("Huffman code with seven bits of padding", "00 01 61 83 03 2c ff", vec![field("a", "033")]),
        ("empty Huffman code", "00 01 61 80", vec![field("a", "")]),
        ("empty name", "00 00 01 61", vec![field("", "a")]),
    ] {
        assert_eq!(decode(&mut Decoder::new(4096), &hex(block)), Ok(fields), "{what}");
    }
}

#[test]
fn a_block_that_is_cut_anywhere_is_truncated_or_ends_between_lines() {
    let block = hex("3fe1 1f 8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff 5886 a8eb 1064 9cbf 0f0d 0231 33
         1008 7061 7373 776f 7264 0673 6563 7265 74 be bf 7f 00 0161");
    let whole = decode(&mut Decoder::default(), &block).expect("well-formed");
    assert_eq!(whole.len(), 10);
    let mut ends = 0;
    for length in 0..=block.len() {
        match decode(&mut Decoder::default(), &block[..length]) {
            Ok(fields) => {
                assert!(whole.starts_with(&fields));
                ends += 1;
            }
            Err(error) => assert_eq!(error, HpackError::Truncated, "cut at {length}"),
        }
    }
    // Before the first line with its size update and without, and behind each line.
    assert_eq!(ends, 2 + whole.len());
}

#[test]
fn the_peer_has_to_make_its_table_smaller_once_it_has_acknowledged_that() {
    let mut decoder = Decoder::new(4096);
    decoder.set_max(256);
    assert_eq!(decode(&mut decoder.clone(), &hex("82")), Err(HpackError::MissingSizeUpdate));
    assert_eq!(decode(&mut decoder.clone(), &hex("")), Err(HpackError::MissingSizeUpdate));
    assert_eq!(decode(&mut decoder.clone(), &hex("3f e2 01")), Err(HpackError::SizeUpdateTooLarge));
    assert_eq!(decode(&mut decoder, &hex("3f e1 01 82")), Ok(vec![field(":method", "GET")]));
    assert_eq!(decode(&mut decoder, &hex("82")), Ok(vec![field(":method", "GET")]));
    assert_eq!(sizes(decoder.table()), (0, 256));
}

#[test]
fn the_lowest_of_several_sizes_has_to_be_made() {
    let mut decoder = Decoder::new(4096);
    decoder.set_max(0);
    decoder.set_max(4096);
    assert_eq!(decode(&mut decoder.clone(), &hex("3f e1 1f 82")), Err(HpackError::MissingSizeUpdate));
    assert_eq!(decode(&mut decoder, &hex("20 3f e1 1f 82")), Ok(vec![field(":method", "GET")]));
}

#[test]
fn a_table_that_is_small_enough_already_needs_no_update() {
    let mut decoder = Decoder::new(4096);
    assert_eq!(decode(&mut decoder, &hex("3f 01")), Ok(vec![]));
    decoder.set_max(64);
    assert_eq!(decode(&mut decoder, &hex("82")), Ok(vec![field(":method", "GET")]));
}

/// Found by fuzzing.
#[test]
fn no_update_is_too_large_to_be_told_from_the_largest_table() {
    for (block, expected) in [
        ("3f e0 ff 03", Ok(vec![])),
        ("3f e1 ff 03", Err(HpackError::SizeUpdateTooLarge)),
        ("3f ff ff ff 7f", Err(HpackError::SizeUpdateTooLarge)),
    ] {
        assert_eq!(decode(&mut Decoder::new(u16::MAX), &hex(block)), expected, "{block}");
    }
}
