//! Wake-ups: from any thread into the event loop of one.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};

use mio::{Registry, Token};

/// The connections of one event loop that something has woken.
pub(crate) struct Mailbox {
    woken: Mutex<Vec<usize>>,
    /// Whether the loop is about to wait, and has to be told of news.
    waits: AtomicBool,
    /// Whether the hub has changed.
    changed: AtomicBool,
    bell: mio::Waker,
}

impl Mailbox {
    pub(crate) fn new(registry: &Registry, token: Token) -> io::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            woken: Mutex::default(),
            waits: AtomicBool::new(false),
            changed: AtomicBool::new(true),
            bell: mio::Waker::new(registry, token)?,
        }))
    }

    /// Says that the loop is about to wait; whether it may, or has news to look at.
    pub(crate) fn may_wait(&self) -> bool {
        self.waits.store(true, Ordering::SeqCst);
        self.lock().is_empty() && !self.changed.load(Ordering::SeqCst)
    }

    /// Says that the loop waits no more.
    pub(crate) fn stop_waiting(&self) {
        self.waits.store(false, Ordering::SeqCst);
    }

    /// The connections that have been woken since the last call.
    pub(crate) fn take_woken(&self) -> Vec<usize> {
        std::mem::take(&mut *self.lock())
    }

    /// Whether the hub has changed since the last call.
    pub(crate) fn take_changed(&self) -> bool {
        self.changed.load(Ordering::Relaxed) && self.changed.swap(false, Ordering::SeqCst)
    }

    /// The waker of the connection with this key.
    pub(crate) fn waker(self: &Arc<Self>, key: usize) -> Arc<Knock> {
        Arc::new(Knock { key, pending: AtomicBool::new(false), mailbox: Arc::clone(self) })
    }

    fn ring(&self) {
        if self.waits.swap(false, Ordering::SeqCst)
            && let Err(error) = self.bell.wake()
        {
            tracing::error!("an event loop could not be woken: {error}");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<usize>> {
        self.woken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Mailbox {
    /// The hub has changed.
    fn wake(self: Arc<Self>) {
        self.changed.store(true, Ordering::SeqCst);
        self.ring();
    }
}

/// What wakes one connection.
pub(crate) struct Knock {
    key: usize,
    /// Whether its key is in the mailbox already.
    pending: AtomicBool,
    mailbox: Arc<Mailbox>,
}

impl Knock {
    pub(crate) fn waker(self: &Arc<Self>) -> Waker {
        Waker::from(Arc::clone(self))
    }

    /// The connection is about to be polled: what wakes it from now on counts anew.
    pub(crate) fn answered(&self) {
        // Taken, not merely stored: a wake-up that found it set, and so left no key, is then one whose news the
        // poll sees.
        if self.pending.load(Ordering::Relaxed) {
            self.pending.swap(false, Ordering::AcqRel);
        }
    }
}

impl Wake for Knock {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.pending.swap(true, Ordering::AcqRel) {
            self.mailbox.lock().push(self.key);
            self.mailbox.ring();
        }
    }
}
