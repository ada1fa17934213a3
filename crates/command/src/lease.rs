//! One connection that one caller has to itself for a while.

use std::fmt;
use std::sync::Arc;

use redis_manager_core::redis::{Cmd, Pipeline, ToRedisArgs, Value, cmd};
use redis_manager_core::route::{BlockingTimeout, SessionEffect, session_effect, upper_name};
use redis_manager_core::{
    ClientContext, Deadline, Delivery, Error, ErrorKind, LimitName, Result, Share,
};

use crate::condition::Condition;
use crate::connection_pool::{Pooled, unleased};
use crate::roaming::Roaming;
use crate::session_pool::{Purpose, SessionPools};

pub(crate) struct Lease {
    context: Arc<ClientContext>,
    connection: Option<Pooled>,
    condition: Condition,
    /// Its place among the sessions that the script may have.
    share: Share,
    /// How it goes from node to node, if the server is a cluster.
    roaming: Option<Box<Roaming>>,
}

impl Lease {
    /// One for a session of the script's.
    pub(crate) async fn of_session(pools: &Arc<SessionPools>) -> Result<Self> {
        let share = pools.share(LimitName::Sessions)?;
        let deadline = Deadline::after(pools.context().command_timeout());
        let mut lease = Self::take(pools, Purpose::Session, deadline).await?;
        lease.share = share;
        Ok(lease)
    }

    /// One for `purpose`. In a cluster it is one that goes where its commands' keys are, and has a connection from its
    /// first command on.
    pub(crate) async fn take(
        pools: &Arc<SessionPools>,
        purpose: Purpose,
        deadline: Deadline,
    ) -> Result<Self> {
        let (connection, roaming) = match pools.cluster() {
            Some(cluster) => (None, Some(Box::new(Roaming::new(cluster, pools, purpose)))),
            None => (Some(pools.connection(purpose, None, deadline).await?), None),
        };
        Ok(Self {
            context: Arc::clone(pools.context()),
            connection,
            condition: Condition::default(),
            share: Share::default(),
            roaming,
        })
    }

    pub(crate) async fn request(&mut self, cmd: &Cmd) -> Result<Value> {
        self.request_by(cmd, self.deadline()).await
    }

    /// As [`request`](Self::request), for a call that began earlier.
    pub(crate) async fn request_by(&mut self, cmd: &Cmd, deadline: Deadline) -> Result<Value> {
        let reply = self.send(cmd, deadline).await;
        let reply = reply.map_err(|error| named(error, || upper_name(cmd)))?;
        let is_bound = !self.condition.is_clean();
        match self.context.explained(&reply, is_bound) {
            None => Ok(reply),
            Some(error) => Err(error.with_command(upper_name(cmd))),
        }
    }

    async fn send(&mut self, cmd: &Cmd, deadline: Deadline) -> Result<Value> {
        let (effect, blocking) = session_effect(cmd)?;
        // Who does not wait for the reply leaves it outstanding.
        let effect = if cmd.is_no_response() {
            SessionEffect::Taints
        } else {
            effect
        };
        let until = self.extended(deadline, blocking);
        if let Some(roaming) = &mut self.roaming {
            // Boxed, because it is large and most have none.
            let requesting = roaming.request(
                &mut self.connection,
                &mut self.condition,
                cmd,
                effect,
                (deadline, until),
            );
            return Box::pin(requesting).await;
        }
        let connection = self.connection.as_ref().ok_or_else(unleased)?;
        self.condition.sent();
        let reply = connection.request_async(cmd, until).await;
        if reply.is_ok() {
            self.condition.answered([effect]);
        }
        reply
    }

    pub(crate) async fn request_pipeline(&mut self, pipeline: &Pipeline) -> Result<Vec<Value>> {
        self.request_pipeline_by(pipeline, self.deadline()).await
    }

    /// As [`request_pipeline`](Self::request_pipeline), for a call that began earlier.
    pub(crate) async fn request_pipeline_by(
        &mut self,
        pipeline: &Pipeline,
        deadline: Deadline,
    ) -> Result<Vec<Value>> {
        let replies = self.send_pipeline(pipeline, deadline).await;
        replies.map_err(|error| named(error, || "pipeline".to_owned()))
    }

    async fn send_pipeline(
        &mut self,
        pipeline: &Pipeline,
        deadline: Deadline,
    ) -> Result<Vec<Value>> {
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
        let until = self.extended(deadline, blocking);
        if let Some(roaming) = &mut self.roaming {
            let requesting = roaming.request_pipeline(
                &mut self.connection,
                &mut self.condition,
                pipeline,
                &effects,
                (deadline, until),
            );
            return Box::pin(requesting).await;
        }
        let connection = self.connection.as_ref().ok_or_else(unleased)?;
        self.condition.sent();
        let replies = connection.request_pipeline_async(pipeline, until).await;
        if replies.is_ok() {
            self.condition.answered(effects);
        }
        replies
    }

    fn deadline(&self) -> Deadline {
        Deadline::after(self.context.command_timeout())
    }

    /// The server may hold its reply back for as long as it was told to, and then needs a margin.
    fn extended(&self, deadline: Deadline, blocking: Option<BlockingTimeout>) -> Deadline {
        match blocking {
            None => deadline,
            Some(blocking) => {
                deadline.with_timeout(blocking.deadline(self.context.command_timeout()))
            }
        }
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
    async fn unwatch(&mut self) -> Result<()> {
        self.request(&cmd("UNWATCH")).await?.extract_error()?;
        Ok(())
    }

    /// Forgets the keys that are watched for a transaction whose body failed, `since` that began. Returns whether it is to be
    /// begun anew: a command of the body was not run, because the keys are with another node by now, or with none for the
    /// moment.
    pub(crate) async fn abandon(&mut self, since: std::time::Instant) -> bool {
        let is_turned_away = self.roaming.as_ref().is_some_and(|it| it.is_turned_away());
        // If the session is in doubt, it is discarded; the caller's error matters more.
        let is_forgotten = !self.condition.is_in_doubt() && self.unwatch().await.is_ok();
        is_forgotten && is_turned_away && self.may_retry(since).is_ok()
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

    pub(crate) fn context(&self) -> &ClientContext {
        &self.context
    }

    pub(crate) fn database(&self) -> i64 {
        self.context.uri().database().into()
    }

    pub(crate) fn is_open(&self) -> bool {
        let connection = self.connection.as_ref();
        let is_open = match &self.roaming {
            // It takes another one when it needs it.
            Some(_) if self.condition.is_clean() => true,
            _ => connection.is_some_and(|connection| connection.is_open()),
        };
        is_open && !self.context.is_closed()
    }
}

/// `error`, with the command that it is about: without a connection, nobody has named that.
fn named(error: Error, command: impl FnOnce() -> String) -> Error {
    match error.command() {
        Some(_) => error,
        None => error.with_command(command()),
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.condition.is_clean() {
            return;
        }
        if let Some(connection) = self.connection.take() {
            drop(Pooled::take(connection));
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
