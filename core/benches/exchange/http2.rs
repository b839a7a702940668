//! The same over HTTP/2: requests as a client sends them once it has sent the first.

use lameduck_core::Connection;

use super::{STREAMS, connection, exchange};

/// A literal line that enters the table, without Huffman coding (RFC 7541 section 6.2.1).
fn literal(block: &mut Vec<u8>, name: &str, value: &str) {
    block.push(0x40);
    for text in [name, value] {
        match u8::try_from(text.len()) {
            Ok(length @ ..127) => block.push(length),
            _ => block.extend([127, (text.len() - 127) as u8]),
        }
        block.extend_from_slice(text.as_bytes());
    }
}

/// What a load generator sends: `GET`, `http`, and the lines that it has entered into the table.
pub(crate) const SMALL: &[(&str, &str)] =
    &[(":path", "/hello"), (":authority", "127.0.0.1:8080"), ("user-agent", "h2load nghttp2/1.52.0")];

/// What a browser sends.
pub(crate) const BROWSER: &[(&str, &str)] = &[
    (":path", "/articles/42?page=2"),
    (":authority", "www.example.org"),
    ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"),
    ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    ("accept-language", "en-GB,en;q=0.5"),
    ("accept-encoding", "gzip, deflate, br, zstd"),
    ("referer", "https://www.example.org/articles"),
    ("cookie", "session=0123456789abcdef0123456789abcdef; theme=dark"),
    ("upgrade-insecure-requests", "1"),
    ("sec-fetch-dest", "document"),
    ("sec-fetch-mode", "navigate"),
    ("sec-fetch-site", "same-origin"),
    ("priority", "u=0, i"),
];

/// A client's side of a connection: its first request has filled the table, the others refer to it.
pub(crate) struct Client {
    pub(crate) connection: Connection,
    block: Vec<u8>,
    next: u32,
    batch: Vec<u8>,
}

impl Client {
    pub(crate) fn new(lines: &[(&str, &str)]) -> Self {
        let mut connection = connection();
        let mut first = vec![0x82, 0x86];
        lines.iter().for_each(|(name, value)| literal(&mut first, name, value));
        let mut opening = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        frame(&mut opening, 4, 0, 0, &[]);
        frame(&mut opening, 4, 1, 0, &[]);
        frame(&mut opening, 1, 5, 1, &first);
        exchange(&mut connection, &opening);
        let newest = 62;
        let entries = (newest..newest + lines.len() as u8).rev().map(|index| 0x80 | index);
        let block = [0x82, 0x86].into_iter().chain(entries).collect();
        Self { connection, block, next: 3, batch: Vec::new() }
    }

    /// Has `STREAMS` requests answered.
    pub(crate) fn exchange(&mut self) {
        self.batch.clear();
        // The windows are granted again, as by a client that reads.
        frame(&mut self.batch, 8, 0, 0, &(STREAMS * 13).to_be_bytes());
        for _ in 0..STREAMS {
            frame(&mut self.batch, 1, 5, self.next, &self.block);
            self.next += 2;
        }
        exchange(&mut self.connection, &self.batch);
    }
}

fn frame(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let [_, length @ ..] = (payload.len() as u32).to_be_bytes();
    out.extend(length);
    out.extend([kind, flags]);
    out.extend(stream.to_be_bytes());
    out.extend_from_slice(payload);
}
