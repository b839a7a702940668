//! A server that is short of descriptors: it says so, backs off, and recovers. In a process of its own, whose
//! limit is lowered for everybody in it.

use std::fs::File;
use std::io::{Read, Seek};
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use lameduck_tests::handlers::{Handler, text};
use lameduck_tests::on_every_shell;
use lameduck_tests::peer::Peer;
use lameduck_tests::shells::{PATIENCE, Running, Setup, Shell};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::{Domain, Socket, Type};

on_every_shell!(
    accepting_backs_off_and_recovers,
    who_waits_in_the_queue_through_a_drain_without_descriptors_is_served,
    a_drain_without_descriptors_still_ends_by_force,
);

/// The limit belongs to the process: one test at a time.
static LIMIT: Mutex<()> = Mutex::new(());

/// Descriptors that nobody needs, as many as there are.
struct Ballast {
    held: Vec<File>,
    _alone: MutexGuard<'static, ()>,
}

impl Ballast {
    /// None yet, and the process to itself.
    fn new() -> Self {
        let alone = LIMIT.lock().unwrap_or_else(PoisonError::into_inner);
        let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
        setrlimit(Resource::Nofile, Rlimit { current: Some(128), maximum }).expect("lower is allowed");
        Self { held: Vec::new(), _alone: alone }
    }

    /// Takes all that are left.
    fn fill(&mut self) {
        while let Ok(file) = File::open("/dev/null") {
            self.held.push(file);
        }
    }

    fn release(&mut self) {
        self.held.clear();
    }
}

/// A socket whose descriptor is there before all others are gone.
fn socket() -> Socket {
    Socket::new(Domain::IPV4, Type::STREAM, None).expect("there are descriptors")
}

/// Connects, without a descriptor of the server's.
fn connect(socket: Socket, address: SocketAddr) -> Peer {
    socket.connect(&address.into()).expect("the kernel queues the connection");
    Peer::over(socket.into())
}

/// Answers with the thread's name for itself.
fn naming_the_thread() -> Handler {
    Handler::new(|_| async { text(format!("{:?}", thread::current().id())) })
}

/// A server all of whose threads have what they need before the descriptors are gone; a connection to it.
fn start(setup: &Setup, shell: Shell) -> (Running, Peer) {
    let server = setup.start(shell, naming_the_thread());
    let (since, mut seen) = (Instant::now(), Vec::new());
    let expected = if shell == Shell::MioThreads { 2 } else { 1 };
    let mut peers = Vec::new();
    while seen.len() < expected {
        assert!(since.elapsed() < PATIENCE, "only these threads serve: {seen:?}");
        let mut peer = server.connect();
        let thread = peer.ask_and_stay("/").body;
        if !seen.contains(&thread) {
            seen.push(thread);
        }
        peers.truncate(20);
        peers.insert(0, peer);
    }
    let peer = peers.remove(0);
    drop(peers);
    while server.handle.progress().open > 1 {
        assert!(since.elapsed() < PATIENCE, "connections stay that their peers have left");
        thread::yield_now();
    }
    (server, peer)
}

/// The processor time that this process has used, in the kernel's hundredths of a second.
struct Clock(File);

impl Clock {
    fn new() -> Self {
        Self(File::open("/proc/self/stat").expect("this is Linux"))
    }

    fn ticks(&mut self) -> u64 {
        let mut text = String::new();
        self.0.rewind().and_then(|()| self.0.read_to_string(&mut text)).expect("it can be read");
        let (_, fields) = text.rsplit_once(')').expect("the name is in parentheses");
        fields.split_whitespace().skip(11).take(2).map(|field| field.parse::<u64>().unwrap_or(0)).sum()
    }
}

/// The connections that are there go on; those in the queue wait, and are served once there are descriptors.
fn accepting_backs_off_and_recovers(shell: Shell) {
    let mut ballast = Ballast::new();
    let (server, mut old) = start(&Setup::default(), shell);
    let (sockets, mut clock) = ([socket(), socket(), socket()], Clock::new());
    ballast.fill();
    let mut queued: Vec<_> = sockets.into_iter().map(|socket| connect(socket, server.address())).collect();
    queued.iter_mut().for_each(|peer| peer.get("/queued"));
    // Long enough for the accepts to be tried again some times; and not a busy wait.
    let (before, since) = (clock.ticks(), Instant::now());
    let mut asked = 0;
    while since.elapsed() < Duration::from_millis(400) {
        old.ask_and_stay("/old");
        asked += 1;
        thread::park_timeout(Duration::from_millis(40));
    }
    assert!(asked > 0);
    let used = clock.ticks() - before;
    assert!(used < 20, "{used} hundredths of a second were spent on accepting nothing");
    ballast.release();
    for peer in &mut queued {
        assert_eq!(peer.reply().status, 200);
    }
    server.connect().ask_and_stay("/new");
    server.drain();
    drop((queued, old));
    server.clean_report();
}

/// Not even then is a queue thrown away: the doors close when it is empty. Two doors rest at once.
fn who_waits_in_the_queue_through_a_drain_without_descriptors_is_served(shell: Shell) {
    let mut ballast = Ballast::new();
    let (server, mut old) = start(&Setup { listeners: 2, ..Setup::default() }, shell);
    let sockets = [socket(), socket(), socket(), socket()];
    ballast.fill();
    let addresses = server.addresses().iter().cycle().copied();
    let mut queued: Vec<_> =
        sockets.into_iter().zip(addresses).map(|(socket, address)| connect(socket, address)).collect();
    queued.iter_mut().for_each(|peer| peer.get("/queued"));
    server.drain();
    assert!(old.ask("/old").says_close());
    ballast.release();
    for peer in &mut queued {
        let reply = peer.reply();
        assert_eq!((reply.status, reply.says_close()), (200, true));
    }
    drop((queued, old));
    assert_eq!(server.clean_report().drained, 5);
}

/// Whoever cannot be accepted is refused in the end, and nobody is waited for.
fn a_drain_without_descriptors_still_ends_by_force(shell: Shell) {
    let mut ballast = Ballast::new();
    let (server, old) = start(&Setup::default(), shell);
    let socket = socket();
    ballast.fill();
    let queued = connect(socket, server.address());
    server.drain();
    server.handle.force();
    let report = server.report();
    assert!(report.was_forced());
    queued.expect_fin_or_reset();
    old.expect_fin();
}
