//! Requests whose bodies are on the way.

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use http_body_util::BodyExt;
use lameduck_core::Allowance;
use lameduck_service::Body;
use lameduck_tests::handlers::{Handler, Latch, block_on, collect, next_piece, telling, text};
use lameduck_tests::on_every_shell;
use lameduck_tests::peer::{field, post};
use lameduck_tests::shells::{Setup, Shell};

on_every_shell!(
    a_body_that_is_being_read_is_read_to_its_end_and_served,
    a_chunked_body_and_its_trailers_come_through_a_drain,
    r02_a_head_that_begins_behind_the_end_of_a_body_has_begun,
    r16_a_body_that_stalls_in_a_drain_gets_408,
    a_body_that_the_handler_leaves_unread_holds_the_client_back,
    a_body_is_read_on_once_its_handler_goes_on,
    a_body_is_read_on_while_another_thread_reads_it,
    a_body_is_read_on_after_the_response,
    expect_100_continue_is_honoured_in_a_drain,
    expect_100_continue_is_refused_without_a_word_where_nobody_reads,
    a_small_body_that_nobody_wants_costs_no_connection,
);

/// Answers with how long the body was.
fn measuring() -> Handler {
    Handler::new(|request| async {
        match collect(request.into_body()).await {
            Ok(body) => text(body.len().to_string()),
            Err(error) => text(error.to_string()),
        }
    })
}

/// It has begun, and is therefore finished.
fn a_body_that_is_being_read_is_read_to_its_end_and_served(shell: Shell) {
    let server = Setup::default().start(shell, measuring());
    let mut first = server.connect();
    first.send(post("/", 300_000));
    first.send(vec![b'a'; 100_000]);
    let mut later = server.connect();
    later.ask_and_stay("/");
    later.send(post("/", 10) + "abc");
    server.drain();
    first.send(vec![b'b'; 200_000]);
    later.send("defghij");
    for (peer, length) in [(&mut first, "300000"), (&mut later, "10")] {
        let reply = peer.reply();
        assert_eq!((reply.body.as_slice(), reply.says_close()), (length.as_bytes(), true));
    }
    first.expect_fin();
    later.expect_fin();
    assert_eq!(server.clean_report().served, 3);
}

/// The drain comes between two chunks.
fn a_chunked_body_and_its_trailers_come_through_a_drain(shell: Shell) {
    let handler = Handler::new(|request| async {
        let whole = request.into_body().collect().await.expect("the body comes to its end");
        let checksum = whole.trailers().and_then(|trailers| trailers.get("checksum")).cloned();
        let body = whole.to_bytes();
        text(format!("{} {checksum:?}", String::from_utf8_lossy(&body)))
    });
    let server = Setup::default().start(shell, handler);
    let mut peer = server.connect();
    peer.send("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\nde");
    server.drain();
    peer.send("fg\r\n0\r\nchecksum: 42\r\n\r\n");
    assert_eq!(peer.reply().body, b"abcdefg Some(\"42\")");
    peer.expect_fin();
    server.clean_report();
}

/// One segment ends a body and begins the next head.
fn r02_a_head_that_begins_behind_the_end_of_a_body_has_begun(shell: Shell) {
    let (called, go_on) = (Latch::new(), Latch::new());
    let server = Setup::default().start(shell, late_reader(&called, &go_on));
    let mut peer = server.connect();
    peer.send(post("/", 6) + "abc");
    called.block("the call");
    peer.send("defPOST / HT");
    server.drain();
    go_on.open();
    let reply = peer.reply();
    assert_eq!((reply.body.as_slice(), reply.says_close()), (&b"6"[..], false));
    peer.send("TP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nab");
    let reply = peer.reply();
    assert_eq!((reply.body.as_slice(), reply.says_close()), (&b"2"[..], true));
    peer.expect_fin();
    assert_eq!(server.clean_report().served, 2);
}

/// A peer that stalls is bounded by the body timer.
fn r16_a_body_that_stalls_in_a_drain_gets_408(shell: Shell) {
    let setup = Setup::default().timeouts(|timeouts| timeouts.body = Allowance::millis(60_000, 80));
    let (failed, called) = (Latch::new(), Latch::new());
    let (signal, begun) = (failed.clone(), called.clone());
    let handler = Handler::new(move |request| {
        let cancelled = signal.on_drop();
        begun.open();
        async move {
            let _held = cancelled;
            let _ = collect(request.into_body()).await;
            text("too late")
        }
    });
    let server = setup.start(shell, handler);
    let mut peer = server.connect();
    peer.send(post("/", 10) + "abc");
    called.block("the call");
    server.drain();
    let reply = peer.reply();
    assert_eq!((reply.status, reply.says_close()), (408, true));
    peer.expect_fin();
    failed.block("the end of the handler");
    let report = server.clean_report();
    assert_eq!((report.served, report.drained), (0, 1));
}

/// What the kernel holds for both ends, which grows to some megabytes, and then the window.
const BUFFERS: usize = 24 << 20;

/// A handler that tells that it was called and reads when it is let on; how much came.
fn late_reader(called: &Latch, go_on: &Latch) -> Handler {
    let (called, go_on) = (called.clone(), go_on.clone());
    Handler::new(move |request| {
        let held = telling(&called, go_on.wait());
        async move {
            held.await;
            text(collect(request.into_body()).await.map_or(0, |body| body.len()).to_string())
        }
    })
}

/// Backpressure reaches the client's socket: what is kept for it is bounded.
fn a_body_that_the_handler_leaves_unread_holds_the_client_back(shell: Shell) {
    let (called, go_on) = (Latch::new(), Latch::new());
    let server = Setup::default().start(shell, late_reader(&called, &go_on));
    let mut peer = server.connect();
    let body = vec![b'x'; 2 * BUFFERS];
    peer.send(post("/", body.len()));
    let sent = peer.send_until_stalled(&body, Duration::from_millis(200));
    assert!(sent < BUFFERS, "{sent} bytes were taken for a handler that reads none");
    called.block("the call");
    go_on.open();
    peer.send(&body[sent..]);
    assert_eq!(peer.reply().body, body.len().to_string().as_bytes());
    server.drain();
    drop(peer);
    server.clean_report();
}

/// The window was full, and reading had paused: the first bytes that the handler takes start it again. No
/// new readiness is told of bytes that have long been there.
fn a_body_is_read_on_once_its_handler_goes_on(shell: Shell) {
    let (called, go_on) = (Latch::new(), Latch::new());
    let server = Setup::default().start(shell, late_reader(&called, &go_on));
    let mut peer = server.connect();
    // All of it is in the kernel's buffers before the handler takes the first byte.
    let body = vec![b'x'; 200_000];
    peer.send(post("/", body.len()));
    peer.send(&body);
    called.block("the call");
    server.drain();
    go_on.open();
    let reply = peer.reply();
    assert_eq!((reply.body.as_slice(), reply.says_close()), (&b"200000"[..], true));
    peer.expect_fin();
    server.clean_report();
}

/// The reader is in no task of the server: what it takes is heard of all the same.
fn a_body_is_read_on_while_another_thread_reads_it(shell: Shell) {
    let handler = Handler::new(|request| {
        let result = Arc::new(Mutex::new(0));
        let (count, done) = (Arc::clone(&result), Latch::new());
        let signal = done.on_drop();
        let mut body: Body = request.into_body();
        thread::spawn(move || {
            while let Ok(Some(piece)) = block_on(next_piece(&mut body)) {
                *count.lock().unwrap() += piece.len();
            }
            drop(signal);
        });
        async move {
            done.wait().await;
            let count = *result.lock().unwrap();
            text(count.to_string())
        }
    });
    let server = Setup::default().start(shell, handler);
    let mut peer = server.connect();
    let body = vec![b'x'; 3 << 20];
    peer.send(post("/", body.len()));
    peer.send(&body[..body.len() / 2]);
    server.drain();
    peer.send(&body[body.len() / 2..]);
    let reply = peer.reply();
    assert_eq!((reply.body.as_slice(), reply.says_close()), (body.len().to_string().as_bytes(), true));
    peer.expect_fin();
    server.clean_report();
}

/// The handler answers first, and keeps the body to read.
fn a_body_is_read_on_after_the_response(shell: Shell) {
    let kept = Arc::new(Mutex::new(None::<Body>));
    let keep = Arc::clone(&kept);
    let handler = Handler::new(move |request| {
        *keep.lock().unwrap() = Some(request.into_body());
        async { text("answered") }
    });
    let server = Setup::default().start(shell, handler);
    let mut peer = server.connect();
    peer.send(post("/", 200_000));
    assert!(!peer.reply().says_close());
    let mut body = kept.lock().unwrap().take().expect("the handler was called");
    let reader = thread::spawn(move || {
        let mut count = 0;
        while let Ok(Some(piece)) = block_on(next_piece(&mut body)) {
            count += piece.len();
        }
        count
    });
    server.drain();
    peer.send(vec![b'x'; 200_000]);
    assert_eq!(reader.join().unwrap(), 200_000);
    drop(peer);
    server.clean_report();
}

/// A request that has begun is served, and its client waits for the word.
fn expect_100_continue_is_honoured_in_a_drain(shell: Shell) {
    let (called, go_on) = (Latch::new(), Latch::new());
    let server = Setup::default().start(shell, late_reader(&called, &go_on));
    let mut peer = server.connect();
    peer.send("POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n");
    called.block("the call");
    server.drain();
    go_on.open();
    assert_eq!(peer.take_through("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    peer.send("hello");
    let reply = peer.reply();
    assert_eq!((reply.body.as_slice(), reply.says_close()), (&b"5"[..], true));
    peer.expect_fin();
    server.clean_report();
}

/// It gets the final answer alone, and the connection ends: nobody knows whether the body follows.
fn expect_100_continue_is_refused_without_a_word_where_nobody_reads(shell: Shell) {
    let server = Setup::default().start(shell, Handler::echoing_the_path());
    let mut peer = server.connect();
    peer.send("POST /no HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n");
    let reply = peer.reply();
    assert_eq!((reply.body.as_slice(), reply.interim.len(), reply.says_close()), (&b"/no"[..], 0, true));
    peer.expect_fin();
    server.drain();
    server.clean_report();
}

/// It is thrown away, and the next request served.
fn a_small_body_that_nobody_wants_costs_no_connection(shell: Shell) {
    let server = Setup::default().start(shell, Handler::echoing_the_path());
    let mut peer = server.connect();
    peer.send(post("/one", 10_000));
    let reply = peer.reply();
    assert!(!reply.says_close());
    assert_eq!(field(&reply, "content-length"), Some("4"));
    peer.send(vec![b'x'; 10_000]);
    peer.ask_and_stay("/two");
    peer.send(post("/three", 10_000));
    assert!(!peer.reply().says_close());
    server.drain();
    peer.send(vec![b'x'; 10_000]);
    assert!(peer.ask("/four").says_close());
    peer.expect_fin();
    server.clean_report();
}
