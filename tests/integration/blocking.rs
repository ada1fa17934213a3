//! Blocking commands through `commands()` and `async_commands()`, which run on connections of their own.

use std::time::Instant;

use futures_util::FutureExt;
use redis_manager::prelude::*;
use redis_manager::redis::{self, Value, cmd, pipe};
use redis_manager::{Delivery, Protocol};

use crate::fixture::{Host, PATIENCE, PROTOCOLS, eventually, unique};

/// Shorter than any of the waits here, so that a deadline that ignored them would cut them.
const COMMAND_TIMEOUT: Duration = Duration::from_millis(200);

/// Seconds; a test that fails meanwhile ends all the same.
const ENOUGH: f64 = 30.0;

fn options(protocol: Protocol) -> ClientOptions {
    ClientOptions::builder()
        .protocol(protocol)
        .command_timeout(COMMAND_TIMEOUT)
        .session_pool_size(1)
        .blocking_pool_size(2)
        .build()
        .unwrap()
}

fn each_protocol(test: impl Fn(&Host, &RedisCommandClient, &str)) {
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client: RedisCommandClient = host.open_with(options(protocol));
        test(&host, &client, &unique("list"));
    }
}

/// Waits until `count` connections of `host` are inside `command`.
#[track_caller]
fn expect_blocked(host: &Host, command: &str, count: usize) {
    eventually(&format!("{count} in {command}"), || {
        let blocked = |seen: &&_| is_blocked(seen, command);
        host.connections().iter().filter(blocked).count() == count
    });
}

fn is_blocked(seen: &redis_manager_support::ClientInfo, command: &str) -> bool {
    let flags = seen.field("flags").unwrap_or_default();
    seen.cmd == command && flags.contains('b')
}

/// Lets more time pass than the command timeout allows while `host` blocks.
fn outlast_the_command_timeout(host: &Host, command: &str) {
    expect_blocked(host, command, 1);
    let began = Instant::now();
    eventually("the command timeout passes", || {
        assert!(!host.connections().is_empty());
        began.elapsed() > 2 * COMMAND_TIMEOUT
    });
    expect_blocked(host, command, 1);
}

type Popped = redis::RedisResult<(String, String)>;

/// Runs `pop` with a server's timeout that is long and with none, and pushes only after the command
/// timeout.
fn expect_late_element(pop: fn(RedisCommandClient, String, f64) -> Popped) {
    each_protocol(|host, client, list| {
        for timeout in [ENOUGH, 0.0] {
            let waiting = std::thread::spawn({
                let (client, list) = (client.clone(), list.to_owned());
                move || pop(client, list, timeout)
            });
            outlast_the_command_timeout(host, "blpop");
            let () = client.commands().rpush(list, "late").unwrap();
            let popped = waiting.join().unwrap().unwrap();
            assert_eq!(popped, (list.to_owned(), "late".to_owned()));
        }
    });
}

#[test]
fn commands_blpop_waits_longer_than_the_command_timeout_and_the_element_is_not_lost() {
    expect_late_element(|client, list, timeout| client.commands().blpop(list, timeout));
}

#[test]
fn async_commands_blpop_waits_longer_than_the_command_timeout_and_the_element_is_not_lost() {
    expect_late_element(|client, list, timeout| {
        pollster::block_on(client.async_commands().blpop(list, timeout))
    });
}

#[test]
fn a_blpop_that_the_server_ends_returns_nil() {
    each_protocol(|_, client, list| {
        let began = Instant::now();
        let sync: Option<(String, String)> = client.commands().blpop(list, 0.4).unwrap();
        assert_eq!(sync, None);
        assert!(began.elapsed() >= 2 * COMMAND_TIMEOUT && began.elapsed() < PATIENCE);
        let mut commands = client.async_commands();
        let twin: Option<(String, String)> = pollster::block_on(commands.blpop(list, 0.4)).unwrap();
        assert_eq!(twin, None);
    });
}

#[test]
fn xread_block_waits_for_an_entry_and_returns_nil_without() {
    each_protocol(|host, client, stream| {
        let read = |milliseconds: u64| {
            let mut read = cmd("XREAD");
            read.arg("BLOCK").arg(milliseconds).arg("STREAMS");
            read.arg(stream).arg("$");
            read
        };
        let nothing: Value = read(300).query(&mut client.commands()).unwrap();
        assert_eq!(nothing, Value::Nil);
        let found = std::thread::scope(|scope| {
            let waiting =
                scope.spawn(|| read(30_000).query::<Value>(&mut client.commands()).unwrap());
            outlast_the_command_timeout(host, "xread");
            let mut add = cmd("XADD");
            add.arg(stream).arg("*").arg("field").arg("entry");
            add.exec(&mut client.commands()).unwrap();
            waiting.join().unwrap()
        });
        assert!(format!("{found:?}").contains("entry"), "{found:?}");
    });
}

#[test]
fn a_plain_pipeline_with_a_blpop_runs_whole_on_a_connection_of_its_own() {
    each_protocol(|host, client, list| {
        let shared: u64 = cmd("CLIENT")
            .arg("ID")
            .query(&mut client.commands())
            .unwrap();
        let mut pipeline = pipe();
        pipeline.cmd("CLIENT").arg("ID");
        pipeline.cmd("BLPOP").arg(list).arg(ENOUGH);
        pipeline.cmd("ECHO").arg("last");
        let (id, popped, last) = std::thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                pipeline
                    .query::<(u64, (String, String), String)>(&mut client.commands())
                    .unwrap()
            });
            outlast_the_command_timeout(host, "blpop");
            let () = client.commands().rpush(list, "late").unwrap();
            waiting.join().unwrap()
        });
        assert_ne!(id, shared);
        assert_eq!((popped.1.as_str(), last.as_str()), ("late", "last"));
        let () = client.commands().rpush(list, "at hand").unwrap();
        let (_, popped, _): (u64, (String, String), String) =
            pollster::block_on(pipeline.query_async(&mut client.async_commands())).unwrap();
        assert_eq!(popped.1, "at hand");
    });
}

#[test]
fn a_blpop_inside_atomic_does_not_block_and_stays_on_the_shared_connection() {
    each_protocol(|host, client, list| {
        let mut pipeline = pipe();
        pipeline.atomic().cmd("BLPOP").arg(list).arg(0);
        let (sync,): (Value,) = pipeline.query(&mut client.commands()).unwrap();
        let (twin,): (Value,) =
            pollster::block_on(pipeline.query_async(&mut client.async_commands())).unwrap();
        let connection = client.connection().request_pipeline(&pipeline).unwrap();
        assert_eq!((sync, twin), (Value::Nil, Value::Nil));
        assert_eq!(connection, [Value::Array(vec![Value::Nil])]);
        host.expect_connections(1);
    });
}

#[test]
fn blocking_commands_delay_no_other_call_and_starve_no_session() {
    each_protocol(|host, client, list| {
        std::thread::scope(|scope| {
            // As many as are allowed.
            for _ in 0..2 {
                scope.spawn(|| client.commands().blpop::<_, Value>(list, ENOUGH).unwrap());
            }
            expect_blocked(host, "blpop", 2);
            for _ in 0..50 {
                let () = client.commands().set(format!("{list}:k"), 1).unwrap();
            }
            let mut session = client.session().unwrap();
            let pong: String = cmd("PING").query(&mut session).unwrap();
            assert_eq!(pong, "PONG");
            expect_blocked(host, "blpop", 2);
            let () = client.commands().rpush(list, &["one", "two"]).unwrap();
        });
    });
}

#[test]
fn a_blocking_command_beyond_the_cap_is_refused_and_says_it_was_not_sent() {
    each_protocol(|host, client, list| {
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| client.commands().blpop::<_, Value>(list, ENOUGH).unwrap());
            }
            expect_blocked(host, "blpop", 2);
            let sync = client.commands().blpop::<_, Value>(list, ENOUGH);
            let mut pipeline = pipe();
            pipeline.blpop(list, ENOUGH);
            let mut commands = client.async_commands();
            let twin = pipeline.query_async::<Value>(&mut commands);
            let refused = [sync.unwrap_err(), pollster::block_on(twin).unwrap_err()];
            for (error, name) in refused.into_iter().zip(["BLPOP", "pipeline"]) {
                let error = Error::from(error);
                assert_eq!(error.kind(), ErrorKind::PoolExhausted);
                assert_eq!(error.delivery(), Some(Delivery::NotSent));
                assert_eq!(error.command(), Some(name));
                assert!(error.message().contains("blocking_pool_size"), "{error}");
            }
            let () = client.commands().rpush(list, &["one", "two"]).unwrap();
        });
        // Nobody else waited: both elements went to the two.
        assert_eq!(client.commands().llen::<_, i64>(list).unwrap(), 0);
        let () = client.commands().rpush(list, "three").unwrap();
        let popped: (String, String) = client.commands().blpop(list, ENOUGH).unwrap();
        assert_eq!(popped.1, "three");
    });
}

#[test]
fn cancelling_a_blpop_closes_its_connection_so_that_nothing_is_popped_into_the_void() {
    each_protocol(|host, client, list| {
        let mut commands = client.async_commands();
        {
            let mut call = std::pin::pin!(commands.blpop::<_, Value>(list, 0.0));
            eventually("BLPOP is at the server", || {
                assert!(call.as_mut().now_or_never().is_none());
                host.connections()
                    .iter()
                    .any(|seen| is_blocked(seen, "blpop"))
            });
        }
        host.expect_connections(1);
        let () = client.commands().rpush(list, "kept").unwrap();
        assert_eq!(client.commands().llen::<_, i64>(list).unwrap(), 1);
    });
}

#[test]
fn a_blpop_whose_deadline_passes_is_a_timeout_and_its_connection_is_closed() {
    let server = redis_manager_support::TestServer::start();
    for protocol in PROTOCOLS {
        let host = Host::new();
        let open = host
            .manager
            .open_with(&host.script, server.url(), options(protocol));
        let client: RedisCommandClient = open.unwrap();
        let popping = std::thread::spawn({
            let client = client.clone();
            move || client.commands().blpop::<_, Value>("list", 1.0)
        });
        let blocked = || server.clients().unwrap().into_iter();
        eventually("BLPOP is at the server", || {
            blocked().any(|seen| is_blocked(&seen, "blpop"))
        });
        server.pause().unwrap();
        let error = Error::from(popping.join().unwrap().unwrap_err());
        server.resume().unwrap();
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert_eq!(error.delivery(), Some(Delivery::Unknown));
        eventually("only the shared connection is left", || {
            server.clients().unwrap().len() == 1
        });
        client.close();
        eventually("none is left", || server.clients().unwrap().is_empty());
    }
}

#[test]
fn a_blpop_marked_no_response_leaves_no_blocked_connection_to_the_next() {
    each_protocol(|host, client, list| {
        let mut silent = cmd("BLPOP");
        silent.arg(list).arg(0).set_no_response(true);
        let nothing: Value = silent.query(&mut client.commands()).unwrap();
        assert_eq!(nothing, Value::Nil);
        host.expect_connections(1);
        let () = client.commands().rpush(list, "kept").unwrap();
        let popped: (String, String) = client.commands().blpop(list, 1.0).unwrap();
        assert_eq!(popped.1, "kept");
    });
}

#[test]
fn close_ends_a_blpop_with_an_error_that_says_so_and_pops_nothing() {
    for protocol in PROTOCOLS {
        let host = Host::new();
        let list = unique("list");
        let mut options = options(protocol).to_builder();
        options = options.shutdown_timeout(Duration::ZERO);
        let client: RedisCommandClient = host.open_with(options.build().unwrap());
        let popping = std::thread::spawn({
            let (client, list) = (client.clone(), list.clone());
            move || client.commands().blpop::<_, Value>(list, 0.0)
        });
        expect_blocked(&host, "blpop", 1);
        let report = client.close();
        assert_eq!(report.commands_cut_off(), 1, "{report}");
        let error = Error::from(popping.join().unwrap().unwrap_err());
        assert_eq!(error.kind(), ErrorKind::Closed);
        assert_eq!(error.delivery(), Some(Delivery::Unknown));
        host.expect_connections(0);
        let other: RedisCommandClient = host.open(protocol);
        let () = other.commands().rpush(&list, "kept").unwrap();
        assert_eq!(other.commands().llen::<_, i64>(&list).unwrap(), 1);
    }
}

#[test]
fn connection_refuses_a_blocking_command_and_names_what_runs_it() {
    each_protocol(|_, client, list| {
        let mut pipeline = redis::pipe();
        pipeline.set(format!("{list}:k"), 1).blpop(list, 0.0);
        let mut pop = cmd("BLPOP");
        pop.arg(list).arg(0);
        let connection = client.connection();
        for error in [
            connection.request(&pop).unwrap_err(),
            pollster::block_on(connection.request_async(&pop)).unwrap_err(),
            connection.request_pipeline(&pipeline).unwrap_err(),
            pollster::block_on(connection.request_pipeline_async(&pipeline)).unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::Refused);
            assert_eq!(error.delivery(), Some(Delivery::NotSent));
            assert!(error.message().contains("session()"), "{error}");
        }
        let sent: bool = client.commands().exists(format!("{list}:k")).unwrap();
        assert!(!sent, "nothing of the pipeline was sent");
    });
}
