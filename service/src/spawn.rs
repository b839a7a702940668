//! Handlers that go on elsewhere: in tasks of their own, on whatever thread is free.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use http::{Request, Response};
use lameduck_core::CancelReason;
use tower_service::Service;

use crate::bell::Bell;
use crate::body::Body;
use crate::exchange::{Exchange, Work};

/// Where handlers go on that were not ready at once, so that one connection's requests use every core.
///
/// `T` is the task, a future to be polled to its end. Dropping it before answers its request with a 500.
pub trait Spawn<T> {
    /// What starts a task; `None`, where there are no other threads: the handler then goes on in its place.
    fn spawner(&self) -> Option<impl FnOnce(T)>;
}

/// Every handler stays where its connection is.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct InPlace;

impl<T> Spawn<T> for InPlace {
    fn spawner(&self) -> Option<impl FnOnce(T)> {
        None::<fn(T)>
    }
}

/// What the log says of a handler whose task was dropped.
const DROPPED: &str = "its task was dropped";

/// A handler in a task of its own. Completes when the handler has answered, or its request was given up.
#[must_use = "futures do nothing unless polled"]
pub struct Task<S, B>
where
    S: Service<Request<Body>>,
{
    /// Gone when it has been given back.
    exchange: Option<Pin<Box<Exchange<S, B>>>>,
    link: Arc<Link<S, B>>,
}

/// Between a session and a task.
pub(crate) struct Link<S, B>
where
    S: Service<Request<Body>>,
{
    pub(crate) work: Work,
    bell: Arc<Bell>,
    state: Mutex<State<S, B>>,
}

enum State<S, B>
where
    S: Service<Request<Body>>,
{
    Works {
        task: Option<Waker>,
    },
    Cancelled(CancelReason),
    Returned(Pin<Box<Exchange<S, B>>>),
    /// Taken back.
    Over,
}

impl<S, B> Task<S, B>
where
    S: Service<Request<Body>>,
{
    /// A task for the handler of `exchange`.
    pub(crate) fn new(exchange: Pin<Box<Exchange<S, B>>>, link: Arc<Link<S, B>>) -> Self {
        Self { exchange: Some(exchange), link }
    }
}

impl<S, B> Future for Task<S, B>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Error: std::fmt::Display,
{
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let Some(mut exchange) = this.exchange.take() else { return Poll::Ready(()) };
        if let Some(reason) = this.link.look(cx.waker()) {
            exchange.as_mut().cancel(reason);
            return Poll::Ready(());
        }
        match exchange.as_mut().work(cx) {
            Poll::Pending => {
                this.exchange = Some(exchange);
                Poll::Pending
            }
            Poll::Ready(()) => {
                this.link.give_back(exchange);
                Poll::Ready(())
            }
        }
    }
}

impl<S, B> Drop for Task<S, B>
where
    S: Service<Request<Body>>,
{
    fn drop(&mut self) {
        if let Some(mut exchange) = self.exchange.take() {
            exchange.as_mut().break_down(DROPPED);
            self.link.give_back(exchange);
        }
    }
}

impl<S, B> std::fmt::Debug for Task<S, B>
where
    S: Service<Request<Body>>,
{
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Task").field("request", &self.link.work.to_string()).finish_non_exhaustive()
    }
}

impl<S, B> Link<S, B>
where
    S: Service<Request<Body>>,
{
    // The session's side.

    /// A link to the task of a handler, which rings `bell` when it has come to its end.
    pub(crate) fn new(work: Work, bell: Arc<Bell>) -> Arc<Self> {
        Arc::new(Self { work, bell, state: Mutex::new(State::Works { task: None }) })
    }

    /// What the task has given back.
    pub(crate) fn take_back(&self) -> Option<Pin<Box<Exchange<S, B>>>> {
        let mut state = self.lock();
        match std::mem::replace(&mut *state, State::Over) {
            State::Returned(exchange) => Some(exchange),
            other => {
                *state = other;
                None
            }
        }
    }

    /// The request was given up: the task drops its handler, wherever that runs.
    pub(crate) fn cancel(&self, reason: CancelReason) {
        let before = std::mem::replace(&mut *self.lock(), State::Cancelled(reason));
        match before {
            State::Works { task: Some(task) } => task.wake(),
            State::Returned(mut exchange) => exchange.as_mut().cancel(reason),
            State::Works { task: None } | State::Cancelled(_) | State::Over => {}
        }
    }

    // The task's side.

    /// Why the request was given up, if it was. From now on, `waker` is woken by that.
    fn look(&self, waker: &Waker) -> Option<CancelReason> {
        match &mut *self.lock() {
            State::Cancelled(reason) => return Some(*reason),
            State::Works { task: Some(known) } => known.clone_from(waker),
            State::Works { task } => *task = Some(waker.clone()),
            State::Returned(_) | State::Over => {}
        }
        None
    }

    fn give_back(&self, mut exchange: Pin<Box<Exchange<S, B>>>) {
        let mut state = self.lock();
        if let State::Cancelled(reason) = *state {
            drop(state);
            return exchange.as_mut().cancel(reason);
        }
        *state = State::Returned(exchange);
        drop(state);
        self.bell.wake_by_ref();
    }

    fn lock(&self) -> MutexGuard<'_, State<S, B>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
