//! Listeners to shard channels, which are other channels than plain ones of the same names.

use redis_manager::prelude::*;
use redis_manager_support::TestServer;

use crate::fixture::{Host, PROTOCOLS, eventually, unique};
use crate::gaps::until_resubscribed;
use crate::listening::{
    expect_silenced, hearing, hearing_async, next, next_of, next_text, publish_from_outside,
    subscribers,
};
use crate::reconnect::{kill_connections, open, options};

/// How many connections have told the server that they listen to the shard channel `name`.
#[track_caller]
fn shard_subscribers(server: &TestServer, name: &str) -> i64 {
    let reply = server.run(&["PUBSUB", "SHARDNUMSUB", name]);
    let count = reply.items().get(1).and_then(|count| count.as_int());
    count.expect("a count of subscribers")
}

#[test]
fn listeners_of_each_kind_hear_what_is_published_to_a_shard_channel() {
    let server = TestServer::shared();
    if !server.is_tried_with("SSUBSCRIBE") {
        return;
    }
    for protocol in PROTOCOLS {
        let (host, name) = (Host::new(), unique("orders"));
        let (client, channel) = (
            host.open::<RedisPubSubClient>(protocol),
            Channel::shard(&name),
        );
        let (function, one) = hearing();
        let sync = client.register_listener(&channel, function).unwrap();
        assert_eq!(sync.channel(), &channel);
        assert_eq!(shard_subscribers(server, &name), 1);
        let (function, two) = hearing_async();
        let registering = client.register_async_listener(&channel, function);
        let asynchronous = pollster::block_on(registering).unwrap();
        let mut stream = client.messages(&channel).unwrap();
        assert_eq!(client.publish(&channel, "a").unwrap(), 1);
        let publishing = client.publish_async(&channel, "b");
        assert_eq!(pollster::block_on(publishing).unwrap(), 1);
        let told = server.run(&["SPUBLISH", &name, "c"]);
        assert_eq!(told.as_int(), Some(1));
        for payload in ["a", "b", "c"] {
            let heard = [next(&one), next(&two), next_of(&mut stream)];
            for message in heard {
                assert_eq!(message.payload_str().unwrap(), payload, "{protocol:?}");
                assert_eq!(
                    (message.channel(), message.pattern()),
                    (name.as_bytes(), None)
                );
            }
        }
        sync.unregister().unwrap();
        asynchronous.unregister().unwrap();
        assert_eq!(shard_subscribers(server, &name), 1);
        stream.handle().unregister().unwrap();
        assert_eq!(shard_subscribers(server, &name), 0);
        assert_eq!(client.publish(&channel, "late").unwrap(), 0);
    }
}

#[test]
fn a_plain_channel_a_shard_channel_and_a_pattern_of_one_name_are_three() {
    let server = TestServer::shared();
    if !server.is_tried_with("SSUBSCRIBE") {
        return;
    }
    for protocol in PROTOCOLS {
        let (host, name) = (Host::new(), unique("same"));
        let client: RedisPubSubClient = host.open(protocol);
        let [(function, plain), (other, shard), (third, pattern)] =
            [hearing(), hearing(), hearing()];
        client.register_listener(&name, function).unwrap();
        client
            .register_listener(Channel::shard(&name), other)
            .unwrap();
        client.register_pattern_listener(&name, third).unwrap();
        // The pattern matches plain channels alone.
        assert_eq!(client.publish(&name, "plain").unwrap(), 2);
        assert_eq!(client.publish(Channel::shard(&name), "shard").unwrap(), 1);
        assert_eq!(next_text(&plain), "plain");
        assert_eq!(next_text(&shard), "shard");
        let message = next(&pattern);
        assert_eq!(
            (message.payload(), message.pattern()),
            (b"plain".as_slice(), Some(name.as_bytes()))
        );

        assert_eq!(client.unregister_listeners(&name).unwrap(), 1);
        expect_silenced(&plain);
        assert_eq!(
            (subscribers(&name), shard_subscribers(server, &name)),
            (0, 1)
        );
        assert_eq!(client.publish(Channel::shard(&name), "shard").unwrap(), 1);
        assert_eq!(publish_from_outside(&name, "plain"), 1);
        assert_eq!(next_text(&shard), "shard");
        assert_eq!(next_text(&pattern), "plain");
        assert_eq!(
            client.unregister_listeners(Channel::shard(&name)).unwrap(),
            1
        );
        expect_silenced(&shard);
        assert_eq!(shard_subscribers(server, &name), 0);
        assert_eq!(
            client
                .unregister_listeners(Channel::pattern(&name))
                .unwrap(),
            1
        );
        expect_silenced(&pattern);
    }
}

#[test]
fn after_a_reconnect_each_kind_is_what_it_was_and_ends_with_its_last_listener() {
    for protocol in PROTOCOLS {
        let (server, host) = (TestServer::start(), Host::new());
        if !server.is_tried_with("SSUBSCRIBE") {
            return;
        }
        let client: RedisPubSubClient = open(&host, server.url(), options(protocol));
        let channels = [
            Channel::new("c"),
            Channel::shard("c"),
            Channel::pattern("c"),
        ];
        let heard: Vec<_> = channels
            .iter()
            .chain(&channels)
            .map(|channel| {
                let (function, heard) = hearing();
                (client.register_listener(channel, function).unwrap(), heard)
            })
            .collect();
        let mut events = client.events();
        for _ in 0..3 {
            kill_connections(&server);
            assert_eq!(until_resubscribed(&mut events).1, 3, "{protocol:?}");
            assert_eq!(server.run(&["PUBLISH", "c", "plain"]).as_int(), Some(2));
            assert_eq!(server.run(&["SPUBLISH", "c", "shard"]).as_int(), Some(1));
            for ((_, heard), channel) in heard.iter().zip(channels.iter().chain(&channels)) {
                let is_shard = *channel == Channel::shard("c");
                assert_eq!(next_text(heard), if is_shard { "shard" } else { "plain" });
                assert!(heard.try_recv().is_err(), "{channel}");
            }
        }
        let (first, second) = heard.split_at(3);
        for (listener, _) in first {
            listener.unregister().unwrap();
        }
        assert_eq!(shard_subscribers(&server, "c"), 1);
        for (listener, heard) in second {
            listener.unregister().unwrap();
            expect_silenced(heard);
        }
        assert_eq!(shard_subscribers(&server, "c"), 0);
        assert_eq!(server.run(&["PUBLISH", "c", "nobody"]).as_int(), Some(0));
    }
}

#[test]
fn a_shard_channel_that_is_refused_fails_alone_and_leaves_nothing() {
    let server = TestServer::start();
    if !server.is_tried_with("SSUBSCRIBE") {
        return;
    }
    let rule = ["on", ">pw", "+@all", "resetchannels", "&allowed"];
    server.run(&[["ACL", "SETUSER", "limited"].as_slice(), &rule].concat());
    for protocol in PROTOCOLS {
        let host = Host::new();
        let url = format!("redis://limited:pw@{}:{}", server.host(), server.port());
        let client: RedisPubSubClient = open(&host, url, options(protocol));
        let (allowed, secret) = (Channel::shard("allowed"), Channel::shard("secret"));
        let (function, heard) = hearing();
        client.register_listener(&allowed, function).unwrap();
        let (function, unheard) = hearing();
        let error = client.register_listener(&secret, function).unwrap_err();
        assert_eq!(
            (error.kind(), error.command()),
            (ErrorKind::Server, Some("SSUBSCRIBE"))
        );
        expect_silenced(&unheard);
        let error = client.publish(&secret, "psst").unwrap_err();
        assert_eq!(
            (error.kind(), error.command()),
            (ErrorKind::Server, Some("SPUBLISH"))
        );
        assert_eq!(error.delivery(), Some(Delivery::Replied));
        assert_eq!(client.unregister_listeners(&secret).unwrap(), 0);
        assert_eq!(shard_subscribers(&server, "secret"), 0);
        assert_eq!(client.publish(&allowed, "hello").unwrap(), 1);
        assert_eq!(next_text(&heard), "hello");
        host.manager.shutdown().unwrap();
        eventually("it is gone", || server.clients().unwrap().is_empty());
    }
}

#[test]
fn on_a_server_without_shard_channels_a_listener_to_one_fails_alone() {
    let without = ["SSUBSCRIBE", "SPUBLISH"];
    let server = TestServer::start();
    let server = match server.has_command("SSUBSCRIBE") {
        false => server,
        true => {
            let renamed = without.map(|command| ["--rename-command", command, ""]);
            TestServer::builder()
                .args(renamed.concat())
                .start_or_panic()
        }
    };
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client: RedisPubSubClient = open(&host, server.url(), options(protocol));
        let (function, heard) = hearing();
        client.register_listener("plain", function).unwrap();
        let (function, unheard) = hearing();
        let shard = Channel::shard("shard");
        let errors = [
            client.register_listener(&shard, function).map(drop),
            client.publish(&shard, "psst").map(drop),
        ];
        for (error, command) in errors.into_iter().zip(without) {
            let error = error.unwrap_err();
            assert_eq!(
                (error.kind(), error.command(), error.delivery()),
                (ErrorKind::Server, Some(command), Some(Delivery::Replied))
            );
            assert!(error.message().contains("unknown command"), "{error}");
        }
        expect_silenced(&unheard);
        // Neither is the one connection lost, nor is the shard channel asked for again on another.
        assert_eq!(client.publish("plain", "hello").unwrap(), 1);
        assert_eq!(next_text(&heard), "hello");
        let mut events = client.events();
        kill_connections(&server);
        assert_eq!(until_resubscribed(&mut events).1, 1, "{protocol:?}");
        host.manager.shutdown().unwrap();
        eventually("it is gone", || server.clients().unwrap().is_empty());
    }
}
