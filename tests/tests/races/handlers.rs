//! What handlers hear, and what becomes of those that fail.

use std::future::{Ready, ready};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::thread;

use http::Request;
use http_body_util::BodyExt;
use lameduck_core::{CancelReason, CloseReason, HalfClose};
use lameduck_service::{Body, DrainNotice};
use lameduck_tests::handlers::{
    BoxError, Handler, Latch, Reply, Tap, block_on, collect, pipe, streaming, telling, text,
};
use lameduck_tests::on_every_shell;
use lameduck_tests::peer::{End, Lost, post};
use lameduck_tests::shells::{PATIENCE, Setup, Shell};
use tower_service::Service;

on_every_shell!(
    the_notice_reaches_a_running_handler_with_its_deadline,
    the_notice_reaches_another_thread,
    a_handler_that_is_called_in_a_drain_is_told_at_once,
    a_client_that_leaves_cancels_its_handler,
    a_client_that_leaves_ends_the_stream_it_was_sent,
    a_client_that_closes_ends_its_stream_when_it_is_written_to,
    a_client_that_leaves_in_its_body_cancels_the_reader,
    a_fin_is_not_taken_for_leaving,
    a_fin_is_taken_for_leaving_where_that_is_configured,
    a_handler_that_panics_is_a_500_and_nobody_elses_business,
    a_handler_that_panics_before_its_future_is_a_500,
    a_handler_that_fails_is_a_500_also_in_a_drain,
    a_stream_that_panics_breaks_off_visibly,
    a_stream_that_fails_breaks_off_visibly,
    a_handler_that_panics_when_dropped_harms_nobody,
    a_service_that_panics_when_cloned_costs_that_connection_alone,
    a_service_that_panics_when_dropped_costs_no_other_connection,
    a_handler_knows_its_peer,
    a_stream_without_an_end_is_told_and_ends_itself,
);

fn notice(request: &http::Request<lameduck_service::Body>) -> DrainNotice {
    request.extensions().get::<DrainNotice>().expect("every request carries the notice").clone()
}

/// Notice is not cancellation: the handler hears it, knows how long it has, and answers.
fn the_notice_reaches_a_running_handler_with_its_deadline(shell: Shell) {
    let called = Latch::new();
    let begun = called.clone();
    let handler = Handler::new(move |request| {
        let (notice, begun) = (notice(&request), begun.clone());
        async move {
            let before = (notice.is_draining(), notice.deadline());
            telling(&begun, notice.started()).await;
            notice.started().await;
            let left = notice.deadline().map(|at| at.saturating_duration_since(std::time::Instant::now()));
            text(format!("{before:?} {} {}", notice.is_draining(), left.unwrap_or_default().as_secs() > 30))
        }
    });
    let server = Setup::default().start(shell, handler);
    let mut peer = server.connect();
    peer.get("/");
    called.block("the call");
    server.drain();
    let reply = peer.reply();
    assert_eq!(String::from_utf8_lossy(&reply.body), "(false, None) true true");
    assert!(reply.says_close());
    peer.expect_fin();
    server.clean_report();
}

/// It belongs to no runtime.
fn the_notice_reaches_another_thread(shell: Shell) {
    let handler = Handler::new(|request| {
        let (notice, done) = (notice(&request), Latch::new());
        let signal = done.on_drop();
        thread::spawn(move || {
            block_on(notice.started());
            drop(signal);
        });
        async move {
            done.wait().await;
            text("told")
        }
    });
    let server = Setup::default().start(shell, handler);
    let mut peers: Vec<_> = (0..4).map(|_| server.connect()).collect();
    peers.iter_mut().for_each(|peer| peer.get("/"));
    server.drain();
    for peer in &mut peers {
        assert_eq!(peer.reply().body, b"told");
    }
    drop(peers);
    server.clean_report();
}

/// The level is there to be read, also by who comes late.
fn a_handler_that_is_called_in_a_drain_is_told_at_once(shell: Shell) {
    let handler = Handler::new(|request| async move {
        let notice = notice(&request);
        notice.started().await;
        text(notice.is_draining().to_string())
    });
    let server = Setup::default().start(shell, handler);
    let mut peer = server.connect();
    server.drain();
    assert_eq!(peer.ask("/").body, b"true");
    peer.expect_fin();
    server.clean_report();
}

/// A handler that waits for ever; when its future begins and when it is dropped.
fn endless() -> (Handler, Latch, Latch) {
    let (called, dropped) = (Latch::new(), Latch::new());
    let (begun, gone) = (called.clone(), dropped.clone());
    let handler = Handler::new(move |_| {
        let held = gone.on_drop();
        let never = telling(&begun, std::future::pending::<()>());
        async move {
            let _held = held;
            never.await;
            text("never")
        }
    });
    (handler, called, dropped)
}

/// Nobody waits for what it does.
fn a_client_that_leaves_cancels_its_handler(shell: Shell) {
    let (handler, called, dropped) = endless();
    let server = Setup::default().start(shell, handler);
    let mut peer = server.connect();
    peer.get("/");
    called.block("the call");
    peer.reset();
    dropped.block("the cancellation");
    server.drain();
    assert_eq!(server.clean_report().served, 0);
}

/// The body of a response is dropped with its client.
fn a_client_that_leaves_ends_the_stream_it_was_sent(shell: Shell) {
    let (server, taps) = streams(shell);
    let mut peer = server.connect();
    peer.get("/");
    peer.take_through("\r\n\r\n");
    let tap = taps.lock().unwrap().pop().expect("its head is here");
    server.drain();
    peer.reset();
    tap.gone().block("the end of the stream");
    server.clean_report();
}

/// A FIN alone does not tell that it has left; what it answers to the next piece does.
fn a_client_that_closes_ends_its_stream_when_it_is_written_to(shell: Shell) {
    let (server, taps) = streams(shell);
    let mut peer = server.connect();
    peer.get("/");
    peer.take_through("\r\n\r\n");
    let tap = taps.lock().unwrap().pop().expect("its head is here");
    drop(peer);
    server.drain();
    let (gone, since) = (tap.gone(), std::time::Instant::now());
    while !gone.is_open() {
        assert!(since.elapsed() < PATIENCE, "nobody hears of its RST");
        tap.send("anybody there?");
        thread::yield_now();
    }
    assert_eq!(server.clean_report().served, 0);
}

/// The reader hears why.
fn a_client_that_leaves_in_its_body_cancels_the_reader(shell: Shell) {
    let why = Arc::new(Mutex::new(None));
    let (told, done, called) = (Arc::clone(&why), Latch::new(), Latch::new());
    let (signal, begun) = (done.clone(), called.clone());
    let handler = Handler::new(move |request| {
        let (told, signal, begun) = (Arc::clone(&told), signal.on_drop(), begun.clone());
        // In the handler's own future it would be dropped with it.
        thread::spawn(move || {
            begun.open();
            let error = block_on(collect(request.into_body())).expect_err("it does not come to its end");
            *told.lock().unwrap() = Some(error.reason());
            drop(signal);
        });
        async {
            std::future::pending::<()>().await;
            text("never")
        }
    });
    let server = Setup::default().start(shell, handler);
    let mut peer = server.connect();
    peer.send(post("/", 10) + "abc");
    called.block("the call");
    peer.reset();
    done.block("the end of the body");
    assert_eq!(*why.lock().unwrap(), Some(CancelReason::Closed(CloseReason::PeerLeft)));
    server.drain();
    server.clean_report();
}

/// It may only say that nothing more will come.
fn a_fin_is_not_taken_for_leaving(shell: Shell) {
    let (called, go_on) = (Latch::new(), Latch::new());
    let server = Setup::default().start(shell, Handler::held(&called, &go_on));
    let mut peer = server.connect();
    peer.get("/patient");
    peer.half_close();
    called.block("the call");
    server.drain();
    go_on.open();
    let reply = peer.reply();
    assert_eq!((reply.body.as_slice(), reply.says_close()), (&b"/patient"[..], true));
    peer.expect_fin();
    assert_eq!(server.clean_report().served, 1);
}

/// Behind a balancer whose FIN always means that.
fn a_fin_is_taken_for_leaving_where_that_is_configured(shell: Shell) {
    let mut setup = Setup::default();
    setup.config.half_close = HalfClose::Cancel;
    let (handler, called, dropped) = endless();
    let server = setup.start(shell, handler);
    let mut peer = server.connect();
    peer.get("/");
    called.block("the call");
    peer.half_close();
    dropped.block("the cancellation");
    server.drain();
    server.clean_report();
}

/// Panics when asked for `/panic`.
fn panicky() -> Handler {
    Handler::new(|request| async move {
        let path = request.uri().path().to_owned();
        assert!(path != "/panic", "as asked");
        text(path)
    })
}

/// The other connections of its thread go on.
fn a_handler_that_panics_is_a_500_and_nobody_elses_business(shell: Shell) {
    let server = Setup::default().start(shell, panicky());
    let mut others: Vec<_> = (0..4).map(|_| server.connect()).collect();
    for peer in &mut others {
        peer.ask_and_stay("/one");
    }
    let mut peer = server.connect();
    for _ in 0..3 {
        assert_eq!(peer.ask("/panic").status, 500);
    }
    peer.ask_and_stay("/fine");
    for peer in &mut others {
        peer.ask_and_stay("/two");
    }
    server.drain();
    let reply = peer.ask("/panic");
    assert_eq!((reply.status, reply.says_close()), (500, true));
    for peer in &mut others {
        assert!(peer.ask("/three").says_close());
    }
    drop((peer, others));
    server.clean_report();
}

/// In the call itself.
fn a_handler_that_panics_before_its_future_is_a_500(shell: Shell) {
    let handler = Handler::new(|request| {
        assert!(request.uri().path() != "/panic", "as asked");
        async { text("fine") }
    });
    let server = Setup::default().start(shell, handler);
    let mut peer = server.connect();
    assert_eq!(peer.ask("/panic").status, 500);
    peer.ask_and_stay("/fine");
    server.drain();
    drop(peer);
    server.clean_report();
}

/// An error of the service is the service's fault.
fn a_handler_that_fails_is_a_500_also_in_a_drain(shell: Shell) {
    let (called, go_on) = (Latch::new(), Latch::new());
    let (begun, released) = (called.clone(), go_on.clone());
    let handler = Handler::fallible(move |_| {
        let held = telling(&begun, released.wait());
        async {
            held.await;
            Err("as asked".into())
        }
    });
    let server = Setup::default().start(shell, handler);
    let mut peer = server.connect();
    peer.get("/");
    called.block("the call");
    server.drain();
    go_on.open();
    let reply = peer.reply();
    assert_eq!((reply.status, reply.says_close()), (500, true));
    peer.expect_fin();
    server.clean_report();
}

/// A server whose responses stream out of taps.
fn streams(shell: Shell) -> (lameduck_tests::shells::Running, Arc<Mutex<Vec<Tap>>>) {
    let taps = Arc::new(Mutex::new(Vec::new()));
    let known = Arc::clone(&taps);
    let handler = Handler::new(move |_| {
        let (tap, spout) = pipe();
        known.lock().unwrap().push(tap);
        async {
            streaming(spout).map(|body| {
                body.map_frame(|frame| {
                    let is_panic = frame.data_ref().is_some_and(|data| data == "panic");
                    assert!(!is_panic, "as asked");
                    frame
                })
                .boxed_unsync()
            })
        }
    });
    (Setup::default().start(shell, handler), taps)
}

/// No client takes what it got for the whole.
fn a_stream_that_panics_breaks_off_visibly(shell: Shell) {
    let (server, taps) = streams(shell);
    let chunked = ("GET / HTTP/1.1\r\nhost: a\r\n\r\n", End::Fin);
    let until_the_end = ("GET / HTTP/1.0\r\n\r\n", End::Reset);
    for (request, shown_by) in [chunked, until_the_end] {
        let mut peer = server.connect();
        peer.send(request);
        peer.await_bytes();
        let tap = taps.lock().unwrap().pop().expect("its head is here");
        tap.send("half");
        tap.send("panic");
        let Err(Lost(_, end)) = peer.try_reply() else { panic!("half a response is not one") };
        assert_eq!(end, shown_by);
    }
    server.drain();
    assert_eq!(server.clean_report().served, 0);
}

/// The same for an error.
fn a_stream_that_fails_breaks_off_visibly(shell: Shell) {
    let (server, taps) = streams(shell);
    let mut peer = server.connect();
    peer.get("/");
    peer.await_bytes();
    let tap = taps.lock().unwrap().pop().expect("its head is here");
    tap.send("half");
    server.drain();
    tap.fail();
    let Err(Lost(_, end)) = peer.try_reply() else { panic!("half a response is not one") };
    assert_eq!(end, End::Fin);
    assert_eq!(server.clean_report().served, 0);
}

/// Its client leaves, and what it held panics on the way out.
fn a_handler_that_panics_when_dropped_harms_nobody(shell: Shell) {
    struct Grudge;

    impl Drop for Grudge {
        fn drop(&mut self) {
            panic!("as asked");
        }
    }

    let called = Latch::new();
    let begun = called.clone();
    let handler = Handler::new(move |request| {
        let held = request.uri().path().starts_with("/grudge").then(|| (Grudge, begun.clone()));
        async move {
            if let Some((_grudge, begun)) = &held {
                begun.open();
                std::future::pending::<()>().await;
            }
            text("fine")
        }
    });
    let server = Setup::default().start(shell, handler);
    let mut other = server.connect();
    other.ask_and_stay("/");
    let mut peer = server.connect();
    peer.get("/grudge");
    called.block("the call");
    peer.reset();
    for _ in 0..10 {
        other.ask_and_stay("/");
        server.connect().ask_and_stay("/");
    }
    let mut peer = server.connect();
    peer.get("/grudge");
    server.drain();
    assert!(other.ask("/").says_close());
    peer.reset();
    drop(other);
    server.clean_report();
}

/// Its address, for the log.
fn a_handler_knows_its_peer(shell: Shell) {
    let handler = Handler::new(|request| async move {
        text(request.body().peer().map(|peer| peer.to_string()).unwrap_or_default())
    });
    let server = Setup::default().start(shell, handler);
    let mut peer = server.connect();
    let address = peer.address().to_string();
    assert_eq!(peer.ask("/").body, address.as_bytes());
    server.drain();
    drop(peer);
    server.clean_report();
}

/// Server-sent events, say: nobody else can end them but the handler, and it hears in time.
fn a_stream_without_an_end_is_told_and_ends_itself(shell: Shell) {
    let handler = Handler::new(|request| {
        let notice = notice(&request);
        let (tap, spout) = pipe();
        tap.send("data: hello\n\n");
        thread::spawn(move || {
            block_on(notice.started());
            tap.send("event: bye\n\n");
        });
        async { streaming(spout) }
    });
    let server = Setup::default().start(shell, handler);
    let mut peer = server.connect();
    peer.get("/events");
    peer.take_through("hello\n\n\r\n");
    server.drain();
    peer.take_through("event: bye\n\n\r\n0\r\n\r\n");
    drop(peer);
    assert_eq!(server.clean_report().served, 1);
}

/// A service that panics when it is cloned while it is told to, and once when it is dropped after it has been told to.
#[derive(Default)]
struct Touchy {
    when_cloned: Arc<AtomicBool>,
    when_dropped: Arc<AtomicBool>,
}

impl Clone for Touchy {
    fn clone(&self) -> Self {
        assert!(!self.when_cloned.load(Ordering::SeqCst), "as it was told to");
        Self { when_cloned: Arc::clone(&self.when_cloned), when_dropped: Arc::clone(&self.when_dropped) }
    }
}

impl Drop for Touchy {
    fn drop(&mut self) {
        assert!(!self.when_dropped.swap(false, Ordering::SeqCst), "as it was told to");
    }
}

impl Service<Request<Body>> for Touchy {
    type Response = Reply;
    type Error = BoxError;
    type Future = Ready<Result<Reply, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        ready(Ok(text("made")))
    }
}

fn a_service_that_panics_when_cloned_costs_that_connection_alone(shell: Shell) {
    let service = Touchy::default();
    let panics = Arc::clone(&service.when_cloned);
    let server = Setup::default().start(shell, service);
    let mut first = server.connect();
    assert_eq!(first.ask("/").body, b"made");
    panics.store(true, Ordering::SeqCst);
    assert_eq!(server.connect().rest(), (Vec::new(), End::Fin));
    panics.store(false, Ordering::SeqCst);
    for peer in [&mut first, &mut server.connect()] {
        assert_eq!(peer.ask("/").body, b"made");
    }
    drop(first);
    server.drain();
    server.clean_report();
}

fn a_service_that_panics_when_dropped_costs_no_other_connection(shell: Shell) {
    let service = Touchy::default();
    let panics = Arc::clone(&service.when_dropped);
    let server = Setup::default().start(shell, service);
    let (mut first, mut second) = (server.connect(), server.connect());
    assert_eq!(first.ask("/").body, b"made");
    assert_eq!(second.ask("/").body, b"made");
    panics.store(true, Ordering::SeqCst);
    drop(second);
    let since = std::time::Instant::now();
    while panics.load(Ordering::SeqCst) && since.elapsed() < PATIENCE {
        thread::yield_now();
    }
    for peer in [&mut first, &mut server.connect()] {
        assert_eq!(peer.ask("/").body, b"made");
    }
    drop(first);
    server.drain();
    server.clean_report();
}
