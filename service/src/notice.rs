//! What a handler hears of the drain.

use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use lameduck_core::Instant;
use lameduck_core::server::Level;
use slab::Slab;

use crate::clock::Clock;

/// The drain, as a handler sees it: in the extensions of every request.
///
/// It is a notice, not a cancellation. A handler that does nothing runs to its end, or to the deadline.
#[derive(Clone)]
pub struct DrainNotice(pub(crate) Arc<Board>);

/// Where handlers find the [`DrainNotice`].
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Notices {
    /// In the extensions of every request.
    #[default]
    InRequests,
    /// With their service, which was given it when it was made ([`Opened::notice`](crate::Opened::notice)). That is
    /// less work for each request: it is not given extensions that it may have no use for.
    WithService,
}

impl DrainNotice {
    /// Whether the server drains.
    pub fn is_draining(&self) -> bool {
        self.0.level() != Level::Serve
    }

    /// When what is left will be cut; `None` while the server does not drain.
    pub fn deadline(&self) -> Option<std::time::Instant> {
        match self.0.level() {
            Level::Serve => None,
            Level::Drain(deadline) => Some(self.0.clock.to_std(deadline)),
            Level::Abort => Some(std::time::Instant::now()),
        }
    }

    /// Waits until the server drains; at once, where it already does.
    pub fn started(&self) -> Started {
        Started { board: Arc::clone(&self.0), key: None }
    }
}

impl fmt::Debug for DrainNotice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DrainNotice").field(&self.0.level()).finish()
    }
}

/// The future of [`DrainNotice::started`].
#[must_use = "futures do nothing unless polled"]
pub struct Started {
    board: Arc<Board>,
    key: Option<usize>,
}

impl Future for Started {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        if this.board.level() != Level::Serve {
            return Poll::Ready(());
        }
        let mut waker = cx.waker().clone();
        let mut wakers = this.board.wakers();
        match this.key.and_then(|key| wakers.get_mut(key)) {
            Some(before) => std::mem::swap(before, &mut waker),
            None => this.key = Some(wakers.insert(waker.clone())),
        }
        // A task may go with its waker, and have another of these: the lock is free by then.
        drop(wakers);
        drop(waker);
        // The level may have risen before the waker was there to be found.
        if this.board.level() != Level::Serve { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            let waker = self.board.wakers().try_remove(key);
            drop(waker);
        }
    }
}

impl fmt::Debug for Started {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Started").finish_non_exhaustive()
    }
}

/// Where the level stands for all to read, and who is to be woken when it rises.
///
/// Reading it is one atomic load, so that every connection can read it at every step.
pub(crate) struct Board {
    pub(crate) clock: Clock,
    level: AtomicU64,
    wakers: Mutex<Slab<Waker>>,
}

/// How a [`Level`] is kept in one atomic word: a drain as its deadline.
const SERVE: u64 = u64::MAX;
const ABORT: u64 = u64::MAX - 1;

impl Board {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, level: AtomicU64::new(SERVE), wakers: Mutex::default() }
    }

    pub(crate) fn level(&self) -> Level {
        match self.level.load(Ordering::Acquire) {
            SERVE => Level::Serve,
            ABORT => Level::Abort,
            deadline => Level::Drain(Instant::from_nanos(deadline)),
        }
    }

    /// Sets the level: under the lock of the hub, so that it only ever rises.
    pub(crate) fn set(&self, level: Level) {
        let word = match level {
            Level::Serve => SERVE,
            Level::Drain(deadline) => deadline.as_nanos().min(ABORT - 1),
            Level::Abort => ABORT,
        };
        self.level.store(word, Ordering::Release);
    }

    /// Wakes all who wait for the level to rise.
    pub(crate) fn wake_all(&self) {
        let wakers: Vec<Waker> = self.wakers().iter().map(|(_, waker)| waker.clone()).collect();
        wakers.into_iter().for_each(Waker::wake);
    }

    fn wakers(&self) -> MutexGuard<'_, Slab<Waker>> {
        self.wakers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
