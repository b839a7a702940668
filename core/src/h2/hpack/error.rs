use core::error::Error;
use core::fmt;

/// Why a header block cannot be decoded. The table is out of step with the peer's then, whatever it was: the
/// connection ends with `COMPRESSION_ERROR` (RFC 9113 section 4.3).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum HpackError {
    /// The block ends in the middle of a line (RFC 7541 section 5).
    Truncated,
    /// An integer of more octets than any that could be meant (section 5.1).
    IntegerTooLong,
    /// An index of zero, or behind the last entry (sections 2.3.3 and 6.1).
    BadIndex,
    /// A Huffman code that has EOS in it, or ends with anything but up to seven bits of it (section 5.2).
    BadHuffman,
    /// A size update behind a field line, or a third one before it (section 4.2).
    MisplacedSizeUpdate,
    /// A size update to more than we allow (section 6.3).
    SizeUpdateTooLarge,
    /// The peer has acknowledged that its table is to be smaller, and has not made it so (section 4.2).
    MissingSizeUpdate,
    /// Well-formed, as far as it was read: a single name or value is longer than the limit.
    StringTooLong,
}

impl HpackError {
    /// Whether the peer broke no rule but our limit.
    pub(crate) const fn is_over_limit(self) -> bool {
        matches!(self, Self::StringTooLong)
    }
}

impl fmt::Display for HpackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "header block ends in the middle of a line",
            Self::IntegerTooLong => "integer of too many octets in a header block",
            Self::BadIndex => "index of no entry in a header block",
            Self::BadHuffman => "malformed Huffman code in a header block",
            Self::MisplacedSizeUpdate => "table size update out of place",
            Self::SizeUpdateTooLarge => "table size update over the limit",
            Self::MissingSizeUpdate => "table not made smaller as acknowledged",
            Self::StringTooLong => "name or value over the limit in a header block",
        })
    }
}

impl Error for HpackError {}
