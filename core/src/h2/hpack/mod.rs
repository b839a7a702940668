//! HPACK: header blocks to field lines and back (RFC 7541).

mod decode;
mod encode;
mod error;
mod huffman;
mod integer;
#[cfg(feature = "fuzzing")]
pub mod outside;
mod static_table;
mod table;
#[cfg(test)]
mod tests;

pub(crate) use self::decode::{Decoder, Effect, Line};
pub(crate) use self::encode::{Encoder, write_standalone};
pub(crate) use self::error::HpackError;

/// What `SETTINGS_HEADER_TABLE_SIZE` is until the peer says otherwise, and has acknowledged otherwise (RFC 9113
/// section 6.5.2).
pub(crate) const INITIAL_TABLE: u16 = 4096;
