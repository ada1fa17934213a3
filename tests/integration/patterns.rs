//! Listeners to all channels whose names match a pattern.

use redis_manager::prelude::*;
use redis_manager_support::TestServer;

use crate::fixture::{Host, PROTOCOLS, eventually, unique};
use crate::gaps::until_resubscribed;
use crate::listening::{
    expect_silenced, hearing, hearing_async, next, next_of, next_text, publish_from_outside,
    subscribers,
};
use crate::reconnect::{kill_connections, open, options};

/// How many patterns the server has been told of.
#[track_caller]
fn patterns(server: &TestServer) -> i64 {
    let reply = server.run(&["PUBSUB", "NUMPAT"]);
    reply.as_int().expect("a count of patterns")
}

#[test]
fn listeners_of_each_kind_hear_what_is_published_to_the_channels_that_match() {
    for protocol in PROTOCOLS {
        let (host, name) = (Host::new(), unique("weather"));
        let client: RedisPubSubClient = host.open(protocol);
        let pattern = format!("{name}.[ab]?");
        let (function, one) = hearing();
        client
            .register_pattern_listener(&pattern, function)
            .unwrap();
        let (function, two) = hearing();
        let registered = client.register_sync_pattern_listener(&pattern, function);
        assert_eq!(registered.unwrap().channel(), &Channel::pattern(&pattern));
        let (function, three) = hearing_async();
        let registering = client.register_async_pattern_listener(&pattern, function);
        pollster::block_on(registering).unwrap();
        let mut stream = client.messages(Channel::pattern(&pattern)).unwrap();

        assert_eq!(publish_from_outside(format!("{name}.c1"), "no match"), 0);
        for matching in ["a1", "b2"] {
            let channel = format!("{name}.{matching}");
            assert_eq!(client.publish(&channel, matching).unwrap(), 1);
            let mut messages = [&one, &two, &three].map(next).to_vec();
            messages.push(next_of(&mut stream));
            for message in messages {
                assert_eq!(message.channel_str().unwrap(), channel);
                assert_eq!(message.pattern(), Some(pattern.as_bytes()));
                assert_eq!(message.payload_str().unwrap(), matching);
            }
        }
        // A name that is text for text the pattern is another channel.
        assert_eq!(subscribers(&pattern), 0);
        assert_eq!(client.unregister_listeners(&pattern).unwrap(), 0);
        let all = client.unregister_listeners(Channel::pattern(&pattern));
        assert_eq!(all.unwrap(), 4);
        for heard in [one, two, three] {
            expect_silenced(&heard);
        }
        assert!(stream.recv().unwrap().is_none());
        assert_eq!(publish_from_outside(format!("{name}.a1"), "late"), 0);
    }
}

#[test]
fn a_listener_to_a_channel_and_those_to_patterns_that_match_it_hear_a_message_once_each() {
    for protocol in PROTOCOLS {
        let (host, name) = (Host::new(), unique("twice"));
        let client: RedisPubSubClient = host.open(protocol);
        let (wide, narrow) = (format!("{name}*"), format!("{name}.?"));
        let channel = format!("{name}.x");
        let listened = [
            Channel::new(&channel),
            Channel::pattern(&wide),
            Channel::pattern(&narrow),
        ];
        let heard = listened.clone().map(|channel| {
            let (function, heard) = hearing();
            client.listener(channel).register(function).unwrap();
            heard
        });
        for payload in ["one", "two"] {
            assert_eq!(publish_from_outside(&channel, payload), 3);
            for (heard, listened) in heard.iter().zip(&listened) {
                let message = next(heard);
                assert_eq!(message.payload_str().unwrap(), payload, "{listened}");
                let pattern = (listened.kind() == redis_manager::ChannelKind::Pattern)
                    .then_some(listened.name());
                assert_eq!(message.pattern(), pattern);
            }
        }
        client.close();
        for heard in heard {
            expect_silenced(&heard);
        }
    }
}

#[test]
fn the_server_is_told_once_and_again_when_the_last_listener_is_gone_also_after_a_reconnect() {
    for protocol in PROTOCOLS {
        let (server, host) = (TestServer::start(), Host::new());
        let client: RedisPubSubClient = open(&host, server.url(), options(protocol));
        let (function, kept) = hearing();
        client
            .register_pattern_listener("other*", function)
            .unwrap();
        for is_reconnected in [false, true] {
            let (function, heard) = hearing();
            let sync = client
                .register_pattern_listener("news.*", function)
                .unwrap();
            let (function, _) = hearing_async();
            let registering = client.register_async_pattern_listener("news.*", function);
            let asynchronous = pollster::block_on(registering).unwrap();
            let stream = client.messages(Channel::pattern("news.*")).unwrap();
            assert_eq!(patterns(&server), 2);
            let told = server.run(&["PUBLISH", "news.eu", "hello"]);
            assert_eq!(
                (told.as_int(), next_text(&heard)),
                (Some(1), "hello".into())
            );
            if is_reconnected {
                let mut events = client.events();
                kill_connections(&server);
                assert_eq!(until_resubscribed(&mut events).1, 2);
                let told = server.run(&["PUBLISH", "news.eu", "again"]);
                assert_eq!(
                    (told.as_int(), next_text(&heard)),
                    (Some(1), "again".into())
                );
            }
            sync.unregister().unwrap();
            drop(stream);
            assert_eq!(patterns(&server), 2);
            asynchronous.unregister().unwrap();
            assert_eq!(patterns(&server), 1);
        }
        server.run(&["PUBLISH", "others", "still"]);
        assert_eq!(next_text(&kept), "still");
    }
}

#[test]
fn keyspace_notifications_come_through_a_pattern() {
    let server = TestServer::builder()
        .args(["--notify-keyspace-events", "KEA"])
        .start_or_panic();
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client: RedisPubSubClient = open(&host, server.url(), options(protocol));
        let (function, heard) = hearing();
        let listener = client.register_pattern_listener("__keyspace@0__:player:*", function);
        let listener = listener.unwrap();
        let commands: RedisCommandClient = open(&host, server.url(), options(protocol));
        let mut commands = commands.commands();
        let () = commands.set("player:1", 1).unwrap();
        let () = commands.set("elsewhere", 1).unwrap();
        let () = commands.del("player:1").unwrap();
        for event in ["set", "del"] {
            let message = next(&heard);
            assert_eq!(message.channel(), b"__keyspace@0__:player:1");
            assert_eq!(message.payload_str().unwrap(), event, "{protocol:?}");
        }
        listener.unregister().unwrap();
        expect_silenced(&heard);
    }
}

#[test]
fn a_pattern_that_is_refused_fails_alone_and_leaves_nothing() {
    let server = TestServer::start();
    let rule = ["on", ">pw", "+@all", "resetchannels", "&allowed.*"];
    server.run(&[["ACL", "SETUSER", "limited"].as_slice(), &rule].concat());
    for protocol in PROTOCOLS {
        let host = Host::new();
        let url = format!("redis://limited:pw@{}:{}", server.host(), server.port());
        let client: RedisPubSubClient = open(&host, url, options(protocol));
        let (function, allowed) = hearing();
        client
            .register_pattern_listener("allowed.*", function)
            .unwrap();
        let mut events = client.events();
        let (function, heard) = hearing();
        let error = client.register_pattern_listener("*", function).unwrap_err();
        assert_eq!(
            (error.kind(), error.command()),
            (ErrorKind::Server, Some("PSUBSCRIBE"))
        );
        assert_eq!(error.client_id(), Some(client.client_id()));
        expect_silenced(&heard);
        let (function, heard) = hearing_async();
        let registering = client.register_async_pattern_listener("*", function);
        let error = pollster::block_on(registering).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Server);
        expect_silenced(&heard);
        let error = client.messages(Channel::pattern("*")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Server);
        assert_eq!(
            client.unregister_listeners(Channel::pattern("*")).unwrap(),
            0
        );
        assert_eq!(patterns(&server), 1);
        assert_eq!(client.publish("allowed.1", "hello").unwrap(), 1);
        assert_eq!(next_text(&allowed), "hello");
        // A reconnect does not ask for it again.
        kill_connections(&server);
        let (seen, restored) = until_resubscribed(&mut events);
        assert_eq!(restored, 1, "{seen:?}");
        host.manager.shutdown().unwrap();
        eventually("it is gone", || server.clients().unwrap().is_empty());
    }
}

#[test]
fn nothing_can_be_published_to_a_pattern() {
    for protocol in PROTOCOLS {
        let (host, pattern) = (Host::new(), Channel::pattern(unique("all*")));
        let client: RedisPubSubClient = host.open(protocol);
        let errors = [
            client.publish(&pattern, "hello").unwrap_err(),
            client.publish_sync(&pattern, "hello").unwrap_err(),
            pollster::block_on(client.publish_async(&pattern, "hello")).unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.kind(), ErrorKind::InvalidArgument);
            assert_eq!(error.client_id(), Some(client.client_id()));
            assert!(error.message().contains(&pattern.to_string()), "{error}");
        }
        assert_eq!(client.state(), ClientState::Connected);
    }
}
