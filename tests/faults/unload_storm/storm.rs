//! Three servers, and the scripts that are unloaded while one of them is gone and one is stalled.

use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use redis_manager::prelude::*;
use redis_manager::redis::{Value, cmd};
use redis_manager::{
    ClientOptionsBuilder, ClientResources, Delivery, OpenRedisClient, Protocol, UnloadReport,
};
use redis_manager_support::TestServer;
use tokio::task::spawn_blocking;

use super::callbacks::Callbacks;
use super::party::{Party, call, calls_until_it_fails};
use super::{BLOCKED_LISTENERS, SHUTDOWN};
use crate::harness::{PATIENCE, eventually};
use crate::process::open_files;

const UNLOADERS: usize = 4;

pub(super) struct Storm {
    pub(super) manager: RedisManager,
    pub(super) live: TestServer,
    pub(super) gone: TestServer,
    pub(super) stalled: TestServer,
    pub(super) callbacks: Arc<Callbacks>,
}

impl Storm {
    pub(super) fn new() -> Self {
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
            callbacks: Arc::new(Callbacks::new()),
        }
    }

    /// The files and tasks that there are while the one server is gone and nobody has opened anything.
    pub(super) fn at_rest(&self) -> (usize, usize) {
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
    pub(super) async fn settle_in(&self, index: usize) -> Party {
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
                self.callbacks
                    .listen(self.open(&script, &self.live, index).await, index)
                    .await,
                self.callbacks
                    .listen_async(self.open(&script, &self.live, index).await, index)
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

    /// Opens and calls what needs one server gone and one stalled.
    pub(super) async fn cut_off(&self, party: &mut Party) {
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

    pub(super) fn expect_everybody_in_place(&self, parties: &[Party], files: usize) {
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
    pub(super) async fn unload(
        &self,
        mut scripts: Vec<ScriptHandle>,
    ) -> (Instant, Vec<UnloadReport>) {
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
    pub(super) async fn expect_silence(&self) {
        let started = self.callbacks.started.load(SeqCst);
        for channel in ["block", "busy"] {
            let receivers = self.live.run(&["PUBLISH", channel, "message"]);
            assert_eq!(receivers.as_int(), Some(0));
        }
        self.callbacks.released.close();
        eventually("the callbacks that blocked have ended", || {
            self.callbacks.running.load(SeqCst) == 0
        });
        assert_eq!(self.callbacks.started.load(SeqCst), started);
        assert_eq!(self.callbacks.started_late.load(SeqCst), 0);
    }
}
