//! The log: for people, for machines, and on a terminal.

use rustix::process::Signal;
use serde_json::Value;

use crate::process::Process;

#[test]
fn json_lines_are_json_whatever_happens() {
    let server = Process::start(&["demo", "--log", "json", "--threads", "2", "--grace", "200ms"]);
    let mut client = server.connect();
    client.send("GET /slow/60000?'quoted' HTTP/1.1\r\nhost: test\r\n\r\n");
    server.signal(Signal::HUP);
    server.signal(Signal::TERM);
    let ended = server.end();
    assert_eq!(ended.code, Some(4), "{}", ended.stderr);
    let lines = ended.stderr.lines().map(|line| serde_json::from_str(line).expect(line));
    let lines: Vec<Value> = lines.collect();
    assert!(
        lines[0]["message"].as_str().expect("text").ends_with("(shell tokio, 2 threads)"),
        "{}",
        lines[0]
    );
    let cut = lines.iter().find(|line| line["level"] == "WARN").expect("a cut");
    assert_eq!(cut["request"], "GET /slow/60000?'quoted'");
    let last = lines.last().expect("a summary");
    assert_eq!((&last["served"], &last["cut"]), (&Value::from(0), &Value::from(1)));
}

#[test]
fn what_could_not_start_is_json_too() {
    let (_, ended) = crate::process::run(&["serve", "/no/such/place", "--log", "json"]);
    let line: Value = serde_json::from_str(&ended.stderr).expect("JSON");
    assert_eq!(line["level"], "ERROR");
}

#[test]
fn the_level_can_be_set_and_a_wrong_one_is_said_to_be() {
    let server = Process::start_in(("RUST_LOG", "lameduck=info,lameduck_service=error"), &["demo"]);
    let ended = server.terminate();
    assert!(!ended.stderr.contains("draining: asked to end"), "{}", ended.stderr);
    let server = Process::start_in(("RUST_LOG", "lameduck=loud"), &["demo"]);
    let ended = server.terminate();
    assert!(ended.stderr.contains("RUST_LOG is not understood"), "{}", ended.stderr);
    assert!(ended.stderr.contains("draining: asked to end"), "{}", ended.stderr);
}

#[test]
fn without_a_terminal_there_are_no_escapes() {
    let server = Process::start(&["demo"]);
    let ended = server.terminate();
    assert!(!ended.stderr.contains('\x1b'), "{:?}", ended.stderr);
}

#[test]
fn a_log_that_nobody_reads_stops_nothing() {
    let mut server = Process::start(&["demo"]);
    server.stop_listening();
    server.signal(Signal::HUP);
    assert_eq!(server.connect().get("/slow/50").status, 200);
    server.signal(Signal::HUP);
    assert_eq!(server.connect().get("/slow/50").status, 200);
    assert_eq!(server.terminate().code, Some(0));
}

#[test]
fn a_terminal_shows_who_holds_the_drain_below_a_log_that_stays_whole() {
    let mut server = Process::start_on_terminal(&["demo", "--grace", "1500ms"]);
    let mut client = server.connect();
    client.send("GET /slow/60000 HTTP/1.1\r\nhost: test\r\n\r\n");
    server.signal(Signal::TERM);
    server.wait_for("GET /slow/60000");
    server.signal(Signal::HUP);
    let ended = server.end();
    assert_eq!(ended.code, Some(4), "{:?}", ended.stderr);
    let shown = without_escapes(&ended.stderr);
    let lines: Vec<&str> =
        shown.split(['\r', '\n']).map(str::trim_end).filter(|line| !line.is_empty()).collect();
    let (log, drawn): (Vec<&str>, Vec<&str>) = lines.into_iter().partition(|line| line.starts_with("20"));
    for words in
        ["SIGTERM", "draining: asked to end", "SIGHUP", "forced: the deadline has come", " cut: ", "cut=1"]
    {
        assert_eq!(log.iter().filter(|line| line.contains(words)).count(), 1, "{words}: {log:#?}");
    }
    assert!(!log.iter().any(|line| line.contains("waits for")), "{log:#?}");
    assert!(drawn.len() >= 2, "{drawn:#?}");
    for line in &drawn {
        assert!(
            line.starts_with("draining, ") && line.contains(" left: 1 connection; 127.0.0.1:"),
            "{line:?}"
        );
        assert!(
            line.contains(" GET /slow/60000, ") && line.contains(" old, waits for its handler"),
            "{line:?}"
        );
    }
}

/// The text without its colours and the movements of the cursor.
fn without_escapes(text: &str) -> String {
    let mut pieces = text.split("\x1b[");
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |shown, piece| {
        let end = piece.find(|letter: char| letter.is_ascii_alphabetic()).expect("an escape has an end");
        shown + &piece[end + 1..]
    })
}
