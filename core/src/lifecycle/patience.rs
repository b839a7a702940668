//! How much work for nothing a peer may cause before the connection ends with ENHANCE_YOUR_CALM.
//!
//! A client that goes about its business causes some: it cancels streams, pings, opens windows. One that attacks
//! causes little else. Each piece of such work costs a point; time and useful work give points back.

use core::time::Duration;

use crate::time::Instant;

/// Work for nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Annoyance {
    /// A request that is given up before its response is complete, by the peer or for its fault: CVE-2023-44487
    /// and CVE-2025-8671.
    Reset,
    /// A frame that asks for an answer or for bookkeeping, and carries no request: PING, SETTINGS, PRIORITY,
    /// WINDOW_UPDATE, an empty DATA, a frame on a stream that is closed, one of an unknown type.
    Chatter,
}

/// How many resets are borne at once; one comes back every `RESET_PERIOD`, and one with each response.
const RESETS: u16 = 128;
const RESET_PERIOD: Duration = Duration::from_millis(50);

/// How many idle frames are borne at once; one comes back every `CHATTER_PERIOD`, some with each frame of a body,
/// which a peer may well acknowledge with two WINDOW_UPDATEs, or with two for each few KiB. Those come later, and after
/// the last response many of them come together: what useful work gives back is saved up.
const CHATTER: u16 = 1024;
const CHATTER_SAVED: u16 = u16::MAX;
const CHATTER_PERIOD: Duration = Duration::from_millis(2);
const CHATTER_PER_FRAME: u16 = 3;
const BYTES_PER_CHATTER: usize = 256;

/// What is left of it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Patience {
    resets: Bucket,
    chatter: Bucket,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Bucket {
    left: u16,
    /// When time last gave something back.
    filled: Instant,
}

impl Patience {
    pub(crate) fn new(now: Instant) -> Self {
        Self { resets: Bucket { left: RESETS, filled: now }, chatter: Bucket { left: CHATTER, filled: now } }
    }

    /// Bears it, or does not.
    #[must_use]
    pub(crate) fn bears(&mut self, now: Instant, annoyance: Annoyance) -> bool {
        match annoyance {
            Annoyance::Reset => self.resets.take(now, RESETS, RESET_PERIOD),
            Annoyance::Chatter => self.chatter.take(now, CHATTER, CHATTER_PERIOD),
        }
    }

    /// A response was sent whole.
    pub(crate) fn reward_response(&mut self) {
        self.resets.give(1, RESETS);
        self.chatter.give(CHATTER_PER_FRAME, CHATTER_SAVED);
    }

    /// A frame of a response with so much body was sent, or so much of a request's body came.
    pub(crate) fn reward_frame(&mut self, bytes: usize) {
        let more = u16::try_from(bytes / BYTES_PER_CHATTER).unwrap_or(u16::MAX);
        self.chatter.give(CHATTER_PER_FRAME.saturating_add(more), CHATTER_SAVED);
    }
}

impl Bucket {
    fn take(&mut self, now: Instant, most: u16, period: Duration) -> bool {
        if self.left == 0 {
            let periods = now.since(self.filled).as_nanos() / period.as_nanos().max(1);
            self.give(u16::try_from(periods).unwrap_or(u16::MAX), most);
            self.filled = now;
        }
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                true
            }
            None => false,
        }
    }

    fn give(&mut self, count: u16, most: u16) {
        self.left = self.left.saturating_add(count).min(most);
    }
}
