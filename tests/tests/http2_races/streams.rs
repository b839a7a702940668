//! Streams that are under way when a drain comes.

use std::thread;

use bytes::Bytes;
use lameduck_core::{Allowance, CancelReason, ErrorCode, Limits, Timer};
use lameduck_service::DrainNotice;
use lameduck_tests::h2::{Peer, Sent, code, frame, setting};
use lameduck_tests::handlers::{Handler, Latch, block_on, collect, pipe, streaming, telling, text};
use lameduck_tests::on_every_shell;
use lameduck_tests::peer;
use lameduck_tests::shells::Shell;
use socket2::SockRef;

use crate::kit::{
    Desk, ack_notice, answered, await_fin, await_notice, expect_end, expect_fin, hear_of_the_drain, patient,
    whole,
};

on_every_shell!(
    r22_streams_that_other_threads_answer_outlive_the_cutoff,
    r22_a_response_under_way_is_finished_as_its_windows_open,
    r22_uploads_under_way_are_read_to_their_ends,
    r22_streams_outlive_the_fin_of_their_client,
    r13_a_response_is_not_lost_to_what_its_client_still_sends,
    r16_a_peer_that_never_closes_is_left_after_the_linger,
    r16_a_peer_that_never_stops_sending_is_left_after_the_linger,
    r26_a_slow_reader_gets_all_of_its_responses,
    r26_a_slow_reader_is_not_reset_for_what_it_sends_meanwhile,
    r26_a_reader_that_does_not_say_so_has_its_time,
    the_notice_reaches_every_handler_with_its_deadline,
    a_stream_that_its_client_resets_in_a_drain_is_over,
    a_client_that_leaves_in_a_drain_cancels_all_its_handlers,
    a_handler_that_panics_takes_no_other_stream_with_it,
);

/// As a load balancer has them.
const STREAMS: u32 = 100;

fn numbers() -> impl DoubleEndedIterator<Item = u32> {
    (0..STREAMS).map(|at| at * 2 + 1)
}

/// async-http closed the framer under them.
fn r22_streams_that_other_threads_answer_outlive_the_cutoff(shell: Shell) {
    let go_on = Latch::new();
    let gate = go_on.clone();
    let handler = Handler::new(move |request| {
        let (done, gate) = (Latch::new(), gate.clone());
        let signal = done.on_drop();
        thread::spawn(move || {
            gate.block("the cutoff");
            drop(signal);
        });
        async move {
            done.wait().await;
            text(request.uri().path().to_owned())
        }
    });
    let server = patient().start(shell, handler);
    let mut peer = Peer::greeted(server.address());
    numbers().for_each(|stream| peer.get(stream, &format!("/{stream}")));
    server.drain();
    assert_eq!(hear_of_the_drain(&mut peer), STREAMS * 2 - 1);
    go_on.open();
    for stream in numbers().rev() {
        assert_eq!(whole(&mut peer, stream).body, format!("/{stream}").as_bytes());
    }
    expect_fin(peer);
    assert_eq!(server.clean_report().served, u64::from(STREAMS));
}

/// WINDOW_UPDATE and SETTINGS count in every phase, also for windows that are below zero.
fn r22_a_response_under_way_is_finished_as_its_windows_open(shell: Shell) {
    let body: Vec<u8> = (0..100_000u32).flat_map(u32::to_le_bytes).collect();
    let sent = Bytes::from(body.clone());
    let server = patient().start(
        shell,
        Handler::new(move |_| {
            let body = sent.clone();
            async move { text(body) }
        }),
    );
    let mut peer = Peer::connect(server.address());
    peer.greet(&[(setting::INITIAL_WINDOW_SIZE, 1000)]);
    for stream in [1, 3] {
        peer.get(stream, "/");
    }
    // Both stand, their windows shut.
    let mut taken = 0;
    while taken < 2000 {
        if let Sent::Data { data, .. } = peer.read() {
            taken += data.len();
        }
    }
    server.drain();
    let data = await_notice(&mut peer);
    peer.grant(0, 400_000);
    peer.grant(1, 399_000);
    assert_eq!(whole(&mut peer, 1).body, body);
    assert_eq!(ack_notice(&mut peer, data), 3);
    peer.grant(0, 400_000);
    peer.grant(3, 200_000);
    peer.grant(3, 199_000);
    assert_eq!(whole(&mut peer, 3).body, body);
    expect_fin(peer);
    assert_eq!(server.clean_report().served, 2);
}

/// A body that comes in is a request that has begun.
fn r22_uploads_under_way_are_read_to_their_ends(shell: Shell) {
    let server = patient().start(
        shell,
        Handler::new(|request| async move {
            let body = collect(request.into_body()).await.expect("it comes to its end");
            text(body.len().to_string())
        }),
    );
    let mut peer = Peer::greeted(server.address());
    for stream in [1, 3, 5] {
        peer.post(stream, "/");
        peer.send(frame::data(stream, [b'x'; 1000]));
    }
    server.drain();
    let data = await_notice(&mut peer);
    for stream in [1, 3] {
        peer.send(frame::data(stream, [b'x'; 10_000]));
    }
    peer.send(frame::data(1, "").end_stream());
    assert_eq!(whole(&mut peer, 1).body, b"11000");
    assert_eq!(ack_notice(&mut peer, data), 5);
    for stream in [3, 5] {
        // More than any window that it was given at first.
        let mut left = 600_000;
        let mut window = Limits::default().stream_window as usize - if stream == 3 { 11_000 } else { 1000 };
        while left > 0 {
            let piece = left.min(10_000);
            while window < piece {
                if let Sent::WindowUpdate { stream: updated, increment } = peer.read()
                    && updated == stream
                {
                    window += increment as usize;
                }
            }
            window -= piece;
            left -= piece;
            peer.send(frame::data(stream, vec![b'x'; piece]));
        }
        peer.send(frame::data(stream, "").end_stream());
    }
    assert_eq!(whole(&mut peer, 5).body, b"601000");
    assert_eq!(whole(&mut peer, 3).body, b"611000");
    expect_end(peer);
    assert_eq!(server.clean_report().served, 3);
}

/// A FIN says that no more requests come, and nothing of those that have.
fn r22_streams_outlive_the_fin_of_their_client(shell: Shell) {
    let desk = Desk::new();
    let server = patient().start(shell, desk.handler());
    let mut peer = Peer::greeted(server.address());
    for path in ["/1", "/3"] {
        peer.get(path[1..].parse().unwrap(), path);
        desk.await_call(path);
    }
    server.drain();
    peer.socket.half_close();
    await_notice(&mut peer);
    for path in ["/3", "/1"] {
        desk.let_on(path);
        answered(&mut peer, path[1..].parse().unwrap(), path, 0);
    }
    await_fin(&mut peer);
    assert_eq!(server.clean_report().served, 2);
}

/// A close with unread input is a reset, and takes what is on its way with it: Go waits a second for that reason.
fn r13_a_response_is_not_lost_to_what_its_client_still_sends(shell: Shell) {
    let desk = Desk::new();
    let server = patient().start(shell, desk.handler());
    let mut peer = Peer::greeted(server.address());
    peer.get(1, "/one");
    desk.await_call("/one");
    server.drain();
    assert_eq!(hear_of_the_drain(&mut peer), 1);
    desk.let_on("/one");
    // It goes on asking, and does not read.
    for stream in (3..2003).step_by(2) {
        if stream % 100 == 3 {
            thread::yield_now();
        }
        peer.get(stream, "/late");
    }
    answered(&mut peer, 1, "/one", 0);
    // After the FIN too.
    let rest = await_fin(&mut peer);
    for stream in (2003..4003).step_by(2) {
        peer.get(stream, "/later");
    }
    for sent in rest {
        assert!(matches!(sent, Sent::RstStream { code: code::REFUSED_STREAM, .. }), "{sent:?}");
    }
    assert_eq!(desk.calls("/late") + desk.calls("/later"), 0);
    drop(peer);
    assert_eq!(server.clean_report().served, 1);
}

fn r16_a_peer_that_never_closes_is_left_after_the_linger(shell: Shell) {
    let setup = patient().timeouts(|timeouts| timeouts.linger_quiet = Allowance::millis(60_000, 60));
    let server = setup.start(shell, Handler::echoing_the_path());
    let mut peer = Peer::greeted(server.address());
    server.drain();
    hear_of_the_drain(&mut peer);
    assert_eq!(server.clean_report().drained, 1);
    expect_fin(peer);
}

fn r16_a_peer_that_never_stops_sending_is_left_after_the_linger(shell: Shell) {
    let setup = patient().timeouts(|timeouts| timeouts.linger = Allowance::millis(60_000, 150));
    let server = setup.start(shell, Handler::echoing_the_path());
    let mut peer = Peer::greeted(server.address());
    server.drain();
    hear_of_the_drain(&mut peer);
    await_fin(&mut peer);
    let talker = thread::spawn(move || {
        let ping = frame::ping([0; 8]);
        while std::io::Write::write_all(&mut peer.socket.stream(), ping.as_ref()).is_ok() {
            thread::yield_now();
        }
    });
    assert_eq!(server.clean_report().drained, 1);
    talker.join().unwrap();
}

/// Some of it in our buffers, some in the kernel's, through a small window.
fn r26_a_slow_reader_gets_all_of_its_responses(shell: Shell) {
    let body = Bytes::from(vec![b'z'; 1 << 18]);
    let sent = body.clone();
    let server = patient().start(
        shell,
        Handler::new(move |_| {
            let body = sent.clone();
            async move { text(body) }
        }),
    );
    let mut peer = Peer::over(peer::Peer::with_small_buffer(server.address()));
    peer.greet(&[(setting::INITIAL_WINDOW_SIZE, 1 << 20)]);
    peer.grant(0, 1 << 24);
    for stream in [1, 3, 5] {
        peer.get(stream, "/");
    }
    peer.until(|sent| matches!(sent, Sent::Data { .. }));
    server.drain();
    assert_eq!(hear_of_the_drain(&mut peer), 5);
    for stream in [1, 3, 5] {
        assert!(whole(&mut peer, stream).body == body);
    }
    expect_fin(peer);
    assert_eq!(server.clean_report().served, 3);
}

/// What is sent is in the kernel's hands, and takes its time; every client goes on sending meanwhile. A server that had
/// closed would meet that with a reset, and lose what is on its way.
fn r26_a_slow_reader_is_not_reset_for_what_it_sends_meanwhile(shell: Shell) {
    let setup = patient().timeouts(|timeouts| {
        timeouts.write = Allowance::millis(60_000, 30_000);
        timeouts.linger_quiet = Allowance::millis(60_000, 1);
    });
    let server = setup.start(shell, Handler::new(|_| async { text(vec![b'z'; 500_000]) }));
    let mut peer = Peer::greeted(server.address());
    SockRef::from(peer.socket.stream()).set_recv_buffer_size(100_000).expect("it is connected");
    peer.grant(0, 500_000);
    server.drain();
    let data = await_notice(&mut peer);
    peer.get(1, "/");
    peer.send(frame::ping_ack(data));
    peer.grant(1, 500_000);
    // All has been sent, and next to nothing has been read.
    let waits_for = || server.await_holders(1).holders[0].due.map(|due| due.timer);
    while waits_for() != Some(Timer::Receipt) {
        thread::yield_now();
    }
    peer.grant(0, 1);
    assert_eq!(whole(&mut peer, 1).body.len(), 500_000);
    assert_eq!(peer.sent().iter().filter(|sent| matches!(sent, Sent::GoAway { last: 1, .. })).count(), 1);
    expect_fin(peer);
    assert_eq!(server.clean_report().served, 1);
}

/// And no more.
fn r26_a_reader_that_does_not_say_so_has_its_time(shell: Shell) {
    let setup = patient().timeouts(|timeouts| timeouts.write = Allowance::millis(60_000, 80));
    let server = setup.start(shell, Handler::echoing_the_path());
    let mut peer = Peer::greeted(server.address());
    server.drain();
    let data = await_notice(&mut peer);
    peer.get(1, "/");
    whole(&mut peer, 1);
    assert_eq!(ack_notice(&mut peer, data), 1);
    assert!(matches!(peer.rest(), (rest, peer::End::Fin) if matches!(rest[..], [Sent::Ping(_)])));
    drop(peer);
    assert_eq!(server.report().served, 1);
}

/// Notice is not cancellation: each hears it, knows how long it has, and answers.
fn the_notice_reaches_every_handler_with_its_deadline(shell: Shell) {
    let called = Latch::new();
    let begun = called.clone();
    let handler = Handler::new(move |request| {
        let notice =
            request.extensions().get::<DrainNotice>().expect("every request carries the notice").clone();
        let is_last = request.uri().path() == "/199";
        let begun = begun.clone();
        async move {
            if is_last {
                begun.open();
            }
            notice.started().await;
            let left = notice.deadline().map(|at| at.saturating_duration_since(std::time::Instant::now()));
            text(left.is_some_and(|left| left.as_secs() > 30).to_string())
        }
    });
    let server = patient().start(shell, handler);
    let mut peer = Peer::greeted(server.address());
    numbers().for_each(|stream| peer.get(stream, &format!("/{stream}")));
    called.block("the last call");
    server.drain();
    for stream in numbers() {
        assert_eq!(whole(&mut peer, stream).body, b"true");
    }
    drop(peer);
    assert_eq!(server.clean_report().served, u64::from(STREAMS));
}

/// It holds nothing up any more.
fn a_stream_that_its_client_resets_in_a_drain_is_over(shell: Shell) {
    let (tap, spout) = pipe();
    let gone = tap.gone();
    let spout = std::sync::Mutex::new(Some(spout));
    let desk = Desk::new();
    let held = desk.handler();
    let handler = Handler::fallible(move |request| {
        let mut held = held.clone();
        let spout = (request.uri().path() == "/stream").then(|| spout.lock().unwrap().take()).flatten();
        async move {
            match spout {
                Some(spout) => Ok(streaming(spout)),
                None => tower_service::Service::call(&mut held, request).await,
            }
        }
    });
    let server = patient().start(shell, handler);
    let mut peer = Peer::greeted(server.address());
    peer.get(1, "/held");
    peer.get(3, "/stream");
    tap.send("begun");
    peer.until(|sent| matches!(sent, Sent::Data { stream: 3, .. }));
    desk.await_call("/held");
    server.drain();
    assert_eq!(hear_of_the_drain(&mut peer), 3);
    peer.send_all(&[frame::rst_stream(1, code::CANCEL), frame::rst_stream(3, code::CANCEL)]);
    desk.await_drop("/held");
    gone.block("the end of the stream");
    expect_fin(peer);
    assert_eq!(server.clean_report().served, 0);
}

/// Nobody waits for what they do; and what reads a body hears why.
fn a_client_that_leaves_in_a_drain_cancels_all_its_handlers(shell: Shell) {
    let desk = Desk::new();
    let (reads, heard) = (Latch::new(), Latch::new());
    let (held, begun, told) = (desk.handler(), reads.clone(), heard.clone());
    let handler = Handler::fallible(move |request| {
        let (mut held, begun, told) = (held.clone(), begun.clone(), told.clone());
        async move {
            if request.uri().path() == "/reset" {
                let notice = request.extensions().get::<DrainNotice>().unwrap().clone();
                let body = request.into_body();
                // On another thread, for its own is stopped.
                thread::spawn(move || {
                    let error = block_on(telling(&begun, collect(body))).expect_err("it was reset");
                    assert!(notice.is_draining());
                    assert_eq!(error.reason(), CancelReason::Reset(ErrorCode::CANCEL));
                    told.open();
                });
                return std::future::pending().await;
            }
            tower_service::Service::call(&mut held, request).await
        }
    });
    let server = patient().start(shell, handler);
    let mut peer = Peer::greeted(server.address());
    for (stream, path) in [(1, "/1"), (3, "/3"), (5, "/5")] {
        peer.post(stream, path);
        desk.await_call(path);
    }
    peer.post(7, "/reset");
    reads.block("the reader of the body");
    server.drain();
    assert_eq!(hear_of_the_drain(&mut peer), 7);
    peer.send(frame::rst_stream(7, code::CANCEL));
    heard.block("the reader of the body is told");
    peer.socket.reset();
    ["/1", "/3", "/5"].into_iter().for_each(|path| desk.await_drop(path));
    assert_eq!(server.clean_report().served, 0);
}

/// It is a 500, and nobody else's business.
fn a_handler_that_panics_takes_no_other_stream_with_it(shell: Shell) {
    let desk = Desk::new();
    let held = desk.handler();
    let handler = Handler::fallible(move |request| {
        let mut held = held.clone();
        async move {
            assert_ne!(request.uri().path(), "/panic", "as this test wants it");
            tower_service::Service::call(&mut held, request).await
        }
    });
    let server = patient().start(shell, handler);
    let mut peer = Peer::greeted(server.address());
    peer.get(1, "/one");
    desk.await_call("/one");
    server.drain();
    let data = await_notice(&mut peer);
    peer.get(3, "/panic");
    assert_eq!(peer.reply(3).status, 500);
    assert_eq!(ack_notice(&mut peer, data), 3);
    desk.let_on("/one");
    answered(&mut peer, 1, "/one", 0);
    expect_fin(peer);
    server.clean_report();
}
