//! Scripts, from bytes.

use arbitrary::{Arbitrary, Result, Unstructured};
use lameduck_fuzz::decode::{all, short};
use lameduck_fuzz::h2::words::Increment;

use crate::script::{Op, Script};

impl<'a> Arbitrary<'a> for Script {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let [choice, requests] = u.arbitrary()?;
        let window = if choice & 4 == 0 { Some(Increment::arbitrary(u)?) } else { None };
        Ok(Self {
            small_limits: choice & 1 != 0,
            cancel_on_half_close: choice & 2 != 0,
            greeted: (choice & 24 != 0).then_some(window),
            requests,
            ops: all(u)?,
        })
    }
}

impl<'a> Arbitrary<'a> for Op {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(match u.int_in_range(0..=63)? {
            0..=17 => Self::Say(u.arbitrary()?),
            18..=20 => Self::Hold(u.arbitrary()?),
            21 => Self::Arrive(u.arbitrary()?),
            22 => Self::Eof,
            23 => Self::Gone,
            24..=25 => Self::Timeout,
            26..=27 => Self::Due,
            28..=29 => Self::Pass(u.arbitrary()?),
            30 => Self::SetDate,
            31..=33 => {
                let (id, status) = (u.arbitrary()?, u.arbitrary()?);
                Self::Respond { id, status, length: short(u)?, field: u.arbitrary()? }
            }
            34..=38 => Self::Answer { id: u.arbitrary()?, size: u.arbitrary()?, trailer: short(u)? },
            39 => Self::Inform { id: u.arbitrary()?, status: u.arbitrary()?, field: u.arbitrary()? },
            40..=42 => Self::SendBody { id: u.arbitrary()?, size: u.arbitrary()? },
            43..=45 => Self::Finish { id: u.arbitrary()?, trailer: short(u)? },
            46 => Self::Reset(u.arbitrary()?),
            47 => Self::ReadBody(u.arbitrary()?),
            48 => Self::DiscardBody(u.arbitrary()?),
            49..=50 => Self::Release { id: u.arbitrary()?, count: u.arbitrary()? },
            51 => Self::Drain(u.arbitrary()?),
            52 => Self::Abort,
            53..=54 => Self::Event,
            55..=57 => Self::Transmit,
            58..=60 => Self::Transmitted(u.arbitrary()?),
            _ => Self::Settle,
        })
    }
}
