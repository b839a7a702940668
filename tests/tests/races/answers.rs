//! Requests that are being answered, and those behind them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body_util::BodyExt;
use lameduck_core::{Allowance, CloseReason, Stage, Timer};
use lameduck_tests::handlers::{Handler, Latch, Tap, empty, pipe, streaming, telling, text};
use lameduck_tests::on_every_shell;
use lameduck_tests::peer::{End, Lost, Peer, field, get, post};
use lameduck_tests::reader::Delimited;
use lameduck_tests::shells::{Setup, Shell};

on_every_shell!(
    a_running_handler_is_waited_for_and_says_close,
    close_is_decided_when_the_head_is_written,
    r13_a_response_survives_the_body_that_it_refused,
    r13_a_refusal_is_announced_as_the_last_response,
    r14_a_head_sent_as_keep_alive_is_kept_to,
    r14_after_a_head_sent_as_keep_alive_the_fin_waits_for_the_quiet,
    r15_pipelined_requests_are_served_in_order_and_the_last_says_close,
    r15_nothing_behind_a_response_that_said_close_is_executed,
    r15_a_pipelined_head_that_is_not_whole_is_waited_for,
    r15_a_pipeline_longer_than_the_server_keeps_is_answered_up_to_a_close,
    r15_a_request_behind_a_response_that_waits_for_room_is_answered,
    r26_a_slow_reader_gets_every_byte_ahead_of_the_fin,
    r26_a_response_that_waits_to_be_sent_is_waited_for,
    r27_a_reader_that_has_stopped_does_not_hold_the_drain_to_its_deadline,
    a_response_that_could_not_be_sent_is_not_counted_as_served,
    a_response_that_ends_by_close_ends_with_a_fin,
    http_1_0_is_answered_and_closed,
    trailers_follow_a_response,
    a_response_is_dated_when_it_is_given,
);

/// A handler whose response comes out of a tap that the test takes from here.
#[derive(Clone, Default)]
struct Taps(Arc<Mutex<Vec<Tap>>>);

impl Taps {
    /// Answers `/stream` out of a new tap, and anything else with its path.
    fn handler(&self) -> Handler {
        let taps = self.clone();
        Handler::new(move |request| {
            let reply = match request.uri().path() {
                "/stream" => {
                    let (tap, spout) = pipe();
                    taps.0.lock().unwrap().push(tap);
                    streaming(spout)
                }
                path => text(path.to_owned()),
            };
            async { reply }
        })
    }

    /// The tap of a response whose head is here.
    fn take(&self) -> Tap {
        self.0.lock().unwrap().pop().expect("the head of the response is here")
    }
}

/// What runs is waited for, for as long as the grace allows.
fn a_running_handler_is_waited_for_and_says_close(shell: Shell) {
    let (called, go_on) = (Latch::new(), Latch::new());
    let server = Setup::default().start(shell, Handler::held(&called, &go_on));
    let mut peer = server.connect();
    peer.get("/slow");
    called.block("the handler's call");
    server.drain();
    go_on.open();
    let reply = peer.reply();
    assert_eq!((reply.body.as_slice(), reply.says_close()), (&b"/slow"[..], true));
    peer.expect_fin();
    let report = server.clean_report();
    assert_eq!((report.served, report.drained), (1, 1));
}

/// The handler itself begins the drain: its own response already knows.
fn close_is_decided_when_the_head_is_written(shell: Shell) {
    let handle = Arc::new(Mutex::new(None::<lameduck_service::DrainHandle>));
    let known = Arc::clone(&handle);
    let handler = Handler::new(move |_| {
        if let Some(handle) = known.lock().unwrap().as_ref() {
            handle.begin();
        }
        async { text("the last") }
    });
    let server = Setup::default().start(shell, handler);
    let mut peer = server.connect();
    peer.ask_and_stay("/one");
    *handle.lock().unwrap() = Some(server.handle.clone());
    let reply = peer.ask("/two");
    // The level rises while this connection is at work: it may read it a step later, and is then asked once
    // more.
    if !reply.says_close() {
        assert!(peer.ask("/three").says_close());
    }
    peer.expect_fin();
    server.clean_report();
}

/// The server would reset a connection that it closed with bytes unread: the response would be lost with it.
fn r13_a_response_survives_the_body_that_it_refused(shell: Shell) {
    let handler = Handler::new(|_| async { empty(StatusCode::PAYLOAD_TOO_LARGE) });
    let server = Setup::default().start(shell, handler);
    for round in 0..4 {
        let mut peer = server.connect();
        let body = vec![b'x'; 4 << 20];
        peer.send(post("/refused", body.len()));
        if round == 3 {
            server.drain();
        }
        peer.send(&body);
        assert_eq!(peer.reply().status, 413);
        peer.expect_fin();
    }
    assert_eq!(server.clean_report().served, 4);
}

/// A client that knows that the connection ends with this response sends the next request elsewhere.
fn r13_a_refusal_is_announced_as_the_last_response(shell: Shell) {
    let handler = Handler::new(|_| async { empty(StatusCode::PAYLOAD_TOO_LARGE) });
    let server = Setup::default().start(shell, handler);
    let mut peer = server.connect();
    peer.send(post("/refused", 4 << 20));
    assert!(peer.reply().says_close());
    peer.expect_fin();
    server.drain();
    server.clean_report();
}

/// Its client was told that another request may follow.
fn r14_a_head_sent_as_keep_alive_is_kept_to(shell: Shell) {
    let taps = Taps::default();
    let server = Setup::default().start(shell, taps.handler());
    let mut peer = server.connect();
    peer.get("/stream");
    let head = peer.take_through("\r\n\r\n");
    assert!(!head.contains("close"), "{head}");
    let tap = taps.take();
    server.drain();
    tap.send("after the drain began");
    peer.take_through("began\r\n");
    drop(tap);
    peer.take_through("0\r\n\r\n");
    let reply = peer.ask("/one-more");
    assert_eq!((reply.body.as_slice(), reply.says_close()), (&b"/one-more"[..], true));
    peer.expect_fin();
    assert_eq!(server.clean_report().served, 2);
}

/// Nobody asks for more: the FIN comes when it has been quiet.
fn r14_after_a_head_sent_as_keep_alive_the_fin_waits_for_the_quiet(shell: Shell) {
    let setup = Setup::default().timeouts(|timeouts| timeouts.keep_alive = Allowance::millis(60_000, 80));
    let taps = Taps::default();
    let server = setup.start(shell, taps.handler());
    let mut peer = server.connect();
    peer.get("/stream");
    peer.take_through("\r\n\r\n");
    server.drain();
    drop(taps.take());
    peer.take_through("0\r\n\r\n");
    peer.expect_fin();
    assert_eq!(server.clean_report().served, 1);
}

/// All of them were here when the drain came.
fn r15_pipelined_requests_are_served_in_order_and_the_last_says_close(shell: Shell) {
    let (called, go_on) = (Latch::new(), Latch::new());
    let server = Setup::default().start(shell, Handler::held(&called, &go_on));
    let mut peer = server.connect();
    peer.send(get("/one") + &get("/two") + &get("/three"));
    called.block("the first call");
    server.drain();
    go_on.open();
    let said: Vec<_> = (0..3).map(|_| peer.reply()).map(|reply| (reply.says_close(), reply.body)).collect();
    let expected = [(false, b"/one".to_vec()), (false, b"/two".to_vec()), (true, b"/three".to_vec())];
    assert_eq!(said, expected);
    peer.expect_fin();
    assert_eq!(server.clean_report().served, 3);
}

/// Its client has been told that it was not.
fn r15_nothing_behind_a_response_that_said_close_is_executed(shell: Shell) {
    let (called, go_on) = (Latch::new(), Latch::new());
    let calls = Arc::new(AtomicUsize::new(0));
    let (counter, inside, out) = (Arc::clone(&calls), called.clone(), go_on.clone());
    let handler = Handler::new(move |_| {
        counter.fetch_add(1, Ordering::SeqCst);
        let held = telling(&inside, out.wait());
        async {
            held.await;
            text("answered")
        }
    });
    let server = Setup::default().start(shell, handler);
    let mut peer = server.connect();
    peer.send("POST /one HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
    peer.send(post("/two", 0));
    called.block("the call");
    server.drain();
    go_on.open();
    assert!(peer.reply().says_close());
    peer.send(post("/three", 0));
    peer.expect_fin();
    assert_eq!(server.clean_report().served, 1);
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

/// It has begun, behind a response that therefore is not the last.
fn r15_a_pipelined_head_that_is_not_whole_is_waited_for(shell: Shell) {
    let (called, go_on) = (Latch::new(), Latch::new());
    let server = Setup::default().start(shell, Handler::held(&called, &go_on));
    let mut peer = server.connect();
    peer.send(get("/one") + "GET /tw");
    called.block("the first call");
    server.drain();
    go_on.open();
    assert!(!peer.reply().says_close());
    peer.send("o HTTP/1.1\r\nhost: a\r\n\r\n");
    let reply = peer.reply();
    assert_eq!((reply.body.as_slice(), reply.says_close()), (&b"/two"[..], true));
    peer.expect_fin();
    server.clean_report();
}

/// More is in the kernel's buffer than the server takes ahead. Whatever it executes it answers, in order; what
/// it does not execute is behind a response that says close.
fn r15_a_pipeline_longer_than_the_server_keeps_is_answered_up_to_a_close(shell: Shell) {
    let (called, go_on) = (Latch::new(), Latch::new());
    let calls = Arc::new(AtomicUsize::new(0));
    let (counter, inside, out) = (Arc::clone(&calls), called.clone(), go_on.clone());
    let handler = Handler::new(move |request| {
        counter.fetch_add(1, Ordering::SeqCst);
        let held = telling(&inside, out.wait());
        async move {
            held.await;
            text(request.uri().path().to_owned())
        }
    });
    let server = Setup::default().start(shell, handler);
    let mut peer = server.connect();
    peer.send((0..3000).map(|number| get(&format!("/{number}"))).collect::<String>());
    called.block("the first call");
    server.drain();
    go_on.open();
    let mut answered = 0;
    loop {
        let reply = peer.reply();
        assert_eq!(reply.body, format!("/{answered}").as_bytes());
        answered += 1;
        if reply.says_close() {
            break;
        }
    }
    peer.expect_fin();
    assert_eq!(server.clean_report().served, answered);
    assert_eq!(calls.load(Ordering::SeqCst) as u64, answered);
}

/// It is told only when most of what stands before it has been sent, and nothing else happens then.
fn r15_a_request_behind_a_response_that_waits_for_room_is_answered(shell: Shell) {
    let large = Bytes::from(vec![b'x'; 600_000]);
    let handler = Handler::new(move |request| {
        let reply = match request.uri().path() {
            "/large" => text(large.clone()),
            path => text(path.to_owned()),
        };
        async { reply }
    });
    let server = Setup::default().start(shell, handler);
    let mut peer = server.connect();
    peer.send([get("/large"), get("/small")].concat());
    assert_eq!(peer.reply().body.len(), 600_000);
    assert_eq!(peer.reply().body, b"/small");
    drop(peer);
    server.drain();
    assert_eq!(server.clean_report().served, 2);
}

fn pattern(size: usize) -> Bytes {
    (0..size).map(|at| (at % 251) as u8).collect::<Vec<u8>>().into()
}

/// The FIN goes behind the last byte, and waits for it.
fn r26_a_slow_reader_gets_every_byte_ahead_of_the_fin(shell: Shell) {
    let body = pattern(3 << 20);
    let content = body.clone();
    let server = Setup::default().start(
        shell,
        Handler::new(move |_| {
            let reply = text(content.clone());
            async { reply }
        }),
    );
    let mut peer = Peer::with_small_buffer(server.address());
    peer.get("/large");
    let head = peer.take_through("\r\n\r\n");
    server.drain();
    let mut got = Vec::new();
    while got.len() < body.len() {
        got.extend(peer.take(3_000.min(body.len() - got.len())));
    }
    assert!(got == body, "the body differs");
    if head.contains("connection: close") {
        peer.expect_fin();
    } else {
        assert!(peer.ask("/more").says_close());
        drop(peer);
    }
    server.clean_report();
}

/// The handler has given all of it, long before the peer has taken it.
fn r26_a_response_that_waits_to_be_sent_is_waited_for(shell: Shell) {
    let mut setup = Setup::default();
    setup.config.limits.send_queue = 64 << 20;
    let body = pattern(6 << 20);
    let content = body.clone();
    let server = setup.start(
        shell,
        Handler::new(move |_| {
            let reply = text(content.clone());
            async { reply }
        }),
    );
    let mut peer = Peer::with_small_buffer(server.address());
    peer.send("GET /large HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    peer.take_through("\r\n\r\n");
    server.drain();
    let (got, end) = peer.rest();
    assert!(got == body, "{} of {} bytes", got.len(), body.len());
    assert_eq!(end, End::Fin);
    drop(peer);
    assert_eq!(server.clean_report().served, 1);
}

/// A body without an end, for a peer that does not read.
fn stalled(setup: &Setup, shell: Shell) -> (lameduck_tests::shells::Running, Peer, Latch) {
    let gone = Latch::new();
    let signal = gone.clone();
    let server = setup.start(
        shell,
        Handler::new(move |_| {
            let (tap, spout) = pipe();
            for _ in 0..1024 {
                tap.send(Bytes::from_static(&[b'x'; 64 * 1024]));
            }
            let guard = signal.on_drop();
            async {
                streaming(spout).map(|body| {
                    body.map_frame(move |frame| {
                        let _held = (&guard, &tap);
                        frame
                    })
                    .boxed_unsync()
                })
            }
        }),
    );
    let mut peer = Peer::with_least_buffer(server.address());
    peer.get("/endless");
    peer.take_through("\r\n\r\n");
    (server, peer, gone)
}

/// The write timer has an allowance of its own in a drain: nobody waits for the deadline.
fn r27_a_reader_that_has_stopped_does_not_hold_the_drain_to_its_deadline(shell: Shell) {
    let setup = Setup::default().timeouts(|timeouts| timeouts.write = Allowance::millis(60_000, 100));
    let (server, peer, gone) = stalled(&setup, shell);
    server.drain();
    gone.block("the end of the body");
    let report = server.report();
    assert_eq!((report.served, report.drained), (0, 0));
    let [cut] = report.cut.as_slice() else { panic!("{:?}", report.cut) };
    assert_eq!(cut.reason, CloseReason::TimedOut(Timer::Write));
    assert!(cut.request.is_some(), "what was cut is named");
    peer.expect_reset();
}

/// What the peer never took was not served, however ready it lay.
fn a_response_that_could_not_be_sent_is_not_counted_as_served(shell: Shell) {
    let mut setup = Setup::default().grace(150);
    setup.config.limits.send_queue = 64 << 20;
    let body = pattern(32 << 20);
    let server = setup.start(
        shell,
        Handler::new(move |_| {
            let reply = text(body.clone());
            async { reply }
        }),
    );
    let mut cut = Peer::with_least_buffer(server.address());
    cut.get("/large");
    cut.take_through("\r\n\r\n");
    let mut left = Peer::with_least_buffer(server.address());
    left.get("/large");
    left.take_through("\r\n\r\n");
    left.reset();
    server.drain();
    let address = cut.address();
    let report = server.report();
    assert_eq!(report.served, 0);
    let [one] = &report.cut[..] else { panic!("{:#?}", report.cut) };
    assert_eq!((one.peer, one.stage, one.reason), (address, Stage::Sending, CloseReason::CutAtDeadline));
    cut.expect_reset();
}

/// The FIN is the end of the body; a RST would say that it broke off.
fn a_response_that_ends_by_close_ends_with_a_fin(shell: Shell) {
    let taps = Taps::default();
    let server = Setup::default().start(shell, taps.handler());
    let mut peer = server.connect();
    peer.send("GET /stream HTTP/1.0\r\n\r\n");
    let head = peer.take_through("\r\n\r\n");
    assert!(!head.contains("chunked") && !head.contains("content-length"), "{head}");
    let tap = taps.take();
    tap.send("before, ");
    server.drain();
    tap.send("after");
    drop(tap);
    assert_eq!(peer.rest(), (b"before, after".to_vec(), End::Fin));
    drop(peer);
    assert_eq!(server.clean_report().served, 1);
}

/// Its clients expect the end of the connection in any case.
fn http_1_0_is_answered_and_closed(shell: Shell) {
    let (called, go_on) = (Latch::new(), Latch::new());
    let server = Setup::default().start(shell, Handler::held(&called, &go_on));
    let mut peer = server.connect();
    peer.send("GET /old HTTP/1.0\r\nconnection: keep-alive\r\n\r\n");
    called.block("the call");
    server.drain();
    go_on.open();
    let reply = peer.reply();
    assert_eq!((reply.body.as_slice(), reply.delimited), (&b"/old"[..], Delimited::Length));
    peer.expect_fin();
    server.clean_report();
}

/// In a drain as ever.
fn trailers_follow_a_response(shell: Shell) {
    let taps = Taps::default();
    let server = Setup::default().start(shell, taps.handler());
    let mut peer = server.connect();
    peer.send("GET /stream HTTP/1.1\r\nhost: a\r\nte: trailers\r\n\r\n");
    peer.await_bytes();
    let tap = taps.take();
    server.drain();
    tap.send("content");
    let mut trailers = HeaderMap::new();
    trailers.insert("checksum", HeaderValue::from_static("42"));
    tap.send_trailers(trailers);
    let reply = peer.reply();
    assert_eq!(reply.body, b"content");
    assert_eq!(reply.trailers, [("checksum".to_owned(), b"42".to_vec())]);
    drop((peer, tap));
    server.clean_report();
}

/// What [`Peer::try_reply`] calls lost is what these tests are about.
#[test]
fn the_kit_tells_a_broken_response_from_a_whole_one() {
    let taps = Taps::default();
    let server = Setup::default().start(Shell::Tokio, taps.handler());
    let mut peer = server.connect();
    peer.get("/stream");
    peer.await_bytes();
    let tap = taps.take();
    tap.send("half");
    tap.fail();
    let Err(Lost(_, end)) = peer.try_reply() else { panic!("half a response is not one") };
    assert_eq!(end, End::Fin);
    tap.gone().block("the end of the body");
}

/// Not when its request came.
fn a_response_is_dated_when_it_is_given(shell: Shell) {
    let (called, go_on) = (Latch::new(), Latch::new());
    let server = Setup::default().start(shell, Handler::held(&called, &go_on));
    let dated = |reply| field(&reply, "date").map(str::to_owned).expect("it is dated");
    // What is not a request is refused by the connection itself.
    let now = || {
        let mut peer = server.connect();
        peer.send("nonsense\r\n\r\n");
        dated(peer.reply())
    };
    let mut peer = server.connect();
    peer.get("/");
    called.block("the handler's call");
    let asked = now();
    let before = loop {
        let now = now();
        if now != asked {
            break now;
        }
    };
    go_on.open();
    let date = dated(peer.reply());
    assert!(date == before || date == now(), "{asked}, then {before}, then {date}");
}
