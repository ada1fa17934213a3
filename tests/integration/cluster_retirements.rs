//! Nodes that a client leaves because others have their slots: what was under way there is told why, and nobody hears of a loss
//! that is none.

use redis_manager::EventStream;
use redis_manager::prelude::*;
use redis_manager_support::TestCluster;

use crate::cluster_fixture::{expect_unloaded, key_of, open_in, sockets};
use crate::fixture::{Host, PATIENCE, PROTOCOLS, eventually};
use crate::reconnect::{expect_connected, expect_lost, options};

/// Makes sure that nothing has happened to the client since.
#[track_caller]
fn expect_no_event(client: &RedisCommandClient, events: &mut EventStream) {
    let event = events.try_recv();
    assert!(event.is_none(), "{event:?}");
    assert_eq!(client.state(), ClientState::Connected);
}

#[test]
fn a_call_that_a_silent_master_has_not_answered_is_told_that_it_is_none_any_more() {
    for protocol in PROTOCOLS {
        let (cluster, host) = (TestCluster::start(), Host::new());
        let patient = options(protocol).command_timeout(PATIENCE);
        let client: RedisCommandClient = open_in(&host, &cluster, patient);
        let mut commands = client.commands();
        let master = cluster.owner(0);
        let key = key_of(&cluster, master);
        let () = commands.set(&key, 1).unwrap();
        let mut events = client.events();
        master.pause().unwrap();
        let error = Error::from(commands.incr::<_, _, i64>(&key, 1).unwrap_err());
        let lost = (ErrorKind::Disconnected, Some(Delivery::Unknown));
        assert_eq!((error.kind(), error.delivery()), lost, "{error}");
        let address = format!("127.0.0.1:{}", master.port());
        let reason = format!(
            "the connection to {address} was lost: {address} is no master of the cluster any more"
        );
        assert!(error.message().contains(&reason), "{error}");
        let () = commands.set(&key, 5).unwrap();
        expect_no_event(&client, &mut events);
        master.resume().unwrap();
        cluster.wait_until_whole();
        expect_unloaded(&host, &cluster);
    }
}

#[test]
fn a_master_that_hands_over_is_left_without_an_event_and_one_that_dies_is_not() {
    for protocol in PROTOCOLS {
        let (cluster, host) = (TestCluster::start(), Host::new());
        let client: RedisCommandClient = open_in(&host, &cluster, options(protocol));
        let mut commands = client.commands();
        let master = cluster.owner(0);
        let key = key_of(&cluster, master);
        let () = commands.set(&key, 1).unwrap();
        let mut events = client.events();
        let replica = cluster.replicas_of(master)[0];
        cluster.failover(replica);
        eventually("the one before is left", || {
            let () = commands.set(&key, 2).unwrap();
            let clients = master.clients().unwrap();
            clients.iter().all(|socket| socket.name != host.name)
        });
        expect_no_event(&client, &mut events);
        replica.kill().unwrap();
        let cause = expect_lost(&mut events);
        let address = format!("127.0.0.1:{}", replica.port());
        assert!(cause.message().contains(&address), "{cause}");
        eventually("it is answered elsewhere", || {
            commands.set::<_, _, ()>(&key, 3).is_ok()
        });
        // Nobody waits for the one that died.
        expect_connected(&mut events);
        assert!(!sockets(&host, &cluster).is_empty());
        replica.restart().unwrap();
        cluster.wait_until_whole();
        expect_unloaded(&host, &cluster);
    }
}
