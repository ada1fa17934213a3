//! Every form of a URI of several servers against the real thing: sentinels and clusters.

use redis_manager::TlsOptions;
use redis_manager::prelude::*;
use redis_manager_support::{TestCluster, TestSentinel, TestServer, Validity};

use crate::sentinel::knowing;
use crate::tls_fixture::Certificates;
use crate::uri_form::{Form, Place, add_worker};

#[test]
fn every_form_with_sentinels_leads_to_the_master_that_they_name() {
    let server = TestServer::start();
    add_worker(&server);
    let place = Place::tcp(&server);
    let [one, other] = [knowing(&server), knowing(&server)];
    let ports = (one.port(), other.port());
    let (alone, both) = (
        format!("127.0.0.1:{}", ports.0),
        format!("127.0.0.1:{},localhost:{}", ports.0, ports.1),
    );
    for form in [
        Form::new(format!("redis-sentinel://{alone}#main")),
        Form::new(format!("redis-sentinel://{both}/3#main")).database(3),
        Form::new(format!("Redis-Sentinel://{alone}?sentinelMasterId=main")),
        Form::new(format!(
            "redis-sentinel://{both}?db=4&sentinelmasterid=main#main"
        ))
        .database(4),
        Form::new(format!(
            "redis-sentinel://worker:s3cret@{both}/1?clientName=s&protocol=2#main"
        ))
        .user("worker")
        .name("s")
        .database(1)
        .protocol(2),
    ] {
        place.is_reached_by(&form);
    }
}

#[test]
fn every_form_with_sentinels_and_tls_checks_all_of_them() {
    let certificates = Certificates::new(&["localhost"], Validity::Current);
    let server = TestServer::builder().tls(certificates.server());
    let Some(server) = server.start_with_tls() else {
        return;
    };
    add_worker(&server);
    let port = server.tls_port().unwrap();
    let sentinel = TestSentinel::builder().tls(certificates.server());
    let sentinel = sentinel.monitor("main", port, 1);
    let sentinel = sentinel.start_or_panic(server.binary());
    let at = sentinel.tls_port().unwrap();
    for (verify, trusted) in [
        ("CA", certificates.trusting()),
        ("none", TlsOptions::default()),
    ] {
        let options = ClientOptions::builder().tls(trusted).build();
        let place = Place {
            address: format!("127.0.0.1:{port}"),
            options: options.unwrap(),
            ..Place::tcp(&server)
        };
        let query = format!("verifyPeer={verify}&clientName=s");
        let uri = format!("rediss-sentinel://worker:s3cret@localhost:{at}/1?{query}#main");
        let form = Form::new(uri).user("worker").database(1).name("s");
        place.is_reached_by(&form);
    }
}

#[test]
fn every_form_with_a_cluster_leads_to_its_nodes() {
    let cluster = TestCluster::builder().replicas(0).start_or_panic();
    cluster.nodes().iter().for_each(add_worker);
    let place = Place {
        servers: cluster.nodes(),
        address: "127.0.0.1:".to_owned(),
        options: ClientOptions::default(),
    };
    let (all, one) = (cluster.addresses(), cluster.url_of(&cluster.nodes()[1]));
    for form in [
        Form::new(cluster.url()),
        Form::new(format!("{one}/")),
        Form::new(format!("Redis-Cluster://worker:s3cret@{all}")).user("worker"),
        Form::new(format!(
            "redis-cluster://worker:s3cret@{all}/?clientName=c&protocol=2"
        ))
        .user("worker")
        .name("c")
        .protocol(2),
    ] {
        place.is_reached_by(&form);
    }
}

#[test]
fn every_form_with_a_cluster_and_tls_checks_each_node() {
    let certificates = Certificates::new(&["127.0.0.1"], Validity::Current);
    let cluster = TestCluster::builder().replicas(0);
    let Some(cluster) = cluster.tls(certificates.server()).start_with_tls() else {
        return;
    };
    for (verify, trusted) in [
        ("FULL", certificates.trusting()),
        ("NONE", TlsOptions::default()),
    ] {
        let options = ClientOptions::builder().tls(trusted).build();
        let place = Place {
            servers: cluster.nodes(),
            address: "127.0.0.1:".to_owned(),
            options: options.unwrap(),
        };
        let form = Form::new(format!("{}?verifyPeer={verify}", cluster.url()));
        place.is_reached_by(&form);
    }
}
