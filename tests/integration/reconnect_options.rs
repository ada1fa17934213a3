//! The options that say what becomes of a connection, and of the calls on it.

use redis_manager::prelude::*;
use redis_manager::redis::{RedisResult, Value, pipe};
use redis_manager::{Delivery, ReplayFilter};
use redis_manager_support::{Reply, TestServer};

use crate::fixture::{Host, PROTOCOLS, eventually};
use crate::reconnect::{expect_event, expect_lost, kill_connections, open, options, verdict};

/// Loses the connection while the server has `call` and has not run it.
fn lose_while_it_waits<T: Send>(
    server: &TestServer,
    client: &RedisCommandClient,
    call: impl FnOnce(&mut redis_manager::RedisCommands) -> RedisResult<T> + Send,
) -> RedisResult<T> {
    server.run(&["CLIENT", "PAUSE", "600000", "WRITE"]);
    std::thread::scope(|threads| {
        let call = threads.spawn(|| call(&mut client.commands()));
        eventually("the server has it", || {
            let clients = server.clients().unwrap();
            clients
                .iter()
                .any(|client| client.field("flags") == Some("b"))
        });
        kill_connections(server);
        server.run(&["CLIENT", "UNPAUSE"]);
        call.join().unwrap()
    })
}

#[test]
fn only_what_the_replay_filter_names_is_sent_again() {
    for protocol in PROTOCOLS {
        let (server, host) = (TestServer::start(), Host::new());
        // What `incr` sends.
        let filter = ReplayFilter::commands(["incrby", "get"]);
        let client: RedisCommandClient =
            open(&host, server.url(), options(protocol).replay(filter));
        let replayed = lose_while_it_waits(&server, &client, |commands| commands.incr("n", 1));
        assert_eq!(replayed, Ok(1));
        let replayed = lose_while_it_waits(&server, &client, |commands| {
            pipe().get("n").incr("n", 1).query::<(i64, i64)>(commands)
        });
        assert_eq!(replayed, Ok((1, 2)));
        let lost = (ErrorKind::Disconnected, Some(Delivery::Unknown));
        let not_named = lose_while_it_waits(&server, &client, |commands| {
            commands.set::<_, _, Value>("n", 5)
        });
        assert_eq!(verdict(not_named), lost);
        let one_not_named = lose_while_it_waits(&server, &client, |commands| {
            pipe().incr("n", 1).set("n", 5).query::<Value>(commands)
        });
        assert_eq!(verdict(one_not_named), lost);
        assert_eq!(client.commands().get("n"), Ok(2));
    }
}

#[test]
fn reconnecting_ends_at_a_refusal_if_it_is_to_and_calls_say_which() {
    for protocol in PROTOCOLS {
        let (server, host) = (TestServer::start(), Host::new());
        let suspending = options(protocol).suspend_reconnect_on_protocol_failure(true);
        let client: RedisCommandClient = open(&host, server.url(), suspending);
        let mut events = client.events();
        server.kill().unwrap();
        expect_lost(&mut events);
        // That nobody answers is no refusal.
        server.restart().unwrap();
        client.commands().ping::<()>().unwrap();
        server.run(&["CONFIG", "SET", "requirepass", "secret"]);
        kill_connections(&server);
        expect_event(&mut events, "it is refused", |event| match event {
            ClientEvent::ReconnectSuspended { cause } => cause.message().contains("NOAUTH"),
            _ => false,
        });
        assert!(client.state().to_string().contains("NOAUTH"));
        server.run(&["CONFIG", "SET", "requirepass", ""]);
        for _ in 0..2 {
            let error = Error::from(client.commands().ping::<()>().unwrap_err());
            assert_eq!(error.kind(), ErrorKind::Disconnected);
            assert_eq!(error.delivery(), Some(Delivery::NotSent));
            assert!(error.message().contains("NOAUTH"), "{error}");
            let error = client.session().unwrap_err();
            assert!(error.message().contains("NOAUTH"), "{error}");
        }
        assert!(host.manager.unload_script(&host.script).is_clean());
    }
}

#[test]
fn a_new_connection_answers_a_ping_first_unless_it_need_not() {
    let pings = |server: &TestServer| match server.run(&["INFO", "commandstats"]) {
        Reply::Bulk(Some(text)) => String::from_utf8(text).unwrap().contains("cmdstat_ping:"),
        other => panic!("{other:?}"),
    };
    for protocol in PROTOCOLS {
        for asked in [true, false] {
            let (server, host) = (TestServer::start(), Host::new());
            server.run(&["CONFIG", "RESETSTAT"]);
            let options = options(protocol).ping_before_activate(asked);
            let _client: RedisCommandClient = open(&host, server.url(), options);
            assert_eq!(pings(&server), asked);
        }
    }
}
