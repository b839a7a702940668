//! Streams that come behind the cutoff.

use lameduck_core::Limits;
use lameduck_tests::h2::{Peer, Sent, code, fields, frame};
use lameduck_tests::on_every_shell;
use lameduck_tests::shells::{Running, Setup, Shell};

use crate::kit::{Desk, answered, expect_end, expect_fin, hear_of_the_drain, patient, reset_code, whole};

on_every_shell!(
    r11_a_late_stream_is_refused_and_safe_to_retry,
    r12_a_late_streams_fields_keep_hpack_in_step,
    r12_a_late_streams_data_is_credited,
    r12_late_streams_without_an_end_are_refused_each_once,
    late_streams_do_not_hold_up_the_end,
);

/// A peer with one request on stream 1, whose body has not come, and a drain that is past its cutoff.
fn past_the_cutoff(setup: &Setup, shell: Shell, desk: &Desk) -> (Running, Peer) {
    let server = setup.start(shell, desk.handler());
    let mut peer = Peer::greeted(server.address());
    peer.post(1, "/taken");
    desk.let_on("/taken");
    desk.await_begin("/taken");
    server.drain();
    assert_eq!(hear_of_the_drain(&mut peer), 1);
    (server, peer)
}

/// Ends the request of [`past_the_cutoff`], and with it the drain.
#[track_caller]
fn end_well(desk: &Desk, server: Running, mut peer: Peer, length: usize) {
    peer.send(frame::data(1, "").end_stream());
    answered(&mut peer, 1, "/taken", length);
    let is_refusal = |sent: &&Sent| matches!(sent, Sent::RstStream { code: code::REFUSED_STREAM, .. });
    let refused = peer.sent().iter().filter(is_refusal).count() as u64;
    expect_end(peer);
    assert_eq!(desk.calls("/late"), 0);
    let report = server.clean_report();
    assert_eq!((report.served, report.refused), (1, refused));
}

/// hypercorn says NO_ERROR, which is not.
fn r11_a_late_stream_is_refused_and_safe_to_retry(shell: Shell) {
    let desk = Desk::new();
    let (server, mut peer) = past_the_cutoff(&patient(), shell, &desk);
    for stream in [3, 5, 1001] {
        peer.get(stream, "/late");
        assert_eq!(reset_code(&mut peer, stream), code::REFUSED_STREAM);
    }
    end_well(&desk, server, peer, 0);
}

/// What a refused block adds to the table is referred to by a later one that counts.
fn r12_a_late_streams_fields_keep_hpack_in_step(shell: Shell) {
    let desk = Desk::new();
    let (server, mut peer) = past_the_cutoff(&patient(), shell, &desk);
    let mut late = fields("GET", "/late").to_vec();
    late.push(("x-sum", "first told on a stream that is refused"));
    let request = peer.requests.headers(3, &late).end_stream();
    peer.send(request);
    assert_eq!(reset_code(&mut peer, 3), code::REFUSED_STREAM);
    let trailers = peer.requests.headers(1, &[late[4]]).end_stream();
    assert!(trailers.as_ref().len() < 9 + 4, "it is told by its index: {trailers:?}");
    peer.send_all(&[frame::data(1, "abc"), trailers]);
    let reply = whole(&mut peer, 1);
    assert_eq!(reply.field("x-sum"), Some(late[4].1));
    assert_eq!(reply.body, b"/taken 3");
    expect_fin(peer);
    assert_eq!(desk.calls("/late"), 0);
    assert_eq!(server.clean_report().served, 1);
}

/// As a client that keeps to the window of the connection sees it.
struct Account(i64);

impl Account {
    /// Sends DATA once it may.
    fn send(&mut self, peer: &mut Peer, stream: u32, length: usize) {
        let wanted = i64::try_from(length).unwrap();
        while self.0 < wanted {
            if let Sent::WindowUpdate { stream: 0, increment } = peer.read() {
                self.0 += i64::from(increment);
            }
        }
        self.0 -= wanted;
        peer.send(frame::data(stream, vec![b'x'; length]));
    }
}

/// Otherwise the streams that count would starve.
fn r12_a_late_streams_data_is_credited(shell: Shell) {
    let desk = Desk::new();
    let mut setup = patient();
    setup.config.limits = Limits { connection_window: 65_535, ..setup.config.limits };
    let (server, mut peer) = past_the_cutoff(&setup, shell, &desk);
    let mut account = Account(65_535);
    for stream in (3..23).step_by(2) {
        peer.post(stream, "/late");
        for _ in 0..3 {
            account.send(&mut peer, stream, 16_384);
        }
        assert_eq!(reset_code(&mut peer, stream), code::REFUSED_STREAM);
    }
    for _ in 0..2 {
        account.send(&mut peer, 1, 16_384);
    }
    end_well(&desk, server, peer, 2 * 16_384);
}

/// What follows on them was sent before the peer knew.
fn r12_late_streams_without_an_end_are_refused_each_once(shell: Shell) {
    let desk = Desk::new();
    let (server, mut peer) = past_the_cutoff(&patient(), shell, &desk);
    for stream in [3, 5] {
        let block = peer.requests.block(&fields("POST", "/late"));
        let (head, tail) = block.split_at(2);
        let trailers = peer.requests.headers(stream, &[("sum", "1")]).end_stream();
        peer.send_all(&[
            frame::headers(stream, head),
            frame::continuation(stream, tail).end_headers(),
            frame::data(stream, "some"),
            frame::window_update(stream, 10),
            trailers,
        ]);
    }
    peer.send(frame::ping(*b"all read"));
    peer.until(|sent| *sent == Sent::PingAck(*b"all read"));
    let refused: Vec<_> = peer
        .sent()
        .iter()
        .filter_map(|sent| match sent {
            Sent::RstStream { stream, code } => Some((*stream, *code)),
            _ => None,
        })
        .collect();
    assert_eq!(refused, [(3, code::REFUSED_STREAM), (5, code::REFUSED_STREAM)]);
    end_well(&desk, server, peer, 0);
}

/// A client that does not listen is no reason to stay.
fn late_streams_do_not_hold_up_the_end(shell: Shell) {
    let desk = Desk::new();
    let (server, mut peer) = past_the_cutoff(&patient(), shell, &desk);
    for stream in (3..83).step_by(2) {
        peer.post(stream, "/late");
    }
    end_well(&desk, server, peer, 0);
}
