//! Load that keeps a fixed number of requests outstanding on each connection.

use std::fmt;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use mio::event::Event;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::answers::{Answers, Received};
use crate::wire;

/// What to send, and how.
#[derive(Args, Debug)]
pub struct Options {
    /// Address of the server
    #[arg(long, value_name = "ADDR")]
    connect: SocketAddr,
    /// Connections, all open for the whole run
    #[arg(long, value_name = "N", default_value_t = 64)]
    connections: usize,
    /// Requests to send and have answered, over all connections
    #[arg(long, value_name = "N")]
    requests: usize,
    /// Requests in one write; the next write follows when all of them are answered
    #[arg(long, value_name = "K", default_value_t = 1)]
    pipeline: usize,
    /// Path to ask for
    #[arg(long, default_value = "/hello")]
    path: String,
    /// Ask for it with so many queries in turn, so that no request is like the last
    #[arg(long, value_name = "N", default_value_t = 1)]
    queries: usize,
    /// Field line to send along, beside host; may be repeated
    #[arg(long = "field", value_name = "LINE")]
    fields: Vec<String>,
}

/// Their numbers have two digits, so that all requests are of the same length.
const MOST_QUERIES: usize = 100;

/// What a run came to.
#[derive(Debug)]
pub struct Report {
    requests: usize,
    elapsed: Duration,
}

/// Sends the requests; every one was answered whole, with a 200, if this returns a report.
pub fn run(options: &Options) -> Result<Report> {
    ensure!(options.pipeline > 0, "--pipeline must be at least 1");
    ensure!(options.connections > 0, "--connections must be at least 1");
    ensure!((1..=MOST_QUERIES).contains(&options.queries), "--queries must be 1 to {MOST_QUERIES}");
    wire::raise_open_files(options.connections)?;
    let mut load = Load::open(options)?;
    let start = Instant::now();
    load.start()?;
    load.run_to_end()?;
    Ok(Report { requests: options.requests, elapsed: start.elapsed() })
}

struct Load {
    poll: Poll,
    connections: Vec<Connection>,
    budget: Budget,
    unanswered: usize,
}

/// The requests that no connection has taken yet, and their bytes.
struct Budget {
    unsent: usize,
    pipeline: usize,
    request_length: usize,
    /// How many different requests there are, and the one that is next.
    queries: usize,
    next: usize,
    /// All of them in turn, and so many again that a batch may begin with any.
    bytes: Vec<u8>,
}

struct Connection {
    stream: TcpStream,
    answers: Answers,
    /// The part of the budget's bytes that the socket has not accepted yet.
    unwritten: Range<usize>,
    outstanding: usize,
}

impl Load {
    fn open(options: &Options) -> Result<Self> {
        let poll = Poll::new()?;
        let connections = (0..options.connections)
            .map(|index| Connection::open(options.connect, &poll, Token(index)))
            .collect::<Result<_>>()?;
        Ok(Self { poll, connections, budget: Budget::new(options), unanswered: options.requests })
    }

    fn start(&mut self) -> Result<()> {
        for connection in &mut self.connections {
            connection.next_batch(&mut self.budget)?;
        }
        Ok(())
    }

    fn run_to_end(&mut self) -> Result<()> {
        let mut events = Events::with_capacity(1024);
        while self.unanswered > 0 {
            wire::wait(&mut self.poll, &mut events, Some(wire::PATIENCE))?;
            if events.is_empty() {
                bail!("no answer for {:?} with {} requests unanswered", wire::PATIENCE, self.unanswered);
            }
            for event in &events {
                self.advance(event)?;
            }
        }
        Ok(())
    }

    fn advance(&mut self, event: &Event) -> Result<()> {
        let Token(index) = event.token();
        let answered = self.connections[index]
            .advance(event, &mut self.budget)
            .with_context(|| format!("connection {index}"))?;
        self.unanswered -= answered;
        Ok(())
    }
}

impl Budget {
    fn new(options: &Options) -> Self {
        let path = |number: usize| match options.queries {
            1 => options.path.clone(),
            _ => format!("{}?{number:02}", options.path),
        };
        let request =
            |number: usize| wire::request(&path(number % options.queries), options.connect, &options.fields);
        Self {
            unsent: options.requests,
            pipeline: options.pipeline,
            request_length: request(0).len(),
            queries: options.queries,
            next: 0,
            bytes: (0..options.queries + options.pipeline - 1).flat_map(request).collect(),
        }
    }

    /// Grants the next batch: so many requests, fewer than `pipeline` only at the very end, and their bytes.
    fn grant(&mut self) -> (usize, Range<usize>) {
        let count = self.pipeline.min(self.unsent);
        self.unsent -= count;
        let first = self.next;
        self.next = (first + count) % self.queries;
        (count, first * self.request_length..(first + count) * self.request_length)
    }
}

impl Connection {
    fn open(server: SocketAddr, poll: &Poll, token: Token) -> Result<Self> {
        let mut stream = wire::nonblocking(wire::connect(server)?)?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        poll.registry().register(&mut stream, token, interest)?;
        Ok(Self { stream, answers: Answers::default(), unwritten: 0..0, outstanding: 0 })
    }

    /// Does what the event allows; returns how many answers came in.
    fn advance(&mut self, event: &Event, budget: &mut Budget) -> Result<usize> {
        self.write(budget)?;
        let answered = self.read(event.is_read_closed())?;
        if answered > 0 && self.outstanding == 0 {
            self.next_batch(budget)?;
        }
        Ok(answered)
    }

    fn next_batch(&mut self, budget: &mut Budget) -> Result<()> {
        (self.outstanding, self.unwritten) = budget.grant();
        self.write(budget)
    }

    fn write(&mut self, budget: &Budget) -> Result<()> {
        while !self.unwritten.is_empty() {
            match self.stream.write(&budget.bytes[self.unwritten.clone()]) {
                Ok(length) => self.unwritten.start += length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error).context("writing failed"),
            }
        }
        Ok(())
    }

    /// Reads what the socket holds. A short read has emptied it, so the read that would only say
    /// so is left out, unless a FIN is known to wait behind the data.
    fn read(&mut self, fin_expected: bool) -> Result<usize> {
        let mut answered = 0;
        loop {
            let received = match self.answers.read_from(&mut self.stream) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(answered),
                done => done.context("reading failed")?,
            };
            answered += self.take_answers()?;
            match received {
                Received::Eof => bail!("the server closed it with {} requests unanswered", self.outstanding),
                Received::All if !fin_expected => return Ok(answered),
                Received::All | Received::PerhapsMore => {}
            }
        }
    }

    fn take_answers(&mut self) -> Result<usize> {
        let mut taken = 0;
        while self.answers.take()? {
            taken += 1;
        }
        let Some(left) = self.outstanding.checked_sub(taken) else {
            bail!("the server sent more answers than there were requests");
        };
        self.outstanding = left;
        Ok(taken)
    }
}

impl fmt::Display for Report {
    /// One line of JSON.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.elapsed.as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a rate for reading")]
        let rate = self.requests as f64 / seconds;
        write!(
            f,
            r#"{{"requests":{},"seconds":{seconds:.6},"requests_per_second":{rate:.0}}}"#,
            self.requests
        )
    }
}
