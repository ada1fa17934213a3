//! Scripts come and go at random on one connection under load, and every reply is that of its own call.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::Instant;

use redis_manager::prelude::*;
use redis_manager::redis::{Value, cmd, pipe};

use crate::fixture::{Host, PROTOCOLS, eventually, unique};
use crate::misbehaving_callbacks::seed;
use crate::random::Random;
use crate::sharing::{open_for_another, sharing};

const SCRIPTS: u64 = 50;
const TIME: Duration = Duration::from_millis(1_500);

/// Calls with answers that only this call can have, until the client is closed. Returns how many were answered.
fn call(client: &RedisCommandClient, next: &AtomicU64, mut random: Random) -> u64 {
    for answered in 0.. {
        let number = next.fetch_add(1, SeqCst);
        let text = format!("{number}{}", ".".repeat((number % 89) as usize));
        let outcome = if random.below(3) == 0 {
            let mut both = pipe();
            both.cmd("ECHO").arg(&text).cmd("ECHO").arg(&text);
            if random.below(2) == 0 {
                both.atomic();
            }
            let replies = client.connection().request_pipeline(&both);
            replies.map(|replies| {
                let flat = match &replies[..] {
                    [Value::Array(inner)] => inner.clone(),
                    _ => replies,
                };
                assert_eq!(flat[0], flat[1]);
                flat[0].clone()
            })
        } else {
            client.connection().request(cmd("ECHO").arg(&text))
        };
        match outcome {
            Ok(reply) => assert_eq!(reply, Value::BulkString(text.into_bytes())),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
                return answered;
            }
        }
    }
    0
}

#[test]
fn scripts_that_come_and_go_get_their_own_replies_and_leave_nothing() {
    let mut random = Random::new(seed());
    for protocol in PROTOCOLS {
        let host = Host::new();
        let at_rest = host.manager.resources().alive_tasks();
        let (next, answered) = (AtomicU64::new(0), AtomicU64::new(0));
        let until = Instant::now() + TIME;
        thread::scope(|scope| {
            for _ in 0..SCRIPTS {
                let mut random = random.fork();
                let (host, next, answered) = (&host, &next, &answered);
                scope.spawn(move || {
                    while Instant::now() < until {
                        let options = sharing(protocol).shutdown_timeout(Duration::from_secs(2));
                        let (script, client): (_, RedisCommandClient) =
                            open_for_another(host, &host.url(), options);
                        let calls = random.fork();
                        thread::scope(|scope| {
                            let calling = scope.spawn(|| call(&client, next, calls));
                            thread::sleep(Duration::from_millis(random.below(40)));
                            if random.below(2) == 0 {
                                let _ = host.manager.unload_script(&script);
                            } else {
                                client.close();
                            }
                            answered.fetch_add(calling.join().unwrap(), SeqCst);
                        });
                        let _ = host.manager.unload_script(&script);
                    }
                });
            }
        });
        assert!(answered.load(SeqCst) > 0);
        host.expect_connections(0);
        eventually("no task is left", || {
            host.manager.resources().alive_tasks() == at_rest
        });
    }
}

#[test]
fn scripts_whose_calls_are_cut_at_random_disturb_no_other() {
    let mut random = Random::new(seed());
    let host = Host::new();
    let next = AtomicU64::new(0);
    let steady = host.manager.load_script(unique("steady")).unwrap();
    let options = || sharing(redis_manager::Protocol::Auto).shutdown_timeout(Duration::ZERO);
    let client: RedisCommandClient = host
        .manager
        .open_with(&steady, host.url(), options().build().unwrap())
        .unwrap();
    thread::scope(|scope| {
        let callers: Vec<_> = (0..4)
            .map(|_| {
                let random = random.fork();
                scope.spawn(|| call(&client, &next, random))
            })
            .collect();
        for _ in 0..300 {
            let (script, victim): (_, RedisCommandClient) =
                open_for_another(&host, &host.url(), options());
            let (random, next) = (random.fork(), &next);
            thread::scope(|scope| {
                let calling = scope.spawn(|| call(&victim, next, random));
                thread::yield_now();
                let _ = host.manager.unload_script(&script);
                calling.join().unwrap();
            });
            assert!(callers.iter().all(|caller| !caller.is_finished()));
        }
        assert_eq!(host.connections().len(), 1);
        client.close();
        for caller in callers {
            assert!(caller.join().unwrap() > 0);
        }
    });
    host.expect_connections(0);
}
