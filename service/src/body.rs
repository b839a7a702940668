//! A request's body, as its handler reads it.

use std::collections::VecDeque;
use std::error::Error;
use std::fmt;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Frame, SizeHint};
use lameduck_core::{BodyLength, CancelReason};

/// A request's body, or what the peer sends through a tunnel.
///
/// Reading it makes room on the wire: a handler that does not read holds the peer back, within
/// [`Limits::body_window`](lameduck_core::Limits::body_window) or, on HTTP/2,
/// [`Limits::stream_window`](lameduck_core::Limits::stream_window). The first read answers
/// `expect: 100-continue`. Dropping it says that the rest is not wanted.
///
/// A large piece may be a part of what was read from the socket at once, and keep the memory of all that, 64 KiB: who
/// keeps pieces for long, and many of them, does well to copy them.
#[derive(Debug, Default)]
pub struct Body {
    channel: Option<Arc<Channel>>,
    peer: Option<SocketAddr>,
}

impl Body {
    /// A body without a byte, from nowhere.
    pub fn empty() -> Self {
        Self::default()
    }

    pub(crate) fn new(channel: Option<Arc<Channel>>, peer: Option<SocketAddr>) -> Self {
        Self { channel, peer }
    }

    /// The address of the peer that sends it.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &self.channel {
            Some(channel) => channel.poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.channel.as_ref().is_none_or(|channel| channel.is_over())
    }

    fn size_hint(&self) -> SizeHint {
        match self.channel.as_ref().map(|channel| channel.remaining()) {
            None => SizeHint::with_exact(0),
            Some(Some(remaining)) => SizeHint::with_exact(remaining),
            Some(None) => SizeHint::default(),
        }
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        if let Some(channel) = &self.channel {
            channel.leave();
        }
    }
}

/// Why a request's body did not come to its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BodyError(CancelReason);

impl BodyError {
    /// Why the request was given up.
    pub fn reason(&self) -> CancelReason {
        self.0
    }
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            CancelReason::Refused(error) => write!(f, "the request was refused: {error}"),
            CancelReason::Reset(code) => write!(f, "the client gave it up: {code}"),
            CancelReason::TimedOut(timer) => write!(f, "it waited too long for {timer}"),
            CancelReason::BrokenOff => f.write_str("its response broke off"),
            CancelReason::Closed(reason) => write!(f, "the connection ended: {reason}"),
        }
    }
}

impl Error for BodyError {}

/// What a reader is given.
type Polled = Poll<Option<Result<Frame<Bytes>, BodyError>>>;

/// Between a session and the reader of a body, who may be in another task.
#[derive(Debug)]
pub(crate) struct Channel(Mutex<State>);

#[derive(Debug)]
struct State {
    data: VecDeque<Bytes>,
    /// How many of the pieces have come since the session last looked.
    new: usize,
    end: Option<End>,
    remaining: Option<u64>,
    demand: Demand,
    reader: Option<Waker>,
    /// The session, to be woken when `demand` changes while it does not look.
    session: Option<Waker>,
}

#[derive(Debug)]
enum End {
    Whole(Option<HeaderMap>),
    Failed(BodyError),
    /// Reported.
    Told,
}

/// What the reader has asked for since the session last looked.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Demand {
    /// Whether it wants the body at all.
    pub(crate) interest: Interest,
    /// How many bytes it has consumed.
    pub(crate) consumed: usize,
}

/// What the reader does with the body.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Interest {
    /// It has not asked for it yet.
    #[default]
    None,
    /// It reads.
    Reads,
    /// It has dropped it.
    Left,
    /// It has read all of it.
    Met,
}

impl Interest {
    /// Whether it will ask for nothing more.
    pub(crate) fn is_over(self) -> bool {
        matches!(self, Self::Left | Self::Met)
    }
}

impl Channel {
    pub(crate) fn new(length: BodyLength) -> Arc<Self> {
        let remaining = match length {
            BodyLength::Empty => Some(0),
            BodyLength::Known(length) => Some(length),
            BodyLength::Unknown => None,
        };
        Arc::new(Self::with(remaining))
    }

    pub(crate) fn tunnel() -> Arc<Self> {
        Arc::new(Self::with(None))
    }

    fn with(remaining: Option<u64>) -> Self {
        Self(Mutex::new(State {
            data: VecDeque::new(),
            new: 0,
            end: None,
            remaining,
            demand: Demand::default(),
            reader: None,
            session: None,
        }))
    }

    // The session's side.

    /// Gives the reader a piece; does not wake it where it is polled with `session`, which polls it next.
    pub(crate) fn push(&self, data: Bytes, session: &Waker) {
        self.change(|state| {
            state.keep(data);
            ((), state.reader_unless(session))
        });
    }

    /// Tells the reader of the end; wakes it as [`push`](Self::push) does.
    pub(crate) fn finish(&self, trailers: Option<HeaderMap>, session: &Waker) {
        self.change(|state| {
            if state.end.is_some() {
                return ((), None);
            }
            state.end = Some(End::Whole(trailers));
            ((), state.reader_unless(session))
        });
    }

    pub(crate) fn fail(&self, reason: CancelReason) {
        self.change(|state| {
            if state.end.is_some() {
                return ((), None);
            }
            state.end = Some(End::Failed(BodyError(reason)));
            ((), state.reader.take())
        });
    }

    /// What has been asked for since the last look. From now on, `session` is woken by more of that.
    pub(crate) fn look(&self, session: &Waker) -> Demand {
        let mut state = self.lock();
        match &mut state.session {
            Some(known) => known.clone_from(session),
            None => state.session = Some(session.clone()),
        }
        state.part_from_blocks();
        let demand = state.demand;
        state.demand.consumed = 0;
        match demand.interest {
            Interest::None | Interest::Reads if state.end.is_some() && state.data.is_empty() => {
                Demand { interest: Interest::Met, ..demand }
            }
            _ => demand,
        }
    }

    /// Whether nothing more will come.
    pub(crate) fn has_ended(&self) -> bool {
        self.lock().end.is_some()
    }

    /// The session polls the reader itself, and looks afterwards: it need not be woken.
    pub(crate) fn attend(&self) {
        self.lock().session = None;
    }

    // The reader's side.

    fn poll_frame(&self, cx: &mut Context<'_>) -> Polled {
        self.change(|state| state.poll_frame(cx))
    }

    fn is_over(&self) -> bool {
        let state = self.lock();
        state.data.is_empty() && matches!(state.end, Some(End::Whole(None) | End::Told))
    }

    fn remaining(&self) -> Option<u64> {
        self.lock().remaining
    }

    fn leave(&self) {
        self.change(|state| {
            state.data.clear();
            state.reader = None;
            ((), state.raise_demand(Interest::Left))
        });
    }

    /// Does `act`, and wakes whom it names after that: who ends by being woken may drop a body, and that takes the lock.
    fn change<R>(&self, act: impl FnOnce(&mut State) -> (R, Option<Waker>)) -> R {
        let (result, waker) = act(&mut self.lock());
        if let Some(waker) = waker {
            waker.wake();
        }
        result
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Pieces that a slow reader leaves are joined up to this size: each costs far more than it holds.
const JOINED: usize = 1024;

impl State {
    fn keep(&mut self, data: Bytes) {
        match self.data.back_mut() {
            Some(last) if last.len() + data.len() <= JOINED => *last = [&**last, &data].concat().into(),
            _ => {
                self.data.push_back(data);
                self.new += 1;
            }
        }
    }

    /// Copies what the reader has left of the new pieces, where it shares memory: a slow reader would keep all of that.
    fn part_from_blocks(&mut self) {
        let new = std::mem::take(&mut self.new).min(self.data.len());
        for data in self.data.iter_mut().rev().take(new).filter(|data| !data.is_unique()) {
            *data = Bytes::copy_from_slice(data);
        }
    }

    /// Reads on; and whom to wake.
    fn poll_frame(&mut self, cx: &Context<'_>) -> (Polled, Option<Waker>) {
        if let Some(data) = self.data.pop_front() {
            self.remaining = self.remaining.map(|left| left.saturating_sub(data.len() as u64));
            self.demand.consumed += data.len();
            return (Poll::Ready(Some(Ok(Frame::data(data)))), self.raise_demand(Interest::Reads));
        }
        let Some(end) = self.end.take() else {
            match &mut self.reader {
                Some(known) => known.clone_from(cx.waker()),
                None => self.reader = Some(cx.waker().clone()),
            }
            let session = match self.demand.interest {
                Interest::None => self.raise_demand(Interest::Reads),
                _ => None,
            };
            return (Poll::Pending, session);
        };
        self.end = Some(End::Told);
        let end = match end {
            End::Whole(Some(trailers)) => Some(Ok(Frame::trailers(trailers))),
            End::Whole(None) | End::Told => None,
            End::Failed(error) => Some(Err(error)),
        };
        (Poll::Ready(end), None)
    }

    /// Asks for more; the session, where it is to be woken for that.
    fn raise_demand(&mut self, interest: Interest) -> Option<Waker> {
        self.demand.interest = self.demand.interest.max(interest);
        self.session.take()
    }

    /// The reader, who is to be woken; nobody, where it is polled with `session`.
    fn reader_unless(&mut self, session: &Waker) -> Option<Waker> {
        self.reader.take().filter(|reader| !reader.will_wake(session))
    }
}

#[cfg(test)]
mod tests;
