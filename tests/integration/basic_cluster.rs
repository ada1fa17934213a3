//! The raw client of `redis` behind a BASIC client of a cluster: it is what the URI and the options say.

use std::sync::mpsc::channel;
use std::thread;

use redis_manager::prelude::*;
use redis_manager::redis::cluster::ClusterClient;
use redis_manager::redis::{RedisResult, Value, cmd};
use redis_manager::{Protocol, TlsOptions};
use redis_manager_support::{TestCluster, TlsServer, Validity};

use crate::cluster_fixture::{key_of, key_of_each};
use crate::fixture::{Host, PATIENCE, PROTOCOLS, eventually};
use crate::reconnect::{open, options};
use crate::tls_fixture::Certificates;

fn raw(host: &Host, url: &str, options: redis_manager::ClientOptionsBuilder) -> ClusterClient {
    let client: RedisBasicClient = open(host, url, options);
    assert_eq!(client.pool().unwrap_err().kind(), ErrorKind::Unsupported);
    match client.redis_client() {
        UnderlyingClient::Cluster(raw) => raw,
        other => panic!("{other:?}"),
    }
}

/// Reaches a key of each master.
fn round_trip(raw: &ClusterClient, cluster: &TestCluster) -> RedisResult<()> {
    let mut connection = raw.get_connection()?;
    for key in key_of_each(cluster) {
        connection.set::<_, _, ()>(&key, 7)?;
        assert_eq!(connection.get::<_, i64>(&key)?, 7);
    }
    Ok(())
}

#[test]
fn it_reaches_all_nodes_as_the_user_of_the_uri_in_the_protocol_of_the_options() {
    let cluster = TestCluster::builder().replicas(0).start_or_panic();
    let rules = ["on", ">s3cret", "~*", "+@all", "allchannels"];
    cluster.run_everywhere(&[&["ACL", "SETUSER", "worker"][..], &rules].concat());
    let url = cluster.url().replace("://", "://worker:s3cret@");
    for protocol in PROTOCOLS {
        let host = Host::new();
        let raw = raw(&host, &url, options(protocol));
        round_trip(&raw, &cluster).unwrap();
        let connection = raw.get_connection().unwrap();
        for node in cluster.nodes() {
            let seen = node.clients().unwrap();
            let worker = seen.iter().find(|client| client.user == "worker");
            let told = worker.unwrap().resp;
            let resp = if protocol == Protocol::Resp2 { 2 } else { 3 };
            assert_eq!(told, node.told_protocol(resp));
        }
        drop(connection);
    }
    let wrong = raw(
        &Host::new(),
        &url.replace("s3cret", "wrong"),
        options(Protocol::Auto),
    );
    assert!(round_trip(&wrong, &cluster).is_err());
}

#[test]
fn it_trusts_whom_the_uri_says_and_shows_the_certificate_of_the_options() {
    let certificates = Certificates::new(&["127.0.0.1"], Validity::Current);
    let elsewhere = Certificates::new(&["elsewhere.example"], Validity::Current);
    let nobody = TlsOptions::default;
    for (shown, wants_certificates, cases) in [
        (
            &certificates,
            true,
            vec![
                ("FULL", certificates.mutual(), true),
                ("FULL", certificates.trusting(), false),
                ("NONE", certificates.trusting(), false),
                ("NONE", elsewhere.mutual(), false),
                ("NONE", certificates.mutual(), true),
            ],
        ),
        (
            &elsewhere,
            false,
            vec![
                ("FULL", elsewhere.trusting(), false),
                ("CA", elsewhere.trusting(), true),
                ("CA", certificates.trusting(), false),
                ("NONE", nobody(), true),
            ],
        ),
    ] {
        let tls = TlsServer {
            wants_certificates,
            ..shown.server()
        };
        let cluster = TestCluster::builder().replicas(0).tls(tls);
        let Some(cluster) = cluster.start_with_tls() else {
            return;
        };
        for (verify, tls, is_good) in cases {
            let (host, url) = (
                Host::new(),
                format!("{}?verifyPeer={verify}", cluster.url()),
            );
            let raw = raw(&host, &url, options(Protocol::Auto).tls(tls));
            let outcome = round_trip(&raw, &cluster);
            assert_eq!(outcome.is_ok(), is_good, "{verify}: {outcome:?}");
        }
    }
}

#[test]
fn a_certificate_that_cannot_be_used_fails_the_opening_and_is_named() {
    let (host, certificates) = (
        Host::new(),
        Certificates::new(&["127.0.0.1"], Validity::Current),
    );
    certificates.write("ca.pem", "no certificate");
    let opened = host.manager.open_with::<RedisBasicClient>(
        &host.script,
        "rediss-cluster://127.0.0.1",
        options(Protocol::Auto)
            .tls(certificates.trusting())
            .build()
            .unwrap(),
    );
    let error = opened.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidOptions, "{error}");
    assert!(error.message().contains("`tls.ca`"), "{error}");
}

#[test]
fn what_may_have_run_it_sends_no_second_time() {
    let cluster = TestCluster::shared();
    let host = Host::new();
    let raw = raw(&host, &cluster.url(), options(Protocol::Auto));
    let node = cluster.masters()[0];
    let list = key_of(cluster, node);
    let (sender, ended) = channel();
    thread::scope(|scope| {
        let popping = || {
            let mut connection = raw.get_connection().unwrap();
            let popped: RedisResult<Value> = cmd("BLPOP").arg(&list).arg(5).query(&mut connection);
            sender.send(popped).unwrap();
        };
        scope.spawn(popping);
        let mut waiting = None;
        eventually("it waits", || {
            let clients = node.clients().unwrap();
            waiting = clients
                .iter()
                .find(|client| client.cmd == "blpop")
                .map(|it| it.id);
            waiting.is_some()
        });
        node.run(&["CLIENT", "KILL", "ID", &waiting.unwrap().to_string()]);
        ended.recv_timeout(PATIENCE).unwrap().unwrap_err();
    });
}

#[test]
fn another_node_gives_the_sign_of_life_if_one_is_down() {
    let cluster = TestCluster::builder().replicas(0).start_or_panic();
    let host = Host::new();
    let client: RedisBasicClient = open(&host, cluster.url(), options(Protocol::Auto));
    let (last, others) = cluster.nodes().split_last().unwrap();
    for node in others {
        node.kill().unwrap();
        // Each time it may begin with another one.
        for _ in 0..10 {
            assert_eq!(client.ping().unwrap(), "PONG");
        }
    }
    last.kill().unwrap();
    let error = client.ping().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect, "{error}");
    assert_eq!(error.delivery(), Some(Delivery::NotSent));
}
