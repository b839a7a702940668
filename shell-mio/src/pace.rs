//! How quickly the turns of a loop's connections follow each other.

use std::time::Duration;

use lameduck_core::Instant;

/// So many turns are counted before the clock is read.
const TURNS: u8 = 16;

/// So long they take together at most where the loop is brisk. A request whose handler has its answer at hand takes half
/// of its share, most of that in the kernel.
const BRISK: Duration = Duration::from_micros(256);

/// Tells whether there has been much to do, and all of it quick. Only then it is worth while to let some connections
/// receive before the first of them sends. It judges by the past: a few answers may have to wait for the first handler that
/// is slow, none for the next.
#[derive(Default)]
pub(crate) struct Pace {
    /// When the turns began that are being counted.
    since: Instant,
    turns: u8,
    is_brisk: bool,
}

impl Pace {
    /// Counts a turn; whether those before it were brisk.
    pub(crate) fn count(&mut self, now: impl FnOnce() -> Instant) -> bool {
        self.turns += 1;
        if self.turns == TURNS {
            let now = now();
            self.is_brisk = now.since(self.since) <= BRISK;
            (self.since, self.turns) = (now, 0);
        }
        self.is_brisk
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of some turns, of which each takes so long, are found brisk.
    fn brisk(pace: &mut Pace, from: Instant, each: Duration) -> usize {
        (1..=10 * u32::from(TURNS)).filter(|turn| pace.count(|| from + each * *turn)).count()
    }

    #[test]
    fn who_is_quick_is_found_brisk_and_who_takes_time_is_not() {
        let (mut pace, mut now) = (Pace::default(), Instant::from_millis(1));
        for (each, expected) in [(100, 0), (16, 145), (17, 15), (1_000_000, 0), (1, 145)] {
            let each = Duration::from_micros(each);
            assert_eq!(brisk(&mut pace, now, each), expected, "{each:?} each");
            now = now + each * 10 * u32::from(TURNS);
        }
    }
}
