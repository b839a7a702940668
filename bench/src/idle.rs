//! Load that holds many idle connections and watches how the server ends them.

use std::fmt;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use mio::{Events, Interest, Poll, Token};

use crate::answers::{Answers, Received};
use crate::wire;

/// Connections opened before the first of them is waited for: far fewer than any accept queue.
const BATCH: usize = 100;

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
}

/// How the server ended the connections.
#[derive(Debug, Default)]
pub struct Report {
    fins: usize,
    resets: usize,
    first_fin: Option<Instant>,
    last_fin: Option<Instant>,
}

/// Opens the connections, has one request answered on each, calls `held` with their number, and waits until the
/// server has ended them all.
pub fn run(options: &Options, held: impl FnOnce(usize)) -> Result<Report> {
    wire::raise_open_files(options.connections)?;
    let streams = open_all(options)?;
    held(streams.len());
    Watch::new(streams)?.run_to_end()
}

fn open_all(options: &Options) -> Result<Vec<TcpStream>> {
    let request = wire::request(&options.path, options.connect);
    let mut answers = Answers::default();
    let mut streams = Vec::with_capacity(options.connections);
    while streams.len() < options.connections {
        let batch = BATCH.min(options.connections - streams.len());
        let opened = streams.len();
        open_batch(options.connect, batch, &request, &mut answers, &mut streams)
            .with_context(|| format!("after {opened} connections were opened"))?;
    }
    Ok(streams)
}

fn open_batch(
    server: SocketAddr,
    count: usize,
    request: &[u8],
    answers: &mut Answers,
    streams: &mut Vec<TcpStream>,
) -> Result<()> {
    let first = streams.len();
    for _ in 0..count {
        let mut stream = wire::connect(server)?;
        stream.set_read_timeout(Some(wire::PATIENCE))?;
        stream.write_all(request).context("writing failed")?;
        streams.push(stream);
    }
    for stream in &mut streams[first..] {
        read_answer(stream, answers)?;
    }
    Ok(())
}

fn read_answer(stream: &mut TcpStream, answers: &mut Answers) -> Result<()> {
    while !answers.take()? {
        let received = answers.read_from(stream).context("reading failed")?;
        ensure!(received != Received::Eof, "the server closed it before its answer");
    }
    ensure!(answers.is_empty(), "the server sent more than the answer asked for");
    Ok(())
}

struct Watch {
    poll: Poll,
    /// By token; `None` once ended.
    streams: Vec<Option<mio::net::TcpStream>>,
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
    fn new(streams: Vec<TcpStream>) -> Result<Self> {
        let poll = Poll::new()?;
        let streams = streams
            .into_iter()
            .enumerate()
            .map(|(index, stream)| register(&poll, Token(index), stream).map(Some))
            .collect::<Result<Vec<_>>>()?;
        Ok(Self { poll, open: streams.len(), streams, report: Report::default() })
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
        let Some(stream) = &mut self.streams[index] else {
            return Ok(());
        };
        match state(stream).with_context(|| format!("connection {index}"))? {
            State::Open => return Ok(()),
            State::Fin => self.report.count_fin(Instant::now()),
            State::Reset => self.report.resets += 1,
        }
        self.open -= 1;
        self.streams[index] = None; // closes our side too
        Ok(())
    }
}

fn register(poll: &Poll, token: Token, stream: TcpStream) -> Result<mio::net::TcpStream> {
    let mut stream = wire::nonblocking(stream)?;
    poll.registry().register(&mut stream, token, Interest::READABLE)?;
    Ok(stream)
}

fn state(stream: &mut mio::net::TcpStream) -> Result<State> {
    match stream.read(&mut [0; 64]) {
        Ok(0) => Ok(State::Fin),
        Ok(_) => bail!("the server sent bytes that nobody asked for"),
        Err(error) => match error.kind() {
            io::ErrorKind::WouldBlock => Ok(State::Open),
            io::ErrorKind::ConnectionReset => Ok(State::Reset),
            _ => Err(error).context("reading failed"),
        },
    }
}

impl Report {
    fn count_fin(&mut self, now: Instant) {
        self.fins += 1;
        self.first_fin.get_or_insert(now);
        self.last_fin = Some(now);
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
            r#"{{"connections":{},"fins":{},"resets":{},"seconds":{:.6}}}"#,
            self.fins + self.resets,
            self.fins,
            self.resets,
            self.spread().as_secs_f64()
        )
    }
}
