//! What scripts may do in a cluster, what they share there, and what is told of them.

use std::collections::BTreeSet;

use redis_manager::prelude::*;
use redis_manager::redis::{Value, cmd, pipe};
use redis_manager_support::TestCluster;

use crate::cluster_fixture::{expect_unloaded, key_of_each, named, open_in, sockets};
use crate::fixture::{Host, PROTOCOLS, eventually, unique};
use crate::namespace::{allowed, assert_refused, prefixed};
use crate::reconnect::options;
use crate::sharing::{open_for_another, sharing};
use crate::snapshots::counting;

#[test]
fn a_script_with_a_prefix_has_its_keys_and_no_others_on_all_nodes() {
    let cluster = TestCluster::shared();
    for protocol in PROTOCOLS {
        let (host, prefix) = prefixed();
        let client: RedisCommandClient = open_in(&host, cluster, options(protocol));
        let mut commands = client.commands();
        let keys: BTreeSet<_> = (0..30).map(|index| format!("k{index}")).collect();
        let pairs: Vec<_> = keys.iter().map(|key| (key, 1)).collect();
        let () = commands.mset(&pairs).unwrap();
        for key in &keys {
            let on_server = format!("{prefix}{key}");
            assert_eq!(
                cluster
                    .owner_of(&on_server)
                    .run(&["GET", &on_server])
                    .text(),
                "1"
            );
            assert_eq!(commands.incr::<_, _, i64>(key, 1).unwrap(), 2);
        }
        let values: Vec<i64> = commands.mget(keys.iter().collect::<Vec<_>>()).unwrap();
        assert_eq!(values, [2; 30]);
        let found: BTreeSet<String> = commands.keys("*").unwrap();
        assert_eq!(found, keys);
        let scanned: BTreeSet<String> = commands.scan().unwrap().map(Result::unwrap).collect();
        assert_eq!(scanned, keys);
        let mut all = pipe();
        for key in &keys {
            all.get(key);
        }
        assert_eq!(all.query::<Vec<i64>>(&mut commands).unwrap(), [2; 30]);
        let mut session = client.session().unwrap();
        for key in &keys {
            assert_eq!(session.get::<_, i64>(key).unwrap(), 2);
        }
        let deleted: i64 = commands.del(keys.iter().collect::<Vec<_>>()).unwrap();
        assert_eq!(deleted, 30);
        expect_unloaded(&host, cluster);
    }
}

#[test]
fn a_denied_command_is_refused_on_every_node() {
    let cluster = TestCluster::shared();
    let denied = DeniedCommands::new(["DEL", "FLUSHALL", "CLUSTER"]).unwrap();
    let host = allowed(ScriptOptions::default().with_denied_commands(denied));
    let client: RedisCommandClient = open_in(&host, cluster, options(Protocol::Auto));
    let (mut commands, keys) = (client.commands(), key_of_each(cluster));
    for key in &keys {
        let () = commands.set(key, 1).unwrap();
        assert_refused(commands.del::<_, ()>(key), "denied commands");
    }
    assert_refused(commands.del::<_, ()>(&keys), "denied commands");
    assert_refused(cmd("FLUSHALL").exec(&mut commands), "denied commands");
    let slots = cmd("CLUSTER").arg("SLOTS").exec(&mut commands);
    assert_refused(slots, "denied commands");
    assert_eq!(commands.exists::<_, i64>(&keys).unwrap(), 3);
    expect_unloaded(&host, cluster);
}

#[test]
fn scripts_that_share_have_one_socket_a_node_and_leave_none() {
    let cluster = TestCluster::shared();
    for protocol in PROTOCOLS {
        let host = Host::new();
        let url = named(&host, &cluster.url());
        let keys = key_of_each(cluster);
        let open = |_| -> (ScriptHandle, RedisCommandClient) {
            open_for_another(&host, &url, sharing(protocol))
        };
        let clients: Vec<_> = (0..20).map(open).collect();
        for (_, client) in &clients {
            for key in &keys {
                let _: i64 = client.commands().incr(key, 1).unwrap();
            }
            let values: Vec<i64> = client.commands().mget(&keys).unwrap();
            assert_eq!(values.len(), 3);
        }
        assert_eq!(sockets(&host, cluster).len(), 3, "{protocol:?}");
        let (first, others) = clients.split_first().unwrap();
        assert!(host.manager.unload_script(&first.0).is_clean());
        let closed = first.1.commands().get::<_, Value>(&keys[0]).unwrap_err();
        assert_eq!(Error::from(closed).delivery(), Some(Delivery::NotSent));
        for (script, client) in others {
            assert_eq!(client.commands().get::<_, i64>(&keys[0]).unwrap(), 20);
            assert!(host.manager.unload_script(script).is_clean());
        }
        eventually("no node has a socket", || {
            sockets(&host, cluster).is_empty()
        });
    }
}

#[test]
fn a_snapshot_counts_calls_once_however_many_nodes_they_go_to() {
    let cluster = TestCluster::shared();
    for protocol in PROTOCOLS {
        let host = counting();
        let client: RedisCommandClient = open_in(&host, cluster, options(protocol));
        let mut commands = client.commands();
        let keys = key_of_each(cluster);
        for key in &keys {
            let () = commands.set(key, "text").unwrap();
        }
        let _: i64 = commands
            .incr::<_, _, i64>(&keys[0], 1)
            .unwrap_err()
            .is_timeout()
            .into();
        let told = client.snapshot();
        let statistics = told.statistics.unwrap();
        assert_eq!(
            (statistics.commands, statistics.errors),
            (4, 1),
            "{statistics:?}"
        );
        assert!(statistics.bytes_sent > 0);
        expect_unloaded(&host, cluster);
    }
}

#[test]
fn unloading_ends_sessions_and_blocking_calls_on_every_node() {
    let cluster = TestCluster::shared();
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client: RedisCommandClient = open_in(&host, cluster, options(protocol));
        let keys = key_of_each(cluster);
        let mut sessions = Vec::new();
        for key in &keys {
            let mut session = client.session().unwrap();
            let () = session.set(key, 1).unwrap();
            sessions.push(session);
        }
        let blocked: Vec<_> = keys
            .iter()
            .map(|key| {
                let (client, list) = (client.clone(), format!("{{{key}}}{}", unique("list")));
                std::thread::spawn(move || client.commands().blpop::<_, Value>(list, 0.0))
            })
            .collect();
        eventually("all block", || {
            let sockets = sockets(&host, cluster);
            sockets
                .iter()
                .filter(|socket| socket.cmd == "blpop")
                .count()
                == 3
        });
        let report = host.manager.unload_script(&host.script);
        assert!(!report.is_clean(), "{report:?}");
        for blocked in blocked {
            blocked.join().unwrap().unwrap_err();
        }
        for session in &mut sessions {
            session.get::<_, Value>(&keys[0]).unwrap_err();
        }
        eventually("no node has a socket", || {
            sockets(&host, cluster).is_empty()
        });
    }
}
