//! Each path of the demo, on each shell.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::SHELLS;
use crate::process::Process;

fn on_each_shell(test: impl Fn(&Process)) {
    for shell in SHELLS {
        let server = Process::start(&["demo", "--shell", shell]);
        test(&server);
        let ended = server.terminate();
        assert_eq!(ended.code, Some(0), "{shell}: {}", ended.stderr);
    }
}

#[test]
fn hello_is_13_bytes_of_text_again_and_again() {
    on_each_shell(|server| {
        let mut client = server.connect();
        for _ in 0..3 {
            let answer = client.get("/hello");
            assert_eq!((answer.status, answer.text()), (200, "Hello, world!"));
            assert_eq!(answer.field("content-type"), "text/plain");
            assert_eq!(answer.field("content-length"), "13");
            assert_eq!(answer.field("connection"), "");
        }
    });
}

#[test]
fn the_root_lists_the_paths() {
    on_each_shell(|server| {
        let answer = server.connect().get("/");
        assert_eq!(answer.status, 200);
        for path in ["/hello", "/slow/", "/stream/", "/bytes/", "/echo", "/reject", "/sse"] {
            assert!(answer.text().contains(path), "{path}");
        }
    });
}

#[test]
fn slow_takes_as_long_as_it_is_told_to() {
    on_each_shell(|server| {
        let start = Instant::now();
        assert_eq!(server.connect().get("/slow/150").status, 200);
        assert!(start.elapsed() >= Duration::from_millis(150));
    });
}

#[test]
fn a_stream_comes_chunk_by_chunk() {
    on_each_shell(|server| {
        let mut client = server.connect();
        let start = Instant::now();
        client.send("GET /stream/3/60 HTTP/1.1\r\nhost: test\r\n\r\n");
        assert_eq!(client.head().field("transfer-encoding"), "chunked");
        for number in 1..=3 {
            assert_eq!(client.chunk().expect("a chunk"), format!("chunk {number} of 3\n").as_bytes());
        }
        assert!(start.elapsed() >= Duration::from_millis(120));
        assert_eq!(client.chunk(), None);
        let mut client = server.connect();
        assert_eq!(client.get("/stream/0/5").body, b"");
        assert_eq!(client.get("/stream/1000/0").text().lines().count(), 1_000);
    });
}

#[test]
fn bytes_are_as_many_as_asked_for_and_not_made_before_they_are_sent() {
    on_each_shell(|server| {
        let mut client = server.connect();
        for count in [0, 1, 65_535, 65_536, 65_537, 1_000_000] {
            let answer = client.get(&format!("/bytes/{count}"));
            assert_eq!((answer.status, answer.body.len()), (200, count));
            assert_eq!(answer.field("content-length"), count.to_string());
        }
        client.send("GET /bytes/1000000000000000 HTTP/1.1\r\nhost: test\r\n\r\n");
        assert_eq!(client.head().field("content-length"), "1000000000000000");
        client.read(2_000_000);
    });
}

#[test]
fn echo_sends_the_body_back_as_it_comes() {
    on_each_shell(|server| {
        let mut client = server.connect();
        client.send(
            "POST /echo HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\ncontent-type: a/b\r\n\r\n",
        );
        client.send("3\r\none\r\n");
        let head = client.head();
        assert_eq!((head.status, head.field("content-type")), (200, "a/b"));
        assert_eq!(client.chunk().expect("the first"), b"one");
        client.send("3\r\ntwo\r\n");
        assert_eq!(client.chunk().expect("the second"), b"two");
        client.send("0\r\nx-sum: 6\r\n\r\n");
        assert_eq!(client.chunk(), None);
    });
}

#[test]
fn echo_keeps_lengths_and_trailers() {
    on_each_shell(|server| {
        let mut client = server.connect();
        client.send("POST /echo HTTP/1.1\r\nhost: test\r\ncontent-length: 5\r\n\r\nhello");
        let answer = client.answer();
        assert_eq!((answer.field("content-length"), answer.text()), ("5", "hello"));
        client.send("POST /echo HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n");
        client.send("2\r\nhi\r\n0\r\nx-sum: 6\r\n\r\n");
        let answer = client.answer();
        assert_eq!(answer.text(), "hi");
        assert_eq!(answer.trailers, [("x-sum".to_owned(), "6".to_owned())]);
    });
}

#[test]
fn reject_answers_before_a_byte_of_the_body_has_come() {
    on_each_shell(|server| {
        for expect in ["", "expect: 100-continue\r\n"] {
            let mut client = server.connect();
            client.send(format!(
                "POST /reject HTTP/1.1\r\nhost: test\r\n{expect}content-length: 1000000000\r\n\r\n"
            ));
            assert_eq!(client.answer().status, 413);
        }
    });
}

#[test]
fn head_works_where_get_does_and_has_no_body() {
    on_each_shell(|server| {
        let mut client = server.connect();
        for (path, length) in [
            ("/", None),
            ("/hello", Some("13")),
            ("/slow/1", None),
            ("/stream/2/1", Some("")),
            ("/bytes/1000000000000", Some("1000000000000")),
            ("/sse", Some("")),
        ] {
            let answer = client.ask("HEAD", path, &[]);
            assert_eq!(answer.status, 200, "{path}");
            if let Some(length) = length {
                assert_eq!(answer.field("content-length"), length, "{path}");
            }
            // What follows is the next answer.
            assert_eq!(client.get("/hello").text(), "Hello, world!", "after {path}");
        }
    });
}

#[test]
fn wrong_methods_are_told_the_right_ones_and_unknown_paths_are_404() {
    on_each_shell(|server| {
        let mut client = server.connect();
        for (method, path, allow) in [
            ("DELETE", "/hello", "GET, HEAD"),
            ("OPTIONS", "/sse", "GET, HEAD"),
            ("GET", "/echo", "POST"),
            ("HEAD", "/reject", "POST"),
        ] {
            let answer = client.ask(method, path, &[]);
            assert_eq!((answer.status, answer.field("allow")), (405, allow), "{method} {path}");
        }
        for path in ["/nothing", "/hello/", "/slow/x", "/bytes/-1", "/stream/5"] {
            assert_eq!(client.get(path).status, 404, "{path}");
        }
    });
}

#[test]
fn events_tell_of_the_drain_and_end() {
    for shell in SHELLS {
        let server = Process::start(&["demo", "--shell", shell, "--grace", "20s"]);
        let mut client = server.connect();
        client.send("GET /sse HTTP/1.1\r\nhost: test\r\n\r\n");
        assert_eq!(client.head().field("content-type"), "text/event-stream");
        assert_eq!(client.chunk().expect("an event"), b"event: tick\ndata: 1\n\n");
        server.signal(Signal::TERM);
        let last = std::iter::from_fn(|| client.chunk()).last().expect("an event that tells of the drain");
        let last = String::from_utf8(last).expect("text");
        assert!(last.starts_with("event: drain\ndata: {\"deadline\":\""), "{last}");
        let left: f64 = last
            .split_once("\"seconds_left\":")
            .and_then(|(_, left)| left.strip_suffix("}\n\n")?.parse().ok())
            .expect("a number");
        assert!((15.0..=20.0).contains(&left), "{last}");
        let ended = server.end();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    }
}
