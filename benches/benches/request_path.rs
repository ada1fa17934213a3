//! Calls of one command client: one at a time, many in flight, and what the typed traits cost above the connection of
//! `redis-manager-core` that carries them.
#![allow(
    clippy::expect_used,
    missing_docs,
    reason = "a benchmark fails by panicking, and criterion's macros make undocumented functions"
)]

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use redis_manager::prelude::*;
use redis_manager::redis::{Cmd, Value, pipe};
use redis_manager_support::TestServer;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

const KEY: &str = "bench:value";
/// 32 bytes, a usual size for a score, a name or a flag.
const VALUE: &str = "0123456789abcdef0123456789abcdef";

fn request_path(criterion: &mut Criterion) {
    let manager = RedisManager::new().expect("a manager");
    let script = manager.load_script("bench").expect("a script");
    let client: RedisCommandClient = manager
        .open(&script, TestServer::shared().url().as_str())
        .expect("a client");
    let host = Runtime::new().expect("a runtime");

    one_at_a_time(criterion, &host, &client);
    in_flight(criterion, &host, &client);
    pipeline_of_100(criterion, &host, &client);
}

fn one_at_a_time(criterion: &mut Criterion, host: &Runtime, client: &RedisCommandClient) {
    let mut group = criterion.benchmark_group("one at a time");
    group.bench_function("SET, async_commands()", |bencher| {
        bencher.to_async(host).iter(|| {
            let mut commands = client.async_commands();
            async move { commands.set::<_, _, ()>(KEY, VALUE).await.expect("OK") }
        });
    });
    group.bench_function("GET, async_commands()", |bencher| {
        bencher.to_async(host).iter(|| get(client.clone()));
    });
    group.bench_function("GET, connection of core", |bencher| {
        let connection = client.connection();
        bencher.to_async(host).iter(|| async move {
            let reply = connection.request_async(&Cmd::get(KEY)).await;
            let is_value =
                matches!(reply, Ok(Value::BulkString(value)) if value == VALUE.as_bytes());
            assert!(is_value, "another reply");
        });
    });
    group.bench_function("GET, commands()", |bencher| {
        let mut commands = client.commands();
        bencher.iter(|| assert_eq!(commands.get::<_, String>(KEY).as_deref(), Ok(VALUE)));
    });
    group.finish();
}

/// As many tasks as calls in flight; each makes its next call when it has the reply to its last.
fn in_flight(criterion: &mut Criterion, host: &Runtime, client: &RedisCommandClient) {
    let mut group = criterion.benchmark_group("GET, in flight");
    for depth in [1_u32, 16, 128, 1_024] {
        group.throughput(Throughput::Elements(depth.into()));
        group.bench_function(depth.to_string(), |bencher| {
            bencher.to_async(host).iter_custom(|calls| async move {
                let mut tasks = JoinSet::new();
                let start = std::time::Instant::now();
                for _ in 0..depth {
                    let client = client.clone();
                    tasks.spawn(async move {
                        for _ in 0..calls {
                            get(client.clone()).await;
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

fn pipeline_of_100(criterion: &mut Criterion, host: &Runtime, client: &RedisCommandClient) {
    let mut pipeline = pipe();
    for _ in 0..100 {
        pipeline.get(KEY);
    }
    let pipeline = &pipeline;
    let mut group = criterion.benchmark_group("a pipeline of 100");
    group.throughput(Throughput::Elements(100));
    group.bench_function("async_commands()", |bencher| {
        bencher.to_async(host).iter(|| {
            let mut commands = client.async_commands();
            async move {
                let values: Vec<String> =
                    pipeline.query_async(&mut commands).await.expect("values");
                assert!(values.len() == 100 && values.iter().all(|value| value == VALUE));
            }
        });
    });
    group.finish();
}

async fn get(client: RedisCommandClient) {
    let value = client.async_commands().get::<_, String>(KEY).await;
    assert_eq!(value.as_deref(), Ok(VALUE));
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(50)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3));
    targets = request_path
}
criterion_main!(benches);
