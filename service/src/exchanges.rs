//! The requests of one connection that are under way, in the order in which they came.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Waker};

use http::Request;
use lameduck_core::{CancelReason, StreamId};
use tower_service::Service;

use crate::bell::Bell;
use crate::body::{Body, Channel};
use crate::exchange::{self, Exchange, Scene, Work};
use crate::spawn::{Link, Task};

/// A request that is under way.
pub(crate) struct Entry<S, B>
where
    S: Service<Request<Body>>,
{
    pub(crate) id: StreamId,
    pub(crate) place: Place<S, B>,
    /// What wakes it; the connection's waker does, where there is none.
    pub(crate) bell: Option<Arc<Bell>>,
    /// Whether it is among those who wait for room.
    pub(crate) queues: Queues,
}

/// Where a request is worked at.
pub(crate) enum Place<S, B>
where
    S: Service<Request<Body>>,
{
    Here(Pin<Box<Exchange<S, B>>>),
    /// Its handler is in a task.
    Away {
        link: Arc<Link<S, B>>,
        incoming: Option<Arc<Channel>>,
    },
}

/// Whether a request is among those who wait for room to send.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Queues {
    No,
    ForRoom,
}

impl<S, B> Entry<S, B>
where
    S: Service<Request<Body>>,
{
    pub(crate) fn here(id: StreamId, exchange: Pin<Box<Exchange<S, B>>>, bell: Option<Arc<Bell>>) -> Self {
        Self { id, place: Place::Here(exchange), bell, queues: Queues::No }
    }

    /// Calls `act` with what wakes this request.
    pub(crate) fn with_waker<R>(&self, cx: &Context<'_>, act: impl FnOnce(&Waker) -> R) -> R {
        match &self.bell {
            Some(bell) => act(&bell.waker()),
            None => act(cx.waker()),
        }
    }

    /// Whether nothing more is to come, of the response or of the request.
    pub(crate) fn is_over(&self) -> bool {
        matches!(&self.place, Place::Here(exchange) if exchange.is_over())
    }

    /// What it is to be named by.
    pub(crate) fn work(&self) -> &Work {
        match &self.place {
            Place::Here(exchange) => &exchange.work,
            Place::Away { link, .. } => &link.work,
        }
    }

    /// The body that comes in.
    pub(crate) fn incoming(&self) -> Option<&Arc<Channel>> {
        match &self.place {
            Place::Here(exchange) => exchange.incoming.as_ref(),
            Place::Away { incoming, .. } => incoming.as_ref(),
        }
    }

    /// The request was given up: its handler is dropped, and the reader of its body hears why.
    pub(crate) fn cancel(&mut self, reason: CancelReason) {
        match &mut self.place {
            Place::Here(exchange) => exchange.as_mut().cancel(reason),
            Place::Away { link, incoming } => {
                if let Some(channel) = incoming.take() {
                    channel.fail(reason);
                }
                link.cancel(reason);
            }
        }
    }
}

impl<S, B> Place<S, B>
where
    S: Service<Request<Body>>,
{
    /// Whether a handler works here that may do so elsewhere.
    pub(crate) fn may_move(&self) -> bool {
        matches!(self, Self::Here(exchange) if exchange.is_working())
    }

    /// Hands a handler that works to `spawn`; its task rings `bell` when it is back.
    pub(crate) fn hand_over(
        &mut self,
        scene: &mut Scene<'_>,
        id: StreamId,
        bell: &Arc<Bell>,
        spawn: impl FnOnce(Task<S, B>),
    ) {
        let (link, incoming) = match self {
            Self::Here(exchange) if exchange.is_working() => {
                let link = Link::new(exchange.work.clone(), Arc::clone(bell));
                (link, exchange.as_mut().take_incoming())
            }
            Self::Here(_) | Self::Away { .. } => return,
        };
        if let Some(channel) = &incoming {
            exchange::meet_demand(channel, &bell.waker(), scene, id);
        }
        let away = Self::Away { link: Arc::clone(&link), incoming };
        if let Self::Here(exchange) = std::mem::replace(self, away) {
            spawn(Task::new(exchange, link));
        }
    }

    /// Passes on what the handler in a task asks for; takes it back when it has answered.
    pub(crate) fn take_back(&mut self, scene: &mut Scene<'_>, id: StreamId, bell: &Arc<Bell>) {
        let Self::Away { link, incoming } = self else { return };
        incoming.take_if(|channel| exchange::meet_demand(channel, &bell.waker(), scene, id).is_over());
        if let Some(mut exchange) = link.take_back() {
            exchange.as_mut().set_incoming(incoming.take());
            *self = Self::Here(exchange);
        }
    }
}

/// Requests in the order of their ids, which grow. The first lies at hand: HTTP/1 has no other.
pub(crate) struct Exchanges<S, B>
where
    S: Service<Request<Body>>,
{
    first: Option<Entry<S, B>>,
    rest: VecDeque<Entry<S, B>>,
}

impl<S, B> Exchanges<S, B>
where
    S: Service<Request<Body>>,
{
    pub(crate) fn new() -> Self {
        Self { first: None, rest: VecDeque::new() }
    }

    pub(crate) fn push(&mut self, entry: Entry<S, B>) {
        if self.first.is_none() {
            self.first = Some(entry);
            return;
        }
        // Ids grow: at the end, but for a caller that breaks that promise.
        match self.rest.back() {
            Some(last) if last.id > entry.id => {
                let at = self.rest.partition_point(|one| one.id < entry.id);
                self.rest.insert(at, entry);
            }
            _ => self.rest.push_back(entry),
        }
    }

    pub(crate) fn contain(&self, id: StreamId) -> bool {
        self.first.as_ref().is_some_and(|first| first.id == id) || self.position(id).is_some()
    }

    pub(crate) fn get_mut(&mut self, id: StreamId) -> Option<&mut Entry<S, B>> {
        if self.first.as_ref().is_some_and(|first| first.id == id) {
            return self.first.as_mut();
        }
        let at = self.position(id)?;
        self.rest.get_mut(at)
    }

    pub(crate) fn remove(&mut self, id: StreamId) -> Option<Entry<S, B>> {
        if self.first.as_ref().is_some_and(|first| first.id == id) {
            let next = self.rest.pop_front();
            if self.rest.is_empty() && self.rest.capacity() > 0 && next.is_none() {
                // An idle connection owns no memory.
                self.rest = VecDeque::new();
            }
            return std::mem::replace(&mut self.first, next);
        }
        let at = self.position(id)?;
        self.rest.remove(at)
    }

    pub(crate) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.rest.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// The next after `after` that has no bell.
    pub(crate) fn next_plain(&self, after: Option<StreamId>) -> Option<StreamId> {
        self.iter().find(|entry| entry.bell.is_none() && Some(entry.id) > after).map(|entry| entry.id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry<S, B>> {
        self.first.iter().chain(&self.rest)
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Entry<S, B>> {
        self.first.iter_mut().chain(&mut self.rest)
    }

    fn position(&self, id: StreamId) -> Option<usize> {
        self.rest.binary_search_by_key(&id, |entry| entry.id).ok()
    }
}
