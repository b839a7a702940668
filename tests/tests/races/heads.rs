//! Requests of which a part has come.

use lameduck_core::Allowance;
use lameduck_tests::handlers::Handler;
use lameduck_tests::on_every_shell;
use lameduck_tests::peer::{Peer, get};
use lameduck_tests::shells::{Setup, Shell};

on_every_shell!(
    r02_a_second_head_partly_buffered_is_read_to_its_end_and_served,
    r02_a_first_head_partly_buffered_is_read_to_its_end_and_served,
    r16_a_head_that_stalls_in_a_drain_gets_408,
    r16_a_head_that_had_stalled_for_long_gets_its_drain_allowance,
    r20_a_method_of_three_bytes_has_begun,
    a_head_that_comes_byte_by_byte_through_the_drain_is_served,
    a_client_that_leaves_in_a_head_holds_nothing,
);

/// Where a head can be torn: inside the method, the target, a name, the last line breaks.
fn pieces(request: &str) -> Vec<(&str, &str)> {
    let places = [1, 3, 4, 7, 16, 18, 22, request.len() - 3, request.len() - 2, request.len() - 1];
    places.into_iter().map(|place| request.split_at(place)).collect()
}

/// The state said "idle" when the first bytes came; the drain closes idle connections at once.
fn r02_a_second_head_partly_buffered_is_read_to_its_end_and_served(shell: Shell) {
    let setup = Setup::default().timeouts(|timeouts| timeouts.keep_alive = Allowance::millis(60_000, 0));
    let server = setup.start(shell, Handler::echoing_the_path());
    let request = get("/two");
    let mut torn: Vec<_> = pieces(&request)
        .into_iter()
        .map(|(start, rest)| {
            let mut peer = server.connect();
            peer.ask_and_stay("/one");
            peer.send(start);
            (peer, rest)
        })
        .collect();
    let count = torn.len() as u64;
    server.drain();
    for (peer, rest) in &mut torn {
        peer.send(rest.as_bytes());
        let reply = peer.reply();
        assert_eq!((reply.status, reply.body.as_slice(), reply.says_close()), (200, &b"/two"[..], true));
    }
    torn.into_iter().for_each(|(peer, _)| peer.expect_fin());
    let report = server.clean_report();
    assert_eq!((report.served, report.drained), (2 * count, count));
}

/// The same where it is the connection's first.
fn r02_a_first_head_partly_buffered_is_read_to_its_end_and_served(shell: Shell) {
    let setup = Setup::default().timeouts(|timeouts| timeouts.first_request = Allowance::millis(60_000, 0));
    let server = setup.start(shell, Handler::echoing_the_path());
    let request = get("/one");
    let mut torn: Vec<_> = pieces(&request)
        .into_iter()
        .map(|(start, rest)| {
            let mut peer = server.connect();
            peer.send(start);
            (peer, rest)
        })
        .collect();
    let count = torn.len() as u64;
    server.drain();
    for (peer, rest) in &mut torn {
        peer.send(rest.as_bytes());
        assert!(peer.reply().says_close());
    }
    torn.into_iter().for_each(|(peer, _)| peer.expect_fin());
    assert_eq!(server.clean_report().served, count);
}

/// A drain tightens the timer of a head; it does not switch it off.
fn r16_a_head_that_stalls_in_a_drain_gets_408(shell: Shell) {
    let setup = Setup::default().timeouts(|timeouts| timeouts.head = Allowance::millis(60_000, 80));
    let server = setup.start(shell, Handler::echoing_the_path());
    let (mut first, mut later) = (server.connect(), server.connect());
    later.ask_and_stay("/one");
    first.send("GET / HT");
    later.send("GET / HTTP/1.1\r\nho");
    server.drain();
    for mut peer in [first, later] {
        let reply = peer.reply();
        assert_eq!((reply.status, reply.says_close()), (408, true));
        peer.expect_fin();
    }
    assert_eq!(server.clean_report().drained, 2);
}

/// The allowance of the drain counts from the drain, not from the head's first byte.
fn r16_a_head_that_had_stalled_for_long_gets_its_drain_allowance(shell: Shell) {
    let setup = Setup::default().timeouts(|timeouts| timeouts.head = Allowance::millis(60_000, 20_000));
    let server = setup.start(shell, Handler::echoing_the_path());
    let mut peer = server.connect();
    peer.send("GET /slow HTTP/1.1\r\n");
    server.drain();
    peer.send("host: a\r\n\r\n");
    assert_eq!(peer.reply().body, b"/slow");
    peer.expect_fin();
    server.clean_report();
}

/// A drain while it is still open what will be spoken.
fn r20_a_method_of_three_bytes_has_begun(shell: Shell) {
    let setup = Setup::default().timeouts(|timeouts| timeouts.first_request = Allowance::millis(60_000, 0));
    let server = setup.start(shell, Handler::echoing_the_path());
    let mut peers = [server.connect(), server.connect()];
    peers[0].send("GET");
    peers[1].send("PUT");
    server.drain();
    server.handle.begin();
    peers[0].send(&get("/one")[3..]);
    peers[1].send(" /one HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n");
    for peer in &mut peers {
        let reply = peer.reply();
        assert_eq!((reply.status, reply.says_close()), (200, true));
    }
    peers.into_iter().for_each(Peer::expect_fin);
    server.clean_report();
}

/// Every byte is a read of its own, and the drain comes between two of them.
fn a_head_that_comes_byte_by_byte_through_the_drain_is_served(shell: Shell) {
    let server = Setup::default().start(shell, Handler::echoing_the_path());
    let mut peer = server.connect();
    peer.ask_and_stay("/one");
    let request = get("/two");
    for (at, byte) in request.bytes().enumerate() {
        if at == request.len() / 2 {
            server.drain();
        }
        peer.send([byte]);
    }
    assert!(peer.reply().says_close());
    peer.expect_fin();
    server.clean_report();
}

/// A FIN in a head is answered; a RST is not; neither is waited for.
fn a_client_that_leaves_in_a_head_holds_nothing(shell: Shell) {
    let server = Setup::default().start(shell, Handler::echoing_the_path());
    let (mut polite, mut rude) = (server.connect(), server.connect());
    polite.send("GET / HT");
    rude.send("GET / HT");
    server.drain();
    polite.half_close();
    rude.reset();
    assert_eq!(polite.reply().status, 400);
    polite.expect_fin();
    let report = server.clean_report();
    assert_eq!((report.served, report.drained), (0, 2));
}
