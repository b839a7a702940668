//! The same bytes, read by us, by httparse and by hyper's server: whatever we accept, they read the same way.
//!
//! That we refuse what they accept is allowed: we are stricter. The other way there is one exception: hyper
//! refuses targets that `http::Uri` cannot hold (`<`, `>` and backquotes in a path are among those).

#![no_main]

use std::cell::RefCell;
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Uri};
use lameduck_core::{BodyLength, CloseReason, Config, Limits, Version};
use lameduck_fuzz::wire::{Answer, Outcome, Request, serve_cut, show};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    // hyper bounds trailers and chunk extensions at 16 KiB.
    let limits = Limits { head: 8 * 1024, target: 4 * 1024, ..Limits::default() };
    let config = Config { limits, ..Config::default() };
    let ours = serve_cut(&config, input, [], answer);
    if ours.requests.is_empty() {
        return;
    }
    read_by_httparse(input, &ours);
    let theirs = served_by_hyper(input);
    for (at, request) in ours.requests.iter().enumerate() {
        let Ok(uri) = request.target.parse::<Uri>() else { return };
        let Some(seen) = theirs.get(at) else {
            panic!("hyper does not serve request {at} of {}", show(input));
        };
        assert_eq!(seen.method, request.method, "{}", show(input));
        assert_eq!(seen.uri, uri, "{}", show(input));
        assert_eq!(seen.version, version(request.version), "{}", show(input));
        assert_eq!(seen.body, request.body, "{}", show(input));
        assert_eq!(seen.fields, sorted(&request.fields), "{}", show(input));
        let trailers = sorted(&request.trailers);
        assert!(trailers.iter().all(|trailer| seen.trailers.contains(trailer)), "{}", show(input));
    }
    let all = matches!(ours.closed, CloseReason::PeerClosed | CloseReason::Finished);
    assert!(!all || theirs.len() == ours.requests.len(), "hyper serves more of {}", show(input));
});

fn answer(request: &Request) -> Answer {
    match request.method.as_str() {
        "CONNECT" => Answer::new(405),
        _ => Answer::ok(),
    }
}

type Fields = Vec<(String, Vec<u8>)>;

/// The fields as a map can hold them: by name, each name's in their order.
fn sorted(fields: &[(String, Vec<u8>)]) -> Fields {
    let mut fields: Fields =
        fields.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect();
    fields.sort_by(|one, other| one.0.cmp(&other.0));
    fields
}

fn version(version: Version) -> hyper::Version {
    match version {
        Version::Http10 => hyper::Version::HTTP_10,
        Version::Http11 => hyper::Version::HTTP_11,
        Version::Http2 => hyper::Version::HTTP_2,
    }
}

/// Walks through the input by what httparse says of each head and each chunk.
fn read_by_httparse(input: &[u8], ours: &Outcome) {
    let mut rest = input;
    for request in &ours.requests {
        let mut slots = [httparse::EMPTY_HEADER; Limits::FIELDS];
        let mut head = httparse::Request::new(&mut slots);
        let Ok(httparse::Status::Complete(length)) = head.parse(rest) else {
            panic!("httparse does not read {}", show(rest));
        };
        assert_eq!(head.method, Some(request.method.as_str()));
        assert_eq!(head.path, Some(request.target.as_str()));
        let fields: Fields =
            head.headers.iter().map(|field| (field.name.to_owned(), field.value.to_vec())).collect();
        assert_eq!(fields, request.fields);
        rest = &rest[length..];
        rest = match request.length {
            BodyLength::Empty => rest,
            BodyLength::Known(length) => {
                let (body, rest) = rest.split_at(length as usize);
                assert_eq!(body, request.body);
                rest
            }
            BodyLength::Unknown => chunks(rest, &request.body),
        };
    }
}

fn chunks<'a>(mut rest: &'a [u8], expected: &[u8]) -> &'a [u8] {
    let mut body = Vec::new();
    loop {
        let Ok(httparse::Status::Complete((start, size))) = httparse::parse_chunk_size(rest) else {
            panic!("httparse reads no chunk size in {}", show(rest));
        };
        rest = &rest[start..];
        if size == 0 {
            assert_eq!(body, expected);
            let mut slots = [httparse::EMPTY_HEADER; Limits::FIELDS];
            let Ok(httparse::Status::Complete((length, _))) = httparse::parse_headers(rest, &mut slots)
            else {
                panic!("httparse reads no trailers in {}", show(rest));
            };
            return &rest[length..];
        }
        let (chunk, left) = rest.split_at(size as usize);
        body.extend_from_slice(chunk);
        rest = left.strip_prefix(b"\r\n").expect("a chunk ends with CRLF");
    }
}

/// A request as hyper's service saw it, whole.
#[derive(Debug)]
struct Seen {
    method: String,
    uri: Uri,
    version: hyper::Version,
    fields: Fields,
    body: Vec<u8>,
    trailers: Fields,
}

fn owned(map: &HeaderMap) -> Fields {
    let fields: Fields =
        map.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect();
    sorted(&fields)
}

/// Polls hyper's server to its end, over memory.
fn served_by_hyper(input: &[u8]) -> Vec<Seen> {
    const POLLS: usize = 1_000_000;
    let seen = Rc::new(RefCell::new(Vec::new()));
    let service = service_fn(|request: hyper::Request<Incoming>| {
        let seen = Rc::clone(&seen);
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await?;
            let trailers = body.trailers().map(owned).unwrap_or_default();
            let status = if head.method == "CONNECT" { 405 } else { 200 };
            seen.borrow_mut().push(Seen {
                method: head.method.as_str().to_owned(),
                uri: head.uri,
                version: head.version,
                fields: owned(&head.headers),
                body: body.to_bytes().to_vec(),
                trailers,
            });
            let response =
                hyper::Response::builder().status(status).body(Full::new(Bytes::from_static(b"ok")));
            Ok::<_, hyper::Error>(response.expect("a response"))
        }
    });
    let io = Memory { input: input.to_vec(), read: 0 };
    let connection =
        http1::Builder::new().half_close(true).header_read_timeout(None).serve_connection(io, service);
    let mut connection = pin!(connection);
    let mut context = Context::from_waker(Waker::noop());
    let ended = (0..POLLS).any(|_| connection.as_mut().poll(&mut context).is_ready());
    assert!(ended, "hyper does not end with {}", show(input));
    seen.take()
}

/// A transport that has all of the input at once, and takes all output.
struct Memory {
    input: Vec<u8>,
    read: usize,
}

impl Read for Memory {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<std::io::Result<()>> {
        let count = buffer.remaining().min(self.input.len() - self.read);
        buffer.put_slice(&self.input[self.read..][..count]);
        self.read += count;
        Poll::Ready(Ok(()))
    }
}

impl Write for Memory {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
