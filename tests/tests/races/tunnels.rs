//! Connections that became something else.

use std::thread;

use http::{Response, StatusCode};
use http_body_util::BodyExt;
use lameduck_core::{CloseReason, Stage};
use lameduck_service::{DrainNotice, Tunnel};
use lameduck_tests::handlers::{Handler, Latch, Reply, block_on, next_piece, pipe, telling, text};
use lameduck_tests::on_every_shell;
use lameduck_tests::peer::{End, Peer, field};
use lameduck_tests::reader::Asked;
use lameduck_tests::shells::{Setup, Shell};

on_every_shell!(
    a_tunnel_carries_both_ways_and_ends_when_both_have,
    a_new_upgrade_in_a_drain_is_refused_with_503,
    an_upgrade_that_the_handler_had_before_the_drain_is_made,
    r19_a_tunnel_is_told_and_ends_itself,
    r19_a_tunnel_that_does_not_end_is_cut_at_the_deadline_and_named,
);

const UPGRADE: &str = "GET /chat HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n";

/// Agrees to every upgrade and CONNECT and sends back what comes, in capitals; says goodbye in a drain,
/// where that is asked for.
fn echo() -> Handler {
    Handler::new(|request| {
        let extensions = request.extensions();
        let Some(mut incoming) = extensions.get::<Tunnel>().and_then(Tunnel::incoming) else {
            return std::future::ready(text("no tunnel"));
        };
        let notice = extensions.get::<DrainNotice>().expect("every request carries the notice").clone();
        let (tap, spout) = pipe();
        let says_goodbye = request.uri().path() == "/polite";
        thread::spawn(move || {
            if says_goodbye {
                block_on(notice.started());
                tap.send("BYE");
                return;
            }
            while let Ok(Some(piece)) = block_on(next_piece(&mut incoming)) {
                tap.send(piece.to_ascii_uppercase());
            }
        });
        let status = match request.method() == http::Method::CONNECT {
            true => StatusCode::OK,
            false => StatusCode::SWITCHING_PROTOCOLS,
        };
        let reply: Reply = Response::builder()
            .status(status)
            .header("connection", "upgrade")
            .header("upgrade", "echo")
            .body(spout.boxed_unsync())
            .expect("these are fields");
        std::future::ready(reply)
    })
}

fn upgrade(peer: &mut Peer, request: &str) {
    peer.send(request);
    let asked = if request.starts_with("CONNECT") { Asked::Connect } else { Asked::Plain };
    let reply = peer.try_reply_to(asked).expect("the handler agrees");
    assert!(matches!(reply.status, 101 | 200), "{reply:?}");
}

/// A FIN of one side leaves the other side open.
fn a_tunnel_carries_both_ways_and_ends_when_both_have(shell: Shell) {
    let server = Setup::default().start(shell, echo());
    for request in [UPGRADE, "CONNECT a:80 HTTP/1.1\r\nhost: a:80\r\n\r\n"] {
        let mut peer = server.connect();
        upgrade(&mut peer, request);
        peer.send("hello");
        assert_eq!(peer.take(5), b"HELLO");
        peer.send("bye");
        peer.half_close();
        assert_eq!(peer.rest(), (b"BYE".to_vec(), End::Fin));
    }
    server.drain();
    assert_eq!(server.clean_report().served, 2);
}

/// Nothing that a drain would have to cut is begun in it; whoever asks is told when to come back.
fn a_new_upgrade_in_a_drain_is_refused_with_503(shell: Shell) {
    let server = Setup::default().start(shell, echo());
    let (mut first, mut later) = (server.connect(), server.connect());
    later.ask_and_stay("/");
    server.drain();
    server.await_holders(2);
    first.send(UPGRADE);
    later.send("CONNECT a:80 HTTP/1.1\r\nhost: a:80\r\n\r\n");
    for mut peer in [first, later] {
        let reply = peer.reply();
        assert_eq!((reply.status, reply.says_close()), (503, true));
        assert!(field(&reply, "retry-after").is_some_and(|seconds| seconds.parse::<u32>().is_ok()));
        peer.expect_fin();
    }
    assert_eq!(server.clean_report().served, 1);
}

/// It had begun.
fn an_upgrade_that_the_handler_had_before_the_drain_is_made(shell: Shell) {
    let (called, go_on) = (Latch::new(), Latch::new());
    let (waits, released) = (called.clone(), go_on.clone());
    let handler = Handler::new(move |request| {
        let held = telling(&waits, released.wait());
        let incoming = request.extensions().get::<Tunnel>().and_then(Tunnel::incoming);
        async {
            held.await;
            drop(incoming);
            let mut reply = text("");
            *reply.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            reply.headers_mut().insert("connection", http::HeaderValue::from_static("upgrade"));
            reply.headers_mut().insert("upgrade", http::HeaderValue::from_static("echo"));
            reply
        }
    });
    let server = Setup::default().start(shell, handler);
    let mut peer = server.connect();
    peer.send(UPGRADE);
    called.block("the call");
    server.drain();
    go_on.open();
    assert_eq!(peer.reply().status, 101);
    peer.half_close();
    peer.expect_fin();
    server.clean_report();
}

/// Its connection is still counted, and its handler hears of the drain.
fn r19_a_tunnel_is_told_and_ends_itself(shell: Shell) {
    let server = Setup::default().start(shell, echo());
    let mut peer = server.connect();
    upgrade(&mut peer, &UPGRADE.replace("/chat", "/polite"));
    server.drain();
    assert_eq!(peer.take(3), b"BYE");
    peer.expect_fin();
    assert_eq!(server.clean_report().drained, 1);
}

/// The deadline is kept, and who was cut is known.
fn r19_a_tunnel_that_does_not_end_is_cut_at_the_deadline_and_named(shell: Shell) {
    let server = Setup::default().grace(150).start(shell, echo());
    let mut peer = server.connect();
    upgrade(&mut peer, UPGRADE);
    peer.send("still here");
    assert_eq!(peer.take(10), b"STILL HERE");
    server.drain();
    let address = peer.address();
    peer.expect_reset();
    let report = server.report();
    let [cut] = &report.cut[..] else { panic!("{:#?}", report.cut) };
    assert_eq!((cut.peer, cut.stage, cut.reason), (address, Stage::Tunnel, CloseReason::CutAtDeadline));
    assert_eq!(cut.request.as_deref(), Some("GET /chat"));
    assert_eq!((report.drained, report.was_forced()), (0, false));
}
