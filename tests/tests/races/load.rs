//! Drains under load, with clients that do not forgive.

use std::io::{ErrorKind, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use lameduck_tests::handlers::{Handler, collect, text};
use lameduck_tests::on_every_shell;
use lameduck_tests::peer::{Lost, Peer};
use lameduck_tests::shells::{PATIENCE, Running, Setup, Shell};

on_every_shell!(
    connections_opened_around_the_drain_are_answered_or_refused,
    curl_sees_no_error_until_nobody_listens,
    the_pool_of_hyper_sees_no_error_until_nobody_listens,
);

/// How many clients ask at once.
const CLIENTS: usize = 40;

/// With the timers that a server has by default.
fn by_default() -> Setup {
    Setup { config: lameduck_core::Config::default(), ..Setup::default() }
}

/// What became of one client in a tight loop.
#[derive(Default)]
struct Tally {
    answered: AtomicUsize,
    /// Requests that were lost though their client had been busy.
    lost: AtomicUsize,
    /// Requests whose client was off its processor for so long that it was not busy: the quiet was over.
    slept: AtomicUsize,
}

/// Asks and asks again, until a response says that it was the last or the connection ends between two
/// requests.
fn ask_until_told(mut peer: Peer, quiet: Duration, tally: &Tally, warm: &Barrier) {
    let request = lameduck_tests::peer::get("/busy");
    let mut warm = Some(warm);
    // The server has answered the request before this one at this moment at the earliest.
    let mut before = Instant::now();
    loop {
        let asked = Instant::now();
        // What cannot even be sent shows in what can be read.
        let _ = peer.stream().write_all(request.as_bytes());
        let pause = before.elapsed();
        before = asked;
        match peer.try_reply() {
            Ok(reply) => {
                assert_eq!(reply.status, 200);
                tally.answered.fetch_add(1, Ordering::Relaxed);
                if let Some(warm) = warm.take() {
                    warm.wait();
                }
                if reply.is_last() {
                    assert_eq!(peer.rest().0, b"");
                    return;
                }
            }
            Err(lost) => {
                let counter = if pause < quiet { &tally.lost } else { &tally.slept };
                counter.fetch_add(1, Ordering::Relaxed);
                eprintln!("{lost:?} after a pause of {pause:?}");
                return;
            }
        }
    }
}

/// The claim of the whole: 40 clients in a tight loop that never retry, and a drain; `rounds` times.
fn busy_clients_lose_nothing(shell: Shell, rounds: usize) {
    let setup = by_default();
    let quiet = setup.config.timeouts.keep_alive.draining;
    let tally = Arc::new(Tally::default());
    let mut served = 0;
    for round in 0..rounds {
        let server = setup.start(shell, Handler::echoing_the_path());
        let warm = Arc::new(Barrier::new(CLIENTS + 1));
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                let (peer, tally, warm) = (server.connect(), Arc::clone(&tally), Arc::clone(&warm));
                thread::spawn(move || ask_until_told(peer, quiet, &tally, &warm))
            })
            .collect();
        warm.wait();
        // All are at work; the drain comes at another moment of that each time.
        let traffic = Instant::now();
        while traffic.elapsed() < Duration::from_millis(10 + round as u64 % 20) {
            thread::yield_now();
        }
        server.drain();
        clients.into_iter().for_each(|client| client.join().expect("the client is content"));
        served += server.clean_report().served;
    }
    let [answered, lost, slept] =
        [&tally.answered, &tally.lost, &tally.slept].map(|counter| counter.load(Ordering::Relaxed));
    eprintln!("{shell:?}: {rounds} drains, {answered} answered, {lost} lost, {slept} overslept");
    assert_eq!(lost, 0);
    assert_eq!(served, answered as u64, "the report counts exactly what was answered");
}

mod busy_clients_lose_nothing_a_hundred_times_over {
    use super::{Shell, busy_clients_lose_nothing};

    #[test]
    fn tokio() {
        busy_clients_lose_nothing(Shell::Tokio, 100);
    }

    #[test]
    fn tokio_threads() {
        busy_clients_lose_nothing(Shell::TokioThreads, 25);
    }

    #[test]
    fn mio() {
        busy_clients_lose_nothing(Shell::Mio, 100);
    }

    #[test]
    fn mio_threads() {
        busy_clients_lose_nothing(Shell::MioThreads, 25);
    }
}

/// What became of one new connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    Answered,
    Refused,
    Lost,
}

fn open_and_ask(address: SocketAddr) -> Fate {
    match TcpStream::connect_timeout(&address, PATIENCE) {
        Ok(stream) => {
            let mut peer = Peer::over(stream);
            let request = lameduck_tests::peer::get("/new");
            if peer.stream().write_all(request.as_bytes()).is_err() {
                return Fate::Lost;
            }
            match peer.try_reply() {
                Ok(_) => Fate::Answered,
                Err(Lost(..)) => Fate::Lost,
            }
        }
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Fate::Refused,
        Err(error) => panic!("a connection is made or refused: {error}"),
    }
}

/// 400 connections in each of some rounds: who could connect is answered.
fn connections_opened_around_the_drain_are_answered_or_refused(shell: Shell) {
    for round in 0..6 {
        let server = by_default().start(shell, Handler::echoing_the_path());
        let (address, opened) = (server.address(), Arc::new(AtomicUsize::new(0)));
        let openers: Vec<_> = (0..8)
            .map(|_| {
                let (opened, handle) = (Arc::clone(&opened), server.handle.clone());
                thread::spawn(move || {
                    let mut fates = Vec::new();
                    loop {
                        match opened.fetch_add(1, Ordering::SeqCst) {
                            400.. => return fates,
                            // In the middle of all the others.
                            count if count == 150 + round * 20 => handle.begin(),
                            _ => {}
                        }
                        fates.push(open_and_ask(address));
                    }
                })
            })
            .collect();
        let fates: Vec<_> = openers.into_iter().flat_map(|opener| opener.join().unwrap()).collect();
        let count = |fate| fates.iter().filter(|known| **known == fate).count();
        let [answered, refused, lost] = [Fate::Answered, Fate::Refused, Fate::Lost].map(count);
        eprintln!("{shell:?}: {answered} answered, {refused} refused, {lost} lost");
        assert_eq!(lost, 0);
        assert_eq!(server.clean_report().served, answered as u64);
    }
}

/// Drains once `answered` says that the clients are at work.
fn drain_after(server: &Running, answered: impl Fn() -> usize, enough: usize) {
    let since = Instant::now();
    while answered() < enough {
        assert!(since.elapsed() < PATIENCE, "the clients do not get to work");
        thread::yield_now();
    }
    server.drain();
}

/// curl goes from one connection to the next as responses say, and does not retry.
fn curl_sees_no_error_until_nobody_listens(shell: Shell) {
    if Command::new("curl").arg("--version").stdout(Stdio::null()).status().is_err() {
        eprintln!("skipped: there is no curl");
        return;
    }
    let answered = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&answered);
    let handler = Handler::new(move |request| {
        let counter = Arc::clone(&counter);
        async move {
            let body = collect(request.into_body()).await.expect("the body comes to its end");
            counter.fetch_add(1, Ordering::Relaxed);
            text(body)
        }
    });
    let server = by_default().start(shell, handler);
    let url = format!("http://{}/[1-100000]", server.address());
    let curls: Vec<_> = (0..3)
        .map(|_| {
            Command::new("curl")
                .args(["-sS", "--no-progress-meter", "--fail-early", "--max-time", "30"])
                .args(["-d", "a body", "-o", "/dev/null", "-w", "%{http_code} %{exitcode}\n", &url])
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("it was there a moment ago")
        })
        .collect();
    let outputs = thread::scope(|scope| {
        // What they print is read while they print it.
        let readers: Vec<_> =
            curls.into_iter().map(|curl| scope.spawn(|| curl.wait_with_output().unwrap())).collect();
        drain_after(&server, || answered.load(Ordering::Relaxed), 300);
        readers.into_iter().map(|reader| reader.join().unwrap()).collect::<Vec<_>>()
    });
    let mut fine = 0;
    for output in outputs {
        let lines = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut transfers: Vec<_> = lines.lines().collect();
        let last = transfers.pop().expect("each transfer prints a line");
        fine += transfers.iter().filter(|line| **line == "200 0").count();
        transfers.retain(|line| *line != "200 0");
        assert!(transfers.is_empty(), "{transfers:?} {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(last, "000 7", "it could not connect: {}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(server.clean_report().served, fine as u64);
}

/// A pool keeps idle connections, and finds out late that they have ended.
fn the_pool_of_hyper_sees_no_error_until_nobody_listens(shell: Shell) {
    let server = by_default().start(shell, Handler::echoing_the_path());
    let uri: http::Uri = format!("http://{}/pooled", server.address()).parse().unwrap();
    let answered = Arc::new(AtomicUsize::new(0));
    let failed = Arc::new(AtomicBool::new(false));
    let (count, trouble) = (Arc::clone(&answered), Arc::clone(&failed));
    let clients = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let client: Client<_, Full<bytes::Bytes>> =
                Client::builder(TokioExecutor::new()).retry_canceled_requests(false).build_http();
            let tasks: Vec<_> = (0..16)
                .map(|_| {
                    let (client, uri) = (client.clone(), uri.clone());
                    let (count, trouble) = (Arc::clone(&count), Arc::clone(&trouble));
                    tokio::spawn(async move {
                        loop {
                            let request =
                                http::Request::post(uri.clone()).body(Full::from("a body")).unwrap();
                            match client.request(request).await {
                                Ok(response) => {
                                    assert_eq!(response.status(), 200);
                                    response.into_body().collect().await.expect("the body is whole");
                                    count.fetch_add(1, Ordering::Relaxed);
                                }
                                Err(error) if error.is_connect() => return,
                                Err(error) => {
                                    eprintln!("{error:?}");
                                    trouble.store(true, Ordering::Relaxed);
                                    return;
                                }
                            }
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await.expect("the client is content");
            }
        });
    });
    drain_after(&server, || answered.load(Ordering::Relaxed), 500);
    clients.join().unwrap();
    assert!(!failed.load(Ordering::Relaxed), "a request failed while the server was there");
    assert_eq!(server.clean_report().served, answered.load(Ordering::Relaxed) as u64);
}
