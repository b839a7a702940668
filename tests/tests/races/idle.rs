//! Connections on which no request has begun.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use lameduck_core::Allowance;
use lameduck_tests::handlers::{Handler, Latch, text};
use lameduck_tests::peer::{End, get, post};
use lameduck_tests::shells::{Setup, Shell};
use lameduck_tests::{on_every_shell, on_single_threads};

on_every_shell!(
    a_connection_that_never_speaks_gets_a_fin_after_first_request,
    r01_a_request_on_the_wire_when_the_drain_comes_is_served,
    r01_a_request_that_comes_after_our_fin_is_not_executed,
    r04_the_first_request_may_still_come,
    r04_a_connection_that_never_speaks_holds_nothing_when_it_leaves,
    r28_a_first_request_of_which_one_byte_is_here_has_begun,
    an_idle_connection_that_has_been_quiet_gets_a_fin_at_once,
    an_idle_connection_stays_until_it_has_been_quiet_for_long_enough,
    what_was_quiet_before_the_drain_counts_as_quiet,
    an_empty_line_begins_no_request,
);

on_single_threads!(
    r03_a_whole_request_in_the_kernels_buffer_is_served,
    r03_a_request_whose_fin_came_with_it_is_served,
    r03_a_client_that_left_in_the_kernels_buffer_is_no_loss,
);

/// Whoever connects and says nothing is given `first_request`, and no more.
fn a_connection_that_never_speaks_gets_a_fin_after_first_request(shell: Shell) {
    let setup = Setup::default().timeouts(|timeouts| timeouts.first_request = Allowance::millis(60_000, 60));
    let server = setup.start(shell, Handler::echoing_the_path());
    let peer = server.connect();
    server.drain();
    peer.expect_fin();
    let report = server.clean_report();
    assert_eq!((report.served, report.drained), (0, 1));
}

/// A client that was answered a moment ago has its next request on the way: it finds us there.
fn r01_a_request_on_the_wire_when_the_drain_comes_is_served(shell: Shell) {
    let server = Setup::default().start(shell, Handler::echoing_the_path());
    let mut peer = server.connect();
    peer.ask_and_stay("/one");
    server.drain();
    let reply = peer.ask("/two");
    assert_eq!((reply.status, reply.body.as_slice(), reply.says_close()), (200, &b"/two"[..], true));
    peer.expect_fin();
    let report = server.clean_report();
    assert_eq!((report.served, report.drained), (2, 1));
}

/// What a client sends after it could see our FIN is not executed behind its back: it may send it again
/// elsewhere.
fn r01_a_request_that_comes_after_our_fin_is_not_executed(shell: Shell) {
    let setup = Setup::default().timeouts(|timeouts| timeouts.keep_alive = Allowance::millis(60_000, 0));
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let handler = Handler::new(move |_| {
        counter.fetch_add(1, Ordering::SeqCst);
        async { text("done") }
    });
    let server = setup.start(shell, handler);
    let mut peer = server.connect();
    peer.ask_and_stay("/one");
    server.drain();
    assert_eq!(peer.rest(), (Vec::new(), End::Fin));
    peer.send(post("/two", 3) + "abc");
    assert_eq!(peer.rest().0, b"");
    drop(peer);
    assert_eq!(server.clean_report().served, 1);
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

/// Neither hung up on nor waited for without an end.
fn r04_the_first_request_may_still_come(shell: Shell) {
    let server = Setup::default().start(shell, Handler::echoing_the_path());
    let mut peer = server.connect();
    server.drain();
    let reply = peer.ask("/first");
    assert_eq!((reply.status, reply.says_close()), (200, true));
    peer.expect_fin();
    assert_eq!(server.clean_report().served, 1);
}

/// The drain ends with the last connection, not with the wait for its first byte.
fn r04_a_connection_that_never_speaks_holds_nothing_when_it_leaves(shell: Shell) {
    let server = Setup::default().start(shell, Handler::echoing_the_path());
    let (polite, rude) = (server.connect(), server.connect());
    server.drain();
    drop(polite);
    rude.reset();
    assert_eq!(server.clean_report().served, 0);
}

/// "No request has been served" is not "nothing is going on".
fn r28_a_first_request_of_which_one_byte_is_here_has_begun(shell: Shell) {
    let setup = Setup::default().timeouts(|timeouts| timeouts.first_request = Allowance::millis(60_000, 0));
    let server = setup.start(shell, Handler::echoing_the_path());
    // The server is known to have read what came before the second peer's exchange on the same thread; on
    // two threads, the bytes are at least in its buffer.
    let mut peers: Vec<_> = (0..4).map(|_| server.connect()).collect();
    peers.iter_mut().for_each(|peer| peer.send("G"));
    server.connect().ask_and_stay("/other");
    server.drain();
    for peer in &mut peers {
        peer.send(&get("/first")[1..]);
        assert!(peer.reply().says_close());
    }
    peers.clear();
    assert_eq!(server.clean_report().served, 5);
}

/// Idle and quiet: nothing is on the wire, and nothing is waited for.
fn an_idle_connection_that_has_been_quiet_gets_a_fin_at_once(shell: Shell) {
    let setup = Setup::default().timeouts(|timeouts| timeouts.keep_alive = Allowance::millis(60_000, 0));
    let server = setup.start(shell, Handler::echoing_the_path());
    let mut peers: Vec<_> = (0..8).map(|_| server.connect()).collect();
    peers.iter_mut().for_each(|peer| drop(peer.ask_and_stay("/one")));
    server.drain();
    for peer in peers {
        peer.expect_fin();
    }
    let report = server.clean_report();
    assert_eq!((report.served, report.drained), (8, 8));
}

/// The quiet is waited for, and then the FIN comes by itself.
fn an_idle_connection_stays_until_it_has_been_quiet_for_long_enough(shell: Shell) {
    let quiet = Duration::from_millis(120);
    let setup = Setup::default()
        .timeouts(|timeouts| timeouts.keep_alive = Allowance { draining: quiet, ..timeouts.keep_alive });
    let server = setup.start(shell, Handler::echoing_the_path());
    let mut peer = server.connect();
    let asked = Instant::now();
    peer.ask_and_stay("/one");
    server.drain();
    peer.expect_fin();
    assert!(asked.elapsed() >= quiet, "it was idle for {:?} only", asked.elapsed());
    assert_eq!(server.clean_report().drained, 1);
}

/// A connection that has been quiet since long before the drain is not given another quiet.
fn what_was_quiet_before_the_drain_counts_as_quiet(shell: Shell) {
    let quiet = Duration::from_secs(1);
    let setup = Setup::default()
        .timeouts(|timeouts| timeouts.keep_alive = Allowance { draining: quiet, ..timeouts.keep_alive });
    let server = setup.start(shell, Handler::echoing_the_path());
    let mut idle = server.connect();
    idle.ask_and_stay("/one");
    // The quiet passes as it does in life, by other work.
    let (since, mut busy) = (Instant::now(), server.connect());
    while since.elapsed() < quiet {
        busy.ask_and_stay("/work");
    }
    server.drain();
    idle.expect_fin();
    assert!(busy.ask("/last").says_close(), "the one that was quiet got its FIN before the busy one");
    drop(busy);
    server.clean_report();
}

/// Empty lines ahead of a request line are skipped (RFC 9112 section 2.2), and begin nothing.
fn an_empty_line_begins_no_request(shell: Shell) {
    let setup = Setup::default().timeouts(|timeouts| {
        timeouts.keep_alive = Allowance::millis(60_000, 50);
        timeouts.first_request = Allowance::millis(60_000, 50);
    });
    let server = setup.start(shell, Handler::echoing_the_path());
    let (mut first, mut second) = (server.connect(), server.connect());
    first.send("\r\n");
    second.ask_and_stay("/one");
    second.send("\r\n\r");
    server.drain();
    first.expect_fin();
    second.expect_fin();
    assert_eq!(server.clean_report().served, 1);
}

/// A handler that blocks its thread when asked for `/plug`, which is all that a shell of one thread has.
fn plugged(entered: &Latch, released: &Latch) -> Handler {
    let (entered, released) = (entered.clone(), released.clone());
    Handler::new(move |request| {
        if request.uri().path() == "/plug" {
            entered.open();
            released.block("the plug's release");
        }
        async move { text(request.uri().path().to_owned()) }
    })
}

/// The server has not read it; the state says "idle", and idle connections are closed at once.
fn r03_a_whole_request_in_the_kernels_buffer_is_served(shell: Shell) {
    let setup = Setup::default().timeouts(|timeouts| {
        timeouts.keep_alive = Allowance::millis(60_000, 0);
        timeouts.first_request = Allowance::millis(60_000, 0);
    });
    let (entered, released) = (Latch::new(), Latch::new());
    let server = setup.start(shell, plugged(&entered, &released));
    let mut idle: Vec<_> = (0..8).map(|_| server.connect()).collect();
    for peer in idle.iter_mut().skip(4) {
        peer.ask_and_stay("/one");
    }
    // One of them is asked last, so that the others have been accepted.
    let mut plug = server.connect();
    plug.ask_and_stay("/one");
    plug.get("/plug");
    entered.block("the plug");
    idle.iter_mut().for_each(|peer| peer.get("/two"));
    server.drain();
    released.open();
    for peer in &mut idle {
        let reply = peer.reply();
        assert_eq!((reply.status, reply.says_close()), (200, true));
    }
    // The step in which a handler blocks is the step of its answer.
    assert_eq!(plug.reply().status, 200);
    drop((idle, plug));
    assert_eq!(server.clean_report().served, 4 + 1 + 9);
}

/// The request, and the FIN of a client that has nothing more to say, reach a server that looks at neither
/// until it is told to drain.
fn r03_a_request_whose_fin_came_with_it_is_served(shell: Shell) {
    let setup = Setup::default().timeouts(|timeouts| timeouts.keep_alive = Allowance::millis(60_000, 0));
    let (entered, released) = (Latch::new(), Latch::new());
    let server = setup.start(shell, plugged(&entered, &released));
    let mut idle = server.connect();
    idle.ask_and_stay("/one");
    let mut plug = server.connect();
    plug.get("/plug");
    entered.block("the plug");
    idle.get("/two");
    idle.half_close();
    server.drain();
    released.open();
    assert!(idle.reply().says_close());
    idle.expect_fin();
    drop(plug);
    server.clean_report();
}

/// A RST that nobody has seen yet ends its own connection and no other.
fn r03_a_client_that_left_in_the_kernels_buffer_is_no_loss(shell: Shell) {
    let (entered, released) = (Latch::new(), Latch::new());
    let server = Setup::default().start(shell, plugged(&entered, &released));
    let mut leaver = server.connect();
    leaver.ask_and_stay("/one");
    let mut stayer = server.connect();
    stayer.ask_and_stay("/one");
    let mut plug = server.connect();
    plug.get("/plug");
    entered.block("the plug");
    leaver.get("/two");
    leaver.reset();
    stayer.get("/two");
    server.drain();
    released.open();
    assert!(stayer.reply().says_close());
    assert_eq!(plug.reply().status, 200);
    drop((stayer, plug));
    let report = server.clean_report();
    assert_eq!((report.served, report.drained), (4, 3));
}
