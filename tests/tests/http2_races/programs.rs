//! Programs that other people have written: curl, nghttp and h2load.

use std::net::SocketAddr;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use http::StatusCode;
use lameduck_tests::handlers::{Handler, collect, text};
use lameduck_tests::on_every_shell;
use lameduck_tests::shells::{PATIENCE, Running, Shell};

use crate::kit::{Desk, by_default, patient};

on_every_shell!(
    curl_sees_no_error_until_nobody_listens,
    curl_keeps_an_answer_that_comes_before_its_upload_is_over,
    nghttp_gets_every_stream_that_is_under_way,
    nghttp_uploads_through_a_drain,
    h2load_loses_nothing_that_was_taken,
);

/// Whether there is such a program. Where everything has to be tested there has to be one.
fn is_there(program: &str) -> bool {
    let is_there = Command::new(program).arg("--version").stdout(Stdio::null()).status().is_ok();
    let must_be_there = std::env::var("CI").is_ok_and(|value| value == "true");
    assert!(is_there || !must_be_there, "there is no {program}, and CI=true says that there has to be");
    if !is_there {
        eprintln!("skipped: there is no {program}");
    }
    is_there
}

fn spawn(program: &str, args: &[&str]) -> Child {
    Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it was there a moment ago")
}

/// Its output, read while it is written, and what was done meanwhile.
fn attend(children: Vec<Child>, meanwhile: impl FnOnce()) -> Vec<Output> {
    thread::scope(|scope| {
        let readers: Vec<_> =
            children.into_iter().map(|child| scope.spawn(|| child.wait_with_output().unwrap())).collect();
        meanwhile();
        readers.into_iter().map(|reader| reader.join().unwrap()).collect()
    })
}

fn lines(text: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(text).lines().map(str::to_owned).collect()
}

/// Counts what it has answered; reads the body first.
fn counting() -> (Handler, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let handler = Handler::new(move |request| {
        let counter = Arc::clone(&counter);
        async move {
            let body = collect(request.into_body()).await.expect("the body comes to its end");
            counter.fetch_add(1, Ordering::Relaxed);
            text(body)
        }
    });
    (handler, calls)
}

/// Drains once the clients are at work.
fn drain_after(server: &Running, calls: &AtomicUsize, enough: usize) {
    let since = Instant::now();
    while calls.load(Ordering::Relaxed) < enough {
        assert!(since.elapsed() < PATIENCE, "the clients do not get to work");
        thread::yield_now();
    }
    server.drain();
}

/// A connection for each request: curl 7.88 cannot use one of HTTP/2 again that it has by prior knowledge, whoever
/// serves.
fn curl_sees_no_error_until_nobody_listens(shell: Shell) {
    if !is_there("curl") {
        return;
    }
    let (handler, calls) = counting();
    let server = by_default().start(shell, handler);
    let url = format!("http://{}/", server.address());
    let mut args =
        vec!["-sS", "--http2-prior-knowledge", "--max-time", "30", "-d", "a body", "-o", "/dev/null"];
    args.extend(["-w", "%{http_code} %{http_version} %{exitcode}", &url]);
    let ask_until_refused = || {
        for fine in 0.. {
            let output = spawn("curl", &args).wait_with_output().unwrap();
            match String::from_utf8_lossy(&output.stdout).as_ref() {
                "200 2 0" => {}
                // It could not connect.
                "000 0 7" => return fine,
                other => panic!("{other}: {:?}", lines(&output.stderr)),
            }
        }
        0
    };
    let fine: u64 = thread::scope(|scope| {
        let clients: Vec<_> = (0..4).map(|_| scope.spawn(ask_until_refused)).collect();
        drain_after(&server, &calls, 50);
        clients.into_iter().map(|client| client.join().expect("it is content")).sum()
    });
    assert_eq!(server.clean_report().served, fine);
    assert_eq!(calls.load(Ordering::Relaxed) as u64, fine, "what was handled was answered");
}

/// It drops one that it has whole when a RST_STREAM comes before it has sent all, whatever the code.
fn curl_keeps_an_answer_that_comes_before_its_upload_is_over(shell: Shell) {
    if !is_there("curl") {
        return;
    }
    let handler = Handler::new(|request| async move {
        match request.uri().path() {
            "/refused" => {
                let mut reply = text("not read");
                *reply.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
                reply
            }
            _ => text("not read"),
        }
    });
    let server = by_default().start(shell, handler);
    let file = std::env::temp_dir().join(format!("lameduck-early-{}-{shell:?}", std::process::id()));
    let upload = format!("@{}", file.display());
    let mut served = 0;
    for size in [60_000, 300_000, 4_000_000] {
        std::fs::write(&file, vec![b'u'; size]).expect("there is room for it");
        for path in ["taken", "refused"] {
            let url = format!("http://{}/{path}", server.address());
            let args = ["-sS", "--http2-prior-knowledge", "--max-time", "30", "--data-binary", &upload, &url];
            for _ in 0..10 {
                let output = spawn("curl", &args).wait_with_output().unwrap();
                let said = (String::from_utf8_lossy(&output.stdout), output.status.success());
                assert_eq!(said, ("not read".into(), true), "{path}, {size}: {:?}", lines(&output.stderr));
                served += 1;
            }
        }
    }
    std::fs::remove_file(&file).expect("it is there");
    server.drain();
    assert_eq!(server.clean_report().served, served);
}

/// Fifty of them, on one connection; it says what it received.
fn nghttp_gets_every_stream_that_is_under_way(shell: Shell) {
    if !is_there("nghttp") {
        return;
    }
    let desk = Desk::new();
    let server = patient().start(shell, desk.handler());
    let uris: Vec<_> = (0..50).map(|number| format!("http://{}/{number}", server.address())).collect();
    let mut args = vec!["--verbose", "--null-out"];
    args.extend(uris.iter().map(String::as_str));
    let outputs = attend(vec![spawn("nghttp", &args)], || {
        (0..50).for_each(|number| desk.await_call(&format!("/{number}")));
        server.drain();
        server.await_holders(1);
        (0..50).rev().for_each(|number| desk.let_on(&format!("/{number}")));
    });
    let [output] = &outputs[..] else { unreachable!() };
    let said = lines(&output.stdout);
    assert!(output.status.success(), "{said:#?} {:?}", lines(&output.stderr));
    assert_eq!(lines(&output.stderr), Vec::<String>::new());
    let count = |what: &str| said.iter().filter(|line| line.contains(what)).count();
    assert_eq!(count(":status: 200"), 50, "{said:#?}");
    assert_eq!(count("last_stream_id=2147483647, error_code=NO_ERROR(0x00)"), 1, "{said:#?}");
    assert_eq!(count("RST_STREAM"), 0, "{said:#?}");
    assert_eq!(server.clean_report().served, 50);
}

/// A megabyte with trailers each, and padding around everything.
fn nghttp_uploads_through_a_drain(shell: Shell) {
    if !is_there("nghttp") {
        return;
    }
    let (handler, calls) = counting();
    let server = by_default().start(shell, handler);
    let file = std::env::temp_dir().join(format!("lameduck-upload-{}-{shell:?}", std::process::id()));
    std::fs::write(&file, vec![b'u'; 1 << 20]).expect("there is room for a megabyte");
    let (path, uri) = (file.display().to_string(), format!("http://{}/up", server.address()));
    let args = [
        "--null-out",
        "--stat",
        "--multiply=20",
        "--data",
        &path,
        "--trailer",
        "sum: 5",
        "--padding=20",
        &uri,
    ];
    let outputs = attend(vec![spawn("nghttp", &args)], || drain_after(&server, &calls, 3));
    std::fs::remove_file(&file).expect("it is ours");
    let [output] = &outputs[..] else { unreachable!() };
    assert!(output.status.success(), "{:?} {:?}", lines(&output.stdout), lines(&output.stderr));
    assert_eq!(lines(&output.stderr), Vec::<String>::new());
    let fine =
        lines(&output.stdout).iter().filter(|line| line.contains(" 200 ") && line.contains("1M")).count();
    assert_eq!(fine, 20, "{:#?}", lines(&output.stdout));
    assert_eq!(server.clean_report().served, 20);
}

/// What one run of h2load counted.
#[derive(Debug)]
struct Counted {
    succeeded: u64,
    failed: u64,
}

fn h2load(address: SocketAddr, meanwhile: impl FnOnce()) -> Counted {
    let url = format!("http://{address}/");
    let child = spawn("h2load", &["-n", "200000", "-c", "8", "-m", "50", &url]);
    let outputs = attend(vec![child], meanwhile);
    let said = lines(&outputs[0].stdout);
    let requests =
        said.iter().find(|line| line.starts_with("requests: ")).unwrap_or_else(|| panic!("{said:#?}"));
    let count = |what: &str| {
        let words: Vec<_> = requests.split([' ', ',']).collect();
        let at = words.iter().position(|word| *word == what).unwrap_or_else(|| panic!("{requests}"));
        words[at - 1].parse().unwrap_or_else(|_| panic!("{requests}"))
    };
    Counted { succeeded: count("succeeded"), failed: count("failed") }
}

/// It retries nothing: what it says failed came behind the cutoff or was never sent, for all that was taken has
/// succeeded.
fn h2load_loses_nothing_that_was_taken(shell: Shell) {
    if !is_there("h2load") {
        return;
    }
    for _ in 0..3 {
        let (handler, calls) = counting();
        let server = by_default().start(shell, handler);
        let counted = h2load(server.address(), || drain_after(&server, &calls, 2000));
        let calls = calls.load(Ordering::Relaxed) as u64;
        eprintln!("{shell:?}: {calls} taken, {counted:?}");
        assert!(counted.failed > 0, "the drain came after all");
        assert_eq!(counted.succeeded, calls, "{counted:?}");
        assert_eq!(server.clean_report().served, calls);
    }
}
