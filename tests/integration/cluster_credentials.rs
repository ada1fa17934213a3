//! Credentials that change while clients of a cluster are open: each node is told, also by connections that are made later.

use std::collections::BTreeMap;
use std::sync::Arc;

use redis_manager::Protocol;
use redis_manager::prelude::*;
use redis_manager_support::{TestCluster, TestServer};

use crate::cluster_fixture::{expect_unloaded, key_of_each, named, sockets};
use crate::cluster_listening::{listened_at_one, told_to_a_listener};
use crate::fixture::{Host, PATIENCE, PROTOCOLS, eventually, unique};
use crate::reconnect::{open, options};

const USERS: [&str; 2] = ["alice", "bob"];

fn login(user: &str) -> Credentials {
    Credentials::new(format!("{user}'s")).with_username(user)
}

fn rotating(user: &str) -> Arc<RotatingCredentials> {
    Arc::new(RotatingCredentials::new(login(user)))
}

/// Three masters, each with the users.
fn guarded() -> TestCluster {
    let cluster = TestCluster::builder().replicas(0).start_or_panic();
    for user in USERS {
        let password = format!(">{user}'s");
        cluster.run_everywhere(&["ACL", "SETUSER", user, "on", "~*", "&*", "+@all", &password]);
    }
    cluster
}

/// By the address of a connection of `host`, its user.
fn users(host: &Host, cluster: &TestCluster) -> BTreeMap<String, String> {
    let all = sockets(host, cluster).into_iter();
    all.map(|client| (client.field("addr").unwrap().to_owned(), client.user))
        .collect()
}

#[track_caller]
fn expect_all_are(user: &str, host: &Host, cluster: &TestCluster) -> BTreeMap<String, String> {
    let mut seen = BTreeMap::new();
    eventually(&format!("all are {user}"), || {
        seen = users(host, cluster);
        !seen.is_empty() && seen.values().all(|one| one == user)
    });
    seen
}

/// A shard channel of each master.
fn shard_channels(cluster: &TestCluster) -> Vec<Channel> {
    let tried = TestServer::shared().is_tried_with("SSUBSCRIBE");
    let keys = if tried {
        key_of_each(cluster)
    } else {
        Vec::new()
    };
    keys.into_iter().map(Channel::shard).collect()
}

#[test]
fn every_node_is_told_of_another_login_and_one_that_is_met_later_has_it_from_the_beginning() {
    let cluster = guarded();
    for protocol in PROTOCOLS {
        let (host, credentials) = (Host::new(), rotating("alice"));
        let asking = options(protocol).credentials(credentials.clone());
        let client: RedisCommandClient = open(&host, named(&host, &cluster.url()), asking);
        let mut events = client.events();
        let keys = key_of_each(&cluster);
        let (late, early) = keys.split_last().unwrap();
        for key in early {
            let () = client.commands().set(key, 1).unwrap();
            let () = client.session().unwrap().set(key, 1).unwrap();
        }
        expect_all_are("alice", &host, &cluster);
        credentials.set(login("bob"));
        eventually("no shared connection is alice's", || {
            let seen = sockets(&host, &cluster);
            let told = seen.iter().filter(|client| client.user == "bob").count();
            told >= early.len()
        });
        for key in &keys {
            let whoami = |session: &mut RedisSession| -> String {
                let () = session.set(key, 2).unwrap();
                let mut whoami = redis_manager::redis::cmd("ACL");
                whoami.arg("WHOAMI").query(session).unwrap()
            };
            assert_eq!(whoami(&mut client.session().unwrap()), "bob");
        }
        let () = client.commands().set(late, 2).unwrap();
        let before = expect_all_are("bob", &host, &cluster);
        // Who is nobody's any more takes no connection along.
        cluster.run_everywhere(&["ACL", "DELUSER", "alice"]);
        for key in &keys {
            let _: i64 = client.commands().incr(key, 1).unwrap();
        }
        let after = users(&host, &cluster);
        assert!(
            before.keys().all(|addr| after.contains_key(addr)),
            "{before:?} {after:?}"
        );
        while let Some(event) = events.try_recv() {
            let is_loss = matches!(event, ClientEvent::Disconnected { .. });
            assert!(!is_loss, "{event:?}");
        }
        expect_unloaded(&host, &cluster);
        let password = ">alice's";
        cluster.run_everywhere(&[
            "ACL", "SETUSER", "alice", "on", "~*", "&*", "+@all", password,
        ]);
    }
}

/// Where the protocol allows it; otherwise from the next connection on.
#[test]
fn what_is_listened_to_goes_on_as_another_user_on_every_node() {
    let cluster = guarded();
    for protocol in PROTOCOLS {
        let (host, credentials) = (Host::new(), rotating("alice"));
        let asking = options(protocol).credentials(credentials.clone());
        let client: RedisPubSubClient = open(&host, named(&host, &cluster.url()), asking);
        let mut channels = shard_channels(&cluster);
        channels.push(Channel::new(unique("news")));
        let told: Vec<_> = channels
            .iter()
            .map(|channel| told_to_a_listener(&client, channel))
            .collect();
        let before = expect_all_are("alice", &host, &cluster);
        credentials.set(login("bob"));
        let allows = protocol != Protocol::Resp2;
        if allows {
            let after = expect_all_are("bob", &host, &cluster);
            assert!(
                before.keys().all(|addr| after.contains_key(addr)),
                "{before:?} {after:?}"
            );
        }
        cluster.run_everywhere(&["ACL", "DELUSER", "alice"]);
        expect_all_are("bob", &host, &cluster);
        for (channel, told) in channels.iter().zip(&told) {
            let node = listened_at_one(&cluster, channel);
            let command = match channel.kind() {
                redis_manager::ChannelKind::Shard => "SPUBLISH",
                _ => "PUBLISH",
            };
            node.run(&[command.as_bytes(), channel.name(), b"m"]);
            let mut gaps = 0;
            loop {
                match told.recv_timeout(PATIENCE).unwrap() {
                    ListenerEvent::Gap(_) => gaps += 1,
                    ListenerEvent::Message(message) => break assert_eq!(message.payload(), b"m"),
                    other => panic!("{other:?}"),
                }
            }
            assert_eq!(gaps == 0, allows, "{channel}");
        }
        expect_unloaded(&host, &cluster);
        let password = ">alice's";
        cluster.run_everywhere(&[
            "ACL", "SETUSER", "alice", "on", "~*", "&*", "+@all", password,
        ]);
    }
}
