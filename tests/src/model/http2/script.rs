//! What a client of HTTP/2 has to say, and how.

use std::sync::Arc;
use std::time::Duration;

use lameduck_core::Config;

use super::Action;
use super::client::digit;
use crate::model::script::{Cuts, Manners, Resets};

/// A peer's whole part, and what the others around the connection may do.
#[derive(Clone, Debug)]
pub struct Script {
    /// For the report.
    pub name: &'static str,
    /// The streams that it opens, one after the other.
    pub streams: Vec<Stream>,
    /// How the connection begins.
    pub opening: Opening,
    /// What has happened before anything can happen.
    pub prelude: Vec<Action>,
    /// Where what it sends may be split; counted within what it sends at once.
    pub cuts: Cuts,
    /// How the caller treats the connection.
    pub manners: Manners,
    /// What the handler may do.
    pub handler: Handler,
    /// Whether the handler may give up.
    pub resets: Resets,
    /// What the peer may do beside its requests.
    pub asides: Vec<Aside>,
    /// The size of the windows that it starts with, where its SETTINGS say so.
    pub initial_window: Option<u32>,
    /// How many waits may end by time in one run. What time alone leads to is tried in every state anyway.
    pub wakes: u8,
    /// How long a drain may last.
    pub grace: Duration,
    /// The connection's settings.
    pub config: Arc<Config>,
}

/// A stream of a script.
#[derive(Clone, Debug)]
pub struct Stream {
    /// The frames of its request.
    pub parts: Vec<Part>,
    /// Whether the last of them ends it.
    pub ends: bool,
    /// How long the body of its response is.
    pub reply: usize,
    /// What its head says beside that.
    pub says: Says,
}

/// What a request's head says beside what each says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Says {
    /// Nothing.
    Nothing,
    /// How long its body is.
    Length,
    /// The same, and that it waits for a word before that; it may come without one.
    Expects,
    /// That it is to become a tunnel: a CONNECT.
    Connects,
    /// How urgent it is.
    Urgency,
}

/// A frame of a request.
#[derive(Clone, Copy, Debug)]
pub enum Part {
    /// HEADERS.
    Head,
    /// HEADERS with a field block that is over the limit, in a script that has one.
    LargeHead,
    /// HEADERS with half of the field block,
    HalfHead,
    /// and CONTINUATION with the rest.
    RestOfHead,
    /// DATA.
    Data(&'static [u8]),
    /// DATA with three octets of padding.
    Padded(&'static [u8]),
    /// HEADERS again.
    Trailers,
}

/// How the client begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Opening {
    /// With its preface and its SETTINGS; it acks the server's when it has read them.
    Polite,
    /// The same, and the ack, in one go.
    Swift,
    /// The same, and the first part of the first stream too.
    WithRequest,
}

/// What a handler does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Handler {
    /// It answers in one go.
    Whole,
    /// It answers step by step, and reads the request's body, or does not.
    Stepwise,
    /// The same, and its responses have trailers.
    WithTrailers,
}

/// What a client does beside its requests; each once.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Aside {
    /// It gives up a stream.
    Reset,
    /// It opens the windows of a stream by so much.
    Grant(u32),
    /// It opens the connection's window by so much.
    GrantAll(u32),
    /// It changes the size that windows start with.
    Resize(u32),
    /// It says how urgent a stream is, before or after it opens that.
    Prioritize,
    /// It asks for a sign of life.
    Ping,
    /// It says that it leaves.
    GoAway,
    /// It sends its FIN.
    Fin,
    /// Its transport fails.
    Fail,
    /// It takes a byte of what it is sent, and the rest later.
    TakeOne,
    /// It reads only later what its transport has taken; as often as it likes.
    ReadLate,
}

impl Stream {
    /// A GET.
    pub fn get() -> Self {
        Self { parts: vec![Part::Head], ends: true, reply: 1, says: Says::Nothing }
    }

    /// A GET whose field block takes two frames.
    pub fn get_in_two() -> Self {
        Self { parts: vec![Part::HalfHead, Part::RestOfHead], ..Self::get() }
    }

    /// A GET whose field block is over the limit.
    pub fn get_too_large() -> Self {
        Self { parts: vec![Part::LargeHead], ..Self::get() }
    }

    /// A POST of these parts whose field block is over the limit, behind the length of its body.
    pub fn post_too_large(parts: impl IntoIterator<Item = Part>) -> Self {
        let parts = [Part::LargeHead].into_iter().chain(parts).collect();
        Self { parts, says: Says::Length, ..Self::get() }
    }

    /// A POST of these parts, the last of which ends it.
    pub fn post(parts: impl IntoIterator<Item = Part>) -> Self {
        let parts = [Part::Head].into_iter().chain(parts).collect();
        Self { parts, ..Self::get() }
    }

    /// The same, never ended.
    pub fn without_end(self) -> Self {
        Self { ends: false, ..self }
    }

    /// The same, answered with a body of this length.
    pub fn answered_by(self, reply: usize) -> Self {
        Self { reply, ..self }
    }

    /// The same, whose head says this.
    pub fn saying(self, says: Says) -> Self {
        Self { says, ..self }
    }

    /// The method, target and authority that its handler is to be told of.
    pub fn named(&self, number: u32) -> (&'static str, String, &'static str) {
        let path = format!("/{}", char::from(digit(number)));
        match (self.says, self.has_body()) {
            (Says::Connects, _) => ("CONNECT", String::new(), "a:1"),
            (_, true) => ("POST", path, "a"),
            (_, false) => ("GET", path, "a"),
        }
    }

    /// Whether it is answered by the connection itself, with 431.
    pub fn is_too_large(&self) -> bool {
        matches!(self.parts[0], Part::LargeHead)
    }

    /// Whether a body follows its head.
    pub fn has_body(&self) -> bool {
        !self.ends || self.parts.len() > self.head_parts()
    }

    /// How many of its parts are its head.
    pub fn head_parts(&self) -> usize {
        if matches!(self.parts[0], Part::HalfHead) { 2 } else { 1 }
    }

    /// The body of the request, as far as it comes.
    pub fn body(&self) -> Vec<u8> {
        let pieces = self.parts.iter().map(|part| match part {
            Part::Data(data) | Part::Padded(data) => *data,
            _ => b"",
        });
        pieces.collect::<Vec<_>>().concat()
    }
}

impl Script {
    /// A client that opens these, to a caller with manners; in a form that can be changed.
    pub fn new(name: &'static str, streams: impl IntoIterator<Item = Stream>) -> Self {
        Self {
            name,
            streams: streams.into_iter().collect(),
            opening: Opening::Swift,
            prelude: Vec::new(),
            cuts: Cuts::At(Vec::new()),
            manners: Manners::Faithful,
            handler: Handler::Whole,
            resets: Resets::Never,
            asides: Vec::new(),
            initial_window: None,
            wakes: 2,
            grace: crate::model::script::GRACE,
            config: Arc::new(Config::default()),
        }
    }

    /// The same, begun like this.
    pub fn begun(self, opening: Opening) -> Self {
        Self { opening, ..self }
    }

    /// The same, split at every byte.
    pub fn cut_everywhere(self) -> Self {
        Self { cuts: Cuts::Everywhere, ..self }
    }

    /// The same, split behind so many bytes of each frame.
    pub fn cut_at(self, places: &[usize]) -> Self {
        Self { cuts: Cuts::At(places.to_vec()), ..self }
    }

    /// The same, to a caller that polls as it likes.
    pub fn without_manners(self) -> Self {
        Self { manners: Manners::Adversarial, ..self }
    }

    /// The same, with a handler that goes step by step.
    pub fn stepwise(self) -> Self {
        Self { handler: Handler::Stepwise, ..self }
    }

    /// The same, with responses that have trailers.
    pub fn with_trailers(self) -> Self {
        Self { handler: Handler::WithTrailers, ..self }
    }

    /// The same, with a handler that may give up.
    pub fn with_resets(self) -> Self {
        Self { resets: Resets::Sometimes, ..self }
    }

    /// The same, with a client that does these things too.
    pub fn with(self, asides: &[Aside]) -> Self {
        Self { asides: asides.to_vec(), ..self }
    }

    /// The same, with windows of this size for the responses.
    pub fn with_windows_of(self, size: u32) -> Self {
        Self { initial_window: Some(size), ..self }
    }

    /// The same, where so many waits may end.
    pub fn with_wakes(self, wakes: u8) -> Self {
        Self { wakes, ..self }
    }

    /// The same, with this much time to drain.
    pub fn with_grace(self, grace: Duration) -> Self {
        Self { grace, ..self }
    }

    /// The same, after this.
    pub fn after(self, prelude: impl IntoIterator<Item = Action>) -> Self {
        Self { prelude: prelude.into_iter().collect(), ..self }
    }

    /// The same, with other settings.
    pub fn configured(self, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = (*self.config).clone();
        change(&mut config);
        Self { config: Arc::new(config), ..self }
    }

    pub(super) fn has(&self, aside: Aside) -> bool {
        self.asides.contains(&aside)
    }

    pub(super) fn is_cut(&self, at: usize) -> bool {
        match &self.cuts {
            Cuts::Everywhere => true,
            Cuts::At(places) => places.contains(&at),
        }
    }
}
