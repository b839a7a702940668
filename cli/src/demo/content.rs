//! Bodies of the app's responses. None holds more than a piece of itself.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use lameduck_service::{Body, BodyError};
use tokio::time::{Interval, MissedTickBehavior};

use crate::demo::events::Events;

/// The body of a response.
pub(crate) enum Content {
    /// What there is of it, at once.
    Ready(Bytes),
    /// So many bytes that mean nothing.
    Filler(u64),
    /// Chunks that come one by one.
    Chunks(Box<Chunks>),
    /// The request's own.
    Echo(Body),
    /// Events that end with the server.
    Events(Box<Events>),
}

impl HttpBody for Content {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let next = match &mut *self {
            Self::Ready(bytes) => Poll::Ready((!bytes.is_empty()).then(|| std::mem::take(bytes))),
            Self::Filler(left) => Poll::Ready(take_filler(left)),
            Self::Chunks(chunks) => chunks.poll_next(cx),
            Self::Events(events) => events.poll_next(cx),
            Self::Echo(body) => return Pin::new(body).poll_frame(cx),
        };
        next.map(|data| data.map(|data| Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Ready(bytes) => bytes.is_empty(),
            Self::Filler(left) => *left == 0,
            Self::Echo(body) => body.is_end_stream(),
            Self::Chunks(_) | Self::Events(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Ready(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Filler(left) => SizeHint::with_exact(*left),
            Self::Echo(body) => body.size_hint(),
            Self::Chunks(_) | Self::Events(_) => SizeHint::default(),
        }
    }
}

/// What filler is cut from: it is never copied.
static FILLER: [u8; 64 * 1024] = filler();

const fn filler() -> [u8; 64 * 1024] {
    let line = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.\n";
    let mut block = [0; 64 * 1024];
    let mut at = 0;
    while at < block.len() {
        block[at] = line[at % line.len()];
        at += 1;
    }
    block
}

fn take_filler(left: &mut u64) -> Option<Bytes> {
    let length = usize::try_from(*left).map_or(FILLER.len(), |left| left.min(FILLER.len()));
    *left -= length as u64;
    (length > 0).then(|| Bytes::from_static(&FILLER[..length]))
}

/// Numbered chunks, the first at once and the others one pause after another.
pub(crate) struct Chunks {
    given: u64,
    count: u64,
    ticks: Option<Interval>,
}

impl Chunks {
    pub(crate) fn new(count: u64, pause: Duration) -> Self {
        let ticks = (!pause.is_zero()).then(|| {
            let mut ticks = tokio::time::interval(pause);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks
        });
        Self { given: 0, count, ticks }
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if self.given == self.count {
            return Poll::Ready(None);
        }
        if let Some(ticks) = &mut self.ticks {
            ready!(ticks.poll_tick(cx));
        }
        self.given += 1;
        Poll::Ready(Some(Bytes::from(format!("chunk {} of {}\n", self.given, self.count))))
    }
}
