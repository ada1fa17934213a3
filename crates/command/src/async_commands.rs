//! The asynchronous commands of a client.

use std::fmt;

use redis_manager_core::ScriptRedisClient;
use redis_manager_core::redis::aio::ConnectionLike;
use redis_manager_core::redis::{Cmd, Pipeline, RedisFuture, Value};
use redis_manager_core::route::upper_name;

use crate::RedisCommandClient;
use crate::call_span::{call_span, inside};

/// A handle to the asynchronous commands of a [`RedisCommandClient`].
///
/// Every asynchronous trait of `redis` works on it: `AsyncCommands`, pipelines, `redis::Script`, scans.
/// The futures run under any executor and may be dropped at any time: a command that was sent may then
/// still run, and its reply is thrown away. Errors are [`redis::RedisError`]s that carry ours;
/// [`Error::from`](redis_manager_core::Error) takes it out.
///
/// [`redis::RedisError`]: redis_manager_core::redis::RedisError
#[derive(Clone)]
pub struct RedisAsyncCommands {
    client: RedisCommandClient,
}

impl RedisAsyncCommands {
    pub(crate) fn new(client: RedisCommandClient) -> Self {
        Self { client }
    }
}

impl ConnectionLike for RedisAsyncCommands {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        let span = call_span(self.client.context(), || upper_name(cmd));
        inside(span, || async move { Ok(self.client.request(cmd).await?) })
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        // What redis derives from the pipeline; so do we.
        _offset: usize,
        _count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        let span = call_span(self.client.context(), || "pipeline");
        inside(span, || async move {
            Ok(self.client.request_pipeline(pipeline).await?)
        })
    }

    fn get_db(&self) -> i64 {
        self.client.connection().database()
    }
}

impl fmt::Debug for RedisAsyncCommands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RedisAsyncCommands")
            .field(&self.client)
            .finish()
    }
}
