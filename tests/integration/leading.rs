//! Callers that wait do the work of the client's own threads where they are few. Nothing depends on them.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use futures_util::future::join_all;
use redis_manager::prelude::*;
use redis_manager::redis::{Cmd, RedisFuture, Value, aio::ConnectionLike, cmd};
use redis_manager::{Protocol, RedisAsyncCommands};
use redis_manager_support::TestServer;

use crate::fixture::{Host, PROTOCOLS, eventually, unique};
use crate::reconnect::{expect_event, open, options};

const CALLERS: usize = 4;

fn client(host: &Host, url: &str, busy_poll: impl Into<Option<Duration>>) -> RedisCommandClient {
    open(host, url, options(Protocol::Auto).busy_poll(busy_poll))
}

/// Makes the client expect so many calls at a time.
fn call_together(client: &RedisCommandClient) {
    for _ in 0..10 {
        let calls = (0..CALLERS)
            .map(|_| async { cmd("PING").exec_async(&mut client.async_commands()).await });
        for outcome in pollster::block_on(join_all(calls)) {
            outcome.unwrap();
        }
    }
}

fn poll_once<T>(
    call: &mut RedisFuture<'_, T>,
) -> Poll<Result<T, redis_manager::redis::RedisError>> {
    Pin::new(call).poll(&mut Context::from_waker(Waker::noop()))
}

/// Calls whose callers came once and do not come again, one of whom has promised to send them all; and the replies of
/// those that a quick server has answered by then.
fn forgotten<'a>(
    handles: &'a mut [RedisAsyncCommands],
    command: &'a Cmd,
) -> (Vec<RedisFuture<'a, Value>>, Vec<Value>) {
    let calls = handles
        .iter_mut()
        .map(|handle| handle.req_packed_command(command));
    let (mut calls, mut replies): (Vec<_>, Vec<_>) = (calls.collect(), Vec::new());
    calls.retain_mut(|call| match poll_once(call) {
        Poll::Pending => true,
        Poll::Ready(reply) => {
            replies.push(reply.unwrap());
            false
        }
    });
    (calls, replies)
}

#[test]
fn whoever_leads_and_does_not_come_back_holds_nobody_up() {
    for busy_poll in [None, Some(Duration::from_micros(50))] {
        let host = Host::new();
        let client = client(&host, &host.url(), busy_poll);
        call_together(&client);
        let key = unique("key");
        let mut incr = cmd("INCR");
        incr.arg(&key);
        let mut handles: Vec<_> = (0..CALLERS).map(|_| client.async_commands()).collect();
        let (calls, mut replies) = forgotten(&mut handles, &incr);
        // Theirs are sent, and another's is answered.
        let own: Value = cmd("INCR")
            .arg(unique("other"))
            .query(&mut client.commands())
            .unwrap();
        assert_eq!(own, Value::Int(1));
        eventually("all were sent", || {
            TestServer::shared().run(&["INCRBY", &key, "0"]).as_int() == Some(4)
        });
        let late = pollster::block_on(join_all(calls));
        replies.extend(late.into_iter().map(Result::unwrap));
        replies.sort_by_key(|reply| format!("{reply:?}"));
        assert_eq!(replies, [1, 2, 3, 4].map(Value::Int));
    }
}

#[test]
fn whoever_leads_and_gives_up_leaves_the_rest_to_others() {
    let host = Host::new();
    let client = client(&host, &host.url(), Duration::from_millis(1));
    call_together(&client);
    let key = unique("key");
    let mut incr = cmd("INCR");
    incr.arg(&key);
    let mut handles: Vec<_> = (0..CALLERS).map(|_| client.async_commands()).collect();
    let (mut calls, _) = forgotten(&mut handles, &incr);
    drop(calls.drain(..calls.len().min(1)));
    let rest = thread::scope(|scope| {
        let rest = scope.spawn(|| pollster::block_on(join_all(calls)));
        rest.join().unwrap()
    });
    assert!(rest.into_iter().all(|reply| reply.is_ok()));
}

#[test]
fn whoever_leads_and_does_not_come_back_is_cut_with_the_client() {
    let host = Host::new();
    let client: RedisCommandClient = open(
        &host,
        host.url(),
        options(Protocol::Auto).shutdown_timeout(Duration::from_millis(200)),
    );
    call_together(&client);
    let incr = cmd("PING");
    let mut handles: Vec<_> = (0..CALLERS).map(|_| client.async_commands()).collect();
    let (calls, _) = forgotten(&mut handles, &incr);
    let report = host.manager.unload_script(&host.script);
    assert_eq!(report.clients().len(), 1, "{report:?}");
    assert_eq!(client.state(), ClientState::Closed);
    for outcome in pollster::block_on(join_all(calls)) {
        // Answered before, or told.
        if let Err(error) = outcome {
            assert_eq!(Error::from(error).kind(), ErrorKind::Closed);
        }
    }
    eventually("its socket is gone", || host.connections().is_empty());
}

#[test]
fn a_connection_that_is_lost_between_two_calls_of_one_who_leads_is_made_again() {
    for protocol in PROTOCOLS {
        let (server, host) = (TestServer::start(), Host::new());
        let client: RedisCommandClient = open(&host, server.url(), options(protocol));
        let mut commands = client.commands();
        let mut events = client.events();
        for _ in 0..3 {
            for _ in 0..200 {
                cmd("PING").exec(&mut commands).unwrap();
            }
            let id: i64 = cmd("CLIENT").arg("ID").query(&mut commands).unwrap();
            server.run(&["CLIENT", "KILL", "ID", &id.to_string()]);
            // Nobody calls: the client's own thread notices.
            expect_event(&mut events, "it is connected again", |event| {
                matches!(event, ClientEvent::Connected)
            });
            let next: i64 = cmd("CLIENT").arg("ID").query(&mut commands).unwrap();
            assert_ne!(id, next);
        }
    }
}

#[test]
fn threads_that_call_at_the_same_time_get_their_own_replies() {
    let host = Host::new();
    let client = client(&host, &host.url(), Duration::from_micros(50));
    for threads in [1, 2, 8, 40] {
        thread::scope(|scope| {
            for thread in 0..threads {
                let mut commands = client.commands();
                scope.spawn(move || {
                    for call in 0..500 {
                        let text = format!("{thread}-{call}");
                        let echoed: String = cmd("ECHO").arg(&text).query(&mut commands).unwrap();
                        assert_eq!(echoed, text);
                    }
                });
            }
        });
    }
}
