//! `lameduck_server`: lameduck as a library on one thread, with the handler that `hyper_server` has.

use std::thread;

use anyhow::{Context as _, Result};
use clap::{Parser, ValueEnum};
use lameduck_bench::hello;
use lameduck_mio::Threads;
use lameduck_service::{DrainHandle, Server};
use signal_hook::consts::SIGTERM;
use signal_hook::iterator::Signals;
use tower::service_fn;

/// Answers every request with `Hello, world!`; drains on SIGTERM.
#[derive(Parser)]
struct Options {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    listen: String,
    /// What drives the sockets
    #[arg(long, value_enum)]
    shell: Shell,
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
    for address in server.addresses() {
        println!("listening on {address}");
    }
    let opened = server.open();
    drain_on_sigterm(opened.handle())?;
    match options.shell {
        Shell::Tokio => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(lameduck_tokio::serve(opened, service_fn(hello)))?;
        }
        Shell::Mio => {
            lameduck_mio::serve(opened, service_fn(hello), Threads::default())?;
        }
    }
    Ok(())
}

fn drain_on_sigterm(handle: DrainHandle) -> Result<()> {
    let mut signals = Signals::new([SIGTERM])?;
    thread::spawn(move || signals.forever().for_each(|_| handle.begin()));
    Ok(())
}
