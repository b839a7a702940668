//! The requests that one connection has taken: their handlers, and the responses that wait to be sent.

use std::cell::Cell;
use std::collections::VecDeque;
use std::error::Error;
use std::fmt::Display;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Waker};

use http::{Request, Response};
use http_body::Body as HttpBody;
use lameduck_core::server::Level;
use lameduck_core::{
    BodyLength, CancelReason, CloseReason, Connection, Event, RequestHead, Stage, StreamId, Timer, Version,
};
use tower_service::Service;

use crate::bell::{Bell, Rope};
use crate::body::{Body, Channel};
use crate::exchange::{self, Exchange, Outcome, Scene, Work};
use crate::exchanges::{Entry, Exchanges, Place, Queues};
use crate::head::{self, Form};
use crate::hub::Cut;
use crate::recent;
use crate::spare;
use crate::spawn::{Spawn, Task};

/// How many handlers a session lets work before it lets other sessions have their turn.
const TURNS: usize = 128;

/// In the extensions of a request that may become a tunnel: a CONNECT, or one that offers an upgrade.
///
/// A handler that answers with 2xx or 101 takes [`incoming`](Self::incoming) for what the peer sends; the
/// body of its response is what is sent to the peer.
#[derive(Clone, Debug)]
pub struct Tunnel {
    incoming: Arc<Mutex<Option<Body>>>,
    head: RequestHead,
}

impl Tunnel {
    /// The bytes that the peer sends through the tunnel; `None` when they have been taken before.
    pub fn incoming(&self) -> Option<Body> {
        self.incoming.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The protocol that an extended CONNECT of HTTP/2 asks for (RFC 8441 section 4).
    pub fn protocol(&self) -> Option<&str> {
        self.head.protocol()
    }
}

/// The requests of a connection, in the order of their ids.
///
/// While there is one, the connection's own waker wakes it. Of many, each has a waker of its own, so that only those
/// are polled that were woken.
pub(crate) struct Requests<S, B, P>
where
    S: Service<Request<Body>>,
{
    service: S,
    spawn: P,
    exchanges: Exchanges<S, B>,
    /// How many of them the connection's own waker wakes.
    plain: usize,
    /// The one of those that has just been called, and need not go on before it is woken.
    fresh: Option<StreamId>,
    /// The last request whose response has all been given. It may not have been sent yet.
    last: Option<Pin<Box<Exchange<S, B>>>>,
    crowd: Option<Box<Crowd>>,
    /// How many more handlers may work in this poll.
    turns: usize,
    served: u64,
    ended: Option<CloseReason>,
}

/// What there is to know only where there is more than one request.
struct Crowd {
    rope: Arc<Rope>,
    /// A bell that nobody rings.
    spare: Option<Arc<Bell>>,
    /// Whose turn is next.
    ready: VecDeque<StreamId>,
    /// Those whose response waits for room.
    blocked: VecDeque<StreamId>,
    /// Those whose response has been given and may not have been sent, but for the last.
    unsent: VecDeque<Unsent>,
    /// Those that were given up with the connection.
    lost: Vec<(StreamId, Work)>,
}

struct Unsent {
    id: StreamId,
    work: Work,
    /// How many bytes the transport will have taken when it is sent.
    until: Option<u64>,
}

thread_local! {
    /// The list of a session that has sent all, empty: the next one has use for its memory.
    static UNSENT: Cell<VecDeque<Unsent>> = const { Cell::new(VecDeque::new()) };
}

impl Crowd {
    fn of<'a>(crowd: &'a mut Option<Box<Self>>, session: &Waker) -> &'a mut Self {
        crowd.get_or_insert_with(|| {
            Box::new(Self {
                rope: Arc::new(Rope::new(session.clone())),
                spare: None,
                ready: VecDeque::new(),
                blocked: VecDeque::new(),
                unsent: UNSENT.take(),
                lost: Vec::new(),
            })
        })
    }

    fn bell(&mut self, id: StreamId) -> Arc<Bell> {
        match self.spare.take() {
            Some(spare) => spare.renamed(id),
            None => Bell::new(id, &self.rope),
        }
    }

    /// Sees to it that a request has its turn.
    fn call_up<S: Service<Request<Body>>, B>(&mut self, entry: &Entry<S, B>) {
        if entry.bell.as_ref().is_some_and(|bell| bell.mark()) {
            self.ready.push_back(entry.id);
        }
    }
}

impl<S, B, P> Requests<S, B, P>
where
    S: Service<Request<Body>, Response = Response<B>> + 'static,
    S::Error: Display,
    B: HttpBody + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
    P: Spawn<Task<S, B>>,
{
    pub(crate) fn new(service: S, spawn: P) -> Self {
        Self {
            service,
            spawn,
            exchanges: Exchanges::new(),
            plain: 0,
            fresh: None,
            last: None,
            crowd: None,
            turns: TURNS,
            served: 0,
            ended: None,
        }
    }

    /// A new poll begins.
    pub(crate) fn begin(&mut self) {
        self.turns = TURNS;
    }

    /// Whether the other connections are to have their turn.
    pub(crate) fn is_out_of_turns(&self) -> bool {
        self.turns == 0
    }

    /// Whether somebody has something to do that no wake-up will announce.
    pub(crate) fn has_ready(&self) -> bool {
        self.crowd.as_ref().is_some_and(|crowd| !crowd.ready.is_empty())
    }

    /// Passes on what happened, and lets the handlers work.
    pub(crate) fn attend(&mut self, cx: &mut Context<'_>, scene: &mut Scene<'_>) {
        self.fresh = None;
        self.take_events(cx, scene);
        if self.plain > 0 {
            self.step_plain(cx, scene);
        }
        if self.crowd.is_some() {
            self.step_woken(cx, scene);
        }
    }

    /// Passes on what happened; whether anything did.
    #[inline]
    pub(crate) fn take_events(&mut self, cx: &mut Context<'_>, scene: &mut Scene<'_>) -> bool {
        let mut any = false;
        while self.turns > 0
            && let Some(event) = scene.connection.poll_event()
        {
            self.take_event(cx, scene, event);
            any = true;
        }
        any
    }

    /// Apart from the loop, which mostly finds that there is nothing.
    #[inline(never)]
    fn take_event(&mut self, cx: &mut Context<'_>, scene: &mut Scene<'_>, event: Event) {
        match event {
            Event::Request { id, head, body } => self.call(cx, scene, id, head, body),
            Event::Data { id, data } => {
                let entry = self.exchanges.get_mut(id);
                match entry.and_then(|entry| Some((entry.incoming()?, &*entry))) {
                    Some((channel, entry)) => {
                        entry.with_waker(cx, |waker| channel.push(data, waker));
                        self.crowd.iter_mut().for_each(|crowd| crowd.call_up(entry));
                    }
                    // Nobody reads it; where the stream is gone too, there is nothing to make room in.
                    None => drop(scene.connection.release(scene.now, id, data.len())),
                }
            }
            Event::End { id, trailers } => {
                let trailers = trailers.and_then(|trailers| head::trailers(&trailers));
                if let Some(entry) = self.exchanges.get_mut(id)
                    && let Some(channel) = entry.incoming()
                {
                    entry.with_waker(cx, |waker| channel.finish(trailers, waker));
                    self.crowd.iter_mut().for_each(|crowd| crowd.call_up(entry));
                }
            }
            Event::Cancelled { id, reason } => self.cancel(cx, scene, id, reason),
            Event::Refused { .. } => scene.hub.refuse(),
            Event::Closed(reason) => self.ended = Some(reason),
        }
    }

    fn cancel(&mut self, cx: &Context<'_>, scene: &Scene<'_>, id: StreamId, reason: CancelReason) {
        let entry = self.remove(id).map(|mut entry| {
            entry.cancel(reason);
            entry
        });
        // Nothing but the connection's end gives a request of HTTP/1 up.
        let is_http2 = entry.as_ref().is_none_or(|entry| entry.work().head.version() == Version::Http2);
        if is_http2 && !ends_with_connection(reason) {
            if let CancelReason::TimedOut(timer) = reason
                && let Some(work) = entry.as_ref().map(Entry::work).or_else(|| self.unsent_work(id))
            {
                name_stalled(scene, work, timer);
            }
            return self.forget(id);
        }
        let Some(entry) = entry else { return };
        let crowd = Crowd::of(&mut self.crowd, cx.waker());
        if crowd.unsent.iter().all(|one| one.id != id) {
            crowd.lost.push((id, entry.work().clone()));
        }
    }

    /// The request whose response has all been given, and has not been sent.
    fn unsent_work(&self, id: StreamId) -> Option<&Work> {
        let last = self.last.as_ref().filter(|last| last.id == id).map(|last| &last.work);
        let unsent = || self.crowd.as_ref()?.unsent.iter().find(|one| one.id == id).map(|one| &one.work);
        last.or_else(unsent)
    }

    /// What was left of a response that had all been given is not sent any more.
    fn forget(&mut self, id: StreamId) {
        self.last.take_if(|last| last.id == id);
        if let Some(crowd) = &mut self.crowd {
            crowd.unsent.retain(|one| one.id != id);
        }
    }

    /// Makes a request of a head, and calls its handler, which mostly answers at once. One that has a body has its
    /// turn when the events are taken: some of the body may be among them.
    fn call(
        &mut self,
        cx: &mut Context<'_>,
        scene: &mut Scene<'_>,
        id: StreamId,
        head: RequestHead,
        length: BodyLength,
    ) {
        let mut request = Some(Request::new(Body::default()));
        let described =
            request.as_mut().and_then(|request| Some((recent::describe(request, &head)?, request)));
        let Some((form, made)) = described else {
            // Well-formed for HTTP, but not for the types that handlers know. Nobody reads its body.
            let _ = exchange::answer_briefly(scene.connection, scene.now, id, 400);
            let _ = scene.connection.discard_body(scene.now, id);
            return;
        };
        made.extensions_mut().clone_from(scene.hub.extensions());
        let channels = Channels::of(made, form, &head, length, scene.peer);
        let mut called = self.place(cx, id, Work { head, since: scene.now }, channels);
        let bell = (!self.exchanges.is_empty()).then(|| Crowd::of(&mut self.crowd, cx.waker()).bell(id));
        let service = &mut self.service;
        let outcome = with_bell(bell.as_ref(), cx, |cx| {
            called.as_mut().call(cx, service, &mut request);
            match length {
                BodyLength::Empty => Some(called.as_mut().step(cx, service, scene)),
                BodyLength::Known(_) | BodyLength::Unknown => None,
            }
        });
        let Some(outcome) = outcome else {
            self.plain += usize::from(bell.is_none());
            let entry = Entry::here(id, called, bell);
            self.crowd.iter_mut().for_each(|crowd| crowd.call_up(&entry));
            return self.exchanges.push(entry);
        };
        self.pass_turn(scene);
        if called.is_over() {
            if let (Some(bell), Some(crowd)) = (bell, &mut self.crowd) {
                crowd.spare = Some(bell);
            }
            if outcome == Outcome::Answered {
                self.last = Some(called);
            }
        } else {
            if bell.is_none() {
                self.plain += 1;
                self.fresh = Some(id);
            }
            self.exchanges.push(Entry::here(id, called, bell));
            self.settle(cx, id, outcome);
        }
    }

    /// An exchange, in the place of one that is over where there is such a one.
    fn place(
        &mut self,
        cx: &Context<'_>,
        id: StreamId,
        work: Work,
        channels: Channels,
    ) -> Pin<Box<Exchange<S, B>>> {
        let Channels { incoming, tunnel } = channels;
        if let Some(mut last) = self.last.take() {
            let before = last.id;
            let work = last.as_mut().renew(id, work, incoming, tunnel);
            let unsent = Unsent { id: before, work, until: None };
            Crowd::of(&mut self.crowd, cx.waker()).unsent.push_back(unsent);
            return last;
        }
        match spare::take::<Pin<Box<Exchange<S, B>>>>() {
            Some(mut spare) => {
                spare.as_mut().renew(id, work, incoming, tunnel);
                spare
            }
            None => Box::pin(Exchange::new(id, work, incoming, tunnel)),
        }
    }

    /// Lets those work whom the connection's own waker wakes.
    fn step_plain(&mut self, cx: &mut Context<'_>, scene: &mut Scene<'_>) {
        let mut after = None;
        while self.turns > 0
            && self.plain > 0
            && self.fresh.is_none()
            && let Some(id) = self.exchanges.next_plain(after)
        {
            after = Some(id);
            self.step(cx, scene, id);
            self.take_events(cx, scene);
        }
    }

    /// Lets those work who were woken, and those for whose response there is room again.
    fn step_woken(&mut self, cx: &mut Context<'_>, scene: &mut Scene<'_>) {
        if let Some(crowd) = &mut self.crowd {
            crowd.rope.look(cx.waker(), &mut crowd.ready);
            for _ in 0..crowd.blocked.len() {
                let Some(id) = crowd.blocked.pop_front() else { break };
                let Some(entry) = self.exchanges.get_mut(id) else { continue };
                if scene.connection.takes_body(id) && scene.connection.send_capacity(id) == 0 {
                    crowd.blocked.push_back(id);
                } else {
                    entry.queues = Queues::No;
                    crowd.call_up(entry);
                }
            }
        }
        while self.turns > 0
            && let Some(id) = self.crowd.as_mut().and_then(|crowd| crowd.ready.pop_front())
        {
            self.step(cx, scene, id);
            self.take_events(cx, scene);
        }
        self.leave_crowd();
    }

    /// Lets one go as far as it can.
    fn step(&mut self, cx: &mut Context<'_>, scene: &mut Scene<'_>, id: StreamId) {
        let alone = self.exchanges.len() == 1;
        let Some(entry) = self.exchanges.get_mut(id) else { return };
        if !alone && entry.bell.is_none() {
            entry.bell = Some(Crowd::of(&mut self.crowd, cx.waker()).bell(id));
            self.plain -= 1;
        }
        if let Some(bell) = &entry.bell {
            bell.answered();
            entry.place.take_back(scene, id, bell);
            if !alone
                && entry.place.may_move()
                && let Some(spawn) = self.spawn.spawner()
            {
                entry.place.hand_over(scene, id, bell, spawn);
            }
        }
        let service = &mut self.service;
        let outcome = match &mut entry.place {
            Place::Here(exchange) => {
                with_bell(entry.bell.as_ref(), cx, |cx| exchange.as_mut().step(cx, service, scene))
            }
            Place::Away { .. } => Outcome::Pending,
        };
        let goes_on = outcome == Outcome::Pending && !entry.is_over();
        self.pass_turn(scene);
        if !goes_on {
            self.settle(cx, id, outcome);
        }
    }

    /// Handlers take their time, and their turn.
    fn pass_turn(&mut self, scene: &mut Scene<'_>) {
        scene.now = scene.now.max(scene.hub.clock.last_tick());
        self.turns = self.turns.saturating_sub(1);
    }

    /// Notes how far a request has come.
    fn settle(&mut self, cx: &Context<'_>, id: StreamId, outcome: Outcome) {
        let Some(entry) = self.exchanges.get_mut(id) else { return };
        let is_over = entry.is_over();
        match outcome {
            Outcome::Answered if is_over && self.last.is_none() => {
                if let Some(Entry { place: Place::Here(exchange), .. }) = self.remove(id) {
                    self.last = Some(exchange);
                }
                return;
            }
            Outcome::Answered => {
                let unsent = Unsent { id, work: entry.work().clone(), until: None };
                Crowd::of(&mut self.crowd, cx.waker()).unsent.push_back(unsent);
            }
            Outcome::Blocked if entry.bell.is_some() && entry.queues == Queues::No => {
                entry.queues = Queues::ForRoom;
                Crowd::of(&mut self.crowd, cx.waker()).blocked.push_back(id);
            }
            Outcome::Blocked | Outcome::Pending | Outcome::Failed => {}
        }
        if is_over {
            self.remove(id);
        }
    }

    /// Notes what has been sent, now that the transport has taken `total` bytes and takes no more.
    pub(crate) fn note_sent(&mut self, cx: &Context<'_>, connection: &Connection, total: u64) {
        if self.ended.is_some_and(CloseReason::leaves_unsent) {
            return;
        }
        if let Some(last) = &self.last {
            match connection.unsent(last.id) {
                Some(0) => {
                    self.served += 1;
                    self.last.take().into_iter().for_each(spare::give);
                }
                unsent => {
                    let until = unsent.map(|unsent| total.saturating_add(unsent as u64));
                    let unsent = Unsent { id: last.id, work: last.work.clone(), until };
                    Crowd::of(&mut self.crowd, cx.waker()).unsent.push_back(unsent);
                    self.last = None;
                }
            }
        }
        let Some(crowd) = &mut self.crowd else { return };
        let before = crowd.unsent.len();
        crowd.unsent.retain_mut(|one| {
            if one.until.is_none() {
                one.until = connection.unsent(one.id).map(|unsent| total.saturating_add(unsent as u64));
            }
            one.until.is_none_or(|until| until > total)
        });
        self.served += (before - crowd.unsent.len()) as u64;
        self.leave_crowd();
    }
}

impl<S, B, P> Requests<S, B, P>
where
    S: Service<Request<Body>>,
{
    fn remove(&mut self, id: StreamId) -> Option<Entry<S, B>> {
        let entry = self.exchanges.remove(id)?;
        self.plain -= usize::from(entry.bell.is_none());
        Some(entry)
    }

    /// An idle connection owns no memory.
    fn leave_crowd(&mut self) {
        if self.exchanges.is_empty()
            && let Some(crowd) = self.crowd.take_if(|crowd| crowd.unsent.is_empty() && crowd.lost.is_empty())
            && crowd.unsent.capacity() <= 2 * TURNS
        {
            UNSENT.set(crowd.unsent);
        }
    }

    /// Gives all of them up.
    pub(crate) fn cancel_all(&mut self, reason: CancelReason) {
        self.exchanges.iter_mut().for_each(|entry| entry.cancel(reason));
    }

    /// Whether any handler is under way.
    pub(crate) fn are_under_way(&self) -> bool {
        !self.exchanges.is_empty()
    }

    /// How many responses have been sent.
    pub(crate) fn served(&self) -> u64 {
        self.served
    }

    /// Why the connection has ended, once it has.
    pub(crate) fn ended(&self) -> Option<CloseReason> {
        self.ended
    }

    /// The requests that are being served or sent, the oldest first.
    pub(crate) fn works(&self) -> Vec<(StreamId, &Work)> {
        let mut works: Vec<_> = self.each_work().collect();
        works.sort_by_key(|(id, _)| *id);
        works
    }

    /// The oldest of them, and how many there are.
    pub(crate) fn oldest_work(&self) -> (Option<(StreamId, &Work)>, usize) {
        self.each_work().fold((None, 0), |(oldest, count), one| match oldest {
            Some((id, _)) if id < one.0 => (oldest, count + 1),
            _ => (Some(one), count + 1),
        })
    }

    fn each_work(&self) -> impl Iterator<Item = (StreamId, &Work)> {
        // One that has been answered may go on reading.
        let unsent = self.crowd.iter().flat_map(|crowd| &crowd.unsent);
        let unsent = unsent.filter(|one| !self.exchanges.contain(one.id)).map(|one| (one.id, &one.work));
        let lost = self.crowd.iter().flat_map(|crowd| &crowd.lost).map(|(id, work)| (*id, work));
        let last = self.last.iter().map(|last| (last.id, &last.work));
        let under_way = self.exchanges.iter().map(|entry| (entry.id, entry.work()));
        unsent.chain(lost).chain(last).chain(under_way)
    }
}

/// Calls `act` with what is to wake a request: its bell, where it has one.
fn with_bell<R>(
    bell: Option<&Arc<Bell>>,
    cx: &mut Context<'_>,
    act: impl FnOnce(&mut Context<'_>) -> R,
) -> R {
    match bell {
        Some(bell) => act(&mut Context::from_waker(&bell.waker())),
        None => act(cx),
    }
}

/// What the peer sends with a request.
struct Channels {
    incoming: Option<Arc<Channel>>,
    tunnel: Option<Arc<Channel>>,
}

impl Channels {
    /// Opens them, and gives `request` its ends.
    fn of(
        request: &mut Request<Body>,
        form: Form,
        head: &RequestHead,
        length: BodyLength,
        peer: SocketAddr,
    ) -> Self {
        let tunnel = (form == Form::Tunnel).then(Channel::tunnel);
        let at_once = tunnel.is_some() && head.version() == Version::Http2;
        let incoming = (length != BodyLength::Empty && !at_once).then(|| Channel::new(length));
        *request.body_mut() = Body::new(incoming.clone(), Some(peer));
        if let Some(channel) = &tunnel {
            let incoming = Body::new(Some(Arc::clone(channel)), Some(peer));
            let incoming = Arc::new(Mutex::new(Some(incoming)));
            request.extensions_mut().insert(Tunnel { incoming, head: head.clone() });
        }
        // What follows a CONNECT in its HTTP/2 stream is the tunnel's, whatever the answer (RFC 9113 section 8.5).
        match (tunnel, at_once) {
            (Some(tunnel), true) if length == BodyLength::Empty => {
                tunnel.finish(None, Waker::noop());
                Self { incoming: None, tunnel: None }
            }
            (tunnel, true) => Self { incoming: tunnel, tunnel: None },
            (tunnel, false) => Self { incoming, tunnel },
        }
    }
}

/// Whether what was given up is lost with its connection. A request that had not come whole before its peer's FIN that
/// has given up itself, and the connection goes on.
fn ends_with_connection(reason: CancelReason) -> bool {
    matches!(reason, CancelReason::Closed(reason) if reason != CloseReason::PeerLeft)
}

/// In a drain, a response that its peer takes too slowly is cut by us.
fn name_stalled(scene: &Scene<'_>, work: &Work, timer: Timer) {
    if scene.hub.level() != Level::Serve {
        scene.hub.cut(Cut {
            peer: scene.peer,
            protocol: scene.connection.status().protocol,
            stage: Stage::Serving,
            request: Some(work.to_string()),
            age: scene.now.since(work.since),
            reason: CloseReason::TimedOut(timer),
        });
    }
}

#[cfg(test)]
mod tests;
