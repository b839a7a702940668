//! The Huffman code (RFC 7541 section 5.2 and appendix B).
//!
//! The code is canonical: among codes of one length the symbols are in their order, and a longer code follows
//! the shorter ones. So its lengths say it all, and the tables are made of them when this is compiled.

use alloc::vec::Vec;

use super::HpackError;

/// How many symbols there are: every octet, and EOS.
const SYMBOLS: usize = 257;

const EOS: usize = 256;

/// The length of the longest code.
const LONGEST: usize = 30;

/// How many bits are looked at in one step: two letters of most texts.
const STEP: usize = 12;

/// What a text of these octets can become at most: no code is shorter than five bits.
const fn most_decoded(length: usize) -> usize {
    length.saturating_mul(8) / 5
}

/// Appends the text that `code` stands for, if that is no longer than `limit`: there is room for no more.
pub(super) fn decode(code: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), HpackError> {
    let start = out.len();
    let most = most_decoded(code.len()).min(limit);
    // A step writes two octets, of which it may not mean the last.
    out.resize(start.saturating_add(most).saturating_add(1), 0);
    let length = decode_into(code, out.get_mut(start..).unwrap_or(&mut []))?;
    if length > limit {
        return Err(HpackError::StringTooLong);
    }
    out.truncate(start + length);
    Ok(())
}

/// How much was written: at most what there was room for.
fn decode_into(code: &[u8], out: &mut [u8]) -> Result<usize, HpackError> {
    let mut bits = Bits { word: 0, count: 0 };
    let mut rest = code;
    let mut at = 0;
    loop {
        rest = bits.fill(rest);
        if bits.count < LONGEST {
            return finish(bits, at, out);
        }
        while bits.count >= STEP {
            let step = &STEPS[bits.peek(STEP)];
            if step.symbols == 0 {
                break;
            }
            *out.get_mut(at..).and_then(<[u8]>::first_chunk_mut).ok_or(HpackError::StringTooLong)? =
                step.text;
            at += usize::from(step.symbols);
            bits.take(usize::from(step.length));
        }
        if bits.count >= LONGEST {
            let (symbol, length) = bits.long();
            put(symbol, &mut at, out)?;
            bits.take(length);
        }
    }
}

/// The last few symbols, and the padding: up to seven bits, those that EOS starts with, which are ones.
fn finish(mut bits: Bits, mut at: usize, out: &mut [u8]) -> Result<usize, HpackError> {
    loop {
        let padded = bits.padded();
        let step = &STEPS[padded.peek(STEP)];
        let (symbol, length) = match step.symbols {
            0 => padded.long(),
            _ => (u16::from(step.text[0]), usize::from(step.first)),
        };
        if length > bits.count {
            break;
        }
        put(symbol, &mut at, out)?;
        bits.take(length);
    }
    if bits.count >= 8 || bits.padded().word != u64::MAX {
        return Err(HpackError::BadHuffman);
    }
    Ok(at)
}

/// Writes one symbol, which must not be EOS.
fn put(symbol: u16, at: &mut usize, out: &mut [u8]) -> Result<(), HpackError> {
    let octet = u8::try_from(symbol).map_err(|_| HpackError::BadHuffman)?;
    *out.get_mut(*at).ok_or(HpackError::StringTooLong)? = octet;
    *at += 1;
    Ok(())
}

/// Bits that wait to be decoded, the next one highest.
#[derive(Clone, Copy)]
struct Bits {
    word: u64,
    count: usize,
}

impl Bits {
    /// Takes in as many octets as there is room for. What is left of them.
    fn fill<'a>(&mut self, code: &'a [u8]) -> &'a [u8] {
        let room = (u64::BITS as usize - self.count) / 8;
        if let Some(next) = code.first_chunk() {
            // Bits beyond those that are counted are the same when they are read again.
            self.word |= u64::from_be_bytes(*next) >> self.count;
            self.count += room * 8;
            return &code[room..];
        }
        let (now, later) = code.split_at(room.min(code.len()));
        self.word &= !(u64::MAX.checked_shr(self.count as u32).unwrap_or(0));
        for octet in now {
            self.word |= u64::from(*octet) << (56 - self.count);
            self.count += 8;
        }
        later
    }

    fn peek(&self, count: usize) -> usize {
        (self.word >> (u64::BITS as usize - count)) as usize
    }

    fn take(&mut self, count: usize) {
        self.word <<= count;
        self.count -= count;
    }

    /// These, with ones behind them.
    fn padded(&self) -> Self {
        let ones = u64::MAX.checked_shr(self.count as u32).unwrap_or(0);
        Self { word: self.word | ones, count: self.count }
    }

    /// The symbol whose code is next, and that code's length, by comparing with the last code of each length.
    fn long(&self) -> (u16, usize) {
        let mut length = STEP;
        while length < LONGEST && self.peek(length) >= CANON.end[length] as usize {
            length += 1;
        }
        let place = usize::from(CANON.place[length]) + self.peek(length) - CANON.start[length] as usize;
        (CANON.symbols.get(place).copied().unwrap_or(EOS as u16), length)
    }
}

/// How many octets the code of this text has.
pub(super) fn encoded_length(text: &[u8]) -> usize {
    text.iter().map(|octet| usize::from(LENGTHS[usize::from(*octet)])).sum::<usize>().div_ceil(8)
}

/// Appends the code of this text.
pub(super) fn encode(text: &[u8], out: &mut Vec<u8>) {
    let mut word = 0_u64;
    let mut count = 0;
    for octet in text {
        // At most 31 bits wait, and a code has at most 30.
        let length = LENGTHS[usize::from(*octet)];
        word = word << length | u64::from(CODES[usize::from(*octet)]);
        count += u32::from(length);
        if count >= 32 {
            count -= 32;
            out.extend_from_slice(&((word >> count) as u32).to_be_bytes());
        }
    }
    // The padding is what EOS starts with, ones.
    let last = ((word << 32 | u64::from(u32::MAX)) >> count) as u32;
    out.extend(last.to_be_bytes().iter().take(count.div_ceil(8) as usize));
}

/// What the next bits say.
#[derive(Clone, Copy)]
struct Step {
    text: [u8; 2],
    /// How many symbols are whole in these bits; none if the first one is longer.
    symbols: u8,
    /// The bits of the first symbol, and of all of them.
    first: u8,
    length: u8,
}

static STEPS: [Step; 1 << STEP] = {
    let mut steps = [Step { text: [0; 2], symbols: 0, first: 0, length: 0 }; 1 << STEP];
    let mut first = 0;
    while first < EOS {
        let length = LENGTHS[first] as usize;
        if length <= STEP {
            let free = STEP - length;
            let start = (CODES[first] as usize) << free;
            let one = Step { text: [first as u8, 0], symbols: 1, first: length as u8, length: length as u8 };
            fill(&mut steps, start, free, one);
            let mut second = 0;
            while second < EOS {
                let more = LENGTHS[second] as usize;
                if more <= free {
                    let start = start | (CODES[second] as usize) << (free - more);
                    let length = (length + more) as u8;
                    let two = Step { text: [first as u8, second as u8], symbols: 2, length, ..one };
                    fill(&mut steps, start, free - more, two);
                }
                second += 1;
            }
        }
        first += 1;
    }
    steps
};

/// Sets all steps that start with the same bits as `start`, whatever the last `free` of them are.
const fn fill(steps: &mut [Step; 1 << STEP], start: usize, free: usize, step: Step) {
    let mut at = start;
    while at < start + (1 << free) {
        steps[at] = step;
        at += 1;
    }
}

/// The symbols by the lengths of their codes.
struct Canon {
    /// All symbols, those of the shorter codes first.
    symbols: [u16; SYMBOLS],
    /// By length: the place of the first symbol of that length, its code, and the code behind the last.
    place: [u16; LONGEST + 1],
    start: [u32; LONGEST + 1],
    end: [u32; LONGEST + 1],
}

static CANON: Canon = CANON_TABLE;

const CANON_TABLE: Canon = {
    let mut canon = Canon {
        symbols: [0; SYMBOLS],
        place: [0; LONGEST + 1],
        start: [0; LONGEST + 1],
        end: [0; LONGEST + 1],
    };
    let (mut place, mut code, mut length) = (0, 0, 1);
    while length <= LONGEST {
        code <<= 1;
        canon.place[length] = place as u16;
        canon.start[length] = code;
        let mut symbol = 0;
        while symbol < SYMBOLS {
            if LENGTHS[symbol] as usize == length {
                canon.symbols[place] = symbol as u16;
                place += 1;
                code += 1;
            }
            symbol += 1;
        }
        canon.end[length] = code;
        length += 1;
    }
    canon
};

/// The code of each symbol, in its lowest bits.
static CODES: [u32; SYMBOLS] = {
    let mut codes = [0; SYMBOLS];
    let mut place = 0;
    while place < SYMBOLS {
        let symbol = CANON_TABLE.symbols[place] as usize;
        let length = LENGTHS[symbol] as usize;
        codes[symbol] = CANON_TABLE.start[length] + (place as u32 - CANON_TABLE.place[length] as u32);
        place += 1;
    }
    codes
};

/// How many bits the code of each symbol has (RFC 7541 appendix B); EOS is the last.
#[rustfmt::skip]
static LENGTHS: [u8; SYMBOLS] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
    28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
    6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
    21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
    30,
];
