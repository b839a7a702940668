//! The core alone, in instructions a request: repeatable, whatever else the machine is doing.
//!
//! `cargo bench -p lameduck-core --bench instructions`, where `valgrind` is installed. The program runs itself
//! under it twice, with a few requests and with more; the difference is what requests cost.

mod exchange;

use std::env;
use std::process::Command;

use exchange::http2;

enum Request {
    Http1(&'static [u8]),
    Http2(&'static [(&'static str, &'static str)]),
}

const ALL: [(&str, Request); 4] = [
    ("small GET", Request::Http1(exchange::SMALL)),
    ("browser's GET", Request::Http1(exchange::BROWSER)),
    ("small GET over HTTP/2", Request::Http2(http2::SMALL)),
    ("browser's GET over HTTP/2", Request::Http2(http2::BROWSER)),
];

const FEW: u64 = 1_000;
const MORE: u64 = 3_000;

fn main() {
    let arguments: Vec<String> = env::args().collect();
    match arguments.as_slice() {
        [_, serve, request, count] if serve == "--serve" => {
            serve_requests(request, count.parse().expect("a number of requests"));
        }
        _ => ALL.iter().for_each(|(name, _)| report(name)),
    }
}

fn serve_requests(request: &str, count: u64) {
    match ALL.iter().find(|(name, _)| *name == request) {
        Some((_, Request::Http1(request))) => {
            let mut connection = exchange::connection();
            (0..count).for_each(|_| exchange::exchange(&mut connection, request));
        }
        Some((_, Request::Http2(lines))) => {
            let mut client = http2::Client::new(lines);
            (0..count / u64::from(exchange::STREAMS)).for_each(|_| client.exchange());
        }
        None => {}
    }
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
