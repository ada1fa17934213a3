//! Sessions and blocking calls wait, as other calls do, for a cluster that is down, and for a node that loads or refuses the
//! login.

use std::thread;
use std::time::Instant;

use redis_manager::prelude::*;
use redis_manager::redis::Value;
use redis_manager_support::{TestCluster, TestServer};

use crate::cluster_fixture::{expect_unloaded, key_of, named, open_in};
use crate::fixture::{Host, PATIENCE, PROTOCOLS, eventually};
use crate::reconnect::{open, options};

/// Makes each call on keys beside each of `keys`, while `meanwhile` runs, and expects that all succeed.
#[track_caller]
fn expect_that_each_waits(client: &RedisCommandClient, keys: &[String], meanwhile: impl FnOnce()) {
    thread::scope(|scope| {
        let mut waiting = Vec::new();
        for key in keys {
            let beside = |what: &str| format!("{{{key}}}:{what}");
            let (key, list, stream) = (beside("key"), beside("list"), beside("stream"));
            let incremented = key.clone();
            waiting.push(scope.spawn(move || {
                let mut session = client.session()?;
                session.incr::<_, _, Value>(&incremented, 1)
            }));
            waiting.push(scope.spawn(move || {
                let (mut session, mut tries) = (client.session()?, 0);
                let outcome = session.transaction::<Value>(&key, |transaction| {
                    tries += 1;
                    transaction.queue().set(&key, tries);
                    Ok(())
                });
                Ok(outcome?)
            }));
            waiting.push(scope.spawn(move || client.commands().blpop(&list, 0.1)));
            waiting.push(scope.spawn(move || {
                let mut pipeline = redis_manager::redis::pipe();
                let blocking = ["BLOCK", "10", "STREAMS", &stream, "$"];
                pipeline.cmd("XREAD").arg(&blocking);
                pipeline.query(&mut client.commands())
            }));
        }
        meanwhile();
        for waiting in waiting {
            waiting.join().unwrap().unwrap();
        }
    });
}

#[test]
fn they_wait_for_a_cluster_that_is_down() {
    let builder = TestCluster::builder().replicas(0).durable();
    let cluster = builder
        .node_timeout(Duration::from_secs(1))
        .start_or_panic();
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client: RedisCommandClient = open_in(&host, &cluster, options(protocol));
        let lost = cluster.owner(0);
        let keys = [lost, cluster.owner(16_383)].map(|node| key_of(&cluster, node));
        lost.kill().unwrap();
        cluster.wait_until_down();
        expect_that_each_waits(&client, &keys, || {
            let there = cluster.owner(16_383);
            eventually("the calls are refused", || count(there, "CLUSTERDOWN") > 20);
            lost.restart().unwrap();
        });
        cluster.wait_until_whole();
        cluster.run_everywhere(&["CONFIG", "RESETSTAT"]);
        expect_unloaded(&host, &cluster);
    }
}

/// How often `node`, if it is there, has refused something by this code.
fn count(node: &TestServer, code: &str) -> u64 {
    let statistics = node.command(&["INFO", "errorstats"]);
    let statistics = statistics.map(|it| it.text()).unwrap_or_default();
    let line = format!("errorstat_{code}:count=");
    let mut lines = statistics.lines();
    let count = lines.find_map(|it| it.strip_prefix(&line)?.parse().ok());
    count.unwrap_or(0)
}

#[test]
fn they_wait_for_a_node_that_loads() {
    let listens = "loading-process-events-interval-bytes";
    let cluster = TestCluster::shared();
    let usual = cluster.owner(0);
    if usual.run(&["CONFIG", "GET", listens]).items().is_empty() {
        usual.not_tried("looks for clients every 2 MB only while it loads");
        return;
    }
    // A second in a thousand keys, and an ear for clients in between.
    let listens = [&format!("--{listens}"), "1024"];
    let slow = ["--key-load-delay", "1000"];
    let builder = TestCluster::builder().replicas(0).args(slow).args(listens);
    // Nobody finds out that it is down.
    let cluster = builder.node_timeout(2 * PATIENCE).start_or_panic();
    let loading = cluster.owner(0);
    let key = key_of(&cluster, loading);
    let fill = "for number = 1, 60000 do redis.call('SET', KEYS[1] .. number, number) end";
    loading.run(&["EVAL", fill, "1", &format!("{{{key}}}")]);
    loading.run(&["SAVE"]);
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client: RedisCommandClient = open_in(&host, &cluster, options(protocol));
        thread::scope(|scope| {
            loading.run(&["CONFIG", "RESETSTAT"]);
            // It returns when all is loaded.
            let restarting = scope.spawn(|| loading.restart().unwrap());
            eventually("it loads", || count(loading, "LOADING") > 0);
            let began = Instant::now();
            let before = count(loading, "LOADING");
            expect_that_each_waits(&client, std::slice::from_ref(&key), || {
                eventually("the calls are refused", || {
                    count(loading, "LOADING") > before + 20
                });
                loading.run(&["CONFIG", "SET", "key-load-delay", "0"]);
            });
            assert!(began.elapsed() < PATIENCE);
            restarting.join().unwrap();
        });
        expect_unloaded(&host, &cluster);
    }
}

#[test]
fn they_wait_for_a_node_that_refuses_the_login() {
    let cluster = TestCluster::builder().replicas(0).start_or_panic();
    let rules = ["on", ">s3cret", "~*", "&*", "+@all"];
    cluster.run_everywhere(&[&["ACL", "SETUSER", "worker"][..], &rules].concat());
    let url = cluster.url().replace("://", "://worker:s3cret@");
    let node = cluster.owner(0);
    let key = key_of(&cluster, node);
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client: RedisCommandClient = open(&host, named(&host, &url), options(protocol));
        node.run(&["ACL", "SETUSER", "worker", "resetpass", ">another"]);
        expect_that_each_waits(&client, std::slice::from_ref(&key), || {
            eventually("the login is refused", || count(node, "WRONGPASS") > 10);
            node.run(&["ACL", "SETUSER", "worker", ">s3cret"]);
        });
        cluster.run_everywhere(&["CONFIG", "RESETSTAT"]);
        expect_unloaded(&host, &cluster);
    }
}
