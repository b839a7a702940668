//! Drains under load, with clients that do not forgive.

use std::io::{ErrorKind, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::Reason;
use h2::client::SendRequest;
use http::Request;
use lameduck_core::Allowance;
use lameduck_tests::h2::{Ended, PREFACE, Peer, Sent, code, frame, reply};
use lameduck_tests::handlers::{Handler, Latch, text};
use lameduck_tests::on_every_shell;
use lameduck_tests::peer;
use lameduck_tests::shells::{PATIENCE, Shell};

use crate::clients::{connect, read};
use crate::kit::{Desk, by_default};

on_every_shell!(
    connections_opened_around_the_drain_are_answered_or_refused,
    clients_that_do_not_listen_are_answered_up_to_the_last_goaway_and_refused_above,
);

/// How many connections ask at once, and on how many streams each.
const CONNECTIONS: usize = 4;
const STREAMS: usize = 16;

/// What became of the requests.
#[derive(Default, Debug)]
struct Tally {
    /// That handlers were called for.
    taken: AtomicU64,
    answered: AtomicU64,
    /// That a GOAWAY or a RST_STREAM says were not taken.
    refused: AtomicU64,
    /// Everything else.
    lost: AtomicU64,
}

impl Tally {
    fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// Whether the server has not acted on it (RFC 9113 section 8.7): `h2` says so of a stream above the last one of a
/// GOAWAY too.
fn is_safe_to_retry(error: &h2::Error) -> bool {
    (error.is_go_away() && error.reason() == Some(Reason::NO_ERROR))
        || (error.is_reset() && error.reason() == Some(Reason::REFUSED_STREAM))
}

/// What came of one request.
enum Fate {
    Answered,
    /// Nothing has been sent: the connection takes no more.
    NotSent,
    Failed(h2::Error),
}

async fn ask(client: &mut SendRequest<Bytes>, path: &str) -> Fate {
    let request = Request::get(format!("http://a{path}")).body(()).expect("it is a path");
    let Ok((response, _)) = client.send_request(request, true) else { return Fate::NotSent };
    let whole = async {
        let response = response.await?;
        assert_eq!(response.status(), 200);
        read(response.into_body()).await
    };
    match whole.await {
        Ok((body, _)) => {
            assert_eq!(String::from_utf8_lossy(&body), path);
            Fate::Answered
        }
        Err(error) => Fate::Failed(error),
    }
}

/// Asks and asks again, until nothing more can be asked.
async fn ask_until_told(mut client: SendRequest<Bytes>, path: &str, tally: &Tally, warm: &Latch) {
    loop {
        // Where this fails, nothing has been asked.
        client = match client.ready().await {
            Ok(client) => client,
            Err(_) => return,
        };
        match ask(&mut client, path).await {
            Fate::Answered => {
                Tally::count(&tally.answered);
                warm.open();
            }
            Fate::NotSent => return,
            Fate::Failed(error) if is_safe_to_retry(&error) => Tally::count(&tally.refused),
            Fate::Failed(error) => {
                eprintln!("{error:?}");
                Tally::count(&tally.lost);
                return;
            }
        }
    }
}

/// Answers with the path: at once, or through another thread where that is asked for.
fn handler(tally: &Arc<Tally>) -> Handler {
    let (sender, later) = mpsc::channel::<lameduck_tests::handlers::OnDrop>();
    thread::spawn(move || later.into_iter().for_each(drop));
    let tally = Arc::clone(tally);
    Handler::new(move |request| {
        Tally::count(&tally.taken);
        let path = request.uri().path().to_owned();
        let done = Latch::new();
        if path == "/later" {
            sender.send(done.on_drop()).expect("the other thread is there");
        } else {
            done.open();
        }
        async move {
            done.wait().await;
            text(path)
        }
    })
}

/// Connections of one thread each. They are at work when each latch has opened.
fn start_clients(address: SocketAddr, tally: &Arc<Tally>) -> (Vec<thread::JoinHandle<()>>, Vec<Latch>) {
    let warm: Vec<_> = (0..CONNECTIONS).map(|_| Latch::new()).collect();
    let clients = warm.iter().map(|warm| {
        let (tally, warm) = (Arc::clone(tally), warm.clone());
        thread::spawn(move || {
            crate::clients::run(async {
                let (client, connection) = connect(address).await;
                let tasks: Vec<_> = (0..STREAMS)
                    .map(|number| {
                        let (client, tally, warm) = (client.clone(), Arc::clone(&tally), warm.clone());
                        let path = if number % 2 == 0 { "/now" } else { "/later" };
                        tokio::spawn(async move { ask_until_told(client, path, &tally, &warm).await })
                    })
                    .collect();
                drop(client);
                for task in tasks {
                    task.await.expect("the client is content");
                }
                connection.await.unwrap().expect("it ends without an error");
            });
        })
    });
    (clients.collect(), warm)
}

/// The claim of the whole: 64 streams in a tight loop, which retry only what is safe to retry, and a drain; `rounds`
/// times.
fn busy_streams_lose_nothing(shell: Shell, rounds: u64) {
    let tally = Arc::new(Tally::default());
    let mut served = 0;
    let began = Instant::now();
    for round in 0..rounds {
        let server = by_default().start(shell, handler(&tally));
        let (clients, warm) = start_clients(server.address(), &tally);
        warm.iter().for_each(|warm| warm.block("the first answers"));
        // All are at work; the drain comes at another moment of that each time.
        let traffic = Instant::now();
        while traffic.elapsed() < Duration::from_millis(2 + round % 20) {
            thread::yield_now();
        }
        server.drain();
        clients.into_iter().for_each(|client| client.join().expect("the client is content"));
        served += server.clean_report().served;
    }
    let [taken, answered, refused, lost] = [&tally.taken, &tally.answered, &tally.refused, &tally.lost]
        .map(|count| count.load(Ordering::Relaxed));
    let took = began.elapsed();
    eprintln!(
        "{shell:?}: {rounds} drains in {took:.1?}, {answered} answered, {refused} refused, {lost} lost"
    );
    assert_eq!(lost, 0);
    assert_eq!(taken, answered, "what was taken was answered");
    assert_eq!(served, answered, "the report counts exactly what was answered");
}

mod busy_streams_lose_nothing_a_hundred_times_over {
    use super::{Shell, busy_streams_lose_nothing};

    #[test]
    fn tokio() {
        busy_streams_lose_nothing(Shell::Tokio, 100);
    }

    #[test]
    fn tokio_threads() {
        busy_streams_lose_nothing(Shell::TokioThreads, 25);
    }

    #[test]
    fn mio() {
        busy_streams_lose_nothing(Shell::Mio, 100);
    }

    #[test]
    fn mio_threads() {
        busy_streams_lose_nothing(Shell::MioThreads, 25);
    }
}

/// What became of one new connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Opened {
    Answered,
    Refused,
    Lost,
}

fn open_and_ask(address: SocketAddr) -> Opened {
    let stream = match TcpStream::connect_timeout(&address, PATIENCE) {
        Ok(stream) => stream,
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => return Opened::Refused,
        Err(error) => panic!("a connection is made or refused: {error}"),
    };
    let mut peer = Peer::over(peer::Peer::over(stream));
    let request = peer.requests.get(1, "/new");
    let opening = frame::join([PREFACE, frame::settings(&[]).as_ref(), request.as_ref()]);
    if peer.socket.stream().write_all(&opening).is_err() {
        return Opened::Lost;
    }
    while peer.try_read().is_ok() {
        if reply(peer.sent(), 1).ended == Some(Ended::Whole) {
            return Opened::Answered;
        }
    }
    Opened::Lost
}

/// 400 connections in each of some rounds: who could connect is answered.
fn connections_opened_around_the_drain_are_answered_or_refused(shell: Shell) {
    for round in 0..4 {
        let server = by_default().start(shell, Handler::echoing_the_path());
        let (address, opened) = (server.address(), AtomicUsize::new(0));
        let open_until_enough = || {
            let mut fates = Vec::new();
            loop {
                match opened.fetch_add(1, Ordering::SeqCst) {
                    400.. => return fates,
                    // In the middle of all the others.
                    count if count == 150 + round * 20 => server.handle.begin(),
                    _ => {}
                }
                fates.push(open_and_ask(address));
            }
        };
        let fates: Vec<_> = thread::scope(|scope| {
            let openers: Vec<_> = (0..8).map(|_| scope.spawn(open_until_enough)).collect();
            openers.into_iter().flat_map(|opener| opener.join().unwrap()).collect()
        });
        let count = |fate| fates.iter().filter(|known| **known == fate).count();
        let [answered, refused, lost] = [Opened::Answered, Opened::Refused, Opened::Lost].map(count);
        eprintln!("{shell:?}: {answered} answered, {refused} refused, {lost} lost");
        assert_eq!(lost, 0);
        assert_eq!(server.clean_report().served, answered as u64);
    }
}

/// Whether a client acks the PING of the notice; it does not heed the notice.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Acks {
    Pings,
    Nothing,
}

/// Asks for sixteen at a time until it gets no answer any more, beside one that is held until sixteen have been
/// refused. How many streams the last GOAWAY counts, all of which have been answered, and how many were refused,
/// which are all above.
fn ask_without_listening(mut peer: Peer, acks: Acks, desk: &Desk, held: &str, warm: &Latch) -> (u64, u64) {
    peer.get(1, held);
    let mut next = 3;
    loop {
        let batch: Vec<_> = (0..16).map(|at| next + at * 2).collect();
        next += 32;
        let requests: Vec<_> = batch.iter().map(|stream| peer.requests.get(*stream, "/deaf")).collect();
        // What cannot be sent shows in what can be read.
        let _ = peer.socket.stream().write_all(&frame::join(requests));
        let mut open = batch.len();
        while open > 0 {
            let Ok(sent) = peer.try_read() else { return last_words(&peer) };
            match sent {
                Sent::Ping(data) if acks == Acks::Pings => peer.send(frame::ping_ack(data)),
                Sent::Data { stream, end: true, .. } if stream != 1 => open -= 1,
                Sent::RstStream { .. } => open -= 1,
                _ => {}
            }
        }
        if peer.sent().iter().rev().take(16).all(|sent| matches!(sent, Sent::RstStream { .. })) {
            desk.let_on(held);
        }
        warm.open();
        // More than all of these took.
        peer.grant(0, 16 * 16);
    }
}

/// Holds what the server said against its last GOAWAY.
fn last_words(peer: &Peer) -> (u64, u64) {
    let (mut last, mut whole, mut refused) = (None, Vec::new(), Vec::new());
    for sent in peer.sent() {
        match sent {
            Sent::GoAway { last: said, code, .. } => {
                assert_eq!(*code, code::NO_ERROR);
                last = Some(*said);
            }
            Sent::Data { stream, end: true, .. } => whole.push(*stream),
            Sent::RstStream { stream, code } => {
                assert_eq!(*code, code::REFUSED_STREAM);
                refused.push(*stream);
            }
            _ => {}
        }
    }
    let last = last.expect("it hears of the drain");
    whole.sort_unstable();
    assert_eq!(whole, (1..=last).step_by(2).collect::<Vec<_>>(), "every stream that the last GOAWAY counts");
    assert!(refused.iter().all(|stream| *stream > last), "{refused:?} {last}");
    (whole.len() as u64, refused.len() as u64)
}

/// They lose what they ask for behind the cutoff, can tell that from what they do not lose, and hold nothing up.
fn clients_that_do_not_listen_are_answered_up_to_the_last_goaway_and_refused_above(shell: Shell) {
    let mut all_refused = 0;
    for round in 0..10 {
        let mut setup = by_default();
        setup.config.timeouts.goaway_ack = Allowance::millis(1000, 20);
        let desk = Desk::new();
        desk.let_on("/deaf");
        let server = setup.start(shell, desk.handler());
        let (counted, refused) = thread::scope(|scope| {
            let clients: Vec<_> = [Acks::Pings, Acks::Nothing, Acks::Pings, Acks::Nothing]
                .into_iter()
                .enumerate()
                .map(|(number, acks)| {
                    let (peer, warm) = (Peer::greeted(server.address()), Latch::new());
                    let (desk, held, at_work) = (&desk, format!("/{number}"), warm.clone());
                    let client = scope.spawn(move || ask_without_listening(peer, acks, desk, &held, &warm));
                    (client, at_work)
                })
                .collect();
            clients.iter().for_each(|(_, at_work)| at_work.block("the first answers"));
            let traffic = Instant::now();
            while traffic.elapsed() < Duration::from_millis(2 + round) {
                thread::yield_now();
            }
            server.drain();
            let counts =
                clients.into_iter().map(|(client, _)| client.join().expect("the server keeps its word"));
            counts.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
        });
        assert_eq!(desk.calls("/deaf") as u64 + 4, counted, "what was refused was not handled");
        assert_eq!(server.clean_report().served, counted);
        assert!(refused >= 4 * 16);
        all_refused += refused;
    }
    eprintln!("{shell:?}: {all_refused} refused");
}
