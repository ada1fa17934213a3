//! A connection of one's own, asynchronous.

use std::fmt;
use std::time::Instant;

use redis_manager_core::Result;
use redis_manager_core::redis::aio::ConnectionLike;
use redis_manager_core::redis::{
    Cmd, FromRedisValue, Pipeline, RedisFuture, ToRedisArgs, Value, pipe,
};
use redis_manager_core::route::upper_name;

use crate::call_span::{call_span, inside};
use crate::lease::Lease;

/// The asynchronous twin of [`RedisSession`](crate::RedisSession).
///
/// Dropping a future of a call leaves the session in doubt; it can be used on, and its connection is
/// closed when it is dropped.
pub struct RedisAsyncSession {
    lease: Lease,
}

impl RedisAsyncSession {
    pub(crate) fn new(lease: Lease) -> Self {
        Self { lease }
    }

    /// The asynchronous twin of [`RedisSession::transaction`](crate::RedisSession::transaction).
    ///
    /// To run it in a task that may move between threads, as `tokio::spawn` does, let the closure own
    /// what it uses (`async move |tx| …`, without references): Rust cannot see otherwise that the
    /// future is `Send`, and says that it is "not general enough".
    ///
    /// ```no_run
    /// # async fn example(client: redis_manager_command::RedisCommandClient) -> redis_manager_core::Result<()> {
    /// use redis_manager_command::redis::AsyncCommands;
    ///
    /// let mut session = client.session_async().await?;
    /// let (balance,): (i64,) = session
    ///     .transaction_async("balance", async |tx| {
    ///         let balance: i64 = tx.get("balance").await?;
    ///         tx.queue().set("balance", balance * 2).ignore().get("balance");
    ///         Ok(())
    ///     })
    ///     .await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As its twin.
    pub async fn transaction_async<T: FromRedisValue>(
        &mut self,
        keys: impl ToRedisArgs,
        mut body: impl AsyncFnMut(&mut RedisAsyncTransaction<'_>) -> Result<()>,
    ) -> Result<T> {
        let began = Instant::now();
        loop {
            self.lease.watch(&keys).await?;
            let mut transaction = RedisAsyncTransaction::new(self);
            let outcome = body(&mut transaction).await;
            let queue = transaction.queue;
            if let Err(error) = outcome {
                if self.lease.abandon(began).await {
                    continue;
                }
                return Err(error);
            }
            if let Some(replies) = queue.query_async(self).await? {
                return Ok(replies);
            }
            self.lease.may_retry(began)?;
        }
    }
}

impl ConnectionLike for RedisAsyncSession {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        let span = call_span(self.lease.context(), || upper_name(cmd));
        inside(span, || async move { Ok(self.lease.request(cmd).await?) })
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        // What redis derives from the pipeline; so do we.
        _offset: usize,
        _count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        let span = call_span(self.lease.context(), || "pipeline");
        inside(span, || async move {
            Ok(self.lease.request_pipeline(pipeline).await?)
        })
    }

    fn get_db(&self) -> i64 {
        self.lease.database()
    }
}

/// One try of a [`RedisAsyncSession::transaction_async`]: the traits of `redis` work on it at once, and
/// [`queue`](Self::queue) collects what is to be executed.
///
/// Read on it, and queue what changes anything: **a command that changes data and is not queued runs at
/// once, and again with every try**; if it changes a watched key, every try fails.
pub struct RedisAsyncTransaction<'session> {
    session: &'session mut RedisAsyncSession,
    queue: Pipeline,
}

impl<'session> RedisAsyncTransaction<'session> {
    fn new(session: &'session mut RedisAsyncSession) -> Self {
        let mut queue = pipe();
        queue.atomic();
        Self { session, queue }
    }

    /// The commands to execute, without another client's in between. Redis does not roll back: if one
    /// fails, the others have run.
    pub fn queue(&mut self) -> &mut Pipeline {
        &mut self.queue
    }
}

impl ConnectionLike for RedisAsyncTransaction<'_> {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        self.session.req_packed_command(cmd)
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        self.session.req_packed_commands(pipeline, offset, count)
    }

    fn get_db(&self) -> i64 {
        self.session.get_db()
    }
}

impl fmt::Debug for RedisAsyncSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RedisAsyncSession")
            .field(&self.lease)
            .finish()
    }
}

impl fmt::Debug for RedisAsyncTransaction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisAsyncTransaction")
            .field("queued", &self.queue.len())
            .finish_non_exhaustive()
    }
}
