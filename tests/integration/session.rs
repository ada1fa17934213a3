//! `session()` and its twin: a connection of one's own, and what becomes of it afterwards.

use redis_manager::prelude::*;
use redis_manager::redis::{self, Value, cmd, pipe};
use redis_manager::{Delivery, Protocol, RedisAsyncSession, RedisSession};
use redis_manager_support::TestServer;

use crate::fixture::{Host, PATIENCE, PROTOCOLS, eventually, unique};

fn id(session: &mut RedisSession) -> u64 {
    cmd("CLIENT").arg("ID").query(session).unwrap()
}

async fn id_async(session: &mut RedisAsyncSession) -> u64 {
    cmd("CLIENT").arg("ID").query_async(session).await.unwrap()
}

fn small_pool(protocol: Protocol) -> ClientOptions {
    ClientOptions::builder()
        .protocol(protocol)
        .session_pool_size(1)
        .command_timeout(Duration::from_millis(200))
        .build()
        .unwrap()
}

#[test]
fn session_is_a_connection_that_the_clients_other_calls_do_not_use() {
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client: RedisCommandClient = host.open(protocol);
        let mut session = client.session().unwrap();
        let mut other = client.session().unwrap();
        let shared: u64 = cmd("CLIENT")
            .arg("ID")
            .query(&mut client.commands())
            .unwrap();
        let (one, two) = (id(&mut session), id(&mut other));
        assert!(one != two && one != shared && two != shared);
        host.expect_connections(3);
    }
}

#[test]
fn session_async_is_a_connection_that_the_clients_other_calls_do_not_use() {
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client: RedisCommandClient = host.open(protocol);
        pollster::block_on(async {
            let mut session = client.session_async().await.unwrap();
            let mut shared = client.async_commands();
            let shared: u64 = cmd("CLIENT")
                .arg("ID")
                .query_async(&mut shared)
                .await
                .unwrap();
            assert_ne!(id_async(&mut session).await, shared);
        });
    }
}

#[test]
fn a_sessions_connection_has_the_name_database_protocol_and_credentials_of_the_client() {
    let server = TestServer::builder().password("pa ss").start_or_panic();
    server.run(&["ACL", "SETUSER", "worker", "on", ">s3cret", "~*", "+@all"]);
    for (user, query, number) in [
        (None, "protocol=2", 2),
        (None, "protocol=3", 3),
        (Some("worker"), "protocol=2", 2),
        (Some("worker"), "protocol=3", 3),
    ] {
        let host = Host::new();
        let credentials = if user.is_some() {
            "worker:s3cret"
        } else {
            ":pa%20ss"
        };
        let url = format!(
            "redis://{credentials}@127.0.0.1:{}/4?clientName={}&{query}",
            server.port(),
            host.name
        );
        let client: RedisCommandClient = host.manager.open(&host.script, url).unwrap();
        let mut session = client.session().unwrap();
        let id = id(&mut session);
        let seen = server.clients().unwrap();
        let seen = seen.iter().find(|seen| seen.id == id).unwrap();
        assert_eq!(seen.name, host.name);
        assert_eq!(seen.db, 4);
        assert_eq!(seen.resp, server.told_protocol(number));
        assert_eq!(seen.user, user.unwrap_or("default"));
        assert_eq!(redis::ConnectionLike::get_db(&session), 4);
    }
}

#[test]
fn a_clean_session_is_reused() {
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client: RedisCommandClient = host.open(protocol);
        let key = unique("key");
        let mut session = client.session().unwrap();
        let first = id(&mut session);
        let () = session.set(&key, 1).unwrap();
        let watched = cmd("WATCH").arg(&key).exec(&mut session);
        watched.unwrap();
        cmd("UNWATCH").exec(&mut session).unwrap();
        cmd("MULTI").exec(&mut session).unwrap();
        cmd("DISCARD").exec(&mut session).unwrap();
        let () = pipe()
            .atomic()
            .get(&key)
            .ignore()
            .query(&mut session)
            .unwrap();
        drop(session);
        let mut session = client.session().unwrap();
        assert_eq!(id(&mut session), first);
        drop(session);
        pollster::block_on(async {
            let mut session = client.session_async().await.unwrap();
            assert_eq!(id_async(&mut session).await, first);
        });
        host.expect_connections(2);
    }
}

#[test]
fn a_session_that_watches_is_in_multi_or_changed_its_connection_is_discarded() {
    for protocol in PROTOCOLS {
        for dirt in [
            "WATCH a",
            "MULTI",
            "SELECT 3",
            "CLIENT NO-EVICT ON",
            "CLIENT SETNAME other",
            "CLIENT TRACKING ON",
            "AUTH default anything",
            "HELLO",
            "RESET",
            "READONLY",
        ] {
            let host = Host::new();
            let client: RedisCommandClient = host.open(protocol);
            let mut command = redis::Cmd::new();
            dirt.split(' ').for_each(|word| {
                command.arg(word);
            });
            let mut session = client.session().unwrap();
            let first = id(&mut session);
            // Some are refused by the server, which leaves doubt all the same.
            let _ = command.query::<Value>(&mut session);
            drop(session);
            let mut session = client.session().unwrap();
            let second = id(&mut session);
            assert_ne!(second, first, "{dirt}");
            let names: Vec<_> = TestServer::shared().clients().unwrap();
            let fresh = names.iter().find(|seen| seen.id == second).unwrap();
            assert_eq!((fresh.db, fresh.name.as_str()), (0, host.name.as_str()));
            eventually("the discarded connection is gone", || {
                let clients = TestServer::shared().clients().unwrap();
                clients.iter().all(|seen| seen.id != first)
            });
        }
    }
}

#[test]
fn a_session_whose_call_timed_out_is_discarded() {
    let server = TestServer::builder().debug_commands().start_or_panic();
    for protocol in PROTOCOLS {
        let host = Host::new();
        let options = small_pool(protocol);
        let open = host.manager.open_with(&host.script, server.url(), options);
        let client: RedisCommandClient = open.unwrap();
        let mut session = client.session().unwrap();
        let first = id(&mut session);
        server.pause().unwrap();
        let late = session.get::<_, Option<String>>("k").unwrap_err();
        server.resume().unwrap();
        let late = Error::from(late);
        assert_eq!(late.kind(), ErrorKind::Timeout);
        assert_eq!(late.delivery(), Some(Delivery::Unknown));
        drop(session);
        let mut session = client.session().unwrap();
        assert_ne!(id(&mut session), first);
    }
}

#[test]
fn a_session_whose_call_was_cancelled_is_discarded_and_in_step_until_then() {
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client: RedisCommandClient = host.open(protocol);
        let list = unique("list");
        pollster::block_on(async {
            let mut session = client.session_async().await.unwrap();
            let first = id_async(&mut session).await;
            {
                let mut pop = cmd("BLPOP");
                pop.arg(&list).arg(0);
                let mut call = std::pin::pin!(pop.query_async::<Value>(&mut session));
                // Sent once the server has it; only then is it given up.
                eventually("the session blocks", || {
                    assert!(futures_util::future::FutureExt::now_or_never(call.as_mut()).is_none());
                    let seen = host.connections();
                    seen.iter()
                        .any(|seen| seen.id == first && seen.cmd == "blpop")
                });
            }
            let () = client
                .async_commands()
                .rpush(&list, "popped")
                .await
                .unwrap();
            // The reply of BLPOP is thrown away, and that of PING is PING's.
            let pong: String = cmd("PING").query_async(&mut session).await.unwrap();
            assert_eq!(pong, "PONG");
            drop(session);
            let mut session = client.session_async().await.unwrap();
            assert_ne!(id_async(&mut session).await, first);
        });
    }
}

#[test]
fn a_session_beyond_the_pool_size_is_refused_within_the_command_timeout_and_had_later() {
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client: RedisCommandClient = host.open_with(small_pool(protocol));
        let session = client.session().unwrap();
        let refused = client.session().unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::PoolExhausted);
        assert!(refused.message().contains("session_pool_size"), "{refused}");
        let refused = pollster::block_on(client.session_async()).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::PoolExhausted);
        drop(session);
        drop(client.session().unwrap());
        pollster::block_on(client.session_async()).unwrap();
        host.expect_connections(2);
    }
}

#[test]
fn a_session_that_waits_gets_the_one_that_is_given_back() {
    let host = Host::new();
    let options = ClientOptions::builder().session_pool_size(1).build();
    let client: RedisCommandClient = host.open_with(options.unwrap());
    let mut first = client.session().unwrap();
    let number = id(&mut first);
    let waiting = std::thread::spawn({
        let client = client.clone();
        move || id(&mut client.session().unwrap())
    });
    drop(first);
    assert_eq!(waiting.join().unwrap(), number);
}

#[test]
fn after_close_a_session_answers_closed_and_its_socket_is_gone() {
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client: RedisCommandClient = host.open(protocol);
        let mut session = client.session().unwrap();
        let idle = client.session().unwrap();
        let mut asynchronous = pollster::block_on(client.session_async()).unwrap();
        let () = session.set(unique("key"), 1).unwrap();
        drop(idle);
        host.expect_connections(4);
        client.close();
        assert!(!redis::ConnectionLike::is_open(&session));
        let error = Error::from(session.get::<_, Value>("k").unwrap_err());
        assert_eq!(error.kind(), ErrorKind::Closed);
        assert_eq!(error.delivery(), Some(Delivery::NotSent));
        let error = pollster::block_on(asynchronous.get::<_, Value>("k"));
        assert_eq!(Error::from(error.unwrap_err()).kind(), ErrorKind::Closed);
        host.expect_connections(0);
        let error = client.session().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Closed);
        let error = pollster::block_on(client.session_async()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Closed);
    }
}

#[test]
fn a_session_refuses_what_would_put_its_replies_out_of_step() {
    let host = Host::new();
    let client: RedisCommandClient = host.open(Protocol::Resp3);
    let mut session = client.session().unwrap();
    for (command, way_out) in [
        (vec!["SUBSCRIBE", "c"], "PUB_SUB"),
        (vec!["MONITOR"], "raw connection"),
        (vec!["CLIENT", "REPLY", "OFF"], "never answered"),
        (vec!["REPLCONF", "ACK", "0"], "never answered"),
        (vec!["QUIT"], "close()"),
        (vec![], "empty"),
    ] {
        let mut built = redis::Cmd::new();
        command.iter().for_each(|word| {
            built.arg(word);
        });
        let refused = Error::from(built.exec(&mut session).unwrap_err());
        assert!(refused.message().contains(way_out), "{refused}");
        assert_eq!(refused.delivery(), Some(Delivery::NotSent));
        let echo: String = cmd("ECHO").arg(way_out).query(&mut session).unwrap();
        assert_eq!(echo, way_out);
    }
}

#[test]
fn a_session_blocks_as_long_as_the_server_does_and_loses_nothing() {
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client: RedisCommandClient = host.open_with(small_pool(protocol));
        let list = unique("list");
        let began = std::time::Instant::now();
        let mut session = client.session().unwrap();
        let nothing: Option<(String, String)> = session.blpop(&list, 0.5).unwrap();
        assert_eq!(nothing, None);
        assert!(began.elapsed() >= Duration::from_millis(500));
        assert!(began.elapsed() < PATIENCE);
        let pong: String = cmd("PING").query(&mut session).unwrap();
        assert_eq!(pong, "PONG");
    }
}

#[test]
fn a_session_may_wait_for_replicas_and_is_clean_afterwards() {
    let host = Host::new();
    let client: RedisCommandClient = host.open_with(small_pool(Protocol::Resp2));
    let mut session = client.session().unwrap();
    let first = id(&mut session);
    // There is none, so the server waits longer than the command timeout.
    let replicas: i64 = cmd("WAIT").arg(1).arg(400).query(&mut session).unwrap();
    assert_eq!(replicas, 0);
    drop(session);
    assert_eq!(id(&mut client.session().unwrap()), first);
}
