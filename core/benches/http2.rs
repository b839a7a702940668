//! The core alone: a hundred requests on one HTTP/2 connection, read and answered, without a socket.
//!
//! `cargo bench -p lameduck-core --bench http2`

mod exchange;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use exchange::http2;

fn requests(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("http2");
    for (name, lines) in [("small GET", http2::SMALL), ("browser's GET", http2::BROWSER)] {
        let mut client = http2::Client::new(lines);
        group.throughput(Throughput::Elements(exchange::STREAMS.into()));
        group.bench_function(name, |bencher| bencher.iter(|| client.exchange()));
    }
    group.finish();
}

criterion_group!(benches, requests);
criterion_main!(benches);
