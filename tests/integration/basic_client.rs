//! The BASIC client: a way to the underlying client, without a connection of its own.

use std::time::Instant;

use redis_manager::prelude::*;
use redis_manager::redis::{self, Value, cmd};
use redis_manager::{CloseOutcome, Protocol};
use redis_manager_support::TestServer;

use crate::fixture::{Host, PATIENCE, PROTOCOLS, eventually, unique};

#[test]
fn open_basic_client_opens_no_connection_and_needs_no_server() {
    let server = TestServer::start();
    let host = Host::new();
    let client: RedisBasicClient = host.manager.open(&host.script, server.url()).unwrap();
    assert_eq!(client.state(), ClientState::Idle);
    assert_eq!(server.clients().unwrap(), []);
    server.kill().unwrap();
    let client: RedisBasicClient = host.manager.open(&host.script, server.url()).unwrap();
    assert_eq!(client.state(), ClientState::Idle);
    assert_eq!(host.manager.redis_clients(&host.script).len(), 2);
}

#[test]
fn redis_uri_and_client_options_are_those_that_it_was_opened_with() {
    let host = Host::new();
    let options = ClientOptions::builder().session_pool_size(3);
    let options = options.build().unwrap();
    let uri: RedisUri = "redis://:secret@localhost:7000/2".parse().unwrap();
    let (manager, script) = (&host.manager, &host.script);
    let client: RedisBasicClient = manager.open_with(script, &uri, options.clone()).unwrap();
    assert_eq!(client.redis_uri(), &uri);
    assert_eq!(client.client_options(), &options);
    assert_eq!(client.client_type(), ClientType::Basic);
    assert_eq!(client.script(), script);
    assert!(!format!("{client:?} {:?}", client.redis_client()).contains("secret"));
}

#[test]
fn redis_client_is_the_underlying_client_with_address_database_credentials_and_protocol() {
    let server = TestServer::builder().password("pa ss").start_or_panic();
    for (protocol, number) in [
        (Protocol::Resp2, 2),
        (Protocol::Resp3, 3),
        (Protocol::Auto, 2),
    ] {
        let host = Host::new();
        let options = ClientOptions::builder().protocol(protocol).build().unwrap();
        let url = format!("{}/5", server.url_with_password());
        let client: RedisBasicClient = host.manager.open_with(&host.script, url, options).unwrap();
        let UnderlyingClient::Single(theirs) = client.redis_client() else {
            panic!("one server")
        };
        let mut connection = theirs.get_connection().unwrap();
        let () = connection.set("k", "v").unwrap();
        let value: String = connection.get("k").unwrap();
        assert_eq!(value, "v");
        let id: u64 = cmd("CLIENT").arg("ID").query(&mut connection).unwrap();
        let seen = server.clients().unwrap();
        let seen = seen.iter().find(|seen| seen.id == id).unwrap();
        let told = server.told_protocol(number);
        assert_eq!((seen.db, seen.resp), (5, told), "{protocol:?}");
        assert!(client.redis_client().into_single().is_some());
    }
}

#[tokio::test]
async fn pool_hands_out_connections_and_is_closed_with_the_client() {
    for protocol in PROTOCOLS {
        let server = TestServer::start();
        let host = Host::new();
        let options = ClientOptions::builder().protocol(protocol);
        let options = options.session_pool_size(2).build().unwrap();
        let open =
            host.manager
                .open_with_async(&host.script, format!("{}/3", server.url()), options);
        let client: RedisBasicClient = open.await.unwrap();
        let pool = client.pool().unwrap();
        assert_eq!(server.clients().unwrap(), [], "none before it is used");
        assert_eq!(pool.status().max_size, 2);
        let mut connection = pool.get().await.unwrap();
        let () = redis::cmd("SET")
            .arg("k")
            .arg("v")
            .query_async(&mut connection)
            .await
            .unwrap();
        let value: String = connection.get("k").await.unwrap();
        assert_eq!(value, "v");
        assert_eq!(server.clients().unwrap()[0].db, 3);
        drop(connection);
        // The same pool, not another.
        assert_eq!(client.pool().unwrap().status().size, 1);
        let _ = client.close_async().await;
        assert!(pool.get().await.is_err());
        assert_eq!(client.pool().unwrap_err().kind(), ErrorKind::Closed);
        // The connections end on this runtime, so it must not be blocked.
        let deadline = Instant::now() + PATIENCE;
        while !server.clients().unwrap().is_empty() {
            assert!(Instant::now() < deadline, "idle connections stay open");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

#[test]
fn pool_has_at_most_session_pool_size_connections() {
    let host = Host::new();
    let options = ClientOptions::builder()
        .session_pool_size(1)
        .command_timeout(Duration::from_millis(100));
    let client: RedisBasicClient = host.open_with(options.build().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let pool = client.pool().unwrap();
        let first = pool.get().await.unwrap();
        assert!(pool.get().await.is_err());
        drop(first);
        pool.get().await.unwrap();
    });
}

#[test]
fn ping_and_ping_async_ask_the_server_over_a_connection_made_for_it() {
    for protocol in PROTOCOLS {
        let server = TestServer::start();
        let host = Host::new();
        let options = ClientOptions::builder().protocol(protocol).build().unwrap();
        let (manager, script) = (&host.manager, &host.script);
        let client: RedisBasicClient = manager.open_with(script, server.url(), options).unwrap();
        assert_eq!(client.ping().unwrap(), "PONG");
        assert_eq!(pollster::block_on(client.ping_async()).unwrap(), "PONG");
        assert_eq!(client.state(), ClientState::Idle);
        eventually("its connection is closed again", || {
            server.clients().unwrap().is_empty()
        });
        server.kill().unwrap();
        assert_eq!(client.ping().unwrap_err().kind(), ErrorKind::Connect);
        server.restart().unwrap();
        assert_eq!(client.ping().unwrap(), "PONG");
    }
}

#[test]
fn after_close_a_basic_client_answers_closed() {
    let host = Host::new();
    let client: RedisBasicClient = host.open(Protocol::Resp3);
    let mut events = client.events();
    let report = client.close();
    assert!(
        matches!(report.outcome(), CloseOutcome::Drained),
        "{report}"
    );
    assert_eq!(client.state(), ClientState::Closed);
    assert!(matches!(events.try_recv(), Some(ClientEvent::Closed)));
    assert!(matches!(events.recv(), Ok(None)));
    assert_eq!(client.ping().unwrap_err().kind(), ErrorKind::Closed);
    let twin = pollster::block_on(client.ping_async()).unwrap_err();
    assert_eq!(twin.kind(), ErrorKind::Closed);
    assert_eq!(client.pool().unwrap_err().kind(), ErrorKind::Closed);
    let again = client.close();
    assert!(matches!(again.outcome(), CloseOutcome::AlreadyClosed));
    assert!(host.manager.redis_clients(&host.script).is_empty());
}

#[cfg(unix)]
#[test]
fn a_unix_socket_serves_all_kinds_of_client() {
    let server = TestServer::builder()
        .unix_socket()
        .password("secret")
        .start_or_panic();
    let socket = server.socket_path().unwrap();
    for protocol in PROTOCOLS {
        let host = Host::new();
        let (manager, script) = (&host.manager, &host.script);
        let url = format!("redis-socket://:secret@{}?db=6", socket.display());
        let options = ClientOptions::builder().protocol(protocol).build().unwrap();
        let command: RedisCommandClient = manager.open_with(script, &url, options.clone()).unwrap();
        let key = unique("key");
        let () = command.commands().set(&key, "v").unwrap();
        let mut session = command.session().unwrap();
        assert_eq!(session.get::<_, String>(&key).unwrap(), "v");
        let nothing: Value = command.commands().blpop("nosuch", 0.01).unwrap();
        assert_eq!(nothing, Value::Nil);

        let pubsub: RedisPubSubClient = manager.open_with(script, &url, options.clone()).unwrap();
        let (heard, hear) = std::sync::mpsc::channel();
        let listener = pubsub
            .register_listener("c", move |message: &Message| {
                Ok(heard.send(message.payload().to_vec())?)
            })
            .unwrap();
        assert_eq!(pubsub.publish("c", "hello").unwrap(), 1);
        assert_eq!(hear.recv_timeout(PATIENCE).unwrap(), b"hello");
        listener.unregister().unwrap();

        let basic: RedisBasicClient = manager.open_with(script, &url, options).unwrap();
        assert_eq!(basic.ping().unwrap(), "PONG");
        let mut raw = basic
            .redis_client()
            .into_single()
            .unwrap()
            .get_connection()
            .unwrap();
        assert_eq!(raw.get::<_, String>(&key).unwrap(), "v");
        drop(raw);

        let seen = server.clients().unwrap();
        assert!(!seen.is_empty());
        let path = socket.display().to_string();
        for client in &seen {
            assert!(client.addr.contains(&path), "{}", client.raw);
        }
        assert!(manager.unload_script(script).is_clean());
        eventually("nothing is left", || server.clients().unwrap().is_empty());
    }
}
