//! Header blocks as a browser and a server send them, on a connection that is new and on one that is not,
//! beside `loona-hpack`.
//!
//! `cargo bench -p lameduck-core --features fuzzing --bench hpack`

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lameduck_core::hpack::{Decoder, Encoder, huffman};
use loona_hpack as theirs;

/// A line that the static table has, or one that enters the dynamic table.
enum Line {
    Indexed(u8),
    /// The name's index, and the value.
    Named(u8, &'static str),
    New(&'static str, &'static str),
    /// The name's index, and a value that stays out of the table.
    Once(u8, &'static str),
}

const AGENT: &str =
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36";
const ACCEPT: &str =
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8";

const REQUEST: &[Line] = &[
    Line::Indexed(2),
    Line::Named(1, "shop.example.com"),
    Line::Indexed(7),
    Line::Once(4, "/products/4711?sort=price&page=2"),
    Line::New("sec-ch-ua", "\"Chromium\";v=\"126\", \"Not)A;Brand\";v=\"24\""),
    Line::New("sec-ch-ua-mobile", "?0"),
    Line::New("sec-ch-ua-platform", "\"Linux\""),
    Line::New("upgrade-insecure-requests", "1"),
    Line::Named(58, AGENT),
    Line::Named(19, ACCEPT),
    Line::New("sec-fetch-site", "same-origin"),
    Line::New("sec-fetch-mode", "navigate"),
    Line::New("sec-fetch-dest", "document"),
    Line::Named(51, "https://shop.example.com/products"),
    Line::Named(16, "gzip, deflate, br, zstd"),
    Line::Named(17, "en-GB,en;q=0.9,de;q=0.8"),
    Line::Named(32, "session=5f2c1a9e8b7d4c3f; theme=dark"),
    Line::New("priority", "u=0, i"),
];

const RESPONSE: &[(&str, &str)] = &[
    ("content-type", "text/plain; charset=utf-8"),
    ("content-length", "13"),
    ("date", "Sun, 06 Nov 1994 08:49:37 GMT"),
];

const LIMIT: usize = 16 * 1024;

fn write_string(out: &mut Vec<u8>, text: &str) {
    let code = huffman(text.as_bytes());
    assert!(code.len() < 127, "one octet says the length");
    out.push(0x80 | code.len() as u8);
    out.extend_from_slice(&code);
}

/// The first block of a connection, and any later one.
fn request_blocks() -> (Vec<u8>, Vec<u8>) {
    let (mut first, mut later) = (vec![], vec![]);
    let entries = REQUEST.iter().filter(|line| matches!(line, Line::Named(..) | Line::New(..))).count();
    let mut index = 61 + entries as u8;
    for line in REQUEST {
        match line {
            Line::Indexed(index) => first.push(0x80 | index),
            Line::Named(name, value) => {
                first.push(0x40 | name);
                write_string(&mut first, value);
            }
            Line::New(name, value) => {
                first.push(0x40);
                write_string(&mut first, name);
                write_string(&mut first, value);
            }
            Line::Once(name, value) => {
                first.push(*name);
                write_string(&mut first, value);
            }
        }
        match line {
            Line::Indexed(index) => later.push(0x80 | index),
            Line::Named(..) | Line::New(..) => {
                later.push(0x80 | index);
                index -= 1;
            }
            Line::Once(name, value) => {
                later.push(*name);
                write_string(&mut later, value);
            }
        }
    }
    (first, later)
}

fn decode(decoder: &mut Decoder, block: &[u8]) {
    let decoded = decoder.decode(block, LIMIT, |name, value| {
        black_box((name, value));
    });
    decoded.expect("a block");
}

fn decode_theirs(decoder: &mut theirs::Decoder<'_>, block: &[u8]) {
    let decoded = decoder.decode_with_cb(block, |name, value| {
        black_box((name, value));
    });
    decoded.expect("a block");
}

fn encode(encoder: &mut Encoder, out: &mut Vec<u8>) {
    out.clear();
    encoder.begin(out);
    encoder.status(out, 200);
    for (name, value) in RESPONSE {
        encoder.field(out, black_box(name.as_bytes()), black_box(value.as_bytes()));
    }
}

fn encode_theirs(encoder: &mut theirs::Encoder<'_>, out: &mut Vec<u8>) {
    out.clear();
    let status = std::iter::once((&b":status"[..], &b"200"[..]));
    let fields = RESPONSE.iter().map(|(name, value)| black_box((name.as_bytes(), value.as_bytes())));
    encoder.encode_into(status.chain(fields), out).expect("memory");
}

fn requests(criterion: &mut Criterion) {
    let (first, later) = request_blocks();
    let mut group = criterion.benchmark_group("decode a browser's request");
    group.throughput(Throughput::Elements(REQUEST.len() as u64));
    group.bench_function("first", |bencher| {
        bencher.iter(|| decode(&mut Decoder::default(), &first));
    });
    group.bench_function("first, loona", |bencher| {
        bencher.iter(|| decode_theirs(&mut theirs::Decoder::new(), &first));
    });
    group.bench_function("later", |bencher| {
        let mut decoder = Decoder::default();
        decode(&mut decoder, &first);
        bencher.iter(|| decode(&mut decoder, &later));
    });
    group.bench_function("later, loona", |bencher| {
        let mut decoder = theirs::Decoder::new();
        decode_theirs(&mut decoder, &first);
        bencher.iter(|| decode_theirs(&mut decoder, &later));
    });
    group.finish();
}

fn responses(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("encode a small response");
    group.throughput(Throughput::Elements(RESPONSE.len() as u64 + 1));
    let mut out = Vec::with_capacity(256);
    group.bench_function("first", |bencher| bencher.iter(|| encode(&mut Encoder::new(), &mut out)));
    group.bench_function("first, loona", |bencher| {
        bencher.iter(|| encode_theirs(&mut theirs::Encoder::new(), &mut out));
    });
    let mut encoder = Encoder::new();
    encode(&mut encoder, &mut out);
    group.bench_function("later", |bencher| bencher.iter(|| encode(&mut encoder, &mut out)));
    let mut encoder = theirs::Encoder::new();
    encode_theirs(&mut encoder, &mut out);
    group.bench_function("later, loona", |bencher| bencher.iter(|| encode_theirs(&mut encoder, &mut out)));
    group.finish();
}

criterion_group!(benches, requests, responses);
criterion_main!(benches);
