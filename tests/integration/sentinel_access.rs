//! Who may ask sentinels and servers, and by which way.

use std::fs;

use redis_manager::prelude::*;
use redis_manager::{ManagerConfig, Protocol};
use redis_manager_support::{TestSentinel, TestServer};

use crate::fixture::{Host, PROTOCOLS, eventually};
use crate::mistakes::{PASSWORD, everything};
use crate::reconnect::{open, options};
use crate::sentinel::{StaleSentinel, knowing, url};
use crate::tls_fixture::Secure;

#[test]
fn sentinels_and_servers_with_tls() {
    let (Some(secure), host) = (Secure::start(), Host::new()) else {
        return;
    };
    let sentinel = TestSentinel::builder().monitor("main", secure.server.tls_port().unwrap(), 1);
    let sentinel = sentinel.tls(secure.certificates.server());
    let sentinel = sentinel.start_or_panic(secure.server.binary());
    let tls = sentinel.tls_port().unwrap();
    let url = format!("rediss-sentinel://localhost:{tls}/1?verifyPeer=CA#main");
    for protocol in PROTOCOLS {
        let options = || options(protocol).tls(secure.certificates.trusting());
        let client: RedisCommandClient = open(&host, &url, options());
        let () = client.commands().set("k", protocol as i64).unwrap();
        let () = client.session().unwrap().set("l", 1).unwrap();
        let pubsub: RedisPubSubClient = open(&host, &url, options());
        let (listener, heard) = crate::listening::hearing();
        let channel = crate::fixture::unique("channel");
        pubsub.register_listener(&*channel, listener).unwrap();
        assert_eq!(pubsub.publish(&*channel, "m").unwrap(), 1);
        assert_eq!(crate::listening::next_text(&heard), "m");
        let basic: RedisBasicClient = open(&host, &url, options());
        assert_eq!(basic.ping().unwrap(), "PONG");
    }
    // Whom nobody trusts is asked nothing.
    let opened = host.manager.open::<RedisCommandClient>(&host.script, &url);
    let error = opened.unwrap_err();
    let address = format!("localhost:{tls}");
    assert!(error.message().contains(&address), "{error}");
    assert!(error.message().contains("certificate"), "{error}");
    // Nor whom one speaks to in plain text.
    let plain = url.replace("rediss", "redis").replace("?verifyPeer=CA", "");
    let opened = host
        .manager
        .open::<RedisCommandClient>(&host.script, &plain);
    let error = opened.unwrap_err();
    assert!(error.message().contains("rediss-sentinel://"), "{error}");
}

#[test]
fn a_user_who_may_not_ask_for_the_role_is_told_it_by_info() {
    let (server, host) = (TestServer::start(), Host::new());
    let sentinel = knowing(&server);
    let rights = ["ACL", "SETUSER", "app", "on", "~*", "&*", "+@all", "-role"];
    server.run(&[&rights[..], &[&format!(">{PASSWORD}")]].concat());
    let url = url(&[&sentinel], "#main").replace("://", &format!("://app:{PASSWORD}@"));
    for protocol in PROTOCOLS {
        let client: RedisCommandClient = open(&host, &url, options(protocol));
        let () = client.commands().set("k", "v").unwrap();
    }
    // One who may not ask at all cannot know whether it is a master.
    server.run(&["ACL", "SETUSER", "app", "-info"]);
    let opened = host.manager.open::<RedisCommandClient>(&host.script, &url);
    let error = opened.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Server);
    assert!(error.message().contains("'role'"), "{error}");
    assert!(!everything(&error).contains(PASSWORD), "{error:?}");
    // By INFO a replica is known too.
    let replica = TestServer::builder();
    let replica = replica.args(["--replicaof", "127.0.0.1", &server.port().to_string()]);
    let replica = replica.start_or_panic();
    replica.run(&[&rights[..], &[&format!(">{PASSWORD}")]].concat());
    let stale = StaleSentinel::naming(replica.port());
    let port = stale.port();
    let url = format!("redis-sentinel://app:{PASSWORD}@127.0.0.1:{port}#main");
    let opened = host.manager.open::<RedisCommandClient>(&host.script, &url);
    let error = opened.unwrap_err();
    assert!(error.message().contains("it is a replica"), "{error}");
}

#[test]
fn by_name_with_passwords_of_files_for_servers_and_sentinels() {
    let server = TestServer::builder().password(PASSWORD).start_or_panic();
    let sentinel = TestSentinel::builder().monitor("main", server.port(), 1);
    // Sentinels before 7.0 take no subcommand there.
    let asking = match server.has_command("CLIENT|NO-EVICT") {
        true => "+sentinel|get-master-addr-by-name",
        false => "+sentinel",
    };
    let rights =
        format!("resetchannels {asking} +auth +subscribe +ping &+switch-master &+promoted-slave");
    let sentinel = sentinel
        .line(format!("sentinel auth-pass main {PASSWORD}"))
        .line("user default off")
        .line(format!("user watcher on >of-sentinels {rights}"))
        .line("user redis-manager-support on >admin ~* &* +@all")
        .admin("redis-manager-support", "admin");
    let sentinel = sentinel.start_or_panic(server.binary());
    let folder = tempfile::tempdir().unwrap();
    let [of_server, of_sentinels] = ["server", "sentinels"].map(|name| folder.path().join(name));
    fs::write(&of_server, PASSWORD).unwrap();
    fs::write(&of_sentinels, "of-sentinels\n").unwrap();
    let config: ManagerConfig = toml::from_str(&format!(
        "[servers.main]
         uri = '{}'
         password_file = '{}'
         sentinel = {{ username = 'watcher', password_file = '{}' }}",
        url(&[&sentinel], "#main"),
        of_server.display(),
        of_sentinels.display(),
    ))
    .unwrap();
    let manager = RedisManager::from_config(config).unwrap();
    let script = manager.load_script("economy").unwrap();
    for kind in [ClientType::Command, ClientType::PubSub, ClientType::Basic] {
        let client = manager
            .open_redis_client(&script, kind, named("main"))
            .unwrap();
        if let AnyClient::Basic(basic) = client {
            assert_eq!(basic.ping().unwrap(), "PONG");
        }
    }
    eventually("one listens for all", || {
        let clients = sentinel.clients().unwrap();
        clients.len() == 1 && clients[0].user == "watcher"
    });
    // It is read each time.
    fs::write(&of_sentinels, "wrong").unwrap();
    let opened = manager.open::<RedisCommandClient>(&script, named("main"));
    let error = opened.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Authentication, "{error}");
    let address = format!("127.0.0.1:{}", sentinel.port());
    assert!(error.message().contains(&address), "{error}");
    assert!(!everything(&error).contains(PASSWORD), "{error:?}");
}

#[test]
fn clients_with_one_login_for_the_sentinels_share_the_one_that_listens() {
    let server = TestServer::start();
    let sentinel = TestSentinel::builder().monitor("main", server.port(), 1);
    let sentinel = sentinel.password("another").start_or_panic(server.binary());
    let host = Host::new();
    let login = std::sync::Arc::new(Credentials::new("another"));
    let options = || options(Protocol::Auto).sentinel_credentials(login.clone());
    let url = url(&[&sentinel], "#main");
    let clients: [RedisCommandClient; 3] = [(); 3].map(|()| open(&host, &url, options()));
    for client in &clients {
        let () = client.commands().set("k", "v").unwrap();
    }
    eventually("one listens for all", || {
        sentinel.clients().unwrap().len() == 1
    });
}

#[test]
fn clients_with_other_times_ask_and_listen_by_their_own() {
    let (server, host) = (TestServer::start(), Host::new());
    let sentinel = knowing(&server);
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let alone = url(&[&sentinel], "#main");
    let open_with = |options| -> RedisCommandClient { open(&host, &alone, options) };
    let usual = || options(Protocol::Auto);
    for (index, options) in [
        usual(),
        usual().heartbeat(None),
        usual().reconnect_delay(Duration::from_secs(30)),
        usual().connect_timeout(Duration::from_secs(3)),
    ]
    .into_iter()
    .enumerate()
    {
        for options in [options.clone(), options] {
            let () = open_with(options).commands().set("k", "v").unwrap();
            eventually("one listens for all with these times", || {
                sentinel.clients().unwrap().len() == index + 1
            });
        }
    }
    let url = format!("redis-sentinel://{}#main", silent.local_addr().unwrap());
    let _patient: RedisCommandClient = open(&host, &url, usual().lazy_connect(true));
    let hasty = usual().connect_timeout(Duration::from_millis(300));
    let opened =
        host.manager
            .open_with::<RedisCommandClient>(&host.script, &url, hasty.build().unwrap());
    let error = opened.unwrap_err();
    assert!(error.message().contains("of 300ms"), "{error}");
}
