//! Time as the shells tell it to the core.

use std::cell::Cell;
use std::time::{Duration, SystemTime};

use lameduck_core::{Date, Instant};
use rustix::time::{ClockId, clock_gettime};

/// A monotonic clock that counts from when it was made.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: std::time::Instant,
    /// The same moment, by the kernel's count.
    kernels_origin: Duration,
}

impl Clock {
    /// A clock that starts now.
    pub fn start() -> Self {
        Self { origin: std::time::Instant::now(), kernels_origin: kernels(ClockId::Monotonic) }
    }

    /// Now.
    pub fn now(&self) -> Instant {
        Instant::from(self.origin.elapsed())
    }

    /// Now, where that may be `due` or later; before that, a moment ago will do, which is found out at a fraction of the
    /// price.
    pub fn about_now(&self, due: Option<Instant>) -> Instant {
        let tick = self.last_tick();
        match due {
            Some(due) if due <= tick + LONGEST_TICK => self.now(),
            _ => tick,
        }
    }

    /// A moment ago: the kernel's last tick.
    pub(crate) fn last_tick(&self) -> Instant {
        Instant::from(kernels(ClockId::MonotonicCoarse).saturating_sub(self.kernels_origin))
    }

    /// The same moment for the standard library.
    pub fn to_std(&self, at: Instant) -> std::time::Instant {
        let far = Duration::from_secs(60 * 60 * 24 * 365);
        self.origin + at.since(Instant::ORIGIN).min(self.origin.elapsed() + far)
    }

    /// The text of a `date` field, formatted once a second and thread.
    pub(crate) fn date(&self, now: Instant) -> Option<Date> {
        let second = now.as_nanos() / 1_000_000_000;
        let is_last = |(last, origin, _): &_| (*last, *origin) == (second, self.origin);
        if let Some((_, _, date)) = LAST.get().filter(is_last) {
            return Some(date);
        }
        let text = httpdate::fmt_http_date(SystemTime::now());
        let date = Date::new(text.as_bytes().try_into().ok()?)?;
        LAST.set(Some((second, self.origin, date)));
        Some(date)
    }
}

/// The kernel ticks 100 times a second at least; twice as long is left for a tick that comes late.
const LONGEST_TICK: Duration = Duration::from_millis(20);

/// A clock of the kernel.
fn kernels(clock: ClockId) -> Duration {
    Duration::try_from(clock_gettime(clock)).unwrap_or_default()
}

thread_local! {
    /// The last date that was formatted, and for which second of which clock.
    static LAST: Cell<Option<(u64, std::time::Instant, Date)>> = const { Cell::new(None) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_tick_is_never_ahead_and_follows() {
        let clock = Clock::start();
        let first = clock.last_tick();
        while clock.last_tick() == first {
            assert!(clock.last_tick() <= clock.now());
        }
        assert!(clock.last_tick() > first);
    }

    #[test]
    fn what_is_due_is_not_before_now() {
        let clock = Clock::start();
        let before = clock.now();
        assert!(clock.about_now(Some(before)) >= before);
        assert!(clock.about_now(Some(before + LONGEST_TICK / 2)) >= before);
        assert!(clock.about_now(None) <= clock.now());
        assert!(clock.about_now(Some(before + Duration::from_secs(3600))) <= clock.now());
    }

    #[test]
    fn the_date_of_another_clocks_same_second_is_not_taken() {
        let epoch = Date::new(*b"Thu, 01 Jan 1970 00:00:00 GMT").unwrap();
        let other = Clock::start();
        let ours = Clock { origin: other.origin + Duration::from_millis(1), ..other };
        LAST.set(Some((0, other.origin, epoch)));
        assert_eq!(other.date(Instant::ORIGIN), Some(epoch));
        assert_ne!(ours.date(Instant::ORIGIN), Some(epoch));
    }
}
