//! HTTP/2: a client that any bytes can be, and what may come of it.

mod client;
mod told;
pub mod words;

#[path = "../../../tests/src/h2/frame.rs"]
pub mod frame;
#[path = "../../../tests/src/h2/names.rs"]
mod names;
#[path = "../../../tests/src/h2/reader.rs"]
mod reader;
#[path = "../../../tests/src/h2/requests.rs"]
mod requests;

pub use client::Client;
pub use frame::Frame;
pub use names::{PREFACE, code, setting};
pub use reader::{Fields, Reader, Sent, read_all};
pub use requests::{Requests, fields};
pub use told::Told;
