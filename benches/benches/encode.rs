//! A command into bytes, as a call does it: built, then packed behind what is in the outbox already.
#![allow(
    missing_docs,
    reason = "criterion's macros make undocumented functions"
)]

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use redis_manager::redis::{Cmd, Pipeline};

const KEY: &str = "bench:value";
/// So many requests are in the buffer before it begins anew; its memory is kept, as the outbox keeps it.
const REQUESTS: u32 = 100;

fn encode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("encode");
    group.throughput(Throughput::Elements(REQUESTS.into()));
    let mut outbox = Vec::new();
    let mut pack = |build: &dyn Fn() -> Cmd| {
        outbox.clear();
        for _ in 0..REQUESTS {
            build().write_packed_command(&mut outbox);
        }
        black_box(&outbox);
    };

    group.bench_function("GET", |bencher| {
        bencher.iter(|| pack(&|| Cmd::get(black_box(KEY))));
    });
    for (name, size) in [("32 B", 32), ("1 kB", 1_000), ("100 kB", 100_000)] {
        let value = vec![b'x'; size];
        group.bench_function(format!("SET {name}"), |bencher| {
            bencher.iter(|| pack(&|| Cmd::set(black_box(KEY), &value[..])));
        });
    }
    group.bench_function("a pipeline of GETs", |bencher| {
        bencher.iter(|| {
            let mut pipeline = Pipeline::new();
            for _ in 0..REQUESTS {
                pipeline.get(black_box(KEY));
            }
            pipeline.get_packed_pipeline()
        });
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(50)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    targets = encode
}
criterion_main!(benches);
