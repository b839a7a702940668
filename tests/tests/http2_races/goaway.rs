//! The two GOAWAYs of a drain.

use std::thread;

use lameduck_core::{Allowance, Reason, Timer};
use lameduck_tests::h2::{Peer, Sent, code, frame};
use lameduck_tests::handlers::Handler;
use lameduck_tests::on_every_shell;
use lameduck_tests::shells::Shell;

use crate::kit::{
    Desk, NO_CUTOFF, ack_notice, answered, answered_path, ask, await_fin, await_notice, expect_fin,
    hear_of_the_drain, patient,
};

on_every_shell!(
    an_idle_connection_hears_of_a_drain_at_once_in_two_phases,
    a_connection_without_a_request_hears_of_a_drain_at_once,
    what_the_operator_says_of_a_drain_is_passed_on,
    a_hundred_connections_hear_of_a_drain,
    r8_a_peer_that_never_acks_the_notice_has_its_time,
    r8_a_peer_that_never_acks_keeps_its_streams,
    r8_pings_and_settings_are_acked_in_every_phase,
    r9_headers_on_the_wire_when_the_notice_goes_out_are_served,
    r10_the_last_goaway_says_which_streams_were_taken,
    r16_settings_that_are_never_acked_end_a_drain,
    r20_a_drain_that_is_begun_twice_is_one_notice,
    a_peer_that_acks_another_ping_has_not_heard,
    a_peer_that_leaves_first_gets_what_it_has_asked_for,
);

/// Twenty seconds of keep-alive are no reason to wait.
fn an_idle_connection_hears_of_a_drain_at_once_in_two_phases(shell: Shell) {
    let server = patient().start(shell, Handler::echoing_the_path());
    let mut peer = Peer::greeted(server.address());
    ask(&mut peer, 1, "/one");
    ask(&mut peer, 3, "/three");
    server.drain();
    let data = await_notice(&mut peer);
    assert_eq!(ack_notice(&mut peer, data), 3);
    expect_fin(peer);
    let report = server.clean_report();
    assert_eq!((report.served, report.drained), (2, 1));
}

fn a_connection_without_a_request_hears_of_a_drain_at_once(shell: Shell) {
    let server = patient().start(shell, Handler::echoing_the_path());
    let mut peer = Peer::greeted(server.address());
    server.drain();
    assert_eq!(hear_of_the_drain(&mut peer), 0);
    expect_fin(peer);
    assert_eq!(server.clean_report().drained, 1);
}

/// To whoever traces a client.
fn what_the_operator_says_of_a_drain_is_passed_on(shell: Shell) {
    let server = patient().start(shell, Handler::echoing_the_path());
    let mut peer = Peer::greeted(server.address());
    server.handle.begin_for(Reason("deploy"));
    server.handle.begin_for(Reason("SIGTERM"));
    for _ in 0..2 {
        let sent = peer.until(|sent| matches!(sent, Sent::GoAway { .. }));
        let Sent::GoAway { debug, .. } = sent else { panic!("no GOAWAY: {sent:?}") };
        assert_eq!(String::from_utf8_lossy(&debug), "the server is draining: deploy");
        peer.send(frame::ping_ack(*b"lameduck"));
    }
    expect_fin(peer);
    assert_eq!(server.clean_report().drained, 1);
}

/// Each of them, wherever it stands.
fn a_hundred_connections_hear_of_a_drain(shell: Shell) {
    let desk = Desk::new();
    let server = patient().start(shell, desk.handler());
    let mut peers: Vec<_> = (0..100).map(|_| Peer::greeted(server.address())).collect();
    for (number, peer) in peers.iter_mut().enumerate().filter(|(number, _)| number % 3 == 0) {
        let path = format!("/{number}");
        peer.get(1, &path);
        desk.await_call(&path);
    }
    server.drain();
    for (number, peer) in peers.iter_mut().enumerate() {
        let last = u32::from(number % 3 == 0);
        assert_eq!(hear_of_the_drain(peer), last);
        if last > 0 {
            let path = format!("/{number}");
            desk.let_on(&path);
            answered(peer, 1, path, 0);
        }
        assert_eq!(await_fin(peer), []);
    }
    drop(peers);
    assert_eq!(server.clean_report().drained, 100);
}

/// The `h2` crate waits for it for ever.
fn r8_a_peer_that_never_acks_the_notice_has_its_time(shell: Shell) {
    let setup = patient().timeouts(|timeouts| timeouts.goaway_ack = Allowance::millis(60_000, 80));
    let server = setup.start(shell, Handler::echoing_the_path());
    let mut peer = Peer::greeted(server.address());
    ask(&mut peer, 1, "/one");
    server.drain();
    await_notice(&mut peer);
    assert_eq!(peer.until_goaway(), (1, code::NO_ERROR));
    expect_fin(peer);
    assert_eq!(server.clean_report().drained, 1);
}

/// The cutoff is no end: what came before it is served.
fn r8_a_peer_that_never_acks_keeps_its_streams(shell: Shell) {
    let desk = Desk::new();
    let setup = patient().timeouts(|timeouts| timeouts.goaway_ack = Allowance::millis(60_000, 80));
    let server = setup.start(shell, desk.handler());
    let mut peer = Peer::greeted(server.address());
    peer.get(1, "/one");
    desk.await_call("/one");
    server.drain();
    await_notice(&mut peer);
    peer.get(3, "/three");
    desk.await_call("/three");
    assert_eq!(peer.until_goaway(), (3, code::NO_ERROR));
    for (stream, path) in [(3, "/three"), (1, "/one")] {
        desk.let_on(path);
        answered(&mut peer, stream, path, 0);
    }
    expect_fin(peer);
    assert_eq!(server.clean_report().served, 2);
}

/// nghttp2 once stopped at the GOAWAY, and peers that measured by PING hung.
fn r8_pings_and_settings_are_acked_in_every_phase(shell: Shell) {
    let desk = Desk::new();
    let server = patient().start(shell, desk.handler());
    let mut peer = Peer::greeted(server.address());
    let check = |peer: &mut Peer, data: [u8; 8]| {
        peer.send_all(&[frame::ping(data), frame::settings(&[])]);
        peer.until(|sent| *sent == Sent::PingAck(data));
        peer.until(|sent| *sent == Sent::SettingsAck);
    };
    peer.get(1, "/one");
    desk.await_call("/one");
    check(&mut peer, *b"serving!");
    server.drain();
    let notice = await_notice(&mut peer);
    check(&mut peer, *b"noticed!");
    assert_eq!(ack_notice(&mut peer, notice), 1);
    check(&mut peer, *b"cut off!");
    desk.let_on("/one");
    answered(&mut peer, 1, "/one", 0);
    expect_fin(peer);
    server.clean_report();
}

/// Go and nginx skip them silently.
fn r9_headers_on_the_wire_when_the_notice_goes_out_are_served(shell: Shell) {
    let server = patient().start(shell, Handler::echoing_the_path());
    let mut peer = Peer::greeted(server.address());
    ask(&mut peer, 1, "/1");
    server.drain();
    let data = await_notice(&mut peer);
    // They crossed the notice; the ack is behind them on the wire.
    for stream in (3..40).step_by(2) {
        peer.get(stream, &format!("/{stream}"));
    }
    assert_eq!(ack_notice(&mut peer, data), 39);
    for stream in (3..40).step_by(2) {
        answered_path(&mut peer, stream, &format!("/{stream}"));
    }
    expect_fin(peer);
    assert_eq!(server.clean_report().served, 20);
}

/// haproxy never says.
fn r10_the_last_goaway_says_which_streams_were_taken(shell: Shell) {
    let desk = Desk::new();
    let server = patient().start(shell, desk.handler());
    let mut peer = Peer::greeted(server.address());
    // Numbers may be left out, and a stream that is reset was taken too.
    for stream in [1, 7, 9] {
        peer.get(stream, &format!("/{stream}"));
        desk.await_call(&format!("/{stream}"));
    }
    peer.send(frame::rst_stream(9, code::CANCEL));
    desk.await_drop("/9");
    server.drain();
    assert_eq!(hear_of_the_drain(&mut peer), 9);
    for stream in [7, 1] {
        desk.let_on(&format!("/{stream}"));
        answered(&mut peer, stream, format!("/{stream}"), 0);
    }
    expect_fin(peer);
    assert_eq!(server.clean_report().served, 2);
}

/// Such a peer is broken; a drain waits for it less.
fn r16_settings_that_are_never_acked_end_a_drain(shell: Shell) {
    let setup = patient().timeouts(|timeouts| timeouts.settings_ack = Allowance::millis(60_000, 80));
    let server = setup.start(shell, Handler::echoing_the_path());
    let mut peer = Peer::connect(server.address());
    peer.send(frame::join([lameduck_tests::h2::PREFACE, frame::settings(&[]).as_ref()]));
    ask(&mut peer, 1, "/one");
    server.drain();
    await_notice(&mut peer);
    assert_eq!(peer.until_goaway(), (1, code::SETTINGS_TIMEOUT));
    await_fin(&mut peer);
    drop(peer);
    assert_eq!(server.clean_report().served, 1);
}

/// From any thread, however often, before and after the cutoff.
fn r20_a_drain_that_is_begun_twice_is_one_notice(shell: Shell) {
    let desk = Desk::new();
    let server = patient().start(shell, desk.handler());
    let mut peer = Peer::greeted(server.address());
    peer.get(1, "/one");
    desk.await_call("/one");
    let begin_often = || {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let handle = server.handle.clone();
                thread::spawn(move || handle.begin())
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    };
    begin_often();
    let data = await_notice(&mut peer);
    begin_often();
    assert_eq!(ack_notice(&mut peer, data), 1);
    begin_often();
    desk.let_on("/one");
    answered(&mut peer, 1, "/one", 0);
    assert_eq!(await_fin(&mut peer), []);
    let goaways: Vec<_> = peer.sent().iter().filter(|sent| matches!(sent, Sent::GoAway { .. })).collect();
    assert_eq!(goaways.len(), 2, "{goaways:#?}");
    drop(peer);
    assert_eq!(server.clean_report().transitions.len(), 2);
}

/// Only the ack of the PING behind the notice says that the notice has been read.
fn a_peer_that_acks_another_ping_has_not_heard(shell: Shell) {
    let setup = patient().timeouts(|timeouts| timeouts.goaway_ack = Allowance::millis(60_000, 30_000));
    let server = setup.start(shell, Handler::echoing_the_path());
    let mut peer = Peer::greeted(server.address());
    server.drain();
    let data = await_notice(&mut peer);
    peer.send(frame::ping_ack(data.map(|octet| !octet)));
    ask(&mut peer, 1, "/one");
    let waits = server.await_holders(1).holders[0].due.map(|due| due.timer);
    assert_eq!(waits, Some(Timer::GoawayAck));
    let is_cutoff = |sent: &&Sent| matches!(sent, Sent::GoAway { last, .. } if *last != NO_CUTOFF);
    assert_eq!(peer.sent().iter().find(is_cutoff), None);
    assert_eq!(ack_notice(&mut peer, data), 1);
    expect_fin(peer);
    server.clean_report();
}

/// Its GOAWAY is about our streams, of which there are none.
fn a_peer_that_leaves_first_gets_what_it_has_asked_for(shell: Shell) {
    let desk = Desk::new();
    let server = patient().start(shell, desk.handler());
    let mut peer = Peer::greeted(server.address());
    let mut lost = Peer::greeted(server.address());
    for (peer, path) in [(&mut peer, "/one"), (&mut lost, "/lost")] {
        peer.get(1, path);
        desk.await_call(path);
        peer.send(frame::goaway(0, code::NO_ERROR, "bye"));
    }
    server.drain();
    assert_eq!(hear_of_the_drain(&mut peer), 1);
    assert_eq!(hear_of_the_drain(&mut lost), 1);
    lost.send(frame::rst_stream(1, code::CANCEL));
    desk.await_drop("/lost");
    expect_fin(lost);
    desk.let_on("/one");
    answered(&mut peer, 1, "/one", 0);
    expect_fin(peer);
    assert_eq!(server.clean_report().served, 1);
}
