//! The BASIC client: a script's way to the underlying client.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use deadpool_redis::Pool;
use parking_lot::Mutex;
use redis::RedisError;

use crate::pool::build_pool;
use crate::{
    ClientContext, ClientOptions, ClientResources, ClientSnapshot, ClientType, CloseReport,
    Deadline, Delivery, Error, ErrorKind, ExclusiveConnection, OpenRedisClient, PoolSnapshot,
    RedisUri, Result, ScriptHandle, ScriptRedisClient, Teardown, UnderlyingClient, wait,
};

/// A client that opens no connection itself; PySpigot's `ClientType.BASIC`.
///
/// It answers [`redis_uri`](ScriptRedisClient::redis_uri),
/// [`client_options`](ScriptRedisClient::client_options) and
/// [`redis_client`](ScriptRedisClient::redis_client), and builds a pool on demand. As in the seed,
/// opening one succeeds without a server.
///
/// ```no_run
/// use redis_manager_core::*;
///
/// let resources = ClientResources::new()?;
/// let script = ScriptHandle::new("economy");
/// let uri = "redis://localhost".parse()?;
/// let client = RedisBasicClient::open(&script, uri, ClientOptions::default(), &resources)?;
/// assert_eq!(client.ping()?, "PONG");
/// client.close();
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone)]
pub struct RedisBasicClient {
    context: Arc<ClientContext>,
    pool: Arc<LazyPool>,
}

/// The pool of a BASIC client, once it was asked for.
#[derive(Default)]
struct LazyPool(Mutex<PoolState>);

#[derive(Default)]
enum PoolState {
    #[default]
    Unused,
    Open(Pool),
    Closed,
}

impl RedisBasicClient {
    /// A pool of connections to the server, built at the first call, with the size of the option
    /// `session_pool_size`, and closed with the client: then it hands out no connection any more.
    /// Does not connect. Its connections want a tokio runtime, that of the caller, and have no deadline for
    /// a reply, so that blocking commands work on them.
    ///
    /// # Errors
    ///
    /// [`Closed`](crate::ErrorKind::Closed) if the client is closed; [`Unsupported`](crate::ErrorKind::Unsupported) for a
    /// Sentinel URI.
    pub fn pool(&self) -> Result<Pool> {
        let _in_flight = self.context.admit()?;
        let mut state = self.pool.0.lock();
        match &*state {
            PoolState::Open(pool) => Ok(pool.clone()),
            PoolState::Closed => Err(self.context.closed_error()),
            PoolState::Unused => {
                let pool = self.build_pool()?;
                *state = PoolState::Open(pool.clone());
                Ok(pool)
            }
        }
    }

    fn build_pool(&self) -> Result<Pool> {
        let UnderlyingClient::Single(client) = self.context.underlying() else {
            // No BASIC client is opened that has none for another reason.
            let message = "a pool has connections to one server; open a COMMAND client, whose connection follows the \
                           sentinels' master, or a cluster's slots";
            return Err(self.context.error(ErrorKind::Unsupported, message));
        };
        let size = self.context.options().session_pool_size();
        build_pool(&self.context, client.get_connection_info(), size)
    }

    /// Asks the server for a sign of life over a connection made for it, blocking the thread. Returns
    /// what it answers, `PONG`. See <https://redis.io/docs/latest/commands/ping/>.
    ///
    /// # Errors
    ///
    /// What kept it from connecting or from answering, within the option `connect_timeout`;
    /// [`Closed`](crate::ErrorKind::Closed); [`WouldDeadlock`](crate::ErrorKind::WouldDeadlock) on an I/O thread of the library.
    pub fn ping(&self) -> Result<String> {
        wait(self.ping_async())?
    }

    /// The asynchronous twin of [`ping`](Self::ping).
    ///
    /// # Errors
    ///
    /// As its twin.
    pub async fn ping_async(&self) -> Result<String> {
        let deadline = Deadline::after(self.context.options().connect_timeout());
        let context = Arc::clone(&self.context);
        let ping = self.context.run_admitted(async move {
            let connection = ExclusiveConnection::open_async(&context)
                .await
                .map_err(|error| error.with_delivery(Delivery::NotSent))?;
            let reply = connection
                .request_async(&redis::cmd("PING"), deadline)
                .await?;
            Ok(redis::from_redis_value(reply.extract_error()?).map_err(RedisError::from)?)
        });
        ping.await.map_err(|error| error.with_command("PING"))
    }
}

#[async_trait]
impl ScriptRedisClient for RedisBasicClient {
    fn context(&self) -> &Arc<ClientContext> {
        &self.context
    }

    fn snapshot(&self) -> ClientSnapshot {
        let mut snapshot = self.context.snapshot();
        if let PoolState::Open(pool) = &*self.pool.0.lock() {
            let status = pool.status();
            let out = status.size.saturating_sub(status.available);
            snapshot.sessions = PoolSnapshot::new(out, status.available, status.waiting);
        }
        snapshot
    }

    async fn close_async(&self) -> CloseReport {
        let pool: Arc<LazyPool> = Arc::clone(&self.pool);
        self.context.close(pool).await
    }
}

#[async_trait]
impl OpenRedisClient for RedisBasicClient {
    const CLIENT_TYPE: ClientType = ClientType::Basic;

    async fn open_async(
        script: &ScriptHandle,
        uri: RedisUri,
        options: ClientOptions,
        resources: &ClientResources,
    ) -> Result<Self, Error> {
        let _pass = script.gate().pass()?;
        if options.credentials().is_some() {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "a BASIC client logs in as its URI says, and asks no credentials provider",
            ));
        }
        let context =
            ClientContext::new_async(script, Self::CLIENT_TYPE, uri, options, resources).await?;
        Ok(Self {
            context,
            pool: Arc::default(),
        })
    }
}

#[async_trait]
impl Teardown for LazyPool {
    fn release(&self) {
        let state = std::mem::replace(&mut *self.0.lock(), PoolState::Closed);
        if let PoolState::Open(pool) = state {
            pool.close();
        }
    }
}

impl fmt::Debug for RedisBasicClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RedisBasicClient")
            .field(&self.context)
            .finish()
    }
}
