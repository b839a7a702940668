//! Which streams the peer has opened (RFC 9113 section 5.1.1).

use crate::lifecycle::http2::Number;

/// What a stream's number says of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Past {
    /// It has not been opened: by the peer, whose numbers are odd, or by us, who open none.
    Idle,
    /// It has been opened, or so long ago that it may have been.
    Opened,
    /// The peer has passed it over: it can never be opened.
    Skipped,
}

/// The numbers that the peer has used, which only grow.
///
/// A number below the highest is that of a stream that was opened and is closed, where frames may have crossed its
/// end, or it was passed over, and is an error. Only memory tells one from the other: that of the last 64 numbers, which
/// costs as many bits. What lies further back is taken for opened, the milder of the two: so far behind an honest
/// client's frames may still lag, while one that goes so far back gains nothing by it but the end of that stream.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub(super) struct Numbers {
    highest: Number,
    /// Whether each of the last numbers was used: the lowest bit stands for the highest.
    recent: u64,
}

impl Numbers {
    /// A stream is opened, with a number that is higher than all before.
    pub(super) fn open(&mut self, number: Number) {
        let steps = (number.saturating_sub(self.highest)).div_ceil(2);
        self.recent = self.recent.checked_shl(steps).unwrap_or(0) | 1;
        self.highest = number;
    }

    pub(super) fn is_idle(&self, number: Number) -> bool {
        number.is_multiple_of(2) || number > self.highest
    }

    pub(super) fn past(&self, number: Number) -> Past {
        if self.is_idle(number) {
            return Past::Idle;
        }
        let back = (self.highest - number) / 2;
        match self.recent.checked_shr(back) {
            Some(recent) if recent & 1 == 0 => Past::Skipped,
            _ => Past::Opened,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(numbers: impl IntoIterator<Item = Number>) -> Numbers {
        let mut opened = Numbers::default();
        numbers.into_iter().for_each(|number| opened.open(number));
        opened
    }

    #[test]
    fn what_is_above_the_highest_or_even_is_idle() {
        let numbers = opened([1, 3]);
        for number in [0, 2, 4, 5, 7, 0x7fff_ffff] {
            assert_eq!(numbers.past(number), Past::Idle, "{number}");
        }
        assert_eq!(Numbers::default().past(1), Past::Idle);
    }

    #[test]
    fn of_the_last_64_numbers_those_that_were_used_are_told_from_those_that_were_not() {
        let used = |number: &Number| number.is_multiple_of(3);
        let odd = || (1..=999).step_by(2);
        let numbers = opened(odd().filter(used));
        for number in odd() {
            let is_remembered = number > 999 - 2 * 64;
            let expected = if is_remembered && !used(&number) { Past::Skipped } else { Past::Opened };
            assert_eq!(numbers.past(number), expected, "{number}");
        }
    }

    #[test]
    fn a_leap_of_any_width_is_remembered_as_one() {
        for number in [3, 127, 129, 131, 0x7fff_ffff] {
            let numbers = opened([1, number]);
            assert_eq!(numbers.past(number), Past::Opened);
            assert_eq!(numbers.past(number - 2) == Past::Skipped, number > 3, "{number}");
            assert_eq!(numbers.past(1), Past::Opened, "{number}");
        }
    }
}
