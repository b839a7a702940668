//! Windows (RFC 9113 sections 5.2 and 6.9).

/// No window may be larger (section 6.9.1).
const LARGEST: u32 = (1 << 31) - 1;

/// A window over its maximum.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Overflow;

/// How much we may send. It can be negative, after the peer has made its windows smaller (section 6.9.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct SendWindow(i32);

impl SendWindow {
    /// What every connection starts with, and every stream, before SETTINGS say otherwise.
    pub(crate) const DEFAULT: u32 = 65_535;

    pub(crate) fn new(size: u32) -> Self {
        Self(i32::try_from(size).unwrap_or(i32::MAX))
    }

    pub(crate) fn available(self) -> usize {
        usize::try_from(self.0).unwrap_or(0)
    }

    /// Takes what is sent: at most what is available.
    pub(crate) fn take(&mut self, count: usize) {
        self.0 = self.0.saturating_sub(i32::try_from(count).unwrap_or(i32::MAX));
    }

    /// The peer grants more (section 6.9).
    pub(crate) fn grow(&mut self, increment: u32) -> Result<(), Overflow> {
        self.shift(i64::from(increment))
    }

    /// The peer has changed the size that windows start with (section 6.9.2).
    pub(crate) fn resize(&mut self, from: u32, to: u32) -> Result<(), Overflow> {
        self.shift(i64::from(to) - i64::from(from))
    }

    fn shift(&mut self, by: i64) -> Result<(), Overflow> {
        let size = i64::from(self.0) + by;
        if size > i64::from(LARGEST) {
            return Err(Overflow);
        }
        self.0 = i32::try_from(size).unwrap_or(i32::MIN);
        Ok(())
    }
}

/// The peer has sent more than it may.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Exceeded;

/// So much is worth a WINDOW_UPDATE.
const WORTH: u32 = 4096;

/// A window that grows becomes so many times as large.
const GROWTH: u32 = 4;

/// How much the peer may send. What is consumed is granted again, by halves of the window; while nothing of it is
/// held up, the window grows, so that a fast peer need not wait for grants.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct ReceiveWindow {
    /// What it may still send; negative where it was allowed more before it knew the window's size.
    left: i32,
    /// How far `left` may fall.
    floor: i32,
    /// What has been consumed and not been granted again.
    consumed: u32,
    size: u32,
    most: u32,
}

impl ReceiveWindow {
    pub(crate) fn new(size: u32, most: u32) -> Self {
        let size = size.min(LARGEST);
        let left = i32::try_from(size).unwrap_or(i32::MAX);
        Self { left, floor: 0, consumed: 0, size, most: most.clamp(size, LARGEST) }
    }

    /// The same, for a peer that may still take it for one of `other` (section 6.9.2): what it sends beyond the size is
    /// no fault, and is granted again like the rest.
    pub(crate) fn or_as_large_as(self, other: u32) -> Self {
        let more = i32::try_from(other.saturating_sub(self.size)).unwrap_or(i32::MAX);
        Self { floor: -more, ..self }
    }

    pub(crate) fn size(&self) -> u32 {
        self.size
    }

    pub(crate) fn is_shut(&self) -> bool {
        self.left <= 0
    }

    /// How much the peer may send without another grant.
    pub(crate) fn room(&self) -> u32 {
        u32::try_from(i64::from(self.left) - i64::from(self.floor)).unwrap_or(0)
    }

    /// Whether the peer may send so much without another grant, and the window is still open then. An empty frame that
    /// ends a body takes no room, but clients of nghttp2 send none into a window that is shut.
    pub(crate) fn has_room_behind(&self, count: u64) -> bool {
        u64::try_from(self.left).is_ok_and(|left| count < left)
    }

    /// The peer sent so much.
    pub(crate) fn take(&mut self, count: u32) -> Result<(), Exceeded> {
        let left = i32::try_from(count).ok().and_then(|count| self.left.checked_sub(count));
        self.left = left.filter(|left| *left >= self.floor).ok_or(Exceeded)?;
        Ok(())
    }

    /// So much has been consumed: what is to be granted for it now, if anything. Nothing is where all that is still
    /// `expected` has room, and the end of it.
    pub(crate) fn consume(&mut self, count: u32, expected: Option<u64>) -> Option<u32> {
        let taken = i64::from(self.size) - i64::from(self.left) - i64::from(self.consumed);
        let held = u32::try_from(taken).unwrap_or(0);
        let count = count.min(held);
        self.consumed = self.consumed.saturating_add(count);
        let half = self.size / 2;
        // Where little is left the other half may be held for long: what is free is granted, if it is worth a frame.
        let is_low = i64::from(self.consumed) >= i64::from(self.left) && self.consumed >= WORTH;
        let is_due = self.consumed >= half || is_low;
        let is_enough = expected.is_some_and(|expected| self.has_room_behind(expected));
        if self.consumed == 0 || !is_due || is_enough {
            return None;
        }
        let most = self.most.min(self.size.saturating_mul(GROWTH));
        let growth = if held == count { most.saturating_sub(self.size) } else { 0 };
        let grant = core::mem::take(&mut self.consumed).saturating_add(growth);
        self.size = self.size.saturating_add(growth);
        self.left = self.left.saturating_add_unsigned(grant);
        Some(grant)
    }

    /// What is still to come is thrown away: what is to be granted for that, once and for all. It is what is `expected`
    /// and its end, up to `most`; where all of that has room already, nothing.
    pub(crate) fn let_in(&mut self, most: u32, expected: Option<u64>) -> Option<u32> {
        let whole = expected.map_or(u64::MAX, |expected| expected.saturating_add(1));
        // The peer may still take the window for a larger one (section 6.9.2).
        let most = u64::from(most.min(LARGEST - SendWindow::DEFAULT)).min(whole);
        let grant = u32::try_from(i64::try_from(most).ok()? - i64::from(self.left)).ok()?;
        self.left = self.left.saturating_add_unsigned(grant);
        (grant > 0).then_some(grant)
    }
}
