//! The same bytes, frame by frame, for us and for the `h2` crate's server: whatever we accept, it reads the same way;
//! a connection that one of us gives up, the other gives up too, but for what is listed here.

#![no_main]

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use h2::ext::Protocol;
use h2::server::{Builder, Connection as Theirs, Handshake, SendResponse};
use h2::{Reason, RecvStream};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, Request};
use lameduck_core::{
    CloseReason, Config, Connection, Event, Fault, Instant, PeerError, RequestHead, Stage, Transmit,
};
use lameduck_fuzz::h2::frame::{self, HEADER, flag, kind};
use lameduck_fuzz::h2::{Client, PREFACE, Sent};
use libfuzzer_sys::fuzz_target;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

fuzz_target!(|input: &[u8]| {
    let greeting = if input.starts_with(PREFACE) { vec![] } else { greeting() };
    let (mut ours, mut theirs) = (Ours::new(), Server::new());
    let mut rest = &[&greeting, input].concat()[..];
    while !rest.is_empty() {
        let (frame, behind) = rest.split_at(ours.client.first(rest));
        rest = behind;
        // Of half a frame each makes as much as it likes.
        if !is_whole(frame) || parts_ways(frame) {
            return;
        }
        ours.take(frame);
        theirs.take(frame);
        if compare(frame, &ours, &theirs) == Next::Stop {
            return;
        }
    }
});

/// What goes before an input that does not begin with the preface.
fn greeting() -> Vec<u8> {
    frame::join([PREFACE, frame::settings(&[]).as_ref(), frame::settings_ack().as_ref()])
}

/// Whether there is more to compare.
#[derive(PartialEq)]
enum Next {
    Go,
    Stop,
}

fn compare(frame: &[u8], ours: &Ours, theirs: &Server) -> Next {
    for (number, request) in &ours.requests {
        if ours.reset.contains(number) || request.is_unspeakable() {
            continue;
        }
        match theirs.requests.get(number) {
            Some(seen) if seen.failed.is_none() => assert_eq!(seen.request, *request, "stream {number}"),
            // It is told only of what it is asked for.
            _ if theirs.failure.is_some() => {}
            seen => panic!("h2 does not serve {request:?} on {number}: {seen:?}"),
        }
    }
    match (ours.failure(), &theirs.failure) {
        (None, None) => Next::Go,
        (Some(_), Some(_)) => Next::Stop,
        (Some(fault), None) => {
            let is_fine = is_stricter(fault, frame) || ours.is_apart(frame);
            assert!(is_fine, "we alone fail with {fault:?} at {frame:?}");
            Next::Stop
        }
        (None, Some(error)) => {
            assert!(ours.excuses(frame), "h2 alone fails with {error} at {:?}", start(frame));
            Next::Stop
        }
    }
}

/// What we take for a reason to end the connection and h2 does not.
fn is_stricter(fault: Fault, frame: &[u8]) -> bool {
    match fault {
        // It does not know this frame (RFC 9218 section 7.1).
        _ if frame.get(3) == Some(&kind::PRIORITY_UPDATE) => true,
        // It does not ask for SETTINGS first (RFC 9113 section 3.4).
        Fault::SettingsMissing => true,
        // It does not know this one (RFC 9218 section 2.1).
        Fault::BadNoRfc7540Priorities => true,
        // It forgets a field block that is malformed before its end, and does not ask for the rest (section 4.3).
        Fault::BlockInterrupted => true,
        // It allows any number of changes of the table's size (RFC 7541 section 4.2).
        Fault::BadBlock => resizes(frame) > 2,
        // It looks at where a field block stands when that is at its end, and not at all where it is malformed.
        Fault::BadStreamNumber => true,
        Fault::Push => is_open(frame),
        // It bears other things, and more of them.
        Fault::TooMuchChatter | Fault::TooManyResets => true,
        _ => false,
    }
}

/// A frame that h2 alone takes for a reason to end the connection.
fn is_laxer(frame: &[u8]) -> bool {
    // It takes an ACK of SETTINGS for one too many (RFC 9113 section 6.5.3 says nothing of that).
    let acks = matches!(frame, [_, _, _, kind::SETTINGS, flags, ..] if flags & flag::ACK != 0);
    // It decodes a field block as it comes, and finds earlier what is wrong with it.
    is_open(frame) || acks
}

/// Whether more of a field block is to come behind this frame.
fn is_open(frame: &[u8]) -> bool {
    let Some(header) = frame.first_chunk::<HEADER>() else { return false };
    matches!(header[3], kind::HEADERS | kind::PUSH_PROMISE | kind::CONTINUATION)
        && header[4] & flag::END_HEADERS == 0
}

/// How many changes of the table's size a field block begins with.
fn resizes(frame: &[u8]) -> usize {
    let Some((header, payload)) = frame.split_first_chunk::<HEADER>() else { return 0 };
    let padding = usize::from(header[4] & flag::PADDED != 0);
    let priority = 5 * usize::from(header[4] & flag::PRIORITY != 0);
    let mut block = payload.get(padding + priority..).unwrap_or(&[]);
    let mut count = 0;
    while let Some((first, rest)) = block.split_first().filter(|(first, _)| **first & 0xe0 == 0x20) {
        count += 1;
        let more = if first & 0x1f == 0x1f {
            rest.iter().take_while(|byte| **byte & 0x80 != 0).count() + 1
        } else {
            0
        };
        block = rest.get(more..).unwrap_or(&[]);
    }
    count
}

/// The first bytes of a frame.
fn start(frame: &[u8]) -> &[u8] {
    &frame[..frame.len().min(64)]
}

fn is_whole(frame: &[u8]) -> bool {
    let length = |header: &[u8; HEADER]| u32::from_be_bytes([0, header[0], header[1], header[2]]) as usize;
    frame == PREFACE || frame.first_chunk().is_some_and(|header| frame.len() == HEADER + length(header))
}

/// Behind this nothing can be compared. A stream that depends on itself h2 resets, as RFC 7540 section 5.3.1 has it,
/// and does not decode its field block; we ignore dependencies. Where the client goes away with an error, h2 leaves, and
/// we serve what has begun.
fn parts_ways(frame: &[u8]) -> bool {
    let Some((header, payload)) = frame.split_first_chunk::<HEADER>() else { return false };
    let (kind, flags) = (header[3], header[4]);
    let padding = usize::from(flags & flag::PADDED != 0);
    let dependency = payload.get(padding..).and_then(|rest| rest.first_chunk());
    let dependency = dependency.map(|octets| u32::from_be_bytes(*octets) & 0x7fff_ffff);
    let depends = kind == kind::HEADERS && flags & flag::PRIORITY != 0 && dependency == stream_of(frame);
    let leaves = kind == kind::GOAWAY && payload.get(4..8).is_some_and(|code| code != [0; 4]);
    depends || leaves
}

// What both have seen.

type Fields = Vec<(String, Vec<u8>)>;

/// A request, as far as it has come.
#[derive(PartialEq, Debug, Default)]
struct Seen {
    method: String,
    scheme: String,
    authority: String,
    path: String,
    protocol: String,
    fields: Fields,
    body: Vec<u8>,
    trailers: Fields,
    is_whole: bool,
}

impl Seen {
    /// Whether it has a target that `http::Uri` cannot hold: h2 does not serve it.
    fn is_unspeakable(&self) -> bool {
        let authority = !self.authority.is_empty() && self.authority.parse::<Authority>().is_err();
        let path = !self.path.is_empty() && self.path.parse::<PathAndQuery>().is_err();
        let scheme = !self.scheme.is_empty() && self.scheme.parse::<Scheme>().is_err();
        authority || path || scheme
    }
}

fn sorted(fields: impl Iterator<Item = (String, Vec<u8>)>) -> Fields {
    let mut fields: Fields = fields.collect();
    fields.sort_by(|one, other| one.0.cmp(&other.0));
    fields
}

// Ours.

struct Ours {
    connection: Connection,
    client: Client,
    requests: BTreeMap<u32, Seen>,
    /// What we have reset, or refused with a response.
    reset: BTreeSet<u32>,
    closed: Option<CloseReason>,
}

const NOW: Instant = Instant::ORIGIN;

impl Ours {
    fn new() -> Self {
        let connection = Connection::http2(Arc::new(Config::default()), NOW);
        let (requests, reset) = (BTreeMap::new(), BTreeSet::new());
        Self { connection, client: Client::default(), requests, reset, closed: None }
    }

    fn take(&mut self, frame: &[u8]) {
        self.client.say(frame);
        self.connection.handle_bytes(NOW, frame);
        loop {
            let sent = match self.connection.poll_transmit(NOW) {
                Some(Transmit::Bytes(pieces)) => pieces.collect::<Vec<_>>().concat(),
                Some(Transmit::Fin) | None => vec![],
            };
            self.connection.transmitted(NOW, sent.len());
            for sent in self.client.hear(&sent) {
                if let Sent::RstStream { stream, .. } | Sent::Headers { stream, .. } = sent {
                    self.reset.insert(stream);
                }
            }
            match self.connection.poll_event() {
                Some(event) => self.note(event),
                None if sent.is_empty() => break,
                None => {}
            }
        }
        if self.connection.status().stage == Stage::Lingering {
            self.connection.handle_eof(NOW);
            while let Some(event) = self.connection.poll_event() {
                self.note(event);
            }
        }
    }

    fn note(&mut self, event: Event) {
        match event {
            Event::Request { id, head, body } => {
                let is_whole = body == lameduck_core::BodyLength::Empty;
                self.requests.insert(id.0 as u32, Seen { is_whole, ..seen_by_us(&head) });
            }
            Event::Data { id, data } => {
                let _ = self.connection.release(NOW, id, data.len());
                let request = self.requests.get_mut(&(id.0 as u32)).expect("told");
                request.body.extend_from_slice(&data);
            }
            Event::End { id, trailers } => {
                let request = self.requests.get_mut(&(id.0 as u32)).expect("told");
                request.is_whole = true;
                let fields = trailers.iter().flat_map(|trailers| trailers.fields());
                request.trailers = sorted(fields.map(|field| (field.name.to_owned(), field.value.to_vec())));
            }
            Event::Cancelled { id, .. } | Event::Refused { id } => {
                self.reset.insert(id.0 as u32);
            }
            Event::Closed(reason) => self.closed = Some(reason),
        }
    }

    fn failure(&self) -> Option<Fault> {
        match self.closed {
            Some(CloseReason::Refused(PeerError::Http2(fault))) => Some(fault),
            _ => None,
        }
    }

    /// Whether a frame is of a stream that we have given up, and h2 perhaps not.
    fn is_apart(&self, frame: &[u8]) -> bool {
        stream_of(frame).is_some_and(|stream| self.reset.contains(&stream))
    }

    /// Why h2 may fail at a frame at which we do not.
    fn excuses(&self, frame: &[u8]) -> bool {
        self.is_apart(frame) || is_laxer(frame)
    }
}

fn stream_of(frame: &[u8]) -> Option<u32> {
    let header = frame.first_chunk::<HEADER>()?;
    Some(u32::from_be_bytes([header[5], header[6], header[7], header[8]]) & 0x7fff_ffff)
}

fn seen_by_us(head: &RequestHead) -> Seen {
    let text = |part: Option<Bytes>| String::from_utf8(part.unwrap_or_default().into()).expect("text");
    Seen {
        method: head.method().to_owned(),
        scheme: text(head.scheme_bytes()),
        authority: text(head.authority_bytes()),
        path: head.target().to_owned(),
        protocol: head.protocol().unwrap_or("").to_owned(),
        fields: sorted(head.fields().map(|field| (field.name.to_owned(), field.value.to_vec()))),
        ..Seen::default()
    }
}

// Theirs.

/// h2's server, a request of which nobody answers.
struct Server {
    memory: Memory,
    stage: At,
    requests: BTreeMap<u32, Received>,
    failure: Option<String>,
}

enum At {
    Handshake(Handshake<Memory, Bytes>),
    Open(Box<Theirs<Memory, Bytes>>),
    Over,
}

struct Received {
    request: Seen,
    body: RecvStream,
    /// Without it the stream would be reset.
    _response: SendResponse<Bytes>,
    failed: Option<Reason>,
}

impl std::fmt::Debug for Received {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}, failed: {:?}", self.request, self.failed)
    }
}

impl Server {
    fn new() -> Self {
        let memory = Memory::default();
        let handshake = Builder::new()
            .max_header_list_size(32 * 1024)
            .max_concurrent_streams(128)
            .enable_connect_protocol()
            .handshake(memory.clone());
        Self { memory, stage: At::Handshake(handshake), requests: BTreeMap::new(), failure: None }
    }

    fn take(&mut self, frame: &[u8]) {
        self.memory.0.borrow_mut().extend(frame);
        let mut context = Context::from_waker(Waker::noop());
        loop {
            match &mut self.stage {
                At::Handshake(handshake) => match Pin::new(handshake).poll(&mut context) {
                    Poll::Pending => return,
                    Poll::Ready(Ok(connection)) => self.stage = At::Open(Box::new(connection)),
                    Poll::Ready(Err(error)) => self.fail(&error),
                },
                At::Open(connection) => match connection.poll_accept(&mut context) {
                    Poll::Pending => break,
                    Poll::Ready(Some(Ok((request, response)))) => {
                        let number = response.stream_id().as_u32();
                        self.requests.insert(number, received(request, response));
                    }
                    Poll::Ready(Some(Err(error))) => self.fail(&error),
                    Poll::Ready(None) => self.stage = At::Over,
                },
                At::Over => break,
            }
        }
        self.requests.values_mut().for_each(Received::read);
    }

    fn fail(&mut self, error: &h2::Error) {
        self.failure = Some(error.to_string());
        self.stage = At::Over;
    }
}

impl Received {
    fn read(&mut self) {
        let mut context = Context::from_waker(Waker::noop());
        while !self.request.is_whole && self.failed.is_none() {
            match self.body.poll_data(&mut context) {
                Poll::Pending => return,
                Poll::Ready(Some(Ok(data))) => {
                    let _ = self.body.flow_control().release_capacity(data.len());
                    self.request.body.extend_from_slice(&data);
                }
                Poll::Ready(Some(Err(error))) => self.failed = error.reason().or(Some(Reason::NO_ERROR)),
                Poll::Ready(None) => match self.body.poll_trailers(&mut context) {
                    Poll::Pending => return,
                    Poll::Ready(Ok(trailers)) => {
                        self.request.trailers = trailers.map(|map| owned(&map)).unwrap_or_default();
                        self.request.is_whole = true;
                    }
                    Poll::Ready(Err(error)) => self.failed = error.reason().or(Some(Reason::NO_ERROR)),
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
        is_whole: false,
        ..Seen::default()
    };
    Received { request: seen, body, _response: response, failed: None }
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
struct Memory(Rc<RefCell<VecDeque<u8>>>);

impl AsyncRead for Memory {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut bytes = self.0.borrow_mut();
        if bytes.is_empty() {
            return Poll::Pending;
        }
        let count = buffer.remaining().min(bytes.len());
        let taken: Vec<u8> = bytes.drain(..count).collect();
        buffer.put_slice(&taken);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Memory {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
