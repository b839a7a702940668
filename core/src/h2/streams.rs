//! The streams of a connection.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::hash::{Hash, Hasher};

use bytes::Bytes;

use crate::h1::head::Kind;
use crate::h2::flow::{ReceiveWindow, SendWindow};
use crate::h2::priority::Priority;
use crate::lifecycle::http2::Number;
use crate::lifecycle::stream::{Life, Rest};

/// A stream that is not closed.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Stream {
    pub(crate) number: Number,
    pub(crate) life: Life,
    pub(crate) kind: Kind,
    pub(crate) promise: Promise,
    pub(crate) window: ReceiveWindow,
    /// What has come of the request's body, and has not been released.
    pub(crate) held: u32,
    /// What is still to come of it, where its head has said how much there is.
    pub(crate) expected: Option<u64>,
    /// What has come of it in all.
    pub(crate) total: u64,
    pub(crate) outgoing: Outgoing,
}

impl Stream {
    /// One that begins, with windows of the sizes that these begin with.
    pub(crate) fn new(number: Number, life: Life, window: ReceiveWindow, outgoing: SendWindow) -> Self {
        Self {
            number,
            life,
            kind: Kind::Plain,
            promise: Promise::None,
            window,
            held: 0,
            expected: None,
            total: 0,
            outgoing: Outgoing {
                window: outgoing,
                priority: Priority::default(),
                place: Place::Aside,
                body: ResponseBody::Unknown,
                queue: Queue::default(),
                trailers: None,
            },
        }
    }

    /// Whether a handler has to hear what becomes of it: it is among those that have been told, and its handler is not
    /// through with it.
    pub(crate) fn is_with_handler(&self, told: Number) -> bool {
        self.number <= told && !self.life.is_let_go()
    }

    /// Whether it is the peer's turn to send the body wherever that has room: not before a word that it waits for, nor
    /// through a tunnel.
    pub(crate) fn waits_for_body(&self) -> bool {
        self.promise == Promise::None && self.kind != Kind::Connect
    }

    /// What is still to come of the request, for one that nobody reads; `connection` is the window of all streams.
    pub(crate) fn rest(&self, connection: &ReceiveWindow) -> Rest {
        match self.expected {
            Some(expected) if !connection.has_room_behind(expected) => Rest::TooLong,
            _ => Rest::Fits,
        }
    }
}

/// Whether the peer waits for a word before it sends the body (RFC 9110 section 10.1.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Promise {
    Owed,
    None,
}

/// A response on its way.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Outgoing {
    pub(crate) window: SendWindow,
    pub(crate) priority: Priority,
    pub(crate) place: Place,
    pub(crate) body: ResponseBody,
    pub(crate) queue: Queue,
    /// The field block of the trailers, encoded so that it stands for itself.
    pub(crate) trailers: Option<Vec<u8>>,
}

/// Whether a stream waits for its turn to send.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Place {
    /// It has nothing to send, or may not.
    Aside,
    Scheduled,
}

/// What the response's head says of its body.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum ResponseBody {
    /// There is none, and END_STREAM has gone with the head.
    None,
    /// So much is still to be given.
    Length(u64),
    Unknown,
    /// A CONNECT that was agreed to: what follows is not HTTP (section 8.5).
    Tunnel,
}

/// Pieces of a body that wait to be sent. It owns no memory while there is one piece at most.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Queue {
    first: Bytes,
    more: VecDeque<Bytes>,
    len: usize,
}

impl Queue {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn push(&mut self, data: Bytes) {
        self.len = self.len.saturating_add(data.len());
        match self.first.is_empty() {
            true => self.first = data,
            false => self.more.push_back(data),
        }
    }

    /// Takes up to `most` bytes, of one piece.
    pub(crate) fn take(&mut self, most: usize) -> Bytes {
        let taken = match self.first.len() > most {
            true => self.first.split_to(most),
            false => core::mem::replace(&mut self.first, self.more.pop_front().unwrap_or_default()),
        };
        self.len = self.len.saturating_sub(taken.len());
        taken
    }
}

/// Streams in the order of their numbers, which only grow.
#[derive(Clone, Default, Debug)]
pub(crate) struct Streams {
    list: VecDeque<Stream>,
    /// How many there have been at a time since there was none: as many are likely to come again.
    peak: usize,
}

impl Streams {
    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(crate) fn push(&mut self, stream: Stream) {
        if self.list.capacity() == 0 {
            self.list.reserve_exact(self.peak);
        }
        self.list.push_back(stream);
        self.peak = self.peak.max(self.list.len());
    }

    /// Whether there is more than one.
    pub(crate) fn are_many(&self) -> bool {
        self.list.len() > 1
    }

    /// How many are likely to come.
    pub(crate) fn peak(&self) -> usize {
        self.peak
    }

    /// The one that was opened first.
    pub(crate) fn first(&self) -> Option<Number> {
        self.list.front().map(|stream| stream.number)
    }

    pub(crate) fn get(&self, number: Number) -> Option<&Stream> {
        self.list.get(self.index(number)?)
    }

    pub(crate) fn get_mut(&mut self, number: Number) -> Option<&mut Stream> {
        let index = self.index(number)?;
        self.list.get_mut(index)
    }

    pub(crate) fn remove(&mut self, number: Number) {
        match self.list.front() {
            Some(front) if front.number == number => drop(self.list.pop_front()),
            _ => {
                if let Some(index) = self.index(number) {
                    self.list.remove(index);
                }
            }
        }
    }

    pub(crate) fn take_all(&mut self) -> VecDeque<Stream> {
        core::mem::take(&mut self.list)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Stream> {
        self.list.iter()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Stream> {
        self.list.iter_mut()
    }

    /// Frees what is not needed while there is no stream.
    pub(crate) fn release_memory(&mut self) {
        if self.list.is_empty() {
            self.list = VecDeque::new();
        }
    }

    /// Where this stream stands. A client numbers its streams one after the other: where none between has been
    /// closed, it stands where its number says; else before that.
    #[inline]
    fn index(&self, number: Number) -> Option<usize> {
        let front = self.list.front()?.number;
        let guess = (number.checked_sub(front)? / 2) as usize;
        match self.list.get(guess) {
            Some(stream) if stream.number == number => Some(guess),
            _ => self.search(number),
        }
    }

    #[inline(never)]
    fn search(&self, number: Number) -> Option<usize> {
        self.list.binary_search_by_key(&number, |stream| stream.number).ok()
    }
}

impl PartialEq for Streams {
    fn eq(&self, other: &Self) -> bool {
        self.list == other.list
    }
}

impl Eq for Streams {}

impl Hash for Streams {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.list.hash(state);
    }
}
