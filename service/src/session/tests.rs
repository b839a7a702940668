//! A session that waits has nothing to do: whatever happened before, to poll it once more changes nothing.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};

use bytes::Bytes;
use http_body::Frame;
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use lameduck_core::server::Plan;
use lameduck_core::{Allowance, Config};

use super::*;

/// How many runs there are of each kind.
const RUNS: u64 = 400;

type Reply = Response<UnsyncBoxBody<Bytes, std::convert::Infallible>>;
type Answering = Pin<Box<dyn Future<Output = Result<Reply, String>> + Send>>;

/// Numbers that look like random ones.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % most as u64).unwrap_or(0)
    }

    /// Below one of these.
    fn one_of(&mut self, most: [usize; 3]) -> usize {
        let at = self.below(3);
        self.below(most[at])
    }
}

/// A socket that tells of its edges only, and is polled as such a one is.
#[derive(Default)]
struct Edges {
    incoming: Vec<u8>,
    has_ended: bool,
    readable: bool,
    room: usize,
    writable: bool,
    /// Whether it takes no byte, and does not say why.
    takes_nothing: bool,
    sent: Vec<u8>,
    steps: usize,
}

impl Transport for Edges {
    fn poll_read(&mut self, _: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        if !self.readable {
            return Poll::Pending;
        }
        match self.read_now(buffer) {
            Ok(count) if count < buffer.len() => {
                self.readable = self.has_ended;
                Poll::Ready(Ok(count))
            }
            Err(_) => {
                self.readable = false;
                Poll::Pending
            }
            result => Poll::Ready(result),
        }
    }

    fn may_read(&self) -> bool {
        self.readable
    }

    fn read_now(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.incoming.is_empty() && !self.has_ended {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let count = self.incoming.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.incoming[..count]);
        self.incoming.drain(..count);
        self.steps += 1;
        Ok(count)
    }

    fn poll_write(&mut self, _: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        if self.takes_nothing {
            return Poll::Ready(Ok(0));
        }
        if !self.writable || self.room == 0 {
            self.writable = false;
            return Poll::Pending;
        }
        let before = self.sent.len();
        for piece in pieces {
            let count = piece.len().min(self.room);
            self.room -= count;
            self.sent.extend_from_slice(&piece[..count]);
        }
        self.steps += 1;
        Poll::Ready(Ok(self.sent.len() - before))
    }

    fn shut_down(&mut self) -> io::Result<()> {
        self.steps += 1;
        Ok(())
    }

    fn reset_on_close(&mut self) {}
}

#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// What handlers wait for.
#[derive(Clone, Default)]
struct Gate(Arc<Mutex<(bool, Vec<Waker>)>>);

impl Gate {
    fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut gate = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if gate.0 {
            return Poll::Ready(());
        }
        gate.1.push(cx.waker().clone());
        Poll::Pending
    }

    fn set(&self, open: bool) {
        let mut gate = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        gate.0 = open;
        std::mem::take(&mut gate.1).into_iter().for_each(Waker::wake);
    }
}

/// A body of so many pieces, each of which waits first: for its own wake-up, or for the gate.
struct Dripping {
    left: usize,
    waited: bool,
    gate: Gate,
}

impl HttpBody for Dripping {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        if self.left.is_multiple_of(7) && self.gate.poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.waited = !self.waited;
        if self.waited {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.left -= 1;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b'x'; 3000])))))
    }
}

#[derive(Clone, Default)]
struct Handlers {
    gate: Gate,
    steps: Arc<AtomicUsize>,
}

impl Service<Request<Body>> for Handlers {
    type Response = Reply;
    type Error = String;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), String>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Answering {
        let Self { gate, steps } = self.clone();
        let full = |data: Vec<u8>| http_body_util::Full::from(data).boxed_unsync();
        Box::pin(async move {
            let path = request.uri().path().to_owned();
            let said = format!(
                "{} {} {:?} {:?}|",
                request.method(),
                request.uri(),
                request.version(),
                request.headers()
            );
            let mut body = request.into_body();
            let wait = || std::future::poll_fn(|cx| gate.poll(cx));
            steps.fetch_add(1, Ordering::SeqCst);
            let reply = match path.as_str() {
                "/large" => full(vec![b'x'; 400_000]),
                "/drip" => Dripping { left: 30, waited: false, gate: gate.clone() }.boxed_unsync(),
                "/late" => {
                    wait().await;
                    full(vec![b'x'; 10])
                }
                "/read" => full(body.collect().await.map_err(|error| error.to_string())?.to_bytes().to_vec()),
                "/slow" => {
                    let mut count = 0;
                    while let Some(frame) = body.frame().await {
                        count += frame
                            .map_err(|error| error.to_string())?
                            .into_data()
                            .map_or(0, |data| data.len());
                        steps.fetch_add(1, Ordering::SeqCst);
                        wait().await;
                    }
                    full(vec![b'x'; count % 1000])
                }
                mirror if mirror.starts_with("/mirror") => {
                    let mut pieces = Vec::new();
                    while let Some(frame) = body.frame().await {
                        pieces.extend(frame.map_err(|error| error.to_string())?.into_data().ok());
                        if mirror.ends_with("gated") {
                            wait().await;
                        }
                    }
                    let mut reply = said.into_bytes();
                    reply.extend(pieces.into_iter().flatten());
                    full(reply)
                }
                "/leave" => {
                    wait().await;
                    drop(body);
                    wait().await;
                    full(vec![b'x'; 10])
                }
                _ => full(vec![b'x'; 10]),
            };
            steps.fetch_add(1, Ordering::SeqCst);
            Ok(Response::new(reply))
        })
    }
}

const PATHS: [&str; 7] = ["/now", "/large", "/drip", "/late", "/read", "/slow", "/leave"];

/// So many pipelined requests.
fn http1(dice: &mut Dice, count: usize) -> Vec<u8> {
    let mut script = Vec::new();
    for _ in 0..count {
        let path = PATHS[dice.below(PATHS.len())];
        // More than a little that nobody reads ends the connection.
        let most = if matches!(path, "/read" | "/slow") { 200_000 } else { 20_000 };
        let length = [0, 10, 5000, most][dice.below(4)];
        let head = format!("POST {path} HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n");
        script.extend_from_slice(head.as_bytes());
        script.resize(script.len() + length, b'y');
    }
    script
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or(0).to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend_from_slice(&stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// So many streams, their windows wide open.
fn http2(dice: &mut Dice, count: u32) -> Vec<u8> {
    let mut script = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    script.extend(frame(4, 0, 0, &[0, 4, 0x7f, 0xff, 0xff, 0xff]));
    script.extend(frame(8, 0, 0, &[0x7f, 0, 0, 0]));
    script.extend(frame(4, 1, 0, &[]));
    for stream in (0..count).map(|at| at * 2 + 1) {
        let path = PATHS[dice.below(PATHS.len())];
        let length = [0, 10, 5000, 20_000][dice.below(4)];
        let mut block = vec![0x83, 0x86, 0x41, 1, b'a', 0x44, path.len() as u8];
        block.extend_from_slice(path.as_bytes());
        script.extend(frame(1, if length == 0 { 5 } else { 4 }, stream, &block));
        let mut left = length;
        while left > 0 {
            let piece = left.min(1 + dice.below(9000));
            left -= piece;
            script.extend(frame(0, u8::from(left == 0), stream, &vec![b'y'; piece]));
        }
    }
    script
}

/// Other threads, or none.
#[derive(Clone)]
enum Elsewhere {
    Nowhere,
    Tasks(Arc<Mutex<Vec<Away>>>),
}

type Handed = Task<Handlers, UnsyncBoxBody<Bytes, std::convert::Infallible>>;

/// A task, and whether it has been woken.
type Away = (Handed, Arc<Flag>);

impl Spawn<Handed> for Elsewhere {
    fn spawner(&self) -> Option<impl FnOnce(Handed)> {
        let Self::Tasks(tasks) = self else { return None };
        Some(|task| {
            tasks.lock().unwrap_or_else(PoisonError::into_inner).push((task, Arc::new(Flag(true.into()))));
        })
    }
}

impl Elsewhere {
    /// Polls those that have been woken; whether there were any.
    fn run(&self) -> bool {
        let Self::Tasks(tasks) = self else { return false };
        let mut tasks = tasks.lock().unwrap_or_else(PoisonError::into_inner);
        let mut any = false;
        tasks.retain_mut(|(task, flag)| {
            let woken = flag.0.swap(false, Ordering::SeqCst);
            any |= woken;
            let waker = Waker::from(Arc::clone(flag));
            !(woken && Pin::new(task).poll(&mut Context::from_waker(&waker)).is_ready())
        });
        any
    }
}

struct Run {
    session: Session<Handlers, UnsyncBoxBody<Bytes, std::convert::Infallible>, Elsewhere>,
    elsewhere: Elsewhere,
    handlers: Handlers,
    socket: Edges,
    flag: Arc<Flag>,
    hub: Arc<Hub>,
    is_over: bool,
}

impl Run {
    fn new(elsewhere: Elsewhere) -> Self {
        let hub = Hub::new(Config::default(), Plan::default());
        let handlers = Handlers::default();
        let peer = SocketAddr::from(([127, 0, 0, 1], 1));
        let session = Session::with_spawn(Arc::clone(&hub), handlers.clone(), peer, elsewhere.clone());
        let (socket, flag) = (Edges::default(), Arc::default());
        let mut run = Self { session, elsewhere, handlers, socket, flag, hub, is_over: false };
        run.settle();
        run
    }

    fn poll(&mut self) {
        if !self.is_over {
            let waker = Waker::from(Arc::clone(&self.flag));
            let now = self.hub.clock.now();
            self.is_over =
                self.session.poll(&mut Context::from_waker(&waker), &mut self.socket, now).is_ready();
        }
    }

    /// A request arrives.
    fn ask(&mut self) {
        self.socket.incoming.extend_from_slice(b"GET /now HTTP/1.1\r\nhost: a\r\n\r\n");
        self.socket.readable = true;
    }

    /// The first half of a poll.
    fn receive(&mut self) -> ToSend {
        let waker = Waker::from(Arc::clone(&self.flag));
        let now = self.hub.clock.now();
        self.session.receive(&mut Context::from_waker(&waker), &mut self.socket, now)
    }

    /// The second.
    fn send(&mut self) {
        if !self.is_over {
            let waker = Waker::from(Arc::clone(&self.flag));
            self.is_over = self.session.send(&mut Context::from_waker(&waker), &mut self.socket).is_ready();
        }
    }

    /// Polls for as long as it is woken; once more must be for nothing.
    fn settle(&mut self) {
        for _ in 0..100_000 {
            self.poll();
            if !self.elsewhere.run() && !self.flag.0.swap(false, Ordering::SeqCst) {
                let before = (self.socket.steps, self.handlers.steps.load(Ordering::SeqCst), self.is_over);
                self.poll();
                let after = (self.socket.steps, self.handlers.steps.load(Ordering::SeqCst), self.is_over);
                assert_eq!(before, after, "something was left to be done, and nothing told of it");
                if !self.flag.0.swap(false, Ordering::SeqCst) {
                    return;
                }
            }
        }
        panic!("it goes round for ever");
    }

    fn go(&mut self, dice: &mut Dice, mut script: &[u8]) {
        while !script.is_empty() {
            let halves = if self.is_over { 0 } else { dice.below(4) };
            if halves > 1 {
                let _ = self.receive();
            }
            match dice.below(8) {
                0..=2 => {
                    let count = (1 + dice.one_of([10, 1000, 100_000])).min(script.len());
                    self.socket.incoming.extend_from_slice(&script[..count]);
                    self.socket.readable = true;
                    script = &script[count..];
                }
                3..=5 => {
                    self.socket.room =
                        self.socket.room.saturating_add(1) + dice.one_of([10, 1000, 1_000_000]);
                    self.socket.writable = true;
                }
                6 => self.handlers.gate.set(true),
                _ => self.handlers.gate.set(false),
            }
            if halves > 2 {
                self.send();
            }
            self.settle();
        }
        self.handlers.gate.set(true);
        self.settle();
        self.socket.room = usize::MAX / 2;
        self.socket.writable = true;
        self.settle();
    }
}

#[test]
fn an_http1_session_that_waits_has_nothing_to_do() {
    for seed in 1..=RUNS {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut run = Run::new(elsewhere(seed));
        let count = 1 + dice.below(12);
        let script = http1(&mut dice, count);
        run.go(&mut dice, &script);
        let sent = String::from_utf8_lossy(&run.socket.sent);
        assert_eq!(sent.matches("HTTP/1.1 200").count(), count, "seed {seed}");
    }
}

#[test]
fn an_http2_session_that_waits_has_nothing_to_do() {
    for seed in 1..=RUNS {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut run = Run::new(elsewhere(seed));
        let count = 1 + dice.below(12) as u32;
        let script = http2(&mut dice, count);
        run.go(&mut dice, &script);
        assert_eq!(whole_streams(&run.socket.sent), count, "seed {seed}");
    }
}

/// Every other time there are other threads.
fn elsewhere(seed: u64) -> Elsewhere {
    match seed.is_multiple_of(2) {
        true => Elsewhere::Nowhere,
        false => Elsewhere::Tasks(Arc::default()),
    }
}

/// How many frames end a stream.
fn whole_streams(mut sent: &[u8]) -> u32 {
    let mut ends = 0;
    while let [a, b, c, kind, flags, _, _, _, _, rest @ ..] = sent {
        ends += u32::from(matches!(kind, 0 | 1) && flags & 1 == 1);
        sent = &rest[u32::from_be_bytes([0, *a, *b, *c]) as usize..];
    }
    ends
}

#[test]
fn a_socket_that_takes_nothing_and_does_not_say_why_is_lost() {
    let mut run = Run::new(Elsewhere::Nowhere);
    run.socket.takes_nothing = true;
    run.ask();
    run.settle();
    assert!(run.is_over);
}

/// Edges that handlers have a hand on too.
#[derive(Clone, Default)]
struct SharedEdges(Arc<Mutex<Edges>>);

impl SharedEdges {
    fn lock(&self) -> MutexGuard<'_, Edges> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn arrive(&self, bytes: &str) {
        let mut edges = self.lock();
        edges.incoming.extend_from_slice(bytes.as_bytes());
        edges.readable |= !bytes.is_empty();
    }
}

impl Transport for SharedEdges {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.lock().poll_read(cx, buffer)
    }

    fn may_read(&self) -> bool {
        self.lock().may_read()
    }

    fn read_now(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.lock().read_now(buffer)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.lock().poll_write(cx, pieces)
    }

    fn shut_down(&mut self) -> io::Result<()> {
        self.lock().shut_down()
    }

    fn reset_on_close(&mut self) {}
}

/// The heads that are sent where the handler of the first request begins the drain, and `behind` arrives meanwhile.
fn heads_where_a_handler_begins_the_drain(behind: &'static str, waits: bool) -> Vec<String> {
    let (hub, edges) = (Hub::new(Config::default(), Plan::default()), SharedEdges::default());
    let (handle, arriving) = (hub.handle(), edges.clone());
    let mut is_first = true;
    let service = tower::service_fn(move |_: Request<Body>| {
        let (handle, arriving) = (handle.clone(), arriving.clone());
        let (mut begins, mut waits) = (std::mem::take(&mut is_first), waits);
        std::future::poll_fn(move |cx: &mut Context<'_>| {
            if std::mem::take(&mut waits) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if std::mem::take(&mut begins) {
                arriving.arrive(behind);
                handle.begin();
            }
            Poll::Ready(Ok::<_, std::convert::Infallible>(Response::new(String::new())))
        })
    });
    let peer = SocketAddr::from(([127, 0, 0, 1], 1));
    let mut session = Session::new(Arc::clone(&hub), service, peer);
    let flag = Arc::new(Flag::default());
    let waker = Waker::from(Arc::clone(&flag));
    edges.arrive("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    (edges.lock().room, edges.lock().writable) = (usize::MAX / 2, true);
    flag.0.store(true, Ordering::SeqCst);
    while flag.0.swap(false, Ordering::SeqCst) {
        let _ = session.poll(&mut Context::from_waker(&waker), &mut edges.clone(), hub.clock.now());
    }
    let sent = String::from_utf8(edges.lock().sent.clone()).unwrap();
    sent.split_inclusive("\r\n\r\n").map(str::to_owned).collect()
}

#[test]
fn who_hears_of_the_drain_before_the_connection_does_answers_as_in_a_drain() {
    let says_close = |head: &String| head.contains("connection: close\r\n");
    for waits in [false, true] {
        let alone = heads_where_a_handler_begins_the_drain("", waits);
        assert_eq!(alone.iter().map(says_close).collect::<Vec<_>>(), [true]);
        let next = "GET /next HTTP/1.1\r\nhost: a\r\n\r\n";
        let both = heads_where_a_handler_begins_the_drain(next, waits);
        assert_eq!(both.iter().map(says_close).collect::<Vec<_>>(), [false, true]);
    }
}

/// A request, as it is sent and as its handler is to see it.
struct Asked {
    sent: Vec<u8>,
    seen: Vec<u8>,
}

/// A request that is much like those before it.
fn asked(dice: &mut Dice, fields: &mut Vec<(&str, &str)>, stream: Option<u32>) -> Asked {
    for _ in 0..dice.below(3) {
        let value = ["1", "2", "", "long enough for anything"][dice.below(4)];
        let name = ["a", "b", "c", "d", "x-a"][dice.below(5)];
        match dice.below(5) {
            0 if fields.len() < 34 => fields.push((name, value)),
            1 => drop(fields.pop()),
            2 if !fields.is_empty() => fields.rotate_left(1),
            _ if fields.is_empty() => {}
            _ => {
                let at = dice.below(fields.len());
                fields[at].1 = value;
            }
        }
    }
    let path = ["/mirror", "/mirror", "/mirror?1", "/mirror/gated"][dice.below(4)];
    let method = ["POST", "POST", "PUT"][dice.below(3)];
    let length = [0, 0, 0, 10, 40_000, 150_000][dice.below(6)];
    let body: Vec<u8> = (0..length).map(|_| b'a' + dice.below(26) as u8).collect();
    let mut map = http::HeaderMap::new();
    let mut sent = Vec::new();
    let add = |map: &mut http::HeaderMap, name: &str, value: &str| {
        map.append(http::HeaderName::try_from(name).unwrap(), value.parse().unwrap());
    };
    let (uri, version) = match stream {
        None => {
            sent.extend(format!("{method} {path} HTTP/1.1\r\nhost: a\r\n").bytes());
            add(&mut map, "host", "a");
            for (name, value) in fields.iter() {
                let upper = name.to_uppercase();
                let name = if dice.below(9) == 0 { &*upper } else { name };
                sent.extend(format!("{name}: {value}\r\n").bytes());
                add(&mut map, name, value);
            }
            sent.extend(format!("content-length: {length}\r\n\r\n").bytes());
            sent.extend(&body);
            add(&mut map, "content-length", &length.to_string());
            (path.to_owned(), "HTTP/1.1")
        }
        Some(stream) => {
            let mut block = Vec::new();
            let mut line = |name: &str, value: &str, dice: &mut Dice| {
                block.push(if dice.below(2) == 0 { 0x40 } else { 0 });
                for text in [name, value] {
                    block.push(text.len() as u8);
                    block.extend(text.bytes());
                }
            };
            line(":method", method, dice);
            line(":scheme", "http", dice);
            line(":authority", "a", dice);
            line(":path", path, dice);
            for (name, value) in fields.iter() {
                line(name, value, dice);
                add(&mut map, name, value);
            }
            sent.extend(frame(1, if length == 0 { 5 } else { 4 }, stream, &block));
            let mut left = &*body;
            while !left.is_empty() {
                let (piece, rest) = left.split_at(left.len().min([16_384, 16_384, 3000][dice.below(3)]));
                left = rest;
                sent.extend(frame(0, u8::from(rest.is_empty()), stream, piece));
            }
            (format!("http://a{path}"), "HTTP/2.0")
        }
    };
    let mut seen = format!("{method} {uri} {version} {map:?}|").into_bytes();
    seen.extend(body);
    Asked { sent, seen }
}

/// A connection among others of its thread.
struct One {
    run: Run,
    http2: bool,
    /// What is still to be sent.
    script: Vec<u8>,
    /// What its handlers are to see.
    seen: Vec<Vec<u8>>,
}

impl One {
    fn new(http2: bool, elsewhere: Elsewhere) -> Self {
        let mut run = Run::new(elsewhere);
        (run.socket.room, run.socket.writable) = (usize::MAX / 2, true);
        let script = if http2 { self::http2(&mut Dice(1), 0) } else { Vec::new() };
        Self { run, http2, script, seen: Vec::new() }
    }

    fn ask(&mut self, dice: &mut Dice, fields: &mut Vec<(&str, &str)>) {
        let stream = u32::try_from(self.seen.len()).unwrap_or(0) * 2 + 1;
        let Asked { sent, seen } = asked(dice, fields, self.http2.then_some(stream));
        self.script.extend(sent);
        self.seen.push(seen);
    }

    /// Sends so much of it.
    fn send(&mut self, count: usize) {
        let count = count.min(self.script.len());
        self.run.socket.incoming.extend(self.script.drain(..count));
        self.run.socket.readable = true;
    }

    fn told(&self) -> Vec<Vec<u8>> {
        if self.http2 { http2_bodies(&self.run.socket.sent) } else { http1_bodies(&self.run.socket.sent) }
    }
}

#[test]
fn whoever_else_is_served_on_the_thread_a_handler_sees_its_own_request() {
    for seed in 1..=RUNS / 10 {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut ones = [false, true, false, true].map(|http2| One::new(http2, elsewhere(seed)));
        let mut fields = Vec::new();
        for _ in 0..60 {
            let one = &mut ones[dice.below(4)];
            if dice.below(2) == 0 {
                one.ask(&mut dice, &mut fields);
            }
            one.send(1 + dice.one_of([1000, 100_000, 1_000_000]));
            one.run.handlers.gate.set(dice.below(3) > 0);
            one.run.settle();
        }
        for one in &mut ones {
            one.send(usize::MAX);
            one.run.handlers.gate.set(true);
            one.run.settle();
            assert!(one.told() == one.seen, "seed {seed}");
        }
    }
}

/// The bodies of responses, in their order.
fn http1_bodies(mut sent: &[u8]) -> Vec<Vec<u8>> {
    let mut bodies = Vec::new();
    while let Some(end) = sent.windows(4).position(|four| four == b"\r\n\r\n") {
        let head = std::str::from_utf8(&sent[..end]).unwrap();
        let length = head.split("content-length: ").nth(1).unwrap();
        let length: usize = length.split("\r\n").next().unwrap().parse().unwrap();
        bodies.push(sent[end + 4..end + 4 + length].to_vec());
        sent = &sent[end + 4 + length..];
    }
    bodies
}

/// The same, in the order of their streams.
fn http2_bodies(mut sent: &[u8]) -> Vec<Vec<u8>> {
    let mut bodies = std::collections::BTreeMap::<u32, Vec<u8>>::new();
    while let [a, b, c, kind, _, d, e, f, g, rest @ ..] = sent {
        let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        if *kind == 0 {
            bodies.entry(u32::from_be_bytes([*d, *e, *f, *g])).or_default().extend(&rest[..length]);
        }
        sent = &rest[length..];
    }
    bodies.into_values().collect()
}

/// A connection that has been idle since its first answer.
fn idle(config: Config) -> Run {
    let mut run = Run::new(Elsewhere::Nowhere);
    run.hub = Hub::new(config, Plan::default());
    let peer = SocketAddr::from(([127, 0, 0, 1], 1));
    run.session = Session::with_spawn(Arc::clone(&run.hub), run.handlers.clone(), peer, Elsewhere::Nowhere);
    (run.socket.room, run.socket.writable) = (usize::MAX / 2, true);
    run.ask();
    run.settle();
    run
}

/// Keeping connections for so long, in a drain too.
fn keeping_alive(allowance: Allowance) -> Config {
    let mut config = Config::default();
    config.timeouts.keep_alive = allowance;
    config
}

#[test]
fn a_fin_that_the_drain_brings_goes_before_other_sessions_receive() {
    let mut run = idle(keeping_alive(Allowance::millis(60_000, 0)));
    assert_eq!(run.receive(), ToSend::InAWhile);
    run.send();
    run.hub.handle().begin();
    let before = run.socket.steps;
    assert_eq!(run.receive(), ToSend::AtOnce);
    run.send();
    assert_eq!(run.socket.steps, before + 1);
}

#[test]
fn a_fin_that_the_time_brings_goes_before_other_sessions_receive() {
    let mut run = idle(keeping_alive(Allowance::millis(60_000, 60_000)));
    let (at, before) = (run.session.next_timeout().expect("it is idle"), run.socket.steps);
    let to_send = run.session.receive(&mut Context::from_waker(Waker::noop()), &mut run.socket, at);
    assert_eq!(to_send, ToSend::AtOnce);
    run.send();
    assert_eq!(run.socket.steps, before + 1);
}

#[test]
fn an_answer_that_was_given_can_go_before_its_connection_is_forced_to_end() {
    let mut run = idle(Config::default());
    run.ask();
    assert_eq!((run.session.is_to_send(), run.receive()), (false, ToSend::InAWhile));
    run.hub.handle().force();
    assert!(run.session.is_to_send());
    run.send();
    run.poll();
    assert!(run.is_over);
    assert_eq!(String::from_utf8_lossy(&run.socket.sent).matches("HTTP/1.1 200").count(), 2);
}
