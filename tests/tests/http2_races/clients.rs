//! Clients that other people have written.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use bytes::Bytes;
use h2::client::SendRequest;
use h2::{Reason, RecvStream};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use lameduck_tests::handlers::{Handler, Latch, collect, pipe, streaming, text};
use lameduck_tests::on_every_shell;
use lameduck_tests::shells::Shell;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::kit::{Desk, by_default, patient};

on_every_shell!(
    the_h2_crate_gets_every_stream_that_is_under_way,
    the_h2_crate_exchanges_large_bodies_and_trailers_through_a_drain,
    the_h2_crate_resets_a_stream_and_keeps_the_others,
    the_h2_crate_gets_interim_and_empty_answers,
    hypers_pool_sees_no_error_until_nobody_listens,
);

/// Runs a client on this thread.
pub(crate) fn run<F: Future>(client: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(client)
}

/// A connection of the `h2` crate, and what drives it.
pub(crate) async fn connect(address: SocketAddr) -> (SendRequest<Bytes>, JoinHandle<Result<(), h2::Error>>) {
    let stream = TcpStream::connect(address).await.expect("the server listens");
    stream.set_nodelay(true).expect("it is connected");
    let (client, connection) = h2::client::handshake(stream).await.expect("the server shakes hands");
    (client, tokio::spawn(connection))
}

/// Reads a response's body and its trailers, with windows kept open.
pub(crate) async fn read(body: RecvStream) -> Result<(Vec<u8>, Option<HeaderMap>), h2::Error> {
    let (mut body, mut all) = (body, Vec::new());
    while let Some(piece) = body.data().await {
        let piece = piece?;
        body.flow_control().release_capacity(piece.len())?;
        all.extend_from_slice(&piece);
    }
    Ok((all, body.trailers().await?))
}

fn get(path: &str) -> Request<()> {
    Request::get(format!("http://a{path}")).body(()).expect("it is a path")
}

/// A hundred of them; afterwards it is told that there is nobody, and not that there was an error.
fn the_h2_crate_gets_every_stream_that_is_under_way(shell: Shell) {
    let desk = Desk::new();
    let server = patient().start(shell, desk.handler());
    run(async {
        let (mut client, connection) = connect(server.address()).await;
        let mut responses = Vec::new();
        for number in 0..100 {
            client = client.ready().await.expect("a hundred at once are fine");
            let (response, _) = client.send_request(get(&format!("/{number}")), true).unwrap();
            responses.push(response);
        }
        // The client's own task sends them.
        let called = {
            let desk = desk.clone();
            tokio::task::spawn_blocking(move || {
                (0..100).for_each(|number| desk.await_call(&format!("/{number}")));
            })
        };
        called.await.expect("all are called");
        server.drain();
        (0..100).rev().for_each(|number| desk.let_on(&format!("/{number}")));
        for (number, response) in responses.into_iter().enumerate() {
            let response = response.await.unwrap_or_else(|error| panic!("{number}: {error}"));
            let (body, _) = read(response.into_body()).await.expect("it is whole");
            assert_eq!(String::from_utf8_lossy(&body), format!("/{number} 0"));
        }
        connection.await.unwrap().expect("it ends without an error");
        assert!(client.ready().await.is_err(), "it is over");
    });
    assert_eq!(server.clean_report().served, 100);
}

/// Sends back what comes while it comes, with its trailers.
fn mirror() -> Handler {
    Handler::new(|request| {
        let (tap, spout) = pipe();
        let mut body = request.into_body();
        // Anywhere but on the shell's threads.
        thread::spawn(move || {
            lameduck_tests::handlers::block_on(async {
                while let Some(frame) = body.frame().await {
                    match frame.expect("it comes to its end").into_data() {
                        Ok(data) => tap.send(data),
                        Err(frame) => tap.send_trailers(frame.into_trailers().expect("what else")),
                    }
                }
            });
        });
        std::future::ready(streaming(spout))
    })
}

/// Eight times a megabyte both ways at once; the drain comes in the middle.
fn the_h2_crate_exchanges_large_bodies_and_trailers_through_a_drain(shell: Shell) {
    const LENGTH: usize = 1 << 20;
    let server = by_default().start(shell, mirror());
    let moved = Arc::new(AtomicUsize::new(0));
    run(async {
        let (client, connection) = connect(server.address()).await;
        let mut tasks = Vec::new();
        for number in 0..8u8 {
            let (mut client, moved, handle) = (client.clone(), Arc::clone(&moved), server.handle.clone());
            tasks.push(tokio::spawn(async move {
                let request = Request::post("http://a/mirror").body(()).unwrap();
                let (response, mut upload) = client.send_request(request, false).expect("it is open");
                let uploads = tokio::spawn(async move {
                    let mut left = LENGTH;
                    while left > 0 {
                        upload.reserve_capacity(left.min(20_000));
                        let window = std::future::poll_fn(|cx| upload.poll_capacity(cx)).await;
                        let piece = left.min(window.expect("it is open").expect("it grants some"));
                        upload.send_data(vec![number; piece].into(), false).expect("there is room");
                        left -= piece;
                        if moved.fetch_add(piece, Ordering::Relaxed) > 2 * LENGTH {
                            handle.begin();
                        }
                    }
                    let mut trailers = HeaderMap::new();
                    trailers.insert("x-number", HeaderValue::from(u16::from(number)));
                    upload.send_trailers(trailers).expect("it is open");
                });
                let response = response.await.expect("it is answered");
                let (body, trailers) = read(response.into_body()).await.expect("it is whole");
                uploads.await.unwrap();
                assert_eq!(body.len(), LENGTH);
                assert!(body.iter().all(|octet| *octet == number));
                assert_eq!(trailers.expect("they come back")["x-number"], u16::from(number).to_string());
            }));
        }
        drop(client);
        for task in tasks {
            task.await.expect("the client is content");
        }
        connection.await.unwrap().expect("it ends without an error");
    });
    assert_eq!(server.clean_report().served, 8);
}

/// In a drain, which then ends with the others.
fn the_h2_crate_resets_a_stream_and_keeps_the_others(shell: Shell) {
    let desk = Desk::new();
    let server = patient().start(shell, desk.handler());
    run(async {
        let (mut client, connection) = connect(server.address()).await;
        let (kept, _) = client.send_request(get("/kept"), true).unwrap();
        let (left, mut stream) = client.send_request(get("/left"), true).unwrap();
        let waits = desk.clone();
        let called = tokio::task::spawn_blocking(move || {
            waits.await_call("/kept");
            waits.await_call("/left");
        });
        called.await.unwrap();
        server.drain();
        stream.send_reset(Reason::CANCEL);
        drop(left);
        let gone = desk.clone();
        tokio::task::spawn_blocking(move || gone.await_drop("/left")).await.unwrap();
        desk.let_on("/kept");
        let (body, _) = read(kept.await.expect("it is answered").into_body()).await.expect("it is whole");
        assert_eq!(body, b"/kept 0");
        connection.await.unwrap().expect("it ends without an error");
    });
    assert_eq!(server.clean_report().served, 1);
}

/// What a strict client has to say to HEAD, 204 and 304, and to a body that `content-length` describes.
fn the_h2_crate_gets_interim_and_empty_answers(shell: Shell) {
    let handler = Handler::new(|request| async move {
        match request.uri().path() {
            "/204" => lameduck_tests::handlers::empty(http::StatusCode::NO_CONTENT),
            "/304" => lameduck_tests::handlers::empty(http::StatusCode::NOT_MODIFIED),
            "/expect" => text(collect(request.into_body()).await.expect("it comes once it was asked for")),
            _ => text("hello"),
        }
    });
    let server = by_default().start(shell, handler);
    run(async {
        let (mut client, connection) = connect(server.address()).await;
        let mut exchanges = Vec::new();
        for (method, path, status, body) in [
            ("HEAD", "/", 200, ""),
            ("GET", "/204", 204, ""),
            ("GET", "/304", 304, ""),
            ("OPTIONS", "/", 200, "hello"),
            ("GET", "/", 200, "hello"),
        ] {
            let request = Request::builder().method(method).uri(format!("http://a{path}")).body(()).unwrap();
            let (response, _) = client.send_request(request, true).unwrap();
            exchanges.push((response, status, body));
        }
        for (response, status, body) in exchanges {
            let response: Response<RecvStream> = response.await.expect("it is answered");
            assert_eq!(response.status(), status);
            assert_eq!(read(response.into_body()).await.expect("it is whole").0, body.as_bytes());
        }
        let request = Request::post("http://a/expect").header("expect", "100-continue").body(()).unwrap();
        let (mut response, mut upload) = client.send_request(request, false).unwrap();
        let interim = std::future::poll_fn(|cx| response.poll_informational(cx)).await;
        assert_eq!(interim.expect("one comes").expect("it is well-formed").status(), 100);
        upload.send_data(Bytes::from_static(b"asked for"), true).unwrap();
        let (body, _) = read(response.await.expect("it is answered").into_body()).await.expect("it is whole");
        assert_eq!(body, b"asked for");
        server.drain();
        connection.await.unwrap().expect("it ends without an error");
    });
    assert_eq!(server.clean_report().served, 6);
}

/// It keeps one connection for all, and asks again what a GOAWAY says was not taken.
fn hypers_pool_sees_no_error_until_nobody_listens(shell: Shell) {
    let calls = Arc::new(AtomicUsize::new(0));
    let (counter, enough) = (Arc::clone(&calls), Latch::new());
    let signal = enough.clone();
    let handler = Handler::new(move |request| {
        let (counter, signal) = (Arc::clone(&counter), signal.clone());
        async move {
            let body = collect(request.into_body()).await.expect("the body comes to its end");
            if counter.fetch_add(1, Ordering::Relaxed) > 1000 {
                signal.open();
            }
            text(body)
        }
    });
    let server = by_default().start(shell, handler);
    let uri: http::Uri = format!("http://{}/pooled", server.address()).parse().unwrap();
    let clients = thread::spawn(move || {
        run(async {
            let client: Client<_, Full<Bytes>> =
                Client::builder(TokioExecutor::new()).http2_only(true).build_http();
            let ask_until_refused = |client: Client<_, Full<Bytes>>, uri: http::Uri| async move {
                for answered in 0.. {
                    let request = Request::post(uri.clone()).body(Full::from("a body")).unwrap();
                    match client.request(request).await {
                        Ok(response) => {
                            assert_eq!(response.version(), http::Version::HTTP_2);
                            let body = response.into_body().collect().await.expect("the body is whole");
                            assert_eq!(body.to_bytes(), "a body");
                        }
                        Err(error) if error.is_connect() => return answered,
                        Err(error) => panic!("while the server was there: {error:?}"),
                    }
                }
                0
            };
            let tasks: Vec<_> =
                (0..32).map(|_| tokio::spawn(ask_until_refused(client.clone(), uri.clone()))).collect();
            let mut answered = 0;
            for task in tasks {
                answered += task.await.expect("the client is content");
            }
            answered
        })
    });
    enough.block("a thousand answers");
    server.drain();
    let answered: u64 = clients.join().unwrap();
    assert_eq!(server.clean_report().served, answered);
    assert_eq!(calls.load(Ordering::Relaxed) as u64, answered, "what was handled was answered");
}
