//! What all clients of a script have in common.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::{
    ClientContext, ClientId, ClientOptions, ClientResources, ClientSnapshot, ClientState,
    ClientType, CloseOutcome, CloseReport, EventStream, RedisUri, Result, ScriptHandle,
    UnderlyingClient, wait,
};

/// A Redis client that a script owns; PySpigot's `ScriptRedisClient`. Object-safe.
///
/// Handles are cheap to clone and `Send + Sync`. The script owns the client, not the handle: dropping
/// a handle closes nothing.
#[async_trait]
pub trait ScriptRedisClient: fmt::Debug + Send + Sync {
    /// What the client shares with clients of other kinds.
    fn context(&self) -> &Arc<ClientContext>;

    /// Closes the client: refuses new work, waits for what is in flight at most the option
    /// `shutdown_timeout`, then cuts what is left and says so. A second close does nothing.
    ///
    /// Goes on by itself if the future is dropped after its first poll. Inside a callback it does not
    /// wait: the closing goes on in the background.
    async fn close_async(&self) -> CloseReport;

    /// The blocking twin of [`close_async`](ScriptRedisClient::close_async).
    fn close(&self) -> CloseReport {
        wait(self.close_async()).unwrap_or_else(|error| {
            CloseReport::new(
                self.client_id(),
                self.client_type(),
                CloseOutcome::Failed(error),
            )
        })
    }

    /// The script that owns the client.
    fn script(&self) -> &ScriptHandle {
        self.context().script()
    }

    /// The client's number, unique in the process.
    fn client_id(&self) -> ClientId {
        self.context().client_id()
    }

    /// The client's kind.
    fn client_type(&self) -> ClientType {
        self.context().client_type()
    }

    /// Where the client connects to. Its `Display` masks the password.
    fn redis_uri(&self) -> &RedisUri {
        self.context().uri()
    }

    /// The options it was opened with.
    fn client_options(&self) -> &ClientOptions {
        self.context().options()
    }

    /// The client of the `redis` crate for the same server, for what this library does not offer.
    /// Connections that are opened through it belong to whoever opens them: nothing closes them
    /// with the script.
    fn redis_client(&self) -> UnderlyingClient {
        self.context().underlying()
    }

    /// What the client is doing.
    fn state(&self) -> ClientState {
        self.context().state()
    }

    /// The client at this moment, in figures. Does not block, and disturbs no call.
    ///
    /// ```no_run
    /// # fn example(client: &dyn redis_manager_core::ScriptRedisClient) {
    /// let now = client.snapshot();
    /// eprintln!("{}: {} in flight, {} bytes wait", now.state, now.in_flight, now.requests.bytes);
    /// # }
    /// ```
    fn snapshot(&self) -> ClientSnapshot {
        self.context().snapshot()
    }

    /// The client's events from now on.
    fn events(&self) -> EventStream {
        self.context().events()
    }
}

/// A kind of client that can be opened for a script by its type.
#[async_trait]
pub trait OpenRedisClient: ScriptRedisClient + Clone + Sized + 'static {
    /// The kind.
    const CLIENT_TYPE: ClientType;

    /// Opens a client for `script`. Nothing is left of a failed opening.
    ///
    /// This is for whoever uses a layer alone, and closes what it opens. **A manager does not know the
    /// client**, and does not close it with its script: with a manager, use its `open`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::ScriptUnloaded`](crate::ErrorKind::ScriptUnloaded) if the script is unloaded before
    /// the client is open; otherwise what kept it from connecting, with the address and the cause,
    /// within the option `connect_timeout`.
    async fn open_async(
        script: &ScriptHandle,
        uri: RedisUri,
        options: ClientOptions,
        resources: &ClientResources,
    ) -> Result<Self>;

    /// The blocking twin of [`open_async`](OpenRedisClient::open_async).
    ///
    /// # Errors
    ///
    /// As its twin; [`ErrorKind::WouldDeadlock`](crate::ErrorKind::WouldDeadlock) on an I/O thread of
    /// the library.
    fn open(
        script: &ScriptHandle,
        uri: RedisUri,
        options: ClientOptions,
        resources: &ClientResources,
    ) -> Result<Self> {
        wait(Self::open_async(script, uri, options, resources))?
    }
}
