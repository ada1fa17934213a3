//! Commands of all kinds in a cluster, whichever nodes have their keys.

use std::collections::BTreeSet;

use redis_manager::prelude::*;
use redis_manager::redis::{Script, Value, cmd, pipe};
use redis_manager_support::TestCluster;

use crate::cluster_fixture::{
    expect_unloaded, key_of, key_of_each, open_in, show_replicas, sockets,
};
use crate::fixture::{Host, PROTOCOLS, unique};
use crate::reconnect::options;

fn each_protocol(test: impl Fn(&TestCluster, &RedisCommandClient)) {
    let cluster = TestCluster::shared();
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client: RedisCommandClient = open_in(&host, cluster, options(protocol));
        test(cluster, &client);
        expect_unloaded(&host, cluster);
    }
}

#[test]
fn a_command_reaches_the_node_of_its_key_over_one_socket_a_node() {
    let cluster = TestCluster::shared();
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client: RedisCommandClient = open_in(&host, cluster, options(protocol));
        let mut commands = client.commands();
        let keys: Vec<_> = (0..100).map(|_| unique("key")).collect();
        for key in &keys {
            let () = commands.set(key, key).unwrap();
            assert_eq!(commands.get::<_, String>(key).unwrap(), *key);
        }
        pollster::block_on(async {
            let mut commands = client.async_commands();
            for key in &keys {
                assert_eq!(commands.get::<_, String>(key).await.unwrap(), *key);
            }
        });
        for key in key_of_each(cluster) {
            let () = commands.set(&key, 1).unwrap();
            assert_eq!(cluster.owner_of(&key).run(&["GET", &key]).text(), "1");
        }
        assert_eq!(sockets(&host, cluster).len(), 3, "{protocol:?}");
        assert_eq!(client.state(), ClientState::Connected);
        expect_unloaded(&host, cluster);
    }
}

#[test]
fn mset_mget_exists_and_del_of_keys_on_all_nodes_are_split() {
    each_protocol(|cluster, client| {
        let (mut commands, keys) = (client.commands(), key_of_each(cluster));
        let pairs: Vec<_> = keys.iter().zip(0..).collect();
        let () = commands.mset(&pairs).unwrap();
        let mut asked = keys.clone();
        asked.reverse();
        asked.insert(1, unique("none"));
        let values: Vec<Option<i64>> = commands.mget(&asked).unwrap();
        assert_eq!(values, [Some(2), None, Some(1), Some(0)]);
        assert_eq!(commands.exists::<_, i64>(&asked).unwrap(), 3);
        let touched: i64 = cmd("TOUCH").arg(&keys).query(&mut commands).unwrap();
        assert_eq!(touched, 3);
        assert_eq!(commands.del::<_, i64>(&asked).unwrap(), 3);
        assert_eq!(commands.unlink::<_, i64>(&asked).unwrap(), 0);
    });
}

#[test]
fn what_cannot_be_split_is_refused_as_redis_would_and_never_sent() {
    each_protocol(|cluster, client| {
        let (mut commands, keys) = (client.commands(), key_of_each(cluster));
        let [one, two] = [&keys[0], &keys[1]];
        let mut atomic = pipe();
        atomic.atomic().set(one, 1).set(two, 2);
        let errors = [
            commands.rename::<_, _, Value>(one, two).unwrap_err(),
            commands.sinter::<_, Value>(&[one, two]).unwrap_err(),
            Script::new("return 1")
                .key(one)
                .key(two)
                .invoke::<Value>(&mut commands)
                .unwrap_err(),
            atomic.query::<Value>(&mut commands).unwrap_err(),
            cmd("MSETNX")
                .arg(one)
                .arg(1)
                .arg(two)
                .arg(2)
                .query::<Value>(&mut commands)
                .unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.code(), Some("CROSSSLOT"), "{error}");
            assert_eq!(Error::from(error).kind(), ErrorKind::Server);
        }
        let connection = client.connection();
        let error = connection
            .request(cmd("RENAME").arg(one).arg(two))
            .unwrap_err();
        assert_eq!(error.delivery(), Some(Delivery::NotSent), "{error}");
        assert_eq!(error.command(), Some("RENAME"));
        for key in [one, two] {
            assert!(!commands.exists::<_, bool>(key).unwrap());
        }
        // A hash tag brings them together.
        let [one, two] = [1, 2].map(|end| format!("{{{one}}}{end}"));
        let () = commands.set(&one, "x").unwrap();
        let () = commands.rename(&one, &two).unwrap();
        assert_eq!(commands.get::<_, String>(&two).unwrap(), "x");
    });
}

#[test]
fn a_pipeline_over_all_nodes_answers_in_its_order_and_an_atomic_one_runs_whole() {
    each_protocol(|cluster, client| {
        let (mut commands, keys) = (client.commands(), key_of_each(cluster));
        let mut all = pipe();
        for round in 0..50 {
            for key in &keys {
                all.cmd("RPUSH").arg(key).arg(round).ignore();
                all.llen(key);
            }
            all.cmd("ECHO").arg(round).ignore();
        }
        let expected: Vec<i64> = (1..=50).flat_map(|length| [length; 3]).collect();
        assert_eq!(all.query::<Vec<i64>>(&mut commands).unwrap(), expected);
        let again = pollster::block_on(all.query_async::<Vec<i64>>(&mut client.async_commands()));
        assert_eq!(
            again.unwrap(),
            expected.iter().map(|n| n + 50).collect::<Vec<_>>()
        );
        for key in &keys {
            let order: Vec<i64> = commands.lrange(key, 0, 49).unwrap();
            assert_eq!(order, (0..50).collect::<Vec<_>>());
            let tagged = format!("{{{key}}}counter");
            let mut atomic = pipe();
            atomic.atomic().incr(&tagged, 1).incr(&tagged, 1).llen(key);
            let told: (i64, i64, i64) = atomic.query(&mut commands).unwrap();
            assert_eq!(told, (1, 2, 100));
        }
        let mut failing = pipe();
        failing
            .set(&keys[0], "text")
            .incr(&keys[0], 1)
            .llen(&keys[1]);
        let error = failing.query::<Value>(&mut commands).unwrap_err();
        assert_eq!(Error::from(error).kind(), ErrorKind::Server);
    });
}

#[test]
fn scripts_are_loaded_everywhere_and_run_where_their_keys_are() {
    each_protocol(|cluster, client| {
        let mut commands = client.commands();
        let text = format!(
            "return redis.call('INCRBY', KEYS[1], ARGV[1]) -- {}",
            unique("script")
        );
        let script = Script::new(&text);
        let hash: String = cmd("SCRIPT")
            .arg("LOAD")
            .arg(&text)
            .query(&mut commands)
            .unwrap();
        for (index, key) in (1..).zip(key_of_each(cluster)) {
            let mut run = cmd("EVALSHA");
            let sum: i64 = run
                .arg(&hash)
                .arg(1)
                .arg(&key)
                .arg(index)
                .query(&mut commands)
                .unwrap();
            assert_eq!(sum, index);
            let sum: i64 = script.key(&key).arg(1).invoke(&mut commands).unwrap();
            assert_eq!(sum, index + 1);
        }
        let other = Script::new(&format!("{text} and one that nobody has"));
        for key in key_of_each(cluster) {
            assert_eq!(
                other.key(&key).arg(5).invoke::<i64>(&mut commands).unwrap(),
                5
            );
        }
    });
}

#[test]
fn dbsize_keys_scan_and_flushall_are_of_all_masters() {
    let cluster = TestCluster::builder()
        .masters(3)
        .replicas(0)
        .start_or_panic();
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client: RedisCommandClient = open_in(&host, &cluster, options(protocol));
        let mut commands = client.commands();
        let all: BTreeSet<_> = (0..300).map(|index| format!("key {index}")).collect();
        for key in &all {
            let () = commands.set(key, 1).unwrap();
        }
        for master in cluster.masters() {
            assert!(master.run(&["DBSIZE"]).as_int() < Some(300));
        }
        let size: i64 = cmd("DBSIZE").query(&mut commands).unwrap();
        assert_eq!(size, 300);
        let keys: Vec<String> = commands.keys("*").unwrap();
        assert_eq!((keys.len(), keys.into_iter().collect()), (300, all.clone()));
        let scanned: Vec<String> = commands.scan().unwrap().map(Result::unwrap).collect();
        assert_eq!(BTreeSet::from_iter(scanned), all);
        let some: Vec<_> = commands
            .scan_match::<_, String>("key 1*")
            .unwrap()
            .collect();
        assert_eq!(some.len(), 111);
        let drawn: String = cmd("RANDOMKEY").query(&mut commands).unwrap();
        assert!(all.contains(&drawn));
        cmd("FLUSHALL").exec(&mut commands).unwrap();
        assert_eq!(cmd("DBSIZE").query::<i64>(&mut commands).unwrap(), 0);
    }
}

#[test]
fn many_calls_at_once_get_each_its_own_reply() {
    each_protocol(|cluster, client| {
        let keys = key_of_each(cluster);
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let keys = &keys;
                scope.spawn(move || {
                    let mut commands = client.commands();
                    for round in 0..200 {
                        let key = format!("{{{}}}{thread}", keys[round % keys.len()]);
                        let text = format!("{thread}.{round}");
                        let () = commands.set(&key, &text).unwrap();
                        assert_eq!(commands.get::<_, String>(&key).unwrap(), text);
                    }
                });
            }
        });
    });
}

#[test]
fn a_replica_answers_reads_where_that_was_asked_for() {
    let cluster = TestCluster::start();
    show_replicas(&cluster);
    let key = key_of(&cluster, cluster.owner(0));
    let replica = cluster.replicas_of(cluster.owner_of(&key))[0];
    for protocol in PROTOCOLS {
        let host = Host::new();
        let reading = options(protocol).read_from(redis_manager::ReadFrom::ReplicaPreferred);
        let client: RedisCommandClient = open_in(&host, &cluster, reading);
        let mut commands = client.commands();
        let () = commands.set(&key, protocol as i64).unwrap();
        let calls = || {
            let told = replica.run(&["INFO", "commandstats"]).text();
            let line = told.lines().find(|line| line.starts_with("cmdstat_get:"));
            line.map(str::to_owned)
        };
        crate::fixture::eventually("a replica is read from", || {
            let before = calls();
            let got: Option<i64> = commands.get(&key).unwrap();
            got == Some(protocol as i64) && calls() != before
        });
        expect_unloaded(&host, &cluster);
    }
}
