//! Listening sockets, before and after a runtime owns them.

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use lameduck_core::server::Plan;
use lameduck_core::{Config, Instant};
use rustix::io::Errno;
use socket2::{Domain, Protocol, SockFilter, SockRef, Socket, Type};

use crate::half_open;
use crate::hub::{DrainHandle, Hub, Listening};
use crate::notice::{DrainNotice, Notices};

/// How many connections the kernel keeps until they are accepted.
const BACKLOG: i32 = 4096;

/// A server that is bound and does not accept yet. A shell's `serve` takes it from here.
#[derive(Debug)]
pub struct Server {
    listeners: Vec<TcpListener>,
    config: Config,
    plan: Plan,
    notices: Notices,
}

impl Server {
    /// Binds to `address`; to each, where its name has several.
    ///
    /// # Errors
    /// Those of the socket: the address is in use, say, or not this machine's.
    pub fn bind(address: impl ToSocketAddrs) -> io::Result<Self> {
        let (config, plan, notices) = (Config::default(), Plan::default(), Notices::default());
        Self { listeners: Vec::new(), config, plan, notices }.and_bind(address)
    }

    /// Binds to another address.
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    pub fn and_bind(mut self, address: impl ToSocketAddrs) -> io::Result<Self> {
        for address in address.to_socket_addrs()? {
            self.listeners.push(listen(address)?);
        }
        Ok(self)
    }

    /// Sets what each connection may use.
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Sets how long the stages of the end may last.
    pub fn plan(mut self, plan: Plan) -> Self {
        self.plan = plan;
        self
    }

    /// Sets where handlers find the drain notice.
    pub fn notices(mut self, notices: Notices) -> Self {
        self.notices = notices;
        self
    }

    /// The addresses that it is bound to.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect()
    }

    /// Gets ready to accept: from here on there is a hand to drain it with.
    pub fn open(self) -> Opened {
        let hub = Hub::with_notices(self.config, self.plan, self.notices);
        let listen = |socket| Listener { socket, listening: hub.listening() };
        let listeners = self.listeners.into_iter().map(listen).collect();
        Opened { hub, listeners }
    }
}

/// A server that a shell is about to drive.
#[derive(Debug)]
pub struct Opened {
    /// The centre of it.
    pub hub: Arc<Hub>,
    /// Its listening sockets.
    pub listeners: Vec<Listener>,
}

impl Opened {
    /// The operator's hand on the server.
    pub fn handle(&self) -> DrainHandle {
        self.hub.handle()
    }

    /// What handlers hear of the drain, for a service to be made with.
    pub fn notice(&self) -> DrainNotice {
        self.hub.notice()
    }
}

/// A listening socket that does not block. The drain waits until every one is closed.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    listening: Listening,
}

impl Listener {
    /// Another descriptor of the same socket, for another thread.
    ///
    /// # Errors
    /// Those of `dup(2)`.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { socket: self.socket.try_clone()?, listening: self.listening.clone() })
    }

    /// The socket, for a runtime to own; and what is to be dropped after it.
    pub fn into_parts(self) -> (TcpListener, Listening) {
        (self.socket, self.listening)
    }
}

/// What is accepted from the socket inherits that it does not delay small writes.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// A listening socket whose queue is being emptied for good, before it is closed.
///
/// No connection is made between the last accept and the close: newcomers are ignored from the beginning, and
/// those whose handshake was under way then are waited for. Such a client may have sent its request already;
/// a socket that is closed too early answers that with a RST.
///
/// Only for a socket that no other process accepts from.
#[derive(Debug)]
pub struct Emptying {
    address: Option<SocketAddr>,
    since: Instant,
    /// Whether a handshake was under way when the queue was last found empty, or before.
    is_awaited: bool,
    /// How long until the queue is looked at again: longer each time, since that is no small thing to find out.
    rest: Duration,
}

impl Emptying {
    /// How long a handshake may take.
    const HANDSHAKE: Duration = Duration::from_secs(1);

    /// How long until the queue is first looked at again.
    const REST: Duration = Duration::from_millis(10);

    /// Begins. To be followed by accepting, until the queue is empty.
    pub fn begin(listener: &impl AsFd, now: Instant) -> Self {
        if let Err(error) = ignore_newcomers(listener) {
            tracing::debug!("the kernel goes on queueing connections while the queue is emptied: {error}");
        }
        let address = SockRef::from(listener).local_addr().ok().and_then(|address| address.as_socket());
        Self { address, since: now, is_awaited: address.is_some_and(has_half_open), rest: Self::REST }
    }

    /// The queue was found empty: when it is to be emptied again; never, where the socket is to be closed.
    pub fn look_again(&mut self, now: Instant) -> Option<Instant> {
        if !self.is_awaited || now.since(self.since) >= Self::HANDSHAKE {
            return None;
        }
        self.is_awaited = self.address.is_some_and(has_half_open);
        let rest = self.rest;
        self.rest = rest * 2;
        Some(if self.is_awaited { now + rest } else { now })
    }
}

/// Makes the kernel ignore the SYNs that still come for `listener`. A client that is ignored tries again a
/// moment later and is refused, or reaches a successor.
fn ignore_newcomers(listener: &impl AsFd) -> io::Result<()> {
    // Classic BPF over the TCP header: drop where, of SYN and ACK, SYN alone is set.
    const LOAD_BYTE: u16 = 0x30;
    const AND: u16 = 0x54;
    const JUMP_IF_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    const FLAGS: u32 = 13;
    const SYN: u32 = 0x02;
    const ACK: u32 = 0x10;
    SockRef::from(listener).attach_filter(&[
        SockFilter::new(LOAD_BYTE, 0, 0, FLAGS),
        SockFilter::new(AND, 0, 0, SYN | ACK),
        SockFilter::new(JUMP_IF_EQUAL, 0, 1, SYN),
        SockFilter::new(RETURN, 0, 0, 0),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
    ])
}

/// Whether the kernel has answered a SYN for this port and waits for the ACK. Where it does not say, no.
fn has_half_open(address: SocketAddr) -> bool {
    half_open::any(address).unwrap_or(false)
}

/// What is to be done after an accept that failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AcceptError {
    /// The queue is empty.
    Empty,
    /// That one connection is lost; the next may be there.
    Next,
    /// This process or the machine has no descriptor or memory left: wait for so long.
    BackOff(Duration),
    /// The socket itself is broken.
    Broken,
}

impl AcceptError {
    /// How long to wait for descriptors or memory to come free.
    const BACK_OFF: Duration = Duration::from_millis(100);

    /// Reads an error of `accept(2)`; what the operator has to know goes into the log.
    pub fn of(error: &io::Error, hub: &Hub) -> Self {
        match Errno::from_io_error(error) {
            Some(Errno::AGAIN) => Self::Empty,
            Some(Errno::NOMEM | Errno::NFILE | Errno::MFILE | Errno::NOBUFS) => {
                hub.note_shortage(error);
                Self::BackOff(Self::BACK_OFF)
            }
            Some(Errno::BADF | Errno::NOTSOCK | Errno::INVAL) => {
                tracing::error!("a listening socket is broken, and accepts no more: {error}");
                Self::Broken
            }
            _ => Self::Next,
        }
    }
}
