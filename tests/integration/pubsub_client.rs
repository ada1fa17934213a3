//! The PUB_SUB client: registering, unregistering and publishing, in each of its ways.

use redis_manager::prelude::*;
use serde::Deserialize;

use crate::fixture::{Host, PROTOCOLS, unique};
use crate::listening::{
    expect_silenced, hearing, hearing_async, next, next_text, publish_from_outside, subscribers,
};

/// Each way to register a listener, by name.
pub(crate) fn register(
    client: &RedisPubSubClient,
    way: &str,
    channel: &str,
) -> (ScriptPubSubListener, Heard) {
    let (function, heard) = hearing();
    let registered = match way {
        "register_listener" => client.register_listener(channel, function),
        "register_sync_listener" => client.register_sync_listener(channel, function),
        "register_async_listener" => {
            let (function, heard) = hearing_async();
            let registered = client.register_async_listener(channel, function);
            return (pollster::block_on(registered).unwrap(), heard);
        }
        way => panic!("{way}"),
    };
    (registered.unwrap(), heard)
}

pub(crate) type Heard = std::sync::mpsc::Receiver<Message>;

pub(crate) const WAYS_TO_REGISTER: [&str; 3] = [
    "register_listener",
    "register_sync_listener",
    "register_async_listener",
];

#[test]
fn a_listener_is_registered_only_once_the_server_has_confirmed_it() {
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client: RedisPubSubClient = host.open(protocol);
        for way in WAYS_TO_REGISTER {
            let channel = unique("confirmed");
            let (listener, heard) = register(&client, way, &channel);
            assert_eq!(subscribers(&channel), 1, "{way}, {protocol:?}");
            assert_eq!(listener.channel().name(), channel.as_bytes());
            assert!(listener.is_registered());
            assert_eq!(publish_from_outside(&channel, way), 1);
            assert_eq!(next_text(&heard), way);
        }
    }
}

#[test]
fn publishing_in_each_way_counts_the_clients_that_received_it() {
    for protocol in PROTOCOLS {
        let (host, channel) = (Host::new(), unique("published"));
        let publisher: RedisPubSubClient = host.open(protocol);
        assert_eq!(publisher.publish(&channel, "nobody").unwrap(), 0);

        let one: RedisPubSubClient = host.open(protocol);
        let other: RedisPubSubClient = host.open(protocol);
        let (_, first) = register(&one, "register_listener", &channel);
        let (_, second) = register(&one, "register_async_listener", &channel);
        let (_, third) = register(&other, "register_listener", &channel);
        // Clients, not listeners, are what the server knows of.
        assert_eq!(publisher.publish(&channel, "a").unwrap(), 2);
        assert_eq!(publisher.publish_sync(&channel, 7).unwrap(), 2);
        let publishing = publisher.publish_async(&channel, b"c");
        assert_eq!(pollster::block_on(publishing).unwrap(), 2);
        for heard in [first, second, third] {
            assert_eq!(
                [(); 3].map(|()| next_text(&heard)),
                ["a", "7", "c"],
                "{protocol:?}"
            );
        }
    }
}

/// Unregisters in the named way.
fn unregister(client: &RedisPubSubClient, way: &str, listener: &ScriptPubSubListener) {
    let channel = listener.channel();
    match way {
        "unregister_listener" => client.unregister_listener(listener).unwrap(),
        "unregister_listener_async" => {
            pollster::block_on(client.unregister_listener_async(listener)).unwrap();
        }
        "unregister_listeners" => assert_eq!(client.unregister_listeners(channel).unwrap(), 1),
        "unregister_listeners_async" => {
            let count = pollster::block_on(client.unregister_listeners_async(channel));
            assert_eq!(count.unwrap(), 1);
        }
        "unregister" => listener.unregister().unwrap(),
        "unregister_async" => pollster::block_on(listener.unregister_async()).unwrap(),
        way => panic!("{way}"),
    }
}

#[test]
fn unregistering_in_each_way_tells_the_server_and_lets_go_of_the_closure() {
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client: RedisPubSubClient = host.open(protocol);
        for way in [
            "unregister_listener",
            "unregister_listener_async",
            "unregister_listeners",
            "unregister_listeners_async",
            "unregister",
            "unregister_async",
        ] {
            for registered in WAYS_TO_REGISTER {
                let channel = unique("unregistered");
                let (listener, heard) = register(&client, registered, &channel);
                unregister(&client, way, &listener);
                assert!(!listener.is_registered());
                assert_eq!(subscribers(&channel), 0, "{registered}, {way}");
                assert_eq!(client.publish(&channel, "anybody there?").unwrap(), 0);
                expect_silenced(&heard);
            }
        }
    }
}

#[test]
fn the_last_listener_of_a_channel_sync_or_async_decides_when_the_server_is_told() {
    let orders: [[usize; 3]; 6] = [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ];
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client: RedisPubSubClient = host.open(protocol);
        for order in orders {
            let channel = unique("last");
            let listeners = [
                register(&client, "register_sync_listener", &channel),
                register(&client, "register_async_listener", &channel),
                register(&client, "register_sync_listener", &channel),
            ];
            for (left, index) in (0..3).rev().zip(order) {
                let (listener, heard) = &listeners[index];
                listener.unregister().unwrap();
                expect_silenced(heard);
                let told = subscribers(&channel);
                assert_eq!(
                    told,
                    i64::from(left > 0),
                    "{left} left, {order:?}, {protocol:?}"
                );
                let payload = left.to_string();
                assert_eq!(client.publish(&channel, &payload).unwrap(), told as u64);
                for (_, heard) in listeners.iter().filter(|(other, _)| other.is_registered()) {
                    assert_eq!(next_text(heard), payload);
                }
            }
        }
    }
}

#[test]
fn unregister_listeners_takes_all_of_one_channel_and_says_how_many() {
    for protocol in PROTOCOLS {
        let (host, channel, other) = (Host::new(), unique("all"), unique("other"));
        let client: RedisPubSubClient = host.open(protocol);
        let registered = WAYS_TO_REGISTER.map(|way| register(&client, way, &channel));
        let (kept, kept_heard) = register(&client, "register_listener", &other);

        assert_eq!(client.unregister_listeners(&channel).unwrap(), 3);
        for (listener, heard) in &registered {
            assert!(!listener.is_registered());
            expect_silenced(heard);
        }
        assert_eq!((subscribers(&channel), subscribers(&other)), (0, 1));
        assert_eq!(client.unregister_listeners(&channel).unwrap(), 0);
        assert!(kept.is_registered());
        client.publish(&other, "still here").unwrap();
        assert_eq!(next_text(&kept_heard), "still here");
    }
}

#[test]
fn channels_and_payloads_are_bytes() {
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client: RedisPubSubClient = host.open(protocol);
        let every_byte: Vec<u8> = (0..=255).collect();
        let channel = [unique("bytes").as_bytes(), &every_byte].concat();
        let (function, heard) = hearing();
        client.register_listener(&channel, function).unwrap();
        assert_eq!(subscribers(&channel), 1);
        for payload in [vec![], every_byte, vec![b'\n'; 1 << 20]] {
            assert_eq!(client.publish(&channel, &payload).unwrap(), 1);
            let message = next(&heard);
            assert_eq!(message.channel(), channel);
            assert!(message.payload() == payload, "{} bytes", payload.len());
        }
        let unreadable = client.publish(&channel, b"\xff").map(|_| next(&heard));
        let unreadable = unreadable.unwrap();
        for error in [unreadable.payload_str(), unreadable.channel_str()] {
            assert_eq!(error.unwrap_err().kind(), ErrorKind::Conversion);
        }
    }
}

#[test]
fn a_payload_is_text_or_json_to_whoever_asks() {
    #[derive(Deserialize, PartialEq, Debug)]
    struct Earned {
        player: String,
        coins: u32,
    }
    for protocol in PROTOCOLS {
        let (host, channel) = (Host::new(), unique("json"));
        let client: RedisPubSubClient = host.open(protocol);
        let (_, heard) = register(&client, "register_listener", &channel);
        let json = r#"{"player":"älice","coins":3}"#;
        client.publish(&channel, json).unwrap();
        let message = next(&heard);
        assert_eq!(message.payload_str().unwrap(), json);
        let earned: Earned = message.payload_as().unwrap();
        let player = "älice".to_owned();
        assert_eq!(earned, Earned { player, coins: 3 });
        let error = message.payload_as::<Vec<u8>>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conversion);
    }
}

#[test]
fn unregistering_twice_does_nothing_and_a_listener_of_another_client_is_refused() {
    for protocol in PROTOCOLS {
        let (host, channel) = (Host::new(), unique("twice"));
        let client: RedisPubSubClient = host.open(protocol);
        let stranger: RedisPubSubClient = host.open(protocol);
        let (first, first_heard) = register(&client, "register_listener", &channel);
        let (second, heard) = register(&client, "register_async_listener", &channel);

        for error in [
            stranger.unregister_listener(&second).unwrap_err(),
            pollster::block_on(stranger.unregister_listener_async(&second)).unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::InvalidArgument);
            assert_eq!(error.client_id(), Some(stranger.client_id()));
        }
        assert!(second.is_registered());

        for _ in 0..3 {
            first.unregister().unwrap();
            client.unregister_listener(&first).unwrap();
            pollster::block_on(first.unregister_async()).unwrap();
        }
        expect_silenced(&first_heard);
        assert_eq!(subscribers(&channel), 1, "the other one is there still");
        client.publish(&channel, "hello").unwrap();
        assert_eq!(next_text(&heard), "hello");
    }
}

#[test]
fn dropping_handles_closes_and_unregisters_nothing() {
    for protocol in PROTOCOLS {
        let (host, channel) = (Host::new(), unique("dropped"));
        let client: RedisPubSubClient = host.open(protocol);
        let id = client.client_id();
        let (listener, heard) = register(&client, "register_listener", &channel);
        let (async_listener, async_heard) = register(&client, "register_async_listener", &channel);
        drop((listener, async_listener, client));

        assert_eq!(publish_from_outside(&channel, "hello"), 1);
        assert_eq!(next_text(&heard), "hello");
        assert_eq!(next_text(&async_heard), "hello");
        let clients = host.manager.redis_clients(&host.script);
        assert_eq!(clients.len(), 1);
        assert_eq!(clients[0].client_id(), id);
        assert_eq!(clients[0].state(), ClientState::Connected);
        let client = clients[0].as_pub_sub().unwrap();
        assert_eq!(client.unregister_listeners(&channel).unwrap(), 2);
    }
}
