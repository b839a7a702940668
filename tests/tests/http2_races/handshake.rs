//! Drains that come while a connection says what it speaks.

use lameduck_core::{Allowance, Timer};
use lameduck_tests::h2::{PREFACE, Peer, Sent, frame};
use lameduck_tests::handlers::Handler;
use lameduck_tests::on_every_shell;
use lameduck_tests::shells::{Running, Setup, Shell};

use crate::kit::{
    ack_notice, answered_path, await_fin, await_notice, expect_fin, hear_of_the_drain, patient,
};

on_every_shell!(
    r7_a_preface_under_way_is_finished_and_its_request_served,
    r7_a_preface_that_is_never_finished_is_not_waited_for,
    r7_a_connection_in_the_kernels_queue_is_served,
    r20_a_drain_that_is_begun_twice_while_the_protocol_is_unknown_is_one_drain,
    a_connection_that_has_said_nothing_is_served_when_it_speaks,
    who_holds_a_drain_in_its_preface_is_known,
);

/// Where a preface, its SETTINGS and a request are cut: none but the first byte, before the protocol can be told, as
/// soon as it can be, in the magic, in SETTINGS, before their last byte, and in the request's header.
const CUTS: [usize; 8] = [1, 3, 4, 10, 24, 28, 32, 37];

/// All that a client says up to its first request.
fn opening(peer: &mut Peer) -> Vec<u8> {
    let request = peer.requests.get(1, "/first");
    frame::join([PREFACE, frame::settings(&[]).as_ref(), request.as_ref()])
}

/// Peers that have each sent so much of their opening, and what they have still to send.
fn half_open(server: &Running) -> Vec<(Peer, Vec<u8>)> {
    let cut_at = |cut: usize| {
        let mut peer = Peer::connect(server.address());
        let mut bytes = opening(&mut peer);
        let rest = bytes.split_off(cut);
        peer.send(bytes);
        (peer, rest)
    };
    CUTS.into_iter().map(cut_at).collect()
}

/// Reads the answer to the first request, through the drain to the end.
#[track_caller]
fn end_well(mut peer: Peer) {
    let data = await_notice(&mut peer);
    answered_path(&mut peer, 1, "/first");
    assert_eq!(ack_notice(&mut peer, data), 1);
    expect_fin(peer);
}

/// hyper and others cut such a connection, or wait for it for ever.
fn r7_a_preface_under_way_is_finished_and_its_request_served(shell: Shell) {
    let server = patient().start(shell, Handler::echoing_the_path());
    let peers = half_open(&server);
    server.drain();
    server.await_holders(CUTS.len());
    for (mut peer, rest) in peers {
        peer.send(rest);
        end_well(peer);
    }
    let report = server.clean_report();
    assert_eq!((report.served, report.drained), (CUTS.len() as u64, CUTS.len() as u64));
}

/// It has its time, and no more.
fn r7_a_preface_that_is_never_finished_is_not_waited_for(shell: Shell) {
    let soon = Allowance::millis(60_000, 80);
    let setup = patient().timeouts(|timeouts| {
        timeouts.handshake = soon;
        timeouts.head = soon;
    });
    let server = setup.start(shell, Handler::echoing_the_path());
    // Those that have not got to a request.
    let peers: Vec<_> = half_open(&server).into_iter().take(CUTS.len() - 1).collect();
    server.drain();
    for (cut, (mut peer, _)) in CUTS.into_iter().zip(peers) {
        if cut < 4 {
            // It may still be HTTP/1, and is told so.
            let (said, _) = peer.socket.rest();
            assert!(said.starts_with(b"HTTP/1.1 408 "), "{}", String::from_utf8_lossy(&said));
        } else {
            let rest = await_fin(&mut peer);
            assert!(!rest.iter().any(|sent| matches!(sent, Sent::RstStream { .. })), "{rest:#?}");
        }
    }
    assert_eq!(server.clean_report().served, 0);
}

/// What has come before the doors close has come.
fn r7_a_connection_in_the_kernels_queue_is_served(shell: Shell) {
    let bound = patient().open();
    let mut peer = Peer::connect(bound.addresses[0]);
    let bytes = opening(&mut peer);
    peer.send(bytes);
    let mut mute = Peer::connect(bound.addresses[0]);
    let server = bound.start(shell, Handler::echoing_the_path());
    server.drain();
    end_well(peer);
    let bytes = opening(&mut mute);
    mute.send(bytes);
    end_well(mute);
    assert_eq!(server.clean_report().served, 2);
}

/// From any thread: it is one level.
fn r20_a_drain_that_is_begun_twice_while_the_protocol_is_unknown_is_one_drain(shell: Shell) {
    let server = patient().start(shell, Handler::echoing_the_path());
    let peers = half_open(&server);
    server.drain();
    server.handle.begin();
    server.await_holders(CUTS.len());
    server.handle.begin();
    for (mut peer, rest) in peers {
        peer.send(rest);
        server.handle.begin();
        let data = await_notice(&mut peer);
        server.handle.begin();
        answered_path(&mut peer, 1, "/first");
        assert_eq!(ack_notice(&mut peer, data), 1);
        assert_eq!(await_fin(&mut peer), []);
        let said = |wanted: fn(&Sent) -> bool| peer.sent().iter().filter(|sent| wanted(sent)).count();
        assert_eq!(said(|sent| matches!(sent, Sent::GoAway { .. })), 2, "{:#?}", peer.sent());
        assert_eq!(
            peer.sent().iter().filter(|sent| **sent == Sent::Ping(data)).count(),
            1,
            "{:#?}",
            peer.sent()
        );
    }
    assert_eq!(server.clean_report().transitions.len(), 2);
}

/// It has its time to begin, whatever it then speaks.
fn a_connection_that_has_said_nothing_is_served_when_it_speaks(shell: Shell) {
    let server = patient().start(shell, Handler::echoing_the_path());
    let mut peer = Peer::connect(server.address());
    server.drain();
    server.await_holders(1);
    peer.greet(&[]);
    peer.get(1, "/first");
    answered_path(&mut peer, 1, "/first");
    let data = peer.sent().iter().find_map(|sent| match sent {
        Sent::Ping(data) => Some(*data),
        _ => None,
    });
    assert_eq!(ack_notice(&mut peer, data.expect("the notice came with the handshake")), 1);
    expect_fin(peer);
    assert_eq!(server.clean_report().served, 1);
}

/// With what it waits for, and for how long.
fn who_holds_a_drain_in_its_preface_is_known(shell: Shell) {
    let setup = Setup::default().timeouts(|timeouts| timeouts.handshake = Allowance::millis(60_000, 30_000));
    let server = setup.start(shell, Handler::echoing_the_path());
    let mut peer = Peer::connect(server.address());
    let mut bytes = opening(&mut peer);
    let rest = bytes.split_off(20);
    peer.send(bytes);
    server.drain();
    let progress = server.await_holders(1);
    let [holder] = &progress.holders[..] else { panic!("{progress:#?}") };
    assert_eq!(holder.peer, peer.socket.address());
    assert_eq!(holder.due.map(|due| due.timer), Some(Timer::Handshake), "{holder:#?}");
    peer.send(rest);
    assert_eq!(hear_of_the_drain(&mut peer), 1);
    expect_fin(peer);
    server.clean_report();
}
