//! Registrations that the server refuses, that nobody waits for, or that many make at once.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use redis_manager::prelude::*;
use redis_manager::redis::{ProtocolVersion, cmd};
use redis_manager::{Delivery, Protocol};
use redis_manager_support::TestServer;

use crate::fixture::{Host, PATIENCE, PROTOCOLS, eventually, unique};
use crate::listening::{
    expect_silenced, hearing, hearing_async, next_text, subscribers, subscribers_of,
};
use crate::pubsub_client::{WAYS_TO_REGISTER, register};

#[test]
fn a_channel_that_the_server_refuses_fails_alone_and_leaves_nothing() {
    let server = TestServer::start();
    server.run(&[
        "ACL",
        "SETUSER",
        "limited",
        "on",
        ">pw",
        "~*",
        "+@all",
        "resetchannels",
        "&allowed",
    ]);
    let url = format!("redis://limited:pw@{}:{}", server.host(), server.port());
    for protocol in PROTOCOLS {
        let manager = RedisManager::new().unwrap();
        let script = manager.load_script("limited").unwrap();
        let options = ClientOptions::builder().protocol(protocol).build().unwrap();
        let client: RedisPubSubClient = manager.open_with(&script, &url, options).unwrap();
        let (_, allowed) = register(&client, "register_listener", "allowed");

        let (function, heard) = hearing();
        let error = client.register_listener("secret", function).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Server, "{protocol:?}: {error}");
        assert_eq!(error.client_id(), Some(client.client_id()));
        assert_eq!(error.command(), Some("SUBSCRIBE"));
        expect_silenced(&heard);
        let (function, heard) = hearing_async();
        let registering = client.register_async_listener("secret", function);
        let error = pollster::block_on(registering).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Server);
        expect_silenced(&heard);
        let error = client.publish("secret", "psst").unwrap_err();
        assert_eq!(
            (error.kind(), error.delivery()),
            (ErrorKind::Server, Some(Delivery::Replied))
        );

        assert_eq!(subscribers_of(&server, "secret"), 0);
        assert_eq!(client.unregister_listeners("secret").unwrap(), 0);
        assert_eq!(client.publish("allowed", "hello").unwrap(), 1);
        assert_eq!(next_text(&allowed), "hello");

        // Nothing of the refusals is remembered once the server thinks otherwise.
        server.run(&["ACL", "SETUSER", "limited", "allchannels"]);
        let (listener, heard) = register(&client, "register_listener", "secret");
        client.publish("secret", "psst").unwrap();
        assert_eq!(next_text(&heard), "psst");
        listener.unregister().unwrap();
        manager.shutdown().unwrap();
        server.run(&["ACL", "SETUSER", "limited", "resetchannels", "&allowed"]);
    }
}

#[test]
fn a_registration_that_is_dropped_before_it_is_confirmed_registers_nothing() {
    let server = TestServer::start();
    let manager = RedisManager::new().unwrap();
    let script = manager.load_script("hasty").unwrap();
    for protocol in PROTOCOLS {
        let options = ClientOptions::builder().protocol(protocol).build().unwrap();
        let client: RedisPubSubClient = manager.open_with(&script, server.url(), options).unwrap();
        for _ in 0..20 {
            let (channel, (function, heard)) = (unique("hasty"), hearing_async());
            server.pause().unwrap();
            {
                let mut registering = Box::pin(client.register_async_listener(&channel, function));
                let mut context = std::task::Context::from_waker(std::task::Waker::noop());
                assert!(registering.as_mut().poll(&mut context).is_pending());
            }
            expect_silenced(&heard);
            server.resume().unwrap();
            // Whatever was on its way when the future was dropped is answered before this is.
            let (after, _) = register(&client, "register_listener", &unique("after"));
            eventually("the server was told", || {
                subscribers_of(&server, &channel) == 0
            });
            assert_eq!(client.publish(&channel, "anybody there?").unwrap(), 0);
            assert_eq!(client.unregister_listeners(&channel).unwrap(), 0);
            after.unregister().unwrap();
        }
        assert_eq!(server.run(&["PUBSUB", "CHANNELS"]).items(), []);
        client.close();
    }
}

#[test]
fn a_closed_client_refuses_to_listen_and_to_publish_and_has_nothing_to_unregister() {
    for protocol in PROTOCOLS {
        let (host, channel) = (Host::new(), unique("closed"));
        let client: RedisPubSubClient = host.open(protocol);
        let (listener, heard) = register(&client, "register_listener", &channel);
        client.close();
        let refuses = || {
            let (function, unheard) = hearing();
            let (async_function, async_unheard) = hearing_async();
            let errors = [
                client.register_listener(&channel, function).unwrap_err(),
                pollster::block_on(client.register_async_listener(&channel, async_function))
                    .unwrap_err(),
                client.publish(&channel, "late").unwrap_err(),
                client.publish_sync(&channel, "late").unwrap_err(),
                pollster::block_on(client.publish_async(&channel, "late")).unwrap_err(),
            ];
            for error in errors {
                assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
                assert_eq!(error.client_id(), Some(client.client_id()));
                assert_eq!(error.delivery(), Some(Delivery::NotSent));
            }
            expect_silenced(&unheard);
            expect_silenced(&async_unheard);
            listener.unregister().unwrap();
            assert_eq!(client.unregister_listeners(&channel).unwrap(), 0);
        };
        refuses();
        assert!(!listener.is_registered());
        expect_silenced(&heard);
        // The server notices a closed socket in its own time.
        eventually("nobody listens", || subscribers(&channel) == 0);
        host.manager.shutdown().unwrap();
        refuses();
    }
}

#[test]
fn every_socket_of_a_client_carries_its_name() {
    for (protocol, sockets, version) in [
        (Protocol::Resp2, 2, ProtocolVersion::RESP2),
        (Protocol::Resp3, 1, ProtocolVersion::RESP3),
    ] {
        let (host, channel) = (Host::new(), unique("named"));
        let client: RedisPubSubClient = host.open(protocol);
        register(&client, "register_listener", &channel);
        let connections = host.connections();
        assert_eq!(connections.len(), sockets, "{connections:?}");
        let subscribed: HashSet<_> = connections.iter().map(|c| c.field("sub")).collect();
        assert!(subscribed.contains(&Some("1")), "{connections:?}");
        let connection = client.connection();
        assert_eq!(connection.protocol(), Some(version));
        let publish = cmd("PUBLISH").arg(&channel).arg("hello").to_owned();
        let receivers = connection.request(&publish).unwrap();
        assert_eq!(receivers, redis_manager::redis::Value::Int(1));
    }
}

#[test]
fn a_password_and_a_name_reach_the_subscribing_socket_too() {
    let server = TestServer::builder().password("p@ss word").start_or_panic();
    for protocol in PROTOCOLS {
        let manager = RedisManager::new().unwrap();
        let script = manager.load_script("named").unwrap();
        let options = ClientOptions::builder().protocol(protocol).build().unwrap();
        let url = format!("{}?clientName=parrot", server.url_with_password());
        let client: RedisPubSubClient = manager.open_with(&script, url, options).unwrap();
        let (_, heard) = register(&client, "register_listener", "named");
        assert_eq!(client.publish("named", "hello").unwrap(), 1);
        assert_eq!(next_text(&heard), "hello");
        let clients = server.clients().unwrap();
        assert!(
            clients.iter().all(|client| client.name == "parrot"),
            "{clients:?}"
        );
        manager.shutdown().unwrap();
        eventually("they are gone", || server.clients().unwrap().is_empty());
    }
}

#[test]
fn a_registration_has_one_deadline_however_many_wait_before_it() {
    let server = TestServer::start();
    for protocol in PROTOCOLS {
        let manager = RedisManager::new().unwrap();
        let script = manager.load_script("patient").unwrap();
        let options = ClientOptions::builder()
            .protocol(protocol)
            .command_timeout(Duration::from_secs(1))
            .shutdown_timeout(Duration::ZERO)
            .build()
            .unwrap();
        let client: RedisPubSubClient = manager.open_with(&script, server.url(), options).unwrap();
        server.pause().unwrap();
        let began = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..20 {
                scope.spawn(|| {
                    let (function, heard) = hearing();
                    let error = client.register_listener(unique("late"), function);
                    assert_eq!(error.unwrap_err().kind(), ErrorKind::Timeout);
                    expect_silenced(&heard);
                });
            }
        });
        // One after the other they would have taken 20 seconds.
        assert!(
            began.elapsed() < Duration::from_secs(10),
            "{:?}",
            began.elapsed()
        );
        server.resume().unwrap();
        manager.shutdown().unwrap();
    }
}

#[test]
fn threads_that_register_and_unregister_one_channel_at_the_same_time_agree_with_the_server() {
    for protocol in PROTOCOLS {
        let (host, channel) = (Host::new(), Arc::new(unique("busy")));
        let client: RedisPubSubClient = host.open(protocol);
        std::thread::scope(|scope| {
            for thread in 0..6 {
                let (client, channel) = (&client, &channel);
                scope.spawn(move || {
                    for round in 0..40 {
                        let way = WAYS_TO_REGISTER[(thread + round) % 3];
                        let (listener, heard) = register(client, way, channel);
                        let payload = format!("{thread} {round}");
                        assert_eq!(client.publish(&**channel, &payload).unwrap(), 1);
                        let deadline = Instant::now() + PATIENCE;
                        while next_text(&heard) != payload {
                            assert!(Instant::now() < deadline);
                        }
                        listener.unregister().unwrap();
                    }
                });
            }
        });
        assert_eq!(subscribers(&*channel), 0, "{protocol:?}");
    }
}
