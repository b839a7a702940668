//! `hyper_server`: the peer to compare with, hyper's server on a current-thread tokio runtime.

use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use clap::Parser;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::graceful::GracefulShutdown;
use lameduck_bench::handle;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};

/// Answers with the handler that `lameduck_server` has; drains on SIGTERM.
#[derive(Parser)]
struct Options {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Speak HTTP/2, by prior knowledge, and nothing else
    #[arg(long, conflicts_with = "no_pipeline_flush")]
    http2: bool,
    /// Write each pipelined answer by itself
    #[arg(long)]
    no_pipeline_flush: bool,
}

/// How hyper serves a connection.
enum Http {
    One(http1::Builder),
    Two(http2::Builder<TokioExecutor>),
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
/// default, and runs no timers. HTTP/2 is as it is by default.
fn http(options: &Options) -> Http {
    if options.http2 {
        return Http::Two(http2::Builder::new(TokioExecutor::new()));
    }
    let mut http = http1::Builder::new();
    http.pipeline_flush(!options.no_pipeline_flush);
    Http::One(http)
}

fn serve(http: &Http, graceful: &GracefulShutdown, stream: TcpStream) -> Result<()> {
    stream.set_nodelay(true)?;
    let stream = TokioIo::new(stream);
    match http {
        Http::One(http) => spawn(graceful.watch(http.serve_connection(stream, service_fn(handle)))),
        Http::Two(http) => spawn(graceful.watch(http.serve_connection(stream, service_fn(handle)))),
    }
    Ok(())
}

fn spawn(connection: impl Future<Output = hyper::Result<()>> + Send + 'static) {
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            eprintln!("connection failed: {error}");
        }
    });
}
