//! A server from its start to its end, on either shell.

use std::error::Error;
use std::fmt::Display;
use std::io;
use std::num::NonZeroUsize;
use std::time::Duration;

use http::{Request, Response};
use lameduck_mio::Threads;
use lameduck_service::{Body, Opened, Report, Server};
use tokio::runtime::Builder;
use tower_service::Service;

use crate::args::{Options, Shell};
use crate::exit::Failure;
use crate::limits;
use crate::log::Console;
use crate::progress;
use crate::signals::Signals;

/// Serves until a signal has ended it.
pub(crate) fn serve<S, B>(options: &Options, service: S, console: &Console) -> Result<Report, Failure>
where
    S: Service<Request<Body>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Display,
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    limits::raise_open_files();
    let signals = Signals::take().map_err(|cause| Failure::Start("listening to signals", cause))?;
    let server = bind(&options.listen)?.config(options.config()).plan(options.plan());
    let addresses = server.addresses();
    let opened = server.open();
    signals.obey(opened.handle()).map_err(|cause| Failure::Start("listening to signals", cause))?;
    let progress = progress::show(opened.handle(), console)
        .map_err(|cause| Failure::Start("showing the progress", cause))?;

    let threads = options.threads();
    let shell = match options.shell {
        Shell::Tokio => format!("shell tokio, {}", counted(threads.get() as u64, "thread")),
        Shell::Mio => format!("shell mio, {}", counted(threads.get() as u64, "thread")),
    };
    for address in addresses {
        tracing::info!("listening on http://{address} ({shell})");
    }
    let report = match options.shell {
        Shell::Tokio => on_tokio(threads, opened, service),
        Shell::Mio => on_mio(threads, opened, service),
    }
    .map_err(|cause| Failure::Start("serving", cause))?;
    // It ends with the server. A panic of its own has been logged, and is no reason to hide the report.
    let _ = progress.join();
    sum_up(&report);
    Ok(report)
}

fn bind(addresses: &[String]) -> Result<Server, Failure> {
    let mut server: Option<Server> = None;
    for address in addresses {
        let bound = match server {
            None => Server::bind(address),
            Some(server) => server.and_bind(address),
        };
        server = Some(bound.map_err(|cause| Failure::Listen(address.clone(), cause))?);
    }
    server.ok_or_else(|| Failure::Listen("nothing".to_owned(), io::ErrorKind::InvalidInput.into()))
}

fn on_tokio<S, B>(threads: NonZeroUsize, opened: Opened, service: S) -> io::Result<Report>
where
    S: Service<Request<Body>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Display,
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let runtime = match threads.get() {
        1 => Builder::new_current_thread().enable_all().build()?,
        count => Builder::new_multi_thread().worker_threads(count).enable_all().build()?,
    };
    let report = runtime.block_on(lameduck_tokio::serve(opened, service));
    // A read of a file whose connection has been cut is not waited for.
    runtime.shutdown_background();
    report
}

/// Handlers sleep and read files by tokio on this shell too: a runtime in the background does it for them.
fn on_mio<S, B>(threads: NonZeroUsize, opened: Opened, service: S) -> io::Result<Report>
where
    S: Service<Request<Body>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Display,
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let background = Builder::new_multi_thread().worker_threads(1).enable_time().build()?;
    let context = background.handle().clone();
    let threads = Threads::new(threads).around(move |work: &mut dyn FnMut()| {
        let _within = context.enter();
        work();
    });
    let report = lameduck_mio::serve(opened, service, threads);
    background.shutdown_background();
    report
}

fn sum_up(report: &Report) {
    let steps = &report.transitions;
    let lasted = match (steps.first(), steps.last()) {
        (Some(first), Some(last)) => last.at - first.at,
        _ => Duration::ZERO,
    };
    tracing::info!(
        served = report.served,
        refused = report.refused,
        drained = report.drained,
        cut = report.cut.len(),
        "over, {:.1} s after it was asked to end",
        lasted.as_secs_f64()
    );
}

/// So many of them.
pub(crate) fn counted(count: u64, thing: &str) -> String {
    match count {
        1 => format!("1 {thing}"),
        _ => format!("{count} {thing}s"),
    }
}
