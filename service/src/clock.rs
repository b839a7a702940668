//! Time as the shells tell it to the core.

use std::cell::Cell;
use std::time::{Duration, UNIX_EPOCH};

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

    /// A moment ago: the kernel's last tick, which costs a fraction of what [`now`](Self::now) does. Mostly some
    /// milliseconds; more, where the machine was short of time.
    pub fn last_tick(&self) -> Instant {
        Instant::from(kernels(ClockId::MonotonicCoarse).saturating_sub(self.kernels_origin))
    }

    /// The same moment for the standard library.
    pub fn to_std(&self, at: Instant) -> std::time::Instant {
        let far = Duration::from_secs(60 * 60 * 24 * 365);
        self.origin + at.since(Instant::ORIGIN).min(self.origin.elapsed() + far)
    }
}

/// The text of a `date` field: by the kernel's last tick, so that no thread gives an older one than another just did.
/// Formatted once a second and thread.
pub(crate) fn date() -> Option<Date> {
    let second = u64::try_from(clock_gettime(ClockId::RealtimeCoarse).tv_sec).ok()?;
    match LAST.get().filter(|(last, _)| *last == second) {
        Some((_, date)) => Some(date),
        None => {
            let text = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(second));
            let date = Date::new(text.as_bytes().try_into().ok()?)?;
            LAST.set(Some((second, date)));
            Some(date)
        }
    }
}

thread_local! {
    /// The last second that was formatted.
    static LAST: Cell<Option<(u64, Date)>> = const { Cell::new(None) };
}

/// A clock of the kernel.
fn kernels(clock: ClockId) -> Duration {
    Duration::try_from(clock_gettime(clock)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
