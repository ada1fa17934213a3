//! A snapshot says what was done, exactly, and what waits.

use std::sync::mpsc;

use futures_util::FutureExt;
use redis_manager::prelude::*;
use redis_manager::redis::{RedisResult, cmd, pipe};
use redis_manager::{
    ClientResources, ClientSnapshot, LimitName, ManagerSnapshot, Protocol, ScriptStanding,
    StateSnapshot, StatisticsSnapshot,
};
use redis_manager_support::TestServer;

use crate::fixture::{Host, PATIENCE, PROTOCOLS, eventually, unique};
use crate::listening::{hearing, next_text, publish_from_outside};

/// A host whose clients count their calls.
pub(crate) fn counting() -> Host {
    let resources = ClientResources::builder().statistics(true);
    let mut host = Host::new();
    host.manager = RedisManager::with_resources(resources.build().unwrap());
    host.script = host.manager.load_script(&host.name).unwrap();
    host
}

fn counted(client: &impl ScriptRedisClient) -> StatisticsSnapshot {
    client.snapshot().statistics.unwrap()
}

/// A host, and the one client of a server of its own.
fn alone(server: &TestServer, options: ClientOptions) -> (Host, RedisCommandClient) {
    let host = counting();
    let url = server.url_with_password();
    let client = host.manager.open_with(&host.script, url, options).unwrap();
    (host, client)
}

#[test]
fn commands_errors_and_bytes_are_exactly_those_of_the_calls() {
    for protocol in PROTOCOLS {
        let (host, key) = (counting(), unique("counted"));
        let client: RedisCommandClient = host.open(protocol);
        assert_eq!(counted(&client).commands, 0, "the handshake is no call");
        let mut commands = client.commands();
        for _ in 0..20 {
            commands.set::<_, _, ()>(&key, "text").unwrap();
        }
        let set = cmd("SET").arg(&key).arg("text").get_packed_command();
        let after = counted(&client);
        assert_eq!((after.commands, after.errors), (20, 0));
        assert_eq!(after.bytes_sent, 20 * set.len() as u64);

        for _ in 0..3 {
            let refused: RedisResult<i64> = commands.incr(&key, 1);
            refused.unwrap_err();
        }
        let after = counted(&client);
        assert_eq!((after.commands, after.errors), (23, 3));

        // A pipeline counts as its commands, on the shared connection and in a session.
        let mut mixed = pipe();
        mixed.get(&key).incr(&key, 1).get(&key).get(&key).get(&key);
        mixed.query::<()>(&mut commands).unwrap_err();
        let after = counted(&client);
        assert_eq!((after.commands, after.errors), (28, 4));
        let mut atomic = pipe();
        atomic.atomic().get(&key).set(&key, 1).get(&key);
        atomic.query::<()>(&mut client.session().unwrap()).unwrap();
        let after = counted(&client);
        assert_eq!((after.commands, after.errors), (31, 4));
        assert_eq!((after.timeouts, after.failures), (0, 0));

        let latency = after.latency.unwrap();
        assert!(latency.p50_us <= latency.p90_us && latency.p90_us <= latency.p99_us);
        assert!(latency.p99_us <= latency.p999_us && latency.p999_us <= latency.max_us);
        assert!(latency.max_us > 0);
        let totals = host.manager.snapshot().totals;
        assert_eq!(totals.statistics, Some(after));
    }
}

#[test]
fn a_call_that_fails_is_counted_by_how_it_failed() {
    let server = TestServer::start();
    let options = ClientOptions::builder()
        .command_timeout(Duration::from_millis(100))
        .build();
    let (host, client) = alone(&server, options.unwrap());
    let mut commands = client.commands();
    commands.set::<_, _, ()>("key", 1).unwrap();
    server.pause().unwrap();
    commands.get::<_, ()>("key").unwrap_err();
    server.resume().unwrap();
    let after = counted(&client);
    assert_eq!((after.timeouts, after.failures), (1, 0));
    eventually("what was late is answered", || {
        client.snapshot().in_flight == 0
    });
    client.close();
    commands.get::<_, ()>("key").unwrap_err();
    let after = counted(&client);
    assert_eq!((after.timeouts, after.failures), (1, 1));
    assert!(host.manager.snapshot().scripts[0].clients.is_empty());
}

#[test]
fn a_connection_that_is_lost_and_made_again_is_counted_once() {
    let server = TestServer::start();
    for protocol in PROTOCOLS {
        let host = Host::new();
        let options = ClientOptions::builder().protocol(protocol).build().unwrap();
        // Under RESP2 it has two sockets.
        let client: RedisPubSubClient = host
            .manager
            .open_with(&host.script, server.url(), options)
            .unwrap();
        for times in 1..=2 {
            let mut events = client.events();
            server.run(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
            server.run(&["CLIENT", "KILL", "TYPE", "pubsub"]);
            while !matches!(events.recv().unwrap(), Some(ClientEvent::Connected)) {}
            eventually("it is connected for good", || {
                client.snapshot().state == StateSnapshot::Connected
                    && client.publish("any", "").is_ok()
            });
            let now = client.snapshot();
            assert_eq!(now.losses, now.reconnects);
            if protocol == Protocol::Resp3 {
                assert_eq!(now.losses, times);
            }
        }
        host.manager.shutdown().unwrap();
    }
}

#[test]
fn a_lazy_client_that_never_had_a_connection_has_lost_none() {
    let host = Host::new();
    let options = ClientOptions::builder().lazy_connect(true).build().unwrap();
    let server = TestServer::start();
    server.kill().unwrap();
    let client: RedisCommandClient = host
        .manager
        .open_with(&host.script, server.url(), options)
        .unwrap();
    assert_eq!(client.snapshot().state, StateSnapshot::Idle);
    let mut commands = client.async_commands();
    let mut call = std::pin::pin!(commands.get::<_, ()>("key"));
    assert!(call.as_mut().now_or_never().is_none());
    eventually("it is tried", || client.snapshot().cause.is_some());
    server.restart().unwrap();
    pollster::block_on(call).unwrap();
    let now = client.snapshot();
    assert_eq!((now.losses, now.reconnects), (0, 0));
    assert_eq!((now.state, now.cause), (StateSnapshot::Connected, None));
}

#[test]
fn what_a_deaf_listener_loses_and_what_waits_for_it_is_known() {
    let (host, channel) = (counting(), unique("deaf"));
    let options = ClientOptions::builder().listener_queue_size(2).build();
    let client: RedisPubSubClient = host.open_with(options.unwrap());
    let (release, released) = mpsc::channel::<()>();
    let (start, started) = mpsc::channel();
    let deaf = client.register_listener(&channel, move |_: &Message| {
        let _ = start.send(());
        let _ = released.recv();
        Err("deliberate".into())
    });
    let deaf = deaf.unwrap();
    publish_from_outside(&channel, "first");
    started.recv_timeout(PATIENCE).unwrap();
    for _ in 0..10 {
        publish_from_outside(&channel, "12345");
    }
    eventually("they have arrived", || {
        counted(&client).messages_heard == 11
    });
    let now = client.snapshot();
    assert_eq!((now.listeners, now.channels), (1, 1));
    assert_eq!((now.dropped, now.messages.count), (8, 2));
    assert!(now.messages.bytes >= 2 * ("12345".len() + channel.len()));
    assert_eq!(deaf.dropped(), now.dropped);
    let threads = host.manager.snapshot().callback_threads;
    assert_eq!((threads.busy, threads.allowed), (1, 16));
    drop(release);
    eventually("all are heard, and fail", || {
        client.snapshot().listener_failures == 3
    });
    assert_eq!(client.snapshot().messages.count, 0);
    deaf.unregister().unwrap();
    let now = client.snapshot();
    assert_eq!((now.listeners, now.channels), (0, 0));
    assert_eq!(now.dropped, 8, "who has left is counted still");
    assert_eq!(
        counted(&client).commands,
        2,
        "one SUBSCRIBE, one UNSUBSCRIBE"
    );
}

#[test]
fn a_message_that_several_hear_counts_for_each() {
    let (host, channel) = (counting(), unique("heard"));
    let client: RedisPubSubClient = host.open(Protocol::Resp3);
    let ears = [(); 2].map(|()| {
        let (function, heard) = hearing();
        client.register_listener(&channel, function).unwrap();
        heard
    });
    for _ in 0..3 {
        client.publish(&channel, "hello").unwrap();
    }
    for heard in &ears {
        for _ in 0..3 {
            assert_eq!(next_text(heard), "hello");
        }
    }
    assert_eq!(counted(&client).messages_heard, 6);
    let now = client.snapshot();
    assert_eq!((now.listeners, now.channels), (2, 1));
}

#[test]
fn while_the_server_is_down_the_queue_and_the_cause_are_seen_and_no_secret() {
    let server = TestServer::builder()
        .password("top-secret")
        .start_or_panic();
    let (host, client) = alone(&server, ClientOptions::default());
    client.commands().set::<_, _, ()>("key", 1).unwrap();
    server.kill().unwrap();
    eventually("the loss is noticed", || client.state().is_disconnected());
    let mut handles = [(); 3].map(|()| client.async_commands());
    let mut calls: Vec<_> = handles
        .iter_mut()
        .map(|commands| Box::pin(commands.get::<_, i64>("key")))
        .collect();
    for call in &mut calls {
        assert!(call.as_mut().now_or_never().is_none());
    }
    let now = client.snapshot();
    let get = cmd("GET").arg("key").get_packed_command();
    assert_eq!((now.requests.count, now.in_flight), (3, 3));
    assert_eq!(now.requests.bytes, 3 * get.len());
    assert_eq!(now.state, StateSnapshot::Disconnected);
    let cause = now.cause.unwrap();
    assert!(cause.contains(&now.address), "{cause}");
    // Who gives up waits no more.
    drop(calls.pop());
    assert_eq!(client.snapshot().requests.count, 2);
    let all = host.manager.snapshot();
    let json = serde_json::to_string(&all).unwrap();
    for text in [
        json,
        all.to_string(),
        all.by_client().to_string(),
        format!("{all:?}"),
    ] {
        assert!(!text.contains("top-secret"), "{text}");
    }
    assert_eq!(all.totals.disconnected, 1);
    server.restart().unwrap();
    for call in calls {
        // What it was lives no longer than the server.
        let _ = pollster::block_on(call);
    }
    let now = client.snapshot();
    assert_eq!((now.requests.count, now.in_flight), (0, 0));
}

#[test]
fn sessions_and_blocking_calls_are_seen_while_they_are_out() {
    let (host, key) = (Host::new(), unique("list"));
    let client: RedisCommandClient = host.open(Protocol::Resp3);
    let out_and_idle = |pool: fn(&ClientSnapshot) -> redis_manager::PoolSnapshot| {
        let pool = pool(&client.snapshot());
        (pool.out, pool.idle)
    };
    let sessions = || out_and_idle(|client| client.sessions);
    let blocking = || out_and_idle(|client| client.blocking);
    assert_eq!((sessions(), blocking()), ((0, 0), (0, 0)));
    let session = client.session().unwrap();
    assert_eq!(sessions(), (1, 0));
    drop(session);
    assert_eq!(sessions(), (0, 1));
    let mut commands = client.commands();
    let waiting = {
        let key = key.clone();
        std::thread::spawn(move || commands.blpop::<_, (String, String)>(&key, 0.0).unwrap())
    };
    eventually("it blocks", || blocking() == (1, 0));
    client
        .commands()
        .lpush::<_, _, ()>(&key, "at last")
        .unwrap();
    waiting.join().unwrap();
    assert_eq!(blocking(), (0, 1));
}

#[test]
fn unless_it_is_asked_for_no_call_is_counted() {
    let host = Host::new();
    let client: RedisCommandClient = host.open(Protocol::Resp3);
    client.commands().set::<_, _, ()>(unique("key"), 1).unwrap();
    assert_eq!(client.snapshot().statistics, None);
    assert!(client.context().latencies().is_none());
    assert_eq!(host.manager.snapshot().totals.statistics, None);
}

#[test]
fn scripts_that_are_unloaded_are_gone_and_those_that_are_reloaded_are_there_twice() {
    let host = Host::new();
    let _client: RedisCommandClient = host.open(Protocol::Resp3);
    let _basic: RedisBasicClient = host.open(Protocol::Resp3);
    let seen = || {
        let scripts = host.manager.snapshot().scripts.into_iter();
        let seen = scripts.map(|script| (script.generation, script.standing, script.clients.len()));
        seen.collect::<Vec<_>>()
    };
    let old = host.script.generation();
    assert_eq!(seen(), [(old, ScriptStanding::Loaded, 2)]);
    let mut reload = host.manager.reload_script(&host.name).unwrap();
    let new = reload.script().generation();
    let both = [
        (old, ScriptStanding::Loaded, 2),
        (new, ScriptStanding::Arriving, 0),
    ];
    assert_eq!(seen(), both);
    reload.hand_over().unwrap();
    let both = [
        (old, ScriptStanding::Leaving, 2),
        (new, ScriptStanding::Loaded, 0),
    ];
    assert_eq!(seen(), both);
    let (script, _) = reload.finish().unwrap();
    assert_eq!(seen(), [(new, ScriptStanding::Loaded, 0)]);
    assert!(host.manager.unload_script(&script).is_clean());
    assert_eq!(seen(), []);
}

#[test]
fn what_a_script_has_of_its_limits_is_seen() {
    let host = Host::new();
    let limits = ScriptLimits::none()
        .with_clients(4)
        .with_operations_per_second(1_000);
    let options = ScriptOptions::default().with_limits(limits);
    let script = host.manager.load_script_with(unique("limited"), options);
    let script = script.unwrap();
    let _client: RedisCommandClient = host.manager.open(&script, host.url()).unwrap();
    let snapshot = host.manager.snapshot();
    let limits = snapshot.scripts[1].limits.iter();
    let seen: Vec<_> = limits
        .map(|limit| (limit.name, limit.limit, limit.used))
        .collect();
    let expected = [
        (LimitName::Clients, 4, Some(1)),
        (LimitName::OperationsPerSecond, 1_000, None),
    ];
    assert_eq!(seen, expected);
    assert!(snapshot.to_string().contains("clients 1/4"), "{snapshot}");
}

#[test]
fn it_reads_back_from_json_as_it_was_written() {
    let (host, channel) = (counting(), unique("json"));
    let client: RedisPubSubClient = host.open(Protocol::Resp3);
    let _command: RedisCommandClient = host.open(Protocol::Resp3);
    client
        .register_listener(&channel, |_: &Message| Ok(()))
        .unwrap();
    client.publish(&channel, "hello").unwrap();
    let before = host.manager.snapshot();
    let text = serde_json::to_string(&before).unwrap();
    let after: ManagerSnapshot = serde_json::from_str(&text).unwrap();
    assert_eq!(after, before);
}

#[test]
fn it_is_taken_on_any_thread_and_inside_callbacks() {
    let (host, channel) = (Host::new(), unique("inside"));
    let client: RedisPubSubClient = host.open(Protocol::Resp3);
    let (taken, snapshots) = mpsc::channel();
    let (manager, own) = (host.manager.clone(), taken.clone());
    client
        .register_listener(&channel, move |_: &Message| {
            Ok(own.send(manager.snapshot())?)
        })
        .unwrap();
    let (manager, own) = (host.manager.clone(), taken.clone());
    let registering = client.register_async_listener(&channel, move |_| {
        let snapshot = manager.snapshot();
        futures_util::future::ready(own.send(snapshot).map_err(Into::into))
    });
    pollster::block_on(registering).unwrap();
    client.publish(&channel, "look").unwrap();
    let manager = host.manager.clone();
    let on_io = host.manager.resources().spawn(async move {
        taken.send(manager.snapshot()).unwrap();
    });
    pollster::block_on(on_io).unwrap();
    for _ in 0..3 {
        let snapshot = snapshots.recv_timeout(PATIENCE).unwrap();
        assert_eq!(snapshot.scripts[0].clients[0].id, snapshot_id(&client));
    }
}

fn snapshot_id(client: &impl ScriptRedisClient) -> u64 {
    let id = client.client_id().to_string();
    id.trim_start_matches('#').parse().unwrap()
}

#[test]
fn clients_that_share_a_connection_are_told_by_its_number_and_each_has_its_own_figures() {
    let host = counting();
    let options = ClientOptions::builder().shared(true).build().unwrap();
    let clients = [(); 2].map(|()| host.open_with::<RedisCommandClient>(options.clone()));
    let own: RedisCommandClient = host.open(Protocol::Resp3);
    let key = unique("shared");
    for (client, calls) in clients.iter().zip([2, 5]) {
        for _ in 0..calls {
            client.commands().set::<_, _, ()>(&key, 1).unwrap();
        }
    }
    let [one, other] = clients.each_ref().map(ScriptRedisClient::snapshot);
    assert!(one.shares.is_some());
    assert_eq!(one.shares, other.shares);
    assert_eq!(own.snapshot().shares, None);
    let commands = [one, other].map(|client| client.statistics.unwrap().commands);
    assert_eq!(commands, [2, 5]);
}
