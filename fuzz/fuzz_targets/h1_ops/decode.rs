//! Scripts, from bytes.

use arbitrary::{Arbitrary, Result, Unstructured};
use lameduck_fuzz::decode::{all, noise, short};

use crate::script::{Half, Id, Op, Script, Size};

impl<'a> Arbitrary<'a> for Script {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let choice: u8 = u.arbitrary()?;
        Ok(Self {
            small_limits: choice & 1 != 0,
            cancel_on_half_close: choice & 2 != 0,
            answered: (choice >> 2) % 4,
            ops: all(u)?,
        })
    }
}

impl<'a> Arbitrary<'a> for Op {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(match u.int_in_range(0..=63)? {
            0..=6 => Self::Text(u.arbitrary()?),
            7..=14 => Self::Ask(u.arbitrary()?),
            15 => Self::Split(u.arbitrary()?),
            16..=18 => Self::Half(u.arbitrary()?, Half::First),
            19..=21 => Self::Half(u.arbitrary()?, Half::Second),
            22 => Self::Bytes(noise(u)?),
            23 => Self::Eof,
            24 => u.choose(&[Self::Gone, Self::Abort, Self::SetDate, Self::Due])?.clone(),
            25..=26 => Self::Timeout,
            27..=28 => Self::Due,
            29..=30 => Self::Pass(u.arbitrary()?),
            31..=34 => {
                let (id, status) = (u.arbitrary()?, u.arbitrary()?);
                Self::Respond { id, status, length: short(u)?, field: u.arbitrary()? }
            }
            35..=39 => {
                let (id, status) = (u.arbitrary()?, u.arbitrary()?);
                Self::Answer { id, status, size: u.arbitrary()?, trailer: short(u)? }
            }
            40 => Self::Inform { id: u.arbitrary()?, status: u.arbitrary()?, field: u.arbitrary()? },
            41..=43 => Self::SendBody { id: u.arbitrary()?, size: u.arbitrary()? },
            44..=46 => Self::Finish { id: u.arbitrary()?, trailer: short(u)? },
            47 => Self::Reset(u.arbitrary()?),
            48 => Self::ReadBody(u.arbitrary()?),
            49 => Self::DiscardBody(u.arbitrary()?),
            50..=51 => Self::Release { id: u.arbitrary()?, count: u.arbitrary()? },
            52 => Self::Drain(u.arbitrary()?),
            53..=55 => Self::Event,
            56..=57 => Self::Transmit,
            58..=59 => Self::Transmitted(u.arbitrary()?),
            _ => Self::Settle,
        })
    }
}

impl<'a> Arbitrary<'a> for Id {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(match u.int_in_range(0..=31)? {
            0..=27 => Self::Current,
            28 => Self::Previous,
            29..=30 => Self::Next,
            _ => Self::Any(u.arbitrary()?),
        })
    }
}

impl<'a> Arbitrary<'a> for Size {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(match u.int_in_range(0..=31)? {
            size @ 0..=15 => Self::Small(size),
            16..=28 => Self::Some(u.arbitrary()?),
            _ => Self::Large,
        })
    }
}
