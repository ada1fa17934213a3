//! Listeners in a cluster: plain channels, patterns and shard channels.

use redis_manager::prelude::*;
use redis_manager_support::TestCluster;

use crate::cluster_fixture::{named, open_in, open_subscriber, sockets, start_with_shard_channels};
use crate::cluster_listening::{Account, listened_at, listened_at_one, name_of};
use crate::fixture::{Host, PROTOCOLS, eventually, unique};
use crate::listening::{expect_silenced, hearing, next_text};
use crate::reconnect::options;
use crate::sharing::{open_for_another, sharing};

/// So many shard channels that each node has some of them.
fn shards() -> Vec<Channel> {
    let names = (0..12_u8).map(|number| number.to_string());
    names.map(Channel::shard).collect()
}

#[test]
fn listeners_of_each_kind_hear_what_anybody_publishes_and_end_where_they_are() {
    let Some(cluster) = start_with_shard_channels(TestCluster::builder()) else {
        return;
    };
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client = open_subscriber(&host, &cluster, protocol);
        let mut channels = shards();
        channels.extend([Channel::new("news.eu"), Channel::pattern("news.*")]);
        let heard: Vec<_> = channels
            .iter()
            .map(|channel| {
                let (function, heard) = hearing();
                client.register_listener(channel, function).unwrap();
                heard
            })
            .collect();
        for channel in shards() {
            let owner = cluster.owner_of(name_of(&channel));
            assert_eq!(listened_at_one(&cluster, &channel).port(), owner.port());
            assert_eq!(client.publish(&channel, "mine").unwrap(), 1);
            let told = owner.run(&["SPUBLISH", name_of(&channel), "another's"]);
            assert_eq!(told.as_int(), Some(1));
        }
        client.publish("news.eu", "mine").unwrap();
        for node in cluster.nodes() {
            eventually("it is heard", || {
                heard[12..].iter().all(|heard| next_text(heard) == "mine")
            });
            node.run(&["PUBLISH", "news.eu", "mine"]);
        }
        for heard in &heard[..12] {
            assert_eq!([next_text(heard), next_text(heard)], ["mine", "another's"]);
        }
        for (channel, heard) in channels.iter().zip(&heard) {
            assert!(client.unregister_listeners(channel).unwrap() == 1);
            assert!(listened_at(&cluster, channel).is_empty(), "{channel}");
            while heard.try_recv().is_ok() {}
            expect_silenced(heard);
        }
    }
}

#[test]
fn a_socket_that_no_shard_channel_comes_by_is_closed_and_made_anew_when_one_does() {
    let Some(cluster) = start_with_shard_channels(TestCluster::builder()) else {
        return;
    };
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client = open_subscriber(&host, &cluster, protocol);
        eventually("what it was opened with is closed", || {
            sockets(&host, &cluster).is_empty()
        });
        let mut before = 0;
        for _ in 0..2 {
            let (function, heard) = hearing();
            let channel = Channel::shard("orders");
            let listener = client.register_listener(&channel, function).unwrap();
            assert_eq!(sockets(&host, &cluster).len(), before + 1);
            assert_eq!(client.publish(&channel, "one").unwrap(), 1);
            assert_eq!(next_text(&heard), "one");
            listener.unregister().unwrap();
            // That which publishes stays.
            before = 1;
            eventually("the socket is closed", || {
                sockets(&host, &cluster).len() == before
            });
        }
    }
}

#[test]
fn an_unloaded_script_leaves_no_socket_on_any_node() {
    let Some(cluster) = start_with_shard_channels(TestCluster::builder()) else {
        return;
    };
    for protocol in PROTOCOLS {
        let host = Host::new();
        let at_rest = host.manager.resources().alive_tasks();
        let client = open_subscriber(&host, &cluster, protocol);
        for channel in shards().into_iter().chain([Channel::new("news")]) {
            let (function, _) = hearing();
            client.register_listener(&channel, function).unwrap();
            client.publish(&channel, "one").unwrap();
        }
        assert!(sockets(&host, &cluster).len() >= 3 + 1 + 3);
        assert!(host.manager.unload_script(&host.script).is_clean());
        eventually("no socket is left", || sockets(&host, &cluster).is_empty());
        eventually("no task is left", || {
            host.manager.resources().alive_tasks() == at_rest
        });
    }
}

#[test]
fn clients_that_share_are_subscribed_once_and_each_hears_for_itself() {
    let Some(cluster) = start_with_shard_channels(TestCluster::builder()) else {
        return;
    };
    for protocol in PROTOCOLS {
        let host = Host::new();
        let clients: Vec<(ScriptHandle, RedisPubSubClient)> = (0..3)
            .map(|_| open_for_another(&host, &named(&host, &cluster.url()), sharing(protocol)))
            .collect();
        for channel in [Channel::shard("orders"), Channel::new("news")] {
            let heard: Vec<_> = clients
                .iter()
                .map(|(_, client)| {
                    let (function, heard) = hearing();
                    client.register_listener(&channel, function).unwrap();
                    heard
                })
                .collect();
            listened_at_one(&cluster, &channel);
            clients[0].1.publish(&channel, "one").unwrap();
            assert!(heard.iter().all(|heard| next_text(heard) == "one"));
            assert_eq!(clients[0].1.unregister_listeners(&channel).unwrap(), 1);
            listened_at_one(&cluster, &channel);
            clients[0].1.publish(&channel, "two").unwrap();
            assert!(heard[1..].iter().all(|heard| next_text(heard) == "two"));
            expect_silenced(&heard[0]);
        }
        for (script, _) in &clients {
            assert!(host.manager.unload_script(script).is_clean());
        }
        eventually("no socket is left", || sockets(&host, &cluster).is_empty());
    }
}

#[test]
fn a_client_that_connects_late_listens_when_it_does() {
    let Some(cluster) = start_with_shard_channels(TestCluster::builder()) else {
        return;
    };
    for protocol in PROTOCOLS {
        let host = Host::new();
        let late = options(protocol).lazy_connect(true);
        let client: RedisPubSubClient = open_in(&host, &cluster, late);
        assert!(sockets(&host, &cluster).is_empty());
        // One node may hear later than another what was published before.
        let name = unique("news");
        for channel in [Channel::shard("orders"), Channel::pattern(&name)] {
            let mut account = Account::open_as(&client, &channel, &name);
            account.expect_heard(&cluster);
            assert_eq!(account.gaps(), 0);
        }
    }
}
