//! Words, from bytes.

use arbitrary::{Arbitrary, Result, Unstructured};

use super::{Ack, Increment, Number, Said, Setting, Shape, Size};
use crate::decode::{noise, short};

impl<'a> Arbitrary<'a> for Said {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(match u.int_in_range(0..=31)? {
            0..=7 => Self::Request {
                stream: mostly_next(u)?,
                kind: u.arbitrary()?,
                shape: u.arbitrary()?,
                end: u.arbitrary()?,
            },
            8..=9 => {
                let (stream, shape, end) = (mostly_next(u)?, u.arbitrary()?, u.arbitrary()?);
                Self::Lines { stream, lines: noise(u)?, shape, end }
            }
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

fn mostly_next(u: &mut Unstructured<'_>) -> Result<Number> {
    if u.ratio(7, 8)? { Ok(Number::Next) } else { u.arbitrary() }
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
