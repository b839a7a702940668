//! Whose turn it is to send (RFC 9218 section 10).

use alloc::collections::VecDeque;

use crate::h2::priority::{Order, Priority};
use crate::h2::streams::{Place, Stream};
use crate::lifecycle::http2::Number;
use crate::lifecycle::stream::Responding;

/// The streams that have something to send and may, in the order of their turns: the urgent ones first; among
/// those of one urgency the sequential ones in the order in which they were opened, then the others in turn.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Schedule(VecDeque<Turn>);

/// A stream that waits for its turn.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Turn {
    pub(crate) number: Number,
    pub(crate) priority: Priority,
}

impl Turn {
    /// Whether it goes before `other`, where that waits already.
    fn precedes(self, other: Self) -> bool {
        let rank = |turn: Self| match turn.priority.order {
            Order::Sequential => (turn.priority.urgency, 0, turn.number),
            Order::Incremental => (turn.priority.urgency, 1, 0),
        };
        rank(self) < rank(other)
    }
}

impl Schedule {
    /// Lets a stream wait for its turn, where it has something to send and does not wait already. Whether it may send
    /// is seen then.
    pub(crate) fn enlist(&mut self, stream: &mut Stream) {
        let finishes = matches!(stream.life.responding(), Responding::Finishing { .. });
        let sends = stream.outgoing.queue.len() > 0 || finishes;
        if sends && stream.outgoing.place == Place::Aside {
            stream.outgoing.place = Place::Scheduled;
            self.push(Turn { number: stream.number, priority: stream.outgoing.priority });
        }
    }

    /// Lets a stream wait for its turn. It must not wait already.
    pub(crate) fn push(&mut self, turn: Turn) {
        // Mostly all are alike, and it goes to the end.
        let behind = self.0.iter().rev().take_while(|other| turn.precedes(**other)).count();
        self.0.insert(self.0.len().saturating_sub(behind), turn);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Gives a turn back, once all others have been looked at: the order stays as it is.
    pub(crate) fn push_back(&mut self, turn: Turn) {
        self.0.push_back(turn);
    }

    /// Whose turn it is.
    pub(crate) fn pop(&mut self) -> Option<Turn> {
        self.0.pop_front()
    }

    /// A stream does not wait any more.
    pub(crate) fn remove(&mut self, number: Number) {
        self.0.retain(|turn| turn.number != number);
    }

    /// Frees what is not needed while nothing waits.
    pub(crate) fn clear(&mut self) {
        self.0 = VecDeque::new();
    }
}
