//! Clients that come and go.
#![allow(
    clippy::expect_used,
    missing_docs,
    reason = "a benchmark fails by panicking, and criterion's macros make undocumented functions"
)]

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use redis_manager::prelude::*;
use redis_manager_support::TestServer;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

fn open_close(criterion: &mut Criterion) {
    let uri: RedisUri = TestServer::shared().url().parse().expect("a URI");
    let manager = RedisManager::new().expect("a manager");
    let script = manager.load_script("bench").expect("a script");
    let host = Runtime::new().expect("a runtime");

    let mut group = criterion.benchmark_group("open and close");
    group.bench_function("a command client", |bencher| {
        bencher.iter(|| {
            let client = manager.open::<RedisCommandClient>(&script, uri.clone());
            let report = manager.close_redis_client(&client.expect("a client"));
            assert!(matches!(report.outcome(), CloseOutcome::Drained));
        });
    });
    group.bench_function("a pub/sub client", |bencher| {
        bencher.iter(|| {
            let client = manager.open::<RedisPubSubClient>(&script, uri.clone());
            let report = manager.close_redis_client(&client.expect("a client"));
            assert!(matches!(report.outcome(), CloseOutcome::Drained));
        });
    });
    group.throughput(Throughput::Elements(100));
    group.bench_function("100 command clients at a time", |bencher| {
        bencher.to_async(&host).iter(|| {
            let mut tasks = JoinSet::new();
            for _ in 0..100 {
                let (manager, script, uri) = (manager.clone(), script.clone(), uri.clone());
                tasks.spawn_on(
                    async move {
                        let client = manager.open_async::<RedisCommandClient>(&script, uri).await;
                        manager
                            .close_redis_client_async(&client.expect("a client"))
                            .await
                    },
                    host.handle(),
                );
            }
            async move {
                for report in tasks.join_all().await {
                    assert!(matches!(report.outcome(), CloseOutcome::Drained));
                }
            }
        });
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3));
    targets = open_close
}
criterion_main!(benches);
