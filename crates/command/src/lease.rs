//! One connection that one caller has to itself for a while.

use std::fmt;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use redis_manager_core::deadpool_redis;
use redis_manager_core::redis::aio::MultiplexedConnection;
use redis_manager_core::redis::{Cmd, Pipeline, ToRedisArgs, Value, cmd};
use redis_manager_core::route::{BlockingTimeout, SessionEffect, session_effect, upper_name};
use redis_manager_core::{ClientContext, Delivery, Error, ErrorKind, Result};

use crate::condition::Condition;

/// The connection of a lease; empty once the client is closed.
type Slot = Mutex<Option<deadpool_redis::Connection>>;

/// The leases that are out, so that closing the client can take their connections away.
#[derive(Default)]
pub(crate) struct Leases(Mutex<LeasesState>);

#[derive(Default)]
struct LeasesState {
    out: Vec<Weak<Slot>>,
    revoked: bool,
}

impl Leases {
    pub(crate) fn add(
        &self,
        context: &Arc<ClientContext>,
        connection: deadpool_redis::Connection,
    ) -> Result<Lease> {
        let mut state = self.0.lock();
        if state.revoked {
            return Err(context.closed_error());
        }
        state.out.retain(|slot| slot.strong_count() > 0);
        let slot = Arc::new(Mutex::new(Some(connection)));
        state.out.push(Arc::downgrade(&slot));
        Ok(Lease {
            context: Arc::clone(context),
            slot,
            condition: Condition::default(),
        })
    }

    pub(crate) fn revoke(&self) {
        let mut state = self.0.lock();
        state.revoked = true;
        for slot in state.out.drain(..).filter_map(|slot| slot.upgrade()) {
            drop(slot.lock().take());
        }
    }
}

pub(crate) struct Lease {
    context: Arc<ClientContext>,
    slot: Arc<Slot>,
    condition: Condition,
}

impl Lease {
    pub(crate) async fn request(&mut self, cmd: &Cmd) -> Result<Value> {
        let (effect, blocking) = session_effect(cmd)?;
        let cmd = cmd.clone();
        let name = upper_name(&cmd);
        // Who does not wait for the reply leaves it outstanding.
        let effect = if cmd.is_no_response() {
            SessionEffect::Taints
        } else {
            effect
        };
        self.call([effect], blocking, move |mut connection| async move {
            Ok(connection.send_packed_command(&cmd).await?)
        })
        .await
        .map_err(|error| error.with_command(name))
    }

    pub(crate) async fn request_pipeline(&mut self, pipeline: &Pipeline) -> Result<Vec<Value>> {
        let mut effects = Vec::with_capacity(pipeline.len());
        let mut blocking = None;
        for cmd in pipeline.cmd_iter() {
            let (effect, timeout) = session_effect(cmd)?;
            effects.push(effect);
            // Inside MULTI nothing blocks.
            if !pipeline.is_transaction() {
                blocking = BlockingTimeout::sum(blocking, timeout);
            }
        }
        if pipeline.is_transaction() {
            effects.insert(0, SessionEffect::BeginsTransaction);
            effects.push(SessionEffect::EndsTransaction);
        }
        let pipeline = pipeline.clone();
        self.call(effects, blocking, move |mut connection| async move {
            send_pipeline(&mut connection, &pipeline).await
        })
        .await
        .map_err(|error| error.with_command("pipeline"))
    }

    async fn call<T, F>(
        &mut self,
        effects: impl IntoIterator<Item = SessionEffect>,
        blocking: Option<BlockingTimeout>,
        send: impl FnOnce(MultiplexedConnection) -> F,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>> + Send + 'static,
        T: Send + 'static,
    {
        let Some(connection) = self.slot.lock().as_deref().cloned() else {
            return Err(self.context.closed_error().with_delivery(Delivery::NotSent));
        };
        let margin = self.context.command_timeout();
        let timeout = match blocking {
            None => Some(margin),
            Some(blocking) => blocking.deadline(margin),
        };
        let context = Arc::clone(&self.context);
        let condition = &mut self.condition;
        // Polled by our runtime and dropped with this call, so that no forgotten future of a caller
        // keeps a clone of the connection, and with it the socket.
        let call = context.run_cancellable(send(connection));
        context
            .within(timeout, async {
                condition.sent();
                let reply = call.await?;
                condition.answered(effects);
                Ok(reply)
            })
            .await
    }

    /// Runs WATCH on `keys`.
    pub(crate) async fn watch(&mut self, keys: &impl ToRedisArgs) -> Result<()> {
        if keys.num_of_args() == 0 {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                "a transaction watches at least one key",
            )
            .with_delivery(Delivery::NotSent));
        }
        let reply = self.request(cmd("WATCH").arg(keys)).await?;
        reply.extract_error()?;
        Ok(())
    }

    /// Forgets the keys that are watched.
    pub(crate) async fn unwatch(&mut self) -> Result<()> {
        self.request(&cmd("UNWATCH")).await?.extract_error()?;
        Ok(())
    }

    /// Whether there is time left, `since` a transaction began, to try it once more.
    pub(crate) fn may_retry(&self, since: std::time::Instant) -> Result<()> {
        let timeout = self.context.command_timeout();
        if since.elapsed() < timeout {
            return Ok(());
        }
        Err(self
            .context
            .error(
                ErrorKind::Conflict,
                format!("the watched keys kept changing for {timeout:?}"),
            )
            .with_command("EXEC")
            .with_delivery(Delivery::Replied))
    }

    pub(crate) fn database(&self) -> i64 {
        self.context.uri().database().into()
    }

    pub(crate) fn is_open(&self) -> bool {
        self.slot.lock().is_some() && !self.context.state().is_closed()
    }
}

/// Sends `pipeline` on `connection` as redis' own `query_async` does, except that one without commands
/// has no replies instead of an error.
async fn send_pipeline(
    connection: &mut MultiplexedConnection,
    pipeline: &Pipeline,
) -> Result<Vec<Value>> {
    if pipeline.is_empty() && !pipeline.is_transaction() {
        // Nothing to send, so nothing to wait for. redis calls this an error, which every caller that
        // fills a pipeline in a loop would have to avoid.
        return Ok(Vec::new());
    }
    let (skipped, kept) = if pipeline.is_transaction() {
        (pipeline.len() + 1, 1)
    } else {
        (0, pipeline.len())
    };
    Ok(connection
        .send_packed_commands(pipeline, skipped, kept)
        .await?)
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.condition.is_clean() {
            return;
        }
        if let Some(connection) = self.slot.lock().take() {
            drop(deadpool_redis::Connection::take(connection));
        }
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("client", &self.context.client_id())
            .field("condition", &self.condition)
            .finish_non_exhaustive()
    }
}
