//! How the program ends: signals, exit codes, and what becomes of requests.

use rustix::process::Signal;

use crate::SHELLS;
use crate::process::{Ended, Process};

/// That one connection was cut, and that the log names its request.
fn assert_cut_is_named(ended: &Ended, request: &str) {
    let cuts: Vec<&str> = ended.stderr.lines().filter(|line| line.contains(" cut: ")).collect();
    assert_eq!(cuts.len(), 1, "{}", ended.stderr);
    for words in [request, "peer=127.0.0.1:", "stage=serving"] {
        assert!(cuts[0].contains(words), "{}", cuts[0]);
    }
    assert!(ended.stderr.lines().last().expect("a summary").ends_with("cut=1"), "{}", ended.stderr);
}

#[test]
fn each_of_the_signals_drains() {
    for signal in [Signal::TERM, Signal::INT, Signal::QUIT] {
        let server = Process::start(&["demo"]);
        assert_eq!(server.connect().get("/hello").status, 200);
        server.signal(signal);
        let ended = server.end();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        let last = ended.stderr.lines().last().expect("a summary");
        assert!(last.contains("served=1") && last.ends_with("cut=0"), "{last}");
    }
}

#[test]
fn a_hang_up_changes_nothing_and_says_so() {
    let mut server = Process::start(&["demo"]);
    server.signal(Signal::HUP);
    server.wait_for("SIGHUP: ignored, there is nothing to roll");
    assert_eq!(server.connect().get("/hello").status, 200);
    assert_eq!(server.terminate().code, Some(0));
}

#[test]
fn a_request_under_way_is_answered_whole_and_says_close() {
    for shell in SHELLS {
        for threads in ["1", "2"] {
            let mut server = Process::start(&["demo", "--shell", shell, "--threads", threads]);
            let mut client = server.connect();
            client.send("GET /slow/700 HTTP/1.1\r\nhost: test\r\n\r\n");
            server.signal(Signal::TERM);
            server.wait_for("draining: asked to end");
            let answer = client.answer();
            assert_eq!((answer.status, answer.text()), (200, "waited for 700 ms\n"));
            assert_eq!(answer.field("connection"), "close");
            assert_eq!(client.rest(), (Vec::new(), true));
            drop(client);
            let ended = server.end();
            assert_eq!(ended.code, Some(0), "{shell}, {threads}: {}", ended.stderr);
        }
    }
}

#[test]
fn an_idle_connection_is_closed_once_it_has_been_quiet_and_not_before() {
    for shell in SHELLS {
        let mut server = Process::start(&["demo", "--shell", shell, "--idle-quiet", "2s"]);
        let mut client = server.connect();
        assert_eq!(client.get("/hello").field("connection"), "");
        server.signal(Signal::TERM);
        server.wait_for("draining: asked to end");
        let answer = client.get("/hello");
        assert_eq!((answer.status, answer.field("connection")), (200, "close"));
        assert_eq!(client.rest(), (Vec::new(), true));
        drop(client);
        assert_eq!(server.end().code, Some(0));
    }
}

#[test]
fn a_second_signal_cuts_what_is_left() {
    for shell in SHELLS {
        let mut server = Process::start(&["demo", "--shell", shell]);
        let mut client = server.connect();
        client.send("GET /slow/60000 HTTP/1.1\r\nhost: test\r\n\r\n");
        server.signal(Signal::TERM);
        // The log says whom the drain waits for.
        let said = server.wait_for("GET /slow/60000");
        assert!(said.contains("draining, 2"), "{said}");
        server.signal(Signal::TERM);
        assert_eq!(client.rest(), (Vec::new(), false), "a reset, no FIN");
        let ended = server.end();
        assert_eq!(ended.code, Some(5), "{shell}: {}", ended.stderr);
        assert_cut_is_named(&ended, "GET /slow/60000");
    }
}

#[test]
fn at_the_deadline_what_is_left_is_cut() {
    for shell in SHELLS {
        let server = Process::start(&["demo", "--shell", shell, "--grace", "200ms"]);
        let mut client = server.connect();
        client.send("GET /slow/60000 HTTP/1.1\r\nhost: test\r\n\r\n");
        server.signal(Signal::TERM);
        let ended = server.end();
        assert_eq!(ended.code, Some(4), "{shell}: {}", ended.stderr);
        assert_cut_is_named(&ended, "GET /slow/60000");
        assert_eq!(client.rest(), (Vec::new(), false), "a reset, no FIN");
    }
}

#[test]
fn a_lame_duck_serves_whoever_has_not_heard_yet() {
    for shell in SHELLS {
        let arguments = ["demo", "--shell", shell, "--lame-duck", "300ms", "--lame-duck-max", "1s"];
        let mut server = Process::start(&arguments);
        server.signal(Signal::TERM);
        server.wait_for("lame duck: asked to end");
        let answer = server.connect().get("/hello");
        assert_eq!((answer.status, answer.field("connection")), (200, ""));
        server.wait_for("to=draining");
        assert_eq!(server.end().code, Some(0));
    }
}

#[test]
fn every_address_is_listened_on() {
    let mut server = Process::start(&["demo", "--listen", "127.0.0.1:0"]);
    server.wait_for("listening on http://");
    let second = server.wait_for(" (").trim_end_matches(" (").parse().expect("an address");
    assert_ne!(server.address, second);
    assert_eq!(server.connect().get("/hello").status, 200);
    assert_eq!(crate::client::Client::connect(second).get("/hello").status, 200);
    assert_eq!(server.terminate().code, Some(0));
}
