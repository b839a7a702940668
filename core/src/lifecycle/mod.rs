//! The decisions: what a connection may still do, and how it ends.
//!
//! Everything that decides is in this folder; no bytes are. The codecs report what they read and ask what
//! to do. A rule of the drain stands here and nowhere else.

pub(crate) mod http1;
pub(crate) mod http2;
pub(crate) mod patience;
pub(crate) mod stream;
