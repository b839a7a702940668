//! A greeting on the tokio shell: `cargo run --example hello_tokio -p lameduck-tokio`, then Ctrl-C while a client
//! talks.

use std::convert::Infallible;
use std::io;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use lameduck_tokio::serve;
use lameduck_tokio::service::{Body, Server};

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".into());
    let server = Server::bind(address)?;
    println!("listening on {:?}", server.addresses());
    let server = server.open();
    let handle = server.handle();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            handle.begin();
        }
    });
    let hello = tower::service_fn(|_: Request<Body>| async {
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"Hello, world!"))))
    });
    let report = serve(server, hello).await?;
    println!("served {} requests, cut {}", report.served, report.cut.len());
    Ok(())
}
