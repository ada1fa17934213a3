//! What the tests have in common.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use redis_manager::prelude::*;
use redis_manager::{ClientResources, OpenRedisClient, Protocol};
use redis_manager_support::{ClientInfo, TestServer};

/// Bounds a wait that is expected to end at once; it is there to catch a hang.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The protocols that everything is tried in.
pub(crate) const PROTOCOLS: [Protocol; 2] = [Protocol::Resp2, Protocol::Resp3];

/// A name that no other test uses, for keys, channels, scripts and connections of the shared server.
pub(crate) fn unique(what: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("{what}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Waits until `condition` holds.
#[track_caller]
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A manager whose synchronous callbacks run one at a time.
pub(crate) fn with_one_callback_thread() -> RedisManager {
    let resources = ClientResources::builder().callback_threads(1);
    RedisManager::with_resources(resources.build().unwrap())
}

/// A manager with one script, whose connections to the shared server carry a name of their own.
pub(crate) struct Host {
    pub(crate) manager: RedisManager,
    pub(crate) script: ScriptHandle,
    /// The `clientName` of every connection that [`Host::open`] makes.
    pub(crate) name: String,
}

impl Host {
    pub(crate) fn new() -> Self {
        let manager = RedisManager::new().expect("a manager");
        let name = unique("host");
        let script = manager.load_script(&name).expect("a script");
        Self {
            manager,
            script,
            name,
        }
    }

    /// Where [`Host::open`] connects to: the shared server, by this host's name.
    pub(crate) fn url(&self) -> String {
        format!("{}?clientName={}", TestServer::shared().url(), self.name)
    }

    pub(crate) fn open<C>(&self, protocol: Protocol) -> C
    where
        C: OpenRedisClient + Into<AnyClient>,
    {
        self.open_with(ClientOptions::builder().protocol(protocol).build().unwrap())
    }

    /// One client of each kind.
    pub(crate) fn open_three(&self, protocol: Protocol) -> [AnyClient; 3] {
        [
            self.open::<RedisBasicClient>(protocol).into(),
            self.open::<RedisCommandClient>(protocol).into(),
            self.open::<RedisPubSubClient>(protocol).into(),
        ]
    }

    pub(crate) fn open_with<C>(&self, options: ClientOptions) -> C
    where
        C: OpenRedisClient + Into<AnyClient>,
    {
        self.manager
            .open_with(&self.script, self.url(), options)
            .expect("the client opens")
    }

    /// The connections of this host that the server has at this moment.
    pub(crate) fn connections(&self) -> Vec<ClientInfo> {
        let mut clients = TestServer::shared().clients().expect("the admin's view");
        clients.retain(|client| client.name == self.name);
        clients
    }

    /// Waits until the server has exactly `count` connections of this host.
    #[track_caller]
    pub(crate) fn expect_connections(&self, count: usize) {
        eventually(&format!("{count} connections of {}", self.name), || {
            self.connections().len() == count
        });
    }
}
