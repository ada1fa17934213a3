//! No increment is lost, run twice, or run although its call was said not to be sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

use redis_manager::prelude::*;
use redis_manager::redis::{RedisResult, pipe};
use redis_manager::{RedisAsyncCommands, TlsOptions};
use redis_manager_support::TestServer;
use tokio::runtime::Runtime;

use crate::harness::{PATIENCE, Run, eventually};
use crate::random::Random;
use crate::tls_fixture::Secure;

const TASKS_OF_A_CLIENT: usize = 8;
/// How long a task that was turned away does something else.
const PAUSE: Duration = Duration::from_millis(1);

#[test]
fn every_increment_is_accounted_for_however_often_the_connection_is_killed() {
    let run = Run::begin("increment_ledger");
    let server = TestServer::start();
    audit_all(run, &server, &server.url(), &TlsOptions::default());
}

#[test]
fn every_increment_is_accounted_for_over_tls_as_well() {
    let run = Run::begin("increment_ledger_tls");
    let Some(secure) = Secure::start() else {
        return;
    };
    let trusting = secure.certificates.trusting();
    audit_all(run, &secure.server, &secure.url(), &trusting);
}

fn audit_all(mut run: Run, server: &TestServer, url: &str, tls: &TlsOptions) {
    let (operations, kills) = run.scale((20_000, 30), (2_000_000, 450));
    let manager = RedisManager::new().unwrap();
    let clients = open_clients(&manager, url, tls);
    let runtime = Runtime::new().unwrap();
    let progress = Arc::new(Progress::default());
    let mut tasks = Vec::new();
    for client in &clients {
        for _ in 0..TASKS_OF_A_CLIENT {
            let account = Account {
                key: format!("counter {}", tasks.len()),
                ..Account::default()
            };
            let (progress, random) = (Arc::clone(&progress), run.random.fork());
            tasks.push(runtime.spawn(account.fill(client.async_commands(), progress, random)));
        }
    }
    let slot = operations / kills;
    for kill in 0..kills {
        let moment = kill * slot + run.random.below(slot);
        eventually("the moment of the kill", || {
            progress.done.load(SeqCst) >= moment || tasks.iter().any(|task| task.is_finished())
        });
        eventually("somebody is there to be killed", || {
            kill_some(server, &mut run.random)
        });
    }
    eventually("the operations are done", || {
        progress.done.load(SeqCst) >= operations || tasks.iter().any(|task| task.is_finished())
    });
    progress.stop.store(true, SeqCst);
    eventually("no call hangs", || {
        tasks.iter().all(|task| task.is_finished())
    });
    let mut total = Account::default();
    let mut counters = 0;
    for task in tasks {
        let account = runtime.block_on(task).unwrap();
        let counter = server.run(&["GET", &account.key]).as_int().unwrap_or(0);
        account.audit(counter);
        total.add(&account);
        counters += counter;
    }
    run.report("kills", kills);
    run.report("increments acknowledged", total.acknowledged);
    run.report("increments that ran", counters);
    run.report("increments Unknown", total.unknown);
    run.report("increments NotSent", total.not_sent);
    run.report("of those, seen not to have run", total.refuted);
    assert!((total.acknowledged..=total.acknowledged + total.unknown).contains(&counters));
    assert!(total.acknowledged + total.unknown >= operations as i64);
    assert!(total.unknown > 0, "a kill met calls in flight");
    assert!(total.refuted > 0, "a call that was not sent could be told");
}

/// Of each protocol one that queues, one that rejects, and one that queues but not for long.
fn open_clients(manager: &RedisManager, url: &str, tls: &TlsOptions) -> Vec<RedisCommandClient> {
    let script = manager.load_script("ledger").unwrap();
    let mut clients = Vec::new();
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        for (behavior, timeout) in [
            (DisconnectedBehavior::Queue, PATIENCE),
            (DisconnectedBehavior::Reject, PATIENCE),
            (DisconnectedBehavior::Queue, Duration::from_millis(3)),
        ] {
            let options = ClientOptions::builder()
                .tls(tls.clone())
                .protocol(protocol)
                .disconnected_behavior(behavior)
                .command_timeout(timeout)
                .reconnect_delay(Duration::from_millis(50));
            let options = options.build().unwrap();
            clients.push(manager.open_with(&script, url, options).unwrap());
        }
    }
    clients
}

/// Kills every connection, or any one; returns whether there was one.
fn kill_some(server: &TestServer, random: &mut Random) -> bool {
    if random.below(2) == 0 {
        let kill = ["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"];
        return server.run(&kill).as_int() > Some(0);
    }
    let connections = server.clients().unwrap();
    if connections.is_empty() {
        return false;
    }
    let any = &connections[random.below(connections.len() as u64) as usize];
    let kill = ["CLIENT", "KILL", "ID", &any.id.to_string()];
    server.run(&kill).as_int() == Some(1)
}

#[derive(Default)]
struct Progress {
    /// Increments that were acknowledged or are in doubt.
    done: AtomicU64,
    stop: AtomicBool,
}

/// What the only task that increments a counter knows of it.
#[derive(Default)]
struct Account {
    key: String,
    acknowledged: i64,
    unknown: i64,
    not_sent: i64,
    /// Of `not_sent`, those that a later value proves not to have run.
    refuted: i64,
    /// The counter after the last acknowledged increment.
    value: i64,
    /// Increments since then that may have run.
    in_doubt: i64,
    /// Increments since then that must not have run.
    refused: i64,
}

impl Account {
    async fn fill(
        mut self,
        mut commands: RedisAsyncCommands,
        progress: Arc<Progress>,
        mut random: Random,
    ) -> Self {
        while !progress.stop.load(SeqCst) {
            let way = random.below(3);
            let count = if way == 0 { 1 } else { 1 + random.below(4) };
            let outcome = if way == 0 {
                let value = commands.incr(&self.key, 1).await;
                value.map(|value: i64| vec![value])
            } else {
                let mut pipeline = pipe();
                if way == 2 {
                    pipeline.atomic();
                }
                for _ in 0..count {
                    pipeline.incr(&self.key, 1);
                }
                pipeline.query_async(&mut commands).await
            };
            if self.note(count as i64, outcome) == Some(Delivery::NotSent) {
                tokio::time::sleep(PAUSE).await;
            } else {
                progress.done.fetch_add(count, SeqCst);
            }
        }
        self
    }

    fn note(&mut self, count: i64, outcome: RedisResult<Vec<i64>>) -> Option<Delivery> {
        let error = match outcome {
            Ok(values) => {
                assert_eq!(values.len() as i64, count);
                self.acknowledge(&values);
                return None;
            }
            Err(error) => Error::from(error),
        };
        assert!(
            matches!(error.kind(), ErrorKind::Disconnected | ErrorKind::Timeout),
            "{error:?}"
        );
        match error.delivery() {
            Some(Delivery::Unknown) => {
                self.unknown += count;
                self.in_doubt += count;
            }
            Some(Delivery::NotSent) => {
                self.not_sent += count;
                self.refused += count;
            }
            _ => panic!("{error:?}"),
        }
        error.delivery()
    }

    /// The values must follow those before. What is in doubt runs before a later call or not at all:
    /// it was sent before, and a connection that was killed executes nothing more.
    fn acknowledge(&mut self, values: &[i64]) {
        let (before, in_doubt) = (self.value, self.in_doubt);
        assert!(
            (before + 1..=before + 1 + in_doubt).contains(&values[0]),
            "{}: {values:?} follow {before}, with {in_doubt} in doubt and {} refused",
            self.key,
            self.refused
        );
        assert!(
            values.windows(2).all(|pair| pair[1] == pair[0] + 1),
            "{values:?}"
        );
        if in_doubt == 0 {
            self.refuted += self.refused;
        }
        self.acknowledged += values.len() as i64;
        self.value = values[values.len() - 1];
        (self.in_doubt, self.refused) = (0, 0);
    }

    fn audit(&self, counter: i64) {
        assert!(
            (self.value..=self.value + self.in_doubt).contains(&counter),
            "{}: {counter} follows {}, with {} in doubt",
            self.key,
            self.value,
            self.in_doubt
        );
        assert!(
            (self.acknowledged..=self.acknowledged + self.unknown).contains(&counter),
            "{}: {} acknowledged, {} unknown, {counter} ran",
            self.key,
            self.acknowledged,
            self.unknown
        );
    }

    fn add(&mut self, other: &Self) {
        self.acknowledged += other.acknowledged;
        self.unknown += other.unknown;
        self.not_sent += other.not_sent;
        self.refuted += other.refuted;
    }
}
