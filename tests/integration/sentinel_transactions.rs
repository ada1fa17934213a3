//! Sessions whose master is replaced while a transaction is under way there.

use redis_manager::prelude::*;
use redis_manager::redis::{Value, cmd, pipe};
use redis_manager::{RedisAsyncSession, RedisSession};
use redis_manager_support::SentinelTrio;

use crate::fixture::{Host, PROTOCOLS, eventually};
use crate::reconnect::{expect_lost, open, options};

/// Another master, as soon as the client knows of it.
fn replace(trio: &SentinelTrio, client: &RedisCommandClient) {
    let mut events = client.events();
    trio.begin_failover();
    expect_lost(&mut events);
}

#[track_caller]
fn expect_gone<T: std::fmt::Debug>(outcome: Result<T, impl Into<Error>>) {
    let error: Error = outcome.unwrap_err().into();
    assert_eq!(error.kind(), ErrorKind::Disconnected, "{error}");
}

/// What was watched is forgotten with the master on which it was, so nothing of it may run on the other.
#[test]
fn a_transaction_that_began_on_the_one_before_runs_on_no_other() {
    let trio = SentinelTrio::start();
    for protocol in PROTOCOLS {
        trio.wait_until_whole();
        let host = Host::new();
        let client: RedisCommandClient = open(&host, trio.url(), options(protocol));
        let keys = ["a", "b", "c"].map(|key| format!("{}-{key}", host.name));
        let mut by_hand: RedisSession = client.session().unwrap();
        // Replication does not wait for itself.
        let () = by_hand.mset(&keys.each_ref().map(|key| (key, 1))).unwrap();
        let copies: i64 = cmd("WAIT").arg(2).arg(10_000).query(&mut by_hand).unwrap();
        assert_eq!(copies, 2);
        cmd("WATCH").arg(&keys[1]).exec(&mut by_hand).unwrap();
        let mut later: RedisAsyncSession = pollster::block_on(client.session_async()).unwrap();
        let watching = cmd("WATCH").arg(&keys[2]).to_owned();
        pollster::block_on(watching.exec_async(&mut later)).unwrap();
        let mut runs = 0;
        let outcome = client
            .session()
            .unwrap()
            .transaction::<Value>(&keys[0], |transaction| {
                runs += 1;
                let _: i64 = transaction.get(&keys[0])?;
                replace(&trio, &client);
                transaction.queue().incr(&keys[0], 1);
                Ok(())
            });
        expect_gone(outcome);
        assert_eq!(runs, 1);
        let mut transaction = pipe();
        let transaction = transaction.atomic().incr(&keys[1], 1);
        expect_gone(transaction.query::<Value>(&mut by_hand));
        let mut transaction = pipe();
        let transaction = transaction.atomic().incr(&keys[2], 1);
        expect_gone(pollster::block_on(
            transaction.query_async::<Value>(&mut later),
        ));
        drop((by_hand, later));
        eventually("the other one serves", || {
            client.commands().exists::<_, bool>(&keys[0]).is_ok()
        });
        for key in &keys {
            let (n,): (i64,) = client
                .session()
                .unwrap()
                .transaction(key, |transaction| {
                    transaction.queue().incr(key, 1);
                    Ok(())
                })
                .unwrap();
            assert_eq!(n, 2, "{key}");
        }
        assert!(host.manager.unload_script(&host.script).is_clean());
    }
}
