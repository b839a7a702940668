//! The test kit.

pub mod model;
pub mod reader;
pub mod wire;
