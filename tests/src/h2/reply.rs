//! Responses, put together from what was sent on their streams.

use super::reader::{Fields, Sent};

/// What there is of a response.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Reply {
    /// The status; zero while there is none.
    pub status: u16,
    /// The statuses of the interim responses ahead of it.
    pub interim: Vec<u16>,
    /// The fields, without the status.
    pub fields: Fields,
    /// The body.
    pub body: Vec<u8>,
    /// The trailers.
    pub trailers: Fields,
    /// How it ended, where it has.
    pub ended: Option<Ended>,
}

/// How a response ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    /// Whole.
    Whole,
    /// By a RST_STREAM with this code; where it was whole, that stopped the request.
    Reset(u32),
}

impl Reply {
    /// The value of a field, where there is one.
    pub fn field(&self, name: &str) -> Option<&str> {
        let (_, value) = self.fields.iter().find(|(known, _)| known == name)?;
        std::str::from_utf8(value).ok()
    }

    fn take(&mut self, wanted: u32, sent: &Sent) {
        match sent {
            Sent::Headers { stream, fields, end } if *stream == wanted => {
                self.take_fields(fields);
                self.take_end(*end);
            }
            Sent::Data { stream, data, end } if *stream == wanted => {
                self.body.extend_from_slice(data);
                self.take_end(*end);
            }
            Sent::RstStream { stream, code } if *stream == wanted => {
                self.ended.get_or_insert(Ended::Reset(*code));
            }
            _ => {}
        }
    }

    fn take_fields(&mut self, fields: &[(String, Vec<u8>)]) {
        let Some(((name, value), rest)) = fields.split_first().filter(|((name, _), _)| name == ":status")
        else {
            self.trailers = fields.to_vec();
            return;
        };
        let digits = std::str::from_utf8(value).ok().and_then(|digits| digits.parse().ok());
        match digits.unwrap_or_else(|| panic!("{name} is a number")) {
            interim @ 100..200 => self.interim.push(interim),
            status => (self.status, self.fields) = (status, rest.to_vec()),
        }
    }

    fn take_end(&mut self, end: bool) {
        if end {
            self.ended = Some(Ended::Whole);
        }
    }
}

/// What there is of the response on a stream.
pub fn reply<'a>(sent: impl IntoIterator<Item = &'a Sent>, stream: u32) -> Reply {
    let mut reply = Reply::default();
    sent.into_iter().for_each(|sent| reply.take(stream, sent));
    reply
}
