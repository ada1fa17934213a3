//! While its server is away a client keeps its deadlines, its bounds and its word.

use std::future::Future;
use std::pin::Pin;
use std::time::Instant;

use futures_util::FutureExt;
use futures_util::future::join_all;
use redis_manager::ClientOptionsBuilder;
use redis_manager::prelude::*;
use redis_manager::redis::{Cmd, Value};
use redis_manager_support::TestServer;

use crate::harness::{PATIENCE, Run, eventually};
use crate::process::memory;

const PROTOCOLS: [Protocol; 2] = [Protocol::Resp2, Protocol::Resp3];
const CALLS: usize = 1_000;

fn open(
    manager: &RedisManager,
    server: &TestServer,
    options: ClientOptionsBuilder,
) -> RedisCommandClient {
    let script = manager.script("outage");
    let script = script.unwrap_or_else(|| manager.load_script("outage").unwrap());
    let options = options.build().unwrap();
    manager.open_with(&script, server.url(), options).unwrap()
}

/// Kills the server, and waits until the client knows.
fn kill_under(client: &RedisCommandClient, server: &TestServer) {
    server.kill().unwrap();
    eventually("the client has lost it", || {
        client.state().to_string().starts_with("disconnected")
    });
}

fn verdict<T>(outcome: Result<T, impl Into<Error>>) -> (ErrorKind, Option<Delivery>) {
    let error = outcome.map(drop).map_err(Into::into);
    let error: Error = error.expect_err("the server is away");
    (error.kind(), error.delivery())
}

#[test]
fn a_call_during_an_outage_waits_until_its_deadline_and_no_longer_and_is_never_sent() {
    Run::on_runtime("outage", async |run| {
        let manager = RedisManager::new().unwrap();
        let timeout = run.scale(Duration::from_millis(500), Duration::from_secs(2));
        for protocol in PROTOCOLS {
            let server = TestServer::start();
            let options = ClientOptions::builder().protocol(protocol);
            let client = open(&manager, &server, options.command_timeout(timeout));
            kill_under(&client, &server);
            let calls: Vec<_> = (0..CALLS)
                .map(|call| {
                    let mut commands = client.async_commands();
                    tokio::spawn(async move {
                        let began = Instant::now();
                        let outcome = commands.set::<_, _, ()>(call, call).await;
                        (began.elapsed(), verdict(outcome))
                    })
                })
                .collect();
            let mut late = Vec::new();
            for call in calls {
                let (took, verdict) = call.await.unwrap();
                assert_eq!(verdict, (ErrorKind::Timeout, Some(Delivery::NotSent)));
                assert!(took >= timeout, "{took:?} is too early");
                late.push(took - timeout);
            }
            run.report_times(
                &format!("late after a deadline of {timeout:?} ({protocol:?})"),
                &mut late,
                Duration::from_millis(50),
            );
            server.restart().unwrap();
            eventually("calls succeed", || {
                client.commands().set::<_, _, ()>("k", 1).is_ok()
            });
            assert_eq!(server.run(&["DBSIZE"]).as_int(), Some(1), "none was sent");
        }
        manager.shutdown().unwrap();
    });
}

#[test]
fn a_client_that_rejects_says_so_within_a_millisecond() {
    let run = Run::begin("outage");
    let manager = RedisManager::new().unwrap();
    for protocol in PROTOCOLS {
        let server = TestServer::start();
        let options = ClientOptions::builder().protocol(protocol);
        let rejecting = options.disconnected_behavior(DisconnectedBehavior::Reject);
        let client = open(&manager, &server, rejecting);
        kill_under(&client, &server);
        let mut commands = client.commands();
        let mut times: Vec<_> = (0..CALLS)
            .map(|call| {
                let began = Instant::now();
                let outcome = commands.set::<_, _, ()>(call, call);
                let took = began.elapsed();
                let refused = (ErrorKind::Disconnected, Some(Delivery::NotSent));
                assert_eq!(verdict(outcome), refused);
                took
            })
            .collect();
        let bound = Duration::from_millis(1);
        run.report_times(&format!("rejected ({protocol:?})"), &mut times, bound);
    }
    manager.shutdown().unwrap();
}

type Call = Pin<Box<dyn Future<Output = Result<Value, Error>> + Send>>;

/// A SET of its own, and how many bytes the caller holds until it is answered: the command and the future.
/// That of `async_commands()` would be larger than the payload, which hides what is to be seen here.
fn set(client: &RedisCommandClient, key: &str, payload: &[u8]) -> (Call, usize) {
    let connection = client.connection().clone();
    let bytes = 3 + key.len() + payload.len();
    let mut cmd = Cmd::with_capacity(3, bytes);
    cmd.arg("SET").arg(key).arg(payload);
    let call = async move { connection.request_async(&cmd).await };
    let held = bytes + size_of_val(&call);
    (Box::pin(call), held)
}

fn key(call: usize) -> String {
    format!("k{call:07}")
}

/// How many of the calls' keys the server has.
fn count(server: &TestServer, calls: &[usize]) -> usize {
    let chunks = calls.chunks(1_000).map(|calls| {
        let keys = calls.iter().map(|call| key(*call));
        let exists: Vec<_> = std::iter::once("EXISTS".to_owned()).chain(keys).collect();
        server.run(&exists).as_int().unwrap() as usize
    });
    chunks.sum()
}

#[test]
fn a_server_that_stops_fills_the_queue_to_its_bound_and_the_rest_is_refused_at_once() {
    let mut run = Run::begin("outage_queue");
    let calls = run.scale(20_000, 100_000);
    let budget: usize = run.scale(8, 64) * 1024 * 1024;
    let protocol = PROTOCOLS[run.random.below(2) as usize];
    let payload = vec![b'x'; 10_000];
    let (server, manager) = (TestServer::start(), RedisManager::new().unwrap());
    // The budget of the long form is the default.
    let options = ClientOptions::builder().protocol(protocol);
    let client = open(
        &manager,
        &server,
        options
            .request_queue_bytes(budget)
            .command_timeout(PATIENCE),
    );
    let () = client.commands().set("warm", &payload[..]).unwrap();
    server.pause().unwrap();
    let before = memory();
    let (mut accepted, mut refused, mut times) = (Vec::new(), Vec::new(), Vec::new());
    let (mut held, mut most) = (0, 0);
    for number in 0..calls {
        let (mut call, own) = set(&client, &key(number), &payload);
        let began = Instant::now();
        match (&mut call).now_or_never() {
            None => {
                accepted.push((number, call));
                held += own;
            }
            Some(outcome) => {
                times.push(began.elapsed());
                let full = (ErrorKind::QueueFull, Some(Delivery::NotSent));
                assert_eq!(verdict(outcome), full);
                refused.push(number);
            }
        }
        if number % 1_000 == 0 {
            most = most.max(memory().saturating_sub(before + held));
        }
    }
    most = most.max(memory().saturating_sub(before + held));
    let mebibytes = |bytes: usize| format!("{:.1} MiB", bytes as f64 / 1024.0 / 1024.0);
    run.report("calls, accepted", format!("{calls}, {}", accepted.len()));
    run.report("budget", mebibytes(budget));
    run.report("memory above the callers' own", mebibytes(most));
    run.report("the callers' own", mebibytes(held));
    let each = held / accepted.len() - payload.len();
    run.report(
        "of which a call has, besides its payload",
        format!("{each} bytes"),
    );
    run.report_times("refused", &mut times, Duration::from_millis(1));
    assert!(
        accepted.len() * payload.len() >= budget * 9 / 10,
        "it is used"
    );
    assert!(accepted.len() + refused.len() == calls && !refused.is_empty());
    // A quarter, what a request has besides its bytes, and what the allocator keeps.
    let bound = budget + budget / 4 + accepted.len() * 1024 + 4 * 1024 * 1024;
    assert!(most <= bound, "{} > {}", mebibytes(most), mebibytes(bound));

    server.resume().unwrap();
    let (numbers, accepted): (Vec<_>, Vec<_>) = accepted.into_iter().unzip();
    let outcomes = pollster::block_on(join_all(accepted));
    let (mut acknowledged, mut not_sent) = (Vec::new(), refused);
    for (number, outcome) in numbers.into_iter().zip(outcomes) {
        match outcome {
            Ok(reply) => {
                assert_eq!(reply, Value::Okay);
                acknowledged.push(number);
            }
            Err(error) if error.delivery() == Some(Delivery::NotSent) => not_sent.push(number),
            Err(error) => assert_eq!(error.delivery(), Some(Delivery::Unknown), "{error}"),
        }
    }
    run.report("acknowledged", acknowledged.len());
    assert_eq!(count(&server, &acknowledged), acknowledged.len());
    assert_eq!(count(&server, &not_sent), 0);
    let () = client.commands().set("k", 1).unwrap();
    manager.shutdown().unwrap();
}
