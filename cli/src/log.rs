//! The log, on stderr; and, on a terminal, a line below it.

use std::io::{self, IsTerminal, Write};
use std::panic;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry;
use tracing_subscriber::util::SubscriberInitExt;

use crate::args::LogFormat;

/// Where the log goes. Clones go to the same place.
#[derive(Clone, Debug)]
pub(crate) struct Console {
    /// What is drawn below the log, where a person looks at it.
    below: Option<MultiProgress>,
}

impl Console {
    /// Starts the log of the whole program.
    pub(crate) fn start(format: LogFormat) -> Self {
        let is_for_people = format == LogFormat::Text && io::stderr().is_terminal();
        let below = is_for_people.then(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr()));
        let console = Self { below };
        let (filter, complaint) = filter();
        let registry = registry().with(filter);
        let layer = tracing_subscriber::fmt::layer().with_writer(console.clone());
        match format {
            LogFormat::Text => {
                let colours =
                    is_for_people && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
                registry.with(layer.with_target(false).with_ansi(colours)).init();
            }
            LogFormat::Json => registry
                .with(layer.json().flatten_event(true).with_current_span(false).with_span_list(false))
                .init(),
        }
        if let Some(complaint) = complaint {
            tracing::warn!("RUST_LOG is not understood, and left out: {complaint}");
        }
        // One line in the form of all others, whatever the form.
        panic::set_hook(Box::new(|panic| tracing::error!("{}", panic.to_string().replace('\n', " "))));
        console
    }

    /// A line below the log, where a person looks at it.
    pub(crate) fn line(&self) -> Option<ProgressBar> {
        let style = ProgressStyle::with_template("{wide_msg}").ok()?;
        Some(self.below.as_ref()?.add(ProgressBar::new_spinner().with_style(style)))
    }
}

/// What is logged; and what is wrong with the wish for something else.
fn filter() -> (Targets, Option<String>) {
    let default = Targets::new().with_default(Level::INFO);
    match std::env::var("RUST_LOG") {
        Ok(wish) => match wish.parse() {
            Ok(targets) => (targets, None),
            Err(error) => (default, Some(error.to_string())),
        },
        Err(_) => (default, None),
    }
}

impl<'a> MakeWriter<'a> for Console {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

impl Write for &Console {
    /// Writes a line of the log, above what is drawn below it. A log that nobody takes stops nothing.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let _ = match &self.below {
            Some(below) => below.suspend(|| io::stderr().write_all(line)),
            None => io::stderr().write_all(line),
        };
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
