//! Scripts that are unloaded while sentinels or a cluster are asked, or have nobody who serves: nothing is left of them.

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Instant;

use redis_manager::Protocol;
use redis_manager::prelude::*;
use redis_manager_support::{SentinelTrio, TestCluster};

use crate::cluster_fixture::{key_of_each, open_in, sockets};
use crate::fixture::{Host, PATIENCE, PROTOCOLS, eventually, unique};
use crate::reconnect::{NOT_SENT, open, options, verdict};
use crate::sentinel::StaleSentinel;

const A_LITTLE: Duration = Duration::from_millis(200);

fn silent() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// Waits until whoever is connected hangs up.
#[track_caller]
fn expect_hung_up(mut accepted: TcpStream) {
    accepted.set_read_timeout(Some(PATIENCE)).unwrap();
    while accepted.read(&mut [0; 1024]).expect("it hangs up") > 0 {}
}

#[test]
fn an_opening_that_waits_for_who_is_silent_ends_at_once() {
    let (sentinel, of_sentinel) = silent();
    let (node, of_node) = silent();
    let (master, of_master) = silent();
    let stale = StaleSentinel::naming(of_master);
    for (listener, url) in [
        (
            &sentinel,
            format!("redis-sentinel://127.0.0.1:{of_sentinel}#main"),
        ),
        (
            &master,
            format!("redis-sentinel://127.0.0.1:{}#main", stale.port()),
        ),
        (&node, format!("redis-cluster://127.0.0.1:{of_node}")),
    ] {
        for kind in [ClientType::Command, ClientType::PubSub] {
            for shared in [false, true] {
                let host = Host::new();
                let at_rest = host.manager.resources().alive_tasks();
                let options = options(Protocol::Auto).connect_timeout(Duration::from_secs(3_600));
                let options = options.shared(shared).build().unwrap();
                thread::scope(|scope| {
                    let opening = scope.spawn(|| {
                        let (manager, script) = (&host.manager, &host.script);
                        manager.open_redis_client_with(script, kind, &url, options)
                    });
                    let (accepted, _) = listener.accept().unwrap();
                    let began = Instant::now();
                    assert!(host.manager.unload_script(&host.script).is_clean());
                    let error = opening.join().unwrap().unwrap_err();
                    assert_eq!(error.kind(), ErrorKind::ScriptUnloaded, "{url}: {error}");
                    assert!(began.elapsed() < PATIENCE / 4, "{url}");
                    expect_hung_up(accepted);
                });
                eventually("no task is left", || {
                    host.manager.resources().alive_tasks() == at_rest
                });
            }
        }
    }
}

#[test]
fn while_sentinels_have_no_other_master_nothing_is_left_of_a_script() {
    let trio = SentinelTrio::start();
    let clients: Vec<_> = PROTOCOLS
        .into_iter()
        .flat_map(|protocol| [(protocol, false), (protocol, true)])
        .map(|(protocol, shared)| {
            let host = Host::new();
            let url = trio
                .url()
                .replace('#', &format!("?clientName={}#", host.name));
            let options = || options(protocol).shared(shared).shutdown_timeout(A_LITTLE);
            let client: RedisCommandClient = open(&host, &url, options());
            let pubsub: RedisPubSubClient = open(&host, &url, options());
            let listening = pubsub.register_listener(unique("c"), |_: &Message| Ok(()));
            listening.unwrap();
            (host, client, pubsub)
        })
        .collect();
    let (_, others) = trio.sentinels().split_first().unwrap();
    for sentinel in others {
        // One alone makes no other server the master.
        sentinel.kill().unwrap();
    }
    let master = trio.primary();
    master.kill().unwrap();
    for (host, client, _pubsub) in &clients {
        eventually("it has noticed", || client.state().is_disconnected());
        thread::scope(|scope| {
            let call = scope.spawn(|| client.commands().set::<_, _, ()>("k", host.name.as_str()));
            let session = scope.spawn(|| client.session().map(drop));
            eventually("both wait", || client.snapshot().in_flight >= 2);
            let report = host.manager.unload_script(&host.script);
            assert!(!report.is_clean(), "{report}");
            let call = call.join().unwrap().map_err(Error::from);
            for outcome in [call, session.join().unwrap()] {
                assert_eq!(verdict(outcome), (ErrorKind::Closed, NOT_SENT));
            }
        });
        eventually("no task is left", || {
            host.manager.resources().alive_tasks() == 0
        });
    }
    master.restart().unwrap();
    for (host, ..) in &clients {
        let seen = master.clients().unwrap();
        assert!(seen.iter().all(|client| client.name != host.name));
    }
    assert_eq!(master.run(&["EXISTS", "k"]).as_int(), Some(0));
    eventually("nobody listens to a sentinel", || {
        trio.sentinels()[0].clients().unwrap().is_empty()
    });
}

#[test]
fn while_a_cluster_has_no_master_for_a_slot_nothing_is_left_of_a_script() {
    let cluster = TestCluster::builder().replicas(0).start_or_panic();
    let keys = key_of_each(&cluster);
    let dead = cluster.owner_of(&keys[0]);
    let clients: Vec<_> = PROTOCOLS
        .into_iter()
        .flat_map(|protocol| [(protocol, false), (protocol, true)])
        .map(|(protocol, shared)| {
            let host = Host::new();
            let client: RedisCommandClient =
                open_in(&host, &cluster, options(protocol).shared(shared));
            for key in &keys {
                let () = client.commands().set(key, 1).unwrap();
            }
            (host, client)
        })
        .collect();
    dead.kill().unwrap();
    cluster.wait_until_down();
    for (host, client) in &clients {
        thread::scope(|scope| {
            let calls: Vec<_> = keys
                .iter()
                .map(|key| scope.spawn(move || client.commands().incr::<_, _, i64>(key, 1)))
                .collect();
            let session = scope.spawn(|| {
                let mut session = client.session()?;
                Ok(session.incr::<_, _, i64>(&keys[1], 1)?)
            });
            eventually("all wait", || client.snapshot().in_flight >= calls.len());
            let began = Instant::now();
            let _cut_off = host.manager.unload_script(&host.script);
            for call in calls {
                let _ = call.join().unwrap().unwrap_err();
            }
            let _: Error = session.join().unwrap().unwrap_err();
            assert!(began.elapsed() < PATIENCE / 2);
        });
        eventually("no node has a socket", || {
            sockets(host, &cluster).is_empty()
        });
        eventually("no task is left", || {
            host.manager.resources().alive_tasks() == 0
        });
    }
}
