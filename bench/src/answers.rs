//! Cuts the bytes of one connection into whole HTTP/1.1 answers.

use std::io::{self, Read};

use anyhow::{Context as _, Result, bail, ensure};

const FIRST_CAPACITY: usize = 16 * 1024;
const MAX_HEADERS: usize = 32;

/// What has been read from one connection and is not yet taken as an answer.
pub struct Answers {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    last: Measured,
}

/// The head that was parsed last, and the length in bytes of the body it announced.
///
/// Servers repeat their heads until the clock moves the `date`, so most answers need one
/// comparison in place of a parse.
#[derive(Default)]
struct Measured {
    head: Vec<u8>,
    body: usize,
}

impl Default for Answers {
    fn default() -> Self {
        Self { buffer: vec![0; FIRST_CAPACITY], start: 0, end: 0, last: Measured::default() }
    }
}

impl Answers {
    /// Reads once from `source`.
    pub fn read_from(&mut self, source: &mut impl Read) -> io::Result<Received> {
        self.make_room();
        let space = &mut self.buffer[self.end..];
        let length = source.read(space)?;
        let filled = length == space.len();
        self.end += length;
        Ok(match length {
            0 => Received::Eof,
            _ if filled => Received::PerhapsMore,
            _ => Received::All,
        })
    }

    /// Takes one whole answer off the front; `false` when there is none yet.
    pub fn take(&mut self) -> Result<bool> {
        let unread = &self.buffer[self.start..self.end];
        let Some(length) = self.last.measure(unread)? else {
            return Ok(false);
        };
        if unread.len() < length {
            return Ok(false);
        }
        self.start += length;
        Ok(true)
    }

    /// Whether every byte read so far belonged to an answer that was taken.
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    fn make_room(&mut self) {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.end == self.buffer.len() {
            self.buffer.resize(self.end * 2, 0);
        }
    }
}

/// What one read said about the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// The read came back short: the socket holds no more for now.
    All,
    /// The read filled the buffer: the socket may hold more.
    PerhapsMore,
    /// The peer has sent its FIN.
    Eof,
}

impl Measured {
    /// Length in bytes, head and body, of the answer that `bytes` begins with.
    fn measure(&mut self, bytes: &[u8]) -> Result<Option<usize>> {
        let known = !self.head.is_empty() && bytes.starts_with(&self.head);
        if !known && !self.parse(bytes)? {
            return Ok(None);
        }
        Ok(Some(self.head.len() + self.body))
    }

    /// Learns the head that `bytes` begins with; `false` when it is not whole yet.
    fn parse(&mut self, bytes: &[u8]) -> Result<bool> {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        let status = response.parse(bytes).context("the answer's head is malformed")?;
        let httparse::Status::Complete(length) = status else {
            return Ok(false);
        };
        let code = response.code.unwrap_or_default();
        ensure!(code == 200, "the answer is a {code}, not a 200");
        self.body = content_length(response.headers)?;
        self.head = bytes[..length].to_vec();
        Ok(true)
    }
}

fn content_length(headers: &[httparse::Header<'_>]) -> Result<usize> {
    let named = |header: &&httparse::Header<'_>| header.name.eq_ignore_ascii_case("content-length");
    let Some(header) = headers.iter().find(named) else {
        bail!("the answer has no content-length");
    };
    std::str::from_utf8(header.value)
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .context("the answer's content-length is not a number")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc";

    fn fed(bytes: &[u8]) -> Answers {
        let mut answers = Answers::default();
        answers.read_from(&mut &*bytes).unwrap();
        answers
    }

    #[test]
    fn answers_are_taken_one_by_one_wherever_the_reads_are_split() {
        let two = ANSWER.repeat(2);
        for split in 1..two.len() {
            let mut answers = fed(&two[..split]);
            let mut taken = 0;
            while answers.take().unwrap() {
                taken += 1;
            }
            answers.read_from(&mut &two[split..]).unwrap();
            while answers.take().unwrap() {
                taken += 1;
            }
            assert_eq!((taken, answers.is_empty()), (2, true), "split at {split}");
        }
    }

    #[test]
    fn anything_but_a_whole_200_with_a_length_is_an_error() {
        for bad in [
            &b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"[..],
            b"HTTP/1.1 200 OK\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
            b"nonsense\r\n\r\n",
        ] {
            assert!(fed(bad).take().is_err());
        }
    }

    #[test]
    fn an_answer_larger_than_the_buffer_is_read_whole() {
        let mut big = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n".to_vec();
        big.resize(big.len() + 100_000, b'x');
        let mut rest = &big[..];
        let mut answers = Answers::default();
        while !answers.take().unwrap() {
            assert_ne!(answers.read_from(&mut rest).unwrap(), Received::Eof);
        }
        assert!(answers.is_empty());
    }
}
