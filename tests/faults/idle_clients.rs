//! What clients cost that do nothing: memory, and the time to open and close thousands of them.

use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt, TryStreamExt};
use redis_manager::prelude::*;
use redis_manager::{OpenRedisClient, Protocol};
use redis_manager_support::TestServer;

use crate::harness::{Run, eventually};
use crate::process::{memory, open_files};

/// How many openings are under way at the same time, as when a host loads its scripts.
const AT_ONCE: usize = 64;

const BYTES_EACH: usize = 20_000;
const OPENED_WITHIN: Duration = Duration::from_secs(3);
const CLOSED_WITHIN: Duration = Duration::from_secs(1);

#[test]
fn ten_thousand_idle_clients_cost_little_memory_and_are_quickly_opened_and_closed() {
    let run = Run::begin("idle_clients");
    let server = TestServer::builder()
        .args(["--maxclients", "20000", "--tcp-backlog", "4096"])
        .start_or_panic();
    // Of each kind: 20 000 file descriptors suffice for the 15 000 sockets that are open at the same time.
    let (count, resp2_count) = run.scale((250, 125), (5_000, 2_500));
    let manager = RedisManager::new().unwrap();
    let script = manager.load_script("idle").unwrap();
    let resp2_script = manager.load_script("idle under RESP2").unwrap();
    let idle = Idle {
        run: &run,
        server: &server,
        manager: &manager,
        script: &script,
        protocol: Protocol::Resp3,
    };
    let resp2_idle = Idle {
        script: &resp2_script,
        protocol: Protocol::Resp2,
        ..idle
    };
    // What the first client brings for all of them is not what each of them costs.
    for client in [
        idle.open::<RedisCommandClient>(1)
            .pop()
            .map(AnyClient::from),
        idle.open::<RedisPubSubClient>(1).pop().map(AnyClient::from),
        resp2_idle
            .open::<RedisPubSubClient>(1)
            .pop()
            .map(AnyClient::from),
    ] {
        client.unwrap().close();
    }
    eventually("the first clients are gone", || idle.connections() == 0);
    let files = open_files();

    let commands = idle.measured::<RedisCommandClient>("COMMAND clients", count);
    let pubsubs = idle.measured::<RedisPubSubClient>("PUB_SUB clients", count);
    let opened_in = commands.opened_in + pubsubs.opened_in;
    run.report(
        &format!("{} clients opened (< {OPENED_WITHIN:?})", 2 * count),
        format!("{opened_in:.1?}"),
    );
    assert_eq!(idle.connections(), 2 * count, "as the server sees it");
    assert_eq!(open_files(), files + 2 * count, "one socket each");

    // Beside the others: in what they leave behind these would cost nothing.
    let kind = "PUB_SUB clients under RESP2";
    let resp2_pubsubs = resp2_idle.measured::<RedisPubSubClient>(kind, resp2_count);
    let sockets = 2 * resp2_count;
    assert_eq!(idle.connections(), 2 * count + sockets);
    assert_eq!(
        open_files(),
        files + 2 * count + sockets,
        "two sockets each"
    );

    let began = Instant::now();
    let report = manager.unload_script(&script);
    let closed_in = began.elapsed();
    run.report(
        &format!("{} clients closed (< {CLOSED_WITHIN:?})", 2 * count),
        format!("{closed_in:.1?}"),
    );
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.drained().count(), 2 * count);
    assert_eq!(
        open_files(),
        files + sockets,
        "when the unloading returns, it is done"
    );
    let resp2_report = manager.unload_script(&resp2_script);
    assert!(resp2_report.is_clean(), "{resp2_report}");
    assert_eq!(resp2_report.drained().count(), resp2_count);
    assert_eq!(open_files(), files);
    eventually("the server has seen the end", || idle.connections() == 0);
    let is_closed = |client: &RedisPubSubClient| client.state() == ClientState::Closed;
    assert!(pubsubs.clients.iter().all(is_closed));
    assert!(resp2_pubsubs.clients.iter().all(is_closed));
    let is_closed = |client: &RedisCommandClient| client.state() == ClientState::Closed;
    assert!(commands.clients.iter().all(is_closed));
    // Last, so that all figures are printed.
    if run.is_long() {
        assert!(opened_in < OPENED_WITHIN, "{opened_in:?}");
        assert!(closed_in < CLOSED_WITHIN, "{closed_in:?}");
        for each in [
            commands.bytes_each,
            pubsubs.bytes_each,
            resp2_pubsubs.bytes_each,
        ] {
            assert!(each <= BYTES_EACH, "{each} bytes");
        }
    }
}

struct Measured<C> {
    clients: Vec<C>,
    opened_in: Duration,
    bytes_each: usize,
}

struct Idle<'run> {
    run: &'run Run,
    server: &'run TestServer,
    manager: &'run RedisManager,
    script: &'run ScriptHandle,
    protocol: Protocol,
}

impl Idle<'_> {
    /// Opens `count` clients of one kind and reports what one costs.
    fn measured<C>(&self, kind: &str, count: usize) -> Measured<C>
    where
        C: OpenRedisClient + Into<AnyClient>,
    {
        let (before, began) = (memory(), Instant::now());
        let clients = self.open::<C>(count);
        let opened_in = began.elapsed();
        let bytes_each = memory().saturating_sub(before) / count;
        self.run.report(
            &format!("memory of one of {count} {kind} (≤ {BYTES_EACH} bytes)"),
            format!("{bytes_each} bytes"),
        );
        Measured {
            clients,
            opened_in,
            bytes_each,
        }
    }

    fn open<C>(&self, count: usize) -> Vec<C>
    where
        C: OpenRedisClient + Into<AnyClient>,
    {
        let options = ClientOptions::builder().protocol(self.protocol);
        let options = options.build().unwrap();
        let url = self.server.url();
        let opening = stream::iter(0..count)
            .map(|_| {
                let (url, options) = (url.as_str(), options.clone());
                self.manager.open_with_async::<C>(self.script, url, options)
            })
            .buffer_unordered(AT_ONCE);
        pollster::block_on(opening.try_collect()).unwrap()
    }

    /// How many connections the server has, without the admin's. Not by a list of them, whose text would
    /// stay in what this process holds.
    fn connections(&self) -> usize {
        let info = self.server.run(&["INFO", "clients"]).text();
        let count = info
            .lines()
            .find_map(|line| line.strip_prefix("connected_clients:"));
        count.unwrap().trim().parse::<usize>().unwrap() - 1
    }
}
