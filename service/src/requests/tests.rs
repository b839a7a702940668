//! Many requests at once, told by hand: what a connection of many streams would tell.
//!
//! The connection is one of HTTP/1, so that only the first of them can be answered for good.

use std::future::{Ready, poll_fn, ready};
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Poll, Wake};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use lameduck_core::{Config, Instant, Transmit};

use super::*;
use crate::hub::Hub;
use crate::notice::{DrainNotice, Notices};
use crate::spawn::InPlace;

type Reply = Response<Full<Bytes>>;
type Handler = Pin<Box<dyn Future<Output = Result<Reply, String>> + Send>>;

/// A service of one function.
#[derive(Clone)]
struct Make(Arc<dyn Fn(Request<Body>) -> Handler + Send + Sync>);

impl Make {
    fn of<F>(make: impl Fn(Request<Body>) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Reply, String>> + Send + 'static,
    {
        Self(Arc::new(move |request| Box::pin(make(request))))
    }
}

impl Service<Request<Body>> for Make {
    type Response = Reply;
    type Error = String;
    type Future = Handler;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), String>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Handler {
        (self.0)(request)
    }
}

fn reply() -> Ready<Result<Reply, String>> {
    ready(Ok(Response::new(Full::from("hello"))))
}

/// Keeps what is handed over.
#[derive(Clone, Default)]
struct Keeper(Arc<Mutex<Vec<Handed>>>);

type Handed = Task<Make, Full<Bytes>>;

impl Spawn<Handed> for Keeper {
    fn spawner(&self) -> Option<impl FnOnce(Handed)> {
        Some(|task| self.0.lock().unwrap().push(task))
    }
}

impl Keeper {
    fn take(&self) -> Vec<Handed> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

/// Counts how often it was woken.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Count {
    fn take(&self) -> usize {
        self.0.swap(0, Ordering::SeqCst)
    }
}

/// What many handlers wait for, each for its own; and how often each was polled.
#[derive(Clone, Default)]
struct Gates(Arc<Mutex<Vec<Gate>>>);

#[derive(Default)]
struct Gate {
    polls: usize,
    waker: Option<Waker>,
    open: Option<()>,
}

impl Gates {
    /// A handler that waits for a gate of its own.
    fn wait(&self) -> impl Future<Output = ()> + Send + use<> {
        let gates = self.clone();
        let at = gates.0.lock().unwrap().len();
        gates.0.lock().unwrap().push(Gate::default());
        poll_fn(move |cx| {
            let gate = &mut gates.0.lock().unwrap()[at];
            gate.polls += 1;
            gate.waker = Some(cx.waker().clone());
            gate.open.map_or(Poll::Pending, Poll::Ready)
        })
    }

    fn open(&self, at: usize) {
        let waker = {
            let gate = &mut self.0.lock().unwrap()[at];
            gate.open = Some(());
            gate.waker.take()
        };
        waker.expect("its handler waits").wake();
    }

    fn polls(&self) -> Vec<usize> {
        self.0.lock().unwrap().iter().map(|gate| gate.polls).collect()
    }

    fn service(&self) -> Make {
        let gates = self.clone();
        Make::of(move |_| {
            let gate = gates.wait();
            async move {
                gate.await;
                reply().await
            }
        })
    }
}

/// A connection with requests, and its waker.
struct Bench<P>
where
    P: Spawn<Handed>,
{
    requests: Requests<Make, Full<Bytes>, P>,
    connection: Connection,
    hub: Arc<Hub>,
    woken: Arc<Count>,
    head: RequestHead,
    sent: u64,
}

impl<P> Bench<P>
where
    P: Spawn<Handed>,
{
    /// One that has taken its first request, whose handler has been called.
    fn new(service: Make, spawn: P) -> Self {
        let mut connection = Connection::new(Arc::new(Config::default()), Instant::ORIGIN);
        connection.handle_bytes(Instant::ORIGIN, b"GET /1 HTTP/1.1\r\nhost: a\r\n\r\n");
        let Some(Event::Request { id, head, body }) = connection.poll_event() else {
            panic!("a request was sent")
        };
        let hub = Hub::new(Config::default(), lameduck_core::server::Plan::default());
        let requests = Requests::new(service, spawn);
        let woken = Arc::new(Count::default());
        let mut bench = Self { requests, connection, hub, woken, head: head.clone(), sent: 0 };
        bench.tell(Event::Request { id, head, body });
        bench
    }

    fn with<R>(
        &mut self,
        act: impl FnOnce(&mut Requests<Make, Full<Bytes>, P>, &mut Context<'_>, &mut Scene<'_>) -> R,
    ) -> R {
        let waker = Waker::from(Arc::clone(&self.woken));
        let Self { connection, hub, .. } = self;
        let peer = ([127, 0, 0, 1], 4242).into();
        let mut scene = Scene { connection, hub, peer, now: hub.clock.now(), told: hub.level() };
        act(&mut self.requests, &mut Context::from_waker(&waker), &mut scene)
    }

    fn tell(&mut self, event: Event) {
        self.with(|requests, cx, scene| requests.take_event(cx, scene, event));
    }

    /// More requests, up to this one.
    fn open_up_to(&mut self, last: u64) {
        for id in 2..=last {
            let (id, head) = (StreamId(id), self.head.clone());
            self.tell(Event::Request { id, head, body: BodyLength::Empty });
        }
    }

    fn poll(&mut self) {
        self.with(|requests, cx, scene| {
            requests.begin();
            requests.attend(cx, scene);
        });
    }

    /// What goes to the peer.
    fn sends(&mut self) -> String {
        let Some(Transmit::Bytes(pieces)) = self.connection.poll_transmit(Instant::ORIGIN) else {
            return String::new();
        };
        let bytes: Vec<u8> = pieces.flatten().copied().collect();
        self.connection.transmitted(Instant::ORIGIN, bytes.len());
        self.sent += bytes.len() as u64;
        let waker = Waker::from(Arc::clone(&self.woken));
        self.requests.note_sent(&Context::from_waker(&waker), &self.connection, self.sent);
        String::from_utf8(bytes).unwrap()
    }

    fn under_way(&self) -> Vec<u64> {
        self.requests.exchanges.iter().map(|entry| entry.id.0).collect()
    }
}

fn run<F: Future + Unpin>(task: &mut F, woken: &Arc<Count>) -> Poll<F::Output> {
    let waker = Waker::from(Arc::clone(woken));
    Pin::new(task).poll(&mut Context::from_waker(&waker))
}

#[test]
fn a_wake_up_lets_only_its_own_request_work() {
    let gates = Gates::default();
    let mut bench = Bench::new(gates.service(), InPlace);
    bench.open_up_to(100);
    bench.poll();
    // The first was alone when it was called: it is polled once more, with a waker of its own.
    let mut polls = vec![1; 100];
    polls[0] = 2;
    assert_eq!(gates.polls(), polls);
    bench.woken.take();
    gates.open(57);
    gates.open(3);
    assert_eq!(bench.woken.take(), 1, "the session is woken once");
    bench.poll();
    polls[57] += 1;
    polls[3] += 1;
    assert_eq!(gates.polls(), polls);
    assert_eq!(bench.under_way().len(), 98);
    bench.poll();
    assert_eq!(gates.polls(), polls, "nobody was woken");
}

#[test]
fn all_that_are_woken_have_their_turn_whichever_poll_it_is_in() {
    let gates = Gates::default();
    let mut bench = Bench::new(gates.service(), InPlace);
    bench.open_up_to(TURNS as u64 * 3);
    bench.poll();
    bench.poll();
    (0..TURNS * 3).for_each(|at| gates.open(at));
    bench.poll();
    assert!(bench.requests.is_out_of_turns() && bench.requests.has_ready());
    assert_eq!(bench.under_way().len(), TURNS * 2);
    bench.poll();
    bench.poll();
    assert_eq!(bench.under_way(), []);
}

#[test]
fn one_alone_is_woken_by_its_connection_and_asks_for_nothing() {
    let gates = Gates::default();
    let mut bench = Bench::new(gates.service(), Keeper::default());
    gates.open(0);
    assert_eq!(bench.woken.take(), 1);
    assert!(bench.requests.crowd.is_none());
    bench.poll();
    assert!(bench.sends().ends_with("\r\n\r\nhello"));
    assert_eq!(bench.requests.spawn.take().len(), 0, "it stays in its place");
    assert_eq!((bench.requests.served(), bench.under_way()), (1, vec![]));
}

#[test]
fn a_handler_that_answers_at_once_leaves_nothing_behind() {
    let mut bench = Bench::new(Make::of(|_| reply()), InPlace);
    assert_eq!(bench.under_way(), []);
    assert_eq!(bench.requests.works().len(), 1, "its response has not been sent");
    assert!(bench.sends().ends_with("hello"));
    assert_eq!((bench.requests.served(), bench.requests.works().len()), (1, 0));
    assert!(bench.requests.last.is_none() && bench.requests.crowd.is_none());
}

#[test]
fn a_woken_handler_among_many_goes_on_in_a_task_and_its_answer_comes_back() {
    let (gates, keeper) = (Gates::default(), Keeper::default());
    let mut bench = Bench::new(gates.service(), keeper.clone());
    bench.open_up_to(3);
    bench.poll();
    let mut tasks = keeper.take();
    assert_eq!(tasks.len(), 1, "the first has to be polled anew, and others are under way");
    gates.open(2);
    bench.poll();
    tasks.extend(keeper.take());
    let woken = Arc::new(Count::default());
    assert!(run(&mut tasks[0], &woken).is_pending());
    assert!(run(&mut tasks[1], &woken).is_ready());
    // That one's stream is none of the connection's.
    bench.poll();
    assert_eq!((bench.sends(), bench.under_way()), (String::new(), vec![1, 2]));
    bench.woken.take();
    gates.open(0);
    assert_eq!((woken.take(), bench.woken.take()), (1, 0), "the task is woken, not the session");
    assert!(run(&mut tasks[0], &woken).is_ready());
    assert_eq!(bench.woken.take(), 1);
    bench.poll();
    assert!(bench.sends().ends_with("hello"));
    assert_eq!((bench.requests.served(), bench.under_way()), (1, vec![2]));
}

#[test]
fn a_request_that_is_given_up_ends_its_task_and_drops_its_handler() {
    let (keeper, dropped) = (Keeper::default(), Arc::new(()));
    let held = Arc::clone(&dropped);
    let service = Make::of(move |_| {
        let held = Arc::clone(&held);
        async move {
            std::future::pending::<()>().await;
            drop(held);
            reply().await
        }
    });
    let mut bench = Bench::new(service, keeper.clone());
    bench.open_up_to(2);
    bench.poll();
    let mut tasks = keeper.take();
    let woken = Arc::new(Count::default());
    assert!(run(&mut tasks[0], &woken).is_pending());
    assert_eq!(Arc::strong_count(&dropped), 4, "the service has one, each handler another");
    bench.tell(Event::Cancelled { id: StreamId(1), reason: CancelReason::Closed(CloseReason::PeerLeft) });
    assert_eq!(woken.take(), 1);
    assert!(run(&mut tasks[0], &woken).is_ready());
    assert_eq!((Arc::strong_count(&dropped), bench.under_way()), (3, vec![2]));
}

#[test]
fn a_panic_in_a_task_is_a_500() {
    let (gates, keeper) = (Gates::default(), Keeper::default());
    let inner = gates.clone();
    let service = Make::of(move |_| {
        let gate = inner.wait();
        async move {
            gate.await;
            resume_unwind(Box::new("a handler's panic"))
        }
    });
    let mut bench = Bench::new(service, keeper.clone());
    bench.open_up_to(2);
    bench.poll();
    gates.open(0);
    assert!(run(&mut keeper.take()[0], &Arc::default()).is_ready());
    bench.poll();
    assert!(bench.sends().starts_with("HTTP/1.1 500 "));
    assert_eq!(bench.under_way(), [2]);
}

#[test]
fn a_task_that_its_runtime_drops_is_a_500() {
    let (gates, keeper) = (Gates::default(), Keeper::default());
    let mut bench = Bench::new(gates.service(), keeper.clone());
    bench.open_up_to(2);
    bench.poll();
    drop(keeper.take());
    bench.poll();
    assert!(bench.sends().starts_with("HTTP/1.1 500 "));
}

#[test]
fn a_body_is_read_in_a_task_and_its_reader_makes_room() {
    let keeper = Keeper::default();
    let service = Make::of(|request: Request<Body>| async move {
        let whole = request.into_body().collect().await.map_err(|error| error.to_string())?;
        Ok(Response::new(Full::new(whole.to_bytes())))
    });
    let mut bench = Bench::new(service, keeper.clone());
    let (id, head) = (StreamId(2), bench.head.clone());
    bench.tell(Event::Request { id, head, body: BodyLength::Unknown });
    bench.open_up_to(1);
    let head = bench.head.clone();
    bench.tell(Event::Request { id: StreamId(3), head, body: BodyLength::Unknown });
    bench.poll();
    let mut tasks = keeper.take();
    assert_eq!(tasks.len(), 2, "both wait for their bodies");
    let woken = Arc::new(Count::default());
    assert!(run(&mut tasks[0], &woken).is_pending());
    bench.tell(Event::Data { id, data: Bytes::from_static(b"abc") });
    assert_eq!(woken.take(), 1, "its reader is elsewhere");
    bench.poll();
    bench.woken.take();
    assert!(run(&mut tasks[0], &woken).is_pending());
    assert_eq!(bench.woken.take(), 1, "there is room to be made");
    bench.tell(Event::End { id, trailers: None });
    assert!(run(&mut tasks[0], &woken).is_ready());
}

#[test]
fn every_request_of_a_connection_is_named_the_oldest_first() {
    let gates = Gates::default();
    let mut bench = Bench::new(gates.service(), Keeper::default());
    bench.open_up_to(4);
    bench.poll();
    bench.tell(Event::Cancelled { id: StreamId(3), reason: CancelReason::Closed(CloseReason::CutByForce) });
    bench.tell(Event::Closed(CloseReason::CutByForce));
    let (oldest, count) = bench.requests.oldest_work();
    assert_eq!((oldest.map(|(id, _)| id), count), (Some(StreamId(1)), 4));
    let works = bench.requests.works();
    let named: Vec<_> = works.iter().map(|(id, work)| (id.0, work.to_string())).collect();
    assert_eq!(named, [1, 2, 3, 4].map(|id| (id, "GET /1".to_owned())));
}

#[test]
fn what_was_sent_under_a_reader_that_is_never_through_is_told_by_its_bytes() {
    let mut bench = Bench::new(Make::of(|_| reply()), InPlace);
    let waker = Waker::from(Arc::clone(&bench.woken));
    let cx = Context::from_waker(&waker);
    let unsent = bench.connection.unsent(StreamId(1)).expect("it has all been given");
    bench.requests.note_sent(&cx, &bench.connection, 0);
    assert_eq!((bench.requests.served(), bench.requests.works().len()), (0, 1));
    bench.connection.transmitted(Instant::ORIGIN, unsent - 1);
    bench.requests.note_sent(&cx, &bench.connection, unsent as u64 - 1);
    assert_eq!((bench.requests.served(), bench.requests.works().len()), (0, 1));
    bench.connection.transmitted(Instant::ORIGIN, 1);
    bench.requests.note_sent(&cx, &bench.connection, unsent as u64);
    assert_eq!((bench.requests.served(), bench.requests.works().len()), (1, 0));
}

#[test]
fn a_response_that_was_given_and_is_not_sent_any_more_is_not_served() {
    let mut bench = Bench::new(Make::of(|_| reply()), InPlace);
    let reason = CancelReason::Refused(lameduck_core::PeerError::SlowBody);
    bench.tell(Event::Cancelled { id: StreamId(1), reason });
    assert!(bench.sends().ends_with("hello"));
    assert_eq!((bench.requests.served(), bench.requests.works().len()), (0, 0));
}

#[test]
fn the_notice_is_in_every_request_unless_the_service_has_it() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&seen);
    let service = Make::of(move |request| {
        noted.lock().unwrap().push(request.extensions().get::<DrainNotice>().is_some());
        reply()
    });
    let mut bench = Bench::new(service, InPlace);
    let plan = lameduck_core::server::Plan::default();
    bench.hub = Hub::with_notices(Config::default(), plan, Notices::WithService);
    bench.open_up_to(2);
    assert_eq!(*seen.lock().unwrap(), [true, false]);
    let notice = bench.hub.notice();
    bench.hub.handle().force();
    assert!(notice.is_draining());
}
