//! A greeting on the mio shell: `cargo run --example hello_mio -p lameduck-mio`, then Ctrl-C while a client talks.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use lameduck_mio::service::{Body, Server};
use lameduck_mio::{Threads, serve};
use tower_service::Service;

#[derive(Clone)]
struct Hello;

impl Service<Request<Body>> for Hello {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        ready(Ok(Response::new(Full::new(Bytes::from_static(b"Hello, world!")))))
    }
}

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".into());
    let server = Server::bind(address)?;
    println!("listening on {:?}", server.addresses());
    let server = server.open();
    let handle = server.handle();
    let mut signals =
        signal_hook::iterator::Signals::new([signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT])?;
    std::thread::spawn(move || {
        for _ in signals.forever() {
            handle.begin();
        }
    });
    let report = serve(server, Hello, Threads::default())?;
    println!("served {} requests, cut {}", report.served, report.cut.len());
    Ok(())
}
