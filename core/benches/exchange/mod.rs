//! Requests and their answers, on the core alone.

// Each bench uses a part of this.
#![allow(dead_code)]

pub(crate) mod http2;

use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use lameduck_core::{
    Config, Connection, Date, Event, Field, Instant, ResponseHead, ResponseLength, Transmit,
};

/// What a load generator sends.
pub(crate) const SMALL: &[u8] = b"GET /hello HTTP/1.1\r\nhost: 127.0.0.1:8080\r\n\r\n";

/// What a browser sends.
pub(crate) const BROWSER: &[u8] = b"GET /articles/42?page=2 HTTP/1.1\r\n\
    Host: www.example.org\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0\r\n\
    Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n\
    Accept-Language: en-GB,en;q=0.5\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\n\
    Referer: https://www.example.org/articles\r\n\
    Connection: keep-alive\r\n\
    Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n\
    Upgrade-Insecure-Requests: 1\r\n\
    Sec-Fetch-Dest: document\r\n\
    Sec-Fetch-Mode: navigate\r\n\
    Sec-Fetch-Site: same-origin\r\n\
    Priority: u=0, i\r\n\r\n";

/// The requests of HTTP/2 in one read, each on a stream of its own.
pub(crate) const STREAMS: u32 = 100;

/// Reads what is there of requests, answers each with 13 bytes, and sends that.
pub(crate) fn exchange(connection: &mut Connection, request: &[u8]) {
    let now = Instant::ORIGIN;
    connection.handle_bytes(now, black_box(request));
    while let Some(event) = connection.poll_event() {
        if let Event::Request { id, head, .. } = event {
            black_box(head);
            let fields = [Field { name: "content-type", value: b"text/plain" }];
            let head = ResponseHead { status: 200, fields, length: ResponseLength::Known(13) };
            connection.respond(now, id, head).expect("the request is there to be answered");
            connection
                .send_body(now, id, Bytes::from_static(b"Hello, world!"))
                .expect("the response has been begun");
            connection.finish(now, id, []).expect("the response is whole");
        }
    }
    while let Some(Transmit::Bytes(pieces)) = connection.poll_transmit(now) {
        let sent = pieces.map(|piece| black_box(piece).len()).sum();
        connection.transmitted(now, sent);
    }
}

/// A connection that knows the date.
pub(crate) fn connection() -> Connection {
    let mut connection = Connection::new(Arc::new(Config::default()), Instant::ORIGIN);
    connection.set_date(Date::new(*b"Sun, 06 Nov 1994 08:49:37 GMT").expect("the date is ASCII"));
    connection
}
