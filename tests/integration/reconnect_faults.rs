//! Connections that are lost, stalled or lied to under load.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::SeqCst};
use std::time::Instant;

use redis_manager::prelude::*;
use redis_manager::redis::{RedisError, Value, pipe};
use redis_manager::{Delivery, DisconnectedBehavior};
use redis_manager_support::TestServer;

use crate::fixture::{Host, PATIENCE, PROTOCOLS, eventually};
use crate::reconnect::{
    expect_connected, expect_event, expect_lost, kill_connections, open, options,
};

/// A tiny generator, so that a seed tells the whole course.
struct Random(u64);

impl Random {
    /// From the variable `RECONNECT_SEED`, else from the clock.
    #[expect(clippy::print_stderr, reason = "shown with the test that fails")]
    fn seeded(test: &str) -> Self {
        let seed = std::env::var("RECONNECT_SEED").ok();
        let seed = seed.and_then(|seed| seed.parse().ok()).unwrap_or_else(|| {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            now.unwrap().as_nanos() as u64
        });
        eprintln!("{test}: RECONNECT_SEED={seed}");
        Self(seed)
    }

    fn fork(&mut self) -> Self {
        Self(self.below(u64::MAX >> 33) << 16)
    }

    fn below(&mut self, bound: u64) -> u64 {
        let state = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = state.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

#[derive(Default)]
struct Ledger {
    acknowledged: AtomicI64,
    unknown: AtomicI64,
    not_sent: AtomicI64,
}

impl Ledger {
    fn note(&self, increments: i64, outcome: Result<(), RedisError>) {
        let column = match outcome.map_err(Error::from) {
            Ok(()) => &self.acknowledged,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Disconnected, "{error}");
                match error.delivery() {
                    Some(Delivery::Unknown) => &self.unknown,
                    Some(Delivery::NotSent) => &self.not_sent,
                    other => panic!("{other:?}: {error}"),
                }
            }
        };
        column.fetch_add(increments, SeqCst);
    }

    fn done(&self) -> i64 {
        self.acknowledged.load(SeqCst) + self.unknown.load(SeqCst)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_increment_is_lost_or_run_twice_however_often_the_connection_is_killed() {
    const INCREMENTS: i64 = 10_000;
    let mut random = Random::seeded("increments");
    for protocol in PROTOCOLS {
        let (server, host) = (Arc::new(TestServer::start()), Host::new());
        let queueing: RedisCommandClient = open(&host, server.url(), options(protocol));
        let rejecting = options(protocol).disconnected_behavior(DisconnectedBehavior::Reject);
        let rejecting: RedisCommandClient = open(&host, server.url(), rejecting);
        let ledger = Arc::new(Ledger::default());
        let tasks: Vec<_> = (0..8)
            .map(|task| {
                let client = if task < 6 { &queueing } else { &rejecting };
                let mut commands = client.async_commands();
                let (ledger, mut random) = (Arc::clone(&ledger), random.fork());
                tokio::spawn(async move {
                    while ledger.done() < INCREMENTS {
                        let (mut pipeline, count) = (pipe(), 1 + random.below(3) as i64);
                        (0..count).for_each(|_| {
                            pipeline.incr("counter", 1);
                        });
                        match random.below(3) {
                            0 => {
                                let outcome = commands.incr::<_, _, Value>("counter", 1).await;
                                ledger.note(1, outcome.map(drop));
                            }
                            1 => ledger.note(count, pipeline.exec_async(&mut commands).await),
                            _ => {
                                let outcome = pipeline.atomic().exec_async(&mut commands).await;
                                ledger.note(count, outcome);
                            }
                        }
                        tokio::task::yield_now().await;
                    }
                })
            })
            .collect();
        let killing = tokio::task::spawn_blocking({
            let (server, ledger, mut random) =
                (Arc::clone(&server), Arc::clone(&ledger), random.fork());
            move || {
                for kill in 1..=15 {
                    let moment = INCREMENTS * (kill - 1) / 16 + random.below(600) as i64;
                    eventually("the moment of the kill", || ledger.done() >= moment);
                    eventually("somebody is there to be killed", || {
                        let kill = ["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"];
                        server.run(&kill).as_int() > Some(0)
                    });
                }
            }
        });
        killing.await.unwrap();
        for task in tasks {
            task.await.unwrap();
        }
        let counter = server.run(&["GET", "counter"]).as_int().unwrap();
        let (acknowledged, unknown) = (
            ledger.acknowledged.load(SeqCst),
            ledger.unknown.load(SeqCst),
        );
        assert!(
            (acknowledged..=acknowledged + unknown).contains(&counter),
            "{acknowledged} acknowledged, {unknown} unknown, {counter} ran"
        );
        assert!(unknown > 0, "a kill met calls in flight");
        assert!(ledger.not_sent.load(SeqCst) > 0, "a call was rejected");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stalls_timeouts_and_cancellations_shift_no_reply() {
    const KEYS: u64 = 200;
    let mut random = Random::seeded("replies");
    for protocol in PROTOCOLS {
        let (server, host) = (Arc::new(TestServer::start()), Host::new());
        for key in 0..KEYS {
            server.run(&["SET", &format!("k{key}"), &key.to_string()]);
        }
        let hasty = options(protocol).command_timeout(Duration::from_millis(5));
        let client: RedisCommandClient = open(&host, server.url(), hasty);
        let stop = Arc::new(AtomicBool::new(false));
        let (answered, late) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let (mut commands, mut random) = (client.async_commands(), random.fork());
                let (stop, answered, late) =
                    (Arc::clone(&stop), Arc::clone(&answered), Arc::clone(&late));
                tokio::spawn(async move {
                    while !stop.load(SeqCst) {
                        let keys: Vec<_> = (0..1 + random.below(4))
                            .map(|_| random.below(KEYS))
                            .collect();
                        let mut pipeline = pipe();
                        keys.iter().for_each(|key| {
                            pipeline.get(format!("k{key}"));
                        });
                        let way = random.below(3);
                        let call = async {
                            match way {
                                0 => {
                                    let value = commands.get(format!("k{}", keys[0])).await;
                                    value.map(|value: u64| vec![value])
                                }
                                1 => pipeline.query_async(&mut commands).await,
                                _ => pipeline.atomic().query_async(&mut commands).await,
                            }
                        };
                        let patience = Duration::from_micros(random.below(10_000));
                        match tokio::time::timeout(patience, call).await {
                            Ok(Ok(values)) => {
                                let keys = if way == 0 { &keys[..1] } else { &keys[..] };
                                assert_eq!(values, keys);
                                answered.fetch_add(1, SeqCst);
                            }
                            Ok(Err(error)) => {
                                assert_eq!(Error::from(error).kind(), ErrorKind::Timeout);
                                late.fetch_add(1, SeqCst);
                            }
                            // Cancelled.
                            Err(_) => {}
                        }
                    }
                })
            })
            .collect();
        tokio::task::spawn_blocking({
            let (server, stop) = (Arc::clone(&server), Arc::clone(&stop));
            move || {
                for _ in 0..8 {
                    let before = answered.load(SeqCst);
                    eventually("answers", || answered.load(SeqCst) >= before + 200);
                    server.pause().unwrap();
                    let before = late.load(SeqCst);
                    eventually("timeouts", || late.load(SeqCst) >= before + 10);
                    server.resume().unwrap();
                }
                stop.store(true, SeqCst);
            }
        })
        .await
        .unwrap();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(client.state(), ClientState::Connected);
        for key in 0..KEYS {
            eventually("an answer within 5 ms", || {
                let answer = client.commands().get::<_, u64>(format!("k{key}"));
                answer.is_ok_and(|value| {
                    assert_eq!(value, key);
                    true
                })
            });
        }
        assert_eq!(server.clients().unwrap().len(), 1);
    }
}

/// Breaks the server for the client's reconnect, and mends it.
fn cured(server: &TestServer, url: String, break_it: &[&str], mend_it: &[&str], kind: ErrorKind) {
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client: RedisCommandClient = open(&host, &url, options(protocol));
        let mut events = client.events();
        server.run(break_it);
        kill_connections(server);
        expect_lost(&mut events);
        for _ in 0..3 {
            let seen = expect_event(&mut events, "a try fails", |event| {
                matches!(event, ClientEvent::ReconnectFailed { .. })
            });
            let Some(ClientEvent::ReconnectFailed { cause, .. }) = seen.last() else {
                panic!("{seen:?}");
            };
            assert_eq!(cause.kind(), kind, "{cause}");
            assert!(!cause.to_string().contains("s3cret"), "{cause}");
        }
        server.run(mend_it);
        let () = client.commands().set("k", 1).unwrap();
        expect_connected(&mut events);
        host.manager.shutdown().unwrap();
        eventually("it is gone", || server.clients().unwrap().is_empty());
    }
}

#[test]
fn a_client_recovers_from_whatever_kept_it_from_connecting_once_that_is_mended() {
    let server = TestServer::start();
    let requirepass = |password| ["CONFIG", "SET", "requirepass", password];
    let (none, other) = (requirepass(""), requirepass("0ther"));
    cured(
        &server,
        server.url(),
        &other,
        &none,
        ErrorKind::Authentication,
    );
    let maxclients = |count| ["CONFIG", "SET", "maxclients", count];
    let (one, many) = (maxclients("1"), maxclients("1000"));
    cured(&server, server.url(), &one, &many, ErrorKind::Server);
    let server = TestServer::builder().password("s3cret").start_or_panic();
    let (url, right) = (server.url_with_password(), requirepass("s3cret"));
    cured(&server, url, &other, &right, ErrorKind::Authentication);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_restarts_in_a_row_under_load_leave_every_call_with_a_verdict_in_time() {
    let (server, host) = (Arc::new(TestServer::start()), Host::new());
    let stop = Arc::new(AtomicBool::new(false));
    let answered = [(); 2].map(|()| Arc::new(AtomicU64::new(0)));
    let timeout = Duration::from_secs(2);
    let mut clients: Vec<RedisCommandClient> = Vec::new();
    let mut tasks = Vec::new();
    for (protocol, answered) in PROTOCOLS.into_iter().zip(&answered) {
        let limited = options(protocol).command_timeout(timeout);
        clients.push(open(&host, server.url(), limited));
        for task in 0..4 {
            let mut commands = clients[clients.len() - 1].async_commands();
            let (stop, answered) = (Arc::clone(&stop), Arc::clone(answered));
            tasks.push(tokio::spawn(async move {
                while !stop.load(SeqCst) {
                    let began = Instant::now();
                    let key = format!("key {task}");
                    let outcome = match task % 2 {
                        0 => commands.incr::<_, _, Value>(&key, 1).await.map(drop),
                        _ => {
                            pipe()
                                .incr(&key, 1)
                                .get(&key)
                                .exec_async(&mut commands)
                                .await
                        }
                    };
                    assert!(
                        began.elapsed() < timeout + PATIENCE,
                        "{:?}",
                        began.elapsed()
                    );
                    match outcome.map_err(Error::from) {
                        Ok(()) => drop(answered.fetch_add(1, SeqCst)),
                        Err(error) => assert!(
                            matches!(error.kind(), ErrorKind::Disconnected | ErrorKind::Timeout),
                            "{error}"
                        ),
                    }
                }
            }));
        }
    }
    let _server = tokio::task::spawn_blocking(move || {
        for _ in 0..20 {
            server.restart().unwrap();
            let before = answered.each_ref().map(|count| count.load(SeqCst));
            eventually("both clients are served again", || {
                let now = answered.iter().map(|count| count.load(SeqCst));
                now.zip(before).all(|(now, before)| now > before + 10)
            });
        }
        stop.store(true, SeqCst);
        server
    })
    .await
    .unwrap();
    for task in tasks {
        task.await.unwrap();
    }
    for client in clients {
        assert_eq!(client.state(), ClientState::Connected);
    }
}
