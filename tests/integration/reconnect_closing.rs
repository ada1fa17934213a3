//! Closing a client that has no connection at that moment.

use std::time::Instant;

use futures_util::FutureExt;
use redis_manager::prelude::*;
use redis_manager_support::TestServer;

use crate::fixture::{Host, PATIENCE, PROTOCOLS};
use crate::reconnect::{NOT_SENT, expect_connected, expect_lost, open, options, verdict};

#[test]
fn a_client_closed_while_disconnected_ends_in_time_and_its_calls_were_not_sent() {
    for protocol in PROTOCOLS {
        let (server, host, other) = (TestServer::start(), Host::new(), Host::new());
        let brief = || options(protocol).shutdown_timeout(Duration::from_millis(100));
        let client: RedisCommandClient = open(&host, server.url(), brief());
        let pubsub: RedisPubSubClient = open(&host, server.url(), brief());
        let listener = pubsub.register_listener("c", |_: &Message| Ok(())).unwrap();
        let witness = format!("{}?clientName=witness", server.url());
        let witness: RedisCommandClient = open(&other, witness, options(protocol));
        let mut events = [client.events(), pubsub.events(), witness.events()];
        server.kill().unwrap();
        events
            .iter_mut()
            .for_each(|events| drop(expect_lost(events)));
        let mut handles = [(); 3].map(|()| client.async_commands());
        let mut calls = handles
            .each_mut()
            .map(|commands| commands.incr::<_, _, i64>("k", 1));
        for call in &mut calls {
            assert!(call.now_or_never().is_none());
        }
        let mut publishing = Box::pin(pubsub.publish_async("c", "m"));
        assert!((&mut publishing).now_or_never().is_none());
        let mut registering =
            Box::pin(pubsub.register_async_listener("d", async |_: Message| Ok(())));
        assert!((&mut registering).now_or_never().is_none());
        let began = Instant::now();
        let report = host.manager.unload_script(&host.script);
        assert!(began.elapsed() < PATIENCE, "{report}");
        for call in calls {
            assert_eq!(
                verdict(call.now_or_never().expect("at once")),
                (ErrorKind::Closed, NOT_SENT)
            );
        }
        let published = publishing.now_or_never().expect("at once");
        assert_eq!(verdict(published), (ErrorKind::Closed, NOT_SENT));
        let registered = pollster::block_on(registering);
        assert_eq!(registered.unwrap_err().kind(), ErrorKind::Closed);
        assert!(!listener.is_registered());
        assert_eq!(client.state(), ClientState::Closed);
        server.restart().unwrap();
        expect_connected(&mut events[2]);
        let clients = server.clients().unwrap();
        assert!(
            clients.iter().all(|client| client.name == "witness"),
            "{clients:?}"
        );
        assert!(!witness.commands().exists::<_, bool>("k").unwrap());
    }
}

#[test]
fn a_client_closed_while_it_reconnects_leaves_no_connection() {
    let server = TestServer::start();
    for protocol in PROTOCOLS {
        for round in 0..10 {
            let host = Host::new();
            let clients: [AnyClient; 2] = [
                open::<RedisCommandClient>(&host, server.url(), options(protocol)).into(),
                open::<RedisPubSubClient>(&host, server.url(), options(protocol)).into(),
            ];
            let mut events = clients.each_ref().map(ScriptRedisClient::events);
            crate::reconnect::kill_connections(&server);
            if round % 2 == 0 {
                events
                    .iter_mut()
                    .for_each(|events| drop(expect_lost(events)));
            }
            let began = Instant::now();
            let report = host.manager.unload_script(&host.script);
            assert!(began.elapsed() < PATIENCE, "{report}");
            assert!(report.is_clean(), "{report}");
            for events in &mut events {
                // Nothing follows the end, so no reconnect either.
                while events.recv().unwrap().is_some() {}
            }
            crate::fixture::eventually("nobody is left", || server.clients().unwrap().is_empty());
        }
    }
}
