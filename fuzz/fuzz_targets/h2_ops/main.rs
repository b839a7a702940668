//! Any operations in any order: frames that are right and frames that lie, ends, commands for streams that there are
//! and are not, time that jumps and goes back. What the documentation promises of them is checked at every step.

#![no_main]

mod decode;
mod responses;
mod script;
mod world;

use libfuzzer_sys::fuzz_target;
use script::Script;
use world::Http2;

fuzz_target!(|script: Script| {
    let mut world = Http2::new(&script);
    script.ops.iter().for_each(|op| world.step(op));
    world.end();
});
