//! The test kit.

pub mod calls;
pub mod data;
pub mod explore;
pub mod h2;
pub mod handlers;
pub mod model;
pub mod peer;
pub mod polled;
pub mod reader;
pub mod recalled;
pub mod shells;
pub mod wire;
