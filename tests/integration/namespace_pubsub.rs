//! Channels under a key prefix: the server knows them with it, the script without.

use std::sync::mpsc;

use redis_manager::Protocol;
use redis_manager::prelude::*;
use redis_manager::redis::cmd;
use redis_manager_support::TestServer;

use crate::fixture::{PATIENCE, PROTOCOLS};
use crate::gaps::{gaps_among, until_resubscribed};
use crate::listening::{hearing, hearing_async, next, next_of, publish_from_outside, subscribers};
use crate::namespace::{assert_refused, prefixed};
use crate::reconnect::kill_connections;

#[test]
fn listeners_of_each_kind_hear_their_own_channels_by_their_short_names() {
    for protocol in PROTOCOLS {
        let (host, prefix) = prefixed();
        let client: RedisPubSubClient = host.open(protocol);
        let (function, one) = hearing();
        let listener = client.register_listener("news", function).unwrap();
        assert_eq!(listener.channel(), &Channel::new("news"));
        let (function, two) = hearing_async();
        pollster::block_on(client.register_async_listener("news", function)).unwrap();
        let mut stream = client.messages("news").unwrap();
        let (function, by_pattern) = hearing();
        client.register_pattern_listener("n*", function).unwrap();

        assert_eq!(publish_from_outside("news", "of another"), 0);
        assert_eq!(subscribers(format!("{prefix}news")), 1);
        assert_eq!(client.publish("news", "hello").unwrap(), 2);
        for message in [next(&one), next(&two), next_of(&mut stream)] {
            assert_eq!(message, Message::new("news", "hello"));
        }
        assert_eq!(
            next(&by_pattern),
            Message::new("news", "hello").with_pattern("n*")
        );

        assert_eq!(client.unregister_listeners("news").unwrap(), 3);
        assert_eq!(subscribers(format!("{prefix}news")), 0);
        assert_eq!(client.publish("news", "still").unwrap(), 1);
        assert_eq!(next(&by_pattern).payload_str().unwrap(), "still");
    }
}

#[test]
fn shard_channels_too() {
    if !TestServer::shared().is_tried_with("SSUBSCRIBE") {
        return;
    }
    let (host, prefix) = prefixed();
    let client: RedisPubSubClient = host.open(Protocol::Resp3);
    let (function, heard) = hearing();
    client
        .register_listener(Channel::shard("orders"), function)
        .unwrap();
    let published = TestServer::shared().run(&["SPUBLISH", &format!("{prefix}orders"), "one"]);
    assert_eq!(published.as_int(), Some(1));
    assert_eq!(next(&heard), Message::new("orders", "one"));
    assert_eq!(client.publish(Channel::shard("orders"), "two").unwrap(), 1);
    assert_eq!(next(&heard), Message::new("orders", "two"));
}

#[test]
fn of_the_channels_of_others_nothing_is_told() {
    let ((one, _), (other, prefix)) = (prefixed(), prefixed());
    let one: RedisPubSubClient = one.open(Protocol::Resp3);
    let commands: RedisCommandClient = other.open(Protocol::Resp3);
    let other: RedisPubSubClient = other.open(Protocol::Resp3);
    one.register_listener("secret", |_| Ok(())).unwrap();
    other.register_listener("mine", |_| Ok(())).unwrap();
    let mut commands = commands.commands();
    let mut pubsub = |arguments: &[&str]| cmd("PUBSUB").arg(arguments).query(&mut commands);
    let channels: Vec<String> = from(pubsub(&["CHANNELS"]));
    assert_eq!(channels, ["mine"]);
    let channels: Vec<String> = from(pubsub(&["CHANNELS", "s*"]));
    assert!(channels.is_empty());
    let counts: Vec<(String, i64)> = from(pubsub(&["NUMSUB", "mine", "secret"]));
    assert_eq!(counts, [("mine".to_owned(), 1), ("secret".to_owned(), 0)]);
    assert_eq!(other.publish("secret", "x").unwrap(), 0);
    assert_eq!(subscribers(format!("{prefix}mine")), 1);
}

fn from<T: redis_manager::redis::FromRedisValue>(
    reply: redis_manager::redis::RedisResult<redis_manager::redis::Value>,
) -> T {
    redis_manager::redis::from_redis_value(reply.unwrap()).unwrap()
}

#[test]
fn not_even_the_connection_itself_subscribes_to_channels_of_others() {
    let (host, prefix) = prefixed();
    let client: RedisPubSubClient = host.open(Protocol::Resp3);
    let connection = client.connection();
    let (other, own) = (Channel::new("secret"), Channel::new(format!("{prefix}own")));
    assert_refused(connection.begin_subscribe(&other), "prefix");
    assert_refused(connection.begin_unsubscribe(&other), "prefix");
    assert!(connection.begin_subscribe(&own).is_ok());
}

#[test]
fn gaps_and_events_name_channels_as_the_script_does() {
    for protocol in PROTOCOLS {
        let server = TestServer::start();
        let (host, _) = prefixed();
        let options = ClientOptions::builder().protocol(protocol).build().unwrap();
        let client: RedisPubSubClient = host
            .manager
            .open_with(&host.script, server.url().as_str(), options)
            .unwrap();
        let mut events = client.events();
        let mut stream = client.listener("news").with_gaps().messages().unwrap();
        let (sender, told) = mpsc::channel();
        let gap_listener = client.listener("news").with_gaps();
        gap_listener
            .register(move |event: &ListenerEvent| Ok(sender.send(event.clone())?))
            .unwrap();
        kill_connections(&server);
        let (seen, _) = until_resubscribed(&mut events);
        let gaps = gaps_among(&seen);
        assert!(!gaps.is_empty());
        for gap in gaps {
            assert_eq!(gap.channel, Channel::new("news"));
        }
        let ListenerEvent::Gap(gap) = next_of(&mut stream) else {
            panic!("a gap");
        };
        assert_eq!(gap.channel, Channel::new("news"));
        let ListenerEvent::Gap(gap) = told.recv_timeout(PATIENCE).unwrap() else {
            panic!("a gap");
        };
        assert_eq!(gap.channel, Channel::new("news"));
    }
}

#[test]
fn a_mailbox_hears_its_channels_by_their_short_names() {
    let (host, _) = prefixed();
    let client: RedisPubSubClient = host.open(Protocol::Resp3);
    let mailbox = host.manager.mailbox(&host.script).unwrap();
    let (sender, heard) = mpsc::channel();
    mailbox
        .register_listener(&client, "news", move |message: &Message| {
            Ok(sender.send(message.clone())?)
        })
        .unwrap();
    client.publish("news", "hello").unwrap();
    crate::fixture::eventually("a message", || {
        mailbox.poll(10);
        heard
            .try_recv()
            .is_ok_and(|message| message == Message::new("news", "hello"))
    });
}
