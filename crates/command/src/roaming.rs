//! How a session, or a blocking call, goes from node to node of a cluster.

use std::sync::Arc;
use std::time::Duration;

use redis_manager_core::redis::{self, Cmd, Pipeline, Value};
use redis_manager_core::route::SessionEffect;
use redis_manager_core::{
    Backoff, ClientContext, Connection, Deadline, Delivery, Detour, Error, ErrorKind, RedisNode,
    Result,
};

use crate::condition::Condition;
use crate::connection_pool::{Pooled, is_lost_unsent, unleased};
use crate::session_pool::{Purpose, SessionPools, too_late};

/// The longest pause before a command that was not run is tried once more.
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// It takes a connection to the node that has the keys of its next command, for as long as nothing of its user is left
/// on the one that it has.
pub(crate) struct Roaming {
    /// Who knows which node has what.
    connection: Connection,
    pools: Arc<SessionPools>,
    purpose: Purpose,
    /// Where it is.
    node: Option<RedisNode>,
    /// What has had it watch keys there.
    watches: Vec<Cmd>,
    /// Whether a node has said, since then, that it is not the one to run a command.
    is_turned_away: bool,
}

/// What decides where to go.
#[derive(Clone, Copy)]
enum Keys<'a> {
    OfCommand(&'a Cmd),
    /// Of the first of its commands that has any.
    OfPipeline(&'a Pipeline),
}

impl Roaming {
    pub(crate) fn new(
        connection: &Connection,
        pools: &Arc<SessionPools>,
        purpose: Purpose,
    ) -> Self {
        Self {
            connection: connection.clone(),
            pools: Arc::clone(pools),
            purpose,
            node: None,
            watches: Vec::new(),
            is_turned_away: false,
        }
    }

    fn context(&self) -> &Arc<ClientContext> {
        self.connection.client_context()
    }

    /// Sends `cmd`, which has `effect`, by the first of the deadlines, and completes with its reply, by the second. It
    /// is sent again, perhaps elsewhere, if a node says that it has not run it.
    pub(crate) async fn request(
        &mut self,
        held: &mut Option<Pooled>,
        condition: &mut Condition,
        cmd: &Cmd,
        effect: SessionEffect,
        (deadline, until): (Deadline, Deadline),
    ) -> Result<Value> {
        if effect == SessionEffect::BeginsTransaction && condition.is_clean() {
            return Err(self.nowhere());
        }
        let _looks = self.connection.look_often();
        let mut backoff = Backoff::new(LONGEST_PAUSE);
        loop {
            let may_go = condition.is_clean();
            if may_go {
                self.watches.clear();
                self.is_turned_away = false;
                self.go_with(held, Keys::OfCommand(cmd), deadline).await?;
            }
            if effect == SessionEffect::Watches {
                self.watches.push(cmd.clone());
            }
            let mut reply = self
                .request_here(held, condition, cmd, effect, until)
                .await?;
            loop {
                let Some(detour) = self.detour(&reply) else {
                    return Ok(reply);
                };
                if !may_go {
                    self.is_turned_away = true;
                    return Ok(reply);
                }
                // It was not run, and so had no effect.
                *condition = Condition::default();
                match detour {
                    Detour::LookAgain => break,
                    Detour::Ask(node) => {
                        self.go_to(held, Some(node), deadline).await?;
                        let asking = redis::cmd("ASKING");
                        self.request_here(held, condition, &asking, SessionEffect::None, until)
                            .await?
                            .extract_error()?;
                        reply = self
                            .request_here(held, condition, cmd, effect, until)
                            .await?;
                    }
                }
            }
            if !self.pause(backoff.next_delay(), deadline).await? {
                return Ok(reply);
            }
        }
    }

    /// Whether its user, who watches keys, was told that another node has them by now, or none.
    pub(crate) fn is_turned_away(&self) -> bool {
        self.is_turned_away
    }

    /// The refusal of a MULTI with nothing before it that says which node its keys are with: where it happens to be,
    /// what follows would be refused with MOVED, unless the keys happen to be there.
    fn nowhere(&self) -> Error {
        let message = "refused here: in a cluster it does not say which node it is for; WATCH a key first, or use \
            session.transaction(keys, …) or an atomic() pipeline";
        let refused = self.context().error(ErrorKind::Refused, message);
        refused.with_delivery(Delivery::NotSent)
    }

    /// As [`request`](Self::request), for a pipeline. A transaction on watched keys whose slot went elsewhere was not run,
    /// as one whose keys were changed.
    pub(crate) async fn request_pipeline(
        &mut self,
        held: &mut Option<Pooled>,
        condition: &mut Condition,
        pipeline: &Pipeline,
        effects: &[SessionEffect],
        (deadline, until): (Deadline, Deadline),
    ) -> Result<Vec<Value>> {
        let _looks = self.connection.look_often();
        let mut backoff = Backoff::new(LONGEST_PAUSE);
        loop {
            let may_go = condition.is_clean();
            if may_go {
                self.watches.clear();
            }
            if pipeline.is_transaction() {
                // A node of which some keys are would say that the others have moved.
                let checking = self
                    .connection
                    .check_transaction(&self.watches, pipeline, deadline);
                if let Err(refused) = checking.await {
                    if condition.is_watching_only() {
                        // As EXEC does, whatever comes of it.
                        let unwatch = redis::cmd("UNWATCH");
                        let effect = SessionEffect::Unwatches;
                        self.request_here(held, condition, &unwatch, effect, until)
                            .await?;
                    }
                    return Err(refused);
                }
            }
            if may_go {
                let keys = Keys::OfPipeline(pipeline);
                self.go_with(held, keys, deadline).await?;
            }
            let connection = held.as_ref().ok_or_else(unleased)?;
            let is_watched = pipeline.is_transaction() && condition.is_watching_only();
            condition.sent();
            let replies = connection.request_pipeline_async(pipeline, until).await;
            let asked = self.node.as_ref();
            let detour = asked.and_then(|node| self.connection.detour_of_pipeline(&replies, node));
            match &replies {
                Ok(_) => condition.answered(effects.iter().copied()),
                // It was not run, and nothing is watched for it any more.
                Err(error) if pipeline.is_transaction() && error.code() == Some("EXECABORT") => {
                    condition.answered([SessionEffect::EndsTransaction]);
                }
                Err(_) => self.connection.doubt(),
            }
            let was_lost = is_watched && replies.as_ref().is_err_and(is_lost_unsent);
            if detour.is_none() && !was_lost || !may_go && !is_watched {
                return replies;
            }
            // It was not run, and the server has forgotten what was watched for it.
            *condition = Condition::default();
            if is_watched {
                return Ok(vec![Value::Nil]);
            }
            if !self.pause(backoff.next_delay(), deadline).await? {
                return replies;
            }
        }
    }

    async fn request_here(
        &self,
        held: &Option<Pooled>,
        condition: &mut Condition,
        cmd: &Cmd,
        effect: SessionEffect,
        until: Deadline,
    ) -> Result<Value> {
        let connection = held.as_ref().ok_or_else(unleased)?;
        condition.sent();
        let reply = connection.request_async(cmd, until).await;
        match &reply {
            Ok(_) => condition.answered([effect]),
            Err(_) => self.connection.doubt(),
        }
        reply
    }

    fn detour(&self, reply: &Value) -> Option<Detour> {
        self.connection.detour(reply, self.node.as_ref()?)
    }

    /// Goes to the node that has `keys`, or tries to, until `deadline`.
    async fn go_with(
        &mut self,
        held: &mut Option<Pooled>,
        keys: Keys<'_>,
        deadline: Deadline,
    ) -> Result<()> {
        let mut backoff = Backoff::new(LONGEST_PAUSE);
        let mut failure = None;
        loop {
            let node = match keys {
                Keys::OfCommand(cmd) => self.connection.node_of(cmd, deadline).await?,
                Keys::OfPipeline(all) => self.connection.node_of_pipeline(all, deadline).await?,
            };
            let error = match self.go_to(held, node, deadline).await {
                Err(error) if self.is_tried_again(&error) => error,
                gone => return gone,
            };
            // What kept it from going before says more than that the last try took too long.
            failure = match error.kind() {
                ErrorKind::Timeout => failure.or(Some(error)),
                _ => Some(error),
            };
            if !self.pause(backoff.next_delay(), deadline).await?
                && let Some(failure) = failure
            {
                return Err(self.too_late(deadline, failure));
            }
        }
    }

    /// Whether another node, or the same one a little later, may be reached after `error`.
    fn is_tried_again(&self, error: &Error) -> bool {
        // What keeps a connection from being made: the node is not there, refuses whoever comes, or cannot take him yet; or
        // a certificate is being replaced.
        let is_of_the_node = matches!(
            error.kind(),
            ErrorKind::Connect
                | ErrorKind::Disconnected
                | ErrorKind::Timeout
                | ErrorKind::Authentication
                | ErrorKind::Protocol
                | ErrorKind::Server
                | ErrorKind::InvalidOptions
        );
        is_of_the_node && self.context().queues_after(error)
    }

    fn too_late(&self, deadline: Deadline, error: Error) -> Error {
        match error.kind() {
            ErrorKind::Timeout => error,
            _ => too_late(self.context(), deadline, error).with_delivery(Delivery::NotSent),
        }
    }

    /// Takes a connection to `node`; `None`: any will do, and so does the one that it has.
    async fn go_to(
        &mut self,
        held: &mut Option<Pooled>,
        node: Option<RedisNode>,
        deadline: Deadline,
    ) -> Result<()> {
        let is_open = held.as_ref().is_some_and(|connection| connection.is_open());
        if is_open && (node.is_none() || node == self.node) {
            return Ok(());
        }
        let node = match node {
            Some(node) => node,
            None => self
                .connection
                .any_node(deadline)
                .await?
                .ok_or_else(unleased)?,
        };
        // Back to its pool, first of all: whoever waits for another one holds none.
        drop(held.take());
        let taken = self.pools.connection(self.purpose, Some(&node), deadline);
        match taken.await {
            Ok(connection) => {
                *held = Some(connection);
                self.node = Some(node);
                Ok(())
            }
            Err(error) => {
                self.connection.doubt();
                Err(error)
            }
        }
    }

    /// Waits for `pause`. Returns whether there is time left then.
    async fn pause(&self, pause: Duration, deadline: Deadline) -> Result<bool> {
        if !deadline.leaves_time_after(pause) {
            return Ok(false);
        }
        let waiting = self.context().run_admitted(async move {
            tokio::time::sleep(pause).await;
            Ok(())
        });
        let waited = waiting.await;
        waited.map_err(|error| error.with_delivery(Delivery::NotSent))?;
        Ok(true)
    }
}
