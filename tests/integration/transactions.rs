//! WATCH, MULTI and EXEC in a session: by hand, and through `transaction` and its twin.

use std::cell::Cell;

use redis_manager::prelude::*;
use redis_manager::redis::{self, RedisError, Value, cmd, pipe};
use redis_manager::{Delivery, Protocol};
use redis_manager_support::TestServer;

use crate::fixture::{Host, PROTOCOLS, eventually, unique};
use crate::reconnect::{open, options};

fn each_protocol(test: impl Fn(&RedisCommandClient, &str)) {
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client: RedisCommandClient = host.open(protocol);
        test(&client, &unique("key"));
    }
}

fn short(protocol: Protocol) -> ClientOptions {
    ClientOptions::builder()
        .protocol(protocol)
        .command_timeout(Duration::from_millis(600))
        .build()
        .unwrap()
}

fn mine() -> Error {
    Error::new(ErrorKind::InvalidArgument, "the body gives up")
}

#[test]
fn session_watch_multi_exec_by_hand_executes_unless_the_key_changed() {
    each_protocol(|client, key| {
        let mut session = client.session().unwrap();
        for conflict in [false, true] {
            let () = client.commands().set(key, "before").unwrap();
            cmd("WATCH").arg(key).exec(&mut session).unwrap();
            if conflict {
                let () = client.commands().set(key, "theirs").unwrap();
            }
            cmd("MULTI").exec(&mut session).unwrap();
            let queued: String = cmd("SET").arg(key).arg("ours").query(&mut session).unwrap();
            assert_eq!(queued, "QUEUED");
            let executed: Value = cmd("EXEC").query(&mut session).unwrap();
            let (expected, value) = if conflict {
                (Value::Nil, "theirs")
            } else {
                (Value::Array(vec![Value::Okay]), "ours")
            };
            assert_eq!(executed, expected);
            assert_eq!(client.commands().get::<_, String>(key).unwrap(), value);
        }
    });
}

#[test]
fn session_async_watch_multi_exec_by_hand_executes_unless_the_key_changed() {
    each_protocol(|client, key| {
        pollster::block_on(async {
            let mut session = client.session_async().await.unwrap();
            cmd("WATCH")
                .arg(key)
                .exec_async(&mut session)
                .await
                .unwrap();
            let () = client.async_commands().set(key, "theirs").await.unwrap();
            let mut ours = pipe();
            ours.atomic().set(key, "ours");
            let executed: Option<(String,)> = ours.query_async(&mut session).await.unwrap();
            assert_eq!(executed, None);
            // EXEC ended the watching.
            let executed: Option<(String,)> = ours.query_async(&mut session).await.unwrap();
            assert_eq!(executed, Some(("OK".to_owned(),)));
        });
    });
}

#[test]
fn transaction_reads_at_once_and_executes_what_was_queued() {
    each_protocol(|client, key| {
        let () = client.commands().set(key, 20).unwrap();
        let mut session = client.session().unwrap();
        let (doubled,): (i64,) = session
            .transaction(key, |tx| {
                let value: i64 = tx.get(key)?;
                tx.queue().set(key, value * 2).ignore().get(key);
                Ok(())
            })
            .unwrap();
        assert_eq!(doubled, 40);
        let () = session.transaction(key, |_| Ok(())).unwrap();
    });
}

#[test]
fn transaction_async_reads_at_once_and_executes_what_was_queued() {
    each_protocol(|client, key| {
        pollster::block_on(async {
            let () = client.async_commands().set(key, 20).await.unwrap();
            let mut session = client.session_async().await.unwrap();
            let (doubled,): (i64,) = session
                .transaction_async(key, async |tx| {
                    let value: i64 = tx.get(key).await?;
                    tx.queue().set(key, value * 2).ignore().get(key);
                    Ok(())
                })
                .await
                .unwrap();
            assert_eq!(doubled, 40);
        });
    });
}

#[test]
fn transaction_with_a_conflict_is_tried_again_and_is_right_then() {
    each_protocol(|client, key| {
        let () = client.commands().set(key, 1).unwrap();
        let tries = Cell::new(0);
        let mut session = client.session().unwrap();
        let (value,): (i64,) = session
            .transaction(key, |tx| {
                let value: i64 = tx.get(key)?;
                tries.set(tries.get() + 1);
                if tries.get() < 3 {
                    let () = client.commands().incr(key, 10)?;
                }
                tx.queue().set(key, value * 2).ignore().get(key);
                Ok(())
            })
            .unwrap();
        assert_eq!((tries.get(), value), (3, 42));
    });
}

#[test]
fn transaction_async_with_a_conflict_is_tried_again_and_is_right_then() {
    each_protocol(|client, key| {
        pollster::block_on(async {
            let () = client.async_commands().set(key, 1).await.unwrap();
            let mut tries = 0;
            let mut session = client.session_async().await.unwrap();
            let (value,): (i64,) = session
                .transaction_async(key, async |tx| {
                    let value: i64 = tx.get(key).await?;
                    tries += 1;
                    if tries < 3 {
                        let () = client.async_commands().incr(key, 10).await?;
                    }
                    tx.queue().set(key, value * 2).ignore().get(key);
                    Ok(())
                })
                .await
                .unwrap();
            assert_eq!((tries, value), (3, 42));
        });
    });
}

#[test]
fn transactions_at_the_same_time_lose_no_update() {
    each_protocol(|client, key| {
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut session = client.session().unwrap();
                    for _ in 0..25 {
                        let () = session
                            .transaction(key, |tx| {
                                let value: Option<i64> = tx.get(key)?;
                                tx.queue().set(key, value.unwrap_or(0) + 1).ignore();
                                Ok(())
                            })
                            .unwrap();
                    }
                });
            }
        });
        assert_eq!(client.commands().get::<_, i64>(key).unwrap(), 100);
    });
}

#[test]
fn transaction_that_always_conflicts_is_given_up_at_the_command_timeout() {
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client: RedisCommandClient = host.open_with(short(protocol));
        let key = unique("key");
        let mut session = client.session().unwrap();
        let conflict = session.transaction::<()>(&key, |tx| {
            let () = client.commands().incr(&key, 1)?;
            tx.queue().set(&key, "never");
            Ok(())
        });
        let twin = pollster::block_on(async {
            let mut session = client.session_async().await.unwrap();
            session
                .transaction_async::<()>(&key, async |tx| {
                    let () = client.async_commands().incr(&key, 1).await?;
                    tx.queue().set(&key, "never");
                    Ok(())
                })
                .await
        });
        for error in [conflict.unwrap_err(), twin.unwrap_err()] {
            assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
            assert_eq!(error.delivery(), Some(Delivery::Replied));
            assert_eq!(error.client_id(), Some(client.client_id()));
        }
        assert!(client.commands().get::<_, i64>(&key).unwrap() > 1);
    }
}

#[test]
fn an_error_of_the_body_executes_nothing_and_undoes_the_watching() {
    each_protocol(|client, key| {
        let mut session = client.session().unwrap();
        let id: u64 = cmd("CLIENT").arg("ID").query(&mut session).unwrap();
        let error = session.transaction::<()>(key, |tx| {
            tx.queue().set(key, "never");
            Err(mine())
        });
        assert_eq!(error.unwrap_err().message(), mine().message());
        // Were the key still watched, this change would make EXEC fail.
        let () = client.commands().set(key, "theirs").unwrap();
        let executed: Option<()> = pipe().atomic().ping().ignore().query(&mut session).unwrap();
        assert_eq!(executed, Some(()));
        assert_eq!(client.commands().get::<_, String>(key).unwrap(), "theirs");
        drop(session);
        let again: u64 = cmd("CLIENT")
            .arg("ID")
            .query(&mut client.session().unwrap())
            .unwrap();
        assert_eq!(again, id);
    });
}

#[test]
fn an_error_of_the_asynchronous_body_executes_nothing_and_undoes_the_watching() {
    each_protocol(|client, key| {
        pollster::block_on(async {
            let mut session = client.session_async().await.unwrap();
            let error = session.transaction_async::<()>(key, async |tx| {
                tx.queue().set(key, "never");
                Err(mine())
            });
            assert_eq!(error.await.unwrap_err().message(), mine().message());
            let () = client.async_commands().set(key, "theirs").await.unwrap();
            let mut ping = pipe();
            ping.atomic().ping().ignore();
            let executed: Option<()> = ping.query_async(&mut session).await.unwrap();
            assert_eq!(executed, Some(()));
        });
    });
}

#[test]
fn an_error_of_the_body_is_returned_even_if_the_watching_cannot_be_undone() {
    each_protocol(|client, key| {
        let mut session = client.session().unwrap();
        let error = session.transaction::<()>(key, |_| {
            client.close();
            Err(mine())
        });
        assert_eq!(error.unwrap_err().message(), mine().message());
    });
    each_protocol(|client, key| {
        pollster::block_on(async {
            let mut session = client.session_async().await.unwrap();
            let error = session.transaction_async::<()>(key, async |_| {
                client.close_async().await;
                Err(mine())
            });
            assert_eq!(error.await.unwrap_err().message(), mine().message());
        });
    });
}

#[test]
fn a_body_whose_command_was_not_answered_is_not_kept_waiting_for_another_answer() {
    for protocol in PROTOCOLS {
        let (server, host) = (TestServer::start(), Host::new());
        let options = options(protocol).command_timeout(Duration::from_millis(300));
        let client: RedisCommandClient = open(&host, server.url(), options);
        for is_async in [false, true] {
            let outcome = match is_async {
                false => client.session().unwrap().transaction::<()>("key", |tx| {
                    server.pause().unwrap();
                    let _: Value = tx.get("key")?;
                    Ok(())
                }),
                true => pollster::block_on(async {
                    let mut session = client.session_async().await.unwrap();
                    let body = async |tx: &mut redis_manager::RedisAsyncTransaction<'_>| {
                        server.pause().unwrap();
                        let _: Value = tx.get("key").await?;
                        Ok(())
                    };
                    session.transaction_async::<()>("key", body).await
                }),
            };
            server.resume().unwrap();
            let error = outcome.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
            assert_eq!(error.command(), Some("GET"));
            eventually("its connection is gone", || {
                client.snapshot().sessions.out == 0 && server.clients().unwrap().len() == 1
            });
            let ran = server.run(&["INFO", "commandstats"]).text();
            assert!(ran.contains("cmdstat_watch:") && !ran.contains("cmdstat_unwatch:"));
        }
    }
}

#[test]
fn a_redis_error_in_the_body_comes_out_as_what_it_was() {
    each_protocol(|client, key| {
        let () = client.commands().set(key, "text").unwrap();
        let mut session = client.session().unwrap();
        let error = session.transaction::<()>(key, |tx| {
            let _: i64 = tx.incr(key, 1)?;
            Ok(())
        });
        let error = error.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Server, "{error}");
        assert_eq!(RedisError::from(error).code(), Some("ERR"));
    });
}

#[test]
fn a_transaction_without_keys_is_refused_before_anything_is_sent() {
    each_protocol(|client, _| {
        let none: [&str; 0] = [];
        let mut session = client.session().unwrap();
        let sync = session.transaction::<()>(&none[..], |_| panic!("the body must not run"));
        let twin = pollster::block_on(async {
            let mut session = client.session_async().await.unwrap();
            let body = async |_: &mut redis_manager::RedisAsyncTransaction<'_>| {
                panic!("the body must not run")
            };
            session.transaction_async::<()>(&none[..], body).await
        });
        for error in [sync.unwrap_err(), twin.unwrap_err()] {
            assert_eq!(error.kind(), ErrorKind::InvalidArgument);
            assert_eq!(error.delivery(), Some(Delivery::NotSent));
        }
    });
}

#[test]
fn several_keys_are_watched_each() {
    each_protocol(|client, key| {
        let keys = [format!("{key}:a"), format!("{key}:b")];
        for changed in &keys {
            let tries = Cell::new(0);
            let mut session = client.session().unwrap();
            let () = session
                .transaction(&keys[..], |tx| {
                    tries.set(tries.get() + 1);
                    if tries.get() == 1 {
                        let () = client.commands().set(changed, 1)?;
                    }
                    tx.queue().ping().ignore();
                    Ok(())
                })
                .unwrap();
            assert_eq!(tries.get(), 2, "{changed}");
        }
    });
}

#[test]
fn a_bad_command_in_a_transaction_aborts_it_and_the_session_goes_on() {
    each_protocol(|client, key| {
        let mut session = client.session().unwrap();
        let error = session.transaction::<()>(key, |tx| {
            tx.queue().set(key, 1).cmd("NOSUCHCOMMAND");
            Ok(())
        });
        let error = error.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Server);
        let aborted = redis::ErrorKind::Server(redis::ServerErrorKind::ExecAbort);
        assert_eq!(RedisError::from(error).kind(), aborted);
        assert!(!session.exists::<_, bool>(key).unwrap());
    });
}
