//! Publishing to a channel that nobody listens to: the client's part alone.
#![allow(
    clippy::expect_used,
    missing_docs,
    reason = "a benchmark fails by panicking, and criterion's macros make undocumented functions"
)]

use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use redis_manager::prelude::*;
use redis_manager_support::TestServer;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

const CHANNEL: &str = "bench";
const PAYLOAD: &str = "0123456789abcdef0123456789abcdef";

fn publish_path(criterion: &mut Criterion) {
    let manager = RedisManager::new().expect("a manager");
    let script = manager.load_script("bench").expect("a script");
    let client: RedisPubSubClient = manager
        .open(&script, TestServer::shared().url().as_str())
        .expect("a client");
    let client = &client;
    let host = Runtime::new().expect("a runtime");

    let mut group = criterion.benchmark_group("publish");
    group.bench_function("blocking", |bencher| {
        bencher.iter(|| assert_eq!(client.publish(CHANNEL, PAYLOAD).ok(), Some(0)));
    });
    for depth in [1_u32, 128] {
        group.throughput(Throughput::Elements(depth.into()));
        group.bench_function(format!("{depth} in flight"), |bencher| {
            bencher.to_async(&host).iter_custom(|messages| async move {
                let mut tasks = JoinSet::new();
                let start = Instant::now();
                for _ in 0..depth {
                    let client = client.clone();
                    tasks.spawn(async move {
                        for _ in 0..messages {
                            let receivers = client.publish_async(CHANNEL, PAYLOAD).await;
                            assert_eq!(receivers.ok(), Some(0));
                        }
                    });
                }
                tasks.join_all().await;
                start.elapsed()
            });
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(50)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3));
    targets = publish_path
}
criterion_main!(benches);
