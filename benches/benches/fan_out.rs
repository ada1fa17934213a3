//! One message to all listeners of its channel: from the call of `publish` to the end of the last callback, then the
//! next message.
#![allow(
    clippy::expect_used,
    missing_docs,
    reason = "a benchmark fails by panicking, and criterion's macros make undocumented functions"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use redis_manager::prelude::*;
use redis_manager_support::TestServer;

const CHANNEL: &str = "bench";
const PAYLOAD: &[u8] = b"0123456789abcdef0123456789abcdef";
/// Only to catch a message that is lost.
const PATIENCE: Duration = Duration::from_secs(30);

/// Counts the callbacks of one message, and tells when it was the last.
struct Callbacks {
    left: AtomicUsize,
    done: Sender<()>,
}

impl Callbacks {
    fn new() -> (Arc<Self>, Receiver<()>) {
        let (done, all_done) = channel();
        let left = AtomicUsize::new(0);
        (Arc::new(Self { left, done }), all_done)
    }

    fn heard(&self, message: &Message) -> ListenerResult {
        // Another message is not counted, so that it ends the benchmark.
        if message.payload() == PAYLOAD && self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.done.send(())?;
        }
        Ok(())
    }
}

fn fan_out(criterion: &mut Criterion) {
    let manager = RedisManager::new().expect("a manager");
    let script = manager.load_script("bench").expect("a script");
    let client: RedisPubSubClient = manager
        .open(&script, TestServer::shared().url().as_str())
        .expect("a client");

    let mut group = criterion.benchmark_group("fan-out");
    for listeners in [1, 100] {
        group.throughput(Throughput::Elements(listeners as u64));
        let (callbacks, all_done) = Callbacks::new();
        let measure = |bencher: &mut criterion::Bencher<'_>| {
            bencher.iter(|| {
                callbacks.left.store(listeners, Ordering::Release);
                assert_eq!(client.publish(CHANNEL, PAYLOAD).ok(), Some(1));
                all_done.recv_timeout(PATIENCE).expect("every callback");
            });
        };

        for _ in 0..listeners {
            let callbacks = Arc::clone(&callbacks);
            client
                .register_listener(CHANNEL, move |message: &Message| callbacks.heard(message))
                .expect("a listener");
        }
        group.bench_function(format!("{listeners} blocking"), measure);
        let unregistered = client.unregister_listeners(CHANNEL).expect("unregistered");
        assert_eq!(unregistered, listeners);

        for _ in 0..listeners {
            let callbacks = Arc::clone(&callbacks);
            let listener = client.register_async_listener(CHANNEL, move |message: Message| {
                let callbacks = Arc::clone(&callbacks);
                async move { callbacks.heard(&message) }
            });
            redis_manager_core::wait(listener)
                .expect("no I/O thread")
                .expect("a listener");
        }
        group.bench_function(format!("{listeners} asynchronous"), measure);
        client.unregister_listeners(CHANNEL).expect("unregistered");
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(50)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3));
    targets = fan_out
}
criterion_main!(benches);
