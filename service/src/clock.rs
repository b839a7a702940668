//! Time as the shells tell it to the core.

use std::cell::Cell;
use std::time::{Duration, SystemTime};

use lameduck_core::{Date, Instant};

/// A monotonic clock that counts from when it was made.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: std::time::Instant,
}

impl Clock {
    /// A clock that starts now.
    pub fn start() -> Self {
        Self { origin: std::time::Instant::now() }
    }

    /// Now.
    pub fn now(&self) -> Instant {
        Instant::from(self.origin.elapsed())
    }

    /// The same moment for the standard library.
    pub fn to_std(&self, at: Instant) -> std::time::Instant {
        let far = Duration::from_secs(60 * 60 * 24 * 365);
        self.origin + at.since(Instant::ORIGIN).min(self.origin.elapsed() + far)
    }

    /// The text of a `date` field, formatted once a second and thread.
    pub(crate) fn date(&self, now: Instant) -> Option<Date> {
        thread_local! {
            /// For which second of which clock.
            static LAST: Cell<Option<(u64, std::time::Instant, Date)>> = const { Cell::new(None) };
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_that_started_at_different_times_agree_on_the_date() {
        let first = Clock::start().date(Instant::ORIGIN);
        std::thread::sleep(Duration::from_millis(1100));
        assert_ne!(Clock::start().date(Instant::ORIGIN), first);
    }
}
