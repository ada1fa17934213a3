//! One SET or GET through `async_commands()` beside the bare connection of the `redis` crate that it
//! runs on: what the manager, the script's ownership and the deadline cost a call.
#![allow(
    clippy::expect_used,
    missing_docs,
    reason = "a benchmark fails by panicking, and criterion's macros make undocumented functions"
)]

use criterion::{Criterion, criterion_group, criterion_main};
use redis_manager::prelude::*;
use redis_manager::redis::AsyncConnectionConfig;
use redis_manager_support::TestServer;
use tokio::runtime::Runtime;

const KEY: &str = "bench:value";
/// 32 bytes, a usual size for a score, a name or a flag.
const VALUE: &str = "0123456789abcdef0123456789abcdef";

fn request_path(criterion: &mut Criterion) {
    let server = TestServer::shared();
    let manager = RedisManager::new().expect("a manager");
    let script = manager.load_script("bench").expect("a script");
    let client: RedisCommandClient = manager
        .open(&script, server.url().as_str())
        .expect("a client");
    let host = Runtime::new().expect("a runtime");
    let bare = host.block_on(async {
        let underlying = client.redis_client().into_single().expect("one server");
        // Without redis' own deadline, as under our client, whose deadline is its own.
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        underlying
            .get_multiplexed_async_connection_with_config(&config)
            .await
            .expect("a connection")
    });

    let mut set = criterion.benchmark_group("SET 32 B");
    set.bench_function("async_commands()", |bencher| {
        bencher.to_async(&host).iter(|| {
            let mut commands = client.async_commands();
            async move { commands.set::<_, _, ()>(KEY, VALUE).await.expect("OK") }
        });
    });
    set.bench_function("bare MultiplexedConnection", |bencher| {
        bencher.to_async(&host).iter(|| {
            let mut bare = bare.clone();
            async move { bare.set::<_, _, ()>(KEY, VALUE).await.expect("OK") }
        });
    });
    set.finish();

    let mut get = criterion.benchmark_group("GET 32 B");
    get.bench_function("async_commands()", |bencher| {
        bencher.to_async(&host).iter(|| {
            let mut commands = client.async_commands();
            async move { assert_eq!(commands.get::<_, String>(KEY).await.as_deref(), Ok(VALUE)) }
        });
    });
    get.bench_function("bare MultiplexedConnection", |bencher| {
        bencher.to_async(&host).iter(|| {
            let mut bare = bare.clone();
            async move { assert_eq!(bare.get::<_, String>(KEY).await.as_deref(), Ok(VALUE)) }
        });
    });
    get.bench_function("commands(), blocking", |bencher| {
        let mut commands = client.commands();
        bencher.iter(|| assert_eq!(commands.get::<_, String>(KEY).as_deref(), Ok(VALUE)));
    });
    get.finish();
}

criterion_group!(benches, request_path);
criterion_main!(benches);
