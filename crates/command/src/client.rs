//! The COMMAND client.

use std::fmt;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use redis_manager_core::redis::{Cmd, Pipeline, Value};
use redis_manager_core::route::{Route, route, route_pipeline, upper_name};
use redis_manager_core::{
    ClientContext, ClientOptions, ClientResources, ClientSnapshot, ClientType, CloseReport,
    Connection, Deadline, LimitName, OpenRedisClient, RedisUri, Result, ScriptHandle,
    ScriptRedisClient, Teardown, wait,
};

use crate::connection_pool::is_lost_unsent;
use crate::lease::Lease;
use crate::session_pool::{Purpose, SessionPools};
use crate::{RedisAsyncCommands, RedisAsyncSession, RedisCommands, RedisSession};

/// A client that runs commands; PySpigot's `ClientType.COMMAND`.
///
/// All calls share one connection, except those that would hold it up or change it: blocking commands
/// run on connections of their own by themselves, and what speaks of its connection (WATCH, MULTI,
/// SELECT, WAIT) runs in a [`session`](Self::session).
///
/// A call that waits in a blocking command is in flight: closing the client waits for it, at most the
/// option `shutdown_timeout`, and then cuts it off.
///
/// Cheap to clone; the script owns the client, so dropping a handle closes nothing.
#[derive(Clone)]
pub struct RedisCommandClient(Arc<Inner>);

struct Inner {
    context: Arc<ClientContext>,
    connection: Connection,
    /// Made when they are needed: most clients never do.
    sessions: OnceLock<Arc<SessionPools>>,
}

impl Inner {
    fn sessions(&self) -> &Arc<SessionPools> {
        self.sessions
            .get_or_init(|| SessionPools::new(&self.context, &self.connection))
    }
}

impl RedisCommandClient {
    /// The connection that the client's calls share.
    #[must_use]
    pub fn connection(&self) -> &Connection {
        &self.0.connection
    }

    /// The blocking commands. Does not block itself.
    ///
    /// The handle is the caller's own, because the traits of `redis` take `&mut self`.
    ///
    /// ```no_run
    /// # fn example(client: redis_manager_command::RedisCommandClient) -> redis::RedisResult<()> {
    /// use redis_manager_command::redis::{self, Commands};
    ///
    /// let mut commands = client.commands();
    /// commands.set::<_, _, ()>("balance:alice", 100)?;
    /// let balance: i64 = commands.incr("balance:alice", 5)?;
    /// let (a, b): (i64, i64) = redis::pipe().atomic().get("x").get("y").query(&mut commands)?;
    ///
    /// // An iterator borrows its handle, so the handle must have a name.
    /// for key in commands.scan_match::<_, String>("balance:*")? {
    ///     println!("{}", key?);
    /// }
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn commands(&self) -> RedisCommands {
        RedisCommands::new(self.clone())
    }

    /// The asynchronous commands, for any executor.
    ///
    /// One call after the other works on the temporary. For calls at the same time, bind a handle
    /// each: a future borrows its handle, and a temporary does not live long enough (E0716).
    ///
    /// ```no_run
    /// # async fn example(client: redis_manager_command::RedisCommandClient) -> redis::RedisResult<()> {
    /// use redis_manager_command::redis::{self, AsyncCommands};
    ///
    /// let balance: i64 = client.async_commands().get("balance:alice").await?;
    ///
    /// let (mut one, mut other) = (client.async_commands(), client.async_commands());
    /// let (a, b): (i64, i64) = tokio::try_join!(one.get("x"), other.get("y"))?;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn async_commands(&self) -> RedisAsyncCommands {
        RedisAsyncCommands::new(self.clone())
    }

    /// Takes a connection that nobody else uses, blocking the thread until one is free or made. At
    /// most the option `session_pool_size` are out at a time; dropping a session gives it back.
    ///
    /// In a cluster that holds for each node. A session has no connection there before its first command, and goes to the
    /// node of its next command's keys for as long as nothing of its user is left where it is, such as a WATCH. A MULTI by
    /// hand is refused there unless something is watched, because it does not say which node it is for.
    ///
    /// # Errors
    ///
    /// [`PoolExhausted`](redis_manager_core::ErrorKind::PoolExhausted) if none becomes free within the
    /// command timeout; otherwise as opening a client;
    /// [`WouldDeadlock`](redis_manager_core::ErrorKind::WouldDeadlock) on an I/O thread of the library.
    ///
    /// ```no_run
    /// # fn example(client: redis_manager_command::RedisCommandClient) -> redis_manager_core::Result<()> {
    /// use redis_manager_command::redis::{self, Commands};
    ///
    /// let mut session = client.session()?;
    /// let (balance,): (i64,) = session.transaction("balance", |tx| {
    ///     let balance: i64 = tx.get("balance")?;
    ///     tx.queue().set("balance", balance * 2).ignore().get("balance");
    ///     Ok(())
    /// })?;
    /// # Ok(()) }
    /// ```
    pub fn session(&self) -> Result<RedisSession> {
        wait(Lease::of_session(self.0.sessions()))?.map(RedisSession::new)
    }

    /// The asynchronous twin of [`session`](Self::session).
    ///
    /// # Errors
    ///
    /// As its twin.
    pub async fn session_async(&self) -> Result<RedisAsyncSession> {
        Lease::of_session(self.0.sessions())
            .await
            .map(RedisAsyncSession::new)
    }

    pub(crate) async fn request(&self, cmd: &Cmd) -> Result<Value> {
        match route(cmd)? {
            Route::Shared => {
                let reply = self.0.connection.request_routed(cmd).await?;
                match self.0.context.explained(&reply, false) {
                    None => Ok(reply),
                    Some(error) => Err(error.with_command(upper_name(cmd))),
                }
            }
            // Boxed, because a future has room for its largest part, and most calls need none of it.
            Route::Blocking(_) => Box::pin(self.request_blocking(cmd)).await,
        }
    }

    pub(crate) async fn request_pipeline(&self, pipeline: &Pipeline) -> Result<Vec<Value>> {
        match route_pipeline(pipeline)? {
            Route::Shared => self.0.connection.request_pipeline_routed(pipeline).await,
            Route::Blocking(_) => Box::pin(self.request_blocking_pipeline(pipeline)).await,
        }
    }

    async fn request_blocking(&self, cmd: &Cmd) -> Result<Value> {
        let share = self.0.sessions().share(LimitName::BlockingCalls);
        let _share = share.map_err(|error| error.with_command(upper_name(cmd)))?;
        let deadline = Deadline::after(self.0.context.command_timeout());
        loop {
            let leased = Lease::take(self.0.sessions(), Purpose::BlockingCall, deadline);
            let mut lease = leased
                .await
                .map_err(|error| error.with_command(upper_name(cmd)))?;
            match lease.request_by(cmd, deadline).await {
                // A connection of the pool may be lost just before it is used; then another one is.
                Err(error) if is_lost_unsent(&error) => {}
                outcome => return outcome,
            }
        }
    }

    async fn request_blocking_pipeline(&self, pipeline: &Pipeline) -> Result<Vec<Value>> {
        let share = self.0.sessions().share(LimitName::BlockingCalls);
        let _share = share.map_err(|error| error.with_command("pipeline"))?;
        let deadline = Deadline::after(self.0.context.command_timeout());
        loop {
            let leased = Lease::take(self.0.sessions(), Purpose::BlockingCall, deadline);
            let mut lease = leased
                .await
                .map_err(|error| error.with_command("pipeline"))?;
            match lease.request_pipeline_by(pipeline, deadline).await {
                // A connection of the pool may be lost just before it is used; then another one is.
                Err(error) if is_lost_unsent(&error) => {}
                outcome => return outcome,
            }
        }
    }
}

#[async_trait]
impl ScriptRedisClient for RedisCommandClient {
    fn context(&self) -> &Arc<ClientContext> {
        &self.0.context
    }

    fn snapshot(&self) -> ClientSnapshot {
        let mut snapshot = self.0.context.snapshot();
        snapshot.requests = self.0.connection.waiting();
        if let Some(sessions) = self.0.sessions.get() {
            (snapshot.sessions, snapshot.blocking) = sessions.snapshot();
        }
        snapshot
    }

    async fn close_async(&self) -> CloseReport {
        let client: Arc<Inner> = Arc::clone(&self.0);
        self.0.context.close(client).await
    }
}

#[async_trait]
impl OpenRedisClient for RedisCommandClient {
    const CLIENT_TYPE: ClientType = ClientType::Command;

    async fn open_async(
        script: &ScriptHandle,
        uri: RedisUri,
        options: ClientOptions,
        resources: &ClientResources,
    ) -> Result<Self> {
        let _pass = script.gate().pass()?;
        let context =
            ClientContext::new_async(script, Self::CLIENT_TYPE, uri, options, resources).await?;
        let connection = Connection::open_async(&context, None).await?;
        Ok(Self(Arc::new(Inner {
            context,
            connection,
            sessions: OnceLock::new(),
        })))
    }
}

#[async_trait]
impl Teardown for Inner {
    fn release(&self) {
        if let Some(sessions) = self.sessions.get() {
            sessions.close();
        }
    }
}

impl fmt::Debug for RedisCommandClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RedisCommandClient")
            .field(&self.0.context)
            .finish()
    }
}
