//! The test kit.

pub mod wire;
