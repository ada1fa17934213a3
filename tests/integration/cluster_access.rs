//! A cluster's user with the rights of `docs/deployment.md`, and no others.

use std::collections::BTreeMap;

use redis_manager::ReadFrom;
use redis_manager::prelude::*;
use redis_manager_support::{TestCluster, TestServer};

use crate::cluster_fixture::{expect_unloaded, named};
use crate::cluster_listening::{listened_at_one, told_to_a_listener};
use crate::fixture::{Host, PATIENCE, PROTOCOLS, eventually};
use crate::reconnect::{open, options};

const RIGHTS: &str = "on >secret ~shop:* resetchannels &shop:* +@all -@dangerous +cluster|slots +command +asking +readonly";

/// A key of each master that the user may have.
fn keys(cluster: &TestCluster) -> Vec<String> {
    let mut keys = BTreeMap::new();
    for number in 0.. {
        let key = format!("shop:{number}");
        keys.entry(cluster.owner_of(&key).port()).or_insert(key);
        if keys.len() == 3 {
            break;
        }
    }
    keys.into_values().collect()
}

#[test]
fn that_is_enough_for_everything_while_slots_move_and_masters_die() {
    // Before 7.0 nobody may give himself a name who may not use dangerous commands.
    if !TestServer::shared().is_tried_with("CLIENT|NO-EVICT") {
        return;
    }
    for protocol in PROTOCOLS {
        let (cluster, host) = (TestCluster::start(), Host::new());
        let user: Vec<_> = ["ACL", "SETUSER", "scripts"]
            .into_iter()
            .chain(RIGHTS.split(' '))
            .collect();
        cluster.run_everywhere(&user);
        let keys = keys(&cluster);
        let url = cluster.url().replace("://", "://scripts:secret@");
        let url = named(&host, &url);
        let reading = || options(protocol).read_from(ReadFrom::ReplicaPreferred);
        let client: RedisCommandClient = open(&host, &url, reading());
        let mut commands = client.commands();
        let pairs: Vec<_> = keys.iter().map(|key| (key, 1)).collect();
        let () = commands.mset(&pairs).unwrap();
        let pubsub: RedisPubSubClient = open(&host, &url, reading());
        let channels = [
            Channel::new("shop:news"),
            Channel::shard(keys[0].as_bytes()),
        ];
        let told: Vec<_> = channels
            .iter()
            .map(|channel| told_to_a_listener(&pubsub, channel))
            .collect();

        // While it migrates, one key is there already, and the other is not.
        let to = cluster.owner_of(&keys[1]);
        let slot = cluster.slot(&keys[0]);
        cluster.begin_migration(slot, to);
        cluster.migrate_key(&keys[0], to);
        assert_eq!(commands.incr::<_, _, i64>(&keys[0], 1).unwrap(), 2);
        let mut session = client.session().unwrap();
        assert_eq!(session.incr::<_, _, i64>(&keys[0], 1).unwrap(), 3);
        drop(session);
        cluster.finish_migration(slot, to);
        assert_eq!(commands.incr::<_, _, i64>(&keys[0], 1).unwrap(), 4);

        let master = cluster.owner_of(&keys[2]);
        master.run(&["WAIT", "1", "10000"]);
        master.kill().unwrap();
        eventually("its replica serves", || {
            commands.set::<_, _, ()>(&keys[2], 7).is_ok()
        });
        let list = "shop:list";
        for key in &keys {
            let (n,): (i64,) = client
                .session()
                .unwrap()
                .transaction(key, |transaction| {
                    transaction.queue().incr(key, 1);
                    Ok(())
                })
                .unwrap();
            assert!(n > 1);
        }
        let () = commands.rpush(list, "a").unwrap();
        let popped: (String, String) = commands.blpop(list, 5.0).unwrap();
        assert_eq!(popped.1, "a");
        let read: Vec<i64> = commands.mget(&keys).unwrap();
        assert_eq!(read.len(), 3);
        for (channel, told) in channels.iter().zip(&told) {
            let node = listened_at_one(&cluster, channel);
            let publish = match channel.kind() {
                redis_manager::ChannelKind::Shard => "SPUBLISH",
                _ => "PUBLISH",
            };
            node.run(&[publish.as_bytes(), channel.name(), b"m"]);
            loop {
                match told.recv_timeout(PATIENCE).unwrap() {
                    ListenerEvent::Message(message) => break assert_eq!(message.payload(), b"m"),
                    ListenerEvent::Gap(_) => {}
                    event => panic!("{event:?}"),
                }
            }
        }
        // And not for more.
        let refused = commands.get::<_, Option<i64>>("bank:gold").unwrap_err();
        assert_eq!(refused.code(), Some("NOPERM"));
        expect_unloaded(&host, &cluster);
    }
}
