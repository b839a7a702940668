//! What the targets share with the tests: the file alone, without what else the test kit depends on.

#[path = "../../tests/src/wire.rs"]
pub mod wire;
