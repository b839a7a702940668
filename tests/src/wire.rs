//! A wire in memory: bytes go to one connection, a handler answers at once, and what came of it can be
//! compared.
//!
//! What a connection does must not depend on how its input was split. [`serve_with`] runs each input whole
//! and byte by byte, and fails where the two differ.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use lameduck_core::{
    BodyLength, CloseReason, Config, Connection, Event, Field, Instant, PeerError, Recall, ResponseHead,
    ResponseLength, Stage, StreamId, Transmit, Version,
};

use crate::recalled;

/// The moment at which everything happens that takes no time.
pub const NOW: Instant = Instant::ORIGIN;

/// The longest input that is also tried byte by byte.
const BY_BYTES: usize = 128 * 1024;

/// A connection, and the peer's end of its transport.
#[derive(Clone, Debug)]
pub struct Wire {
    /// The connection.
    pub connection: Connection,
    /// What it has sent.
    pub sent: Vec<u8>,
    /// Whether it has sent its FIN.
    pub fin: bool,
}

impl Wire {
    /// A connection that has just been accepted.
    pub fn new(config: &Config) -> Self {
        let connection = Connection::new(Arc::new(config.clone()), NOW);
        Self { connection, sent: Vec::new(), fin: false }
    }

    /// Sends bytes to the connection; what happens then.
    ///
    /// # Panics
    /// Where something else would happen if they had come before.
    pub fn feed(&mut self, bytes: impl AsRef<[u8]>) -> Vec<Event> {
        self.take_in(bytes.as_ref());
        self.settle()
    }

    /// Hands bytes to the connection. That no head in them is another for who remembers it need not be asked of single
    /// bytes.
    fn take_in(&mut self, bytes: &[u8]) {
        let before = (bytes.len() > 1).then(|| self.connection.clone());
        self.connection.handle_bytes(NOW, bytes);
        if let Some(before) = before {
            let mut recall = Recall::default();
            for _ in 0..recalled::TIMES {
                recalled::check(&before, NOW, bytes, &self.connection, &mut recall);
            }
        }
    }

    /// Sends the peer's FIN; what happens then.
    pub fn eof(&mut self) -> Vec<Event> {
        self.connection.handle_eof(NOW);
        self.settle()
    }

    /// Takes all that the connection has to say.
    pub fn settle(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        loop {
            let sent = self.transmit();
            match self.connection.poll_event() {
                Some(event) => events.push(event),
                None if sent.is_empty() => return events,
                None => {}
            }
        }
    }

    /// Takes all that is to be sent.
    pub fn transmit(&mut self) -> Vec<u8> {
        let mut taken = Vec::new();
        loop {
            let from = taken.len();
            match self.connection.poll_transmit(NOW) {
                Some(Transmit::Bytes(pieces)) => pieces.for_each(|piece| taken.extend_from_slice(piece)),
                Some(Transmit::Fin) => {
                    assert!(!self.fin, "a second FIN");
                    self.fin = true;
                    continue;
                }
                None => break,
            }
            assert!(!self.fin, "bytes after the FIN");
            assert!(taken.len() > from, "nothing to send was said to be something");
            self.connection.transmitted(NOW, taken.len() - from);
        }
        self.sent.extend_from_slice(&taken);
        taken
    }

    /// What has been sent, as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.sent).into_owned()
    }
}

/// A request as its handler saw it, whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    /// The method.
    pub method: String,
    /// The target.
    pub target: String,
    /// The version.
    pub version: Version,
    /// The fields in their order.
    pub fields: Vec<(String, Vec<u8>)>,
    /// How long the body was said to be.
    pub length: BodyLength,
    /// The body.
    pub body: Vec<u8>,
    /// The trailers in their order.
    pub trailers: Vec<(String, Vec<u8>)>,
}

impl Request {
    /// The values of a field.
    pub fn values(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        let is = move |field: &&(String, _)| field.0.eq_ignore_ascii_case(name);
        self.fields.iter().filter(is).map(|field: &(_, Vec<u8>)| field.1.as_slice())
    }

    /// The protocol that it asks to switch to, where that can be agreed to.
    pub fn upgrade(&self) -> Option<&[u8]> {
        let members = |name| self.values(name).flat_map(|value| value.split(|byte| *byte == b','));
        let fits = self.version == Version::Http11 && !matches!(self.method.as_str(), "HEAD" | "CONNECT");
        let asks = members("connection").any(|option| option.trim_ascii().eq_ignore_ascii_case(b"upgrade"));
        let is_offer = |protocol: &&[u8]| !protocol.is_empty() && !protocol.eq_ignore_ascii_case(b"h2c");
        members("upgrade").map(<[u8]>::trim_ascii).find(is_offer).filter(|_| fits && asks)
    }
}

/// What the handler answers to a request.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The fields.
    pub fields: Vec<(&'static str, &'static str)>,
    /// The length of the body.
    pub length: ResponseLength,
    /// The pieces of the body.
    pub body: Vec<Bytes>,
    /// The trailers.
    pub trailers: Vec<(&'static str, &'static str)>,
}

impl Answer {
    /// A 200 with the body `ok`.
    pub fn ok() -> Self {
        Self::new(200).with_body("ok")
    }

    /// A 101, where that is asked for; else [`Answer::ok`].
    pub fn willing(request: &Request) -> Self {
        match request.upgrade() {
            Some(_) => Self::new(101).with_field("upgrade", "x"),
            None => Self::ok(),
        }
    }

    /// An answer without fields or a body.
    pub fn new(status: u16) -> Self {
        let length = ResponseLength::Known(0);
        Self { status, fields: Vec::new(), length, body: Vec::new(), trailers: Vec::new() }
    }

    /// With one field more.
    pub fn with_field(mut self, name: &'static str, value: &'static str) -> Self {
        self.fields.push((name, value));
        self
    }

    /// With this body, of a length known in advance.
    pub fn with_body(mut self, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        self.length = ResponseLength::Known(body.len() as u64);
        self.body = vec![body];
        self
    }

    /// With a body that comes in these pieces, of a length unknown in advance.
    pub fn with_pieces(mut self, pieces: &[&'static str]) -> Self {
        self.length = ResponseLength::Unknown;
        self.body = pieces.iter().map(|piece| Bytes::from_static(piece.as_bytes())).collect();
        self
    }

    /// With one trailer more.
    pub fn with_trailer(mut self, name: &'static str, value: &'static str) -> Self {
        self.trailers.push((name, value));
        self
    }
}

/// `fields` as the connection takes them.
pub fn fields<'a>(fields: &'a [(&'a str, &'a str)]) -> impl Iterator<Item = Field<'a>> + Clone {
    fields.iter().map(|(name, value)| Field { name, value: value.as_bytes() })
}

/// What became of a connection. Requests that were given up half-way are left out, for whether they were
/// seen at all depends on how the input was split; so are the `100 Continue`s.
#[derive(Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The requests that were answered.
    pub requests: Vec<Request>,
    /// How many requests were taken.
    pub taken: u64,
    /// All that was sent.
    pub sent: Vec<u8>,
    /// What came through the tunnel.
    pub tunnel: Vec<u8>,
    /// Whether our FIN was sent.
    pub fin: bool,
    /// What the connection was at when the peer's FIN came.
    pub at_eof: Stage,
    /// The end.
    pub closed: CloseReason,
}

impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outcome")
            .field("requests", &self.requests)
            .field("taken", &self.taken)
            .field("sent", &show(&self.sent))
            .field("tunnel", &show(&self.tunnel))
            .field("fin", &self.fin)
            .field("at_eof", &self.at_eof)
            .field("closed", &self.closed)
            .finish()
    }
}

impl Outcome {
    /// The responses that were sent.
    pub fn responses(&self) -> Vec<Response> {
        let methods: Vec<_> = self.requests.iter().map(|request| request.method.as_str()).collect();
        responses(&self.sent, &methods)
    }
}

/// A connection whose requests are answered as soon as they are whole.
pub struct Server<A> {
    wire: Wire,
    answer: A,
    coming: Option<Request>,
    requests: Vec<Request>,
    tunnel: Vec<u8>,
    closed: Option<CloseReason>,
}

impl<A: Fn(&Request) -> Answer> Server<A> {
    /// A new connection, its requests answered by `answer`.
    pub fn new(config: &Config, answer: A) -> Self {
        let wire = Wire::new(config);
        Self { wire, answer, coming: None, requests: Vec::new(), tunnel: Vec::new(), closed: None }
    }

    /// Takes bytes from the peer.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.wire.take_in(bytes);
        self.settle();
    }

    /// Takes the peer's FIN. That ends everything.
    pub fn finish(mut self) -> Outcome {
        let at_eof = self.wire.connection.status().stage;
        self.wire.connection.handle_eof(NOW);
        self.settle();
        Outcome {
            requests: self.requests,
            taken: self.wire.connection.status().requests,
            sent: self.wire.sent,
            tunnel: self.tunnel,
            fin: self.wire.fin,
            at_eof,
            closed: self.closed.expect("a connection is over once the peer's FIN has been answered"),
        }
    }

    fn settle(&mut self) {
        loop {
            let sent = self.wire.transmit();
            match self.wire.connection.poll_event() {
                Some(event) => self.on(event),
                None if sent.is_empty() => return,
                None => {}
            }
        }
    }

    fn on(&mut self, event: Event) {
        assert_eq!(self.closed, None, "an event after the last: {event:?}");
        match event {
            Event::Request { id, head, body } => {
                assert_eq!(id, StreamId(self.wire.connection.status().requests));
                let request = Request {
                    method: head.method().to_owned(),
                    target: head.target().to_owned(),
                    version: head.version(),
                    fields: head.fields().map(owned).collect(),
                    length: body,
                    body: Vec::new(),
                    trailers: Vec::new(),
                };
                if body == BodyLength::Empty {
                    return self.answer(id, request);
                }
                self.coming = Some(request);
                self.invite(id);
            }
            Event::Data { id, data } => {
                assert!(!data.is_empty());
                match &mut self.coming {
                    Some(request) => request.body.extend_from_slice(&data),
                    None => self.tunnel.extend_from_slice(&data),
                }
                let released = self.wire.connection.release(NOW, id, data.len());
                assert!(released.is_ok() || self.coming.is_none(), "a request is known until its end");
            }
            Event::End { id, trailers } => match self.coming.take() {
                Some(mut request) => {
                    let trailers = trailers.iter().flat_map(lameduck_core::Trailers::fields);
                    request.trailers = trailers.map(owned).collect();
                    self.answer(id, request);
                }
                None => self.wire.connection.finish(NOW, id, []).expect("our half of the tunnel is open"),
            },
            Event::Refused { id } => panic!("HTTP/1 refuses with a response, not {id:?}"),
            Event::Cancelled { .. } => self.coming = None,
            Event::Closed(reason) => self.closed = Some(reason),
        }
    }

    /// Asks for the body. Where the peer waited for that, `100 Continue` is sent.
    fn invite(&mut self, id: StreamId) {
        self.wire.transmit();
        let before = self.wire.sent.len();
        self.wire.connection.read_body(NOW, id).expect("the request has just come");
        let interim = self.wire.transmit();
        assert!(interim.is_empty() || interim == b"HTTP/1.1 100 Continue\r\n\r\n");
        self.wire.sent.truncate(before);
    }

    fn answer(&mut self, id: StreamId, request: Request) {
        let answer = (self.answer)(&request);
        self.requests.push(request);
        let connection = &mut self.wire.connection;
        let head =
            ResponseHead { status: answer.status, fields: fields(&answer.fields), length: answer.length };
        connection.respond(NOW, id, head).expect("the answer can be sent");
        for piece in answer.body {
            connection.send_body(NOW, id, piece).expect("the body fits");
        }
        if connection.status().stage != Stage::Tunnel {
            connection.finish(NOW, id, fields(&answer.trailers)).expect("the body is whole");
        }
    }
}

fn owned(field: Field<'_>) -> (String, Vec<u8>) {
    (field.name.to_owned(), field.value.to_vec())
}

/// Serves `input`, handed over in pieces that end at `cuts`, and then the peer's FIN.
pub fn serve_cut(
    config: &Config,
    input: &[u8],
    cuts: impl IntoIterator<Item = usize>,
    answer: impl Fn(&Request) -> Answer,
) -> Outcome {
    let mut server = Server::new(config, answer);
    let mut from = 0;
    for cut in cuts.into_iter().chain([input.len()]) {
        let to = cut.clamp(from, input.len());
        server.feed(&input[from..to]);
        from = to;
    }
    server.finish()
}

/// Serves `input` whole and byte by byte, and then the peer's FIN.
///
/// # Panics
/// Where the two differ.
#[track_caller]
pub fn serve_with(config: &Config, input: impl AsRef<[u8]>, answer: impl Fn(&Request) -> Answer) -> Outcome {
    let input = input.as_ref();
    let whole = serve_cut(config, input, [], &answer);
    if input.len() <= BY_BYTES {
        let by_bytes = serve_cut(config, input, 0..input.len(), &answer);
        assert_eq!(whole, by_bytes, "whole and byte by byte differ: {}", show(input));
    }
    whole
}

/// [`serve_with`] the defaults.
#[track_caller]
pub fn serve(input: impl AsRef<[u8]>) -> Outcome {
    serve_with(&Config::default(), input, |_| Answer::ok())
}

/// The requests in `input`, all of which are served with a 200.
///
/// # Panics
/// Where one is not, or something is left over.
#[track_caller]
pub fn served(input: impl AsRef<[u8]>) -> Vec<Request> {
    let input = input.as_ref();
    let outcome = serve(input);
    let clean = matches!(outcome.closed, CloseReason::PeerClosed | CloseReason::Finished);
    assert!(clean, "{} for {}", outcome.closed, show(input));
    let responses = outcome.responses();
    assert_eq!(responses.len(), outcome.requests.len());
    assert!(responses.iter().all(|response| response.status == 200), "{responses:?}");
    outcome.requests
}

/// The one request in `input`, which is served with a 200.
///
/// # Panics
/// Where it is not, or is not the only one.
#[track_caller]
pub fn served_one(input: impl AsRef<[u8]>) -> Request {
    let mut requests = served(input);
    assert_eq!(requests.len(), 1, "one request: {requests:?}");
    requests.remove(0)
}

/// Checks that the last request in `input` is refused for `error`, in all that a refusal has to be.
///
/// # Panics
/// Where it is not.
#[track_caller]
pub fn refused(input: impl AsRef<[u8]>, error: PeerError) -> Outcome {
    refused_with(&Config::default(), input, error)
}

/// [`refused`], by a connection that is set up like this.
///
/// # Panics
/// Where it is not.
#[track_caller]
pub fn refused_with(config: &Config, input: impl AsRef<[u8]>, error: PeerError) -> Outcome {
    let input = input.as_ref();
    let outcome = serve_with(config, input, |_| Answer::ok());
    assert_eq!(outcome.closed, CloseReason::Refused(error), "{}", show(input));
    assert_is_refusal(&outcome, error.status());
    assert!(outcome.fin, "our FIN follows: {}", show(input));
    assert_eq!(outcome.at_eof, Stage::Lingering, "what the peer still sends is read: {}", show(input));
    outcome
}

/// Checks that the last response refuses with `status`, and that those before it answered what was served.
///
/// # Panics
/// Where it does not.
#[track_caller]
pub fn assert_is_refusal(outcome: &Outcome, status: u16) {
    let responses = outcome.responses();
    let (last, before) = responses.split_last().expect("a refusal is a response");
    assert_eq!(before.len(), outcome.requests.len(), "each request before it was answered");
    assert_eq!(last.status, status);
    assert_eq!(last.values("connection"), ["close"]);
    assert_eq!(last.values("content-length"), ["0"]);
    assert_eq!(last.body, b"");
}

/// A response as a client reads it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// The fields in their order.
    pub fields: Vec<(String, String)>,
    /// The body; behind a switch of protocols, all that came.
    pub body: Vec<u8>,
    /// The trailers.
    pub trailers: Vec<(String, String)>,
    /// Whether the body was chunked.
    pub chunked: bool,
}

impl Response {
    /// The values of a field.
    pub fn values(&self, name: &str) -> Vec<&str> {
        let is = |field: &&(String, String)| field.0.eq_ignore_ascii_case(name);
        self.fields.iter().filter(is).map(|field| field.1.as_str()).collect()
    }
}

/// Reads responses to requests of these `methods`. Strict: this is our own output.
///
/// # Panics
/// Where `text` is not a row of well-formed responses.
pub fn responses(text: &[u8], methods: &[&str]) -> Vec<Response> {
    let mut rest = text;
    let mut methods = methods.iter();
    let mut method = methods.next();
    let mut all = Vec::new();
    while !rest.is_empty() {
        let (response, left) = response(rest, method.copied().unwrap_or_default());
        rest = left;
        if response.status >= 200 {
            method = methods.next();
        }
        all.push(response);
    }
    all
}

fn response<'a>(text: &'a [u8], method: &str) -> (Response, &'a [u8]) {
    let (status_line, rest) = line(text);
    let status = status_line.strip_prefix("HTTP/1.1 ").expect("a status line");
    let (status, _reason) = status.split_once(' ').expect("a space before the reason");
    assert_eq!(status.len(), 3, "{status_line}");
    let status = status.parse().expect("a status");
    let (fields, rest) = section(rest);
    let mut response = Response { status, fields, body: Vec::new(), trailers: Vec::new(), chunked: false };
    let lengths = response.values("content-length");
    let codings = response.values("transfer-encoding");
    assert!(lengths.len() + codings.len() <= 1, "framed in two ways: {response:?}");
    let chunked = codings == ["chunked"];
    assert!(chunked || codings.is_empty(), "{response:?}");
    let length = lengths.first().map(|length| length.parse::<usize>().expect("a length"));
    let switches = status == 101 || (method == "CONNECT" && (200..300).contains(&status));
    let bodiless = method == "HEAD" || matches!(status, 102..=199 | 100 | 204 | 304);
    assert!(!(chunked || length.is_some()) || !(switches || status < 200 || status == 204), "{response:?}");
    let (body, rest) = match (switches, bodiless, chunked, length) {
        (false, true, ..) => (Vec::new(), rest),
        (false, false, true, _) => {
            response.chunked = true;
            let (body, trailers, rest) = chunks(rest);
            response.trailers = trailers;
            (body, rest)
        }
        (false, false, false, Some(length)) => {
            let (body, rest) = rest.split_at_checked(length).expect("the whole body");
            (body.to_vec(), rest)
        }
        (true, ..) | (false, false, false, None) => (rest.to_vec(), &[][..]),
    };
    response.body = body;
    (response, rest)
}

type Section = Vec<(String, String)>;

/// Reads field lines up to the empty line.
fn section(mut text: &[u8]) -> (Section, &[u8]) {
    let mut fields = Vec::new();
    loop {
        let (field, rest) = line(text);
        text = rest;
        if field.is_empty() {
            return (fields, text);
        }
        let (name, value) = field.split_once(": ").expect("a field line");
        fields.push((name.to_owned(), value.to_owned()));
    }
}

fn chunks(mut text: &[u8]) -> (Vec<u8>, Section, &[u8]) {
    let mut body = Vec::new();
    loop {
        let (size, rest) = line(text);
        let size = usize::from_str_radix(&size, 16).expect("a chunk's size");
        if size == 0 {
            let (trailers, rest) = section(rest);
            return (body, trailers, rest);
        }
        let (chunk, rest) = rest.split_at_checked(size).expect("the whole chunk");
        body.extend_from_slice(chunk);
        text = rest.strip_prefix(b"\r\n").expect("the CRLF behind a chunk");
    }
}

fn line(text: &[u8]) -> (String, &[u8]) {
    let end = text.windows(2).position(|pair| pair == b"\r\n").expect("a whole line");
    let line = String::from_utf8(text[..end].to_vec()).expect("text");
    assert!(!line.contains(['\r', '\n', '\0']), "{line:?}");
    (line, &text[end + 2..])
}

/// Bytes as they can be read in a failed test; long ones shortened.
pub fn show(bytes: &[u8]) -> String {
    const MOST: usize = 400;
    match bytes.split_at_checked(MOST) {
        Some((start, rest)) if !rest.is_empty() => {
            format!("{} ... and {} bytes more", start.escape_ascii(), rest.len())
        }
        _ => bytes.escape_ascii().to_string(),
    }
}
