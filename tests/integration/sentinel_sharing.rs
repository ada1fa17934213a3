//! Clients that share a connection to the master that sentinels name.

use std::sync::mpsc::{Receiver, channel};

use redis_manager::Protocol;
use redis_manager::prelude::*;
use redis_manager_support::{ClientInfo, SentinelTrio, TestServer};

use crate::fixture::{Host, PATIENCE, PROTOCOLS, eventually};
use crate::reconnect::expect_lost;
use crate::sharing::{open_for_another, sharing};

/// A script of its own with its clients.
struct Sharer {
    script: ScriptHandle,
    client: RedisCommandClient,
    pubsub: RedisPubSubClient,
    told: Receiver<ListenerEvent>,
}

impl Sharer {
    fn open(host: &Host, url: &str, protocol: Protocol) -> Self {
        let (script, client) = open_for_another(host, url, sharing(protocol));
        let options = sharing(protocol).build().unwrap();
        let pubsub: RedisPubSubClient = host.manager.open_with(&script, url, options).unwrap();
        let (sender, told) = channel();
        let listener = pubsub.listener(&*host.name).with_gaps();
        listener
            .register(move |event: &ListenerEvent| Ok(sender.send(event.clone())?))
            .unwrap();
        Self {
            script,
            client,
            pubsub,
            told,
        }
    }
}

fn ours(host: &Host, server: &TestServer) -> Vec<ClientInfo> {
    let mut clients = server.clients().unwrap_or_default();
    clients.retain(|client| client.name == host.name);
    clients
}

#[test]
fn they_follow_together_and_one_that_is_unloaded_on_the_way_takes_no_other_along() {
    let trio = SentinelTrio::start();
    for protocol in PROTOCOLS {
        trio.wait_until_whole();
        let host = Host::new();
        let at_rest = host.manager.resources().alive_tasks();
        let url = trio
            .url()
            .replace('#', &format!("?clientName={}#", host.name));
        let mut all = Vec::from([(); 3].map(|()| Sharer::open(&host, &url, protocol)));
        let sockets = if protocol == Protocol::Resp2 { 3 } else { 2 };
        let old = trio.primary();
        assert_eq!(ours(&host, old).len(), sockets);
        let mut events: Vec<_> = all.iter().map(|one| one.client.events()).collect();
        trio.begin_failover();
        for events in &mut events {
            let cause = expect_lost(events);
            assert_eq!(cause.kind(), ErrorKind::Disconnected, "{cause}");
        }
        let first = all.remove(0);
        let report = host.manager.unload_script(&first.script);
        assert!(report.is_clean(), "{report}");
        for one in &all {
            eventually("calls succeed", || {
                one.client.commands().set::<_, _, ()>("k", "v").is_ok()
            });
        }
        eventually("both hear it", || {
            all[0]
                .pubsub
                .publish(&*host.name, "m")
                .is_ok_and(|count| count == 1)
        });
        for one in &all {
            let mut gaps = 0;
            loop {
                match one.told.recv_timeout(PATIENCE).unwrap() {
                    ListenerEvent::Gap(_) => gaps += 1,
                    ListenerEvent::Message(message) => break assert_eq!(message.payload(), b"m"),
                    other => panic!("{other:?}"),
                }
            }
            assert!(gaps > 0);
        }
        let new = trio.primary();
        assert_ne!(new.port(), old.port());
        // The sentinels end the connections of a server that they make a master.
        eventually("no more are made than there were", || {
            ours(&host, new).len() == sockets
        });
        for one in &all {
            assert!(host.manager.unload_script(&one.script).is_clean());
        }
        eventually("nobody is connected", || {
            trio.servers()
                .iter()
                .all(|server| ours(&host, server).is_empty())
        });
        eventually("nobody listens to a sentinel", || {
            let mut sentinels = trio.sentinels().iter();
            sentinels.all(|sentinel| sentinel.clients().unwrap_or_default().is_empty())
        });
        eventually("no task is left", || {
            host.manager.resources().alive_tasks() == at_rest
        });
    }
}
