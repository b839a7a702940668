//! `lameduck`: serves HTTP and ends well.

mod args;
mod demo;
mod exit;
mod files;
mod limits;
mod log;
mod progress;
mod run;
mod signals;

use std::process::ExitCode;

use args::{Arguments, Command};
use demo::Demo;
use exit::Failure;
use files::Files;
use lameduck_service::Report;
use log::Console;

fn main() -> ExitCode {
    let arguments = match args::read() {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    let console = Console::start(arguments.command.options().log);
    let ended = obey(&arguments, &console);
    if let Err(failure) = &ended {
        tracing::error!("{failure}");
    }
    exit::code(&ended)
}

fn obey(arguments: &Arguments, console: &Console) -> Result<Report, Failure> {
    match &arguments.command {
        Command::Demo { options } => run::serve(options, Demo, console),
        Command::Serve { directory, options } => run::serve(options, Files::of(directory)?, console),
    }
}
