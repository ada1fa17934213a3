//! A script that has as much as its host allows gets no more, hears so by name, and disturbs nobody.

use std::net::TcpListener;
use std::sync::mpsc;

use futures_util::FutureExt;
use redis_manager::prelude::*;
use redis_manager::redis::{cmd, pipe};
use redis_manager::{LimitName, OpenRedisClient};
use redis_manager_support::TestServer;

use crate::fixture::{Host, PATIENCE, eventually, unique};
use crate::listening::publish_from_outside;

pub(crate) fn limited(limits: ScriptLimits) -> Host {
    let mut host = Host::new();
    let options = ScriptOptions::default().with_limits(limits);
    host.script = host
        .manager
        .load_script_with(unique("limited"), options)
        .unwrap();
    host
}

fn try_open<C>(host: &Host) -> Result<C, Error>
where
    C: OpenRedisClient + Into<AnyClient>,
{
    host.manager.open(&host.script, host.url())
}

#[track_caller]
pub(crate) fn assert_limited<T>(
    outcome: Result<T, impl Into<Error>>,
    limit: LimitName,
    most: usize,
) {
    let error: Error = outcome.err().expect("it is refused").into();
    assert_eq!(error.kind(), ErrorKind::LimitExceeded, "{error}");
    assert_eq!(error.delivery(), Some(Delivery::NotSent));
    let names = format!("is limited to {limit} {most}");
    assert!(error.message().ends_with(&names), "{error}");
}

/// A client whose calls wait, because nobody answers at its address.
fn waiting_client(host: &Host) -> (RedisCommandClient, TcpListener) {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let options = ClientOptions::builder()
        .lazy_connect(true)
        .connect_timeout(PATIENCE)
        .shutdown_timeout(Duration::ZERO);
    let address = ("127.0.0.1", silent.local_addr().unwrap().port());
    let opened = host
        .manager
        .open_with(&host.script, address, options.build().unwrap());
    (opened.unwrap(), silent)
}

#[test]
fn clients_of_all_kinds_are_limited_until_they_are_closed() {
    let host = limited(ScriptLimits::none().with_clients(2));
    let basic: RedisBasicClient = try_open(&host).unwrap();
    let command: RedisCommandClient = try_open(&host).unwrap();
    assert_limited(try_open::<RedisPubSubClient>(&host), LimitName::Clients, 2);
    command
        .commands()
        .set::<_, _, ()>(unique("key"), 1)
        .unwrap();
    basic.close();
    let pubsub: RedisPubSubClient = try_open(&host).unwrap();
    assert_limited(try_open::<RedisBasicClient>(&host), LimitName::Clients, 2);
    pubsub.close();

    // What could not be opened takes no place.
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = nobody.local_addr().unwrap().port();
    drop(nobody);
    for _ in 0..3 {
        let opened = host
            .manager
            .open::<RedisCommandClient>(&host.script, ("127.0.0.1", port));
        assert_eq!(opened.unwrap_err().kind(), ErrorKind::Connect);
    }
    assert_eq!(host.script.used(LimitName::Clients), Some(1));
    try_open::<RedisPubSubClient>(&host).unwrap();

    assert!(host.manager.unload_script(&host.script).is_clean());
    assert_eq!(host.script.used(LimitName::Clients), Some(0));
}

#[test]
fn listeners_are_limited_over_all_clients_of_a_script() {
    let host = limited(ScriptLimits::none().with_listeners(2));
    let one: RedisPubSubClient = try_open(&host).unwrap();
    let other: RedisPubSubClient = try_open(&host).unwrap();
    let channel = unique("limited");
    let listen =
        |client: &RedisPubSubClient| client.register_listener(&channel, |_: &Message| Ok(()));
    let first = listen(&one).unwrap();
    let second = other.messages(&channel).unwrap();
    assert_limited(listen(&other), LimitName::Listeners, 2);
    first.unregister().unwrap();
    listen(&one).unwrap();
    assert_limited(listen(&one), LimitName::Listeners, 2);
    drop(second);
    one.close();
    other.close();
    assert_eq!(host.script.used(LimitName::Listeners), Some(0));
}

#[test]
fn commands_in_flight_are_limited_and_a_pipeline_counts_as_its_commands() {
    let host = limited(ScriptLimits::none().with_commands_in_flight(3));
    let (client, _silent) = waiting_client(&host);
    let mut calls: Vec<_> = (0..2)
        .map(|_| {
            let mut commands = client.async_commands();
            Box::pin(async move { commands.get::<_, Option<i64>>("key").await })
        })
        .collect();
    for call in &mut calls {
        assert!(call.as_mut().now_or_never().is_none());
    }
    let mut two = pipe();
    two.cmd("PING").cmd("PING");
    let refused = two.query::<()>(&mut client.commands());
    assert_limited(refused, LimitName::CommandsInFlight, 3);
    let refused = two.atomic().query::<()>(&mut client.commands());
    assert_limited(refused, LimitName::CommandsInFlight, 3);

    // One that is given up makes room.
    drop(calls.pop());
    eventually("the place is free", || {
        host.script.used(LimitName::CommandsInFlight) == Some(1)
    });
    let mut commands = client.async_commands();
    let mut pipeline = Box::pin(two.query_async::<()>(&mut commands));
    assert!(pipeline.as_mut().now_or_never().is_none());
    assert_limited(
        client.commands().get::<_, i64>("key"),
        LimitName::CommandsInFlight,
        3,
    );
    client.close();
    drop((calls, pipeline));
    assert_eq!(host.script.used(LimitName::CommandsInFlight), Some(0));
}

#[test]
fn bytes_that_wait_are_limited_and_given_back() {
    let host = limited(ScriptLimits::none().with_bytes_queued(1000));
    let (client, _silent) = waiting_client(&host);
    let mut commands = client.async_commands();
    let mut waits = Box::pin(commands.set::<_, _, ()>("key", vec![b'x'; 600]));
    assert!(waits.as_mut().now_or_never().is_none());
    let refused = client.commands().set::<_, _, ()>("key", vec![b'x'; 600]);
    assert_limited(refused, LimitName::BytesQueued, 1000);
    client.close();
    drop(waits);
    assert_eq!(host.script.used(LimitName::BytesQueued), Some(0));

    let client: RedisCommandClient = try_open(&host).unwrap();
    for _ in 0..50 {
        let key = unique("key");
        client
            .commands()
            .set::<_, _, ()>(&key, vec![b'x'; 900])
            .unwrap();
        client.commands().del::<_, ()>(&key).unwrap();
    }
    assert_eq!(host.script.used(LimitName::BytesQueued), Some(0));
}

#[test]
fn operations_are_limited_in_a_second_and_come_again_in_the_next() {
    // Fewer than one an hour come back, so that the count does not depend on the clock.
    let host = limited(ScriptLimits::none().with_operations_per_second(10));
    let client: RedisCommandClient = try_open(&host).unwrap();
    let mut pipeline = pipe();
    for _ in 0..11 {
        pipeline.cmd("PING");
    }
    let too_many = pipeline.query::<()>(&mut client.commands());
    assert_limited(too_many, LimitName::OperationsPerSecond, 10);

    let mut granted = 0;
    let refused = loop {
        match cmd("PING").exec(&mut client.commands()) {
            Ok(()) => granted += 1,
            Err(error) => break error,
        }
        assert!(granted < 100_000, "it is never refused");
    };
    assert!(granted >= 10, "{granted}");
    assert_limited(Err::<(), _>(refused), LimitName::OperationsPerSecond, 10);
    eventually("the next ones are granted", || {
        cmd("PING").exec(&mut client.commands()).is_ok()
    });
}

#[test]
fn sessions_and_blocking_calls_are_limited_while_they_are_out() {
    let limits = ScriptLimits::none().with_sessions(1).with_blocking_calls(1);
    let host = limited(limits);
    let client: RedisCommandClient = try_open(&host).unwrap();
    let session = client.session().unwrap();
    assert_limited(client.session(), LimitName::Sessions, 1);
    drop(session);
    drop(client.session().unwrap());

    let list = unique("list");
    let mut commands = client.async_commands();
    let mut waits = Box::pin(commands.blpop::<_, Option<(String, String)>>(&list, 0.0));
    assert!(waits.as_mut().now_or_never().is_none());
    let refused = client.commands().blpop::<_, ()>(&list, 1.0);
    assert_limited(refused, LimitName::BlockingCalls, 1);
    let refused = pipe()
        .cmd("BLPOP")
        .arg(&list)
        .arg(1)
        .query::<()>(&mut client.commands());
    assert_limited(refused, LimitName::BlockingCalls, 1);
    client.commands().rpush::<_, _, ()>(&list, "one").unwrap();
    let popped = pollster::block_on(waits).unwrap();
    assert_eq!(popped, Some((list.clone(), "one".to_owned())));
    client.commands().rpush::<_, _, ()>(&list, "two").unwrap();
    client.commands().blpop::<_, ()>(&list, 1.0).unwrap();
}

#[test]
fn listeners_that_block_keep_no_thread_from_other_scripts() {
    let host = limited(ScriptLimits::none().with_callback_threads(1));
    let pubsub: RedisPubSubClient = try_open(&host).unwrap();
    let (release, blocked) = mpsc::channel::<()>();
    let blocked = std::sync::Arc::new(std::sync::Mutex::new(blocked));
    let (entered, inside) = mpsc::channel();
    let channel = unique("blocking");
    // More than there are threads.
    for _ in 0..40 {
        let (blocked, entered) = (blocked.clone(), entered.clone());
        let listener = pubsub.register_listener(&channel, move |_: &Message| {
            entered.send(()).unwrap();
            let _ = blocked.lock().unwrap().recv_timeout(PATIENCE);
            Ok(())
        });
        listener.unwrap();
    }
    publish_from_outside(&channel, "block");
    inside.recv_timeout(PATIENCE).unwrap();

    let other = host.manager.load_script(unique("other")).unwrap();
    let client: RedisPubSubClient = host
        .manager
        .open(&other, TestServer::shared().url())
        .unwrap();
    let (heard, hears) = mpsc::channel();
    let free = unique("free");
    let listener = client.register_listener(&free, move |_: &Message| {
        heard.send(()).unwrap();
        Ok(())
    });
    listener.unwrap();
    client.publish(&free, "hello").unwrap();
    hears.recv_timeout(PATIENCE).unwrap();
    assert_eq!(host.script.used(LimitName::CallbackThreads), Some(1));
    assert!(
        inside.try_recv().is_err(),
        "a second one of the script runs"
    );

    for _ in 0..40 {
        release.send(()).unwrap();
    }
    for _ in 1..40 {
        inside.recv_timeout(PATIENCE).unwrap();
    }
    eventually("all have had their turn", || {
        host.script.used(LimitName::CallbackThreads) == Some(0)
    });
}

#[test]
fn a_script_that_is_reloaded_keeps_its_limits_unless_it_gets_others() {
    let host = limited(ScriptLimits::none().with_clients(1));
    let name = host.script.name().to_owned();
    try_open::<RedisBasicClient>(&host).unwrap();
    let (next, _) = host.manager.reload_script(&name).unwrap().finish().unwrap();
    assert_eq!(next.options(), host.script.options());
    assert_eq!(next.used(LimitName::Clients), Some(0));
    let none = ScriptOptions::default();
    let reload = host.manager.reload_script_with(&name, none).unwrap();
    let (free, _) = reload.finish().unwrap();
    assert_eq!(free.used(LimitName::Clients), None);
}

#[test]
fn openings_are_limited_in_a_second_and_come_again_in_the_next() {
    let host = limited(ScriptLimits::none().with_openings_per_second(2));
    let refused = loop {
        match try_open::<RedisBasicClient>(&host) {
            Ok(client) => drop(client.close()),
            Err(error) => break error,
        }
    };
    assert_limited(Err::<(), _>(refused), LimitName::OpeningsPerSecond, 2);
    eventually("the next one is granted", || {
        try_open::<RedisBasicClient>(&host).is_ok()
    });
}
