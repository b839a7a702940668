//! Any operations in any order: bytes, ends, commands for requests that there are and are not, time that
//! jumps and goes back. What the documentation promises of them is checked at every step.

#![no_main]

mod decode;
mod script;
mod world;

use libfuzzer_sys::fuzz_target;
use script::Script;
use world::Http1;

fuzz_target!(|script: Script| {
    let mut world = Http1::new(&script);
    script.ops.iter().for_each(|op| world.step(op));
    world.end();
});
