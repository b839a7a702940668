//! What is left at the deadline, or when the operator will not wait.

use lameduck_core::{Allowance, CloseReason, Stage, Timer};
use lameduck_service::Report;
use lameduck_tests::h2::{Peer, Sent, code, frame, setting};
use lameduck_tests::handlers::{Handler, Latch, collect, text};
use lameduck_tests::on_every_shell;
use lameduck_tests::peer::End;
use lameduck_tests::shells::{Running, Shell};

use crate::kit::{
    ack_notice, await_fin, await_notice, expect_fin, hear_of_the_drain, patient, reset_code, whole,
};

on_every_shell!(
    each_stream_that_is_left_at_the_deadline_is_reset_and_named,
    a_forced_end_names_each_stream_that_it_cuts,
    r27_a_stream_whose_window_stays_shut_is_named_before_the_deadline,
    r27_a_peer_that_takes_nothing_is_named_before_the_deadline,
    a_peer_that_falls_silent_in_a_drain_is_named_with_what_it_asked_for,
    who_holds_a_drain_is_known_while_it_lasts,
    what_a_peer_has_given_up_with_its_fin_is_not_named,
);

/// Each request as it was cut, in the order of their paths.
fn named(report: &Report) -> Vec<(Option<&str>, Stage, CloseReason)> {
    let mut named: Vec<_> =
        report.cut.iter().map(|cut| (cut.request.as_deref(), cut.stage, cut.reason)).collect();
    named.sort_by_key(|cut| cut.0);
    named
}

/// `/answer` is answered at once, with more than any first window takes; `/read` once its body is here; `/wait`
/// never.
fn handler() -> Handler {
    Handler::new(|request| async move {
        match request.uri().path() {
            "/answer" => text(vec![b'x'; 200_000]),
            "/read" => text(collect(request.into_body()).await.expect("it comes to its end")),
            "/wait" => {
                std::future::pending::<()>().await;
                text("never")
            }
            path => text(path.to_owned()),
        }
    })
}

/// One stream of each kind, and one that is through.
fn one_of_each(server: &Running) -> Peer {
    let mut peer = Peer::greeted(server.address());
    peer.get(1, "/through");
    whole(&mut peer, 1);
    peer.get(3, "/wait");
    peer.post(5, "/read");
    peer.send(frame::data(5, "half"));
    peer.get(7, "/answer");
    peer.until(|sent| matches!(sent, Sent::Data { stream: 7, .. }));
    peer
}

fn each_stream_that_is_left_at_the_deadline_is_reset_and_named(shell: Shell) {
    let server = patient().grace(300).start(shell, handler());
    let mut idle = Peer::greeted(server.address());
    let mut peer = one_of_each(&server);
    server.drain();
    assert_eq!(hear_of_the_drain(&mut idle), 0);
    assert_eq!(hear_of_the_drain(&mut peer), 7);
    for stream in [3, 5, 7] {
        assert_eq!(reset_code(&mut peer, stream), code::CANCEL);
    }
    let rest = await_fin(&mut peer);
    let is_growing = |sent: &Sent| matches!(sent, Sent::GoAway { last, .. } if *last != 7);
    assert!(!rest.iter().any(is_growing), "{rest:#?}");
    drop((idle, peer));
    let report = server.report();
    let cut = |request| (Some(request), Stage::Serving, CloseReason::StreamsCut);
    assert_eq!(named(&report), [cut("GET /answer"), cut("GET /wait"), cut("POST /read")]);
    assert!(report.cut.iter().all(|cut| cut.protocol == "HTTP/2" && cut.age.as_millis() > 0), "{report:#?}");
    assert_eq!((report.served, report.drained), (1, 1));
}

/// At once, and without a word.
fn a_forced_end_names_each_stream_that_it_cuts(shell: Shell) {
    let server = patient().start(shell, handler());
    let mut peer = one_of_each(&server);
    server.drain();
    await_notice(&mut peer);
    server.handle.force();
    assert_eq!(peer.rest().1, End::Reset);
    let report = server.report();
    assert!(report.was_forced());
    let cut = |request| (Some(request), Stage::Serving, CloseReason::CutByForce);
    assert_eq!(named(&report), [cut("GET /answer"), cut("GET /wait"), cut("POST /read")]);
}

/// One that stalls is not waited for until the deadline, and does not go unnoticed.
fn r27_a_stream_whose_window_stays_shut_is_named_before_the_deadline(shell: Shell) {
    let setup = patient().timeouts(|timeouts| timeouts.write = Allowance::millis(60_000, 80));
    let server = setup.start(shell, handler());
    let mut peer = Peer::connect(server.address());
    peer.greet(&[(setting::INITIAL_WINDOW_SIZE, 10)]);
    peer.get(1, "/answer");
    peer.until(|sent| matches!(sent, Sent::Data { stream: 1, .. }));
    server.drain();
    assert_eq!(hear_of_the_drain(&mut peer), 1);
    assert_eq!(reset_code(&mut peer, 1), code::CANCEL);
    expect_fin(peer);
    let report = server.report();
    assert_eq!(report.served, 0);
    let [cut] = &report.cut[..] else { panic!("{report:#?}") };
    assert_eq!(cut.request.as_deref(), Some("GET /answer"));
    assert_eq!(cut.reason, CloseReason::TimedOut(Timer::Window));
}

/// The same one layer down: its socket is full.
fn r27_a_peer_that_takes_nothing_is_named_before_the_deadline(shell: Shell) {
    let setup = patient().timeouts(|timeouts| timeouts.write = Allowance::millis(60_000, 150));
    let called = Latch::new();
    let begun = called.clone();
    let handler = Handler::new(move |_| {
        begun.open();
        std::future::ready(text(vec![b'x'; 32 << 20]))
    });
    let server = setup.start(shell, handler);
    let mut peer = Peer::over(lameduck_tests::peer::Peer::with_least_buffer(server.address()));
    peer.greet(&[(setting::INITIAL_WINDOW_SIZE, 0x7fff_ffff)]);
    peer.grant(0, 0x7000_0000);
    peer.get(1, "/large");
    called.block("the call");
    server.drain();
    let report = server.report();
    let [cut] = &report.cut[..] else { panic!("{report:#?}") };
    assert_eq!(cut.request.as_deref(), Some("GET /large"));
    assert_eq!(cut.reason, CloseReason::TimedOut(Timer::Write));
    assert_eq!(report.served, 0);
    peer.socket.expect_reset();
}

/// Whether it is there nobody knows; what it asked for is lost with it.
fn a_peer_that_falls_silent_in_a_drain_is_named_with_what_it_asked_for(shell: Shell) {
    let setup = patient().timeouts(|timeouts| {
        timeouts.silence = Allowance::millis(60_000, 50);
        timeouts.ping_ack = Allowance::millis(60_000, 50);
    });
    let server = setup.start(shell, handler());
    let mut waiting = Peer::greeted(server.address());
    waiting.get(1, "/wait");
    let mut idle = Peer::greeted(server.address());
    idle.get(1, "/through");
    whole(&mut idle, 1);
    let address = waiting.socket.address();
    server.drain();
    await_notice(&mut waiting);
    await_notice(&mut idle);
    waiting.socket.expect_reset();
    let report = server.report();
    let [cut] = &report.cut[..] else { panic!("{report:#?}") };
    assert_eq!((cut.peer, cut.request.as_deref()), (address, Some("GET /wait")));
    assert_eq!(cut.reason, CloseReason::TimedOut(Timer::PingAck));
}

/// For the operator who asks what it waits for.
fn who_holds_a_drain_is_known_while_it_lasts(shell: Shell) {
    let setup = patient().timeouts(|timeouts| timeouts.goaway_ack = Allowance::millis(60_000, 30_000));
    let server = setup.start(shell, handler());
    let mut peer = Peer::greeted(server.address());
    peer.get(1, "/through");
    whole(&mut peer, 1);
    peer.get(3, "/wait");
    server.drain();
    let data = await_notice(&mut peer);
    let progress = server.await_holders(1);
    let [holder] = &progress.holders[..] else { panic!("{progress:#?}") };
    assert_eq!((holder.peer, holder.protocol), (peer.socket.address(), "HTTP/2"));
    assert_eq!((holder.stage, holder.request.as_deref()), (Stage::Serving, Some("GET /wait")));
    assert_eq!(holder.due.map(|due| due.timer), Some(Timer::GoawayAck), "{holder:#?}");
    assert_eq!(ack_notice(&mut peer, data), 3);
    peer.send(frame::rst_stream(3, code::CANCEL));
    expect_fin(peer);
    server.clean_report();
}

/// Half an upload was its own to lose; the other stream is the server's.
fn what_a_peer_has_given_up_with_its_fin_is_not_named(shell: Shell) {
    let server = patient().grace(300).start(shell, handler());
    let mut peer = Peer::greeted(server.address());
    peer.post(1, "/read");
    peer.send(frame::data(1, "half"));
    peer.get(3, "/wait");
    peer.socket.half_close();
    assert_eq!(reset_code(&mut peer, 1), code::CANCEL);
    server.drain();
    assert_eq!(reset_code(&mut peer, 3), code::CANCEL);
    peer.rest();
    let cut = server.report();
    assert_eq!(named(&cut), [(Some("GET /wait"), Stage::Serving, CloseReason::StreamsCut)]);
}
