//! Our header blocks (RFC 7541 sections 2 and 6).

use alloc::vec::Vec;

use super::table::{Name, Table, fingerprint, size};
use super::{huffman, integer, static_table};

/// The most that our table takes, whatever the peer allows. A server's responses repeat a dozen fields, and
/// every idle connection keeps its table: more would cost memory and save nothing.
const OUR_MAX: u16 = 1024;

/// Encodes a connection's header blocks, each between `begin` and the next `begin`, in the order in which they
/// are sent.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Encoder {
    table: Table<Fingerprint>,
    /// How often the table has changed.
    changes: u64,
    /// What the next block has to start with.
    due: Option<SizeUpdates>,
}

/// What the table was made since the last block (RFC 7541 section 4.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct SizeUpdates {
    lowest: u16,
    last: u16,
}

/// By which entries are told apart before their texts are compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Fingerprint {
    name: u16,
    value: u16,
}

impl Encoder {
    /// One for a peer whose table is of the initial size, which the first block lowers to ours.
    pub(crate) fn new() -> Self {
        Self {
            table: Table::new(OUR_MAX),
            changes: 0,
            due: Some(SizeUpdates { lowest: OUR_MAX, last: OUR_MAX }),
        }
    }

    /// Follows a `SETTINGS_HEADER_TABLE_SIZE` of the peer (RFC 9113 section 6.5.2).
    pub(crate) fn set_peer_max(&mut self, max: u32) {
        let max = u16::try_from(max).map_or(OUR_MAX, |max| max.min(OUR_MAX));
        if max == self.table.max() {
            return;
        }
        self.changes = self.changes.wrapping_add(1);
        self.table.resize(max);
        let lowest = self.due.map_or(max, |due| due.lowest.min(max));
        self.due = Some(SizeUpdates { lowest, last: max });
    }

    /// A number that changes with the table: while it is the same, so is what a block means that refers to it.
    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    /// Begins a block. It starts with the lowest size that the table had since the last one, if it was raised
    /// again, and the size that it has now (RFC 7541 section 4.2).
    pub(crate) fn begin(&mut self, out: &mut Vec<u8>) {
        let Some(due) = self.due.take() else { return };
        self.changes = self.changes.wrapping_add(1);
        if due.lowest < due.last {
            integer::write(out, 0x20, 5, due.lowest.into());
        }
        integer::write(out, 0x20, 5, due.last.into());
    }

    /// Writes `:status`, whose last three digits count (RFC 9113 section 8.3.2).
    pub(crate) fn status(&mut self, out: &mut Vec<u8>, status: u16) {
        let digit = |unit: u16| b'0' + (status / unit % 10) as u8;
        match status {
            200 => out.push(0x80 | 8),
            _ => self.write(out, b":status", &[digit(100), digit(10), digit(1)]),
        }
    }

    /// Writes a field line. Uppercase letters of the name are made lowercase (RFC 9113 section 8.2).
    pub(crate) fn field(&mut self, out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
        if name.iter().any(u8::is_ascii_uppercase) {
            return self.lowered(out, name, value);
        }
        self.write(out, name, value);
    }

    /// A longer name than any that is in use is written as it comes, and left out of the table.
    fn lowered(&mut self, out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
        let mut lower = [0; 64];
        match lower.get_mut(..name.len()) {
            Some(lower) => {
                lower.copy_from_slice(name);
                lower.make_ascii_lowercase();
                self.write(out, lower, value);
            }
            None => {
                out.push(Indexing::None.pattern());
                integer::write(out, 0, 7, name.len());
                out.extend(name.iter().map(u8::to_ascii_lowercase));
                write_string(out, value);
            }
        }
    }

    fn write(&mut self, out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
        let known = static_table::find(name);
        let indexing = match known {
            Some((_, entry)) => entry.indexing,
            None => Indexing::of(name),
        };
        if indexing != Indexing::Incremental {
            return write_literal(out, indexing, known.map(|(index, _)| index), name, value);
        }
        if let Some(index) = known.and_then(|(index, entry)| static_table::find_value(index, entry, value)) {
            return integer::write(out, 0x80, 7, index);
        }
        let print = Fingerprint { name: fingerprint(name), value: fingerprint(value) };
        let named = match self.find(print, name, value) {
            Found::Line(index) => return integer::write(out, 0x80, 7, index),
            Found::Name(index) => Some(index),
            Found::Nothing => None,
        };
        let index = known.map(|(index, _)| index).or(named);
        if size(name.len(), value.len()) > usize::from(self.table.max() / 2) {
            return write_literal(out, Indexing::None, index, name, value);
        }
        write_literal(out, Indexing::Incremental, index, name, value);
        self.changes = self.changes.wrapping_add(1);
        self.table.insert(Name::Text(name), value, print);
    }

    /// Looks for a line among our entries, and for its name on the way.
    fn find(&self, print: Fingerprint, name: &[u8], value: &[u8]) -> Found {
        let mut found = Found::Nothing;
        for (place, note) in self.table.notes().enumerate() {
            if note.name != print.name || (note.value != print.value && found != Found::Nothing) {
                continue;
            }
            let Some(entry) = self.table.get(place).filter(|entry| entry.name == name) else { continue };
            let index = static_table::LENGTH + 1 + place;
            if entry.value == value {
                return Found::Line(index);
            }
            if found == Found::Nothing {
                found = Found::Name(index);
            }
        }
        found
    }

    #[cfg(any(test, feature = "fuzzing"))]
    pub(super) fn table(&self) -> &Table<impl Copy + use<>> {
        &self.table
    }

    /// The memory that it owns beside itself, in octets.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn memory(&self) -> usize {
        self.table.memory()
    }
}

/// What the table has, and at which index (RFC 7541 section 2.3.3).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    Line(usize),
    Name(usize),
    Nothing,
}

/// How a line is sent that is not in a table (RFC 7541 section 6.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Indexing {
    /// It enters the table (section 6.2.1).
    Incremental,
    /// It stays out: it hardly comes again (section 6.2.2).
    None,
    /// It must stay out, wherever it is sent on to: who can guess at it, and see how long our blocks are,
    /// could find it out (sections 6.2.3 and 7.1). A secret is safe by being long, but that is not known here:
    /// none of these is indexed, however long it is.
    Never,
}

impl Indexing {
    /// Of fields that are not named here the same line is likely to come again. So does `date`: it is a new
    /// one every second, and a busy connection answers thousands of requests in one.
    pub(super) const fn of(name: &[u8]) -> Self {
        match name {
            b"authorization" | b"proxy-authorization" | b"cookie" | b"set-cookie" => Self::Never,
            b"authentication-info" | b"x-api-key" | b"x-auth-token" | b"x-csrf-token" | b"x-xsrf-token" => {
                Self::Never
            }
            b":path" | b"age" | b"content-length" | b"content-location" | b"content-range" => Self::None,
            b"content-disposition" | b"content-digest" | b"repr-digest" | b"digest" => Self::None,
            b"etag" | b"expires" | b"last-modified" | b"location" | b"retry-after" | b"range" => Self::None,
            [b'i', b'f', b'-', ..] => Self::None,
            b"x-request-id" | b"request-id" | b"x-correlation-id" | b"traceparent" | b"tracestate" => {
                Self::None
            }
            b"server-timing" | b"x-runtime" | b"x-response-time" => Self::None,
            _ => Self::Incremental,
        }
    }

    /// What stands above the name's index in the first octet.
    const fn pattern(self) -> u8 {
        match self {
            Self::Incremental => 0x40,
            Self::None => 0x00,
            Self::Never => 0x10,
        }
    }

    /// How many bits of the first octet are the name's index.
    const fn prefix(self) -> u32 {
        match self {
            Self::Incremental => 6,
            Self::None | Self::Never => 4,
        }
    }
}

/// Writes a field line that refers to no entry of ours, and enters none: a block of such lines stands for itself, and
/// may be sent whenever it suits.
pub(crate) fn write_standalone(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    let name = name.to_ascii_lowercase();
    let indexing = match Indexing::of(&name) {
        Indexing::Never => Indexing::Never,
        Indexing::None | Indexing::Incremental => Indexing::None,
    };
    write_literal(out, indexing, static_table::find(&name).map(|(index, _)| index), &name, value);
}

/// RFC 7541 section 6.2: the name is that of the entry of this index, if there is one.
fn write_literal(out: &mut Vec<u8>, indexing: Indexing, index: Option<usize>, name: &[u8], value: &[u8]) {
    integer::write(out, indexing.pattern(), indexing.prefix(), index.unwrap_or(0));
    if index.is_none() {
        write_string(out, name);
    }
    write_string(out, value);
}

/// RFC 7541 section 5.2: in the Huffman code where that is shorter.
fn write_string(out: &mut Vec<u8>, text: &[u8]) {
    let coded = huffman::encoded_length(text);
    if coded < text.len() {
        out.reserve(coded + 4);
        integer::write(out, 0x80, 7, coded);
        huffman::encode(text, out);
    } else {
        integer::write(out, 0x00, 7, text.len());
        out.extend_from_slice(text);
    }
}
