//! Scripts, from bytes.

use arbitrary::{Arbitrary, Result, Unstructured};
use lameduck_fuzz::decode::{all, noise, short};

use crate::script::{Ack, Increment, Number, Op, Said, Script, Setting, Shape, Size};

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

impl<'a> Arbitrary<'a> for Said {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(match u.int_in_range(0..=31)? {
            0..=9 => Self::Request {
                stream: if u.ratio(7, 8)? { Number::Next } else { u.arbitrary()? },
                kind: u.arbitrary()?,
                shape: u.arbitrary()?,
                end: u.arbitrary()?,
            },
            10 => Self::Trailers { stream: u.arbitrary()?, end: u.arbitrary()? },
            11..=15 => {
                let (stream, size, end) = (u.arbitrary()?, u.arbitrary()?, u.arbitrary()?);
                Self::Data { stream, size, end, padding: short(u)? }
            }
            16 => Self::Reset { stream: u.arbitrary()?, code: u.arbitrary()? },
            17..=19 => {
                let stream = if u.arbitrary()? { Some(u.arbitrary()?) } else { None };
                Self::Grant { stream, by: u.arbitrary()? }
            }
            20..=21 => {
                let first = Some((u.arbitrary()?, u.arbitrary()?));
                let second = if u.arbitrary()? { Some((u.arbitrary()?, u.arbitrary()?)) } else { None };
                Self::Settings { first, second }
            }
            22 => Self::SettingsAck,
            23 => Self::Ping,
            24..=25 => Self::PingAck(u.arbitrary()?),
            26 => Self::GoAway(u.arbitrary()?),
            27 => Self::Priority(u.arbitrary()?, u.arbitrary()?),
            28 => Self::PriorityUpdate(u.arbitrary()?, u.arbitrary()?),
            29..=30 => Self::Frame {
                kind: u.arbitrary()?,
                flags: u.arbitrary()?,
                stream: u.arbitrary()?,
                payload: noise(u)?,
            },
            _ => Self::Bytes(noise(u)?),
        })
    }
}

impl<'a> Arbitrary<'a> for Shape {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(match u.int_in_range(0..=15)? {
            0 => Self::Padded(u.arbitrary()?),
            1 => Self::Prioritized(u.arbitrary()?),
            2 => Self::InTwo(u.arbitrary()?),
            _ => Self::Plain,
        })
    }
}

impl<'a> Arbitrary<'a> for Number {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(match u.int_in_range(0..=31)? {
            back @ 0..=28 => Self::Used(back),
            29..=30 => Self::Next,
            _ => Self::Any(u.arbitrary()?),
        })
    }
}

impl<'a> Arbitrary<'a> for Size {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(match u.int_in_range(0..=31)? {
            size @ 0..=15 => Self::Small(size),
            16..=27 => Self::Some(u.arbitrary()?),
            28..=30 => Self::Large,
            _ => Self::Huge,
        })
    }
}

impl<'a> Arbitrary<'a> for Increment {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(match u.int_in_range(0..=15)? {
            0..=5 => Self::Small(u.arbitrary()?),
            6..=10 => Self::Usual,
            11..=13 => Self::Most,
            _ => Self::Any(u.arbitrary()?),
        })
    }
}

impl<'a> Arbitrary<'a> for Setting {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(match u.int_in_range(0..=7)? {
            0..=4 => Self::Window,
            5 => Self::Table,
            6 => Self::Frame,
            _ => Self::Any(u.arbitrary()?),
        })
    }
}

impl<'a> Arbitrary<'a> for Ack {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        u.choose(&[Self::Notice, Self::Probe, Self::Receipt, Self::Other]).copied()
    }
}
