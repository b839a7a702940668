//! How a drain ends, and what it says of that.

use std::thread;

use lameduck_core::server::{Cause, Stage};
use lameduck_core::{Allowance, CloseReason, Stage as ConnectionStage, Timer};
use lameduck_tests::handlers::{Handler, Latch, pipe, streaming};
use lameduck_tests::on_every_shell;
use lameduck_tests::peer::{End, Peer, post};
use lameduck_tests::shells::{PATIENCE, Setup, Shell};

on_every_shell!(
    r16_a_peer_that_never_closes_is_left_after_the_linger,
    r16_a_peer_that_never_stops_sending_is_left_after_the_linger,
    r20_a_drain_that_is_begun_twice_is_one_drain,
    r20_the_end_is_forced_in_the_middle_of_a_drain,
    r23_a_drain_ends_the_moment_nothing_is_left,
    r23_an_empty_server_drains_at_once,
    r24_the_second_signal_is_heard_while_the_first_is_obeyed,
    what_is_left_at_the_deadline_is_cut_and_named,
    what_is_left_at_the_deadline_is_cut_wherever_it_stands,
    a_forced_end_without_a_drain_names_what_it_cuts,
    a_drain_after_the_end_changes_nothing,
    who_holds_a_drain_is_known_while_it_lasts,
    the_steps_of_a_drain_are_recorded,
);

/// After our FIN nobody is waited for without a bound.
fn r16_a_peer_that_never_closes_is_left_after_the_linger(shell: Shell) {
    let setup = Setup::default().timeouts(|timeouts| {
        timeouts.keep_alive = Allowance::millis(60_000, 0);
        timeouts.linger_quiet = Allowance::millis(60_000, 60);
        timeouts.linger = Allowance::millis(60_000, 60_000);
    });
    let server = setup.start(shell, Handler::echoing_the_path());
    let mut peer = server.connect();
    peer.ask_and_stay("/one");
    server.drain();
    assert_eq!(server.clean_report().drained, 1);
    peer.expect_fin();
}

/// Nor one that goes on talking.
fn r16_a_peer_that_never_stops_sending_is_left_after_the_linger(shell: Shell) {
    let setup = Setup::default().timeouts(|timeouts| {
        timeouts.keep_alive = Allowance::millis(60_000, 0);
        timeouts.linger_quiet = Allowance::millis(60_000, 60_000);
        timeouts.linger = Allowance::millis(60_000, 150);
    });
    let server = setup.start(shell, Handler::echoing_the_path());
    let mut peer = server.connect();
    peer.ask_and_stay("/one");
    server.drain();
    assert_eq!(peer.rest(), (Vec::new(), End::Fin));
    let mut stream = peer.stream().try_clone().expect("there are descriptors");
    let talker = thread::spawn(move || {
        use std::io::Write;
        while stream.write_all(b"more and more ").is_ok() {}
    });
    assert_eq!(server.clean_report().drained, 1);
    talker.join().unwrap();
}

/// From any thread, however often.
fn r20_a_drain_that_is_begun_twice_is_one_drain(shell: Shell) {
    let (called, go_on) = (Latch::new(), Latch::new());
    let server = Setup::default().start(shell, Handler::held(&called, &go_on));
    let mut peer = server.connect();
    peer.get("/held");
    called.block("the call");
    let begin = || {
        let handle = server.handle.clone();
        thread::spawn(move || handle.begin())
    };
    let threads: Vec<_> = (0..4).map(|_| begin()).collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let Stage::Draining { deadline } = server.handle.progress().stage else { panic!("it is held") };
    server.handle.begin();
    assert_eq!(server.handle.progress().stage, Stage::Draining { deadline }, "the deadline stays");
    go_on.open();
    assert!(peer.reply().says_close());
    peer.expect_fin();
    let report = server.clean_report();
    assert_eq!(report.transitions.len(), 2, "{:#?}", report.transitions);
}

/// The operator does not wait; what he cuts is named and counted.
fn r20_the_end_is_forced_in_the_middle_of_a_drain(shell: Shell) {
    let (called, never) = (Latch::new(), Latch::new());
    let server = Setup::default().start(shell, Handler::held(&called, &never));
    let mut idle = server.connect();
    let mut busy = server.connect();
    busy.get("/stuck");
    called.block("the call");
    idle.send("GET /half");
    server.drain();
    server.handle.begin();
    let handle = server.handle.clone();
    thread::spawn(move || handle.force()).join().unwrap();
    let address = busy.address();
    let half = idle.address();
    let report = server.report();
    assert!(report.was_forced());
    let mut cut: Vec<_> =
        report.cut.iter().map(|cut| (cut.peer, cut.stage, cut.request.as_deref(), cut.reason)).collect();
    cut.sort_by_key(|cut| cut.0 == address);
    let reason = CloseReason::CutByForce;
    let expected = [
        (half, ConnectionStage::Head, None, reason),
        (address, ConnectionStage::Serving, Some("GET /stuck"), reason),
    ];
    assert_eq!(cut, expected);
    assert_eq!((report.served, report.drained), (0, 0));
    busy.expect_reset();
    idle.expect_reset();
}

/// It is never slept out.
fn r23_a_drain_ends_the_moment_nothing_is_left(shell: Shell) {
    let (called, go_on) = (Latch::new(), Latch::new());
    let server = Setup::default().start(shell, Handler::held(&called, &go_on));
    let mut peer = server.connect();
    peer.get("/held");
    called.block("the call");
    server.drain();
    let draining = server.handle.progress().stage;
    assert!(matches!(draining, Stage::Draining { .. }), "one request is left: {draining:?}");
    go_on.open();
    peer.reply();
    drop(peer);
    assert_eq!(server.handle.wait_for_step(draining, PATIENCE), Stage::Stopped);
    let report = server.clean_report();
    let last = report.transitions.last().expect("it has stopped");
    let Stage::Draining { deadline } = draining else { return };
    assert!(last.cause == Cause::NothingLeft && last.at < deadline, "{last:?}");
}

/// There is nothing to wait for.
fn r23_an_empty_server_drains_at_once(shell: Shell) {
    let server = Setup::default().start(shell, Handler::echoing_the_path());
    server.connect().ask_and_stay("/one");
    server.handle.begin();
    let report = server.clean_report();
    assert_eq!(report.served, 1);
}

/// Whoever begins the drain is not kept until it ends.
fn r24_the_second_signal_is_heard_while_the_first_is_obeyed(shell: Shell) {
    let (called, never) = (Latch::new(), Latch::new());
    let server = Setup::default().start(shell, Handler::held(&called, &never));
    let mut peer = server.connect();
    peer.get("/stuck");
    called.block("the call");
    let handle = server.handle.clone();
    // One thread, as a program has for its signals.
    let signals = thread::spawn(move || {
        handle.begin();
        assert!(matches!(handle.progress().stage, Stage::Draining { .. }));
        handle.force();
    });
    signals.join().unwrap();
    peer.expect_reset();
    let report = server.report();
    assert!(report.was_forced());
    assert_eq!(report.cut.len(), 1);
}

/// Peer, state, request, age.
fn what_is_left_at_the_deadline_is_cut_and_named(shell: Shell) {
    let (called, never) = (Latch::new(), Latch::new());
    let server = Setup::default().grace(120).start(shell, Handler::held(&called, &never));
    let mut done = server.connect();
    done.get("/stuck?x=1");
    called.block("the call");
    let address = done.address();
    server.drain();
    done.expect_reset();
    let report = server.report();
    let [cut] = &report.cut[..] else { panic!("{:#?}", report.cut) };
    assert_eq!((cut.peer, cut.protocol), (address, "HTTP/1"));
    assert_eq!((cut.stage, cut.reason), (ConnectionStage::Serving, CloseReason::CutAtDeadline));
    assert_eq!(cut.request.as_deref(), Some("GET /stuck?x=1"));
    assert!(cut.age.as_millis() >= 120, "{:?}", cut.age);
    assert!(cut.to_string().contains("GET /stuck?x=1"), "{cut}");
    assert!(!report.was_forced(), "the deadline is not the operator");
    let forced = report.transitions.iter().find(|step| step.to == Stage::Forced).map(|step| step.cause);
    assert_eq!(forced, Some(Cause::Deadline));
}

/// In a head, in a body, in a response. What is idle is not cut, only closed.
fn what_is_left_at_the_deadline_is_cut_wherever_it_stands(shell: Shell) {
    let taps = std::sync::Mutex::new(Vec::new());
    let handler = Handler::new(move |request| {
        let (tap, spout) = pipe();
        tap.send("begun");
        taps.lock().unwrap().push(tap);
        async move {
            if request.uri().path() == "/body" {
                let _ = lameduck_tests::handlers::collect(request.into_body()).await;
            }
            streaming(spout)
        }
    });
    let server = Setup::default().grace(200).start(shell, handler);
    let (idle, mut head) = (server.connect(), server.connect());
    let (mut body, mut response) = (server.connect(), server.connect());
    head.send("GET /head HTTP/1.1\r\n");
    body.send(post("/body", 10) + "abc");
    response.get("/response");
    response.take_through("begun");
    server.drain();
    let addresses = [&head, &body, &response].map(lameduck_tests::peer::Peer::address);
    idle.expect_fin_or_reset();
    for peer in [head, body, response] {
        peer.expect_reset();
    }
    let report = server.report();
    let mut stages: Vec<_> =
        report.cut.iter().map(|cut| (cut.peer, cut.stage, cut.request.as_deref())).collect();
    stages.sort_by_key(|cut| addresses.iter().position(|address| *address == cut.0));
    let expected = [
        (addresses[0], ConnectionStage::Head, None),
        (addresses[1], ConnectionStage::Serving, Some("POST /body")),
        (addresses[2], ConnectionStage::Serving, Some("GET /response")),
    ];
    assert_eq!(stages, expected);
    assert_eq!((report.served, report.drained), (0, 1));
}

/// Without a word, and without a wait.
fn a_forced_end_without_a_drain_names_what_it_cuts(shell: Shell) {
    let (called, never) = (Latch::new(), Latch::new());
    let server = Setup::default().start(shell, Handler::held(&called, &never));
    let mut peer = server.connect();
    peer.get("/stuck");
    called.block("the call");
    server.handle.force();
    peer.expect_reset();
    let report = server.report();
    let [cut] = &report.cut[..] else { panic!("{:#?}", report.cut) };
    assert_eq!(cut.request.as_deref(), Some("GET /stuck"));
}

/// It is over.
fn a_drain_after_the_end_changes_nothing(shell: Shell) {
    let server = Setup::default().start(shell, Handler::echoing_the_path());
    server.drain();
    let handle = server.handle.clone();
    let before = server.clean_report();
    handle.begin();
    handle.force();
    assert_eq!(handle.progress().stage, Stage::Stopped);
    assert_eq!(handle.progress().open, 0);
    assert!(!before.was_forced());
}

/// For the operator who asks what it waits for.
fn who_holds_a_drain_is_known_while_it_lasts(shell: Shell) {
    let (called, go_on) = (Latch::new(), Latch::new());
    let setup = Setup::default().timeouts(|timeouts| timeouts.head = Allowance::millis(60_000, 30_000));
    let server = setup.start(shell, Handler::held(&called, &go_on));
    let (mut busy, mut slow) = (server.connect(), server.connect());
    busy.get("/held");
    called.block("the call");
    slow.send("GET /slow");
    server.drain();
    let named = server.await_holders(2);
    assert_eq!(named.open, 2);
    assert!(named.time_left.is_some());
    let find = |address| named.holders.iter().find(|holder| holder.peer == address).expect("it is named");
    let (held, half) = (find(busy.address()), find(slow.address()));
    assert_eq!((held.stage, held.request.as_deref()), (ConnectionStage::Serving, Some("GET /held")));
    assert_eq!(half.stage, ConnectionStage::Head);
    assert_eq!(half.due.map(|due| due.timer), Some(Timer::Head));
    go_on.open();
    assert!(busy.reply().says_close());
    slow.send(" HTTP/1.1\r\nhost: a\r\n\r\n");
    assert!(slow.reply().says_close());
    busy.expect_fin();
    slow.expect_fin();
    server.clean_report();
}

/// Each with its cause.
fn the_steps_of_a_drain_are_recorded(shell: Shell) {
    let server = Setup::default().start(shell, Handler::echoing_the_path());
    let mut peer = server.connect();
    peer.ask_and_stay("/one");
    server.drain();
    drop(peer);
    let steps: Vec<_> =
        server.clean_report().transitions.iter().map(|step| (step.from, step.cause)).collect();
    assert!(
        matches!(steps[..], [(Stage::Serving, Cause::Asked), (Stage::Draining { .. }, Cause::NothingLeft)]),
        "{steps:?}"
    );
}

/// A server that nobody waits for any more is not left running: its connections are cut, its doors closed.
#[test]
fn a_serve_that_is_dropped_is_forced_to_end() {
    let bound = Setup { listeners: 2, ..Setup::default() }.open();
    let (addresses, handle) = (bound.addresses.clone(), bound.opened.handle());
    let (called, never) = (Latch::new(), Latch::new());
    let handler = Handler::held(&called, &never);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let serving = runtime.spawn(lameduck_tokio::serve(bound.opened, handler));
    let mut peer = Peer::connect(addresses[0]);
    peer.get("/stuck");
    called.block("the call");
    serving.abort();
    peer.expect_reset();
    assert!(runtime.block_on(serving).unwrap_err().is_cancelled());
    while handle.progress().stage != Stage::Stopped {
        handle.wait_for_step(handle.progress().stage, PATIENCE);
    }
    assert_eq!(handle.progress().open, 0);
    for address in addresses {
        while std::net::TcpStream::connect(address).is_ok() {}
    }
}
