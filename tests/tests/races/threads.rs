//! Wake-ups that cross threads, and ends that cross starts.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use lameduck_core::server::Stage;
use lameduck_tests::handlers::{Handler, Latch, pipe, streaming, text};
use lameduck_tests::on_every_shell;
use lameduck_tests::peer::Peer;
use lameduck_tests::shells::{Setup, Shell};

on_every_shell!(
    a_handler_that_another_thread_finishes_is_never_forgotten,
    a_stream_that_another_thread_feeds_is_never_forgotten,
    starts_and_ends_in_a_row_all_end,
    a_drain_that_crosses_the_start_ends,
    a_force_that_crosses_the_drain_ends,
    a_connection_that_takes_the_place_of_another_is_not_mistaken_for_it,
);

/// The wake-up may come before the handler is polled, while it is, after, and while the loop goes to sleep.
fn a_handler_that_another_thread_finishes_is_never_forgotten(shell: Shell) {
    let handler = Handler::new(|_| {
        let (first, second) = (Latch::new(), Latch::new());
        let (one, two) = (first.clone(), second.clone());
        thread::spawn(move || {
            one.open();
            two.open();
        });
        async move {
            first.wait().await;
            second.wait().await;
            text("finished")
        }
    });
    let server = Setup::default().start(shell, handler);
    let address = server.address();
    let clients: Vec<_> = (0..4)
        .map(|_| {
            thread::spawn(move || {
                let mut peer = Peer::connect(address);
                for _ in 0..250 {
                    peer.ask_and_stay("/");
                }
            })
        })
        .collect();
    clients.into_iter().for_each(|client| client.join().expect("every response comes"));
    server.drain();
    assert_eq!(server.clean_report().served, 1000);
}

/// Every piece is a wake-up.
fn a_stream_that_another_thread_feeds_is_never_forgotten(shell: Shell) {
    let handler = Handler::new(|_| {
        let (tap, spout) = pipe();
        thread::spawn(move || {
            for number in 0..500 {
                tap.send(format!("{number} "));
            }
        });
        async { streaming(spout) }
    });
    let server = Setup::default().start(shell, handler);
    let expected: String = (0..500).map(|number| format!("{number} ")).collect();
    let mut peers: Vec<_> = (0..4).map(|_| server.connect()).collect();
    peers.iter_mut().for_each(|peer| peer.get("/"));
    server.drain();
    for peer in &mut peers {
        assert_eq!(String::from_utf8_lossy(&peer.reply().body), expected);
    }
    drop(peers);
    server.clean_report();
}

/// Every thread sees that all is over, whichever saw the last connection go.
fn starts_and_ends_in_a_row_all_end(shell: Shell) {
    for round in 0..25 {
        let server = Setup::default().start(shell, Handler::echoing_the_path());
        let peers: Vec<_> = (0..round % 4)
            .map(|_| {
                let mut peer = server.connect();
                peer.ask_and_stay("/");
                peer
            })
            .collect();
        server.drain();
        drop(peers);
        server.clean_report();
    }
}

/// Whoever starts finds the level as it is, at whatever step.
fn a_drain_that_crosses_the_start_ends(shell: Shell) {
    for round in 0..25 {
        let server = Setup::default().start(shell, Handler::echoing_the_path());
        for _ in 0..round {
            thread::yield_now();
        }
        server.drain();
        server.clean_report();
    }
}

/// Two operators, two threads.
fn a_force_that_crosses_the_drain_ends(shell: Shell) {
    for _ in 0..25 {
        let (called, never) = (Latch::new(), Latch::new());
        let server = Setup::default().start(shell, Handler::held(&called, &never));
        let mut peer = server.connect();
        peer.get("/stuck");
        let (one, two) = (server.handle.clone(), server.handle.clone());
        let threads = [thread::spawn(move || one.begin()), thread::spawn(move || two.force())];
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        let handle = server.handle.clone();
        let report = server.report();
        assert_eq!(handle.progress().stage, Stage::Stopped);
        assert!(report.cut.len() <= 1);
        let _ = peer.rest();
    }
}

/// Keys are used again, while wake-ups and deadlines of those who had them are still about.
fn a_connection_that_takes_the_place_of_another_is_not_mistaken_for_it(shell: Shell) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let handler = Handler::new(move |request| {
        let number = counter.fetch_add(1, Ordering::SeqCst);
        let late = Latch::new();
        let signal = late.clone();
        // It wakes its session sooner or later: also after that is gone.
        thread::spawn(move || {
            (0..number % 5 * 50).for_each(|_| thread::yield_now());
            signal.open();
        });
        async move {
            if request.uri().path() == "/wait" {
                late.wait().await;
            }
            text(request.uri().path().to_owned())
        }
    });
    let server = Setup::default().start(shell, handler);
    for round in 0..300 {
        let mut peer = server.connect();
        match round % 3 {
            0 => {
                peer.get("/wait");
                peer.reset();
            }
            1 => assert_eq!(peer.ask_and_stay("/now").body, b"/now"),
            _ => assert_eq!(peer.ask_and_stay("/wait").body, b"/wait"),
        }
    }
    server.drain();
    assert!(server.clean_report().served >= 200);
}
