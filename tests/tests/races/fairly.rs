//! One request's trouble is not another's: not of one that is pipelined with it, nor of another connection.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use lameduck_core::Allowance;
use lameduck_tests::handlers::{BoxError, Handler, Latch, OnDrop, block_on, collect, pipe, streaming, text};
use lameduck_tests::peer::{End, Lost, get};
use lameduck_tests::reader::Asked;
use lameduck_tests::shells::{Setup, Shell};
use lameduck_tests::{on_every_shell, on_single_threads};
use tokio::task::coop;

on_every_shell!(
    what_is_answered_is_not_lost_with_what_breaks_off,
    what_only_the_end_delimits_is_reset_when_it_breaks_off,
    an_upload_behind_the_last_response_is_read_to_its_end,
    a_head_of_an_endless_body_holds_nothing_up,
    a_reader_that_stops_is_left_however_busy_its_response_was,
);

on_single_threads!(a_peer_that_pipelines_lets_others_have_their_turn);

/// Answers `/ok` whole; anything else breaks off.
fn breaking() -> Handler {
    Handler::new(|request| async move {
        if request.uri().path() == "/ok" {
            return text("fine");
        }
        let (tap, spout) = pipe();
        tap.send("part");
        tap.fail();
        streaming(spout)
    })
}

fn what_is_answered_is_not_lost_with_what_breaks_off(shell: Shell) {
    let server = Setup::default().start(shell, breaking());
    let mut peer = server.connect();
    peer.send([get("/ok"), get("/bad")].concat());
    assert_eq!(peer.reply().status, 200);
    let Err(Lost(_, end)) = peer.try_reply() else { panic!("what broke off does not look whole") };
    assert_eq!(end, End::Fin);
    server.drain();
    assert_eq!(server.clean_report().served, 1);
}

/// RFC 9112 section 8: after a FIN it would look whole.
fn what_only_the_end_delimits_is_reset_when_it_breaks_off(shell: Shell) {
    let server = Setup::default().start(shell, breaking());
    let mut peer = server.connect();
    peer.send("GET /bad HTTP/1.0\r\n\r\n");
    peer.expect_reset();
    server.drain();
    assert_eq!(server.clean_report().served, 0);
}

/// The handler answers at once, and another thread reads the body. That the response says close cuts no upload.
fn an_upload_behind_the_last_response_is_read_to_its_end(shell: Shell) {
    let (read, done) = (Arc::new(Mutex::new(None)), Latch::new());
    let (result, end) = (Arc::clone(&read), done.clone());
    let handler = Handler::new(move |request| {
        let (result, end) = (Arc::clone(&result), end.clone());
        thread::spawn(move || {
            let body = block_on(collect(request.into_body()));
            *result.lock().unwrap() = Some(body.map_err(|error| error.to_string()));
            end.open();
        });
        async { text("accepted") }
    });
    let server = Setup::default().start(shell, handler);
    let mut peer = server.connect();
    peer.send("POST / HTTP/1.1\r\nhost:a\r\nconnection: close\r\ncontent-length:10\r\n\r\nabc");
    assert!(peer.reply().says_close());
    peer.send("defghij");
    done.block("the reader of the body");
    assert_eq!(read.lock().unwrap().take(), Some(Ok("abcdefghij".into())));
    peer.expect_fin();
    server.drain();
    assert_eq!(server.clean_report().served, 1);
}

/// Always has another piece.
struct Endless;

impl Body for Endless {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[0; 1024])))))
    }
}

/// Nobody waits for a body that is not sent: not one that never stops, and not one that never comes.
fn a_head_of_an_endless_body_holds_nothing_up(shell: Shell) {
    let taps = Mutex::new(Vec::new());
    let handler = Handler::new(move |request| {
        let reply = match request.uri().path() {
            "/eager" => http::Response::new(Endless.boxed_unsync()),
            "/quiet" => {
                let (tap, spout) = pipe();
                taps.lock().unwrap().push(tap);
                streaming(spout)
            }
            _ => text("next"),
        };
        async { reply }
    });
    let server = Setup::default().start(shell, handler);
    for path in ["/eager", "/quiet"] {
        let mut peer = server.connect();
        peer.send(format!("HEAD {path} HTTP/1.1\r\nhost:a\r\n\r\n{}", get("/next")));
        assert_eq!(peer.try_reply_to(Asked::Head).expect("a head").status, 200);
        assert_eq!(peer.reply().body, b"next");
    }
    server.drain();
    assert_eq!(server.clean_report().served, 4);
}

fn a_peer_that_pipelines_lets_others_have_their_turn(shell: Shell) {
    let (begun, go_on) = (Latch::new(), Latch::new());
    let order = Arc::new(Mutex::new(Vec::new()));
    let (tell, wait, seen) = (begun.clone(), go_on.clone(), Arc::clone(&order));
    let handler = Handler::new(move |request| {
        let path = request.uri().path().to_owned();
        if path == "/first" {
            tell.open();
            wait.block("the other peer's request");
        }
        seen.lock().unwrap().push(path);
        async { text("x") }
    });
    let server = Setup::default().start(shell, handler);
    let (mut many, mut one) = (server.connect(), server.connect());
    one.ask_and_stay("/before");
    many.send([get("/first"), get("/many").repeat(600)].concat());
    begun.block("the first of many");
    one.get("/one");
    go_on.open();
    one.reply();
    let order = order.lock().unwrap();
    let place = order.iter().position(|path| path == "/one").expect("it was answered");
    assert!(place < 400, "it was the {place}th of {}", order.len());
}

/// A body that always has more, and leaves nothing of what a task of tokio may do in one go.
struct Greedy {
    _gone: OnDrop,
}

impl Body for Greedy {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        for _ in 0..8 {
            match coop::poll_proceed(cx) {
                Poll::Ready(step) => step.made_progress(),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b'x'; 1000])))))
    }
}

/// A timer that is set when a task may do no more is one that nobody hears.
fn a_reader_that_stops_is_left_however_busy_its_response_was(shell: Shell) {
    let gone = Latch::new();
    let dropped = gone.clone();
    let handler = Handler::new(move |_| {
        let body = Greedy { _gone: dropped.on_drop() };
        async { http::Response::new(body.boxed_unsync()) }
    });
    let setup = Setup::default().timeouts(|timeouts| {
        timeouts.first_request = Allowance::millis(200, 200);
        timeouts.write = Allowance::millis(300, 300);
    });
    let server = setup.start(shell, handler);
    let mut peer = server.connect();
    peer.get("/");
    // It reads on while the first timers come, and are set again.
    let since = Instant::now();
    while since.elapsed() < Duration::from_millis(800) {
        peer.read().expect("the response goes on");
    }
    gone.block("the end of the connection");
}
