//! Load that holds many idle connections and watches how the server ends them.

use std::fmt;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use mio::{Events, Interest, Poll, Token};

use crate::answers::{Answers, Received};
use crate::http2::Client;
use crate::wire;

/// Connections opened before the first of them is waited for: far fewer than any accept queue.
const BATCH: usize = 100;

/// Bytes to read at once: answers are small.
const READ: usize = 1024;

/// What to hold.
#[derive(Args, Debug)]
pub struct Options {
    /// Address of the server
    #[arg(long, value_name = "ADDR")]
    connect: SocketAddr,
    /// Connections to hold
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    connections: usize,
    /// Path to ask for, once on each connection
    #[arg(long, default_value = "/hello")]
    path: String,
    /// Speak HTTP/2, by prior knowledge
    #[arg(long)]
    http2: bool,
}

/// How the server ended the connections.
#[derive(Debug, Default)]
pub struct Report {
    fins: usize,
    resets: usize,
    first_fin: Option<Instant>,
    last_fin: Option<Instant>,
    /// Connections of HTTP/2 that had a GOAWAY that gives notice.
    notices: usize,
    /// Connections of HTTP/2 that had a GOAWAY that names the last stream.
    goaways: usize,
}

/// Opens the connections, has one request answered on each, calls `held` with their number, and waits until the
/// server has ended them all.
pub fn run(options: &Options, held: impl FnOnce(usize)) -> Result<Report> {
    wire::raise_open_files(options.connections)?;
    let opened = open_all(options)?;
    held(opened.len());
    Watch::new(opened)?.run_to_end()
}

/// A connection whose request was answered.
struct Held<S> {
    stream: S,
    protocol: Protocol,
}

/// What it speaks.
enum Protocol {
    Http1,
    Http2(Client),
}

fn open_all(options: &Options) -> Result<Vec<Held<TcpStream>>> {
    let mut answers = Answers::default();
    let mut opened = Vec::with_capacity(options.connections);
    while opened.len() < options.connections {
        let count = BATCH.min(options.connections - opened.len());
        let before = opened.len();
        open_batch(options, count, &mut answers, &mut opened)
            .with_context(|| format!("after {before} connections were opened"))?;
    }
    Ok(opened)
}

fn open_batch(
    options: &Options,
    count: usize,
    answers: &mut Answers,
    opened: &mut Vec<Held<TcpStream>>,
) -> Result<()> {
    let first = opened.len();
    for _ in 0..count {
        opened.push(open(options)?);
    }
    for Held { stream, protocol } in &mut opened[first..] {
        match protocol {
            Protocol::Http1 => read_answer(stream, answers)?,
            Protocol::Http2(client) => read_http2_answer(stream, client)?,
        }
    }
    Ok(())
}

/// Opens a connection and sends its request.
fn open(options: &Options) -> Result<Held<TcpStream>> {
    let (protocol, request) = if options.http2 {
        (Protocol::Http2(Client::default()), Client::opening(&options.path, options.connect))
    } else {
        (Protocol::Http1, wire::request(&options.path, options.connect, &[]))
    };
    let mut stream = wire::connect(options.connect)?;
    stream.set_read_timeout(Some(wire::PATIENCE))?;
    stream.write_all(&request).context("writing failed")?;
    Ok(Held { stream, protocol })
}

fn read_answer(stream: &mut TcpStream, answers: &mut Answers) -> Result<()> {
    while !answers.take()? {
        let received = answers.read_from(stream).context("reading failed")?;
        ensure!(received != Received::Eof, "the server closed it before its answer");
    }
    ensure!(answers.is_empty(), "the server sent more than the answer asked for");
    Ok(())
}

fn read_http2_answer(stream: &mut TcpStream, client: &mut Client) -> Result<()> {
    let mut buffer = [0; READ];
    while !client.is_answered() {
        let length = stream.read(&mut buffer).context("reading failed")?;
        ensure!(length > 0, "the server closed it before its answer");
        let reply = client.receive(&buffer[..length])?;
        stream.write_all(&reply).context("writing failed")?;
    }
    Ok(())
}

struct Watch {
    poll: Poll,
    /// By token; `None` once ended.
    held: Vec<Option<Held<mio::net::TcpStream>>>,
    open: usize,
    report: Report,
}

/// How a connection stands after a read.
enum State {
    Open,
    Fin,
    Reset,
}

impl Watch {
    fn new(opened: Vec<Held<TcpStream>>) -> Result<Self> {
        let poll = Poll::new()?;
        let held = opened
            .into_iter()
            .enumerate()
            .map(|(index, opened)| register(&poll, Token(index), opened).map(Some))
            .collect::<Result<Vec<_>>>()?;
        Ok(Self { poll, open: held.len(), held, report: Report::default() })
    }

    fn run_to_end(mut self) -> Result<Report> {
        let mut events = Events::with_capacity(1024);
        while self.open > 0 {
            wire::wait(&mut self.poll, &mut events, None)?;
            for event in &events {
                let Token(index) = event.token();
                self.look_at(index)?;
            }
        }
        Ok(self.report)
    }

    fn look_at(&mut self, index: usize) -> Result<()> {
        let Some(held) = &mut self.held[index] else {
            return Ok(());
        };
        match held.state().with_context(|| format!("connection {index}"))? {
            State::Open => return Ok(()),
            State::Fin => self.report.count_fin(Instant::now()),
            State::Reset => self.report.resets += 1,
        }
        self.report.count_goaways(&held.protocol);
        self.open -= 1;
        self.held[index] = None; // closes our side too
        Ok(())
    }
}

fn register(poll: &Poll, token: Token, opened: Held<TcpStream>) -> Result<Held<mio::net::TcpStream>> {
    let Held { stream, protocol } = opened;
    let mut stream = wire::nonblocking(stream)?;
    poll.registry().register(&mut stream, token, Interest::READABLE)?;
    Ok(Held { stream, protocol })
}

impl Held<mio::net::TcpStream> {
    /// Reads all that is there, and answers what HTTP/2 asks.
    fn state(&mut self) -> Result<State> {
        let mut buffer = [0; READ];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return Ok(State::Fin),
                Ok(length) => self.receive(&buffer[..length])?,
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => return Ok(State::Open),
                    io::ErrorKind::ConnectionReset => return Ok(State::Reset),
                    _ => return Err(error).context("reading failed"),
                },
            }
        }
    }

    fn receive(&mut self, bytes: &[u8]) -> Result<()> {
        let Protocol::Http2(client) = &mut self.protocol else {
            bail!("the server sent bytes that nobody asked for");
        };
        let reply = client.receive(bytes)?;
        match self.stream.write_all(&reply) {
            // The server has gone already; the next read says how.
            Err(error)
                if matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset) =>
            {
                Ok(())
            }
            done => done.context("writing failed"),
        }
    }
}

impl Report {
    fn count_fin(&mut self, now: Instant) {
        self.fins += 1;
        self.first_fin.get_or_insert(now);
        self.last_fin = Some(now);
    }

    fn count_goaways(&mut self, protocol: &Protocol) {
        if let Protocol::Http2(client) = protocol {
            self.notices += usize::from(client.farewell.notice);
            self.goaways += usize::from(client.farewell.last);
        }
    }

    /// From the first FIN to the last.
    fn spread(&self) -> Duration {
        match (self.first_fin, self.last_fin) {
            (Some(first), Some(last)) => last - first,
            _ => Duration::ZERO,
        }
    }
}

impl fmt::Display for Report {
    /// One line of JSON.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            r#"{{"connections":{},"fins":{},"resets":{},"notices":{},"goaways":{},"seconds":{:.6}}}"#,
            self.fins + self.resets,
            self.fins,
            self.resets,
            self.notices,
            self.goaways,
            self.spread().as_secs_f64()
        )
    }
}
