//! Handlers whose every step a test decides, on any runtime or none.

use std::collections::VecDeque;
use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::{Body as _, Frame};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use lameduck_service::{Body, BodyError};
use tower_service::Service;

use crate::shells::PATIENCE;

/// What went wrong in a handler or in a body.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// What a handler answers.
pub type Reply = Response<UnsyncBoxBody<Bytes, BoxError>>;

type Answering = Pin<Box<dyn Future<Output = Result<Reply, BoxError>> + Send>>;

/// A service made of a function.
#[derive(Clone)]
pub struct Handler(Arc<dyn Fn(Request<Body>) -> Answering + Send + Sync>);

impl Handler {
    /// A handler that answers with what `act` gives.
    pub fn new<F>(act: impl Fn(Request<Body>) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Reply> + Send + 'static,
    {
        Self::fallible(move |request| {
            let reply = act(request);
            async { Ok(reply.await) }
        })
    }

    /// A handler that may fail.
    pub fn fallible<F>(act: impl Fn(Request<Body>) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Reply, BoxError>> + Send + 'static,
    {
        Self(Arc::new(move |request| Box::pin(act(request))))
    }

    /// A handler that answers at once, with the request's path.
    pub fn echoing_the_path() -> Self {
        Self::new(|request| async move { text(request.uri().path().to_owned()) })
    }

    /// A handler that tells when it waits, waits to be let on, and answers with the request's path.
    pub fn held(waits: &Latch, go_on: &Latch) -> Self {
        let (waits, go_on) = (waits.clone(), go_on.clone());
        Self::new(move |request| {
            let held = telling(&waits, go_on.wait());
            async move {
                held.await;
                text(request.uri().path().to_owned())
            }
        })
    }
}

impl Service<Request<Body>> for Handler {
    type Response = Reply;
    type Error = BoxError;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Answering {
        (self.0)(request)
    }
}

impl fmt::Debug for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handler").finish_non_exhaustive()
    }
}

/// A 200 with this body.
pub fn text(body: impl Into<Bytes>) -> Reply {
    Response::new(Full::new(body.into()).map_err(|never| match never {}).boxed_unsync())
}

/// A response of this status without a body.
pub fn empty(status: StatusCode) -> Reply {
    let mut reply = text(Bytes::new());
    *reply.status_mut() = status;
    reply
}

/// A 200 whose body comes out of a pipe.
pub fn streaming(spout: Spout) -> Reply {
    Response::new(spout.boxed_unsync())
}

/// Reads a body to its end.
///
/// # Errors
/// Why it did not come to its end.
pub async fn collect(body: Body) -> Result<Bytes, BodyError> {
    Ok(body.collect().await?.to_bytes())
}

/// Something that happens once and is waited for, by handlers and by threads.
#[derive(Clone, Default)]
pub struct Latch(Arc<LatchInner>);

#[derive(Default)]
struct LatchInner {
    state: Mutex<LatchState>,
    opened: Condvar,
}

#[derive(Default)]
struct LatchState {
    is_open: bool,
    wakers: Vec<Waker>,
}

impl Latch {
    /// One that is closed.
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens it, for good.
    pub fn open(&self) {
        let mut state = self.lock();
        state.is_open = true;
        let wakers = std::mem::take(&mut state.wakers);
        drop(state);
        self.0.opened.notify_all();
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Whether it is open.
    pub fn is_open(&self) -> bool {
        self.lock().is_open
    }

    /// Waits in a handler.
    pub fn wait(&self) -> impl Future<Output = ()> + Send + use<> {
        let latch = self.clone();
        std::future::poll_fn(move |cx| {
            let mut state = latch.lock();
            if state.is_open {
                return Poll::Ready(());
            }
            if !state.wakers.iter().any(|known| known.will_wake(cx.waker())) {
                state.wakers.push(cx.waker().clone());
            }
            Poll::Pending
        })
    }

    /// Waits on a thread.
    ///
    /// # Panics
    /// Where that is in vain.
    pub fn block(&self, what: &str) {
        let waiting = self.0.opened.wait_timeout_while(self.lock(), PATIENCE, |state| !state.is_open);
        let (state, _) = waiting.unwrap_or_else(PoisonError::into_inner);
        assert!(state.is_open, "in vain waited for: {what}");
    }

    /// What opens it when dropped.
    pub fn on_drop(&self) -> OnDrop {
        OnDrop(self.clone())
    }

    fn lock(&self) -> MutexGuard<'_, LatchState> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Latch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Latch").field(&self.is_open()).finish()
    }
}

/// Opens a latch when it is dropped: in a handler's future, when that is.
#[derive(Debug)]
pub struct OnDrop(Latch);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.open();
    }
}

/// The end of a body that a test puts pieces into. Dropping it ends the body.
#[derive(Debug)]
pub struct Tap(Arc<Pipe>);

/// The body that they come out of.
#[derive(Debug)]
pub struct Spout(Arc<Pipe>);

#[derive(Debug, Default)]
struct Pipe {
    state: Mutex<PipeState>,
    gone: Latch,
}

#[derive(Debug, Default)]
struct PipeState {
    frames: VecDeque<Result<Frame<Bytes>, BoxError>>,
    is_ended: bool,
    reader: Option<Waker>,
}

/// A body in the hands of a test.
pub fn pipe() -> (Tap, Spout) {
    let pipe = Arc::new(Pipe::default());
    (Tap(Arc::clone(&pipe)), Spout(pipe))
}

impl Pipe {
    fn change(&self, act: impl FnOnce(&mut PipeState)) {
        let mut state = self.lock();
        act(&mut state);
        let reader = state.reader.take();
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, PipeState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tap {
    /// Puts a piece in.
    pub fn send(&self, data: impl Into<Bytes>) {
        let frame = Frame::data(data.into());
        self.0.change(|state| state.frames.push_back(Ok(frame)));
    }

    /// Puts the trailers in.
    pub fn send_trailers(&self, trailers: HeaderMap) {
        self.0.change(|state| state.frames.push_back(Ok(Frame::trailers(trailers))));
    }

    /// Lets the body fail.
    pub fn fail(&self) {
        self.0.change(|state| state.frames.push_back(Err("the body fails".into())));
    }

    /// Opens when nobody reads the body any more.
    pub fn gone(&self) -> Latch {
        self.0.gone.clone()
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.0.change(|state| state.is_ended = true);
    }
}

impl http_body::Body for Spout {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut state = self.0.lock();
        match state.frames.pop_front() {
            Some(frame) => Poll::Ready(Some(frame)),
            None if state.is_ended => Poll::Ready(None),
            None => {
                state.reader = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Drop for Spout {
    fn drop(&mut self) {
        self.0.gone.open();
    }
}

/// The next piece of a body.
///
/// # Errors
/// Why there is none.
pub async fn next_piece(body: &mut Body) -> Result<Option<Bytes>, BodyError> {
    let frame = std::future::poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await;
    frame.transpose().map(|frame| frame.and_then(|frame| frame.into_data().ok()))
}

/// `future`, which tells as soon as it has to be waited for: the poll in which it was called is then over, as
/// far as its handler is concerned.
pub fn telling<F: Future>(waits: &Latch, future: F) -> impl Future<Output = F::Output> + use<F> {
    let waits = waits.clone();
    async move {
        let mut future = std::pin::pin!(future);
        std::future::poll_fn(|cx| {
            let polled = future.as_mut().poll(cx);
            if polled.is_pending() {
                waits.open();
            }
            polled
        })
        .await
    }
}

/// Runs a future to its end on this thread.
pub fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(std::thread::Thread);

    impl std::task::Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = std::pin::pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        std::thread::park();
    }
}
