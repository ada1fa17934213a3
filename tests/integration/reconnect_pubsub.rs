//! Subscriptions outlive the connection that they were made on.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use futures_util::FutureExt;
use redis_manager::prelude::*;
use redis_manager::redis::cmd;
use redis_manager::{DisconnectedBehavior, Protocol};
use redis_manager_support::TestServer;

use crate::fixture::{Host, PROTOCOLS, eventually};
use crate::listening::{expect_silenced, hearing, hearing_async, next_text, subscribers_of};
use crate::pubsub_client::{Heard, register};
use crate::reconnect::{
    NOT_SENT, expect_connected, expect_lost, kill_connections, open, options, verdict,
};

#[track_caller]
fn expect_heard_once(server: &TestServer, channel: &str, heard: &Heard) {
    for payload in ["one", "two"] {
        let receivers = server.run(&["PUBLISH", channel, payload]).as_int();
        assert_eq!(receivers, Some(1), "{channel}");
        assert_eq!(next_text(heard), payload, "{channel}");
    }
    assert!(heard.try_recv().is_err(), "{channel}");
}

#[test]
fn what_waited_to_be_published_is_heard_by_ones_own_listener() {
    // Under RESP2 what publishes is a socket of its own, which may be back first.
    let protocol = Protocol::Resp3;
    let (server, host) = (TestServer::start(), Host::new());
    let client: RedisPubSubClient = open(&host, server.url(), options(protocol));
    let (function, heard) = hearing();
    client.register_listener("own", function).unwrap();
    for index in 0..2_000 {
        let (function, _) = hearing();
        drop(client.register_listener(format!("other {index}"), function));
    }
    let mut events = client.events();
    for round in 0..3 {
        server.kill().unwrap();
        expect_lost(&mut events);
        let mut publishing = Box::pin(client.publish_async("own", round));
        assert!((&mut publishing).now_or_never().is_none());
        server.restart().unwrap();
        assert_eq!(pollster::block_on(publishing).unwrap(), 1);
        assert_eq!(next_text(&heard), round.to_string());
        expect_connected(&mut events);
    }
}

fn maxclients(server: &TestServer, count: &str) {
    server.run(&["CONFIG", "SET", "maxclients", count]);
}

#[test]
fn every_subscription_is_restored_once_after_a_kill_and_after_a_restart() {
    for protocol in PROTOCOLS {
        let (server, host) = (TestServer::start(), Host::new());
        let client: RedisPubSubClient = open(&host, server.url(), options(protocol));
        let listeners: Vec<_> = (0..50)
            .map(|index| {
                let channel = format!("channel {index}");
                let way = crate::pubsub_client::WAYS_TO_REGISTER[index % 3];
                let (listener, heard) = register(&client, way, &channel);
                (channel, listener, heard)
            })
            .collect();
        let mut events = client.events();
        for round in 0..4 {
            if round % 2 == 0 {
                kill_connections(&server);
            } else {
                server.restart().unwrap();
            }
            expect_lost(&mut events);
            expect_connected(&mut events);
            for (channel, listener, heard) in &listeners {
                eventually("it is restored", || subscribers_of(&server, channel) == 1);
                expect_heard_once(&server, channel, heard);
                assert!(listener.is_registered());
            }
            // Each socket may be told of its own loss.
            eventually("all is well", || {
                client.state() == ClientState::Connected && {
                    let sockets = server.clients().unwrap().len();
                    sockets == if protocol == Protocol::Resp2 { 2 } else { 1 }
                }
            });
            while events.try_recv().is_some() {}
        }
        for (channel, listener, _) in &listeners {
            listener.unregister().unwrap();
            assert_eq!(subscribers_of(&server, channel), 0);
        }
    }
}

#[test]
fn what_is_unregistered_while_disconnected_stays_so_and_what_is_registered_is_confirmed_later() {
    for protocol in PROTOCOLS {
        let (server, host) = (TestServer::start(), Host::new());
        let client: RedisPubSubClient = open(&host, server.url(), options(protocol));
        let (_kept, kept) = register(&client, "register_listener", "kept");
        let (left, unheard) = register(&client, "register_listener", "left");
        let mut events = client.events();
        server.kill().unwrap();
        expect_lost(&mut events);
        left.unregister().unwrap();
        expect_silenced(&unheard);
        let (function, late) = hearing_async();
        let mut registering = Box::pin(client.register_async_listener("late", function));
        let polled = futures_util::FutureExt::now_or_never(&mut registering);
        assert!(polled.is_none());
        let (function, blocking) = hearing();
        let registrar = client.clone();
        let thread =
            std::thread::spawn(move || registrar.register_listener("blocking", function).unwrap());
        server.restart().unwrap();
        let late_listener = pollster::block_on(registering).unwrap();
        assert_eq!(subscribers_of(&server, "late"), 1);
        let blocking_listener = thread.join().unwrap();
        eventually("it is restored", || subscribers_of(&server, "kept") == 1);
        for (channel, heard) in [("kept", &kept), ("late", &late), ("blocking", &blocking)] {
            expect_heard_once(&server, channel, heard);
        }
        assert_eq!(subscribers_of(&server, "left"), 0);
        late_listener.unregister().unwrap();
        blocking_listener.unregister().unwrap();
        assert_eq!(subscribers_of(&server, "late"), 0);
    }
}

#[test]
fn a_channel_that_is_refused_at_the_restore_does_not_hold_up_the_others() {
    let server = TestServer::start();
    for protocol in PROTOCOLS {
        server.run(&[
            "ACL",
            "SETUSER",
            "u",
            "on",
            ">pw",
            "~*",
            "+@all",
            "allchannels",
        ]);
        let host = Host::new();
        let url = format!("redis://u:pw@{}:{}", server.host(), server.port());
        let client: RedisPubSubClient = open(&host, url, options(protocol));
        let heard: Vec<_> = (0..10)
            .map(|index| {
                let channel = format!("c{index}");
                let (listener, heard) = register(&client, "register_listener", &channel);
                (channel, listener, heard)
            })
            .collect();
        let mut events = client.events();
        let mut rule = vec!["ACL".to_owned(), "SETUSER".to_owned(), "u".to_owned()];
        rule.push("resetchannels".to_owned());
        rule.extend(
            (0..10)
                .filter(|index| index % 3 != 0)
                .map(|index| format!("&c{index}")),
        );
        // The server ends whoever listens to what he may not any more.
        server.run(&rule);
        expect_lost(&mut events);
        for (index, (channel, _, heard)) in heard.iter().enumerate() {
            if index % 3 != 0 {
                eventually("it is restored", || subscribers_of(&server, channel) == 1);
                expect_heard_once(&server, channel, heard);
            } else {
                assert_eq!(subscribers_of(&server, channel), 0);
            }
        }
        // Once they are allowed, the next connection has them all.
        server.run(&["ACL", "SETUSER", "u", "allchannels"]);
        kill_connections(&server);
        for (channel, _, heard) in &heard {
            eventually("it is restored", || subscribers_of(&server, channel) == 1);
            expect_heard_once(&server, channel, heard);
        }
        host.manager.shutdown().unwrap();
    }
}

#[test]
fn a_full_queue_does_not_keep_subscriptions_from_being_restored() {
    for protocol in PROTOCOLS {
        let (server, host) = (TestServer::start(), Host::new());
        let tight = options(protocol).request_queue_size(1);
        let client: RedisPubSubClient = open(&host, server.url(), tight);
        let listeners: Vec<_> = (0..30)
            .map(|index| {
                let channel = format!("c{index}");
                let (_, heard) = register(&client, "register_listener", &channel);
                (channel, heard)
            })
            .collect();
        let stop = AtomicBool::new(false);
        // Without waiting for replies, so that the one place in the queue is mostly taken.
        let mut flood = cmd("PUBLISH");
        flood.arg("elsewhere").arg("m").set_no_response(true);
        std::thread::scope(|scope| {
            let (flood, stop, connection) = (&flood, &stop, client.connection());
            for _ in 0..2 {
                scope.spawn(move || {
                    while !stop.load(SeqCst) {
                        if let Err(error) = connection.request(flood) {
                            let kind = error.kind();
                            assert!(
                                matches!(kind, ErrorKind::QueueFull | ErrorKind::Disconnected),
                                "{error}"
                            );
                        }
                    }
                });
            }
            let mut events = client.events();
            kill_connections(&server);
            expect_lost(&mut events);
            let restored = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                for (channel, _) in &listeners {
                    eventually("it is restored", || subscribers_of(&server, channel) == 1);
                }
            }));
            stop.store(true, SeqCst);
            restored.unwrap();
        });
        for (channel, heard) in &listeners {
            expect_heard_once(&server, channel, heard);
        }
    }
}

#[test]
fn under_resp2_the_loss_of_one_socket_leaves_the_other_as_it_is() {
    let server = TestServer::start();
    for behavior in [DisconnectedBehavior::Queue, DisconnectedBehavior::Reject] {
        let host = Host::new();
        let options = options(Protocol::Resp2).disconnected_behavior(behavior);
        let client: RedisPubSubClient = open(&host, server.url(), options);
        let (left, unheard) = register(&client, "register_listener", "left");
        let (_kept, kept) = register(&client, "register_listener", "kept");
        let mut events = client.events();
        // Room for the admin and the socket that subscribes.
        maxclients(&server, "2");
        let clients = server.clients().unwrap();
        let commands = clients
            .iter()
            .find(|client| client.field("sub") == Some("0"));
        server.run(&["CLIENT", "KILL", "ID", &commands.unwrap().id.to_string()]);
        expect_lost(&mut events);
        expect_heard_once(&server, "kept", &kept);
        left.unregister().unwrap();
        expect_silenced(&unheard);
        assert_eq!(subscribers_of(&server, "left"), 0);
        let (new, heard) = register(&client, "register_listener", "new");
        expect_heard_once(&server, "new", &heard);
        new.unregister().unwrap();
        if behavior == DisconnectedBehavior::Reject {
            let refused = client.publish("kept", "in vain");
            assert_eq!(verdict(refused), (ErrorKind::Disconnected, NOT_SENT));
        }
        maxclients(&server, "1000");
        expect_connected(&mut events);
        assert_eq!(client.publish("kept", "back").unwrap(), 1);
        assert_eq!(next_text(&kept), "back");
        host.manager.shutdown().unwrap();
        eventually("it is gone", || server.clients().unwrap().is_empty());
    }
}

#[test]
fn under_resp2_subscriptions_are_restored_whichever_socket_is_back_first() {
    let server = TestServer::start();
    for round in 0..10 {
        let host = Host::new();
        let options = options(Protocol::Resp2).disconnected_behavior(DisconnectedBehavior::Reject);
        let client: RedisPubSubClient = open(&host, server.url(), options);
        let (_listener, heard) = register(&client, "register_listener", "c");
        let mut events = client.events();
        // Room for the admin and one of the two.
        maxclients(&server, "2");
        kill_connections(&server);
        expect_lost(&mut events);
        eventually("one of them is back", || {
            server.clients().unwrap().len() == 1
        });
        maxclients(&server, "1000");
        eventually("it is restored", || subscribers_of(&server, "c") == 1);
        expect_heard_once(&server, "c", &heard);
        eventually("both are back", || client.state() == ClientState::Connected);
        assert_eq!(client.publish("c", "back").unwrap(), 1, "round {round}");
        host.manager.shutdown().unwrap();
        eventually("it is gone", || server.clients().unwrap().is_empty());
    }
}
