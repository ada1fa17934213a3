//! Thousands of clients whose server comes back do not come back all at the same time.

use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt, TryStreamExt};
use redis_manager::prelude::*;
use redis_manager::{EventStream, Protocol};
use redis_manager_support::TestServer;
use tokio::time::{sleep, timeout_at};

use crate::harness::{PATIENCE, Run};

const AT_ONCE: usize = 64;
const WINDOW: Duration = Duration::from_millis(100);
/// Of all clients, in any window.
const MOST_PERCENT: usize = 20;
const ALL_BACK_WITHIN: Duration = Duration::from_secs(10);

#[test]
fn clients_whose_server_comes_back_come_back_spread_over_time_and_soon() {
    Run::on_runtime("herd", async |run| {
        let server = TestServer::builder()
            .args(["--maxclients", "20000", "--tcp-backlog", "4096"])
            .start_or_panic();
        let count = run.scale(300, 5_000);
        let manager = RedisManager::new().unwrap();
        let script = manager.load_script("herd").unwrap();
        let clients = open(&manager, &script, &server.url(), count).await;

        let streams: Vec<_> = clients.iter().map(ScriptRedisClient::events).collect();
        let watching: Vec<_> = streams
            .into_iter()
            .map(|events| tokio::spawn(back_at(events)))
            .collect();
        server.kill().unwrap();
        sleep(run.scale(Duration::from_secs(1), Duration::from_secs(3))).await;
        // Clients find it while it is being waited for.
        let returns = Instant::now();
        server.restart().unwrap();

        let deadline = tokio::time::Instant::now() + PATIENCE;
        let mut times = Vec::with_capacity(count);
        for watch in watching {
            let back = timeout_at(deadline, watch)
                .await
                .expect("a client is not back");
            times.push(back.unwrap().duration_since(returns));
        }
        let answers = stream::iter(&clients).for_each_concurrent(AT_ONCE, |client| async {
            assert_eq!(client.state(), ClientState::Connected);
            let nothing: Option<u64> = client.async_commands().get("key").await.unwrap();
            assert_eq!(nothing, None);
        });
        answers.await;
        assert_eq!(server.clients().unwrap().len(), count);

        run.report_times("back after the server is", &mut times, ALL_BACK_WITHIN);
        let most = (most_in_a_window(&times) * 100).div_ceil(count);
        run.report(
            &format!("most of {count} clients back in any {WINDOW:?} (≤ {MOST_PERCENT} %)"),
            format!("{most} %"),
        );
        if run.is_long() {
            assert!(times.iter().all(|time| *time <= ALL_BACK_WITHIN));
            assert!(most <= MOST_PERCENT, "{most} %");
        }
        assert!(manager.unload_script_async(&script).await.is_clean());
    });
}

async fn open(
    manager: &RedisManager,
    script: &ScriptHandle,
    url: &str,
    count: usize,
) -> Vec<RedisCommandClient> {
    let opening = stream::iter(0..count)
        .map(|index| {
            let protocol = [Protocol::Resp2, Protocol::Resp3][index % 2];
            let options = ClientOptions::builder().protocol(protocol).build();
            manager.open_with_async(script, url, options.unwrap())
        })
        .buffer_unordered(AT_ONCE);
    opening.try_collect().await.unwrap()
}

/// When the client that the events are of is connected again.
async fn back_at(mut events: EventStream) -> Instant {
    loop {
        match events.recv_async().await {
            Some(ClientEvent::Connected) => return Instant::now(),
            Some(_) => {}
            None => panic!("the client was closed"),
        }
    }
}

/// The most of the sorted `times` that lie within one window.
fn most_in_a_window(times: &[Duration]) -> usize {
    let after = |index: usize| times.get(index..).unwrap_or_default();
    let windows = times.iter().enumerate().map(|(index, first)| {
        let end = *first + WINDOW;
        after(index).partition_point(|time| *time < end)
    });
    windows.max().unwrap_or_default()
}
