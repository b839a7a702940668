//! What the peer has to say, and how.

use std::sync::Arc;
use std::time::Duration;

use lameduck_core::{Config, ResponseLength};

use crate::reader::Asked;

/// How long the drains of the model may last: longer than all other waits of a drain together, so that each
/// of those has to end by itself.
pub const GRACE: Duration = Duration::from_secs(100);

/// A peer's whole part, and what the others around the connection may do.
#[derive(Clone, Debug)]
pub struct Script {
    /// For the report.
    pub name: &'static str,
    /// All bytes of the peer.
    pub text: Vec<u8>,
    /// The requests in them.
    pub requests: Vec<Request>,
    /// When the peer sends the next request.
    pub pace: Pace,
    /// Where its bytes may be split.
    pub cuts: Cuts,
    /// How the caller treats the connection.
    pub manners: Manners,
    /// What the handler may answer with.
    pub answers: Vec<Answer>,
    /// Whether it may give up.
    pub resets: Resets,
    /// The connection's settings.
    pub config: Arc<Config>,
}

/// One request of a script.
#[derive(Clone, Debug)]
pub struct Request {
    /// Where its first byte stands.
    pub begins: usize,
    /// Where its head is over.
    pub head_ends: usize,
    /// Where it is over.
    pub ends: usize,
    /// How the response to it is read.
    pub asked: Asked,
    /// What it alone says of the connection.
    pub after: After,
    /// Its body, decoded.
    pub body: &'static [u8],
    /// How it is sent.
    pub sends: Sends,
    /// Whether it may be served at all.
    pub verdict: Verdict,
}

/// What a request says of the connection after it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum After {
    /// It may go on.
    Keep,
    /// It ends.
    Close,
    /// HTTP/1.0 with `keep-alive`: it may go on where the response's length is known.
    KeepKnown,
}

/// How a request's body is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sends {
    /// With the head.
    AtOnce,
    /// After a 100, which the head asks for; or without.
    Expects,
}

/// What is to become of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It is served.
    Serve,
    /// It is refused.
    Refuse,
    /// It is served, or refused where the server drains.
    RefuseInDrain,
}

/// When a peer sends its next request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pace {
    /// At any time: pipelined or not.
    Free,
    /// When it has the response to the last.
    Turns,
}

/// Where a peer's bytes may be split.
#[derive(Clone, Debug)]
pub enum Cuts {
    /// Everywhere.
    Everywhere,
    /// At these places.
    At(Vec<usize>),
}

/// How the caller treats the connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Manners {
    /// As a shell has to: it polls after every call, reads only what is wanted, and everything that had
    /// arrived before a drain or a timeout is handed over before it.
    Faithful,
    /// In any order: it polls late or never, delivers what is not wanted, and lets deadlines pass.
    Adversarial,
}

/// What a handler answers with.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Answer {
    /// 200, and a body of known length.
    Known,
    /// 200, and a body of unknown length.
    Unknown,
    /// 101.
    Switch,
}

/// Whether a handler may give its response up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Resets {
    /// At any time.
    Sometimes,
    /// Never.
    Never,
}

impl Answer {
    pub(super) fn status(self) -> u16 {
        if self == Self::Switch { 101 } else { 200 }
    }

    pub(super) fn length(self) -> ResponseLength {
        match self {
            Self::Known => ResponseLength::Known(1),
            Self::Unknown | Self::Switch => ResponseLength::Unknown,
        }
    }
}

impl Request {
    /// A request without a body, in its shortest form.
    pub fn get() -> (&'static str, Self) {
        Self::text("GET / HTTP/1.1\r\nhost:a\r\n\r\n")
    }

    /// One of this text, without a body.
    pub fn text(text: &'static str) -> (&'static str, Self) {
        let head_ends = text.find("\r\n\r\n").map_or(text.len(), |at| at + 4);
        let request = Self {
            begins: 0,
            head_ends,
            ends: text.len(),
            asked: Asked::Plain,
            after: After::Keep,
            body: b"",
            sends: Sends::AtOnce,
            verdict: Verdict::Serve,
        };
        (text, request)
    }

    /// One of this text, with a body that means `body`.
    pub fn post(text: &'static str, body: &'static str) -> (&'static str, Self) {
        let (text, request) = Self::text(text);
        (text, Self { body: body.as_bytes(), ..request })
    }
}

impl Script {
    /// A peer that sends these, in a form that can be changed.
    pub fn new(name: &'static str, parts: impl IntoIterator<Item = (&'static str, Request)>) -> Self {
        let mut text = Vec::new();
        let mut requests = Vec::new();
        for (part, request) in parts {
            let begins = text.len();
            text.extend_from_slice(part.as_bytes());
            requests.push(Request {
                begins,
                head_ends: begins + request.head_ends,
                ends: begins + request.ends,
                ..request
            });
        }
        Self {
            name,
            text,
            requests,
            pace: Pace::Free,
            cuts: Cuts::Everywhere,
            manners: Manners::Faithful,
            answers: vec![Answer::Known, Answer::Unknown],
            resets: Resets::Never,
            config: Arc::new(Config::default()),
        }
    }

    /// The same, where the peer awaits each response.
    pub fn in_turns(self) -> Self {
        Self { pace: Pace::Turns, ..self }
    }

    /// The same, split only within `reach` bytes of the edges of its requests.
    pub fn cut_near_edges(mut self, reach: usize) -> Self {
        let edges: Vec<_> = self
            .requests
            .iter()
            .flat_map(|request| [request.begins, request.head_ends, request.ends])
            .collect();
        let near = |at: &usize| edges.iter().any(|edge| edge.abs_diff(*at) <= reach);
        self.cuts = Cuts::At((1..=self.text.len()).filter(near).collect());
        self
    }

    /// The same, to a caller that does everything in any order.
    pub fn without_manners(self) -> Self {
        Self { manners: Manners::Adversarial, ..self }
    }

    /// The same, with a handler that answers in these ways only.
    pub fn answered_with(self, answers: &[Answer]) -> Self {
        Self { answers: answers.to_vec(), ..self }
    }

    /// The same, with a handler that may give up.
    pub fn with_resets(self) -> Self {
        Self { resets: Resets::Sometimes, ..self }
    }

    /// The same, with other settings.
    pub fn configured(self, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = (*self.config).clone();
        change(&mut config);
        Self { config: Arc::new(config), ..self }
    }

    /// How many of its requests can be served at best: none behind one that closes or is refused.
    pub(super) fn servable(&self) -> usize {
        let may_follow = |request: &&Request| request.verdict != Verdict::Refuse;
        let served = self.requests.iter().take_while(may_follow);
        let closes = self.requests.iter().position(|request| request.after == After::Close);
        served.count().min(closes.map_or(usize::MAX, |at| at + 1))
    }

    /// Up to where the peer sends, when it has had so many whole responses.
    pub(super) fn gate(&self, replies: usize) -> usize {
        match self.pace {
            Pace::Free => self.text.len(),
            Pace::Turns => self.requests.get(replies).map_or(self.text.len(), |request| request.ends),
        }
    }

    pub(super) fn is_cut(&self, at: usize) -> bool {
        match &self.cuts {
            Cuts::Everywhere => true,
            Cuts::At(places) => places.contains(&at),
        }
    }
}
