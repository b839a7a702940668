//! What is left of a server that ends, for whoever waits for it.

use std::io;
use std::net::SocketAddr;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use indicatif::ProgressBar;
use lameduck_core::Timer;
use lameduck_core::server::Stage;
use lameduck_service::{DrainHandle, Holder, Progress};

use crate::log::Console;
use crate::run::counted;

/// How often the line on a terminal is drawn anew.
const REDRAW: Duration = Duration::from_millis(100);

/// How often the log says what has changed, at most.
const PACE: Duration = Duration::from_secs(1);

/// Shows how `server` ends, on a thread that ends with it.
pub(crate) fn show(server: DrainHandle, console: &Console) -> io::Result<JoinHandle<()>> {
    let mut view = match console.line() {
        Some(line) => View::Line(line),
        None => View::Log(None),
    };
    let work = move || {
        let mut stage = Stage::Serving;
        while stage != Stage::Stopped {
            let pace = if stage == Stage::Serving { Duration::MAX } else { view.pace() };
            let now = server.wait_for_step(stage, pace);
            if now == stage && stage != Stage::Serving {
                view.show(&server.progress());
            }
            stage = now;
        }
        view.clear();
    };
    thread::Builder::new().name("progress".to_owned()).spawn(work)
}

/// Where it is shown.
enum View {
    /// On a line of a terminal.
    Line(ProgressBar),
    /// In the log; it knows what it said last.
    Log(Option<Told>),
}

/// What makes a new line in the log worth reading.
#[derive(PartialEq, Eq)]
struct Told {
    stage: Stage,
    open: u64,
    holders: Vec<(SocketAddr, lameduck_core::Stage, Option<String>, usize)>,
}

impl View {
    fn pace(&self) -> Duration {
        match self {
            Self::Line(_) => REDRAW,
            Self::Log(_) => PACE,
        }
    }

    fn show(&mut self, progress: &Progress) {
        match self {
            Self::Line(line) => line.set_message(describe(progress)),
            Self::Log(told) => {
                let news = Some(Told::of(progress));
                if *told != news {
                    tracing::info!("{}", describe(progress));
                    *told = news;
                }
            }
        }
    }

    fn clear(&self) {
        if let Self::Line(line) = self {
            line.finish_and_clear();
        }
    }
}

impl Told {
    fn of(progress: &Progress) -> Self {
        let holders = progress.holders.iter();
        Self {
            stage: progress.stage,
            open: progress.open,
            holders: holders
                .map(|holder| (holder.peer, holder.stage, holder.request.clone(), holder.more))
                .collect(),
        }
    }
}

/// All of it on one line: the stage, the time to the deadline, and who holds the server.
fn describe(progress: &Progress) -> String {
    let mut line = progress.stage.to_string();
    if let Some(left) = progress.time_left {
        line += &format!(", {} left", seconds(left));
    }
    line += &format!(": {}", counted(progress.open, "connection"));
    if let Some(oldest) = progress.holders.first() {
        line += &format!("; {}", describe_holder(oldest, progress));
    }
    if progress.holders.len() > 1 {
        line += &format!("; and {} more", progress.holders.len() - 1);
    }
    line
}

fn describe_holder(holder: &Holder, progress: &Progress) -> String {
    let age = seconds(progress.now.since(holder.since));
    let what = match &holder.request {
        Some(request) if holder.more > 0 => {
            format!("{request}, {age} old, and {} beside it", counted(holder.more as u64, "request"))
        }
        Some(request) => format!("{request}, {age} old"),
        None => format!("{} for {age}", holder.stage),
    };
    let wait = match holder.due {
        Some(due) if due.timer != Timer::Grace => {
            format!("{}, {} at most", due.timer, seconds(due.at.since(progress.now)))
        }
        _ if holder.stage == lameduck_core::Stage::Tunnel => "the end of its tunnel".to_owned(),
        _ => "its handler".to_owned(),
    };
    format!("{} {what}, waits for {wait}", holder.peer)
}

fn seconds(span: Duration) -> String {
    format!("{:.1} s", span.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use lameduck_core::{Due, Instant};

    fn holder(request: Option<&str>, stage: lameduck_core::Stage, due: Option<Due>) -> Holder {
        Holder {
            peer: ([10, 0, 0, 7], 4242).into(),
            protocol: "HTTP/1.1",
            stage,
            request: request.map(str::to_owned),
            more: 0,
            since: Instant::from_millis(1_000),
            due,
        }
    }

    fn progress(holders: Vec<Holder>) -> Progress {
        Progress {
            stage: Stage::Draining { deadline: Instant::from_millis(27_500) },
            open: holders.len() as u64,
            time_left: Some(Duration::from_millis(22_400)),
            holders,
            now: Instant::from_millis(5_100),
        }
    }

    #[test]
    fn the_line_names_the_oldest_request_and_what_it_waits_for() {
        let deadline = Due { at: Instant::from_millis(27_500), timer: Timer::Grace };
        let quiet = Due { at: Instant::from_millis(5_300), timer: Timer::KeepAlive };
        let line = describe(&progress(vec![
            holder(Some("GET /slow/60000"), lameduck_core::Stage::Serving, Some(deadline)),
            holder(None, lameduck_core::Stage::Idle, Some(quiet)),
        ]));
        assert_eq!(
            line,
            "draining, 22.4 s left: 2 connections; 10.0.0.7:4242 GET /slow/60000, 4.1 s old, waits for its \
             handler; and 1 more"
        );
    }

    #[test]
    fn the_line_says_for_how_long_a_wait_is_bounded() {
        let quiet = Due { at: Instant::from_millis(5_300), timer: Timer::KeepAlive };
        let line = describe(&progress(vec![holder(None, lameduck_core::Stage::Idle, Some(quiet))]));
        assert_eq!(
            line,
            "draining, 22.4 s left: 1 connection; 10.0.0.7:4242 idle for 4.1 s, waits for another request, \
             0.2 s at most"
        );
    }

    #[test]
    fn the_line_counts_the_other_requests_of_a_connection() {
        let oldest = holder(Some("GET /slow"), lameduck_core::Stage::Serving, None);
        let line = describe(&progress(vec![Holder { more: 7, ..oldest }]));
        assert_eq!(
            line,
            "draining, 22.4 s left: 1 connection; 10.0.0.7:4242 GET /slow, 4.1 s old, and 7 requests beside it, \
             waits for its handler"
        );
    }

    #[test]
    fn the_log_is_told_only_what_has_changed() {
        let serving = || vec![holder(Some("GET /a"), lameduck_core::Stage::Serving, None)];
        let first = progress(serving());
        let later = Progress { now: Instant::from_millis(9_000), ..progress(serving()) };
        assert!(Told::of(&first) == Told::of(&later));
        assert!(Told::of(&first) != Told::of(&progress(Vec::new())));
    }
}
