//! What comes in with a request, and who reads it.

use std::sync::{Arc, Mutex};

use lameduck_core::Allowance;
use lameduck_service::{Body, Tunnel};
use lameduck_tests::h2::{Peer, Sent, code, frame, setting};
use lameduck_tests::handlers::{Handler, Latch, collect, text};
use lameduck_tests::on_every_shell;
use lameduck_tests::shells::Shell;

use crate::kit::{await_fin, expect_end, expect_fin, hear_of_the_drain, patient, whole};

on_every_shell!(
    what_has_been_read_makes_room_before_its_response,
    what_is_not_read_makes_room_before_its_response,
    what_is_read_late_makes_room_while_its_response_waits,
    an_upload_that_is_answered_early_may_be_sent_to_its_end,
    an_upload_that_is_answered_early_is_none_to_be_cut,
    a_tunnel_whose_client_sends_nothing_is_at_its_end,
    the_body_of_a_request_that_no_handler_can_be_told_of_is_not_read,
);

/// The window of the connection is for all: one whose body has been read does not hold it while it works on.
fn what_has_been_read_makes_room_before_its_response(shell: Shell) {
    what_has_come_makes_room_before_its_response(shell, "/read");
}

/// Nor does one whose body nobody wants, though all of it is here.
fn what_is_not_read_makes_room_before_its_response(shell: Shell) {
    what_has_come_makes_room_before_its_response(shell, "/leave");
}

fn what_has_come_makes_room_before_its_response(shell: Shell, path: &str) {
    let (arrived, go_on) = (Latch::new(), Latch::new());
    let (here, gate) = (arrived.clone(), go_on.clone());
    let handler = Handler::new(move |request| {
        let (here, gate) = (here.clone(), gate.clone());
        async move {
            let path = request.uri().path().to_owned();
            let body = request.into_body();
            match path.as_str() {
                "/now" => return text(collect(body).await.expect("it comes to its end")),
                "/leave" => {
                    here.wait().await;
                    drop(body);
                }
                _ => {
                    here.wait().await;
                    collect(body).await.expect("it comes to its end");
                }
            }
            gate.wait().await;
            text(path)
        }
    });
    let mut setup = patient();
    setup.config.limits.connection_window = 65_535;
    let server = setup.start(shell, handler);
    let mut peer = Peer::greeted(server.address());
    peer.post(1, path);
    (0..3).for_each(|_| peer.send(frame::data(1, vec![0; 15_000])));
    peer.send(frame::data(1, vec![0; 15_000]).end_stream());
    peer.send(frame::ping([1; 8]));
    peer.until(|sent| *sent == Sent::PingAck([1; 8]));
    arrived.open();
    let mut granted = 0;
    while granted < 60_000 {
        if let Sent::WindowUpdate { stream: 0, increment } = peer.read() {
            granted += increment;
        }
    }
    peer.post(3, "/now");
    peer.send(frame::data(3, vec![0; 15_000]));
    peer.send(frame::data(3, vec![0; 15_000]).end_stream());
    assert_eq!(whole(&mut peer, 3).body.len(), 30_000);
    go_on.open();
    assert_eq!(whole(&mut peer, 1).body, path.as_bytes());
    server.drain();
    hear_of_the_drain(&mut peer);
    expect_end(peer);
    assert_eq!(server.clean_report().served, 2);
}

/// The handler has given its response, which waits for its client, and somebody else has the body.
fn what_is_read_late_makes_room_while_its_response_waits(shell: Shell) {
    let late: Arc<Mutex<Option<Body>>> = Arc::default();
    let shelf = Arc::clone(&late);
    let handler = Handler::new(move |request| {
        let shelf = Arc::clone(&shelf);
        async move {
            match request.uri().path() {
                "/late" => *shelf.lock().unwrap() = Some(request.into_body()),
                _ => drop(collect(request.into_body()).await.expect("it comes to its end")),
            }
            text("an answer")
        }
    });
    let mut setup = patient();
    setup.config.limits.connection_window = 65_535;
    let server = setup.start(shell, handler);
    let mut peer = Peer::connect(server.address());
    peer.greet(&[(setting::INITIAL_WINDOW_SIZE, 0)]);
    peer.post(1, "/late");
    let pieces = [16_384, 16_384, 16_384, 16_383].map(|size| frame::data(1, vec![0; size]));
    let [first, second, third, last] = pieces;
    peer.send_all(&[first, second, third, last.end_stream()]);
    peer.until(|sent| matches!(sent, Sent::Headers { stream: 1, .. }));
    // All of the connection's window is used up: it is granted again, though nobody has read a byte.
    peer.until(|sent| matches!(sent, Sent::WindowUpdate { stream: 0, .. }));
    peer.post(3, "/other");
    peer.send(frame::data(3, vec![0; 16_384]).end_stream());
    peer.grant(3, 100);
    assert_eq!(whole(&mut peer, 3).body, b"an answer");
    assert!(late.lock().unwrap().is_some());
    peer.grant(1, 100);
    assert_eq!(whole(&mut peer, 1).body, b"an answer");
    server.drain();
    hear_of_the_drain(&mut peer);
    expect_end(peer);
    assert_eq!(server.clean_report().served, 2);
}

/// A client that looks for its answer only then: it has to be let go on, in a drain too.
fn an_upload_that_is_answered_early_may_be_sent_to_its_end(shell: Shell) {
    let server = patient().start(shell, Handler::new(|_| async { text("not read") }));
    let mut peer = Peer::greeted(server.address());
    peer.post(1, "/");
    let granted = |sent: &Sent| match sent {
        Sent::WindowUpdate { stream: 1, increment } => *increment,
        _ => 0,
    };
    for count in 1..=64 {
        while 256 * 1024 + peer.sent().iter().map(granted).sum::<u32>() < count * 16_384 {
            peer.read();
        }
        peer.send(frame::data(1, vec![0; 16_384]));
        if count == 32 {
            server.drain();
            hear_of_the_drain(&mut peer);
        }
    }
    peer.send(frame::data(1, "").end_stream());
    assert_eq!(whole(&mut peer, 1).body, b"not read");
    await_fin(&mut peer);
    drop(peer);
    assert_eq!(server.clean_report().served, 1);
}

/// Its client goes on for as long as it may: at the deadline nothing is lost by that.
fn an_upload_that_is_answered_early_is_none_to_be_cut(shell: Shell) {
    let server = patient().grace(300).start(shell, Handler::new(|_| async { text("not read") }));
    let mut peer = Peer::greeted(server.address());
    peer.post(1, "/");
    assert_eq!(whole(&mut peer, 1).body, b"not read");
    server.drain();
    hear_of_the_drain(&mut peer);
    peer.send(frame::data(1, "more"));
    await_fin(&mut peer);
    drop(peer);
    assert_eq!(server.clean_report().served, 1);
}

/// END_STREAM in its head is the end of what goes through it.
fn a_tunnel_whose_client_sends_nothing_is_at_its_end(shell: Shell) {
    let handler = Handler::new(|request| async move {
        let tunnel = request.extensions().get::<Tunnel>().expect("CONNECT asks for one");
        let incoming = tunnel.incoming().expect("it has not been taken");
        let body = collect(incoming).await.expect("it comes to its end");
        text(format!("{} bytes", body.len()))
    });
    let server = patient().start(shell, handler);
    let mut peer = Peer::greeted(server.address());
    let connect = [(":method", "CONNECT"), (":authority", "a:1")];
    let head = peer.requests.headers(1, &connect).end_stream();
    peer.send(head);
    assert_eq!(whole(&mut peer, 1).body, b"0 bytes");
    server.drain();
    hear_of_the_drain(&mut peer);
    expect_fin(peer);
    assert_eq!(server.clean_report().served, 1);
}

/// Its target is well-formed for HTTP, but not for the types that handlers know. It does not stay for an upload without
/// an end.
fn the_body_of_a_request_that_no_handler_can_be_told_of_is_not_read(shell: Shell) {
    let soon = patient().timeouts(|timeouts| timeouts.linger_quiet = Allowance::millis(60, 60));
    let server = soon.start(shell, Handler::new(|_| async { text("nobody calls it") }));
    let mut peer = Peer::greeted(server.address());
    peer.post(1, "/<>\\^`");
    assert_eq!(peer.reply(1).status, 400);
    peer.until(|sent| *sent == Sent::RstStream { stream: 1, code: code::NO_ERROR });
    server.drain();
    hear_of_the_drain(&mut peer);
    expect_end(peer);
    server.report();
}
