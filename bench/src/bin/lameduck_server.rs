//! `lameduck_server`: lameduck as a library, with the handler that `hyper_server` has.

use std::num::NonZeroUsize;
use std::thread;

use anyhow::{Context as _, Result};
use clap::{Parser, ValueEnum};
use lameduck_bench::handle;
use lameduck_mio::Threads;
use lameduck_service::{DrainHandle, Notices, Server};
use signal_hook::consts::SIGTERM;
use signal_hook::iterator::Signals;
use tokio::runtime::{Builder, Runtime};
use tower::service_fn;

/// Answers HTTP/1 and HTTP/2 with the handler that `hyper_server` has; drains on SIGTERM.
#[derive(Parser)]
struct Options {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    listen: String,
    /// What drives the sockets
    #[arg(long, value_enum)]
    shell: Shell,
    /// Threads that serve
    #[arg(long, value_name = "N", default_value = "1")]
    threads: NonZeroUsize,
}

#[derive(ValueEnum, Clone, Copy)]
enum Shell {
    Tokio,
    Mio,
}

fn main() -> Result<()> {
    let options = Options::parse();
    let server =
        Server::bind(&options.listen).with_context(|| format!("cannot listen on {}", options.listen))?;
    // The handler has no use for it, and hyper gives its own none.
    let server = server.notices(Notices::WithService);
    for address in server.addresses() {
        println!("listening on {address}");
    }
    let opened = server.open();
    drain_on_sigterm(opened.handle())?;
    match options.shell {
        Shell::Tokio => {
            runtime(options.threads)?.block_on(lameduck_tokio::serve(opened, service_fn(handle)))?;
        }
        Shell::Mio => {
            lameduck_mio::serve(opened, service_fn(handle), Threads::new(options.threads))?;
        }
    }
    Ok(())
}

fn runtime(threads: NonZeroUsize) -> Result<Runtime> {
    let mut builder = match threads.get() {
        1 => Builder::new_current_thread(),
        count => {
            let mut builder = Builder::new_multi_thread();
            builder.worker_threads(count);
            builder
        }
    };
    Ok(builder.enable_all().build()?)
}

fn drain_on_sigterm(handle: DrainHandle) -> Result<()> {
    let mut signals = Signals::new([SIGTERM])?;
    thread::spawn(move || signals.forever().for_each(|_| handle.begin()));
    Ok(())
}
