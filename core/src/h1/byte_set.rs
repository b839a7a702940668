//! Sets of bytes, as the grammars have them.

/// A set of bytes. Whether it has one is a single look: the names and hosts of every message are checked so.
pub(crate) struct ByteSet([bool; 256]);

impl ByteSet {
    /// The ASCII letters and digits, and these.
    pub(crate) const fn alphanumeric_and(others: &[u8]) -> Self {
        let mut set = [false; 256];
        let mut byte = 0;
        while byte < set.len() {
            set[byte] = (byte as u8).is_ascii_alphanumeric();
            byte += 1;
        }
        let mut at = 0;
        while at < others.len() {
            set[others[at] as usize] = true;
            at += 1;
        }
        Self(set)
    }

    /// The visible ASCII characters, without this one.
    pub(crate) const fn visible_but(other: u8) -> Self {
        let mut set = [false; 256];
        let mut byte = b'!';
        while byte <= b'~' {
            set[byte as usize] = byte != other;
            byte += 1;
        }
        Self(set)
    }

    pub(crate) fn has(&self, byte: u8) -> bool {
        self.0[usize::from(byte)]
    }

    /// What stands behind those bytes of the set that `bytes` starts with.
    pub(crate) fn skip<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        let end = bytes.iter().position(|byte| !self.has(*byte)).unwrap_or(bytes.len());
        &bytes[end..]
    }

    pub(crate) fn has_all(&self, bytes: &[u8]) -> bool {
        // Without a way out: what is asked for is short, and mostly there.
        bytes.iter().fold(true, |all, byte| all & self.has(*byte))
    }
}
