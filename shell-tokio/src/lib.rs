//! The tokio shell of lameduck: a task for each connection, on whatever runtime [`serve`] is called in.
//! Where that has several threads, handlers of a connection that has many requests under way get tasks of their own.
//!
//! It moves bytes and decides nothing; the same services run on it as on any other shell.

mod accept;
mod connection;
mod runtime;
mod socket;
mod wake;

use std::error::Error;
use std::fmt::Display;
use std::io;

use http::{Request, Response};
use lameduck_service::{Body, DrainHandle, Opened, Report};
use tokio::net::TcpListener;
use tower_service::Service;

pub use lameduck_service as service;

/// Serves until the server has drained, or was forced to end.
///
/// Dropping the future forces the end.
///
/// # Errors
/// Those of registering a listening socket with the runtime.
///
/// # Panics
/// Where it is polled outside a tokio runtime that has its I/O and its timers enabled.
pub async fn serve<S, B>(opened: Opened, service: S) -> io::Result<Report>
where
    S: Service<Request<Body>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Display,
    B: http_body::Body + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let Opened { hub, listeners } = opened;
    let force = ForceOnDrop(hub.handle());
    for listener in listeners {
        let (socket, listening) = listener.into_parts();
        let socket = TcpListener::from_std(socket)?;
        tokio::spawn(accept::run(socket, listening, hub.clone(), service.clone()));
    }
    let changes = wake::Changes::of(&hub);
    while !hub.has_stopped() {
        let timeout = hub.next_timeout().map(|at| hub.clock.to_std(at));
        tokio::select! {
            () = changes.next() => {}
            () = sleep_until(timeout) => hub.expire(),
        }
    }
    drop(force);
    Ok(hub.report())
}

/// Sleeps until then; for ever, where there is no such moment.
async fn sleep_until(moment: Option<std::time::Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment.into()).await,
        None => std::future::pending().await,
    }
}

/// A server that nobody waits for any more is not left running.
struct ForceOnDrop(DrainHandle);

impl Drop for ForceOnDrop {
    fn drop(&mut self) {
        self.0.force();
    }
}
