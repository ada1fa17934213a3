//! The end of scripts that have clients. Opening those is not measured.
#![allow(
    clippy::expect_used,
    missing_docs,
    reason = "a benchmark fails by panicking, and criterion's macros make undocumented functions"
)]

use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use redis_manager::prelude::*;
use redis_manager_support::TestServer;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

fn unload(criterion: &mut Criterion) {
    let uri: RedisUri = TestServer::shared().url().parse().expect("a URI");
    let manager = RedisManager::new().expect("a manager");
    let host = Runtime::new().expect("a runtime");
    let load = |scripts: usize, clients: usize| {
        let load = |number| {
            let script = manager
                .load_script(format!("bench {number}"))
                .expect("a script");
            for _ in 0..clients {
                let client = manager.open::<RedisCommandClient>(&script, uri.clone());
                client.expect("a client");
            }
            script
        };
        (0..scripts).map(load).collect::<Vec<_>>()
    };

    let mut group = criterion.benchmark_group("unload");
    for (name, scripts, clients) in [
        ("a script with a client", 1, 1),
        ("a script with 50 clients", 1, 50),
        ("50 scripts with a client each", 50, 1),
    ] {
        group.throughput(Throughput::Elements((scripts * clients) as u64));
        group.bench_function(name, |bencher| {
            let unload = |scripts: Vec<ScriptHandle>| {
                let mut tasks = JoinSet::new();
                for script in scripts {
                    let manager = manager.clone();
                    let unloading = async move { manager.unload_script_async(&script).await };
                    tasks.spawn_on(unloading, host.handle());
                }
                for report in host.block_on(tasks.join_all()) {
                    assert!(report.is_clean() && report.clients().len() == clients);
                }
            };
            bencher.iter_batched(|| load(scripts, clients), unload, BatchSize::PerIteration);
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(2));
    targets = unload
}
criterion_main!(benches);
