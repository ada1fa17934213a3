//! A connection of one's own, blocking.

use std::fmt;
use std::time::Instant;

use redis_manager_core::redis::{
    Cmd, ConnectionLike, FromRedisValue, Pipeline, RedisResult, ToRedisArgs, Value, pipe,
};
use redis_manager_core::request_bytes::{unpack_command, unpack_pipeline};
use redis_manager_core::route::upper_name;
use redis_manager_core::{Result, wait};
use tracing::Span;

use crate::call_span::call_span;
use crate::lease::Lease;

/// A connection that nobody else uses until it is dropped, for transactions with WATCH, for SELECT and
/// for whatever else speaks of *this* connection.
///
/// Every blocking trait of `redis` works on it. A session that is dropped clean goes back to the pool;
/// one that watches, is in a transaction, changed its connection or has a reply outstanding is closed
/// and never used again. Closing the client closes its sessions too.
pub struct RedisSession {
    lease: Lease,
}

impl RedisSession {
    pub(crate) fn new(lease: Lease) -> Self {
        Self { lease }
    }

    /// Runs an optimistic transaction: watches `keys`, calls `body` to read and to queue commands, and
    /// executes what was queued, atomically, if no watched key was changed meanwhile; otherwise from
    /// the start, until the command timeout has passed. In a cluster also if the keys went to another node meanwhile, or to
    /// none, and so a command of `body` was not run. Returns what EXEC replies to what was queued, one
    /// element a command that is not ignored: for one command `(T,)`. If that is not of the type `T`,
    /// the commands have run all the same.
    /// See <https://redis.io/docs/latest/develop/interact/transactions/>.
    ///
    /// # Errors
    ///
    /// [`Conflict`](redis_manager_core::ErrorKind::Conflict) if the keys kept changing; what `body`
    /// returns, and then nothing is executed; otherwise as any call.
    pub fn transaction<T: FromRedisValue>(
        &mut self,
        keys: impl ToRedisArgs,
        mut body: impl FnMut(&mut RedisTransaction<'_>) -> Result<()>,
    ) -> Result<T> {
        let began = Instant::now();
        loop {
            wait(self.lease.watch(&keys))??;
            let mut transaction = RedisTransaction::new(self);
            let outcome = body(&mut transaction);
            let queue = transaction.queue;
            if let Err(error) = outcome {
                if wait(self.lease.abandon(began))? {
                    continue;
                }
                return Err(error);
            }
            if let Some(replies) = queue.query(self)? {
                return Ok(replies);
            }
            self.lease.may_retry(began)?;
        }
    }
}

impl ConnectionLike for RedisSession {
    fn req_packed_command(&mut self, cmd: &[u8]) -> RedisResult<Value> {
        self.req_command(&unpack_command(cmd)?)
    }

    fn req_packed_commands(
        &mut self,
        cmd: &[u8],
        offset: usize,
        count: usize,
    ) -> RedisResult<Vec<Value>> {
        let pipeline = unpack_pipeline(cmd, offset, count)?;
        let span = call_span(self.lease.context(), || "pipeline");
        let _entered = span.as_ref().map(Span::enter);
        Ok(wait(self.lease.request_pipeline(&pipeline))??)
    }

    fn req_command(&mut self, cmd: &Cmd) -> RedisResult<Value> {
        let span = call_span(self.lease.context(), || upper_name(cmd));
        let _entered = span.as_ref().map(Span::enter);
        Ok(wait(self.lease.request(cmd))??)
    }

    fn get_db(&self) -> i64 {
        self.lease.database()
    }

    fn check_connection(&mut self) -> bool {
        redis_manager_core::redis::cmd("PING").exec(self).is_ok()
    }

    fn is_open(&self) -> bool {
        self.lease.is_open()
    }
}

/// One try of a [`RedisSession::transaction`]: the traits of `redis` work on it at once, and
/// [`queue`](Self::queue) collects what is to be executed.
///
/// Read on it, and queue what changes anything: **a command that changes data and is not queued runs at
/// once, and again with every try**; if it changes a watched key, every try fails.
pub struct RedisTransaction<'session> {
    session: &'session mut RedisSession,
    queue: Pipeline,
}

impl<'session> RedisTransaction<'session> {
    fn new(session: &'session mut RedisSession) -> Self {
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

impl ConnectionLike for RedisTransaction<'_> {
    fn req_packed_command(&mut self, cmd: &[u8]) -> RedisResult<Value> {
        self.session.req_packed_command(cmd)
    }

    fn req_packed_commands(
        &mut self,
        cmd: &[u8],
        offset: usize,
        count: usize,
    ) -> RedisResult<Vec<Value>> {
        self.session.req_packed_commands(cmd, offset, count)
    }

    fn req_command(&mut self, cmd: &Cmd) -> RedisResult<Value> {
        self.session.req_command(cmd)
    }

    fn get_db(&self) -> i64 {
        self.session.get_db()
    }

    fn check_connection(&mut self) -> bool {
        self.session.check_connection()
    }

    fn is_open(&self) -> bool {
        self.session.is_open()
    }
}

impl fmt::Debug for RedisSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RedisSession").field(&self.lease).finish()
    }
}

impl fmt::Debug for RedisTransaction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisTransaction")
            .field("queued", &self.queue.len())
            .finish_non_exhaustive()
    }
}
