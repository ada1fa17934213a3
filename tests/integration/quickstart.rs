//! The example of the README, unchanged, against each kind of server by its URI.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::slice::from_ref;

use redis_manager_support::{SentinelTrio, TestCluster, TestServer, Validity};

use crate::fixture::eventually;
use crate::tls_fixture::{Certificates, HOSTS};
use crate::uri_form::clients;

const PASSWORD: &str = "p@ss%w/rd";
const ENCODED: &str = "p%40ss%25w%2Frd";

/// Of a certificate authority, a certificate and its key, for TLS: as variables name them.
fn option(name: &str) -> String {
    format!("REDIS_MANAGER_SERVERS_MAIN_OPTIONS_TLS_{name}")
}

/// Runs it with `url`, and with these variables.
fn run(url: &str, variables: &[(&str, &Path)]) -> Output {
    let mut quickstart = Command::new(env!("CARGO_BIN_EXE_quickstart"));
    quickstart.env("REDIS_URL", url).stdin(Stdio::null());
    quickstart.envs(variables.iter().copied());
    quickstart.output().expect("it runs")
}

/// Runs it and looks whether all came about as it says, and whether `servers` are left by all.
#[track_caller]
pub(crate) fn expect_success(servers: &[TestServer], url: &str, variables: &[(&str, &Path)]) {
    let Output {
        status,
        stdout,
        stderr,
    } = run(url, variables);
    let (said, told) = (
        String::from_utf8_lossy(&stdout),
        String::from_utf8_lossy(&stderr),
    );
    assert!(status.success(), "{url}: {status}\n{said}\n{told}");
    for line in [
        "SET and GET, blocking: alice has 100",
        "a transaction over watched keys: alice has 60, bob has 65",
        "and back, asynchronously: alice has 125, bob has 0",
        "  listener: hello\n",
        "  async listener: hello again\n",
        "BASIC asks for a sign of life: PONG",
        "a message to its channel now reaches 0 clients",
        "its listeners heard []",
        "\"economy\" is undisturbed: alice has 125",
    ] {
        assert!(said.contains(line), "{line}\n{said}\n{told}");
    }
    for secret in [PASSWORD, ENCODED] {
        assert!(!said.contains(secret) && !told.contains(secret), "{said}");
    }
    for server in servers {
        eventually("it left", || clients(server).is_empty());
    }
}

#[test]
fn the_quickstart_runs_on_a_server_with_or_without_a_login_in_any_database_and_protocol() {
    let server = TestServer::start();
    for query in ["", "/3", "/3?protocol=2&timeout=5s"] {
        expect_success(from_ref(&server), &format!("{}{query}", server.url()), &[]);
    }
    let server = TestServer::builder().password(PASSWORD).start_or_panic();
    expect_success(from_ref(&server), &server.url_with_password(), &[]);
    let password = format!(">{PASSWORD}");
    server.run(&[
        "ACL",
        "SETUSER",
        "scripts",
        "on",
        &password,
        "~{balance}:*",
        "~visits",
        "resetchannels",
        "&global",
        "+@all",
        "-@dangerous",
        "+client",
    ]);
    let url = format!("redis://scripts:{ENCODED}@localhost:{}", server.port());
    expect_success(from_ref(&server), &url, &[]);
}

#[test]
fn the_quickstart_runs_on_the_master_that_sentinels_name() {
    let trio = SentinelTrio::start();
    expect_success(trio.servers(), &trio.url(), &[]);
}

#[test]
fn the_quickstart_runs_on_a_cluster() {
    let cluster = TestCluster::builder().password(PASSWORD).start_or_panic();
    expect_success(cluster.nodes(), &cluster.url_with_password(), &[]);
}

#[cfg(unix)]
#[test]
fn the_quickstart_runs_over_a_unix_socket() {
    let server = TestServer::builder().password(PASSWORD).unix_socket();
    let server = server.start_or_panic();
    let path = server.socket_path().unwrap();
    let url = format!("redis-socket://:{ENCODED}@{}?db=1", path.display());
    expect_success(from_ref(&server), &url, &[]);
}

#[test]
fn the_quickstart_runs_over_tls_and_mutual_tls() {
    let certificates = Certificates::new(&HOSTS, Validity::Current);
    let file = |name| certificates.path(name);
    for wants_certificates in [false, true] {
        let mut tls = certificates.server();
        tls.wants_certificates = wants_certificates;
        let server = TestServer::builder().password(PASSWORD).tls(tls);
        let Some(server) = server.start_with_tls() else {
            return;
        };
        let port = server.tls_port().unwrap();
        let url = format!("rediss://:{ENCODED}@localhost:{port}");
        let trust_all = format!("{url}?verifyPeer=NONE");
        let (ca, certificate, key) = (option("CA"), option("CERTIFICATE"), option("KEY"));
        let own = [
            (certificate.as_str(), &*file("client.pem")),
            (key.as_str(), &*file("client.key")),
        ];
        let own = if wants_certificates { &own[..] } else { &[] };
        // As OpenSSL takes it, by an option, or not at all.
        for (url, trusted) in [
            (&url, Some(("SSL_CERT_FILE", &*file("ca.pem")))),
            (&url, Some((ca.as_str(), &*file("ca.pem")))),
            (&trust_all, None),
        ] {
            let variables: Vec<_> = own.iter().copied().chain(trusted).collect();
            expect_success(from_ref(&server), url, &variables);
        }
        let refused = run(&url, own);
        let told = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success(), "{told}");
        assert!(told.contains("authority"), "{told}");
    }
}

#[test]
fn the_quickstart_runs_over_tls_to_sentinels_and_to_a_cluster() {
    let certificates = Certificates::new(&HOSTS, Validity::Current);
    let (ca, file) = (option("CA"), certificates.path("ca.pem"));
    let trusting = [(ca.as_str(), &*file)];
    let trio = SentinelTrio::builder().tls(certificates.server());
    let Some(trio) = trio.start_with_tls() else {
        return;
    };
    expect_success(trio.servers(), &trio.url(), &trusting);
    let cluster = TestCluster::builder()
        .replicas(0)
        .tls(certificates.server());
    let cluster = cluster.start_with_tls().unwrap();
    expect_success(cluster.nodes(), &cluster.url(), &trusting);
}
