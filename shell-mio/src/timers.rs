//! The deadlines of a loop's connections.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use lameduck_core::Instant;

/// So many that do not count are not worth looking for.
const SLACK: usize = 1024;

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

    /// Forgets the deadlines that do not count, once they are most of all: there are `count` connections, and `armed`
    /// says what each was last armed for. Of many short connections each would leave one until it came.
    pub(crate) fn forget_stale(&mut self, count: usize, armed: impl Fn(usize) -> Option<Instant>) {
        if self.0.len() > 2 * count + SLACK {
            self.0.retain(|Reverse((at, key))| armed(*key) == Some(*at));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_that_are_gone_leave_no_deadlines() {
        let mut timers = Timers::default();
        let mut stays = None;
        timers.arm(&mut stays, Instant::from_millis(60_000), 0);
        for at in 0..100_000 {
            timers.arm(&mut None, Instant::from_millis(75_000 + at), 1);
            timers.forget_stale(1, |key| stays.filter(|_| key == 0));
            assert!(timers.0.len() <= 2 + SLACK);
        }
        assert_eq!(timers.take_due(Instant::from_millis(60_000)), stays.map(|at| (at, 0)));
    }
}
