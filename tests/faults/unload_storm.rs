//! Scripts whose clients are in every state there is, all unloaded at the same moment: nothing of them is
//! left, and nothing of them comes back.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt};
use redis_manager::prelude::*;
use redis_manager::redis::{Value, cmd};
use redis_manager::{
    ClientOptionsBuilder, ClientResources, Delivery, OpenRedisClient, Protocol, RedisAsyncSession,
    UnloadReport,
};
use redis_manager_support::TestServer;
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::sleep;

use crate::harness::{PATIENCE, Run, eventually};
use crate::process::open_files;

const SHUTDOWN: Duration = Duration::from_millis(500);
const GONE_WITHIN: Duration = Duration::from_millis(200);
const AT_ONCE: Duration = Duration::from_millis(10);
const UNLOADERS: usize = 4;
/// Of the threads for callbacks, that the rest serve the other listeners.
const BLOCKED_LISTENERS: usize = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_left_of_clients_in_any_state_that_are_all_unloaded_at_once_and_nothing_returns()
{
    let run = Run::begin("unload_storm");
    let storm = Arc::new(Storm::new());
    let (files, tasks) = storm.at_rest();
    let count = run.scale(40, 1_000);

    let mut parties: Vec<_> = stream::iter(0..count)
        .map(|index| storm.settle_in(index))
        .buffer_unordered(32)
        .collect()
        .await;
    storm.gone.kill().unwrap();
    storm.stalled.pause().unwrap();
    for party in &mut parties {
        storm.cut_off(party).await;
    }
    storm.expect_everybody_in_place(&parties, files);

    let publishing = spawn_blocking({
        let storm = Arc::clone(&storm);
        move || {
            while !storm.callbacks.over.load(SeqCst) {
                storm.live.run(&["PUBLISH", "busy", "message"]);
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    });
    let scripts = parties.iter().map(|party| party.script.clone()).collect();
    let (began, reports) = storm.unload(scripts).await;
    storm.callbacks.over.store(true, SeqCst);
    publishing.await.unwrap();
    eventually("no socket and no task is left", || {
        open_files() == files && storm.manager.resources().alive_tasks() == tasks
    });
    let late = began.elapsed().saturating_sub(SHUTDOWN);
    run.report(
        &format!("{count} scripts gone after the deadline (≤ {GONE_WITHIN:?})"),
        format!("{late:.1?}"),
    );
    assert!(reports.iter().all(|report| report.failed().count() == 0));
    let clients: usize = reports.iter().map(|report| report.clients().len()).sum();
    run.report("clients closed", clients);

    let mut answers = Vec::new();
    for party in parties {
        party.expect_closed(&mut answers).await;
    }
    storm.expect_silence().await;
    storm.expect_no_ghosts(&run).await;
    run.report_times("an escaped handle answers", &mut answers, AT_ONCE);
    assert!(!run.is_long() || late <= GONE_WITHIN, "{late:?}");
}

/// One script and its ten clients.
struct Party {
    index: usize,
    script: ScriptHandle,
    commands: Vec<RedisCommandClient>,
    pubsubs: Vec<RedisPubSubClient>,
    /// In the middle of a transaction.
    session: RedisAsyncSession,
    /// What they fail with, and what that must say of the server.
    calls: Vec<(JoinHandle<Error>, Option<Delivery>)>,
    backing_off: RedisCommandClient,
    stalled: RedisCommandClient,
    opening: Option<JoinHandle<Error>>,
}

/// What the listeners of all scripts have in common.
#[derive(Default)]
struct Callbacks {
    started: AtomicUsize,
    running: AtomicUsize,
    /// Once the scripts are unloaded.
    over: AtomicBool,
    started_late: AtomicUsize,
}

struct Running(Arc<Callbacks>);

impl Running {
    fn begin(callbacks: &Arc<Callbacks>) -> Self {
        callbacks.started.fetch_add(1, SeqCst);
        callbacks.running.fetch_add(1, SeqCst);
        if callbacks.over.load(SeqCst) {
            callbacks.started_late.fetch_add(1, SeqCst);
        }
        Self(Arc::clone(callbacks))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, SeqCst);
    }
}

struct Storm {
    manager: RedisManager,
    live: TestServer,
    gone: TestServer,
    stalled: TestServer,
    callbacks: Arc<Callbacks>,
    /// What blocked listeners wait for.
    released: Arc<Semaphore>,
}

impl Storm {
    fn new() -> Self {
        let server = || {
            TestServer::builder()
                .args(["--maxclients", "20000", "--tcp-backlog", "4096"])
                .start_or_panic()
        };
        let resources = ClientResources::builder().callback_threads(2 * BLOCKED_LISTENERS);
        Self {
            manager: RedisManager::with_resources(resources.build().unwrap()),
            live: server(),
            gone: server(),
            stalled: server(),
            callbacks: Arc::default(),
            released: Arc::new(Semaphore::new(0)),
        }
    }

    /// The files and tasks that there are while the one server is gone and nobody has opened anything.
    fn at_rest(&self) -> (usize, usize) {
        self.gone.kill().unwrap();
        let at_rest = (open_files(), self.manager.resources().alive_tasks());
        self.gone.restart().unwrap();
        at_rest
    }

    fn options(index: usize) -> ClientOptionsBuilder {
        ClientOptions::builder()
            .protocol([Protocol::Resp2, Protocol::Resp3][index % 2])
            .shutdown_timeout(SHUTDOWN)
            .connect_timeout(PATIENCE)
            .command_timeout(PATIENCE)
            // A ghost would show soon.
            .reconnect_delay(Duration::from_millis(200))
            // Nor is a stalled server to be noticed while the others are still being set up.
            .heartbeat(None)
    }

    async fn open<C>(&self, script: &ScriptHandle, server: &TestServer, index: usize) -> C
    where
        C: OpenRedisClient + Into<AnyClient>,
    {
        let options = Self::options(index).build().unwrap();
        let opening = self.manager.open_with_async(script, server.url(), options);
        opening.await.unwrap()
    }

    async fn open_lazily(&self, party: &Party, server: &TestServer) -> RedisCommandClient {
        let options = Self::options(party.index).lazy_connect(true).build();
        let opening = self
            .manager
            .open_with_async(&party.script, server.url(), options.unwrap());
        opening.await.unwrap()
    }

    /// Opens what is opened while all servers are there.
    async fn settle_in(&self, index: usize) -> Party {
        let script = self.manager.load_script(format!("script {index}")).unwrap();
        let idle: RedisCommandClient = self.open(&script, &self.live, index).await;
        let busy: RedisCommandClient = self.open(&script, &self.live, index).await;
        let blocked: RedisCommandClient = self.open(&script, &self.live, index).await;
        let owner: RedisCommandClient = self.open(&script, &self.live, index).await;
        let mut session = owner.session_async().await.unwrap();
        for step in [
            cmd("WATCH").arg("key"),
            &mut cmd("MULTI"),
            cmd("GET").arg("key"),
        ] {
            let _: Value = step.query_async(&mut session).await.unwrap();
        }
        let calls = vec![
            (tokio::spawn(calls_until_it_fails(busy.clone())), None),
            (
                call(&blocked, ["BLPOP", "never", "0"]),
                Some(Delivery::Unknown),
            ),
        ];
        Party {
            index,
            pubsubs: vec![
                self.listen(self.open(&script, &self.live, index).await, index)
                    .await,
                self.listen_async(self.open(&script, &self.live, index).await, index)
                    .await,
            ],
            backing_off: self.open(&script, &self.gone, index).await,
            stalled: self.open(&script, &self.stalled, index).await,
            script,
            commands: vec![idle, busy, blocked, owner],
            session,
            calls,
            opening: None,
        }
    }

    async fn listen(&self, client: RedisPubSubClient, index: usize) -> RedisPubSubClient {
        let (callbacks, released) = (Arc::clone(&self.callbacks), Arc::clone(&self.released));
        let blocks = index < BLOCKED_LISTENERS;
        let channel = if blocks { "block" } else { "busy" };
        let listener = client.clone();
        let registering = spawn_blocking(move || {
            listener.register_listener(channel, move |_: &Message| {
                let _running = Running::begin(&callbacks);
                if blocks {
                    // Ends when the semaphore is closed.
                    let _ = pollster::block_on(released.acquire());
                }
                Ok(())
            })
        });
        registering.await.unwrap().unwrap();
        client
    }

    async fn listen_async(&self, client: RedisPubSubClient, index: usize) -> RedisPubSubClient {
        let callbacks = Arc::clone(&self.callbacks);
        let blocks = index.is_multiple_of(2);
        let channel = if blocks { "block" } else { "busy" };
        let registering = client.register_async_listener(channel, move |_: Message| {
            let running = Running::begin(&callbacks);
            async move {
                let _running = running;
                if blocks {
                    std::future::pending::<()>().await;
                }
                Ok(())
            }
        });
        registering.await.unwrap();
        client
    }

    /// Opens and calls what needs one server gone and one stalled.
    async fn cut_off(&self, party: &mut Party) {
        let unconnected = self.open_lazily(party, &self.gone).await;
        let connecting = self.open_lazily(party, &self.stalled).await;
        let (backing_off, stalled) = (party.backing_off.clone(), party.stalled.clone());
        eventually("the client has noticed that its server is gone", || {
            backing_off.state().is_disconnected()
        });
        let unsent = Some(Delivery::NotSent);
        party.calls.extend([
            (call(&connecting, ["GET", "key"]), unsent),
            (call(&backing_off, ["GET", "key"]), unsent),
            (call(&stalled, ["GET", "key"]), Some(Delivery::Unknown)),
        ]);
        party
            .commands
            .extend([unconnected, connecting, backing_off, stalled]);
        let (manager, script) = (self.manager.clone(), party.script.clone());
        let (url, options) = (
            self.stalled.url(),
            Self::options(party.index).build().unwrap(),
        );
        party.opening = Some(tokio::spawn(async move {
            let opening = manager.open_with_async::<RedisCommandClient>(&script, url, options);
            opening.await.unwrap_err()
        }));
    }

    fn expect_everybody_in_place(&self, parties: &[Party], files: usize) {
        for _ in 0..3 {
            self.live.run(&["PUBLISH", "block", "message"]);
        }
        let listeners = BLOCKED_LISTENERS.min(parties.len()) + parties.len().div_ceil(2);
        eventually("the listeners that block do", || {
            self.callbacks.running.load(SeqCst) >= listeners
        });
        eventually("the calls that block do", || {
            let clients = self.live.clients().unwrap();
            let waits = |flags: &str| flags.contains('b');
            let blocked = clients
                .iter()
                .filter(|client| client.field("flags").is_some_and(waits));
            blocked.count() == parties.len()
        });
        let sockets = |party: &Party| {
            if party.index.is_multiple_of(2) {
                13
            } else {
                11
            }
        };
        let sockets: usize = parties.iter().map(sockets).sum();
        eventually("the openings are under way", || {
            open_files() >= files + sockets
        });
        for (call, _) in parties.iter().flat_map(|party| &party.calls) {
            assert!(!call.is_finished());
        }
    }

    /// Unloads all `scripts` from several threads, and says when that began.
    async fn unload(&self, mut scripts: Vec<ScriptHandle>) -> (Instant, Vec<UnloadReport>) {
        let start = Arc::new(Barrier::new(UNLOADERS));
        let share = scripts.len().div_ceil(UNLOADERS);
        let began = Instant::now();
        let unloading: Vec<_> = (0..UNLOADERS)
            .map(|_| {
                let own = scripts.split_off(scripts.len().saturating_sub(share));
                let (manager, start) = (self.manager.clone(), Arc::clone(&start));
                spawn_blocking(move || {
                    start.wait();
                    let unloading = own.iter().map(|script| manager.unload_script_async(script));
                    pollster::block_on(join_all(unloading))
                })
            })
            .collect();
        let reports = join_all(unloading)
            .await
            .into_iter()
            .flat_map(Result::unwrap);
        (began, reports.collect())
    }

    /// No callback begins, whatever is published and whatever ends.
    async fn expect_silence(&self) {
        let started = self.callbacks.started.load(SeqCst);
        for channel in ["block", "busy"] {
            let receivers = self.live.run(&["PUBLISH", channel, "message"]);
            assert_eq!(receivers.as_int(), Some(0));
        }
        self.released.close();
        eventually("the callbacks that blocked have ended", || {
            self.callbacks.running.load(SeqCst) == 0
        });
        assert_eq!(self.callbacks.started.load(SeqCst), started);
        assert_eq!(self.callbacks.started_late.load(SeqCst), 0);
    }

    async fn expect_no_ghosts(&self, run: &Run) {
        assert!(self.live.clients().unwrap().is_empty());
        self.stalled.resume().unwrap();
        eventually("the stalled server has seen all of them go", || {
            self.stalled.clients().unwrap().is_empty()
        });
        let connections = [&self.live, &self.stalled].map(connections_ever);
        sleep(run.scale(Duration::from_secs(2), Duration::from_secs(15))).await;
        self.gone.restart().unwrap();
        let returned = connections_ever(&self.gone);
        // Five times what a client waits at most before it tries again.
        sleep(Duration::from_secs(1)).await;
        assert!(self.gone.clients().unwrap().is_empty());
        assert_eq!(connections_ever(&self.gone), returned);
        assert_eq!(
            [&self.live, &self.stalled].map(connections_ever),
            connections
        );
    }
}

impl Party {
    /// Every handle that the script kept says so at once, and every call has its verdict.
    async fn expect_closed(mut self, answers: &mut Vec<Duration>) {
        let mut expect = |began: Instant, error: Error| {
            answers.push(began.elapsed());
            assert_eq!(error.kind(), ErrorKind::Closed, "{error:?}");
            assert_eq!(
                error.delivery().unwrap_or(Delivery::NotSent),
                Delivery::NotSent
            );
        };
        for client in &self.commands {
            assert_eq!(client.state(), ClientState::Closed);
            let began = Instant::now();
            let refused = client.async_commands().get::<_, Value>("key").await;
            expect(began, refused.unwrap_err().into());
            let began = Instant::now();
            expect(began, client.session_async().await.unwrap_err());
        }
        for client in &self.pubsubs {
            assert_eq!(client.state(), ClientState::Closed);
            let began = Instant::now();
            expect(
                began,
                client.publish_async("busy", "message").await.unwrap_err(),
            );
            let began = Instant::now();
            let refused = client.register_async_listener("busy", async |_| Ok(()));
            expect(began, refused.await.unwrap_err());
        }
        let began = Instant::now();
        let refused = cmd("EXEC").query_async::<Value>(&mut self.session).await;
        expect(began, refused.unwrap_err().into());
        for (call, delivery) in self.calls {
            let error = call.await.unwrap();
            assert_eq!(error.kind(), ErrorKind::Closed, "{error:?}");
            assert!(
                delivery.is_none() || error.delivery() == delivery,
                "{error:?}"
            );
        }
        let refused = self.opening.unwrap().await.unwrap();
        assert_eq!(refused.kind(), ErrorKind::ScriptUnloaded, "{refused:?}");
    }
}

/// Makes a call that shall not be answered, and returns what it fails with.
fn call<const N: usize>(
    client: &RedisCommandClient,
    words: [&'static str; N],
) -> JoinHandle<Error> {
    let mut commands = client.async_commands();
    tokio::spawn(async move {
        let mut command = cmd(words[0]);
        command.arg(&words[1..]);
        command
            .query_async::<Value>(&mut commands)
            .await
            .unwrap_err()
            .into()
    })
}

async fn calls_until_it_fails(client: RedisCommandClient) -> Error {
    loop {
        if let Err(error) = client.async_commands().get::<_, Value>("key").await {
            return error.into();
        }
        sleep(Duration::from_millis(50)).await;
    }
}

/// How many connections the server has taken since it runs.
fn connections_ever(server: &TestServer) -> i64 {
    let info = server.run(&["INFO", "stats"]).text();
    let name = "total_connections_received:";
    let count = info.lines().find_map(|line| line.strip_prefix(name));
    count.unwrap().trim().parse().unwrap()
}
