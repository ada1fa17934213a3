//! All that clients do, over TLS.

use std::sync::mpsc;
use std::time::Instant;

use futures_util::FutureExt;
use futures_util::future::join_all;
use redis_manager::prelude::*;
use redis_manager::redis::{Value, cmd, pipe};

use crate::fixture::{Host, PATIENCE, PROTOCOLS, eventually, unique};
use crate::tls_fixture::{Secure, url};

fn each_protocol(test: impl Fn(&Host, &Secure, ClientOptions)) {
    let Some(secure) = Secure::start() else {
        return;
    };
    for protocol in PROTOCOLS {
        let options = secure.options().protocol(protocol).build().unwrap();
        test(&Host::new(), &secure, options);
    }
}

fn command_client(host: &Host, secure: &Secure, options: ClientOptions) -> RedisCommandClient {
    let url = format!("{}?clientName={}", secure.url(), host.name);
    host.manager.open_with(&host.script, url, options).unwrap()
}

async fn open_async(host: &Host, secure: &Secure) -> RedisCommandClient {
    let options = secure.options().build().unwrap();
    let open = host
        .manager
        .open_with_async(&host.script, secure.url(), options);
    open.await.unwrap()
}

#[test]
fn commands_sessions_transactions_and_blocking_commands() {
    each_protocol(|host, secure, options| {
        let client = command_client(host, secure, options);
        let (key, list) = (unique("key"), unique("list"));
        let mut commands = client.commands();
        let () = commands.set(&key, "v").unwrap();
        assert_eq!(commands.get::<_, String>(&key).unwrap(), "v");
        let value = pollster::block_on(client.async_commands().get(&key));
        assert_eq!(value, Ok("v".to_owned()));

        let mut session = client.session().unwrap();
        let (pushed,): (i64,) = session
            .transaction(&list, |transaction| {
                transaction.queue().rpush(&list, "a");
                Ok(())
            })
            .unwrap();
        assert_eq!(pushed, 1);
        let popped: Vec<String> = commands.blpop(&list, 5.0).unwrap();
        assert_eq!(popped, [list.clone(), "a".to_owned()]);

        let waiting = std::thread::spawn({
            let (mut commands, list) = (client.commands(), list.clone());
            move || commands.blpop::<_, Vec<String>>(list, 20.0)
        });
        eventually("it blocks", || {
            let clients = secure.server.clients().unwrap();
            clients.iter().any(|client| client.cmd == "blpop")
        });
        let () = commands.rpush(&list, "b").unwrap();
        assert_eq!(waiting.join().unwrap().unwrap(), [list, "b".to_owned()]);
    });
}

#[test]
fn a_host_name_is_as_good_as_an_address() {
    let Some(secure) = Secure::start() else {
        return;
    };
    let host = Host::new();
    let url = url(&secure.server, "localhost");
    let options = secure.options().build().unwrap();
    let client: RedisCommandClient = host.manager.open_with(&host.script, url, options).unwrap();
    assert_eq!(client.commands().incr::<_, _, i64>("i", 1).unwrap(), 1);
}

#[test]
fn ten_thousand_commands_in_one_pipeline_and_a_megabyte_in_one_value() {
    each_protocol(|host, secure, options| {
        let client = command_client(host, secure, options);
        let mut pipeline = pipe();
        for number in 0..10_000 {
            pipeline.cmd("ECHO").arg(number);
        }
        let echoed: Vec<u32> = pipeline.query(&mut client.commands()).unwrap();
        assert!(echoed.into_iter().eq(0..10_000));
        let large = vec![7_u8; 20 << 20];
        let key = unique("large");
        let () = client.commands().set(&key, &large).unwrap();
        let read: Vec<u8> = client.commands().get(&key).unwrap();
        assert!(read == large);
    });
}

#[tokio::test]
async fn a_thousand_calls_at_once_each_get_their_own_reply() {
    let Some(secure) = Secure::start() else {
        return;
    };
    let host = Host::new();
    let client = open_async(&host, &secure).await;
    for _ in 0..20 {
        let calls = (0..1_000).map(|number: u32| {
            let mut commands = client.async_commands();
            async move {
                let text = format!("{number:0width$}", width = number as usize);
                let echoed: String = cmd("ECHO").arg(&text).query_async(&mut commands).await?;
                assert_eq!(echoed, text);
                Ok::<_, redis::RedisError>(())
            }
        });
        for outcome in join_all(calls).await {
            outcome.unwrap();
        }
    }
}

#[tokio::test]
async fn a_call_that_is_cancelled_leaves_the_replies_of_others_alone() {
    let Some(secure) = Secure::start() else {
        return;
    };
    let host = Host::new();
    let client = open_async(&host, &secure).await;
    for number in 0..500_u32 {
        let (mut one, mut other) = (client.async_commands(), client.async_commands());
        let (mut cancelled, mut kept) = (cmd("ECHO"), cmd("ECHO"));
        cancelled.arg("cancelled");
        kept.arg(number);
        let cancelled = cancelled.query_async::<String>(&mut one);
        drop(cancelled.now_or_never());
        assert_eq!(kept.query_async(&mut other).await, Ok(number));
    }
}

#[test]
fn a_large_message_and_ten_thousand_small_ones() {
    each_protocol(|host, secure, _| {
        let options = secure
            .options()
            .listener_queue_size(20_000)
            .build()
            .unwrap();
        let client: RedisPubSubClient = host
            .manager
            .open_with(&host.script, secure.url(), options)
            .unwrap();
        let channel = unique("channel");
        let (sender, heard) = mpsc::channel();
        client
            .register_listener(channel.as_str(), move |message: &Message| {
                Ok(sender.send(message.payload().to_vec())?)
            })
            .unwrap();
        let large = vec![b'l'; 1 << 20];
        assert_eq!(client.publish(channel.as_str(), &large).unwrap(), 1);
        assert!(heard.recv_timeout(PATIENCE).unwrap() == large);
        let publisher = command_client(host, secure, secure.options().build().unwrap());
        let mut pipeline = pipe();
        for number in 0..10_000 {
            pipeline.publish(&channel, number).ignore();
        }
        let () = pipeline.query(&mut publisher.commands()).unwrap();
        for number in 0..10_000 {
            let payload = heard.recv_timeout(PATIENCE).unwrap();
            assert_eq!(payload, number.to_string().as_bytes());
        }
    });
}

#[test]
fn after_a_kill_and_after_a_restart_clients_and_subscriptions_come_back() {
    each_protocol(|host, secure, options| {
        let server = &secure.server;
        let pubsub: RedisPubSubClient = host
            .manager
            .open_with(&host.script, secure.url(), options.clone())
            .unwrap();
        let client = command_client(host, secure, options);
        let channel = unique("channel");
        let (sender, heard) = mpsc::channel();
        pubsub
            .register_listener(channel.as_str(), move |message: &Message| {
                Ok(sender.send(message.payload().to_vec())?)
            })
            .unwrap();
        for round in 0..4 {
            let kinds = ["normal", "pubsub"];
            match round % 2 {
                0 => kinds.iter().for_each(|kind| {
                    server.run(&["CLIENT", "KILL", "TYPE", kind]);
                }),
                _ => server.restart().unwrap(),
            }
            let waited = Instant::now();
            eventually("it is served again", || {
                client.commands().set::<_, _, ()>("k", round).is_ok()
            });
            eventually("its subscription is back", || {
                server.run(&["PUBLISH", &channel, "back"]).as_int() == Some(1)
            });
            assert_eq!(heard.recv_timeout(PATIENCE).unwrap(), b"back");
            assert!(waited.elapsed() < PATIENCE);
        }
    });
}

#[test]
fn a_server_that_takes_nothing_keeps_no_call_past_its_deadline() {
    each_protocol(|host, secure, options| {
        let options = options
            .to_builder()
            .command_timeout(Duration::from_millis(300))
            .build()
            .unwrap();
        let client = command_client(host, secure, options);
        let large = vec![0_u8; 1 << 20];
        secure.server.pause().unwrap();
        let began = Instant::now();
        let calls = (0..20).map(|_| {
            let (mut commands, large) = (client.async_commands(), &large);
            async move { commands.set::<_, _, ()>("large", large).await }
        });
        let outcomes = pollster::block_on(join_all(calls));
        // One that is made while nothing can be sent.
        let late = client.commands().incr::<_, _, i64>("late", 1);
        assert!(began.elapsed() < PATIENCE / 2);
        let deliveries: Vec<_> = outcomes
            .into_iter()
            .chain([late.map(drop)])
            .map(|outcome| {
                let error = Error::from(outcome.unwrap_err());
                assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
                error.delivery().unwrap()
            })
            .collect();
        assert!(deliveries.contains(&Delivery::Unknown), "{deliveries:?}");
        assert_eq!(deliveries.last(), Some(&Delivery::NotSent));
        secure.server.resume().unwrap();
        eventually("it is served again", || {
            client.commands().incr::<_, _, i64>("late", 1) == Ok(1)
                || panic!("what was not sent has run")
        });
        let () = client.commands().del("late").unwrap();
    });
}

#[test]
fn closing_answers_or_reports_what_is_in_flight() {
    each_protocol(|host, secure, options| {
        let client = command_client(host, secure, options);
        let waiting = std::thread::spawn({
            let mut commands = client.commands();
            move || commands.blpop::<_, Value>("nothing comes", 0.0)
        });
        eventually("it blocks", || {
            let clients = secure.server.clients().unwrap();
            clients.iter().any(|client| client.cmd == "blpop")
        });
        let calls: Vec<_> = (0..100)
            .filter_map(|_| {
                let mut commands = client.async_commands();
                let mut call = Box::pin(async move { commands.incr("i", 1).await });
                // One may be answered before it is waited for.
                (&mut call).now_or_never().is_none().then_some(call)
            })
            .collect();
        let report = host.manager.unload_script(&host.script);
        assert_eq!(report.clients().len(), 1, "{report}");
        for call in calls {
            let outcome: redis::RedisResult<i64> = pollster::block_on(call);
            if let Err(error) = outcome {
                assert!(Error::from(error).delivery().is_some());
            }
        }
        let cut = Error::from(waiting.join().unwrap().unwrap_err());
        assert_eq!(cut.delivery(), Some(Delivery::Unknown), "{cut:?}");
        eventually("the server sees nobody", || {
            secure.server.clients().unwrap().is_empty()
        });
    });
}

#[test]
fn a_lazy_client_connects_with_its_first_call() {
    each_protocol(|host, secure, options| {
        let options = options.to_builder().lazy_connect(true).build().unwrap();
        secure.server.kill().unwrap();
        let client = command_client(host, secure, options.clone());
        let pubsub: RedisPubSubClient = host
            .manager
            .open_with(&host.script, secure.url(), options)
            .unwrap();
        secure.server.restart().unwrap();
        assert_eq!(client.commands().incr::<_, _, i64>("lazy", 1).unwrap(), 1);
        assert_eq!(pubsub.publish("nobody", "hears").unwrap(), 0);
    });
}

#[tokio::test]
async fn the_pool_and_the_raw_client_of_a_basic_client() {
    let Some(secure) = Secure::start() else {
        return;
    };
    for host_name in ["127.0.0.1", "localhost"] {
        let host = Host::new();
        let url = url(&secure.server, host_name);
        let options = secure.options().build().unwrap();
        let open = host.manager.open_with_async(&host.script, url, options);
        let client: RedisBasicClient = open.await.unwrap();
        assert_eq!(client.ping_async().await.unwrap(), "PONG");
        let mut pooled = client.pool().unwrap().get().await.unwrap();
        let () = pooled.set("pooled", 1).await.unwrap();
        let raw = client.redis_client().into_single().unwrap();
        let mut connection = raw.get_multiplexed_async_connection().await.unwrap();
        assert_eq!(connection.get("pooled").await, Ok(1));
    }
}
