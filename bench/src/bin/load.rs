//! `load`: sends requests, or holds idle connections, and prints what came of it as JSON.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use lameduck_bench::{idle, requests};

/// HTTP/1.1 load, and idle HTTP/2, over loopback, on one thread. Anything but whole 200s is an error.
#[derive(Parser)]
struct Options {
    #[command(subcommand)]
    load: Load,
}

#[derive(Subcommand)]
enum Load {
    /// Keep requests outstanding on each connection until enough are answered
    Requests(requests::Options),
    /// Hold idle connections, each with one request answered, until the server ends them
    Idle(idle::Options),
}

fn main() -> ExitCode {
    match run(&Options::parse().load) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("load: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(load: &Load) -> Result<()> {
    match load {
        Load::Requests(options) => println!("{}", requests::run(options)?),
        Load::Idle(options) => {
            let report = idle::run(options, |count| println!("held {count}"))?;
            println!("{report}");
        }
    }
    Ok(())
}
