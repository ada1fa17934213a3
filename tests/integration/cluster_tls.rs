//! A cluster over TLS whose master is killed.

use std::thread;

use redis_manager::prelude::*;
use redis_manager::redis::Value;
use redis_manager_support::{TestCluster, Validity};

use crate::cluster_fixture::{expect_unloaded, key_of, open_in, sockets};
use crate::cluster_listening::{Account, listened_at_one};
use crate::fixture::{Host, PROTOCOLS, eventually, unique};
use crate::reconnect::{options, verdict};
use crate::tls_fixture::Certificates;

#[test]
fn over_tls_calls_sessions_and_subscriptions_come_back_when_their_master_is_killed() {
    let certificates = Certificates::new(&["127.0.0.1"], Validity::Current);
    let cluster = TestCluster::builder().tls(certificates.server());
    let Some(cluster) = cluster.start_with_tls() else {
        return;
    };
    let has_shards = cluster.any().is_tried_with("SSUBSCRIBE");
    for protocol in PROTOCOLS {
        let host = Host::new();
        let options = || options(protocol).tls(certificates.trusting());
        let client: RedisCommandClient = open_in(&host, &cluster, options());
        let pubsub: RedisPubSubClient = open_in(&host, &cluster, options());
        // One node may hear later than another what was published before.
        let plain = Channel::new(unique("news"));
        let mut accounts = vec![Account::open(&pubsub, &plain)];
        // All of it is at one node.
        let master = listened_at_one(&cluster, &plain);
        let key = key_of(&cluster, master);
        let list = format!("{{{key}}}list");
        if has_shards {
            accounts.push(Account::open(&pubsub, &Channel::shard(&key)));
        }
        for account in &mut accounts {
            account.expect_heard(&cluster);
        }
        let mut session = client.session().unwrap();
        let () = session.set(&key, 0).unwrap();
        thread::scope(|scope| {
            let popping = scope.spawn(|| client.commands().blpop::<_, Value>(&list, 0.0));
            eventually("it waits in BLPOP", || {
                let mut sockets = sockets(&host, &cluster).into_iter();
                sockets.any(|socket| socket.cmd == "blpop")
            });
            master.kill().unwrap();
            let lost = (ErrorKind::Disconnected, Some(Delivery::Unknown));
            assert_eq!(verdict(popping.join().unwrap()), lost);
        });
        for account in &mut accounts {
            account.expect_heard(&cluster);
            assert_eq!(account.gaps(), 1, "{}", account.channel());
        }
        // The first may have been on its way when the master died.
        eventually("it is written", || {
            client.commands().set::<_, _, ()>(&key, 1).is_ok()
        });
        assert_eq!(client.commands().incr::<_, _, i64>(&key, 1).unwrap(), 2);
        eventually("the session is served anew", || {
            session.get::<_, i64>(&key).is_ok_and(|value| value == 2)
        });
        let () = client.commands().rpush(&list, "late").unwrap();
        let popped: (String, String) = client.commands().blpop(&list, 0.0).unwrap();
        assert_eq!(popped.1, "late");
        master.restart().unwrap();
        cluster.wait_until_whole();
        for account in &mut accounts {
            account.expect_heard(&cluster);
            assert_eq!(account.gaps(), 1, "{}", account.channel());
        }
        let ports = cluster.nodes().iter().map(|node| cluster.port(node));
        let ports: Vec<_> = ports.map(|port| format!(":{port}")).collect();
        for socket in sockets(&host, &cluster) {
            let at = socket.field("laddr").unwrap_or_default();
            let is_tls = ports.iter().any(|port| at.ends_with(port));
            assert!(is_tls, "{}", socket.raw);
        }
        drop(session);
        expect_unloaded(&host, &cluster);
    }
}
