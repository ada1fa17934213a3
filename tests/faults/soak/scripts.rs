//! Scripts that come and go, with a few clients each.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use redis_manager::prelude::*;
use redis_manager::{DisconnectedBehavior, OpenRedisClient, Protocol};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::Soak;
use crate::harness::PATIENCE;
use crate::random::Random;

impl Soak {
    pub(super) async fn work(self: Arc<Self>, mut random: Random) {
        while !self.over.load(SeqCst) {
            let _loaded = self.scripts.read().await;
            let name = format!("script {}", self.next_script.fetch_add(1, SeqCst));
            let script = self.manager.load_script(&name).unwrap();
            let is_gone = Arc::new(AtomicBool::new(false));
            let mut tasks = Vec::new();
            for number in 0..1 + random.below(4) {
                let channel = format!("{name} {number}");
                tasks.extend(
                    self.start_client(&script, channel, &is_gone, &mut random)
                        .await,
                );
            }
            sleep(Duration::from_millis(random.below(1_500))).await;
            let report = self.manager.unload_script_async(&script).await;
            is_gone.store(true, SeqCst);
            assert!(
                report.was_loaded() && report.failed().count() == 0,
                "{report}"
            );
            for task in tasks {
                timeout(PATIENCE, task)
                    .await
                    .expect("its client is closed")
                    .unwrap();
            }
        }
    }

    /// Opens a client of any kind, and keeps it busy until it is closed.
    async fn start_client(
        self: &Arc<Self>,
        script: &ScriptHandle,
        channel: String,
        is_gone: &Arc<AtomicBool>,
        random: &mut Random,
    ) -> Vec<JoinHandle<()>> {
        let mut tasks = Vec::new();
        match random.below(6) {
            0 => {
                if let Some(client) = self.open::<RedisBasicClient>(script, random).await {
                    let soak = Arc::clone(self);
                    tasks.push(tokio::spawn(async move {
                        while soak.goes_on(client.ping_async().await) {}
                    }));
                }
            }
            1 | 2 => {
                if let Some(client) = self.open::<RedisPubSubClient>(script, random).await {
                    let (soak, is_gone) = (Arc::clone(self), Arc::clone(is_gone));
                    let is_async = random.below(2) == 0;
                    tasks.push(tokio::spawn(soak.chat(client, channel, is_async, is_gone)));
                }
            }
            _ => {
                if let Some(client) = self.open::<RedisCommandClient>(script, random).await {
                    for _ in 0..1 + random.below(3) {
                        let (soak, client) = (Arc::clone(self), client.clone());
                        tasks.push(tokio::spawn(soak.command(client, random.fork())));
                    }
                }
            }
        }
        tasks
    }

    async fn open<C>(&self, script: &ScriptHandle, random: &mut Random) -> Option<C>
    where
        C: OpenRedisClient + Into<AnyClient>,
    {
        let mut coin = || random.below(2) == 0;
        let options = ClientOptions::builder()
            .protocol(if coin() {
                Protocol::Resp2
            } else {
                Protocol::Resp3
            })
            .disconnected_behavior(if coin() {
                DisconnectedBehavior::Queue
            } else {
                DisconnectedBehavior::Reject
            })
            .lazy_connect(coin())
            .connect_timeout(Duration::from_secs(1))
            .command_timeout(Duration::from_secs(1))
            .shutdown_timeout(Duration::from_millis(300))
            .reconnect_delay(Duration::from_millis(200))
            .heartbeat(Duration::from_millis(200))
            .build();
        let opening = self
            .manager
            .open_with_async(script, self.server.url(), options.unwrap());
        match timeout(Duration::from_micros(random.below(2_000_000)), opening).await {
            Ok(Ok(client)) => Some(client),
            Ok(Err(error)) => {
                let kind = error.kind();
                let expected = [
                    ErrorKind::Connect,
                    ErrorKind::Timeout,
                    ErrorKind::Disconnected,
                ];
                assert!(expected.contains(&kind), "{error:?}");
                None
            }
            // Given up: nobody has the client, and it is closed.
            Err(_) => None,
        }
    }
}
