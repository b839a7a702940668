//! Integers with a prefix (RFC 7541 section 5.1).

use alloc::vec::Vec;

use super::HpackError;

/// Where the bits of each octet behind the prefix go. Four are enough for anything below 2^28, which is more
/// than any length or size that we allow, and cannot overflow.
const SHIFTS: [u32; 4] = [0, 7, 14, 21];

/// Takes an integer off the front of `input`: `prefix` bits of the first octet, at most eight, and as many
/// octets as follow.
#[inline]
pub(super) fn read(input: &mut &[u8], prefix: u32) -> Result<u32, HpackError> {
    let most = (1 << prefix) - 1;
    let first = u32::from(take(input)?) & most;
    if first < most {
        return Ok(first);
    }
    let mut value = most;
    for shift in SHIFTS {
        let octet = take(input)?;
        value += u32::from(octet & 0x7f) << shift;
        if octet & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(HpackError::IntegerTooLong)
}

fn take(input: &mut &[u8]) -> Result<u8, HpackError> {
    let (octet, rest) = input.split_first().ok_or(HpackError::Truncated)?;
    *input = rest;
    Ok(*octet)
}

/// Appends an integer whose first octet has `pattern` above the `prefix` bits.
#[inline]
pub(super) fn write(out: &mut Vec<u8>, pattern: u8, prefix: u32, value: usize) {
    let most = (1 << prefix) - 1;
    if value < most {
        out.push(pattern | value as u8);
        return;
    }
    out.push(pattern | most as u8);
    let mut rest = value - most;
    while rest >= 0x80 {
        out.push(0x80 | (rest & 0x7f) as u8);
        rest >>= 7;
    }
    out.push(rest as u8);
}
