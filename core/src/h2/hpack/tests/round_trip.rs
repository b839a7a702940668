//! What we encode, we and others decode; what others encode, we decode: lists of fields one behind the other,
//! with changes of the table size between them, so that every table has to stay in step.

use loona_hpack as theirs;
use proptest::collection::vec as several;
use proptest::prelude::*;
use proptest::sample::select;

use super::super::{huffman, integer};
use super::*;

#[derive(Clone, Debug)]
enum Step {
    Block(Vec<Field>),
    /// The decoding side allows this much from here on.
    Resize(u16),
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    let known = select(vec![
        ":status",
        ":method",
        ":path",
        "content-type",
        "content-length",
        "date",
        "server",
        "etag",
        "cookie",
        "set-cookie",
        "accept-encoding",
        "x-one",
        "x-two",
        "x-three",
        "te",
        "vary",
    ]);
    prop_oneof![
        8 => known.prop_map(|name| name.as_bytes().to_vec()),
        2 => "[a-z][a-z0-9-]{0,20}".prop_map(String::into_bytes),
        1 => (60..300_usize, b'a'..=b'z').prop_map(|(length, letter)| vec![letter; length]),
        1 => several(any::<u8>().prop_filter("lowercase", |byte| !byte.is_ascii_uppercase()), 0..20),
    ]
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    let known =
        select(vec!["", "200", "GET", "/", "text/html", "gzip, deflate", "13", "a=b; c=d", "1", "2", "3"]);
    prop_oneof![
        8 => known.prop_map(|value| value.as_bytes().to_vec()),
        3 => "[ -~]{0,60}".prop_map(String::into_bytes),
        1 => (100..1200_usize, any::<u8>()).prop_map(|(length, octet)| vec![octet; length]),
        2 => several(any::<u8>(), 0..60),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let block = several((name(), value()), 1..12).prop_map(Step::Block);
    let size = prop_oneof![0..200_u16, 0..5000_u16, Just(4096)].prop_map(Step::Resize);
    several(prop_oneof![5 => block, 1 => size], 1..20)
}

proptest! {
    #[test]
    fn we_decode_what_we_encode(steps in steps()) {
        let mut encoder = Encoder::new();
        let mut decoder = Decoder::default();
        for step in steps {
            match step {
                Step::Resize(max) => {
                    encoder.set_peer_max(max.into());
                    decoder.set_max(max);
                }
                Step::Block(fields) => {
                    let block = encode(&mut encoder, &fields);
                    prop_assert_eq!(decode(&mut decoder, &block), Ok(fields));
                    prop_assert_eq!(entries(encoder.table()), entries(decoder.table()));
                    prop_assert_eq!(sizes(encoder.table()), sizes(decoder.table()));
                }
            }
        }
    }

    #[test]
    fn others_decode_what_we_encode(steps in steps()) {
        let mut encoder = Encoder::new();
        let mut decoder = theirs::Decoder::new();
        for step in steps {
            match step {
                Step::Resize(max) => {
                    encoder.set_peer_max(max.into());
                    decoder.set_max_allowed_table_size(max.into());
                }
                Step::Block(fields) => {
                    let block = encode(&mut encoder, &fields);
                    prop_assert_eq!(decoder.decode(&block).expect("a block"), fields);
                }
            }
        }
    }

    #[test]
    fn we_decode_what_others_encode(steps in steps()) {
        let mut encoder = theirs::Encoder::new();
        let mut decoder = Decoder::default();
        let mut block = vec![];
        for step in steps {
            match step {
                // Their encoder does not tell; each change is told here, by itself.
                Step::Resize(max) => {
                    encoder.set_max_table_size(max.into());
                    decoder.set_max(max);
                    block.clear();
                    integer::write(&mut block, 0x20, 5, max.into());
                    prop_assert_eq!(decode(&mut decoder, &block), Ok(vec![]));
                }
                Step::Block(fields) => {
                    let block = encoder.encode(fields.iter().map(|(name, value)| (&name[..], &value[..])));
                    prop_assert_eq!(decode(&mut decoder, &block), Ok(fields));
                }
            }
        }
    }

    #[test]
    fn what_we_accept_others_read_alike(blocks in several(block(), 1..6)) {
        let mut ours = Decoder::default();
        let mut others = theirs::Decoder::new();
        others.set_max_allowed_table_size(4096);
        for block in blocks {
            let Ok(fields) = decode(&mut ours, &block) else { break };
            if !fields.is_empty() {
                prop_assert_eq!(others.decode(&block).expect("a block"), fields);
            }
        }
    }

    #[test]
    fn any_text_survives_the_huffman_code(text in several(any::<u8>(), 0..400)) {
        let mut code = vec![];
        huffman::encode(&text, &mut code);
        prop_assert_eq!(code.len(), huffman::encoded_length(&text));
        let mut out = b"kept".to_vec();
        prop_assert_eq!(huffman::decode(&code, text.len(), &mut out), Ok(()));
        prop_assert_eq!(&out[..4], b"kept");
        prop_assert_eq!(&out[4..], &text[..]);
    }

    #[test]
    fn any_integer_survives(value in 0..1_usize << 28, prefix in 1..=8_u32, behind in any::<u8>()) {
        let mut out = vec![];
        integer::write(&mut out, 0, prefix, value);
        out.push(behind);
        let mut rest = &out[..];
        prop_assert_eq!(integer::read(&mut rest, prefix), Ok(value as u32));
        prop_assert_eq!(rest, &[behind]);
    }
}

/// Octets that are often lines, and often nearly so.
fn block() -> impl Strategy<Value = Vec<u8>> {
    let string = prop_oneof![
        several(any::<u8>(), 0..10).prop_map(|text| [&[text.len() as u8][..], &text].concat()),
        several(any::<u8>(), 0..10).prop_map(|code| [&[0x80 | code.len() as u8][..], &code].concat()),
        "[a-z0-9]{0,9}".prop_map(|text| {
            let mut code = vec![];
            huffman::encode(text.as_bytes(), &mut code);
            code.insert(0, 0x80 | code.len() as u8);
            code
        }),
    ]
    .boxed();
    let pattern = select(vec![0x40_u8, 0x00, 0x10]);
    let line = prop_oneof![
        4 => (0x80..=0xc4_u8).prop_map(|index| vec![index]),
        4 => (pattern.clone(), string.clone(), string.clone())
            .prop_map(|(pattern, name, value)| [&[pattern][..], &name, &value].concat()),
        4 => (0x41..=0x7e_u8, string).prop_map(|(first, value)| [&[first][..], &value].concat()),
        1 => several(any::<u8>(), 0..6),
    ];
    let update = prop_oneof![3 => Just(vec![]), 1 => (0x20..=0x3e_u8).prop_map(|size| vec![size])];
    (update, several(line, 0..8)).prop_map(|(update, lines)| [update, lines.concat()].concat())
}

#[test]
fn every_symbol_is_coded_as_others_code_it() {
    for symbol in 0..=u8::MAX {
        // Between letters, so that it stands at any place in an octet, and long enough for every way through.
        for before in 0..8 {
            let text = [vec![b'0'; before], vec![symbol; 9], vec![b'a'; 3]].concat();
            let mut code = vec![];
            huffman::encode(&text, &mut code);
            let mut block = hex("00 01 61");
            integer::write(&mut block, 0x80, 7, code.len());
            block.extend_from_slice(&code);
            let fields = vec![(b"a".to_vec(), text)];
            assert_eq!(theirs::Decoder::new().decode(&block).expect("a block"), fields);
            assert_eq!(decode(&mut Decoder::default(), &block), Ok(fields));
        }
    }
}
