//! What becomes of subscriptions in a cluster when nodes are lost and slots move.

use std::collections::HashSet;
use std::time::{Duration, SystemTime};

use redis_manager::prelude::*;
use redis_manager::{Gap, Protocol};
use redis_manager_support::{TestCluster, TestServer};

use crate::cluster_fixture::{
    expect_unloaded, key_of, open_in, open_subscriber, show_replicas, start_with_shard_channels,
};
use crate::cluster_listening::{
    Account, listened_at, listened_at_one, name_of, told_to_a_listener,
};
use crate::fixture::{Host, PATIENCE, PROTOCOLS, eventually};
use crate::reconnect::options;

/// Moves the slot of `channel` to another master, and returns that.
fn migrate<'a>(cluster: &'a TestCluster, channel: &Channel) -> &'a TestServer {
    let name = name_of(channel);
    let from = cluster.owner_of(name).port();
    let masters = cluster.masters();
    let to = masters.into_iter().find(|node| node.port() != from);
    let to = to.unwrap();
    cluster.migrate(cluster.slot(name), to);
    to
}

#[test]
fn plain_channels_come_by_another_node_when_theirs_is_killed() {
    for protocol in PROTOCOLS {
        let (cluster, host) = (TestCluster::start(), Host::new());
        let client = open_subscriber(&host, &cluster, protocol);
        let plain = Channel::new("news");
        let mut accounts = [
            Account::open(&client, &plain),
            Account::open_as(&client, &Channel::pattern("old?"), "olds"),
        ];
        for _ in 0..2 {
            for account in &mut accounts {
                account.expect_heard(&cluster);
            }
            let gaps = accounts.each_ref().map(Account::gaps);
            let node = listened_at_one(&cluster, &plain);
            node.kill().unwrap();
            for (account, gaps) in accounts.iter_mut().zip(gaps) {
                account.expect_heard(&cluster);
                assert_eq!(account.gaps(), gaps + 1);
            }
            node.restart().unwrap();
            cluster.wait_until_whole();
            // It may be the next one: the client does not know yet that it is a master no more.
            show_replicas(&cluster);
        }
        end_all(&host, &cluster, &client, &mut accounts);
    }
}

#[test]
fn a_node_by_which_plain_and_shard_channels_come_is_lost_and_no_other_is_asked_for_what_it_has_not()
{
    for protocol in PROTOCOLS {
        let Some(cluster) = start_with_shard_channels(TestCluster::builder()) else {
            return;
        };
        let host = Host::new();
        let client = open_subscriber(&host, &cluster, protocol);
        let mut events = client.events();
        let plain = Channel::new("news");
        let mut plain_account = Account::open(&client, &plain);
        let node = listened_at_one(&cluster, &plain);
        let shard = Channel::shard(key_of(&cluster, node));
        let mut shard_account = Account::open(&client, &shard);
        for account in [&mut plain_account, &mut shard_account] {
            account.expect_heard(&cluster);
        }
        node.kill().unwrap();
        for account in [&mut plain_account, &mut shard_account] {
            account.expect_heard(&cluster);
        }
        while let Some(event) = events.try_recv() {
            let is_refusal = matches!(event, ClientEvent::SubscriptionRefused { .. });
            assert!(!is_refusal, "{event:?}");
        }
        let mut accounts = [plain_account, shard_account];
        end_all(&host, &cluster, &client, &mut accounts);
    }
}

#[test]
fn shard_channels_follow_their_slot_to_the_replica_when_its_master_is_killed() {
    for protocol in PROTOCOLS {
        let Some(cluster) = start_with_shard_channels(TestCluster::builder()) else {
            return;
        };
        let host = Host::new();
        let client = open_subscriber(&host, &cluster, protocol);
        let channels = ["{a}1", "{a}2", "{b}1"].map(Channel::shard);
        let mut accounts = channels.each_ref().map(|it| Account::open(&client, it));
        for account in &mut accounts {
            account.expect_heard(&cluster);
        }
        let master = cluster.owner_of("{a}1");
        master.kill().unwrap();
        for account in &mut accounts {
            account.expect_heard(&cluster);
            let is_lost = name_of(account.channel()).starts_with("{a}");
            assert_eq!(account.gaps(), usize::from(is_lost), "{protocol:?}");
            listened_at_one(&cluster, account.channel());
        }
        // The old one comes back as a replica, and nothing comes by it.
        master.restart().unwrap();
        cluster.wait_until_whole();
        for account in &mut accounts {
            account.expect_heard(&cluster);
            listened_at_one(&cluster, account.channel());
        }
        end_all(&host, &cluster, &client, &mut accounts);
    }
}

#[test]
fn a_shard_channel_follows_its_slot_when_it_is_migrated() {
    for protocol in PROTOCOLS {
        let Some(cluster) = start_with_shard_channels(TestCluster::builder()) else {
            return;
        };
        let host = Host::new();
        let client = open_subscriber(&host, &cluster, protocol);
        let (moving, staying) = (Channel::shard("{a}"), Channel::shard("{b}"));
        let mut moved = Account::open(&client, &moving);
        let mut stayed = Account::open(&client, &staying);
        for migrations in 1..=3 {
            moved.expect_heard(&cluster);
            stayed.expect_heard(&cluster);
            let to = migrate(&cluster, &moving);
            moved.expect_heard(&cluster);
            stayed.expect_heard(&cluster);
            assert_eq!((moved.gaps(), stayed.gaps()), (migrations, 0));
            assert_eq!(listened_at_one(&cluster, &moving).port(), to.port());
        }
        end_all(&host, &cluster, &client, &mut [moved, stayed]);
    }
}

#[test]
fn shard_channels_follow_a_failover_that_nobody_was_lost_in() {
    for protocol in PROTOCOLS {
        let Some(cluster) = start_with_shard_channels(TestCluster::builder()) else {
            return;
        };
        let host = Host::new();
        let client = open_subscriber(&host, &cluster, protocol);
        let channel = Channel::shard("orders");
        let mut account = Account::open(&client, &channel);
        account.expect_heard(&cluster);
        let master = cluster.owner_of("orders");
        let replica = cluster.replicas_of(master)[0];
        cluster.failover(replica);
        account.expect_heard(&cluster);
        // The other one would hear of it as well, and SPUBLISH would not count whom it tells.
        eventually("it comes by the new master", || {
            listened_at_one(&cluster, &channel).port() == replica.port()
        });
        account.expect_heard(&cluster);
        let gaps = account.gaps();
        assert!((1..=2).contains(&gaps), "{gaps}");
        master.kill().unwrap();
        account.expect_heard(&cluster);
        assert_eq!(account.gaps(), gaps);
        end_all(&host, &cluster, &client, &mut [account]);
    }
}

/// It takes itself for the master until it is told. Then it may hand on what the new one tells it before it says that the
/// subscription has ended, so that the gap is told after something that was published later.
#[test]
fn nothing_is_missed_unsaid_by_a_master_that_comes_back_and_does_not_know_of_its_replica() {
    for protocol in PROTOCOLS {
        let Some(cluster) = start_with_shard_channels(TestCluster::builder()) else {
            return;
        };
        let host = Host::new();
        let client: RedisPubSubClient = open_in(&host, &cluster, options(protocol));
        let told = told_to_a_listener(&client, &Channel::shard("orders"));
        let (mut published, mut heard, mut gaps) = (Vec::new(), HashSet::new(), Vec::new());
        let mut expect_heard = || {
            let first = published.len();
            eventually("it is heard", || {
                let number = published.len();
                let began = SystemTime::now();
                let command = ["SPUBLISH", "orders", &number.to_string()];
                let answer = cluster.owner_of("orders").command(&command);
                let is_published = answer.is_ok_and(|answer| !answer.is_error());
                published.push(is_published.then(|| [began, SystemTime::now()]));
                for event in told.try_iter() {
                    match event {
                        ListenerEvent::Message(message) => {
                            let number: usize = message.payload_str().unwrap().parse().unwrap();
                            assert!(heard.insert(number), "{number} is heard twice");
                        }
                        ListenerEvent::Gap(gap) => gaps.push(gap),
                        other => panic!("{other:?}"),
                    }
                }
                heard.iter().any(|number| *number >= first)
            });
        };
        expect_heard();
        // Once a cluster: two failovers in a row may leave Redis 7.0 with a master that nobody else knows of.
        let master = cluster.owner_of("orders");
        master.kill().unwrap();
        assert_ne!(cluster.owner_of("orders").port(), master.port());
        master.restart().unwrap();
        expect_heard();
        cluster.wait_until_whole();
        // And by the node to which the channel belongs.
        let owner = cluster.owner_of("orders").port();
        eventually("it comes by the master", || {
            listened_at_one(&cluster, &Channel::shard("orders")).port() == owner
        });
        expect_heard();
        let last = *heard.iter().max().unwrap();
        for (number, times) in published.iter().enumerate().take(last) {
            let Some([began, ended]) = times.filter(|_| !heard.contains(&number)) else {
                continue;
            };
            let is_within = |gap: &Gap| gap.since <= ended && began <= gap.until;
            assert!(
                gaps.iter().any(is_within),
                "{number} of {began:?}, {gaps:?}"
            );
        }
    }
}

#[test]
fn a_node_that_is_down_is_waited_for_as_long_as_somebody_listens() {
    let builder = TestCluster::builder().node_timeout(2 * PATIENCE);
    let Some(cluster) = start_with_shard_channels(builder) else {
        return;
    };
    let host = Host::new();
    let client = open_subscriber(&host, &cluster, Protocol::Auto);
    let channel = Channel::shard("orders");
    let mut account = Account::open(&client, &channel);
    account.expect_heard(&cluster);
    listened_at_one(&cluster, &channel).kill().unwrap();
    eventually("it is missed", || client.state().is_disconnected());
    assert_eq!(client.unregister_listeners(&channel).unwrap(), 1);
    eventually("nobody misses it", || !client.state().is_disconnected());
}

#[test]
fn what_comes_by_a_node_that_falls_silent_comes_by_another() {
    for protocol in PROTOCOLS {
        let Some(cluster) = start_with_shard_channels(TestCluster::builder()) else {
            return;
        };
        let host = Host::new();
        let options = options(protocol).heartbeat(Duration::from_millis(200));
        let client: RedisPubSubClient = open_in(&host, &cluster, options);
        let (shard, plain) = (Channel::shard("orders"), Channel::new("news"));
        for channel in [&shard, &plain] {
            let mut account = Account::open(&client, channel);
            account.expect_heard(&cluster);
            let node = listened_at_one(&cluster, channel);
            node.pause().unwrap();
            if *channel == shard {
                eventually("the replica is the master", || {
                    cluster.owner_of("orders").port() != node.port()
                });
            }
            account.expect_heard(&cluster);
            assert_eq!(account.gaps(), 1);
            node.resume().unwrap();
            cluster.wait_until_whole();
            // It was subscribed before, and is not to be heard of again.
            account.expect_heard(&cluster);
            listened_at_one(&cluster, channel);
            assert_eq!(account.gaps(), 1);
        }
    }
}

/// A master that was stopped, and goes on, takes itself for the master until it hears of the new one. What was published
/// there meanwhile is missed.
#[test]
fn what_is_missed_while_a_master_does_not_know_that_it_is_replaced_lies_within_the_gap() {
    for protocol in PROTOCOLS {
        let Some(cluster) = start_with_shard_channels(TestCluster::builder()) else {
            return;
        };
        let host = Host::new();
        let client: RedisPubSubClient = open_in(&host, &cluster, options(protocol));
        let channel = Channel::shard("orders");
        let told = told_to_a_listener(&client, &channel);
        let old = listened_at_one(&cluster, &channel);
        old.pause().unwrap();
        eventually("the replica is the master", || {
            cluster.owner_of("orders").port() != old.port()
        });
        let missed = SystemTime::now();
        let new = cluster.owner_of("orders");
        new.run(&["SPUBLISH", "orders", "missed"]);
        old.resume().unwrap();
        cluster.wait_until_whole();
        eventually("it is heard again", || {
            new.run(&["SPUBLISH", "orders", "heard"]).as_int() == Some(1)
        });
        let mut gaps = Vec::new();
        for event in told.try_iter() {
            match event {
                ListenerEvent::Gap(gap) => gaps.push(gap),
                ListenerEvent::Message(message) => assert_eq!(message.payload(), b"heard"),
                other => panic!("{other:?}"),
            }
        }
        let has_missed = |gap: &Gap| gap.since <= missed && missed <= gap.until;
        assert!(gaps.iter().any(has_missed), "{missed:?}, {gaps:?}");
    }
}

#[test]
fn what_comes_by_a_node_that_is_cast_out_comes_by_another() {
    for protocol in PROTOCOLS {
        let Some(cluster) = start_with_shard_channels(TestCluster::builder()) else {
            return;
        };
        let host = Host::new();
        let client = open_subscriber(&host, &cluster, protocol);
        let plain = Channel::new("news");
        let mut accounts = vec![Account::open(&client, &plain)];
        let node = listened_at_one(&cluster, &plain);
        // One of the channels that come by the same node.
        let names = (0..).map(|number| number.to_string());
        let mut names = names.filter(|name| cluster.owner_of(name).port() == node.port());
        let shard = Channel::shard(names.next().unwrap());
        accounts.push(Account::open(&client, &shard));
        for account in &mut accounts {
            account.expect_heard(&cluster);
        }
        cluster.failover(cluster.replicas_of(node)[0]);
        for other in cluster.nodes() {
            if other.port() != node.port() {
                other.run(&["CLUSTER", "FORGET", cluster.id(node)]);
            }
        }
        node.run(&["CLUSTER", "RESET"]);
        // Who is told so looks what the cluster is like.
        client.publish(&shard, "0").unwrap();
        for account in &mut accounts {
            account.expect_heard(&cluster);
            assert_ne!(
                listened_at_one(&cluster, account.channel()).port(),
                node.port()
            );
            assert!((1..=2).contains(&account.gaps()));
        }
        end_all(&host, &cluster, &client, &mut accounts);
    }
}

/// Who registers while the client does not know yet where a slot has gone is registered where it is.
#[test]
fn a_listener_is_registered_where_the_slot_has_gone() {
    for protocol in PROTOCOLS {
        let Some(cluster) = start_with_shard_channels(TestCluster::builder()) else {
            return;
        };
        let host = Host::new();
        let client = open_subscriber(&host, &cluster, protocol);
        let channel = Channel::shard("orders");
        let to = migrate(&cluster, &channel);
        let mut account = Account::open(&client, &channel);
        assert_eq!(listened_at(&cluster, &channel).len(), 1);
        assert_eq!(listened_at_one(&cluster, &channel).port(), to.port());
        account.expect_heard(&cluster);
        assert_eq!(account.gaps(), 0);
        end_all(&host, &cluster, &client, &mut [account]);
    }
}

/// Unregisters what is left, which ends the subscriptions; and nothing is left of the script on any node.
fn end_all(
    host: &Host,
    cluster: &TestCluster,
    client: &RedisPubSubClient,
    accounts: &mut [Account],
) {
    for account in accounts {
        assert_eq!(client.unregister_listeners(account.channel()).unwrap(), 1);
        // Where it was on its way to may confirm it once more, and is told then.
        eventually("nobody is subscribed", || {
            listened_at(cluster, account.channel()).is_empty()
        });
        account.expect_ended();
    }
    expect_unloaded(host, cluster);
}
