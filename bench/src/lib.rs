//! The load generator behind the `load` program: plain HTTP/1.1, and idle HTTP/2, over loopback, on one thread.
//! And what the servers serve that are compared as libraries.
//!
//! The load is strict on purpose. A figure is worth something only if every answer was whole and was a
//! 200, so anything else ends the run with an error instead of a smaller number.

pub mod answers;
mod handler;
pub mod http2;
pub mod idle;
pub mod requests;
pub mod wire;

pub use handler::handle;
