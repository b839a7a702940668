//! Heads: a request's as it came, a response's as it is to go.

use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use bytes::Bytes;

/// A version of HTTP.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    Http11,
    /// HTTP/2
    Http2,
}

/// One field line: a name and a value.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Field<'a> {
    /// The name, in the letters' case in which it was or is to be sent.
    pub name: &'a str,
    /// The value, without the blanks around it. Any byte but CR, LF and NUL.
    pub value: &'a [u8],
}

/// One field line that came, whose name and value can be had as parts of its head's memory.
#[derive(Clone, Copy)]
pub struct SharedField<'a> {
    name: &'a [u8],
    value: &'a [u8],
    block: &'a Bytes,
}

impl<'a> SharedField<'a> {
    /// The name, in the letters' case in which it came. It is ASCII.
    pub fn name(&self) -> &'a [u8] {
        self.name
    }

    /// The value, without the blanks around it.
    pub fn value(&self) -> &'a [u8] {
        self.value
    }

    /// How many bytes are kept for as long as a part of them is shared.
    pub fn shared_size(&self) -> usize {
        self.block.len()
    }

    /// The name, sharing the head's memory.
    pub fn share_name(&self) -> Bytes {
        self.block.slice_ref(self.name)
    }

    /// The value, sharing the head's memory.
    pub fn share_value(&self) -> Bytes {
        self.block.slice_ref(self.value)
    }
}

impl fmt::Debug for SharedField<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name.escape_ascii(), self.value.escape_ascii())
    }
}

/// Field lines in their order, each as it came: one block of bytes, the text and an index behind it.
///
/// The index has eight bytes a field, four little-endian `u16`: where the name starts and ends, where the
/// value starts and ends.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Fields {
    block: Bytes,
    index: u32,
}

const ENTRY: usize = 8;

/// A part of a text: where it starts, and where it ends.
pub(crate) type Span = (u16, u16);

/// The most bytes of a block that lies in one allocation with the count of those who share it.
const BRIEF: usize = 256;

impl Fields {
    /// Copies `text` and indexes the fields within it. A longer block has the exact size, and gets its count
    /// beside it when it is first shared.
    ///
    /// `text` must be shorter than 64 KiB and hold every field; spans that it does not hold read as empty.
    pub(crate) fn new(text: &[u8], fields: impl ExactSizeIterator<Item = (Span, Span)>) -> Self {
        let length = text.len() + fields.len() * ENTRY;
        let entries = fields.map(|(name, value)| entry(name, value));
        let block = if length <= BRIEF {
            let mut block = [0; BRIEF];
            let (start, index) = block.split_at_mut(text.len());
            start.copy_from_slice(text);
            index.as_chunks_mut::<ENTRY>().0.iter_mut().zip(entries).for_each(|(slot, entry)| *slot = entry);
            let mut block = Bytes::from_owner(block);
            block.truncate(length);
            block
        } else {
            let mut block = Vec::with_capacity(length);
            block.extend_from_slice(text);
            entries.for_each(|entry| block.extend_from_slice(&entry));
            Bytes::from(block)
        };
        Self { block, index: u32::try_from(text.len()).unwrap_or(u32::MAX) }
    }

    fn text(&self) -> &[u8] {
        self.block.get(..self.index as usize).unwrap_or(&[])
    }

    fn len(&self) -> usize {
        self.block.len().saturating_sub(self.index as usize) / ENTRY
    }

    fn spans(&self) -> impl ExactSizeIterator<Item = (Range<usize>, Range<usize>)> + Clone + '_ {
        let (entries, _) = self.block.get(self.index as usize..).unwrap_or(&[]).as_chunks::<ENTRY>();
        entries.iter().map(|entry| {
            let at = |i: usize| usize::from(u16::from_le_bytes([entry[i], entry[i + 1]]));
            (at(0)..at(2), at(4)..at(6))
        })
    }

    fn iter(&self) -> impl ExactSizeIterator<Item = Field<'_>> + Clone {
        self.spans().map(|(name, value)| Field {
            name: str_of(self.text(), name),
            value: self.text().get(value).unwrap_or(&[]),
        })
    }

    fn shared(&self) -> impl ExactSizeIterator<Item = SharedField<'_>> + Clone {
        let text = self.text();
        self.spans().map(move |(name, value)| SharedField {
            name: text.get(name).unwrap_or(&[]),
            value: text.get(value).unwrap_or(&[]),
            block: &self.block,
        })
    }
}

fn entry(name: Span, value: Span) -> [u8; ENTRY] {
    let spans = [name.0, name.1, value.0, value.1].map(u16::to_le_bytes);
    let [[a, b], [c, d], [e, f], [g, h]] = spans;
    [a, b, c, d, e, f, g, h]
}

/// Where `part`, a part of `text`, stands in it.
pub(crate) fn span(text: &[u8], part: &[u8]) -> Span {
    let start = (part.as_ptr() as usize).wrapping_sub(text.as_ptr() as usize);
    let clamp = |at: usize| u16::try_from(at).unwrap_or(0);
    match start.checked_add(part.len()) {
        Some(end) if end <= text.len() => (clamp(start), clamp(end)),
        _ => (0, 0),
    }
}

fn str_of(text: &[u8], range: Range<usize>) -> &str {
    text.get(range).and_then(|bytes| core::str::from_utf8(bytes).ok()).unwrap_or("")
}

/// A request's head, as it came: the case of its names and the order of its fields are kept.
///
/// One allocation. Cloning it shares that.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RequestHead {
    control: Control,
    version: Version,
    fields: Fields,
}

/// Where the control data of a request stands in its text; what is not there is empty.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) struct Control {
    pub(crate) method: Span,
    pub(crate) target: Span,
    pub(crate) scheme: Span,
    pub(crate) authority: Span,
    pub(crate) protocol: Span,
}

impl RequestHead {
    pub(crate) fn new<'a>(
        text: &[u8],
        method: &str,
        target: &str,
        version: Version,
        fields: impl ExactSizeIterator<Item = (&'a [u8], &'a [u8])>,
    ) -> Self {
        let (method, target) = (span(text, method.as_bytes()), span(text, target.as_bytes()));
        let control = Control { method, target, ..Control::default() };
        let fields = fields.map(|(name, value)| (span(text, name), span(text, value)));
        Self::with_control(control, version, Fields::new(text, fields))
    }

    pub(crate) fn with_control(control: Control, version: Version, fields: Fields) -> Self {
        Self { control, version, fields }
    }

    /// The method. Methods are case-sensitive (RFC 9110 section 9.1).
    pub fn method(&self) -> &str {
        str_of(self.fields.text(), range(self.control.method))
    }

    /// The method, which is ASCII.
    pub fn method_bytes(&self) -> &[u8] {
        self.fields.text().get(range(self.control.method)).unwrap_or(&[])
    }

    /// The target as it came, in any of its four forms (RFC 9112 section 3.2).
    pub fn target(&self) -> &str {
        str_of(self.fields.text(), range(self.control.target))
    }

    /// The target, sharing the head's memory.
    pub fn target_bytes(&self) -> Bytes {
        self.fields.block.slice(range(self.control.target))
    }

    /// The scheme, as HTTP/2 names it beside the target (RFC 9113 section 8.3.1); `None` in HTTP/1.
    pub fn scheme_bytes(&self) -> Option<Bytes> {
        self.beside(self.control.scheme)
    }

    /// The authority, as HTTP/2 names it beside the target (RFC 9113 section 8.3.1); `None` in HTTP/1.
    pub fn authority_bytes(&self) -> Option<Bytes> {
        self.beside(self.control.authority)
    }

    /// The protocol that an extended CONNECT asks for (RFC 8441 section 4); `None` in HTTP/1.
    pub fn protocol(&self) -> Option<&str> {
        let protocol = str_of(self.fields.text(), range(self.control.protocol));
        Some(protocol).filter(|protocol| !protocol.is_empty())
    }

    fn beside(&self, span: Span) -> Option<Bytes> {
        (span.0 < span.1).then(|| self.fields.block.slice(range(span)))
    }

    /// The version of the message.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The fields in their order.
    pub fn fields(&self) -> impl ExactSizeIterator<Item = Field<'_>> + Clone {
        self.fields.iter()
    }

    /// The fields in their order, for who wants to share the head's memory.
    pub fn shared_fields(&self) -> impl ExactSizeIterator<Item = SharedField<'_>> + Clone {
        self.fields.shared()
    }

    /// The head as it came, down to the empty line that ends it.
    pub fn as_bytes(&self) -> &[u8] {
        self.fields.text()
    }
}

fn range((start, end): Span) -> Range<usize> {
    usize::from(start)..usize::from(end)
}

impl fmt::Debug for RequestHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {:?} ({} fields)", self.method(), self.target(), self.version, self.fields.len())
    }
}

/// The trailers of a request's body, as they came.
///
/// Fields that frame, route or authenticate a message are not among them (RFC 9110 section 6.5.1).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Trailers(pub(crate) Fields);

impl Trailers {
    /// The fields in their order.
    pub fn fields(&self) -> impl ExactSizeIterator<Item = Field<'_>> + Clone {
        self.0.iter()
    }

    /// The fields in their order, for who wants to share their memory.
    pub fn shared_fields(&self) -> impl ExactSizeIterator<Item = SharedField<'_>> + Clone {
        self.0.shared()
    }
}

impl fmt::Debug for Trailers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.fields()).finish()
    }
}

/// How long a response's body is going to be.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ResponseLength {
    /// So many bytes; for a response to HEAD, what a GET would have got.
    Known(u64),
    /// Until [`finish`](crate::Connection::finish), or what a `content-length` among the fields says.
    Unknown,
}

/// A response's head.
///
/// `fields` are written in their order. The connection itself frames the message and speaks for the
/// transport: `transfer-encoding`, `keep-alive` and `proxy-connection` are left out, `content-length` is
/// used and written anew, and of `connection` only the option `close` is heard.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ResponseHead<F> {
    /// The status, 200 to 999; or 101, which agrees to an upgrade.
    pub status: u16,
    /// The fields.
    pub fields: F,
    /// The length of the body.
    pub length: ResponseLength,
}

/// The wall clock as a `date` field has it: `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 section 5.6.7).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Date([u8; 29]);

impl Date {
    /// A date of these bytes; `None` where one of them is not visible ASCII or a space.
    pub fn new(text: [u8; 29]) -> Option<Self> {
        text.iter().all(|byte| matches!(byte, b' '..=b'~')).then_some(Self(text))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(core::str::from_utf8(&self.0).unwrap_or("?"))
    }
}
