//! What the targets share, with each other and with the tests: of those the files alone, without what else the
//! test kit depends on.

pub mod calls;
pub mod decode;
pub mod h2;
#[path = "../../tests/src/polled.rs"]
pub mod polled;
#[path = "../../tests/src/reader.rs"]
pub mod reader;
#[path = "../../tests/src/recalled.rs"]
pub mod recalled;
pub mod watched;
#[path = "../../tests/src/wire.rs"]
pub mod wire;
