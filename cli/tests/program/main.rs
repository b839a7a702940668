//! Tests of the program as its users run it: a process, its sockets, its signals, its stderr, its exit code.

mod client;
mod demo;
mod drain;
mod files;
mod log;
mod process;
mod usage;

/// Both shells.
const SHELLS: [&str; 2] = ["tokio", "mio"];
