//! Whose turn it is to send (RFC 9218 section 10).

use alloc::collections::VecDeque;

use crate::h2::priority::{Order, Priority};
use crate::h2::streams::{Place, Stream};
use crate::lifecycle::http2::Number;
use crate::lifecycle::stream::Responding;

/// The streams that have something to send and may, in the order of their turns: the urgent ones first; among
/// those of one urgency the sequential ones, in the order in which they were opened, share with the others, which take
/// turns.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Schedule {
    turns: VecDeque<Turn>,
    /// Of which kind the last turn was: those of one urgency take turns by their kinds too.
    last: Option<Order>,
}

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
        let behind = self.turns.iter().rev().take_while(|other| turn.precedes(**other)).count();
        match behind {
            // Mostly all are alike.
            0 => self.turns.push_back(turn),
            _ => self.turns.insert(self.turns.len().saturating_sub(behind), turn),
        }
    }

    /// Takes all turns, in their order.
    pub(crate) fn take(&mut self) -> VecDeque<Turn> {
        core::mem::take(&mut self.turns)
    }

    /// Gives a turn back, once all others have been looked at: the order stays as it is.
    pub(crate) fn push_back(&mut self, turn: Turn) {
        self.turns.push_back(turn);
    }

    /// Whose turn it is.
    pub(crate) fn pop(&mut self) -> Option<Turn> {
        let first = self.turns.front()?.priority;
        let turn = match (first.order, self.last) {
            (Order::Sequential, Some(Order::Sequential)) => {
                self.turns.remove(self.first_incremental(first.urgency))
            }
            _ => self.turns.pop_front(),
        };
        self.last = turn.map(|turn| turn.priority.order);
        turn
    }

    /// Where the first incremental one of this urgency stands; where there is none, the first of all.
    fn first_incremental(&self, urgency: u8) -> usize {
        let mut same = self.turns.iter().take_while(|turn| turn.priority.urgency == urgency);
        same.position(|turn| turn.priority.order == Order::Incremental).unwrap_or(0)
    }

    /// A stream does not wait any more.
    pub(crate) fn remove(&mut self, number: Number) {
        self.turns.retain(|turn| turn.number != number);
    }

    /// Frees what is not needed while nothing waits.
    pub(crate) fn clear(&mut self) {
        self.turns = VecDeque::new();
        self.last = None;
    }
}
