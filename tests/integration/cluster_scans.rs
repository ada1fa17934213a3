//! SCAN over all masters of a cluster, at rest and while slots move.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;

use futures_util::StreamExt;
use redis_manager::prelude::*;
use redis_manager::redis::{RedisError, RedisResult, cmd};
use redis_manager_support::{TestCluster, TestServer};

use crate::cluster_fixture::{expect_unloaded, key_of, open_in};
use crate::fixture::{Host, PROTOCOLS, eventually};
use crate::reconnect::options;
use crate::scripts_and_scans::{expect_iterations, expect_iterations_async};

/// How many keys stay, and how many move.
const STAYING: usize = 600;
const MOVING: usize = 60;

#[test]
fn the_iterators_of_both_worlds_go_over_all_masters() {
    let cluster = TestCluster::shared();
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client: RedisCommandClient = open_in(&host, cluster, options(protocol));
        expect_iterations(&client);
        pollster::block_on(expect_iterations_async(&client));
        expect_unloaded(&host, cluster);
    }
}

/// Two masters, one of which has a slot that moves between them.
struct Moving<'a> {
    cluster: &'a TestCluster,
    ends: [&'a TestServer; 2],
    slot: u16,
    /// One that moves.
    key: String,
    staying: BTreeSet<String>,
    all: BTreeSet<String>,
}

impl<'a> Moving<'a> {
    /// Writes the keys.
    fn in_cluster(cluster: &'a TestCluster) -> Self {
        let masters = cluster.masters();
        let key = key_of(cluster, masters[0]);
        let slot = cluster.slot(&key);
        let staying = (0..).map(|index| format!("stays {index}"));
        let staying = staying.filter(|key| cluster.slot(key) != slot);
        let staying: BTreeSet<_> = staying.take(STAYING).collect();
        let mut all: BTreeSet<_> = (0..MOVING)
            .map(|index| format!("{{{key}}}{index}"))
            .collect();
        all.extend(staying.iter().cloned());
        for key in &all {
            cluster.owner_of(key).run(&["SET", key, "1"]);
        }
        Self {
            cluster,
            ends: [masters[0], masters[1]],
            slot,
            key: format!("{{{key}}}0"),
            staying,
            all,
        }
    }

    /// Moves the slot there and back.
    fn go(&self) {
        let [from, to] = self.ends;
        self.cluster.migrate(self.slot, to);
        self.cluster.migrate(self.slot, from);
    }

    /// An iteration came to its end, or was told to begin again. Returns whether it did come to its end.
    #[track_caller]
    fn expect_outcome(&self, outcome: RedisResult<BTreeSet<String>>) -> bool {
        match outcome {
            Ok(found) => {
                let missed: Vec<_> = self.staying.difference(&found).collect();
                assert!(missed.is_empty(), "{missed:?}");
                let unknown: Vec<_> = found.difference(&self.all).collect();
                assert!(unknown.is_empty(), "{unknown:?}");
                true
            }
            Err(error) => {
                expect_refused(error);
                false
            }
        }
    }
}

#[track_caller]
fn expect_refused(error: RedisError) {
    let error = Error::from(error);
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    assert_eq!(error.delivery(), Some(Delivery::NotSent), "{error}");
    assert!(error.message().contains("begin again"), "{error}");
}

/// One step from `cursor`.
fn step(client: &RedisCommandClient, cursor: u64) -> RedisResult<(u64, Vec<String>)> {
    let mut scan = cmd("SCAN");
    scan.arg(cursor).arg("COUNT").arg(20);
    scan.query(&mut client.commands())
}

/// Goes over all keys step by step, and does something else in between.
fn scan(client: &RedisCommandClient, mut meanwhile: impl FnMut()) -> RedisResult<BTreeSet<String>> {
    let (mut found, mut cursor) = (BTreeSet::new(), 0);
    // Not even if each step came upon nothing but an empty table.
    for _ in 0..10_000 {
        let (next, keys) = step(client, cursor)?;
        found.extend(keys);
        if next == 0 {
            return Ok(found);
        }
        cursor = next;
        meanwhile();
    }
    panic!("SCAN does not end");
}

fn by_iterator(client: &RedisCommandClient) -> RedisResult<BTreeSet<String>> {
    let mut commands = client.commands();
    // An iterator of redis asks again after an error: a collection of results would have no end.
    commands.scan_match("*")?.collect()
}

fn by_async_iterator(client: &RedisCommandClient) -> RedisResult<BTreeSet<String>> {
    pollster::block_on(async {
        let mut commands = client.async_commands();
        let mut found = BTreeSet::new();
        let mut items = commands.scan_match("*").await?;
        while let Some(key) = items.next().await {
            found.insert(key?);
        }
        Ok(found)
    })
}

#[test]
fn keys_of_slots_that_stay_are_all_found_while_another_slot_moves() {
    let cluster = TestCluster::builder().replicas(0).start_or_panic();
    let moving = Moving::in_cluster(&cluster);
    for protocol in PROTOCOLS {
        let host = Host::new();
        let open = || -> RedisCommandClient { open_in(&host, &cluster, options(protocol)) };
        // One that hears of each move by its calls, and one that looks from time to time alone.
        let [aware, unaware] = [open(), open()];
        let call = || assert_eq!(aware.commands().get::<_, i64>(&moving.key).unwrap(), 1);
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let mover = scope.spawn(|| {
                let mut moves = 0;
                while !stop.load(SeqCst) {
                    moving.go();
                    moves += 1;
                }
                moves
            });
            let (mut ended, mut refused) = (0, 0);
            eventually("iterations end, and some are refused", || {
                for (client, outcome) in [
                    (&unaware, scan(&unaware, || ())),
                    (&unaware, by_iterator(&unaware)),
                    (&unaware, by_async_iterator(&unaware)),
                    (&aware, scan(&aware, call)),
                    (&aware, by_iterator(&aware)),
                ] {
                    let is_ended = moving.expect_outcome(outcome);
                    ended += u32::from(is_ended && client.client_id() == unaware.client_id());
                    refused += u32::from(!is_ended);
                }
                ended >= 30 && refused >= 3
            });
            stop.store(true, SeqCst);
            assert!(mover.join().unwrap() > 0);
        });
        cluster.wait_until_whole();
        for client in [&aware, &unaware] {
            // What it knew last may have been of the middle of a move.
            eventually("everything is found at rest", || {
                let outcome = scan(client, || ());
                outcome.is_ok_and(|found| found == moving.all)
            });
        }
        expect_unloaded(&host, &cluster);
    }
}

#[test]
fn an_iteration_is_refused_once_the_client_knows_that_slots_have_moved_and_begins_again() {
    let cluster = TestCluster::builder().replicas(0).start_or_panic();
    let moving = Moving::in_cluster(&cluster);
    let [from, to] = moving.ends;
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client: RedisCommandClient = open_in(&host, &cluster, options(protocol));
        let (cursor, _) = step(&client, 0).unwrap();
        assert_ne!(cursor, 0);
        cluster.migrate(moving.slot, to);
        cluster.wait_until_whole();
        let mut refusal = None;
        eventually("the client knows it", || {
            let value: i64 = client.commands().get(&moving.key).unwrap();
            assert_eq!(value, 1);
            refusal = step(&client, cursor).err();
            refusal.is_some()
        });
        expect_refused(refusal.unwrap());
        // However often it is asked; and the iterators say it too, instead of an end.
        expect_refused(step(&client, cursor).unwrap_err());
        assert_eq!(scan(&client, || ()).unwrap(), moving.all);
        assert_eq!(by_iterator(&client).unwrap(), moving.all);
        assert_eq!(by_async_iterator(&client).unwrap(), moving.all);
        let mut commands = client.commands();
        let mut keys = commands.scan::<String>().unwrap();
        keys.next().unwrap().unwrap();
        cluster.migrate(moving.slot, from);
        cluster.wait_until_whole();
        eventually("the client knows it", || {
            let value: i64 = client.commands().get(&moving.key).unwrap();
            value == 1 && step(&client, cursor).is_ok()
        });
        let rest: RedisResult<Vec<String>> = keys.collect();
        expect_refused(rest.unwrap_err());
        expect_unloaded(&host, &cluster);
    }
}
