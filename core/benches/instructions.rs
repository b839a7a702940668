//! The core alone, in instructions a request: repeatable, whatever else the machine is doing.
//!
//! `cargo bench -p lameduck-core --bench instructions`, where `valgrind` is installed. The program runs itself
//! under it twice, with a few requests and with more; the difference is what requests cost.

mod exchange;

use std::env;
use std::process::Command;

const FEW: u64 = 1_000;
const MORE: u64 = 3_000;

fn main() {
    let arguments: Vec<String> = env::args().collect();
    match arguments.as_slice() {
        [_, serve, request, count] if serve == "--serve" => {
            serve_requests(request, count.parse().expect("a number of requests"));
        }
        _ => ["small GET", "browser's GET"].into_iter().for_each(report),
    }
}

fn serve_requests(request: &str, count: u64) {
    let request = if request == "small GET" { exchange::SMALL } else { exchange::BROWSER };
    let mut connection = exchange::connection();
    (0..count).for_each(|_| exchange::exchange(&mut connection, request));
}

fn report(request: &str) {
    match (instructions(request, FEW), instructions(request, MORE)) {
        (Some(few), Some(more)) => {
            println!("{request}: {} instructions a request", (more - few) / (MORE - FEW));
        }
        _ => println!("{request}: skipped: valgrind does not run here"),
    }
}

/// What the whole process executes, as callgrind counts it.
fn instructions(request: &str, count: u64) -> Option<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(env::current_exe().ok()?)
        .args(["--serve", request, &count.to_string()])
        .output()
        .ok()?;
    let report = String::from_utf8(output.stderr).ok()?;
    let (_, figure) = report.lines().find_map(|line| line.split_once("Collected :"))?;
    figure.trim().parse().ok()
}
