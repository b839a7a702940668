//! Sockets and waiting: the little that both kinds of load share.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use mio::{Events, Poll};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// How long a server may be silent when it owes an answer.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Descriptors that are not connections: standard streams, epoll, and some to spare.
const OTHER_DESCRIPTORS: u64 = 32;

/// The bytes of one request, with these field lines beside `host`.
pub fn request(path: &str, server: SocketAddr, fields: &[String]) -> Vec<u8> {
    let fields: String = fields.iter().map(|line| format!("{line}\r\n")).collect();
    format!("GET {path} HTTP/1.1\r\nhost: {server}\r\n{fields}\r\n").into_bytes()
}

/// Opens a blocking connection that sends small writes at once.
pub fn connect(server: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(server).with_context(|| format!("cannot connect to {server}"))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Hands a connection to the event loop.
pub fn nonblocking(stream: TcpStream) -> Result<mio::net::TcpStream> {
    stream.set_nonblocking(true)?;
    Ok(mio::net::TcpStream::from_std(stream))
}

/// Waits for events; empty `events` mean that `timeout` has passed.
pub fn wait(poll: &mut Poll, events: &mut Events, timeout: Option<Duration>) -> Result<()> {
    loop {
        match poll.poll(events, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done.context("waiting for events failed"),
        }
    }
}

/// Raises the soft limit on open files so that `connections` fit.
pub fn raise_open_files(connections: usize) -> Result<()> {
    let needed = u64::try_from(connections)? + OTHER_DESCRIPTORS;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|limit| limit >= needed) {
        return Ok(());
    }
    ensure!(
        maximum.is_none_or(|limit| limit >= needed),
        "{connections} connections need {needed} open files, but the hard limit is {}; \
         raise it (`ulimit -Hn {needed}` as root) or hold fewer connections",
        maximum.unwrap_or_default(),
    );
    let raised = Rlimit { current: Some(needed), maximum };
    setrlimit(Resource::Nofile, raised).context("cannot raise the limit on open files")
}
