//! h2's server, a request of which nobody answers.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use h2::RecvStream;
use h2::ext::Protocol;
use h2::server::{Builder, Connection, Handshake, SendResponse};
use http::{HeaderMap, Request};
use lameduck_fuzz::h2::Fields;
use lameduck_fuzz::h2::frame::{HEADER, kind};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::frame::View;
use crate::seen::{Seen, sorted, trailing};
use crate::{Refusal, Refused};

pub struct Theirs {
    memory: Memory,
    stage: At,
    pub requests: BTreeMap<u32, Received>,
    /// What was given up, and not been asked for.
    pub refused: Refused,
    pub failure: Option<h2::Error>,
    /// It has ended without a failure.
    pub is_over: bool,
}

enum At {
    Handshake(Handshake<Memory, Bytes>),
    Open(Box<Connection<Memory, Bytes>>),
    Over,
}

pub struct Received {
    pub request: Seen,
    body: RecvStream,
    /// Without it the stream would be reset.
    _response: SendResponse<Bytes>,
    has_failed: bool,
}

impl Theirs {
    pub fn new() -> Self {
        let memory = Memory::default();
        let handshake = Builder::new()
            .max_header_list_size(32 * 1024)
            .max_concurrent_streams(128)
            .enable_connect_protocol()
            .handshake(memory.clone());
        Self {
            memory,
            stage: At::Handshake(handshake),
            requests: BTreeMap::new(),
            refused: Refused::new(),
            failure: None,
            is_over: false,
        }
    }

    pub fn take(&mut self, frame: &[u8]) {
        self.memory.0.borrow_mut().input.extend(frame);
        let mut context = Context::from_waker(Waker::noop());
        loop {
            match &mut self.stage {
                At::Handshake(handshake) => match Pin::new(handshake).poll(&mut context) {
                    Poll::Pending => return,
                    Poll::Ready(Ok(connection)) => self.stage = At::Open(Box::new(connection)),
                    Poll::Ready(Err(error)) => self.fail(error),
                },
                At::Open(connection) => match connection.poll_accept(&mut context) {
                    Poll::Pending => break,
                    Poll::Ready(Some(Ok((request, response)))) => {
                        let number = response.stream_id().as_u32();
                        self.requests.insert(number, received(request, response));
                    }
                    Poll::Ready(Some(Err(error))) => self.fail(error),
                    Poll::Ready(None) => {
                        self.is_over = true;
                        self.stage = At::Over;
                    }
                },
                At::Over => break,
            }
        }
        self.requests.values_mut().for_each(Received::read);
        self.hear();
    }

    fn fail(&mut self, error: h2::Error) {
        self.failure = Some(error);
        self.stage = At::Over;
    }

    /// Looks through what it sends for what it gives up.
    fn hear(&mut self) {
        let memory = &mut *self.memory.0.borrow_mut();
        while let Some(header) = memory.output.first_chunk::<HEADER>() {
            let length = u32::from_be_bytes([0, header[0], header[1], header[2]]) as usize;
            let Some(frame) = memory.output.get(..HEADER + length) else { return };
            let view = View::of(frame);
            match (view.kind, view.number_at(0)) {
                (kind::RST_STREAM, Some(code)) => {
                    self.refused.entry(view.stream).or_insert(Refusal::Reset(code));
                }
                (kind::HEADERS, _) => {
                    self.refused.insert(view.stream, Refusal::Answered);
                }
                _ => {}
            }
            memory.output.drain(..HEADER + length);
        }
    }
}

impl Received {
    fn read(&mut self) {
        let mut context = Context::from_waker(Waker::noop());
        while !self.request.is_whole && !self.has_failed {
            match self.body.poll_data(&mut context) {
                Poll::Pending => return,
                Poll::Ready(Some(Ok(data))) => {
                    let _ = self.body.flow_control().release_capacity(data.len());
                    self.request.body.extend_from_slice(&data);
                }
                Poll::Ready(Some(Err(_))) => self.has_failed = true,
                Poll::Ready(None) => match self.body.poll_trailers(&mut context) {
                    Poll::Pending => return,
                    Poll::Ready(Ok(trailers)) => {
                        self.request.trailers = trailing(trailers.map(|map| owned(&map)).unwrap_or_default());
                        self.request.is_whole = true;
                    }
                    Poll::Ready(Err(_)) => self.has_failed = true,
                },
            }
        }
    }
}

fn received(request: Request<RecvStream>, response: SendResponse<Bytes>) -> Received {
    let (head, body) = request.into_parts();
    let text = |part: Option<&str>| part.unwrap_or("").to_owned();
    let seen = Seen {
        method: head.method.as_str().to_owned(),
        scheme: text(head.uri.scheme_str()),
        authority: text(head.uri.authority().map(|authority| authority.as_str())),
        path: text(head.uri.path_and_query().map(|path| path.as_str())),
        protocol: text(head.extensions.get::<Protocol>().map(Protocol::as_str)),
        fields: owned(&head.headers),
        ..Seen::default()
    };
    Received { request: seen, body, _response: response, has_failed: false }
}

/// The crumbs of a cookie are joined, as we do it (RFC 9113 section 8.2.3).
fn owned(map: &HeaderMap) -> Fields {
    let crumbs: Vec<_> = map.get_all("cookie").iter().map(|value| value.as_bytes()).collect();
    let cookie = (!crumbs.is_empty()).then(|| ("cookie".to_owned(), crumbs.join(&b"; "[..])));
    let others = map.iter().filter(|(name, _)| *name != "cookie");
    let others = others.map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()));
    sorted(others.chain(cookie))
}

/// A transport to which bytes are given one frame at a time, and which takes all output.
#[derive(Clone, Default)]
struct Memory(Rc<RefCell<Pipes>>);

#[derive(Default)]
struct Pipes {
    input: VecDeque<u8>,
    output: Vec<u8>,
}

impl AsyncRead for Memory {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let input = &mut self.0.borrow_mut().input;
        if input.is_empty() {
            return Poll::Pending;
        }
        let count = buffer.remaining().min(input.len());
        let taken: Vec<u8> = input.drain(..count).collect();
        buffer.put_slice(&taken);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Memory {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.borrow_mut().output.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
