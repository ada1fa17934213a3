//! Failovers where servers and sentinels let in only whom they know: over TLS, with passwords, as ACL users.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use redis_manager::ClientOptionsBuilder;
use redis_manager::prelude::*;
use redis_manager::redis::Value;
use redis_manager_support::{SentinelTrio, TestSentinel, TestServer, Validity};

use crate::fixture::{Host, PATIENCE, PROTOCOLS, eventually, unique};
use crate::reconnect::{open, options, verdict};
use crate::tls_fixture::{Certificates, HOSTS};

/// Of the servers' users, and of those of the sentinels.
const OF_SERVERS: &str = "of-servers";
const OF_SENTINELS: &str = "of-sentinels";

/// Clients of each kind with all that they can have under way, of one protocol.
struct Followers {
    client: RedisCommandClient,
    session: RedisSession,
    pubsub: RedisPubSubClient,
    told: Receiver<ListenerEvent>,
    /// Of its channel, and what its keys begin with.
    name: String,
}

impl Followers {
    fn open(host: &Host, url: &str, options: impl Fn() -> ClientOptionsBuilder) -> Self {
        let client: RedisCommandClient = open(host, url, options());
        let pubsub: RedisPubSubClient = open(host, url, options());
        let name = unique("shop:follower");
        let (sender, told) = channel();
        let listener = pubsub.listener(&*name).with_gaps();
        listener
            .register(move |event: &ListenerEvent| Ok(sender.send(event.clone())?))
            .unwrap();
        let mut session = client.session().unwrap();
        let () = session.set(&name, "before").unwrap();
        Self {
            client,
            session,
            pubsub,
            told,
            name,
        }
    }

    fn list(&self) -> String {
        format!("{}:list", self.name)
    }

    /// Everything goes on, on another primary.
    #[track_caller]
    fn expect_followed(&mut self, trio: &SentinelTrio) {
        // The first call may still go to the one that was killed.
        eventually("calls succeed", || {
            let commands = &mut self.client.commands();
            commands.set::<_, _, ()>(&self.name, "after").is_ok()
        });
        let primary = trio.primary();
        assert_eq!(primary.run(&["GET", &self.name]).text(), "after");
        let of_the_old = verdict(self.session.get::<_, String>(&self.name));
        assert_eq!(of_the_old.0, ErrorKind::Disconnected);
        self.session = self.client.session().unwrap();
        let value: String = self.session.get(&self.name).unwrap();
        assert_eq!(value, "after");
        thread::scope(|scope| {
            let (mut commands, list) = (self.client.commands(), self.list());
            let popping = scope.spawn(move || commands.blpop(list, 0.0));
            eventually("it waits there", || blocked(primary) == 1);
            let () = self.client.commands().rpush(self.list(), "late").unwrap();
            let popped: (String, String) = popping.join().unwrap().unwrap();
            assert_eq!(popped, (self.list(), "late".to_owned()));
        });
        match self.told.recv_timeout(PATIENCE).unwrap() {
            ListenerEvent::Gap(gap) => assert!(gap.since <= gap.until),
            other => panic!("{other:?}"),
        }
        // The sentinels end the connections of a server that they make a master, so there may be another gap.
        eventually("it is heard", || {
            let published = self.pubsub.publish(&*self.name, "after");
            published.is_ok_and(|count| count == 1)
        });
        let is_message = |event: ListenerEvent| match event {
            ListenerEvent::Message(message) => Some(message),
            ListenerEvent::Gap(_) => None,
            other => panic!("{other:?}"),
        };
        let mut events = std::iter::from_fn(|| self.told.recv_timeout(PATIENCE).ok());
        assert_eq!(events.find_map(is_message).unwrap().payload(), b"after");
    }
}

/// How many calls wait in BLPOP.
fn blocked(server: &TestServer) -> usize {
    let clients = server.clients().unwrap().into_iter();
    clients.filter(|client| client.cmd == "blpop").count()
}

/// Kills the primary, and looks whether everything follows; and whether nothing is left in the end.
#[track_caller]
fn expect_all_follow(
    trio: &SentinelTrio,
    credentials: &str,
    options: impl Fn(Protocol) -> ClientOptionsBuilder,
) {
    let host = Host::new();
    let url = trio.url().replace("://", &format!("://{credentials}"));
    let url = url.replace('#', &format!("?clientName={}#", host.name));
    let mut all = PROTOCOLS.map(|protocol| Followers::open(&host, &url, || options(protocol)));
    let old = trio.primary();
    thread::scope(|scope| {
        let popping = all.each_ref().map(|one| {
            let (mut commands, list) = (one.client.commands(), one.list());
            scope.spawn(move || commands.blpop::<_, Value>(list, 0.0))
        });
        eventually("both wait in BLPOP", || blocked(old) == popping.len());
        old.kill().unwrap();
        for popping in popping {
            let lost = (ErrorKind::Disconnected, Some(Delivery::Unknown));
            assert_eq!(verdict(popping.join().unwrap()), lost);
        }
    });
    for one in &mut all {
        one.expect_followed(trio);
    }
    let primary = trio.primary();
    assert_ne!(primary.port(), old.port());
    let ours = || {
        let clients = primary.clients().unwrap().into_iter();
        clients.filter(|client| client.name == host.name)
    };
    let port = format!(":{}", trio.port(primary));
    for client in ours() {
        let at = client.field("laddr").unwrap_or_default();
        assert!(at.ends_with(&port), "{}", client.raw);
    }
    drop(all);
    assert!(host.manager.unload_script(&host.script).is_clean());
    eventually("nobody is connected", || ours().count() == 0);
    eventually("nobody listens to a sentinel", || {
        let clients = |sentinel: &TestSentinel| sentinel.clients().unwrap_or_default();
        trio.sentinels()
            .iter()
            .all(|sentinel| clients(sentinel).is_empty())
    });
}

/// The sentinels' login, which the clients have beside that of the servers.
fn watching(protocol: Protocol, username: Option<&str>) -> ClientOptionsBuilder {
    let login = Credentials::new(OF_SENTINELS);
    let login = match username {
        Some(username) => login.with_username(username),
        None => login,
    };
    options(protocol).sentinel_credentials(Arc::new(login))
}

#[test]
fn over_tls_everything_follows_when_the_primary_is_killed() {
    let certificates = Certificates::new(&HOSTS, Validity::Current);
    let trio = SentinelTrio::builder().tls(certificates.server());
    let Some(trio) = trio.start_with_tls() else {
        return;
    };
    expect_all_follow(&trio, "", |protocol| {
        options(protocol).tls(certificates.trusting())
    });
}

#[test]
fn with_other_passwords_of_sentinels_than_of_servers_everything_follows_although_a_sentinel_is_down()
 {
    let trio = SentinelTrio::builder()
        .password(OF_SERVERS)
        .sentinel(|sentinel| sentinel.password(OF_SENTINELS))
        .start_or_panic();
    trio.sentinels()[0].kill().unwrap();
    let credentials = format!(":{OF_SERVERS}@");
    expect_all_follow(&trio, &credentials, |protocol| watching(protocol, None));
}

/// With the rights of `docs/deployment.md`, and no others.
#[test]
fn as_acl_users_everything_follows_over_tls_and_without() {
    let user = |line: &str| {
        let line = format!("--user {line}");
        line.split(' ').map(str::to_owned).collect::<Vec<_>>()
    };
    // Before 7.0 rights to subcommands are written otherwise.
    if !TestServer::shared().is_tried_with("CLIENT|NO-EVICT") {
        return;
    }
    let trio = SentinelTrio::builder()
        .password("of-the-tests-alone")
        .args(user(
            "sentinel on >of-servers &* +multi +slaveof +ping +exec +subscribe +config|rewrite +role +publish +info \
             +client|setname +client|kill +script|kill",
        ))
        .args(user(
            "scripts on >secret ~shop:* resetchannels &shop:* +@all -@dangerous +role",
        ))
        .args(user("replica on >of-replicas +psync +replconf +ping"))
        .args(["--masteruser", "replica", "--masterauth", "of-replicas"])
        .sentinel(|sentinel| {
            sentinel
                .line("sentinel auth-user main sentinel")
                .line(format!("sentinel auth-pass main {OF_SERVERS}"))
                .line("user default off")
                .line(format!(
                    "user watcher on >{OF_SENTINELS} resetchannels &+switch-master &+promoted-slave +auth +subscribe \
                     +ping +sentinel|get-master-addr-by-name"
                ))
                .line("user peer on >of-peers ~* &* +@all")
                .line("sentinel sentinel-user peer")
                .line("sentinel sentinel-pass of-peers")
                .line("user redis-manager-support on >admin ~* &* +@all")
                .admin("redis-manager-support", "admin")
        });
    let watching = |protocol| watching(protocol, Some("watcher"));
    expect_all_follow(&trio.clone().start_or_panic(), "scripts:secret@", watching);
    let certificates = Certificates::new(&HOSTS, Validity::Current);
    let Some(trio) = trio.tls(certificates.server()).start_with_tls() else {
        return;
    };
    expect_all_follow(&trio, "scripts:secret@", |protocol| {
        watching(protocol).tls(certificates.trusting())
    });
}
