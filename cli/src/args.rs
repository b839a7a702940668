//! The command line, and what it makes of the server's settings.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand, ValueEnum};
use lameduck_core::Config;
use lameduck_core::server::Plan;

use crate::exit;

/// Serves HTTP and ends well: told to stop, it finishes every request that has reached it, then exits.
///
/// SIGTERM, SIGINT or SIGQUIT starts the drain: the server takes no new connection, answers what it has with
/// `connection: close`, and exits as soon as nothing is left. After --grace, or at a second signal, it cuts
/// what is still there and logs each connection that it cut.
#[derive(Parser, Debug)]
#[command(version, arg_required_else_help = false, after_long_help = AFTERWORD)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const AFTERWORD: &str = "\
Signals:
  TERM, INT, QUIT  drain; a second one cuts what is left and exits at once
  HUP              ignored for now: there is only one process, and nothing to roll

Exit codes:
  0  drained, nothing was cut
  1  could not start: the last line says why
  2  wrong usage
  4  drained, but the deadline (--grace) cut something; the log names it
  5  a second signal forced the end

The log goes to stderr. RUST_LOG sets its level, such as RUST_LOG=debug; the default is info.
`lameduck COMMAND --help` lists the options of a command.";

const SEE_ALSO: &str = "`lameduck --help` tells of the signals and of the exit codes.";

const FILES: &str = "\
Types by file name, index.html for a directory, ranges and conditional requests; GET and HEAD only.
A path or a symbolic link that leads out of the directory is a 404.

`lameduck --help` tells of the signals and of the exit codes.";

/// What is to be served.
#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Serve a small built-in app to try a drain on; its path / lists what it offers
    #[command(after_help = SEE_ALSO)]
    Demo {
        /// How to serve.
        #[command(flatten)]
        options: Options,
    },
    /// Serve the files of a directory, and nothing that is outside it
    #[command(after_help = FILES)]
    Serve {
        /// The directory
        #[arg(value_name = "DIR")]
        directory: PathBuf,
        /// How to serve.
        #[command(flatten)]
        options: Options,
    },
}

impl Command {
    /// How to serve.
    pub(crate) fn options(&self) -> &Options {
        match self {
            Self::Demo { options } | Self::Serve { options, .. } => options,
        }
    }
}

/// How to serve, whatever it is.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Address to listen on, HOST:PORT; may be given several times; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080", value_parser = address)]
    pub(crate) listen: Vec<String>,

    /// What drives the sockets: the tokio runtime, or a plain event loop on each thread
    #[arg(long, value_enum, default_value_t = Shell::Tokio)]
    pub(crate) shell: Shell,

    /// Threads that serve [default: the machine's cores]
    #[arg(long, value_name = "N", value_parser = threads)]
    threads: Option<NonZeroUsize>,

    /// How long the drain may last; what is left then is cut, and named in the log
    #[arg(long, value_name = "DURATION", default_value = "25s", value_parser = duration)]
    grace: Duration,

    /// Told to stop, serve on for this long before the drain, until load balancers have noticed
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration)]
    lame_duck: Duration,

    /// The most that --lame-duck is stretched to while new connections still come
    #[arg(long, value_name = "DURATION", default_value = "15s", value_parser = duration)]
    lame_duck_max: Duration,

    /// In the drain, close an idle connection once it has been quiet for this long
    #[arg(long, value_name = "DURATION", default_value = "250ms", value_parser = duration)]
    idle_quiet: Duration,

    /// In the drain, how long a connection that has sent nothing yet may take to begin its first request
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = duration)]
    first_request: Duration,

    /// Form of the log on stderr: for people (a terminal also shows the drain's progress), or for machines
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub(crate) log: LogFormat,
}

/// What drives the sockets: the tokio runtime, or an event loop on each thread.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Shell {
    // No doc comments: they would make three lines of each option in --help.
    Tokio,
    Mio,
}

/// The form of the log: for people, or a JSON object a line.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

impl Options {
    /// How many threads serve.
    pub(crate) fn threads(&self) -> NonZeroUsize {
        self.threads.or_else(|| std::thread::available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN)
    }

    /// What each connection may use.
    pub(crate) fn config(&self) -> Config {
        let mut config = Config::default();
        config.timeouts.keep_alive.draining = self.idle_quiet;
        config.timeouts.first_request.draining = self.first_request;
        config
    }

    /// How long the stages of the end may last.
    pub(crate) fn plan(&self) -> Plan {
        Plan {
            lame_duck: self.lame_duck,
            lame_duck_max: self.lame_duck_max,
            grace: self.grace,
            ..Plan::default()
        }
    }
}

/// Reads the command line. Where there is nothing to run, says why, or what was asked for; the code to exit
/// with.
pub(crate) fn read() -> Result<Arguments, ExitCode> {
    Arguments::try_parse().map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // Where nobody reads it there is nothing left to do.
            let _ = error.print();
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!("lameduck: {}; try 'lameduck --help'", one_line(&error));
            ExitCode::from(exit::WRONG_USAGE)
        }
    })
}

/// What is wrong, on one line. How to do it right, which clap adds, is what `--help` is for.
fn one_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let ends = ["\n\n  tip: ", "\n\nUsage: ", "\n\nFor more information"];
    let end = ends.iter().filter_map(|end| text.find(end)).min().unwrap_or(text.len());
    let words: Vec<&str> = text[..end].split_whitespace().collect();
    let line = words.join(" ");
    line.strip_prefix("error: ").unwrap_or(&line).replace(char::is_control, "?")
}

fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| "not a duration, such as 250ms, 25s or 1m".to_owned())
}

fn threads(text: &str) -> Result<NonZeroUsize, String> {
    text.parse().map_err(|_| "not a number from 1 on".to_owned())
}

fn address(text: &str) -> Result<String, String> {
    match text.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => Ok(text.to_owned()),
        _ => Err("not HOST:PORT, such as 127.0.0.1:8080 or [::]:8080".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn options(arguments: &[&str]) -> Options {
        let line = ["lameduck", "demo"].iter().chain(arguments);
        match Arguments::try_parse_from(line).expect("well-formed").command {
            Command::Demo { options } | Command::Serve { options, .. } => options,
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn without_options_the_settings_are_the_library_s_own() {
        let options = options(&[]);
        assert_eq!(options.plan(), Plan::default());
        assert_eq!(options.config(), Config::default());
    }

    #[test]
    fn each_option_sets_what_it_names() {
        let options = options(&[
            "--grace=1m",
            "--lame-duck=2s",
            "--lame-duck-max=3s",
            "--idle-quiet=40ms",
            "--first-request=500ms",
            "--threads=3",
        ]);
        let plan = options.plan();
        assert_eq!(plan.grace, Duration::from_secs(60));
        assert_eq!(plan.lame_duck, Duration::from_secs(2));
        assert_eq!(plan.lame_duck_max, Duration::from_secs(3));
        let timeouts = options.config().timeouts;
        assert_eq!(timeouts.keep_alive.draining, Duration::from_millis(40));
        assert_eq!(timeouts.first_request.draining, Duration::from_millis(500));
        assert_eq!(options.threads().get(), 3);
    }
}
