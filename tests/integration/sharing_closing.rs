//! Closing a client that shares its connection cuts its own calls and no other's.

use std::thread;

use redis_manager::prelude::*;
use redis_manager::redis::{Value, cmd};
use redis_manager::{ClientOptionsBuilder, Delivery, Protocol};
use redis_manager_support::TestServer;

use crate::fixture::{Host, PATIENCE, PROTOCOLS, eventually};
use crate::reconnect::{NOT_SENT, verdict};
use crate::sharing::{open_for_another, sharing};

/// Closes at once.
fn abrupt(protocol: Protocol) -> ClientOptionsBuilder {
    sharing(protocol)
        .shutdown_timeout(Duration::ZERO)
        .heartbeat(None)
}

/// How many calls the client has left and not got answered.
fn pending<T>(calls: &[thread::ScopedJoinHandle<'_, T>]) -> usize {
    calls.iter().filter(|call| !call.is_finished()).count()
}

fn incr(client: &RedisCommandClient, key: &str) -> Result<Value, Error> {
    client.connection().request(cmd("INCR").arg(key))
}

#[test]
fn on_a_server_that_stands_still_only_the_calls_of_the_script_that_is_unloaded_fail() {
    for protocol in PROTOCOLS {
        let (server, host) = (TestServer::start(), Host::new());
        let open = || -> (ScriptHandle, RedisCommandClient) {
            open_for_another(&host, &server.url(), abrupt(protocol))
        };
        let ((leaving, one), (_, other)) = (open(), open());
        server.pause().unwrap();
        thread::scope(|scope| {
            let cut: Vec<_> = (0..8).map(|_| scope.spawn(|| incr(&one, "one"))).collect();
            let kept: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| incr(&other, "other")))
                .collect();
            // Some may be on their way still, and are refused then.
            eventually("calls are under way", || {
                pending(&cut) + pending(&kept) == 16
            });
            let report = host.manager.unload_script(&leaving);
            for call in cut {
                let (kind, delivery) = verdict(call.join().unwrap());
                assert_eq!(kind, ErrorKind::Closed);
                assert!([Some(Delivery::Unknown), NOT_SENT].contains(&delivery));
            }
            assert!(report.clients()[0].commands_cut_off() <= 8);
            assert_eq!(pending(&kept), 8, "the server stands still");
            server.resume().unwrap();
            let replies = kept.into_iter().map(|call| call.join().unwrap().unwrap());
            let mut replies: Vec<_> = replies.collect();
            replies.sort_by_key(|reply| format!("{reply:?}"));
            assert_eq!(replies, (1..=8).map(Value::Int).collect::<Vec<_>>());
        });
        assert_eq!(incr(&other, "other").unwrap(), Value::Int(9));
        assert_eq!(server.clients().unwrap().len(), 1, "still the same socket");
    }
}

#[test]
fn what_the_socket_has_not_taken_is_not_sent_after_the_close() {
    let (server, host) = (TestServer::start(), Host::new());
    let open = || -> (ScriptHandle, RedisCommandClient) {
        open_for_another(&host, &server.url(), abrupt(Protocol::Auto))
    };
    let ((leaving, one), (_, other)) = (open(), open());
    server.pause().unwrap();
    // More than the sockets take.
    let large = vec![b'x'; 16 * 1024 * 1024];
    let set = |client: &RedisCommandClient, key: &str| {
        client
            .connection()
            .request(cmd("SET").arg(key).arg(&large))
            .map(|_| ())
    };
    thread::scope(|scope| {
        let filler = scope.spawn(|| set(&other, "filler"));
        thread::sleep(Duration::from_millis(50));
        let cut = scope.spawn(|| set(&one, "cut"));
        let small = scope.spawn(|| incr(&one, "small"));
        thread::sleep(Duration::from_millis(50));
        let kept = scope.spawn(|| incr(&other, "kept"));
        thread::sleep(Duration::from_millis(50));
        let report = host.manager.unload_script(&leaving);
        assert_eq!(report.clients()[0].commands_cut_off(), 2);
        assert_eq!(verdict(cut.join().unwrap()), (ErrorKind::Closed, NOT_SENT));
        assert_eq!(
            verdict(small.join().unwrap()),
            (ErrorKind::Closed, NOT_SENT)
        );
        server.resume().unwrap();
        filler.join().unwrap().unwrap();
        assert_eq!(kept.join().unwrap().unwrap(), Value::Int(1));
    });
    let exist = server.run(&["EXISTS", "filler", "kept", "cut", "small"]);
    assert_eq!(exist.as_int(), Some(2));
}

#[test]
fn while_the_connection_is_lost_a_close_takes_its_own_calls_out_of_the_queue() {
    let (server, host) = (TestServer::start(), Host::new());
    let open = || -> (ScriptHandle, RedisCommandClient) {
        open_for_another(&host, &server.url(), abrupt(Protocol::Auto))
    };
    let ((leaving, one), (_, other)) = (open(), open());
    server.kill().unwrap();
    eventually("the loss is noticed", || one.state().is_disconnected());
    thread::scope(|scope| {
        let cut = scope.spawn(|| incr(&one, "one"));
        let kept = scope.spawn(|| incr(&other, "other"));
        thread::sleep(Duration::from_millis(50));
        let _ = host.manager.unload_script(&leaving);
        assert_eq!(verdict(cut.join().unwrap()), (ErrorKind::Closed, NOT_SENT));
        server.restart().unwrap();
        assert_eq!(kept.join().unwrap().unwrap(), Value::Int(1));
    });
    assert_eq!(server.run(&["EXISTS", "one"]).as_int(), Some(0));
}

#[test]
fn a_close_waits_for_its_own_calls_and_for_no_others() {
    let server = TestServer::builder().args(["--enable-debug-command", "yes"]);
    let (server, host) = (server.start_or_panic(), Host::new());
    let patient = || sharing(Protocol::Auto).shutdown_timeout(PATIENCE);
    let open = || -> (ScriptHandle, RedisCommandClient) {
        open_for_another(&host, &server.url(), patient())
    };
    let ((first, one), (second, other)) = (open(), open());
    thread::scope(|scope| {
        let slow = scope.spawn(|| {
            let mut sleep = cmd("DEBUG");
            one.connection().request(sleep.arg("SLEEP").arg("0.3"))
        });
        thread::sleep(Duration::from_millis(50));
        let report = host.manager.unload_script(&second);
        assert!(report.is_clean() && !slow.is_finished());
        assert_eq!(verdict(incr(&other, "x")), (ErrorKind::Closed, NOT_SENT));
        assert!(host.manager.unload_script(&first).is_clean());
        slow.join().unwrap().unwrap();
    });
}
