//! Streams that do not end by themselves: events, and tunnels.

use std::sync::{Arc, Mutex};
use std::thread;

use http::StatusCode;
use lameduck_core::{Allowance, CloseReason};
use lameduck_service::{DrainNotice, Tunnel};
use lameduck_tests::h2::{Peer, Sent, code, frame};
use lameduck_tests::handlers::{Handler, Tap, block_on, empty, next_piece, pipe, streaming};
use lameduck_tests::on_every_shell;
use lameduck_tests::shells::Shell;

use crate::kit::{await_fin, expect_fin, hear_of_the_drain, patient, reset_code, whole};

on_every_shell!(
    events_are_told_of_the_drain_and_end_themselves,
    events_that_do_not_end_are_cut_at_the_deadline_and_named,
    tunnels_carry_both_ways_beside_each_other,
    tunnels_are_told_of_the_drain_and_end_themselves,
    tunnels_that_do_not_end_are_cut_at_the_deadline_and_named,
    a_connect_that_is_refused_is_answered_like_any_request,
);

fn notice(request: &http::Request<lameduck_service::Body>) -> DrainNotice {
    request.extensions().get::<DrainNotice>().expect("every request carries the notice").clone()
}

/// A client that takes events on `count` streams, the first of which has come on each.
fn listener(server: &lameduck_tests::shells::Running, count: u32) -> Peer {
    let mut peer = Peer::greeted(server.address());
    for stream in (0..count).map(|at| at * 2 + 1) {
        peer.get(stream, &format!("/events/{stream}"));
        peer.until(|sent| matches!(sent, Sent::Data { stream: at, .. } if *at == stream));
    }
    peer
}

/// As a good handler does: a last word, and the end.
fn events_are_told_of_the_drain_and_end_themselves(shell: Shell) {
    let handler = Handler::new(|request| {
        let (tap, spout) = pipe();
        let notice = notice(&request);
        tap.send("data: 1\n\n");
        thread::spawn(move || {
            block_on(notice.started());
            tap.send("retry: 1000\n\n");
        });
        std::future::ready(streaming(spout))
    });
    let server = patient().start(shell, handler);
    let mut peer = listener(&server, 20);
    server.drain();
    assert_eq!(hear_of_the_drain(&mut peer), 39);
    for stream in (1..40).step_by(2) {
        assert_eq!(whole(&mut peer, stream).body, b"data: 1\n\nretry: 1000\n\n");
    }
    expect_fin(peer);
    assert_eq!(server.clean_report().served, 20);
}

/// CANCEL, so that the client can tell; and a line for each, so that the operator can.
fn events_that_do_not_end_are_cut_at_the_deadline_and_named(shell: Shell) {
    let taps: Arc<Mutex<Vec<Tap>>> = Arc::default();
    let kept = Arc::clone(&taps);
    let handler = Handler::new(move |_| {
        let (tap, spout) = pipe();
        tap.send("data: 1\n\n");
        kept.lock().unwrap().push(tap);
        std::future::ready(streaming(spout))
    });
    let server = patient().grace(300).start(shell, handler);
    let mut peer = listener(&server, 3);
    server.drain();
    assert_eq!(hear_of_the_drain(&mut peer), 5);
    for stream in [1, 3, 5] {
        assert_eq!(reset_code(&mut peer, stream), code::CANCEL);
    }
    let address = peer.socket.address();
    await_fin(&mut peer);
    drop(peer);
    taps.lock().unwrap().iter().for_each(|tap| tap.gone().block("its reader is dropped"));
    let report = server.report();
    let mut named: Vec<_> =
        report.cut.iter().map(|cut| (cut.peer, cut.request.as_deref(), cut.reason)).collect();
    named.sort_by_key(|cut| cut.1);
    let expected = ["GET /events/1", "GET /events/3", "GET /events/5"];
    assert_eq!(named, expected.map(|request| (address, Some(request), CloseReason::StreamsCut)));
    assert_eq!((report.served, report.drained), (0, 0));
}

/// Agrees to every CONNECT and sends back what comes, in capitals; where the drain is to end it, it says goodbye.
fn echo() -> Handler {
    Handler::new(|request| {
        let Some(mut incoming) = request.extensions().get::<Tunnel>().and_then(Tunnel::incoming) else {
            return std::future::ready(empty(StatusCode::BAD_REQUEST));
        };
        if request.uri().authority().is_some_and(|authority| authority.host() == "forbidden") {
            return std::future::ready(empty(StatusCode::FORBIDDEN));
        }
        let is_polite = request.uri().authority().is_some_and(|authority| authority.host() == "polite");
        let notice = notice(&request);
        let (tap, spout) = pipe();
        thread::spawn(move || {
            if is_polite {
                block_on(notice.started());
                tap.send("BYE");
                return;
            }
            while let Ok(Some(piece)) = block_on(next_piece(&mut incoming)) {
                tap.send(piece.to_ascii_uppercase());
            }
        });
        std::future::ready(streaming(spout))
    })
}

/// RFC 9113 section 8.5.
fn connect(peer: &mut Peer, stream: u32, authority: &str) {
    let request = peer.requests.headers(stream, &[(":method", "CONNECT"), (":authority", authority)]);
    peer.send(request);
    let sent = peer.until(|sent| matches!(sent, Sent::Headers { stream: at, .. } if *at == stream));
    let Sent::Headers { fields, end, .. } = sent else { unreachable!() };
    assert_eq!((fields[0].1.as_slice(), end), (&b"200"[..], false), "{fields:?}");
}

#[track_caller]
fn echoes(peer: &mut Peer, stream: u32, said: &str) {
    peer.send(frame::data(stream, said));
    let mut heard = Vec::new();
    while heard.len() < said.len() {
        if let Sent::Data { stream: at, data, .. } = peer.read()
            && at == stream
        {
            heard.extend_from_slice(&data);
        }
    }
    assert_eq!(String::from_utf8_lossy(&heard), said.to_ascii_uppercase());
}

/// On one connection; a client's END_STREAM ends its own half, and no other stream.
fn tunnels_carry_both_ways_beside_each_other(shell: Shell) {
    let server = patient().start(shell, echo());
    let mut peer = Peer::greeted(server.address());
    for stream in [1, 3] {
        connect(&mut peer, stream, "a:80");
    }
    echoes(&mut peer, 1, "one");
    echoes(&mut peer, 3, "three");
    server.drain();
    assert_eq!(hear_of_the_drain(&mut peer), 3);
    echoes(&mut peer, 1, "still one");
    peer.send(frame::data(1, "end").end_stream());
    assert_eq!(whole(&mut peer, 1).body, b"ONESTILL ONEEND");
    echoes(&mut peer, 3, "still three");
    peer.send(frame::data(3, "").end_stream());
    assert_eq!(whole(&mut peer, 3).body, b"THREESTILL THREE");
    expect_fin(peer);
    assert_eq!(server.clean_report().served, 2);
}

/// Whether the client ends its half too does not matter to the end.
fn tunnels_are_told_of_the_drain_and_end_themselves(shell: Shell) {
    let server = patient().start(shell, echo());
    let mut peer = Peer::greeted(server.address());
    connect(&mut peer, 1, "polite:80");
    server.drain();
    assert_eq!(hear_of_the_drain(&mut peer), 1);
    assert_eq!(whole(&mut peer, 1).body, b"BYE");
    peer.send(frame::data(1, "").end_stream());
    await_fin(&mut peer);
    drop(peer);
    assert_eq!(server.clean_report().served, 1);
}

fn tunnels_that_do_not_end_are_cut_at_the_deadline_and_named(shell: Shell) {
    let server = patient().grace(300).start(shell, echo());
    let mut peer = Peer::greeted(server.address());
    connect(&mut peer, 1, "a:80");
    connect(&mut peer, 3, "b:80");
    server.drain();
    assert_eq!(hear_of_the_drain(&mut peer), 3);
    for stream in [1, 3] {
        assert_eq!(reset_code(&mut peer, stream), code::CANCEL);
    }
    await_fin(&mut peer);
    drop(peer);
    let report = server.report();
    let mut named: Vec<_> = report.cut.iter().filter_map(|cut| cut.request.as_deref()).collect();
    named.sort_unstable();
    assert_eq!(named, ["CONNECT a:80", "CONNECT b:80"]);
}

/// It has become no tunnel.
fn a_connect_that_is_refused_is_answered_like_any_request(shell: Shell) {
    let soon = patient().timeouts(|timeouts| timeouts.linger_quiet = Allowance::millis(60, 60));
    let server = soon.start(shell, echo());
    let mut peer = Peer::greeted(server.address());
    let request = [(":method", "CONNECT"), (":authority", "forbidden:80")];
    let request = peer.requests.headers(1, &request);
    peer.send(request);
    assert_eq!(peer.reply(1).status, 403);
    server.drain();
    assert_eq!(hear_of_the_drain(&mut peer), 1);
    await_fin(&mut peer);
    drop(peer);
    server.clean_report();
}
