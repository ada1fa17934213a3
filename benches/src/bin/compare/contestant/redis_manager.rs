//! This project, as its users have it: default options, its own I/O threads beside the host's.

use std::sync::atomic::{AtomicUsize, Ordering};

use redis_manager::{
    ClientOptionsBuilder, ClientResources, OpenRedisClient, RedisAsyncCommands, prelude::*,
};

use super::typed::Typed;
use crate::item::Item;
use crate::role::{Load, Peer, Publishes};

const DEFAULT_QUEUE_BYTES: usize = 64 * 1024 * 1024;

/// One manager; each client is opened for a script of its own.
pub(crate) struct Scripts {
    pub(crate) manager: RedisManager,
    url: String,
    options: ClientOptions,
    allowed: ScriptOptions,
    loaded: AtomicUsize,
}

impl Scripts {
    pub(crate) fn new(load: Load) -> Self {
        Self::with(load, |options| options)
    }

    /// Without the option `busy_poll`.
    pub(crate) fn asleep(load: Load) -> Self {
        Self::with(load, |options| options.busy_poll(None))
    }

    /// Asleep, with all that a host can ask for: limits, a key prefix, a list of denied commands, statistics.
    pub(crate) fn watched(load: Load) -> Self {
        let resources = ClientResources::builder().statistics(true).build();
        let mut watched = Self::on(
            RedisManager::with_resources(resources.expect("resources")),
            load,
            |options| options.busy_poll(None),
        );
        let limits = ScriptLimits::none()
            .with_clients(4)
            .with_listeners(16)
            .with_sessions(2)
            .with_blocking_calls(4)
            .with_callback_threads(2)
            .with_commands_in_flight(1_000)
            .with_bytes_queued(DEFAULT_QUEUE_BYTES)
            .with_operations_per_second(1_000_000)
            .with_openings_per_second(10);
        watched.allowed = ScriptOptions::default()
            .with_limits(limits)
            .with_key_prefix("economy:".parse().expect("a prefix"))
            .with_denied_commands(DeniedCommands::dangerous());
        watched
    }

    fn with(load: Load, change: impl FnOnce(ClientOptionsBuilder) -> ClientOptionsBuilder) -> Self {
        Self::on(RedisManager::new().expect("a manager"), load, change)
    }

    fn on(
        manager: RedisManager,
        load: Load,
        change: impl FnOnce(ClientOptionsBuilder) -> ClientOptionsBuilder,
    ) -> Self {
        let options = manager
            .new_client_options()
            .request_queue_bytes(load.bytes().max(DEFAULT_QUEUE_BYTES));
        Self {
            options: change(options).build().expect("valid options"),
            manager,
            url: load.url(),
            allowed: ScriptOptions::default(),
            loaded: AtomicUsize::new(0),
        }
    }

    pub(crate) fn load(&self) -> ScriptHandle {
        let number = self.loaded.fetch_add(1, Ordering::Relaxed);
        let name = format!("script-{number}");
        let script = self.manager.load_script_with(name, self.allowed.clone());
        script.expect("a script")
    }

    pub(crate) async fn open_for<C>(&self, script: &ScriptHandle) -> C
    where
        C: OpenRedisClient + Into<AnyClient>,
    {
        let (url, options) = (self.url.as_str(), self.options.clone());
        let client = self.manager.open_with_async(script, url, options).await;
        client.expect("a client")
    }

    /// A client of a script of its own.
    pub(crate) async fn open_client<C>(&self) -> C
    where
        C: OpenRedisClient + Into<AnyClient>,
    {
        self.open_for(&self.load()).await
    }
}

impl Peer for Scripts {
    type Client = Typed<RedisAsyncCommands>;

    async fn start(load: Load) -> Self {
        Self::new(load)
    }

    async fn open(&self) -> Self::Client {
        let client: RedisCommandClient = self.open_client().await;
        Typed(client.async_commands())
    }
}

/// The same, with clients whose calls never wait awake.
pub(crate) struct Asleep(Scripts);

impl Peer for Asleep {
    type Client = Typed<RedisAsyncCommands>;

    async fn start(load: Load) -> Self {
        Self(Scripts::asleep(load))
    }

    async fn open(&self) -> Self::Client {
        self.0.open().await
    }
}

/// The same, with clients that share one connection.
pub(crate) struct Shared(Scripts);

impl Peer for Shared {
    type Client = Typed<RedisAsyncCommands>;

    async fn start(load: Load) -> Self {
        Self(Scripts::with(load, |options| options.shared(true)))
    }

    async fn open(&self) -> Self::Client {
        self.0.open().await
    }
}

/// The PUB_SUB client, which publishes.
pub(crate) struct Publishers(Scripts);

impl Peer for Publishers {
    type Client = RedisPubSubClient;

    async fn start(load: Load) -> Self {
        Self(Scripts::new(load))
    }

    async fn open(&self) -> Self::Client {
        self.0.open_client().await
    }
}

impl Publishes for RedisPubSubClient {
    async fn publish(&mut self, item: &Item) {
        let (channel, message): (&[u8], &[u8]) = (&item.key, &item.value);
        let receivers = self.publish_async(channel, message).await;
        assert!(receivers.expect("PUBLISH") == 0, "somebody listens");
    }
}
