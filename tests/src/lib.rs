//! The test kit.

pub mod checks;
pub mod h2;
pub mod handlers;
pub mod model;
pub mod peer;
pub mod reader;
pub mod shells;
pub mod wire;
