//! A request, as a server has it.

use lameduck_fuzz::h2::Fields;

use crate::grammar;

/// A request, as far as it has come.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Seen {
    pub method: String,
    pub scheme: String,
    pub authority: String,
    pub path: String,
    pub protocol: String,
    pub fields: Fields,
    pub body: Vec<u8>,
    pub trailers: Fields,
    pub is_whole: bool,
}

impl Seen {
    /// As h2 can tell it: `http::Uri` has no scheme where it has no authority.
    pub fn as_told_by_h2(&self) -> Self {
        let scheme = if self.authority.is_empty() { String::new() } else { self.scheme.clone() };
        Self { scheme, ..self.clone() }
    }
}

/// In the order of their names.
pub fn sorted(fields: impl Iterator<Item = (String, Vec<u8>)>) -> Fields {
    let mut fields: Fields = fields.collect();
    fields.sort_by(|one, other| one.0.cmp(&other.0));
    fields
}

/// Without those that trailers may not have, which we leave out and h2 does not (RFC 9110 section 6.5.1).
pub fn trailing(fields: Fields) -> Fields {
    fields.into_iter().filter(|(name, _)| grammar::may_trail(name)).collect()
}
