//! Clients that are open before they are connected.

use redis_manager::prelude::*;
use redis_manager::{Delivery, OpenRedisClient, Protocol};
use redis_manager_support::TestServer;

use crate::fixture::{Host, PROTOCOLS, eventually};
use crate::listening::next_text;
use crate::pubsub_client::register;
use crate::reconnect::{expect_connected, expect_event, expect_lost, options, verdict};

fn open_lazily<C>(host: &Host, url: &str, protocol: Protocol) -> C
where
    C: OpenRedisClient + Into<AnyClient>,
{
    let options = options(protocol).lazy_connect(true).build().unwrap();
    host.manager.open_with(&host.script, url, options).unwrap()
}

#[test]
fn a_lazy_client_connects_with_its_first_call() {
    for protocol in PROTOCOLS {
        let host = Host::new();
        let lazy: RedisCommandClient = open_lazily(&host, &host.url(), protocol);
        let lazier: RedisPubSubClient = open_lazily(&host, &host.url(), protocol);
        assert_eq!(
            (lazy.state(), lazier.state()),
            (ClientState::Idle, ClientState::Idle)
        );
        assert_eq!(lazy.connection().protocol(), None);
        let eager: RedisCommandClient = host.open(protocol);
        eager.commands().ping::<()>().unwrap();
        host.expect_connections(1);
        let mut events = lazy.events();
        lazy.commands().ping::<()>().unwrap();
        expect_connected(&mut events);
        assert_eq!(lazy.state(), ClientState::Connected);
        assert_eq!(lazy.connection().protocol(), eager.connection().protocol());
        host.expect_connections(2);
        assert!(host.manager.unload_script(&host.script).is_clean());
        host.expect_connections(0);
    }
}

#[test]
fn a_lazy_client_opens_without_its_server_and_its_calls_wait_for_it() {
    for protocol in PROTOCOLS {
        let (server, host) = (TestServer::start(), Host::new());
        server.kill().unwrap();
        let client: RedisCommandClient = open_lazily(&host, &server.url(), protocol);
        let pubsub: RedisPubSubClient = open_lazily(&host, &server.url(), protocol);
        let mut events = client.events();
        std::thread::scope(|threads| {
            let get = threads.spawn(|| client.commands().get::<_, Option<i64>>("k"));
            let listen = threads.spawn(|| register(&pubsub, "register_listener", "news"));
            for state in [&|| client.state(), &|| pubsub.state()] as [&dyn Fn() -> ClientState; 2] {
                eventually("the state says why", || state().is_disconnected());
                assert!(state().to_string().contains("Connection refused"));
            }
            assert_eq!(expect_lost(&mut events).kind(), ErrorKind::Connect);
            server.restart().unwrap();
            assert_eq!(get.join().unwrap().unwrap(), None);
            let (_listener, heard) = listen.join().unwrap();
            assert_eq!(pubsub.publish("news", "hello").unwrap(), 1);
            assert_eq!(next_text(&heard), "hello");
        });
        assert_eq!(pubsub.state(), ClientState::Connected);
    }
}

#[test]
fn a_call_of_a_lazy_client_that_finds_no_server_says_what_kept_it() {
    let (server, host) = (TestServer::start(), Host::new());
    server.kill().unwrap();
    let options = options(Protocol::Auto)
        .lazy_connect(true)
        .command_timeout(Duration::from_millis(300));
    let client: RedisCommandClient = host
        .manager
        .open_with(&host.script, server.url(), options.build().unwrap())
        .unwrap();
    let error = Error::from(client.commands().get::<_, i64>("k").unwrap_err());
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(error.delivery(), Some(Delivery::NotSent));
    assert!(error.message().contains("Connection refused"), "{error}");
    assert!(
        error.message().ends_with("not sent within 300ms"),
        "{error}"
    );
}

#[test]
fn a_lazy_client_waits_for_its_first_server_whatever_it_does_about_the_next() {
    let (server, host) = (TestServer::start(), Host::new());
    server.kill().unwrap();
    let options = options(Protocol::Auto)
        .lazy_connect(true)
        .auto_reconnect(false);
    let client: RedisCommandClient = host
        .manager
        .open_with(&host.script, server.url(), options.build().unwrap())
        .unwrap();
    std::thread::scope(|threads| {
        let get = threads.spawn(|| client.commands().get::<_, Option<i64>>("k"));
        eventually("it has tried", || client.state().is_disconnected());
        let session = threads.spawn(|| client.session().unwrap().get::<_, Option<i64>>("k"));
        server.restart().unwrap();
        assert_eq!(get.join().unwrap(), Ok(None));
        assert_eq!(session.join().unwrap(), Ok(None));
    });
    let mut events = client.events();
    server.kill().unwrap();
    expect_event(&mut events, "it has given up", |event| {
        matches!(event, ClientEvent::ReconnectSuspended { .. })
    });
    let refused = client.commands().get::<_, i64>("k");
    assert_eq!(verdict(refused).0, ErrorKind::Disconnected);
}

#[test]
fn a_lazy_client_reconnects_and_closes_as_any_other() {
    for protocol in PROTOCOLS {
        let (server, host) = (TestServer::start(), Host::new());
        let pubsub: RedisPubSubClient = open_lazily(&host, &server.url(), protocol);
        let (_listener, heard) = register(&pubsub, "register_listener", "news");
        let mut events = pubsub.events();
        server.kill().unwrap();
        expect_lost(&mut events);
        server.restart().unwrap();
        expect_connected(&mut events);
        eventually("it is restored", || {
            pubsub.publish("news", "again").unwrap() == 1
        });
        assert_eq!(next_text(&heard), "again");
        let unused: RedisCommandClient = open_lazily(&host, &server.url(), protocol);
        let report = host.manager.unload_script(&host.script);
        assert!(report.is_clean(), "{report}");
        let (kind, _) = verdict(unused.commands().get::<_, i64>("k"));
        assert_eq!(kind, ErrorKind::Closed);
        eventually("nothing is left", || server.clients().unwrap().is_empty());
    }
}
