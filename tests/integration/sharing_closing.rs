//! Closing a client that shares its connection cuts its own calls and no other's.

use std::task::{Context, Waker};
use std::thread;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use redis_manager::prelude::*;
use redis_manager::redis::{Cmd, Value, cmd};
use redis_manager::{ClientOptionsBuilder, ClientState, Delivery, Protocol};
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

/// A call that is left where the calls of its connection wait, in the order of these lines.
fn leave(client: &RedisCommandClient, command: Cmd) -> BoxFuture<'static, Result<Value, Error>> {
    let connection = client.connection().clone();
    let mut call = async move { connection.request_async(&command).await }.boxed();
    let polled = call.poll_unpin(&mut Context::from_waker(Waker::noop()));
    assert!(polled.is_pending(), "{polled:?}");
    call
}

fn command(parts: &[&[u8]]) -> Cmd {
    let mut command = Cmd::new();
    command.arg(parts);
    command
}

#[test]
fn what_the_socket_has_not_taken_is_not_sent_after_the_close() {
    for protocol in PROTOCOLS {
        let (server, host) = (TestServer::start(), Host::new());
        let open = || -> (ScriptHandle, RedisCommandClient) {
            open_for_another(&host, &server.url(), abrupt(protocol))
        };
        let ((leaving, one), (_, other)) = (open(), open());
        server.pause().unwrap();
        // More than the sockets take.
        let large = vec![b'x'; 64 * 1024 * 1024 - 1024];
        let filler = leave(&other, command(&[b"SET", b"filler", &large]));
        let cut = leave(&one, command(&[b"INCR", b"cut"]));
        let kept = leave(&other, command(&[b"INCR", b"kept"]));
        let last = leave(&one, command(&[b"INCR", b"last"]));
        let report = host.manager.unload_script(&leaving);
        assert_eq!(report.clients()[0].commands_cut_off(), 2);
        for call in [cut, last] {
            let outcome = pollster::block_on(call);
            assert_eq!(verdict(outcome), (ErrorKind::Closed, NOT_SENT));
        }
        server.resume().unwrap();
        pollster::block_on(filler).unwrap();
        assert_eq!(pollster::block_on(kept).unwrap(), Value::Int(1));
        let exist = server.run(&["EXISTS", "filler", "kept", "cut", "last"]);
        assert_eq!(exist.as_int(), Some(2));
    }
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
    let cut = leave(&one, command(&[b"INCR", b"one"]));
    let kept = leave(&other, command(&[b"INCR", b"other"]));
    let report = host.manager.unload_script(&leaving);
    assert_eq!(report.clients()[0].commands_cut_off(), 1);
    let cut = pollster::block_on(cut);
    assert_eq!(verdict(cut), (ErrorKind::Closed, NOT_SENT));
    server.restart().unwrap();
    assert_eq!(pollster::block_on(kept).unwrap(), Value::Int(1));
    assert_eq!(server.run(&["EXISTS", "one"]).as_int(), Some(0));
}

#[test]
fn a_close_waits_for_its_own_calls_and_for_no_others() {
    let (server, host) = (TestServer::start(), Host::new());
    let patient = || sharing(Protocol::Auto).shutdown_timeout(PATIENCE);
    let open = || -> (ScriptHandle, RedisCommandClient) {
        open_for_another(&host, &server.url(), patient())
    };
    let ((first, one), (second, other)) = (open(), open());
    server.pause().unwrap();
    let slow = leave(&one, command(&[b"INCR", b"one"]));
    assert!(host.manager.unload_script(&second).is_clean());
    assert_eq!(verdict(incr(&other, "x")), (ErrorKind::Closed, NOT_SENT));
    thread::scope(|scope| {
        let unloading = scope.spawn(|| host.manager.unload_script(&first));
        eventually("it is closing", || one.state() == ClientState::Closing);
        server.resume().unwrap();
        assert_eq!(pollster::block_on(slow).unwrap(), Value::Int(1));
        assert!(unloading.join().unwrap().is_clean());
    });
}
