//! `hyper_server`: the peer to compare with, hyper's HTTP/1 server on a current-thread tokio runtime.

use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use clap::Parser;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use lameduck_bench::hello;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};

/// Answers every request with `Hello, world!`; drains on SIGTERM.
#[derive(Parser)]
struct Options {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Write each pipelined answer by itself
    #[arg(long)]
    no_pipeline_flush: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let options = Options::parse();
    let mut terminate = signal(SignalKind::terminate())?;
    let listener = TcpListener::bind(options.listen)
        .await
        .with_context(|| format!("cannot listen on {}", options.listen))?;
    println!("listening on {}", listener.local_addr()?);

    let http = http(&options);
    let graceful = GracefulShutdown::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => serve(&http, &graceful, accepted?.0)?,
            _ = terminate.recv() => break,
        }
    }
    drop(listener);
    graceful.shutdown().await;
    Ok(())
}

/// hyper at its best: it gathers the answers to pipelined requests into one write, which is off by
/// default, and runs no timers.
fn http(options: &Options) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.pipeline_flush(!options.no_pipeline_flush);
    http
}

fn serve(http: &http1::Builder, graceful: &GracefulShutdown, stream: TcpStream) -> Result<()> {
    stream.set_nodelay(true)?;
    let connection = http.serve_connection(TokioIo::new(stream), service_fn(hello));
    let connection = graceful.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            eprintln!("connection failed: {error}");
        }
    });
    Ok(())
}
