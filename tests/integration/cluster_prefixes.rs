//! A script's key prefix in a cluster, where it decides which node has a key, or a shard channel.

use redis_manager::prelude::*;
use redis_manager_support::{TestCluster, TestClusterBuilder};

use crate::cluster_fixture::{
    expect_unloaded, open_in, open_subscriber, start_with_shard_channels,
};
use crate::cluster_listening::{listened_at_one, told_to_a_listener};
use crate::fixture::{Host, PATIENCE, PROTOCOLS, unique};
use crate::namespace::allowed;
use crate::reconnect::options;

/// A prefix that leaves keys where they would be, and one that puts all of them into one slot.
fn hosts() -> [(Host, String); 2] {
    let plain = format!("{}:", unique("prefix"));
    let tagged = format!("{{{}}}:", unique("prefix"));
    [plain, tagged].map(|prefix| {
        let options = ScriptOptions::default().with_key_prefix(prefix.parse().unwrap());
        (allowed(options), prefix)
    })
}

#[test]
fn transactions_and_blocking_calls_go_where_the_prefixed_keys_are() {
    let cluster = TestCluster::shared();
    for protocol in PROTOCOLS {
        for (host, prefix) in hosts() {
            let client: RedisCommandClient = open_in(&host, cluster, options(protocol));
            for index in 0..10 {
                let (key, list) = (format!("{{k{index}}}n"), format!("{{k{index}}}list"));
                let mut session = client.session().unwrap();
                let (n, length): (i64, i64) = session
                    .transaction(&key, |transaction| {
                        let before: Option<i64> = transaction.get(&key)?;
                        assert_eq!(before, None);
                        transaction.queue().incr(&key, 1).rpush(&list, "a");
                        Ok(())
                    })
                    .unwrap();
                assert_eq!((n, length), (1, 1));
                let popped: (String, String) = client.commands().blpop(&list, 5.0).unwrap();
                assert_eq!(popped, (list, "a".to_owned()));
                let on_server = format!("{prefix}{key}");
                let told = cluster.owner_of(&on_server).run(&["GET", &on_server]);
                assert_eq!(told.text(), "1");
            }
            expect_unloaded(&host, cluster);
        }
    }
}

#[test]
fn a_shard_channel_follows_the_slot_of_its_prefixed_name() {
    let builder: TestClusterBuilder = TestCluster::builder().replicas(0);
    let Some(cluster) = start_with_shard_channels(builder) else {
        return;
    };
    for protocol in PROTOCOLS {
        for (host, prefix) in hosts() {
            let client = open_subscriber(&host, &cluster, protocol);
            let (own, on_server) = (Channel::shard("news"), format!("{prefix}news"));
            let told = told_to_a_listener(&client, &own);
            let channel = Channel::shard(on_server.as_bytes());
            let expect_heard = |payload: &str| {
                let message = loop {
                    match told.recv_timeout(PATIENCE).unwrap() {
                        ListenerEvent::Message(message) => break message,
                        ListenerEvent::Gap(gap) => assert_eq!(gap.channel, own),
                        other => panic!("{other:?}"),
                    }
                };
                assert_eq!(message.payload(), payload.as_bytes());
                assert_eq!(message.channel(), b"news");
            };
            let node = cluster.owner_of(&on_server);
            assert_eq!(listened_at_one(&cluster, &channel).port(), node.port());
            node.run(&["SPUBLISH", &on_server, "one"]);
            expect_heard("one");
            let mut masters = cluster.masters().into_iter();
            let other = masters.find(|other| other.port() != node.port()).unwrap();
            cluster.migrate(cluster.slot(&on_server), other);
            crate::fixture::eventually("it comes by the other node", || {
                listened_at_one(&cluster, &channel).port() == other.port()
            });
            other.run(&["SPUBLISH", &on_server, "two"]);
            expect_heard("two");
            expect_unloaded(&host, &cluster);
        }
    }
}
