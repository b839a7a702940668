//! The deadlines of a loop's connections.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use lameduck_core::Instant;

/// A heap of deadlines, in which a connection has one that counts: what it was last armed for. One that
/// moves further away stays where it is, and is looked at again when it comes.
#[derive(Default)]
pub(crate) struct Timers(BinaryHeap<Reverse<(Instant, usize)>>);

impl Timers {
    /// Sees to it that the connection with this key is looked at by `next`.
    pub(crate) fn arm(&mut self, armed: &mut Option<Instant>, next: Instant, key: usize) {
        if armed.is_none_or(|armed| next < armed) {
            *armed = Some(next);
            self.0.push(Reverse((next, key)));
        }
    }

    /// The earliest deadline.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.0.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes one deadline that has come: its moment, and whose it was.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<(Instant, usize)> {
        self.next().filter(|at| *at <= now)?;
        self.0.pop().map(|Reverse(due)| due)
    }
}
