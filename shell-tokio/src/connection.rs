//! The task of one connection.

use std::error::Error;
use std::fmt::Display;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use lameduck_core::Instant;
use lameduck_service::{Body, Hub, Session, Watch};
use pin_project_lite::pin_project;
use tokio::task::unconstrained;
use tokio::time::Sleep;
use tower_service::Service;

use crate::runtime::Runtime;
use crate::socket::Socket;

pin_project! {
    /// A session, its socket and its timer. Completes when the connection is over.
    pub(crate) struct Connection<S, B>
    where
        S: Service<Request<Body>>,
    {
        session: Session<S, B, Runtime>,
        socket: Socket,
        hub: Arc<Hub>,
        watch: Option<Watch>,
        #[pin]
        sleep: Option<Sleep>,
        // When `sleep` ends. A deadline that moves further away is not worth the timer's while: it is looked
        // at again when this one comes.
        armed: Option<Instant>,
    }
}

impl<S, B> Connection<S, B>
where
    S: Service<Request<Body>>,
{
    pub(crate) fn new(session: Session<S, B, Runtime>, socket: Socket, hub: Arc<Hub>) -> Self {
        Self { session, socket, hub, watch: None, sleep: None, armed: None }
    }

    /// Sees to it that the task is woken at `next`, or before.
    fn arm(self: Pin<&mut Self>, cx: &mut Context<'_>, next: Instant) {
        let mut this = self.project();
        let moment = this.hub.clock.to_std(next).into();
        match this.sleep.as_mut().as_pin_mut() {
            Some(sleep) => sleep.reset(moment),
            None => this.sleep.set(Some(tokio::time::sleep_until(moment))),
        }
        *this.armed = Some(next);
        if let Some(sleep) = this.sleep.as_pin_mut() {
            // A task whose budget is used up would be woken at once, and the timer would not know it.
            let sleep = pin!(unconstrained(sleep));
            // What it says is of no interest: a moment that has passed wakes the task at once.
            if sleep.poll(cx).is_ready() {
                cx.waker().wake_by_ref();
            }
        }
    }
}

impl<S, B> Future for Connection<S, B>
where
    S: Service<Request<Body>, Response = Response<B>> + 'static,
    S::Future: Send,
    S::Error: Display,
    B: http_body::Body + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.as_mut().project();
        this.watch.get_or_insert_with(|| this.hub.watch(cx.waker().clone()));
        // Nothing is due before the timer says so: till then a moment ago will do.
        let now = match this.sleep.as_pin_mut().is_some_and(|sleep| sleep.is_elapsed()) {
            true => this.hub.clock.now(),
            false => this.hub.clock.last_tick(),
        };
        if this.session.poll(cx, this.socket, now).is_ready() {
            return Poll::Ready(());
        }
        let armed = this.armed.filter(|armed| *armed > now);
        match (this.session.next_timeout(), armed) {
            (Some(next), Some(armed)) if armed <= next => {}
            (Some(next), _) => self.arm(cx, next),
            (None, _) => {}
        }
        Poll::Pending
    }
}
