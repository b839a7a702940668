//! Which response goes out first (RFC 9218).

use alloc::vec::Vec;

use crate::lifecycle::http2::Number;

/// What a client asks for. Where it asks for nothing, its streams take turns.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Priority {
    /// From 0, the most urgent, to 7 (section 4.1).
    pub(crate) urgency: u8,
    pub(crate) order: Order,
}

/// How a response goes out among those of the same urgency (section 4.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Order {
    /// In pieces, taking turns: it is of use as it comes.
    Incremental,
    /// Whole, before those that were asked for later.
    Sequential,
}

impl Default for Priority {
    fn default() -> Self {
        Self { urgency: 3, order: Order::Incremental }
    }
}

impl Priority {
    /// Reads a `priority` field, or what a PRIORITY_UPDATE carries (sections 4 and 7.1): a dictionary of structured
    /// fields (RFC 8941 section 3.2). What is malformed or unknown is ignored (section 4).
    pub(crate) fn parse(value: &[u8]) -> Self {
        // That the client speaks of priority at all makes `i`'s absence mean what it says.
        let mut priority = Self { order: Order::Sequential, ..Self::default() };
        for member in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
            let member = member.split(|byte| *byte == b';').next().unwrap_or(member);
            match member {
                [b'u', b'=', urgency @ b'0'..=b'7'] => priority.urgency = urgency - b'0',
                b"i" | b"i=?1" => priority.order = Order::Incremental,
                b"i=?0" => priority.order = Order::Sequential,
                _ => {}
            }
        }
        priority
    }
}

/// What has been said of streams that are not open yet (section 7.1). It owns no memory before that happens.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Foretold(Vec<(Number, Priority)>);

impl Foretold {
    /// A client may ask for as many streams as it can have open; of more than so many none has a use for.
    const MOST: usize = 128;

    /// Keeps the latest word on a stream, of no more than so many: the oldest is forgotten.
    pub(crate) fn keep(&mut self, number: Number, priority: Priority, streams: u32) {
        let most = usize::try_from(streams).unwrap_or(usize::MAX).min(Self::MOST);
        self.0.retain(|(other, _)| *other != number);
        self.0.push((number, priority));
        self.0.drain(..self.0.len().saturating_sub(most));
    }

    /// What has been said of a stream that is opened now. Those of lower numbers are not opened any more.
    pub(crate) fn take(&mut self, number: Number) -> Option<Priority> {
        if self.0.is_empty() {
            return None;
        }
        let found = self.0.iter().find(|(other, _)| *other == number).map(|(_, priority)| *priority);
        self.0.retain(|(other, _)| *other > number);
        if self.0.is_empty() {
            *self = Self::default();
        }
        found
    }
}
