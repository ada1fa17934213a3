//! TLS where there is none, and none where there is, at sentinels, in a cluster and behind a Unix socket: the error says by
//! which scheme of its own kind the URI would begin.

use redis_manager::prelude::*;
use redis_manager_support::{TestCluster, TestSentinel, Validity};

use crate::failed_openings::{assert_each_says, failed_openings};
use crate::sentinel::{StaleSentinel, url};
use crate::tls_fixture::{Certificates, HOSTS, Secure};

const TIMEOUT: Duration = Duration::from_millis(1500);

/// Opens clients of all types at `url`, trusting `certificates`; each fails in time and says all `parts`.
#[track_caller]
fn expect(url: &str, certificates: &Certificates, parts: &[&str]) {
    let options = ClientOptions::builder()
        .connect_timeout(TIMEOUT)
        .tls(certificates.trusting())
        .build()
        .unwrap();
    assert_each_says(&failed_openings(url, &options), parts);
}

fn at(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

#[test]
fn a_client_with_tls_at_plain_sentinels() {
    let Some(secure) = Secure::start() else {
        return;
    };
    let monitor = || TestSentinel::builder().monitor("main", secure.server.port(), 1);
    let [one, two] = [monitor(), monitor()].map(|it| it.start_or_panic(secure.server.binary()));
    let url = url(&[&one, &two], "#main").replace("redis-", "rediss-");
    let hint = "TLS, the URI begins with redis-sentinel://";
    let [first, second] = [at(one.port()), at(two.port())];
    expect(&url, &secure.certificates, &[hint, &first, &second]);
}

#[test]
fn a_plain_client_at_sentinels_with_tls() {
    let Some(secure) = Secure::start() else {
        return;
    };
    let sentinel = TestSentinel::builder().monitor("main", secure.server.tls_port().unwrap(), 1);
    let sentinel = sentinel.tls(secure.certificates.server());
    let sentinel = sentinel.start_or_panic(secure.server.binary());
    let address = at(sentinel.tls_port().unwrap());
    let url = format!("redis-sentinel://{address}#main");
    let hint = "does the port speak TLS? then the URI begins with rediss-sentinel://";
    expect(&url, &secure.certificates, &[hint, &address]);
}

#[test]
fn a_master_that_does_not_speak_as_its_sentinels_do() {
    let Some(secure) = Secure::start() else {
        return;
    };
    let [plain, tls] = [secure.server.port(), secure.server.tls_port().unwrap()];
    // One that monitors it would find it down.
    let sentinel = StaleSentinel::naming(tls);
    let url = format!("redis-sentinel://{}#main", at(sentinel.port()));
    let hint = "the URI begins with rediss-sentinel://, for the sentinels too";
    let master = format!("{} (master main)", at(tls));
    expect(&url, &secure.certificates, &[hint, &master]);
    let sentinel = TestSentinel::builder().monitor("main", plain, 1);
    let sentinel = sentinel.tls(secure.certificates.server());
    let sentinel = sentinel.start_or_panic(secure.server.binary());
    let address = at(sentinel.tls_port().unwrap());
    let url = format!("rediss-sentinel://{address}#main");
    let hint = "the URI begins with redis-sentinel://, for the sentinels too";
    expect(&url, &secure.certificates, &[hint]);
}

#[test]
fn a_client_with_tls_at_a_plain_cluster_and_a_plain_one_at_a_cluster_with_tls() {
    let certificates = Certificates::new(&HOSTS, Validity::Current);
    let plain = TestCluster::shared();
    let node = plain.masters()[0];
    let url = plain.url_of(node).replace("redis-", "rediss-");
    let hint = "TLS, the URI begins with redis-cluster://";
    expect(&url, &certificates, &[hint, &at(plain.port(node))]);
    let secure = TestCluster::builder().masters(1).replicas(0);
    let Some(secure) = secure.tls(certificates.server()).start_with_tls() else {
        return;
    };
    let node = secure.masters()[0];
    let url = secure.url_of(node).replace("rediss-", "redis-");
    let hint = "does the port speak TLS? then the URI begins with rediss-cluster://";
    expect(&url, &certificates, &[hint, &at(secure.port(node))]);
}

#[cfg(unix)]
#[test]
fn a_unix_socket_that_answers_with_an_alert() {
    use std::io::{Read, Write};
    let certificates = Certificates::new(&HOSTS, Validity::Current);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tls.sock");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            // A fatal alert of TLS 1.2: unexpected message.
            let _ = stream.write_all(&[0x15, 3, 3, 0, 2, 2, 10]);
        }
    });
    let url = format!("redis-socket://{}", path.display());
    expect(
        &url,
        &certificates,
        &["speaks TLS", "no URI of a Unix socket"],
    );
}
