//! The mio shell of lameduck: an event loop on each of its threads, which polls handlers too. No runtime.
//!
//! It moves bytes and decides nothing; the same services run on it as on any other shell.

mod pace;
mod socket;
mod timers;
mod wake;
mod worker;

use std::error::Error;
use std::fmt::{self, Display};
use std::io;
use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread;

use http::{Request, Response};
use lameduck_service::{Body, Listener, Opened, Report};
use tower_service::Service;

use worker::Worker;

pub use lameduck_service as service;

/// The threads that serve.
#[derive(Clone)]
pub struct Threads {
    /// How many.
    pub count: NonZeroUsize,
    around: Arc<Around>,
}

/// What runs on each thread: it is given the thread's event loop, and is to run that once.
type Around = dyn Fn(&mut dyn FnMut()) + Send + Sync;

impl Threads {
    /// So many threads.
    pub fn new(count: NonZeroUsize) -> Self {
        Self { count, around: Arc::new(|run| run()) }
    }

    /// Calls `around` on each thread with the thread's event loop, which it is to run once: for handlers that
    /// need the context of a runtime.
    pub fn around(mut self, around: impl Fn(&mut dyn FnMut()) + Send + Sync + 'static) -> Self {
        self.around = Arc::new(around);
        self
    }
}

impl Default for Threads {
    /// One.
    fn default() -> Self {
        Self::new(NonZeroUsize::MIN)
    }
}

impl fmt::Debug for Threads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Threads").field("count", &self.count).finish_non_exhaustive()
    }
}

/// Serves until the server has drained, or was forced to end. Blocks the calling thread, and serves on it
/// where one thread was asked for.
///
/// # Errors
/// Those of an event loop: where one cannot be made, or fails. The others are then forced to end.
#[expect(clippy::needless_pass_by_value, reason = "what is served is given away, as to any other shell")]
pub fn serve<S, B>(opened: Opened, service: S, threads: Threads) -> io::Result<Report>
where
    S: Service<Request<Body>, Response = Response<B>> + Clone + Send + 'static,
    S::Error: Display,
    B: http_body::Body + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let Opened { hub, listeners } = opened;
    let mut shares = vec![(listeners, service)];
    while shares.len() < threads.count.get() {
        let (listeners, service) = &shares[0];
        let listeners = listeners.iter().map(Listener::try_clone).collect::<io::Result<_>>()?;
        shares.push((listeners, service.clone()));
    }
    let run = |share| {
        let (mut result, mut share) = (Ok(()), Some(share));
        (threads.around)(&mut || {
            if let Some((listeners, service)) = share.take() {
                result = Worker::new(&hub, listeners, service).and_then(Worker::run);
            }
        });
        if result.is_err() {
            hub.handle().force();
        }
        result
    };
    let own = shares.swap_remove(0);
    let results: Vec<io::Result<()>> = thread::scope(|scope| {
        let run = &run;
        let others: Vec<_> = shares.into_iter().map(|share| scope.spawn(move || run(share))).collect();
        let own = run(own);
        let joined = others.into_iter().map(|one| one.join().unwrap_or_else(|panic| resume_unwind(panic)));
        std::iter::once(own).chain(joined).collect()
    });
    results.into_iter().collect::<io::Result<()>>()?;
    Ok(hub.report())
}
