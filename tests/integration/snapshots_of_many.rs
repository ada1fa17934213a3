//! A snapshot of many clients holds up none of them.

use std::sync::atomic::{AtomicBool, Ordering};

use redis_manager::Protocol;
use redis_manager::prelude::*;

use crate::fixture::unique;
use crate::snapshots::counting;

const CLIENTS: usize = 1_000;
const CALLERS: usize = 4;
const SNAPSHOTS: usize = 30;

#[test]
fn while_a_thousand_clients_are_looked_at_their_calls_go_on() {
    let host = counting();
    let busy: Vec<RedisCommandClient> = [(); CALLERS]
        .map(|()| host.open::<RedisCommandClient>(Protocol::Resp3))
        .into();
    let lazy = ClientOptions::builder().lazy_connect(true).build().unwrap();
    for _ in CALLERS..CLIENTS {
        host.open_with::<RedisCommandClient>(lazy.clone());
    }
    let over = AtomicBool::new(false);
    let key = unique("many");
    let calls: u64 = std::thread::scope(|scope| {
        let callers: Vec<_> = busy
            .iter()
            .map(|client| {
                scope.spawn(|| {
                    let (mut commands, mut calls) = (client.commands(), 0);
                    while !over.load(Ordering::Relaxed) || calls == 0 {
                        commands.incr::<_, _, i64>(&key, 1).unwrap();
                        calls += 1;
                    }
                    calls
                })
            })
            .collect();
        let mut last = 0;
        for _ in 0..SNAPSHOTS {
            let totals = host.manager.snapshot().totals;
            assert_eq!(totals.clients, CLIENTS);
            let commands = totals.statistics.unwrap().commands;
            assert!(commands >= last, "a counter never goes backwards");
            last = commands;
        }
        over.store(true, Ordering::Relaxed);
        callers
            .into_iter()
            .map(|caller| caller.join().unwrap())
            .sum()
    });
    let counted = host.manager.snapshot().totals.statistics.unwrap();
    assert_eq!((counted.commands, counted.errors), (calls, 0));
    assert_eq!((counted.timeouts, counted.failures), (0, 0));
}
