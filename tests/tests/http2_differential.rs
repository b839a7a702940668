//! Random exchanges with the client of the `h2` crate, in memory: what was sent is what arrives, both ways.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use h2::client::{self, ResponseFuture, SendRequest};
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Version};
use lameduck_core::{
    BodyLength, CloseReason, Config, Connection, Event, Field, Instant, ResponseHead, ResponseLength,
    StreamId, Transmit,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

/// Time stands still: nothing here may depend on it.
const NOW: Instant = Instant::ORIGIN;

/// Field lines; a name may be there more than once.
type Lines = Vec<(&'static str, String)>;

/// A message, or what has come of one.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Message {
    /// Method and target, or the status.
    start: String,
    /// By name, in order.
    fields: BTreeMap<String, Vec<Vec<u8>>>,
    body: Vec<u8>,
    trailers: BTreeMap<String, Vec<Vec<u8>>>,
    /// Whether its end was seen.
    whole: bool,
}

/// What one side sends of a body.
#[derive(Clone, Debug)]
struct Body {
    pieces: Vec<usize>,
    /// Whether its length is declared in advance.
    declared: bool,
    trailers: Lines,
    /// Behind so many pieces the sender gives up.
    gives_up: Option<usize>,
}

impl Body {
    fn len(&self) -> usize {
        self.pieces.iter().sum()
    }

    /// The bytes, such that each says where it stands.
    fn bytes(&self) -> Vec<u8> {
        (0..self.len()).map(|at| (at % 251) as u8).collect()
    }

    /// The pieces that are sent.
    fn sent(&self) -> Vec<Bytes> {
        let mut bytes = Bytes::from(self.bytes());
        let pieces = self.pieces.iter().map(|size| bytes.split_to(*size));
        pieces.take(self.gives_up.unwrap_or(usize::MAX)).collect()
    }

    fn is_given_up(&self) -> bool {
        self.gives_up.is_some_and(|at| at <= self.pieces.len())
    }
}

/// How a handler goes about a request's body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Handling {
    /// It reads it, and then answers.
    Patient,
    /// It answers, and reads on.
    Early,
    /// It does not read it.
    Uninterested,
}

#[derive(Clone, Debug)]
struct Exchange {
    method: &'static str,
    fields: Lines,
    request: Body,
    handling: Handling,
    interim: bool,
    status: u16,
    answer: Lines,
    response: Body,
}

impl Exchange {
    fn has_request_body(&self) -> bool {
        matches!(self.method, "POST" | "PUT")
    }

    /// What the server is to see.
    fn asked(&self, number: usize) -> Message {
        let body = if self.has_request_body() { self.request.bytes() } else { Vec::new() };
        let trailers =
            if self.has_request_body() { grouped(&self.request.trailers) } else { BTreeMap::new() };
        let start = format!("{} /{number}", self.method);
        let mut fields = grouped(&self.fields);
        if let Some(crumbs) = fields.get_mut("cookie") {
            *crumbs = vec![crumbs.join(&b"; "[..])];
        }
        Message { start, fields, body, trailers, whole: true }
    }

    fn has_response_body(&self) -> bool {
        self.method != "HEAD" && !matches!(self.status, 204 | 304)
    }

    /// What the client is to see.
    fn answered(&self) -> Message {
        let has_body = self.has_response_body();
        let body = if has_body { self.response.bytes() } else { Vec::new() };
        // Trailers need a body of a length that they do not stand behind in vain.
        let has_trailers = has_body && !(self.response.declared && self.response.len() == 0);
        let trailers = if has_trailers { grouped(&self.response.trailers) } else { BTreeMap::new() };
        let start = self.status.to_string();
        Message { start, fields: grouped(&self.answer), body, trailers, whole: true }
    }
}

fn grouped(lines: &Lines) -> BTreeMap<String, Vec<Vec<u8>>> {
    let mut grouped = BTreeMap::<_, Vec<_>>::new();
    for (name, value) in lines {
        grouped.entry((*name).to_owned()).or_default().push(value.as_bytes().to_vec());
    }
    grouped
}

fn gathered<'a>(fields: impl Iterator<Item = (&'a str, &'a [u8])>) -> BTreeMap<String, Vec<Vec<u8>>> {
    let mut grouped = BTreeMap::<_, Vec<_>>::new();
    for (name, value) in fields.filter(|(name, _)| *name != "content-length") {
        grouped.entry(name.to_owned()).or_default().push(value.to_vec());
    }
    grouped
}

// The server: our connection, over a pipe.

struct Server {
    connection: Connection,
    pipe: DuplexStream,
    exchanges: Arc<Vec<Exchange>>,
    /// By stream: which exchange it is, and what has come of its request.
    seen: BTreeMap<StreamId, (usize, Message)>,
    closed: Option<CloseReason>,
}

impl Server {
    fn new(config: &Config, pipe: DuplexStream, exchanges: Arc<Vec<Exchange>>) -> Self {
        let connection = Connection::new(Arc::new(config.clone()), NOW);
        Self { connection, pipe, exchanges, seen: BTreeMap::new(), closed: None }
    }

    /// Runs to the end of the connection; what came of each request, and why it ended.
    async fn run(mut self) -> (BTreeMap<usize, Message>, CloseReason) {
        let reason = std::future::poll_fn(|cx| self.poll(cx)).await;
        (self.seen.into_values().collect(), reason)
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<CloseReason> {
        loop {
            let mut moves = self.send(cx);
            while let Some(event) = self.connection.poll_event() {
                self.attend(event);
                moves = true;
            }
            if let Some(reason) = self.closed {
                return Poll::Ready(reason);
            }
            if !(self.read(cx) || moves) {
                return Poll::Pending;
            }
        }
    }

    fn send(&mut self, cx: &mut Context<'_>) -> bool {
        let pipe = Pin::new(&mut self.pipe);
        match self.connection.poll_transmit(NOW) {
            None => false,
            Some(Transmit::Fin) => pipe.poll_shutdown(cx).is_ready(),
            Some(Transmit::Bytes(mut pieces)) => match pipe.poll_write(cx, pieces.next().unwrap_or_default())
            {
                Poll::Pending => false,
                Poll::Ready(Ok(count)) => {
                    self.connection.transmitted(NOW, count);
                    true
                }
                Poll::Ready(Err(_)) => {
                    self.connection.handle_gone(NOW);
                    true
                }
            },
        }
    }

    fn read(&mut self, cx: &mut Context<'_>) -> bool {
        if !self.connection.wants_read() {
            return false;
        }
        let mut buffer = [0; 4096];
        let mut buffer = ReadBuf::new(&mut buffer);
        match Pin::new(&mut self.pipe).poll_read(cx, &mut buffer) {
            Poll::Pending => false,
            Poll::Ready(Ok(())) if buffer.filled().is_empty() => {
                self.connection.handle_eof(NOW);
                true
            }
            Poll::Ready(Ok(())) => {
                self.connection.handle_bytes(NOW, buffer.filled());
                true
            }
            Poll::Ready(Err(_)) => {
                self.connection.handle_gone(NOW);
                true
            }
        }
    }

    fn attend(&mut self, event: Event) {
        match event {
            Event::Request { id, head, body } => {
                let number = head.target()[1..].parse().expect("a number");
                let fields = gathered(head.fields().map(|field| (field.name, field.value)));
                let start = format!("{} {}", head.method(), head.target());
                let whole = body == BodyLength::Empty;
                let message = Message { start, fields, whole, ..Message::default() };
                assert!(self.seen.insert(id, (number, message)).is_none());
                let exchange = self.exchanges[number].clone();
                if exchange.handling == Handling::Uninterested {
                    self.connection.discard_body(NOW, id).expect("it has just come");
                }
                if whole || exchange.handling != Handling::Patient {
                    self.answer(id, &exchange);
                }
            }
            Event::Data { id, data } => {
                self.message(id).body.extend_from_slice(&data);
                // Where the answer has gone and the request's end has come, the stream is closed by now.
                let _ = self.connection.release(NOW, id, data.len());
            }
            Event::End { id, trailers } => {
                let trailers = trailers.iter().flat_map(lameduck_core::Trailers::fields);
                let trailers: Vec<_> =
                    trailers.map(|field| (field.name.to_owned(), field.value.to_vec())).collect();
                let message = self.message(id);
                message.trailers = gathered(trailers.iter().map(|(name, value)| (&**name, &**value)));
                message.whole = true;
                let exchange = self.exchanges[self.seen[&id].0].clone();
                if exchange.handling == Handling::Patient {
                    self.answer(id, &exchange);
                }
            }
            Event::Refused { .. } => panic!("{event:?}"),
            Event::Cancelled { .. } => {}
            Event::Closed(reason) => self.closed = Some(reason),
        }
    }

    fn message(&mut self, id: StreamId) -> &mut Message {
        &mut self.seen.get_mut(&id).expect("it was told").1
    }

    fn answer(&mut self, id: StreamId, exchange: &Exchange) {
        let connection = &mut self.connection;
        if exchange.interim {
            connection.inform(NOW, id, 103, []).expect("it waits for its answer");
        }
        let body = &exchange.response;
        let length = match body.declared {
            true => ResponseLength::Known(body.len() as u64),
            false => ResponseLength::Unknown,
        };
        let fields = exchange.answer.iter().map(|(name, value)| Field { name, value: value.as_bytes() });
        let head = ResponseHead { status: exchange.status, fields, length };
        connection.respond(NOW, id, head).expect("it waits for its answer");
        for piece in body.sent() {
            connection.send_body(NOW, id, piece).expect("the head declared it");
        }
        if body.is_given_up() {
            connection.reset(NOW, id).expect("it is not finished");
        } else {
            let trailers = body.trailers.iter().map(|(name, value)| Field { name, value: value.as_bytes() });
            connection.finish(NOW, id, trailers).expect("it is whole");
        }
    }
}

// The client: that of the `h2` crate.

/// What a client saw of a response: that, and with what it broke off.
#[derive(Debug)]
struct Seen {
    message: Message,
    error: Option<h2::Error>,
}

async fn ask(mut sender: SendRequest<Bytes>, number: usize, exchange: Exchange) -> Seen {
    let body = &exchange.request;
    let mut request = Request::builder()
        .method(Method::from_bytes(exchange.method.as_bytes()).expect("a method"))
        .uri(format!("http://host:80/{number}"))
        .version(Version::HTTP_2);
    for (name, value) in &exchange.fields {
        request = request.header(*name, value);
    }
    if exchange.has_request_body() && body.declared {
        request = request.header("content-length", body.len());
    }
    let request = request.body(()).expect("a request");
    let ends = !exchange.has_request_body();
    let (response, stream) = match sender.send_request(request, ends) {
        Ok(sent) => sent,
        Err(error) => return Seen { message: Message::default(), error: Some(error) },
    };
    if !ends {
        tokio::spawn(send(stream, body.clone()));
    }
    let mut message = Message::default();
    let error = receive(response, &mut message).await.err();
    Seen { message, error }
}

/// Sends a body, as far as the server wants it.
async fn send(mut stream: SendStream<Bytes>, body: Body) {
    for piece in body.sent() {
        if stream.send_data(piece, false).is_err() {
            return;
        }
        tokio::task::yield_now().await;
    }
    if body.is_given_up() {
        stream.send_reset(Reason::CANCEL);
    } else if body.trailers.is_empty() {
        let _ = stream.send_data(Bytes::new(), true);
    } else {
        let _ = stream.send_trailers(map(&body.trailers));
    }
}

async fn receive(response: ResponseFuture, message: &mut Message) -> Result<(), h2::Error> {
    let response = response.await?;
    message.start = response.status().as_u16().to_string();
    message.fields = gathered(of_map(response.headers()));
    let mut body: RecvStream = response.into_body();
    while let Some(piece) = body.data().await {
        let piece = piece?;
        message.body.extend_from_slice(&piece);
        body.flow_control().release_capacity(piece.len())?;
    }
    let trailers = body.trailers().await?;
    message.trailers = trailers.iter().flat_map(|map| gathered(of_map(map))).collect();
    message.whole = true;
    Ok(())
}

fn of_map(map: &HeaderMap) -> impl Iterator<Item = (&str, &[u8])> {
    map.iter().map(|(name, value)| (name.as_str(), value.as_bytes()))
}

fn map(lines: &Lines) -> HeaderMap {
    let line = |(name, value): &(&'static str, String)| {
        (HeaderName::from_static(name), HeaderValue::from_str(value).expect("a value"))
    };
    lines.iter().map(line).collect()
}

// What is random.

fn lines() -> impl Strategy<Value = Lines> {
    let name = select(vec!["x", "accept", "user-agent", "authorization", "x-a-rather-long-name", "etag"]);
    let value = prop_oneof!["[a-z]{0,8}", "[ -~]{0,40}".prop_map(|text| text.trim().to_owned()), "y{300}"];
    vec((name, value), 0..6)
}

fn trailers() -> impl Strategy<Value = Lines> {
    prop_oneof![
        2 => Just(Vec::new()),
        1 => vec((select(vec!["x-sum", "grpc-status", "x"]), "[a-z0-9]{0,9}"), 1..4),
    ]
}

fn body() -> impl Strategy<Value = Body> {
    let size = prop_oneof![3 => 0..100_usize, 2 => 0..20_000_usize, 1 => 60_000..70_000_usize];
    let gives_up = prop_oneof![7 => Just(None), 1 => option::of(0..3_usize)];
    (vec(size, 0..5), any::<bool>(), trailers(), gives_up)
        .prop_map(|(pieces, declared, trailers, gives_up)| Body { pieces, declared, trailers, gives_up })
}

fn exchange() -> impl Strategy<Value = Exchange> {
    let method = select(vec!["GET", "HEAD", "POST", "POST", "PUT", "DELETE", "OPTIONS"]);
    let cookies = vec("[a-z]=[a-z0-9]{1,9}", 0..3);
    let handling =
        select(vec![Handling::Patient, Handling::Patient, Handling::Early, Handling::Uninterested]);
    let status = select(vec![200, 200, 200, 201, 204, 304, 404, 503]);
    let request = (method, lines(), cookies, body());
    let response = (handling, any::<bool>(), status, lines(), body());
    (request, response).prop_map(|((method, mut fields, cookies, request), response)| {
        fields.extend(cookies.into_iter().map(|cookie| ("cookie", cookie)));
        let (handling, interim, status, answer, response) = response;
        Exchange { method, fields, request, handling, interim, status, answer, response }
    })
}

/// How the two are set up.
#[derive(Clone, Debug)]
struct Setup {
    /// Bytes that the pipe holds, each way.
    pipe: usize,
    window: u32,
    connection_window: u32,
    frame: u32,
    table: u32,
    stream_window: u32,
    header_table: u16,
}

fn setup() -> impl Strategy<Value = Setup> {
    let pipe = select(vec![17, 1_000, 65_536]);
    let window = select(vec![2_000, 16_384, 65_535, 1 << 20]);
    let connection_window = select(vec![65_535, 1 << 20]);
    let frame = select(vec![16_384, 20_000, 1 << 20]);
    let table = select(vec![0, 100, 4_096, 65_536]);
    let stream_window = select(vec![1_000, 65_536]);
    let header_table = select(vec![0, 64, 4_096, 32_768]);
    (pipe, window, connection_window, frame, table, stream_window, header_table).prop_map(
        |(pipe, window, connection_window, frame, table, stream_window, header_table)| Setup {
            pipe,
            window,
            connection_window,
            frame,
            table,
            stream_window,
            header_table,
        },
    )
}

async fn run(setup: &Setup, exchanges: Vec<Exchange>) -> (BTreeMap<usize, Message>, CloseReason, Vec<Seen>) {
    let exchanges = Arc::new(exchanges);
    let mut config = Config::default();
    config.limits.stream_window = setup.stream_window;
    config.limits.header_table = setup.header_table;
    let (near, far) = tokio::io::duplex(setup.pipe);
    let server = tokio::spawn(Server::new(&config, far, Arc::clone(&exchanges)).run());
    let (sender, connection) = client::Builder::new()
        .initial_window_size(setup.window)
        .initial_connection_window_size(setup.connection_window)
        .max_frame_size(setup.frame)
        .header_table_size(setup.table)
        .handshake::<_, Bytes>(near)
        .await
        .expect("a handshake");
    let connection = tokio::spawn(connection);
    let asked = exchanges.iter().cloned().enumerate();
    let tasks: Vec<_> =
        asked.map(|(number, exchange)| tokio::spawn(ask(sender.clone(), number, exchange))).collect();
    let mut seen = Vec::new();
    for task in tasks {
        seen.push(task.await.expect("no panic"));
    }
    drop(sender);
    connection.await.expect("no panic").expect("no error of the connection");
    let (asked, reason) = server.await.expect("no panic");
    (asked, reason, seen)
}

fn check(number: usize, exchange: &Exchange, asked: Option<&Message>, seen: &Seen) {
    let context = format!("{exchange:#?}\nasked: {asked:?}\nseen: {seen:?}");
    let sent = exchange.asked(number);
    let is_cancelled = exchange.has_request_body() && exchange.request.is_given_up();
    match asked {
        Some(asked) => {
            assert_eq!((&asked.start, &asked.fields), (&sent.start, &sent.fields), "{context}");
            assert!(sent.body.starts_with(&asked.body), "{context}");
            assert!(!(asked.whole && is_cancelled), "what was given up looks whole: {context}");
            if asked.whole && exchange.handling != Handling::Uninterested {
                assert_eq!(*asked, sent, "{context}");
            }
        }
        // A request may be given up before it is heard of.
        None => assert!(is_cancelled, "{context}"),
    }
    let answer = exchange.answered();
    let breaks_off = exchange.response.is_given_up();
    match (&seen.error, is_cancelled, breaks_off) {
        (None, _, false) => assert_eq!(seen.message, answer, "{context}"),
        // What has no body is whole with its head: that cannot be taken back.
        (None, _, true) => {
            assert_eq!(answer.body, b"", "what was broken off looks whole: {context}");
            assert_eq!(seen.message.start, answer.start, "{context}");
        }
        (Some(error), true, _) | (Some(error), _, true) => {
            // Its own reset makes the client forget that the answer was whole, and that it was only to stop.
            let is_stopped = is_cancelled && exchange.handling == Handling::Uninterested;
            let fits = match error.reason() {
                Some(Reason::CANCEL | Reason::INTERNAL_ERROR) => true,
                reason => reason == Some(Reason::NO_ERROR) && is_stopped,
            };
            assert!(fits, "{error:?}: {context}");
            assert!(answer.body.starts_with(&seen.message.body), "{context}");
        }
        (Some(error), false, false) => panic!("{error:?}: {context}"),
    }
    if !is_cancelled && exchange.handling == Handling::Patient && !breaks_off {
        assert_eq!(asked, Some(&sent), "{context}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, max_shrink_time: 40_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_sent_is_what_arrives(setup in setup(), exchanges in vec(exchange(), 1..9)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let limit = std::time::Duration::from_secs(30);
        let result = runtime.block_on(async {
            tokio::time::timeout(limit, run(&setup, exchanges.clone())).await
        });
        let (asked, reason, seen) = result.expect("it comes to an end");
        for (number, (exchange, seen)) in exchanges.iter().zip(&seen).enumerate() {
            check(number, exchange, asked.get(&number), seen);
        }
        // With what is still to be sent to a client that has all it wanted, it has left.
        prop_assert!(matches!(reason, CloseReason::PeerClosed | CloseReason::PeerLeft), "{}", reason);
    }
}
