//! Who of many requests was woken: each has a waker of its own, all pull one rope.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};

use lameduck_core::StreamId;

/// What the requests of one session were woken for since it last looked.
#[derive(Debug)]
pub(crate) struct Rope(Mutex<Pulled>);

#[derive(Debug)]
struct Pulled {
    by: Vec<StreamId>,
    session: Waker,
}

impl Rope {
    /// One that wakes `session`.
    pub(crate) fn new(session: Waker) -> Self {
        Self(Mutex::new(Pulled { by: Vec::new(), session }))
    }

    /// Moves to `woken` whose waker was woken. From now on, `session` is woken by the next one.
    pub(crate) fn look(&self, session: &Waker, woken: &mut impl Extend<StreamId>) {
        let mut pulled = self.lock();
        woken.extend(pulled.by.drain(..));
        pulled.session.clone_from(session);
    }

    fn pull(&self, id: StreamId) {
        let mut pulled = self.lock();
        pulled.by.push(id);
        // Where others are there already, the session has been woken and has not looked.
        let session = (pulled.by.len() == 1).then(|| pulled.session.clone());
        drop(pulled);
        if let Some(session) = session {
            session.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Pulled> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What wakes one request.
#[derive(Debug)]
pub(crate) struct Bell {
    id: StreamId,
    /// Whether its name is at the rope already.
    rung: AtomicBool,
    rope: Arc<Rope>,
}

impl Bell {
    pub(crate) fn new(id: StreamId, rope: &Arc<Rope>) -> Arc<Self> {
        Arc::new(Self { id, rung: AtomicBool::new(false), rope: Arc::clone(rope) })
    }

    /// The same bell for another request; a new one, where somebody may still ring it for the last.
    pub(crate) fn renamed(mut self: Arc<Self>, id: StreamId) -> Arc<Self> {
        match Arc::get_mut(&mut self) {
            Some(bell) => {
                (bell.id, *bell.rung.get_mut()) = (id, false);
                self
            }
            None => Self::new(id, &self.rope),
        }
    }

    pub(crate) fn waker(self: &Arc<Self>) -> Waker {
        Waker::from(Arc::clone(self))
    }

    /// Takes the request for one that was woken; whether it was not yet.
    pub(crate) fn mark(&self) -> bool {
        !self.rung.swap(true, Ordering::AcqRel)
    }

    /// The request is about to be looked at: what wakes it from now on counts anew.
    pub(crate) fn answered(&self) {
        // Taken, not merely stored: the news of a wake-up that found it set is then seen by who looks.
        self.rung.swap(false, Ordering::AcqRel);
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.mark() {
            self.rope.pull(self.id);
        }
    }
}
