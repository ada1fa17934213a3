//! The blocking commands of a client.

use std::fmt;

use redis_manager_core::redis::{Cmd, ConnectionLike, RedisResult, Value};
use redis_manager_core::request_bytes::{unpack_command, unpack_pipeline};
use redis_manager_core::route::upper_name;
use redis_manager_core::{ClientState, ScriptRedisClient, wait};
use tracing::Span;

use crate::RedisCommandClient;
use crate::call_span::call_span;

/// A handle to the blocking commands of a [`RedisCommandClient`].
///
/// Every blocking trait of `redis` works on it: `Commands`, pipelines, `redis::Script`, scans. A call
/// parks its thread until the reply is there or the command timeout has passed, and works from any
/// thread, those of the host's runtimes included. Errors are [`redis::RedisError`]s that carry ours;
/// [`Error::from`](redis_manager_core::Error) takes it out.
///
/// [`redis::RedisError`]: redis_manager_core::redis::RedisError
#[derive(Clone)]
pub struct RedisCommands {
    client: RedisCommandClient,
}

impl RedisCommands {
    pub(crate) fn new(client: RedisCommandClient) -> Self {
        Self { client }
    }
}

impl ConnectionLike for RedisCommands {
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
        let span = call_span(self.client.context(), || "pipeline");
        let _entered = span.as_ref().map(Span::enter);
        Ok(wait(self.client.request_pipeline(&pipeline))??)
    }

    fn req_command(&mut self, cmd: &Cmd) -> RedisResult<Value> {
        let span = call_span(self.client.context(), || upper_name(cmd));
        let _entered = span.as_ref().map(Span::enter);
        Ok(wait(self.client.request(cmd))??)
    }

    fn get_db(&self) -> i64 {
        self.client.connection().database()
    }

    fn check_connection(&mut self) -> bool {
        redis_manager_core::redis::cmd("PING").exec(self).is_ok()
    }

    fn is_open(&self) -> bool {
        self.client.state() == ClientState::Connected
    }
}

impl fmt::Debug for RedisCommands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RedisCommands").field(&self.client).finish()
    }
}
