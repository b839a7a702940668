//! The same service on every shell, over real sockets of the loopback.

use std::fmt::{self, Display};
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use http::{Request, Response};
use lameduck_core::server::{Plan, Stage};
use lameduck_core::{Allowance, Config, Timeouts};
use lameduck_mio::Threads;
use lameduck_service::{Body, DrainHandle, Opened, Progress, Report, Server};

use socket2::{SockFilter, SockRef};
use tower_service::Service;

use crate::handlers::BoxError;
use crate::peer::Peer;

/// How long a test waits for what must come. It is never waited out, but where something is lost.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What drives the sessions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shell {
    /// Tokio, everything on one thread.
    Tokio,
    /// Tokio, two threads that steal each other's tasks.
    TokioThreads,
    /// Mio, one event loop.
    Mio,
    /// Mio, two event loops that accept from the same sockets.
    MioThreads,
}

impl Shell {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Tokio, Self::TokioThreads, Self::Mio, Self::MioThreads];

    /// Serves until the server has stopped, on this thread and those that the shell starts.
    ///
    /// # Errors
    /// Those of the shell.
    pub fn serve<S, B>(self, opened: Opened, service: S) -> io::Result<Report>
    where
        S: Service<Request<Body>, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send,
        S::Error: Display,
        B: http_body::Body + Send + 'static,
        B::Error: Into<BoxError>,
    {
        match self {
            Self::Tokio => {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                runtime.block_on(lameduck_tokio::serve(opened, service))
            }
            Self::TokioThreads => {
                let runtime =
                    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
                runtime.block_on(lameduck_tokio::serve(opened, service))
            }
            Self::Mio => lameduck_mio::serve(opened, service, Threads::default()),
            Self::MioThreads => {
                let two = NonZeroUsize::MIN.saturating_add(1);
                lameduck_mio::serve(opened, service, Threads::new(two))
            }
        }
    }
}

/// What a server of a test is made with.
#[derive(Clone, Debug)]
pub struct Setup {
    /// What each connection may use.
    pub config: Config,
    /// How long the stages of the end may last.
    pub plan: Plan,
    /// How many addresses it listens on.
    pub listeners: usize,
}

impl Default for Setup {
    /// Waits a minute for everything, in a drain too: what ends sooner ended for another reason.
    fn default() -> Self {
        let long = Allowance::millis(60_000, 60_000);
        let timeouts = Timeouts {
            first_request: long,
            keep_alive: long,
            head: long,
            body: long,
            write: long,
            ..Timeouts::default()
        };
        Self {
            config: Config { timeouts, ..Config::default() },
            plan: Plan { grace: Duration::from_secs(60), ..Plan::default() },
            listeners: 1,
        }
    }
}

impl Setup {
    /// With these timeouts.
    pub fn timeouts(mut self, set: impl FnOnce(&mut Timeouts)) -> Self {
        set(&mut self.config.timeouts);
        self
    }

    /// With a drain that cuts what is left after so many milliseconds.
    pub fn grace(mut self, millis: u64) -> Self {
        self.plan.grace = Duration::from_millis(millis);
        self
    }

    /// Binds, and does not accept yet.
    pub fn open(&self) -> Bound {
        let mut server = Server::bind("127.0.0.1:0").expect("the loopback has free ports");
        for _ in 1..self.listeners {
            server = server.and_bind("127.0.0.1:0").expect("the loopback has free ports");
        }
        let addresses = server.addresses();
        Bound { addresses, opened: server.config(self.config.clone()).plan(self.plan).open() }
    }

    /// Serves `service` on `shell`.
    pub fn start<S, B>(&self, shell: Shell, service: S) -> Running
    where
        S: Service<Request<Body>, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send,
        S::Error: Display,
        B: http_body::Body + Send + 'static,
        B::Error: Into<BoxError>,
    {
        self.open().start(shell, service)
    }
}

/// A server that is bound and does not accept yet.
#[derive(Debug)]
pub struct Bound {
    /// Where it listens.
    pub addresses: Vec<SocketAddr>,
    /// What a shell takes.
    pub opened: Opened,
}

impl Bound {
    /// Keeps handshakes half done until the server sets a filter of its own: as where the network is slow,
    /// the client has its SYN-ACK, and has sent an ACK and a request that have not arrived.
    pub fn hold_handshakes(&self) {
        const LOAD_BYTE: u16 = 0x30;
        const AND: u16 = 0x54;
        const SHIFT_LEFT: u16 = 0x64;
        const RETURN_ACCUMULATOR: u16 = 0x16;
        const FLAGS: u32 = 13;
        const SYN: u32 = 0x02;
        for listener in &self.opened.listeners {
            let (socket, _listening) = listener.try_clone().expect("there are descriptors").into_parts();
            // What is returned is how many bytes are kept: the SYN flag, shifted to the left as far as goes.
            SockRef::from(&socket)
                .attach_filter(&[
                    SockFilter::new(LOAD_BYTE, 0, 0, FLAGS),
                    SockFilter::new(AND, 0, 0, SYN),
                    SockFilter::new(SHIFT_LEFT, 0, 0, 24),
                    SockFilter::new(RETURN_ACCUMULATOR, 0, 0, 0),
                ])
                .expect("the kernel takes filters");
        }
    }

    /// Serves `service` on `shell`, in threads of its own.
    pub fn start<S, B>(self, shell: Shell, service: S) -> Running
    where
        S: Service<Request<Body>, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send,
        S::Error: Display,
        B: http_body::Body + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let handle = self.opened.handle();
        let (sender, ended) = mpsc::channel();
        thread::spawn(move || {
            // A test that has failed no longer listens.
            let _ = sender.send(shell.serve(self.opened, service));
        });
        Running { handle, addresses: self.addresses, ended }
    }
}

/// A server that runs. Dropping it forces its end.
pub struct Running {
    /// The operator's hand on it.
    pub handle: DrainHandle,
    addresses: Vec<SocketAddr>,
    ended: mpsc::Receiver<io::Result<Report>>,
}

impl Running {
    /// Where it listens first.
    pub fn address(&self) -> SocketAddr {
        self.addresses[0]
    }

    /// Where it listens.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// A peer that has connected.
    pub fn connect(&self) -> Peer {
        Peer::connect(self.address())
    }

    /// Begins the drain.
    pub fn drain(&self) {
        self.handle.begin();
        assert_ne!(self.handle.progress().stage, Stage::Serving);
    }

    /// Waits until so many connections have heard of the drain and hold it.
    pub fn await_holders(&self, count: usize) -> Progress {
        let since = Instant::now();
        loop {
            let progress = self.handle.progress();
            if progress.holders.len() >= count {
                return progress;
            }
            assert!(since.elapsed() < PATIENCE, "they do not hear of the drain: {progress:#?}");
            thread::yield_now();
        }
    }

    /// Waits until the shell has closed its listening sockets. Their queues are then empty.
    pub fn await_closed_doors(&self) {
        for address in &self.addresses {
            let refused = loop {
                match std::net::TcpStream::connect_timeout(address, PATIENCE) {
                    Ok(_) => {}
                    Err(error) => break error,
                }
            };
            assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused, "{address}");
        }
    }

    /// Waits for the end.
    ///
    /// # Panics
    /// Where it does not come, naming who holds it; and where the shell failed.
    pub fn report(self) -> Report {
        match self.ended.recv_timeout(PATIENCE) {
            Ok(report) => report.expect("the shell serves without a fault of its own"),
            Err(_) => panic!("the server does not end: {:#?}", self.handle.progress()),
        }
    }

    /// Waits for the end of a drain in which nothing was cut.
    pub fn clean_report(self) -> Report {
        let report = self.report();
        assert!(report.cut.is_empty(), "{:#?}", report.cut);
        assert!(!report.was_forced(), "{:#?}", report.transitions);
        report
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.handle.force();
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

/// Makes a test of each of these functions for every shell: `name::tokio`, `name::mio_threads` ...
#[macro_export]
macro_rules! on_every_shell {
    ($($name:ident),+ $(,)?) => { $(
        mod $name {
            use $crate::shells::Shell;

            #[test]
            fn tokio() {
                super::$name(Shell::Tokio);
            }

            #[test]
            fn tokio_threads() {
                super::$name(Shell::TokioThreads);
            }

            #[test]
            fn mio() {
                super::$name(Shell::Mio);
            }

            #[test]
            fn mio_threads() {
                super::$name(Shell::MioThreads);
            }
        }
    )+ };
}

/// Makes a test of each of these functions for the shells of one thread, where a handler that blocks blocks
/// everything.
#[macro_export]
macro_rules! on_single_threads {
    ($($name:ident),+ $(,)?) => { $(
        mod $name {
            use $crate::shells::Shell;

            #[test]
            fn tokio() {
                super::$name(Shell::Tokio);
            }

            #[test]
            fn mio() {
                super::$name(Shell::Mio);
            }
        }
    )+ };
}
