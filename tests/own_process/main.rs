//! What can only be seen in a process of one's own: which threads there are, and a warning that comes
//! once a process.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod failures_in_the_log;
mod lines;
#[cfg(target_os = "linux")]
#[path = "../integration/pipe.rs"]
mod pipe;
#[cfg(target_os = "linux")]
mod stalled_files;

use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Instant;

use lines::Lines;
use redis_manager::prelude::*;
use redis_manager::{ClientResources, CloseOutcome};
use redis_manager_support::TestServer;

const PATIENCE: Duration = Duration::from_secs(20);

/// One test at a time: they count the process's threads.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[track_caller]
fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The library's threads in this process, by name.
#[cfg(target_os = "linux")]
fn threads() -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir("/proc/self/task")
        .unwrap()
        // A thread may end while it is looked at.
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok())
        .map(|name| name.trim().to_owned())
        .filter(|name| name.starts_with("redis-io") || name.starts_with("redis-callback"))
        .collect();
    names.sort();
    names
}

#[cfg(target_os = "linux")]
#[test]
fn the_threads_of_a_manager_end_with_its_shutdown_or_its_last_handle() {
    let _alone = alone();
    eventually("those of other tests are gone", || threads().is_empty());
    for end in ["shutdown", "shutdown_async", "dropped", "dropped last"] {
        let manager = RedisManager::new().unwrap();
        let script = manager.load_script("threads").unwrap();
        let pubsub: RedisPubSubClient = manager.open(&script, TestServer::shared().url()).unwrap();
        let command: RedisCommandClient =
            manager.open(&script, TestServer::shared().url()).unwrap();
        let (sender, heard) = mpsc::channel();
        pubsub
            .register_listener("threads", move |_: &Message| Ok(sender.send(())?))
            .unwrap();
        pubsub.publish("threads", "hello").unwrap();
        heard.recv_timeout(PATIENCE).unwrap();
        command.commands().set::<_, _, ()>("threads", 1).unwrap();
        let names = threads();
        assert!(names.iter().any(|name| name == "redis-io"), "{names:?}");
        assert!(
            names.iter().any(|name| name == "redis-callback"),
            "{names:?}"
        );
        match end {
            "shutdown" => drop(manager.shutdown().unwrap()),
            "shutdown_async" => drop(pollster::block_on(manager.shutdown_async())),
            "dropped" => drop(manager),
            _ => {
                // In a runtime, where one of tokio's own must not be dropped.
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .build()
                    .unwrap();
                runtime.block_on(async { drop(manager) });
            }
        }
        // With the last manager alone, the clients that a script kept hold the threads.
        drop((pubsub, command));
        eventually(&format!("no thread is left, {end}"), || {
            threads().is_empty()
        });
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_shutdown_ends_the_threads_though_handles_escaped_and_a_callback_never_returns() {
    let _alone = alone();
    let manager = RedisManager::new().unwrap();
    let script = manager.load_script("stuck").unwrap();
    let options = ClientOptions::builder().shutdown_timeout(Duration::from_millis(50));
    let pubsub: RedisPubSubClient = manager
        .open_with(
            &script,
            TestServer::shared().url(),
            options.build().unwrap(),
        )
        .unwrap();
    let (start, started) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let listener = pubsub.register_listener("stuck", move |_: &Message| {
        start.send(())?;
        let _ = released.recv();
        Ok(())
    });
    let listener = listener.unwrap();
    pubsub.publish("stuck", "stay").unwrap();
    started.recv_timeout(PATIENCE).unwrap();

    let reports = manager.shutdown().unwrap();
    let running: Vec<_> = reports[0].running_callbacks().collect();
    assert_eq!(running, ["stuck"]);
    eventually("only the stuck one is left", || {
        threads() == ["redis-callback"]
    });
    assert_eq!(
        pubsub.publish("stuck", 1).unwrap_err().kind(),
        ErrorKind::Closed
    );
    assert!(matches!(
        pubsub.close().outcome(),
        CloseOutcome::AlreadyClosed
    ));
    listener.unregister().unwrap();
    release.send(()).unwrap();
    eventually("no thread is left", || threads().is_empty());
}

#[cfg(target_os = "linux")]
#[test]
fn shared_resources_keep_their_threads_until_the_last_handle_is_gone() {
    let _alone = alone();
    let resources = ClientResources::builder().io_threads(1).build().unwrap();
    let manager = RedisManager::with_resources(resources.clone());
    let script = manager.load_script("shared").unwrap();
    let client: RedisCommandClient = manager.open(&script, TestServer::shared().url()).unwrap();
    manager.shutdown().unwrap();
    let kinds = || {
        let mut names = threads();
        names.dedup();
        names
    };
    eventually("its threads are there", || {
        kinds() == ["redis-callback", "redis-io"]
    });
    drop((manager, client));
    eventually("its threads are there still", || {
        kinds() == ["redis-callback", "redis-io"]
    });
    drop(resources);
    eventually("no thread is left", || threads().is_empty());
}

#[test]
fn a_blocking_call_inside_a_task_works_and_warns_once() {
    let _alone = alone();
    let lines = Lines::default();
    tracing::subscriber::set_global_default(lines.clone()).unwrap();
    let warnings = || {
        let lines = lines.all().into_iter();
        lines
            .filter(|line| line.contains("inside a tokio task"))
            .count()
    };
    let manager = RedisManager::new().unwrap();
    let script = manager.load_script("warns").unwrap();
    let client: RedisCommandClient = manager.open(&script, TestServer::shared().url()).unwrap();
    let pubsub: RedisPubSubClient = manager.open(&script, TestServer::shared().url()).unwrap();
    // A plain thread is there to be blocked, and so is a listener's.
    client.commands().set::<_, _, ()>("warns", 1).unwrap();
    let (sender, done) = mpsc::channel();
    for is_async in [false, true] {
        let channel = if is_async { "async" } else { "sync" };
        let (own, sender) = (client.clone(), sender.clone());
        if is_async {
            let registering = pubsub.register_async_listener(channel, move |_| {
                let (mut own, sender) = (own.commands(), sender.clone());
                async move {
                    own.set::<_, _, ()>("warns", 2)?;
                    Ok(sender.send(())?)
                }
            });
            pollster::block_on(registering).unwrap();
        } else {
            let registered = pubsub.register_listener(channel, move |_: &Message| {
                own.commands().set::<_, _, ()>("warns", 2)?;
                Ok(sender.send(())?)
            });
            registered.unwrap();
        }
        pubsub.publish(channel, "go").unwrap();
        done.recv_timeout(PATIENCE).unwrap();
    }
    assert_eq!(warnings(), 0);

    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .unwrap();
    for _ in 0..3 {
        let mut commands = client.commands();
        let task = runtime.spawn(async move { commands.get::<_, i64>("warns").unwrap() });
        assert_eq!(runtime.block_on(task).unwrap(), 2);
    }
    assert_eq!(warnings(), 1);
    manager.shutdown().unwrap();
}
