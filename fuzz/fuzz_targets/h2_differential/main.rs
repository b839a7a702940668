//! The same bytes, frame by frame, for us and for the `h2` crate's server: whatever we accept, it reads the same way;
//! what one of us gives up, a stream or the connection, the other gives up at the same frame. [`differences`] lists
//! what it does otherwise, each with its section and the case that it is; everything else has to be alike.

#![no_main]

mod blocks;
mod differences;
mod frame;
mod grammar;
mod ours;
mod past;
mod seen;
mod theirs;

use std::collections::{BTreeMap, BTreeSet};

use arbitrary::Unstructured;
use differences::Difference;
use frame::View;
use lameduck_fuzz::decode;
use lameduck_fuzz::h2::words::{Said, Words};
use lameduck_fuzz::h2::{PREFACE, code, frame as make};
use libfuzzer_sys::fuzz_target;
use ours::Ours;
use past::{Case, Past};
use theirs::Theirs;

fuzz_target!(|input: &[u8]| {
    let bytes = match input {
        [0x80..=0xff, script @ ..] => said(script),
        input if input.starts_with(PREFACE) => input.to_vec(),
        input => [&greeting(), input].concat(),
    };
    let mut pair = Pair::new();
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        let (frame, behind) = rest.split_at(pair.ours.first(rest));
        rest = behind;
        // Of half a frame each makes as much as it likes.
        if !frame::is_whole(frame) || pair.take(frame) == Next::Stop {
            return;
        }
    }
});

/// What the client of a script says. One is told by its first byte: no frame that is taken is so long.
fn said(script: &[u8]) -> Vec<u8> {
    let mut words = Words::new();
    words.say(&Said::Settings { first: None, second: None });
    words.say(&Said::SettingsAck);
    let script: Vec<Said> = decode::all(&mut Unstructured::new(script)).unwrap_or_default();
    script.iter().for_each(|said| words.say(said));
    words.arrive(usize::MAX)
}

/// What goes before an input that does not begin with the preface.
fn greeting() -> Vec<u8> {
    make::join([PREFACE, make::settings(&[]).as_ref(), make::settings_ack().as_ref()])
}

/// How a stream was given up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// With this code.
    Reset(u32),
    /// With a response.
    Answered,
}

/// The streams that were given up at a frame.
pub type Refused = BTreeMap<u32, Refusal>;

/// Whether there is more to compare.
#[derive(PartialEq)]
enum Next {
    Go,
    Stop,
}

struct Pair {
    ours: Ours,
    theirs: Theirs,
    past: Past,
    /// h2 decodes a field block as it comes. Whether it has given up one that is not whole yet: its connection, or its
    /// stream, whose next frame then ends the connection. It is asked no more.
    is_ahead: bool,
}

impl Pair {
    fn new() -> Self {
        Self { ours: Ours::new(), theirs: Theirs::new(), past: Past::new(), is_ahead: false }
    }

    fn take(&mut self, frame: &[u8]) -> Next {
        let case = self.past.take(View::of(frame));
        self.ours.take(frame);
        if !self.is_ahead {
            self.theirs.take(frame);
        }
        let is_given_up =
            self.theirs.failure.is_some() || self.theirs.refused.contains_key(&case.frame.stream);
        self.is_ahead |= case.is_open && is_given_up;
        if case.is_open && self.is_ahead && self.ours.failure().is_none() {
            return Next::Go;
        }
        match self.compare(&case) {
            Next::Go if !self.is_ahead => Next::Go,
            _ => Next::Stop,
        }
    }

    fn compare(&mut self, case: &Case<'_>) -> Next {
        match (self.ours.failure(), &self.theirs.failure) {
            (Some(_), Some(_)) => return Next::Stop,
            (Some(_), None) if self.is_ahead => return Next::Stop,
            (Some(fault), None) => {
                let named = differences::we_alone_end(fault, case, &self.past, &self.theirs.refused);
                assert!(named.is_some(), "we alone fail with {fault:?} at {:?}", case.frame);
                return Next::Stop;
            }
            (None, Some(error)) => {
                let named = differences::h2_alone_ends(error, case, &self.past, &self.ours.refused);
                assert!(named.is_some(), "h2 alone fails with {error} at {case:?}");
                return Next::Stop;
            }
            (None, None) => {}
        }
        if self.ours.is_over() || self.theirs.is_over {
            assert!(self.past.last_of_goaway.is_some(), "an end that nobody asked for");
            return Next::Stop;
        }
        self.compare_refused(case);
        self.compare_requests();
        match differences::parts_ways(case) {
            Some(_) => Next::Stop,
            None => Next::Go,
        }
    }

    fn compare_refused(&mut self, case: &Case<'_>) {
        let (ours, theirs) =
            (std::mem::take(&mut self.ours.refused), std::mem::take(&mut self.theirs.refused));
        let numbers: BTreeSet<_> = ours.keys().chain(theirs.keys()).copied().collect();
        for number in numbers {
            let (ours, theirs) = (ours.get(&number), theirs.get(&number));
            let before = self.past.stream(number);
            self.past.give_up(number, ours.copied(), theirs.copied());
            if before.is_reset || before.is_refused_by_us && !before.is_answered_by_us {
                let is_fine = ours.is_none_or(|ours| *ours == Refusal::Reset(code::STREAM_CLOSED));
                assert!(is_fine, "{ours:?} for {number}, which is closed, at {:?}", case.frame);
            }
            if before.is_closed() {
                continue;
            }
            let named = match (ours, theirs) {
                (Some(ours), Some(theirs)) => differences::alike(*ours, *theirs, case, &self.past),
                (Some(ours), None) => differences::we_alone_refuse(*ours, case, &self.past),
                (None, Some(theirs)) => differences::h2_alone_refuses(*theirs, case, &self.past),
                (None, None) => Some(Difference::Alike),
            };
            assert!(named.is_some(), "{number} is given up by us: {ours:?}, by h2: {theirs:?}, at {case:?}");
        }
    }

    fn compare_requests(&self) {
        let numbers: BTreeSet<_> = self.ours.requests.keys().chain(self.theirs.requests.keys()).collect();
        for number in numbers {
            if !self.past.stream(*number).is_closed() {
                let ours = self.ours.requests.get(number);
                let theirs = self.theirs.requests.get(number).map(|received| received.request.clone());
                assert_eq!(ours.map(|seen| seen.as_told_by_h2()), theirs, "stream {number}");
            }
        }
    }
}
