//! The static table (RFC 7541 appendix A).

use super::encode::Indexing;
use super::table::fingerprint;
use crate::h2::field::Kind;

/// An entry, with what both sides want to know of it.
#[derive(Clone, Copy)]
pub(super) struct Entry {
    pub(super) name: &'static [u8],
    pub(super) value: &'static [u8],
    /// What a line of this name is, if its value is well-formed.
    pub(super) kind: Kind,
    /// How a line of this name is sent.
    pub(super) indexing: Indexing,
}

impl Entry {
    /// What the line is. The values that are here are well-formed; some names cannot be without one.
    pub(super) fn line_kind(&self) -> Kind {
        match self.value {
            b"" => self.kind.with_value(b""),
            _ => self.kind,
        }
    }
}

/// How many entries there are; their indexes start at one.
pub(super) const LENGTH: usize = ENTRIES.len();

/// The entry of this index.
pub(super) fn entry(index: usize) -> Option<&'static Entry> {
    ENTRIES.get(index.checked_sub(1)?)
}

/// The first entry of this name, and its index. Others of the same name follow it directly.
pub(super) fn find(name: &[u8]) -> Option<(usize, &'static Entry)> {
    let mut slot = slot(name);
    loop {
        let index = usize::from(SLOTS[slot]);
        let entry = entry(index)?;
        if entry.name == name {
            return Some((index, entry));
        }
        slot = (slot + 1) % SLOTS.len();
    }
}

/// The index of the entry of this value among those of one name, of which the first is given.
pub(super) fn find_value(index: usize, first: &Entry, value: &[u8]) -> Option<usize> {
    if first.value.is_empty() {
        return value.is_empty().then_some(index);
    }
    let same = ENTRIES.iter().skip(index - 1).take_while(|entry| entry.name == first.name);
    same.zip(index..).find(|(entry, _)| entry.value == value).map(|(_, index)| index)
}

/// The index of the first entry of each name, where the name's fingerprint says or in the next free place
/// behind it; zero where there is none. A quarter of it is in use, so that a search is short, and ends.
static SLOTS: [u8; 256] = {
    let mut slots = [0; 256];
    let mut at = 0;
    while at < ENTRIES.len() {
        if at == 0 || !equal(ENTRIES[at].name, ENTRIES[at - 1].name) {
            let mut slot = slot(ENTRIES[at].name);
            while slots[slot] != 0 {
                slot = (slot + 1) % slots.len();
            }
            slots[slot] = at as u8 + 1;
        }
        at += 1;
    }
    slots
};

const fn slot(name: &[u8]) -> usize {
    (fingerprint(name) & 0xff) as usize
}

const fn equal(one: &[u8], other: &[u8]) -> bool {
    let mut at = 0;
    while at < one.len() && at < other.len() && one[at] == other[at] {
        at += 1;
    }
    at == one.len() && at == other.len()
}

const fn named(name: &'static [u8]) -> Entry {
    with(name, b"")
}

const fn with(name: &'static [u8], value: &'static [u8]) -> Entry {
    Entry { name, value, kind: Kind::of_name(name), indexing: Indexing::of(name) }
}

static ENTRIES: [Entry; 61] = [
    named(b":authority"),
    with(b":method", b"GET"),
    with(b":method", b"POST"),
    with(b":path", b"/"),
    with(b":path", b"/index.html"),
    with(b":scheme", b"http"),
    with(b":scheme", b"https"),
    with(b":status", b"200"),
    with(b":status", b"204"),
    with(b":status", b"206"),
    with(b":status", b"304"),
    with(b":status", b"400"),
    with(b":status", b"404"),
    with(b":status", b"500"),
    named(b"accept-charset"),
    with(b"accept-encoding", b"gzip, deflate"),
    named(b"accept-language"),
    named(b"accept-ranges"),
    named(b"accept"),
    named(b"access-control-allow-origin"),
    named(b"age"),
    named(b"allow"),
    named(b"authorization"),
    named(b"cache-control"),
    named(b"content-disposition"),
    named(b"content-encoding"),
    named(b"content-language"),
    named(b"content-length"),
    named(b"content-location"),
    named(b"content-range"),
    named(b"content-type"),
    named(b"cookie"),
    named(b"date"),
    named(b"etag"),
    named(b"expect"),
    named(b"expires"),
    named(b"from"),
    named(b"host"),
    named(b"if-match"),
    named(b"if-modified-since"),
    named(b"if-none-match"),
    named(b"if-range"),
    named(b"if-unmodified-since"),
    named(b"last-modified"),
    named(b"link"),
    named(b"location"),
    named(b"max-forwards"),
    named(b"proxy-authenticate"),
    named(b"proxy-authorization"),
    named(b"range"),
    named(b"referer"),
    named(b"refresh"),
    named(b"retry-after"),
    named(b"server"),
    named(b"set-cookie"),
    named(b"strict-transport-security"),
    named(b"transfer-encoding"),
    named(b"user-agent"),
    named(b"vary"),
    named(b"via"),
    named(b"www-authenticate"),
];
