//! One request and its response: the handler that was called, then the body that it gave.

use std::error::Error;
use std::fmt::{self, Display};
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Buf;
use http::{Request, Response};
use http_body::Body as HttpBody;
use lameduck_core::server::Level;
use lameduck_core::{
    ApiMisuse, CancelReason, Connection, Instant, RequestHead, ResponseHead, ResponseLength, Stage, StreamId,
};
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::body::{Body, Channel, Interest};
use crate::head;
use crate::hub::Hub;

/// A request that is being served, to name it by.
#[derive(Clone)]
pub(crate) struct Work {
    pub(crate) head: RequestHead,
    pub(crate) since: Instant,
}

impl Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A CONNECT of HTTP/2 has no target (RFC 9113 section 8.5).
        let authority = self.head.authority_bytes().filter(|_| self.head.target().is_empty());
        let authority = authority.as_deref().map(String::from_utf8_lossy);
        write!(f, "{} {}", self.head.method(), authority.as_deref().unwrap_or(self.head.target()))
    }
}

pin_project! {
    /// A request that is being served.
    pub(crate) struct Exchange<S, B>
    where
        S: Service<Request<Body>>,
    {
        pub(crate) id: StreamId,
        pub(crate) work: Work,
        // The request's body, where there is one.
        pub(crate) incoming: Option<Arc<Channel>>,
        // What the peer sends once the request has made a tunnel, where it may.
        pub(crate) tunnel: Option<Arc<Channel>>,
        #[pin]
        pub(crate) state: State<S::Future, B>,
    }
}

pin_project! {
    /// How far the handler is.
    #[project = StateProjection]
    #[project_replace = StateReplaced]
    pub(crate) enum State<F, B> {
        // It has not been ready for the request yet.
        Waiting { request: Box<Request<Body>> },
        // It works.
        Calling {
            #[pin]
            future: F,
        },
        // It has answered, and its connection has still to hear of that.
        Answered { response: Response<B> },
        // Its response goes out.
        Sending {
            #[pin]
            body: B,
        },
        // It has failed where its connection was not at hand.
        Broken { failure: String },
        Done,
    }
}

/// What the log says of a handler that panicked; the panic itself has said more.
const PANICKED: &str = "it panicked";

/// How far an exchange has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    /// It goes on when something wakes it.
    Pending,
    /// It goes on when there is room to send.
    Blocked,
    /// The response has all been given.
    Answered,
    /// It was given up.
    Failed,
}

/// What an exchange works with.
pub(crate) struct Scene<'a> {
    pub(crate) connection: &'a mut Connection,
    pub(crate) hub: &'a Hub,
    pub(crate) peer: SocketAddr,
    pub(crate) now: Instant,
    /// The level that the connection has been told of.
    pub(crate) told: Level,
}

impl Scene<'_> {
    /// Whether the connection is told what the handlers may have heard. Where it is not, a response has to wait: in a
    /// drain it would not say that it is the last.
    fn is_current(&self) -> bool {
        self.told == self.hub.level()
    }
}

impl<S, B> Exchange<S, B>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Error: Display,
    B: HttpBody,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    /// One whose handler has not been called.
    pub(crate) fn new(
        id: StreamId,
        work: Work,
        incoming: Option<Arc<Channel>>,
        tunnel: Option<Arc<Channel>>,
    ) -> Self {
        Self { id, work, incoming, tunnel, state: State::Done }
    }

    /// Makes it another one in the same place; what this one was named by. Requests are large: nothing is moved that
    /// need not be.
    pub(crate) fn renew(
        self: Pin<&mut Self>,
        id: StreamId,
        work: Work,
        incoming: Option<Arc<Channel>>,
        tunnel: Option<Arc<Channel>>,
    ) -> Work {
        let mut this = self.project();
        (*this.id, *this.incoming, *this.tunnel) = (id, incoming, tunnel);
        if !matches!(*this.state, State::Done) {
            this.state.set(State::Done);
        }
        std::mem::replace(this.work, work)
    }

    /// Calls the handler, if it is ready to be called. Requests are large: `request` is taken out of where it was
    /// made, and what becomes of it is written where it stays.
    pub(crate) fn call(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        service: &mut S,
        request: &mut Option<Request<Body>>,
    ) {
        let mut state = self.project().state;
        let call = || {
            let ready = service.poll_ready(cx);
            let Some(request) = request.take() else { return };
            state.set(match ready {
                Poll::Ready(Ok(())) => State::Calling { future: service.call(request) },
                Poll::Ready(Err(error)) => State::Broken { failure: error.to_string() },
                Poll::Pending => State::Waiting { request: Box::new(request) },
            });
        };
        if catch_unwind(AssertUnwindSafe(call)).is_err() {
            state.set(State::Broken { failure: PANICKED.to_owned() });
        }
    }

    /// Goes as far as it can.
    pub(crate) fn step(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        service: &mut S,
        scene: &mut Scene<'_>,
    ) -> Outcome {
        if let Some(channel) = &self.incoming {
            channel.attend();
        }
        let outcome = match catch_unwind(AssertUnwindSafe(|| self.as_mut().advance(cx, service, scene))) {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(failure)) => self.as_mut().fail(cx, scene, &failure),
            Err(_) => self.as_mut().fail(cx, scene, &PANICKED),
        };
        self.meet_demand(cx, scene);
        outcome
    }

    fn advance(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        service: &mut S,
        scene: &mut Scene<'_>,
    ) -> Result<Outcome, String> {
        loop {
            let mut this = self.as_mut().project();
            match this.state.as_mut().project() {
                StateProjection::Waiting { .. } => {
                    if let StateReplaced::Waiting { request } = this.state.project_replace(State::Done) {
                        self.as_mut().call(cx, service, &mut Some(*request));
                    }
                    if let State::Waiting { .. } = self.state {
                        return Ok(Outcome::Pending);
                    }
                }
                StateProjection::Broken { failure } => return Err(std::mem::take(failure)),
                StateProjection::Calling { future } => match future.poll(cx) {
                    Poll::Pending => return Ok(Outcome::Pending),
                    Poll::Ready(Err(error)) => return Err(error.to_string()),
                    Poll::Ready(Ok(response)) if scene.is_current() => {
                        self.as_mut().begin(cx, scene, response)?;
                    }
                    Poll::Ready(Ok(response)) => this.state.set(State::Answered { response }),
                },
                StateProjection::Answered { .. } if !scene.is_current() => {
                    cx.waker().wake_by_ref();
                    return Ok(Outcome::Pending);
                }
                StateProjection::Answered { .. } => {
                    if let StateReplaced::Answered { response } = this.state.project_replace(State::Done) {
                        self.as_mut().begin(cx, scene, response)?;
                    }
                }
                StateProjection::Sending { body } => {
                    let outcome = send(body, cx, scene.connection, scene.now, *this.id)?;
                    if outcome == Outcome::Answered {
                        this.state.set(State::Done);
                    }
                    return Ok(outcome);
                }
                StateProjection::Done => return Ok(Outcome::Pending),
            }
        }
    }

    /// Begins the response that the handler gave.
    #[inline]
    fn begin(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        scene: &mut Scene<'_>,
        mut response: Response<B>,
    ) -> Result<(), String> {
        // A body that it has left unread decides what the head says of the connection.
        self.as_mut().meet_demand(cx, scene);
        let mut this = self.project();
        let Scene { connection, now, .. } = scene;
        respond(connection, *now, *this.id, &response).map_err(|misuse| misuse.to_string())?;
        if let Some(tunnel) = this.tunnel.take() {
            if connection.status().stage == Stage::Tunnel {
                *this.incoming = Some(tunnel);
            } else {
                tunnel.finish(None, cx.waker());
            }
        }
        head::recycle(std::mem::take(response.headers_mut()));
        this.state.set(State::Sending { body: response.into_body() });
        Ok(())
    }

    /// The handler failed: a 500, or a response that breaks off; and a line in the log.
    fn fail(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        scene: &mut Scene<'_>,
        failure: &dyn Display,
    ) -> Outcome {
        let mut this = self.project();
        tracing::error!(
            method = this.work.head.method(),
            target = this.work.head.target(),
            "the handler failed: {failure}"
        );
        drop_quietly(|| this.state.set(State::Done));
        if let Some(tunnel) = this.tunnel.take() {
            tunnel.finish(None, cx.waker());
        }
        match answer_briefly(scene.connection, scene.now, *this.id, 500) {
            Ok(()) => Outcome::Answered,
            Err(_) => {
                // The response has begun, or its stream is already gone: both are fine to reset.
                let _ = scene.connection.reset(scene.now, *this.id);
                Outcome::Failed
            }
        }
    }

    /// Passes on to the connection what the reader of the body has asked for.
    fn meet_demand(self: Pin<&mut Self>, cx: &mut Context<'_>, scene: &mut Scene<'_>) {
        let this = self.project();
        let Some(channel) = this.incoming else { return };
        let interest = meet_demand(channel, cx.waker(), scene, *this.id);
        if interest.is_over() {
            *this.incoming = None;
        } else if matches!(*this.state, State::Done) && channel.has_ended() {
            // One whose handler is through is not kept for what its reader has still to take: nobody would hear of that.
            // Where its response waits for the peer, the others wait for the room that it holds.
            let _ = scene.connection.release(scene.now, *this.id, usize::MAX);
            *this.incoming = None;
        }
    }
}

impl<S, B> Exchange<S, B>
where
    S: Service<Request<Body>>,
{
    /// The channel of the request's body, for who passes it on instead.
    pub(crate) fn take_incoming(self: Pin<&mut Self>) -> Option<Arc<Channel>> {
        self.project().incoming.take()
    }

    /// The body comes in again where its connection is.
    pub(crate) fn set_incoming(self: Pin<&mut Self>, incoming: Option<Arc<Channel>>) {
        *self.project().incoming = incoming;
    }

    /// Whether nothing more is to come, of the response or of the request.
    pub(crate) fn is_over(&self) -> bool {
        self.incoming.is_none() && matches!(self.state, State::Done)
    }

    /// Whether its handler works, and may do so elsewhere.
    pub(crate) fn is_working(&self) -> bool {
        matches!(self.state, State::Calling { .. })
    }

    /// The request was given up: its handler is dropped, and the reader of its body hears why.
    pub(crate) fn cancel(self: Pin<&mut Self>, reason: CancelReason) {
        let mut this = self.project();
        for channel in [this.incoming.take(), this.tunnel.take()].into_iter().flatten() {
            channel.fail(reason);
        }
        drop_quietly(|| this.state.set(State::Done));
    }

    /// The handler cannot go on.
    pub(crate) fn break_down(self: Pin<&mut Self>, failure: &str) {
        let mut this = self.project();
        drop_quietly(|| this.state.set(State::Done));
        this.state.set(State::Broken { failure: failure.to_owned() });
    }
}

impl<S, B> Exchange<S, B>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Error: Display,
{
    /// Lets the handler work, away from its connection; ready when it has come to its end.
    pub(crate) fn work(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let poll = || match self.as_mut().project().state.project() {
            StateProjection::Calling { future } => future.poll(cx).map_err(|error| error.to_string()),
            _ => Poll::Ready(Err(String::from("it does not work"))),
        };
        let state = match catch_unwind(AssertUnwindSafe(poll)) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(Ok(response))) => State::Answered { response },
            Ok(Poll::Ready(Err(failure))) => State::Broken { failure },
            Err(_) => State::Broken { failure: PANICKED.to_owned() },
        };
        let mut this = self.project();
        drop_quietly(|| this.state.set(State::Done));
        this.state.set(state);
        Poll::Ready(())
    }
}

/// Drops what is a handler's; one that panics in that harms nobody else.
fn drop_quietly(act: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(act)).is_err() {
        tracing::error!("a handler panicked while it was dropped");
    }
}

/// Passes on to the connection what the reader of `channel` has asked for; what it does with the body. From now on,
/// `waker` is woken when it asks for more.
pub(crate) fn meet_demand(channel: &Channel, waker: &Waker, scene: &mut Scene<'_>, id: StreamId) -> Interest {
    let Scene { connection, now, .. } = scene;
    let demand = channel.look(waker);
    // Each of these fails where the stream is gone, and then nothing is left to be asked for.
    let _ = match demand.interest {
        Interest::None | Interest::Met => Ok(()),
        Interest::Reads => connection.read_body(*now, id),
        Interest::Left => connection.discard_body(*now, id),
    };
    if demand.consumed > 0 {
        let _ = connection.release(*now, id, demand.consumed);
    }
    demand.interest
}

/// A response without a body or a handler.
pub(crate) fn answer_briefly(
    connection: &mut Connection,
    now: Instant,
    id: StreamId,
    status: u16,
) -> Result<(), ApiMisuse> {
    connection.respond(now, id, ResponseHead { status, fields: [], length: ResponseLength::Known(0) })?;
    connection.finish(now, id, [])
}

/// How many pieces of a body are taken before others have their turn.
const FRAMES: usize = 64;

/// Begins the response that a handler gave.
fn respond<B: HttpBody>(
    connection: &mut Connection,
    now: Instant,
    id: StreamId,
    response: &Response<B>,
) -> Result<(), ApiMisuse> {
    let length = match response.body().size_hint().exact() {
        Some(length) => ResponseLength::Known(length),
        None => ResponseLength::Unknown,
    };
    connection.respond(now, id, head::response(response, length))
}

/// Sends as much of a response's body as there is, and as there is room for.
fn send<B>(
    mut body: Pin<&mut B>,
    cx: &mut Context<'_>,
    connection: &mut Connection,
    now: Instant,
    id: StreamId,
) -> Result<Outcome, String>
where
    B: HttpBody,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let misuse = |misuse: ApiMisuse| misuse.to_string();
    for _ in 0..FRAMES {
        if body.is_end_stream() || !connection.takes_body(id) {
            connection.finish(now, id, []).map_err(misuse)?;
            return Ok(Outcome::Answered);
        }
        if connection.send_capacity(id) == 0 {
            return Ok(Outcome::Blocked);
        }
        let frame = match body.as_mut().poll_frame(cx) {
            Poll::Pending => return Ok(Outcome::Pending),
            Poll::Ready(Some(Err(error))) => return Err(error.into().to_string()),
            Poll::Ready(Some(Ok(frame))) => frame,
            Poll::Ready(None) => {
                connection.finish(now, id, []).map_err(misuse)?;
                return Ok(Outcome::Answered);
            }
        };
        match frame.into_data() {
            Ok(mut data) => {
                let data = data.copy_to_bytes(data.remaining());
                connection.send_body(now, id, data).map_err(misuse)?;
            }
            Err(frame) => {
                if let Ok(trailers) = frame.into_trailers() {
                    connection.finish(now, id, head::lines(&trailers)).map_err(misuse)?;
                    return Ok(Outcome::Answered);
                }
            }
        }
    }
    cx.waker().wake_by_ref();
    Ok(Outcome::Pending)
}
