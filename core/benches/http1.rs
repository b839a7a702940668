//! The core alone: a small request read and answered, without a socket.
//!
//! `cargo bench -p lameduck-core --bench http1`

mod exchange;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

fn http1(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("http1");
    for (name, request) in [("small GET", exchange::SMALL), ("browser's GET", exchange::BROWSER)] {
        let mut connection = exchange::connection();
        group.throughput(Throughput::Elements(1));
        group.bench_function(name, |bencher| bencher.iter(|| exchange::exchange(&mut connection, request)));
    }
    group.finish();
}

criterion_group!(benches, http1);
criterion_main!(benches);
