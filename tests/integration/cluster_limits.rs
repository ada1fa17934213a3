//! What a script is limited to, where one call is several commands.

use redis_manager::prelude::*;
use redis_manager::redis::{cmd, pipe};
use redis_manager::{LimitName, Protocol};
use redis_manager_support::TestCluster;

use crate::cluster_fixture::{expect_unloaded, key_of, key_of_each, open_in};
use crate::fixture::Host;
use crate::limits::{assert_limited, limited};
use crate::reconnect::options;

fn open_limited(limits: ScriptLimits) -> (Host, RedisCommandClient) {
    let host = limited(limits);
    let client = open_in(&host, TestCluster::shared(), options(Protocol::Auto));
    (host, client)
}

#[test]
fn what_is_split_counts_as_its_parts_and_is_refused_as_a_whole() {
    let cluster = TestCluster::shared();
    let (host, client) = open_limited(ScriptLimits::none().with_commands_in_flight(2));
    let (mut commands, keys) = (client.commands(), key_of_each(cluster));
    let pairs: Vec<_> = keys.iter().map(|key| (key, 1)).collect();
    let in_flight = LimitName::CommandsInFlight;
    assert_limited(commands.mset::<_, _, ()>(&pairs), in_flight, 2);
    assert_limited(cmd("DBSIZE").query::<i64>(&mut commands), in_flight, 2);
    let mut all = pipe();
    keys.iter().for_each(|key| {
        all.set(key, 1);
    });
    assert_limited(all.exec(&mut commands), in_flight, 2);
    for (key, node) in keys.iter().zip(cluster.masters()) {
        assert_eq!(node.run(&["EXISTS", key]).as_int(), Some(0));
    }
    let () = commands.mset(&pairs[..2]).unwrap();
    // Of one slot it is one.
    let tagged: Vec<_> = (0..10)
        .map(|index| (format!("{{{}}}{index}", keys[2]), 1))
        .collect();
    let () = commands.mset(&tagged).unwrap();
    assert_eq!(host.script.used(in_flight), Some(0));
    expect_unloaded(&host, cluster);
}

#[test]
fn bytes_that_wait_are_limited_over_all_nodes() {
    let cluster = TestCluster::shared();
    let (host, client) = open_limited(ScriptLimits::none().with_bytes_queued(1_000));
    let mut commands = client.commands();
    let [one, other] = [0, 1].map(|index| key_of(cluster, cluster.masters()[index]));
    let (small, large) = ("x".repeat(10), "x".repeat(2_000));
    let refused = commands.mset::<_, _, ()>(&[(&one, &large), (&other, &large)]);
    assert_limited(refused, LimitName::BytesQueued, 1_000);
    let error = commands.mset::<_, _, ()>(&[(&one, &small), (&other, &large)]);
    let error = Error::from(error.unwrap_err());
    assert_eq!(error.kind(), ErrorKind::LimitExceeded, "{error}");
    // The other part was run, or that is not known.
    assert_eq!(error.delivery(), Some(Delivery::Unknown), "{error}");
    let _: String = commands.get(&one).unwrap();
    assert!(!commands.exists::<_, bool>(&other).unwrap());
    assert_eq!(host.script.used(LimitName::BytesQueued), Some(0));
    expect_unloaded(&host, cluster);
}

#[test]
fn sessions_and_blocking_calls_are_limited_over_all_nodes() {
    let cluster = TestCluster::shared();
    let limits = ScriptLimits::none().with_sessions(2).with_blocking_calls(0);
    let (host, client) = open_limited(limits);
    let keys = key_of_each(cluster);
    let mut out = Vec::new();
    for key in &keys[..2] {
        let mut session = client.session().unwrap();
        let () = session.set(key, 1).unwrap();
        out.push(session);
    }
    assert_limited(client.session(), LimitName::Sessions, 2);
    drop(out.pop());
    let () = client.session().unwrap().set(&keys[2], 1).unwrap();
    let popped = client.commands().blpop::<_, ()>(&keys[0], 1.0);
    assert_limited(popped, LimitName::BlockingCalls, 0);
    drop(out);
    expect_unloaded(&host, cluster);
}
