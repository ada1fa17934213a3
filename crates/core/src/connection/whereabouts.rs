//! Where in a cluster something is, and connections of one's own to there.

use std::sync::Arc;

use redis::{Cmd, Pipeline, RedisError, Value};

use super::cluster::FrequentLooks;
use super::link::Link;
use super::{Connection, ExclusiveConnection};
use crate::cluster::{Redirect, Target};
use crate::{Deadline, Error, ErrorKind, RedisNode, Result};

/// What a node has answered that is not the one to run a command, and has not run it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Detour {
    /// Whoever looks again where the keys are finds another node, or the same one in a better state.
    LookAgain,
    /// This once the command is to go to this node, after ASKING.
    Ask(RedisNode),
}

impl Connection {
    /// Whether it is to a cluster.
    #[must_use]
    pub fn is_to_cluster(&self) -> bool {
        matches!(self.link, Link::Cluster(_))
    }

    /// The node of the cluster that the keys of `cmd` are with. `None` if it has no keys, or if there is no cluster.
    ///
    /// # Errors
    ///
    /// What kept the nodes from saying so, until `deadline`; [`ErrorKind::Refused`](crate::ErrorKind::Refused) if the
    /// script may not send it.
    pub async fn node_of(&self, cmd: &Cmd, deadline: Deadline) -> Result<Option<RedisNode>> {
        let Link::Cluster(cluster) = &self.link else {
            return Ok(None);
        };
        let caller = self.caller(cluster, deadline).await?;
        let Some((guard, prefix)) = self.context.guard().and_then(|it| Some((it, it.prefix()?)))
        else {
            return caller.address_of(cmd).await;
        };
        let mapped = guard.map(cmd)?;
        caller.address_of(&mapped.form.into_cmd(prefix, cmd)).await
    }

    /// The same for the first command of `pipeline` that has keys.
    ///
    /// # Errors
    ///
    /// As [`node_of`](Self::node_of).
    pub async fn node_of_pipeline(
        &self,
        pipeline: &Pipeline,
        deadline: Deadline,
    ) -> Result<Option<RedisNode>> {
        for cmd in pipeline.cmd_iter() {
            let node = self.node_of(cmd, deadline).await?;
            if node.is_some() {
                return Ok(node);
            }
        }
        Ok(None)
    }

    /// Makes sure that all keys of the transaction `pipeline`, and of those `watched` for it, are in one slot, if there is a
    /// cluster.
    ///
    /// # Errors
    ///
    /// `CROSSSLOT` if they are not; otherwise as [`node_of`](Self::node_of).
    pub async fn check_transaction(
        &self,
        watched: &[Cmd],
        pipeline: &Pipeline,
        deadline: Deadline,
    ) -> Result<()> {
        let Link::Cluster(cluster) = &self.link else {
            return Ok(());
        };
        let caller = self.caller(cluster, deadline).await?;
        let table = caller.table().await?;
        let mut target = Target::AnyNode;
        for cmd in watched.iter().chain(pipeline.cmd_iter()) {
            target = match self.context.guard() {
                Some(guard) => target.with(&*guard.written(cmd)?, table)?,
                None => target.with(cmd, table)?,
            };
        }
        Ok(())
    }

    /// Some node of the cluster, if there is one.
    ///
    /// # Errors
    ///
    /// As [`node_of`](Self::node_of).
    pub async fn any_node(&self, deadline: Deadline) -> Result<Option<RedisNode>> {
        let Link::Cluster(cluster) = &self.link else {
            return Ok(None);
        };
        let caller = self.caller(cluster, deadline).await?;
        Ok(Some(caller.any_address().await?))
    }

    /// Opens a connection of one's own to the node at `node`. It is lost when that has no part in the cluster any more that
    /// the client needs, because a node that another has taken over from may be silent for ever. Must be polled on the
    /// client's I/O runtime.
    ///
    /// # Errors
    ///
    /// As [`ExclusiveConnection::open_async`].
    ///
    /// ```no_run
    /// # use redis_manager_core::{Connection, Deadline, RedisNode, Result};
    /// # use std::time::Duration;
    /// # async fn example(connection: Connection, node: RedisNode) -> Result<()> {
    /// let own = connection.open_at(&node).await?;
    /// own.ping_async(Deadline::after(Duration::from_secs(1))).await?;
    /// # Ok(()) }
    /// ```
    pub async fn open_at(&self, node: &RedisNode) -> Result<ExclusiveConnection> {
        match &self.link {
            Link::Cluster(cluster) => cluster.open_exclusive(&self.context, node).await,
            Link::Server(_) => ExclusiveConnection::open_async(&self.context).await,
        }
    }

    /// Completes with the reason when the node at `node` has no part in the cluster any more that the client needs; never, if
    /// it has none now, or if there is no cluster. Must be polled on the client's I/O runtime.
    ///
    /// ```no_run
    /// # use redis_manager_core::{Connection, ExclusiveConnection, RedisNode, Result};
    /// # async fn example(connection: Connection, node: RedisNode) -> Result<ExclusiveConnection> {
    /// // A node that is gone may never answer, and nobody is to wait for it.
    /// tokio::select! {
    ///     opened = connection.open_at(&node) => opened,
    ///     lost = connection.loss_of(&node) => Err(lost),
    /// }
    /// # }
    /// ```
    pub fn loss_of(&self, node: &RedisNode) -> impl Future<Output = Error> + Send + use<> {
        let context = Arc::clone(&self.context);
        let loss = match &self.link {
            Link::Cluster(cluster) => Some(cluster.loss_of(node, &context)),
            Link::Server(_) => None,
        };
        async move {
            match loss {
                Some(loss) => context.error(ErrorKind::Disconnected, loss.await.reason),
                None => std::future::pending().await,
            }
        }
    }

    /// Has the cluster looked at every few seconds, if there is one, for as long as what this returns lives.
    ///
    /// ```no_run
    /// # use redis_manager_core::{Connection, Deadline, ExclusiveConnection, Result, redis};
    /// # async fn example(connection: Connection, own: ExclusiveConnection) -> Result<()> {
    /// let looks = connection.look_often();
    /// let popped = own.request_async(redis::cmd("BLPOP").arg("queue").arg(0), Deadline::after(None)).await?;
    /// drop(looks);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn look_often(&self) -> Option<FrequentLooks> {
        match &self.link {
            Link::Cluster(cluster) => Some(FrequentLooks::at(cluster.map())),
            Link::Server(_) => None,
        }
    }

    /// Takes note of `reply`, which the node at `asked` gave, if it is none and the command was not run.
    #[must_use]
    pub fn detour(&self, reply: &Value, asked: &RedisNode) -> Option<Detour> {
        self.follow(Redirect::of(reply, asked)?)
    }

    fn follow(&self, redirect: Redirect) -> Option<Detour> {
        let Link::Cluster(cluster) = &self.link else {
            return None;
        };
        cluster.map().note(&redirect);
        Some(match redirect {
            Redirect::Ask { to, .. } => Detour::Ask(to),
            Redirect::Moved { .. } | Redirect::TryAgain | Redirect::Down => Detour::LookAgain,
        })
    }

    /// The same for a pipeline, of which no command was run.
    #[must_use]
    pub fn detour_of_pipeline(
        &self,
        outcome: &Result<Vec<Value>>,
        asked: &RedisNode,
    ) -> Option<Detour> {
        match outcome {
            Ok(replies) => {
                let is_detour = |reply: &Value| Redirect::of(reply, asked).is_some();
                let first = replies.first().filter(|_| replies.iter().all(is_detour))?;
                self.detour(first, asked)
            }
            Err(error) => {
                let source = std::error::Error::source(error)?;
                let aborted = source.downcast_ref::<RedisError>()?.clone();
                let refused = aborted.into_server_errors()?;
                self.follow(Redirect::of_refused(&refused, asked)?)
            }
        }
    }

    /// Has the cluster looked at soon: a node of it could not be reached.
    pub fn doubt(&self) {
        if let Link::Cluster(cluster) = &self.link {
            cluster.map().doubt();
        }
    }
}
