//! One request, to whichever node is to have it.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use redis::{Cmd, Pipeline, Value};
use tokio::time::timeout_at;

use super::super::link::value;
use super::super::reply::{Collector, Expected, Reply};
use super::super::ticket::Ticket;
use super::node::Node;
use super::tries::{Next, Tries};
use super::{Cluster, FrequentLooks, Inner};
use crate::cluster::{Redirect, Target, Topology};
use crate::{ClientContext, Deadline, Delivery, Error, ErrorKind, InFlight, RedisNode, Result};

/// What is left with one node as a whole.
#[derive(Clone, Copy)]
pub(super) enum Request<'a> {
    One(&'a Cmd),
    /// Whose commands all have the same target.
    Transaction(&'a Pipeline),
}

impl Request<'_> {
    fn commands(self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Transaction(pipeline) => pipeline.len(),
        }
    }

    /// Whether it may run twice, by the option `replay`.
    fn is_replayed(self, client: &ClientContext) -> bool {
        let filter = client.options().replay();
        match self {
            Self::One(cmd) => filter.allows(cmd),
            Self::Transaction(pipeline) => pipeline.cmd_iter().all(|cmd| filter.allows(cmd)),
        }
    }
}

/// A call of a client, perhaps of one among several that share the cluster's sockets.
#[derive(Clone, Copy)]
pub(in super::super) struct Caller<'a> {
    pub(in super::super) cluster: &'a Cluster,
    pub(in super::super) client: &'a Arc<ClientContext>,
    pub(in super::super) deadline: Deadline,
}

impl<'a> Caller<'a> {
    /// The node that something with this target is to be left with; waits for one to be known.
    pub(super) async fn node_for(self, target: &Target) -> Result<Arc<Node>> {
        let Inner { map, nodes, .. } = &*self.cluster.0;
        loop {
            // Before it is looked at: what changes in between is noticed.
            let mut changes = map.changes();
            if let Some(node) = nodes.choose(target, &map.topology()) {
                return Ok(node);
            }
            map.doubt();
            let _looks = FrequentLooks::at(map);
            let (until, target, map) = (self.deadline, target.clone(), Arc::clone(map));
            self.wait(async move {
                let changed = changes.changed();
                let in_time = match until.at() {
                    Some(at) => timeout_at(at, changed).await.is_ok(),
                    None => changed.await.is_ok(),
                };
                if in_time {
                    Ok(())
                } else {
                    Err(nowhere(&target, until, map.failure()))
                }
            })
            .await?;
        }
    }

    /// What is known of the cluster, once anything is.
    pub(super) async fn topology(self) -> Result<Arc<Topology>> {
        self.node_for(&Target::AnyNode).await?;
        Ok(self.cluster.map().topology())
    }

    /// Where a node is.
    pub(in super::super) async fn any_address(self) -> Result<RedisNode> {
        Ok(self.node_for(&Target::AnyNode).await?.address().clone())
    }

    /// Waits on our own runtime, whose clock bounds it.
    pub(super) async fn wait(
        self,
        waiting: impl Future<Output = Result<()>> + Send + 'static,
    ) -> Result<()> {
        let waited = self.client.run_admitted(waiting).await;
        waited.map_err(|error| error.with_delivery(Delivery::NotSent))
    }

    /// Leaves `request` with the node for `target`, and completes with the reply. It goes to another node for as long as it
    /// is certain that it was not run, or if it may run twice.
    pub(super) async fn call(self, request: Request<'_>, target: &Target) -> Result<Reply> {
        let mut may_have_run = false;
        let outcome = self.call_once(request, target, &mut may_have_run).await;
        outcome.map_err(|error| match may_have_run {
            true if error.delivery() == Some(Delivery::NotSent) => {
                error.with_delivery(Delivery::Unknown)
            }
            _ => error,
        })
    }

    async fn call_once(
        self,
        request: Request<'_>,
        target: &Target,
        may_have_run: &mut bool,
    ) -> Result<Reply> {
        let mut tries = Tries::new();
        let mut asked: Option<Arc<Node>> = None;
        let admitted = self
            .client
            .admit_commands_until(request.commands(), self.deadline)?;
        let mut in_flight = Some(admitted);
        let mut target = Cow::Borrowed(target);
        loop {
            let (node, asks) = match asked.take() {
                Some(node) => (node, true),
                None => (self.node_for(&target).await?, false),
            };
            let admitted = match in_flight.take() {
                Some(admitted) => admitted,
                None => self.client.admit_until(self.deadline)?,
            };
            let outcome = match asks {
                true => Self::ask(&node, request, admitted).await,
                false => Self::leave(&node, request, admitted).await,
            };
            let (redirect, outcome) = match outcome {
                Ok(reply) => match reply.redirect(node.address()) {
                    None => return Ok(reply),
                    Some(redirect) => (Some(redirect), Ok(reply)),
                },
                Err(error)
                    if target.may_change()
                        && self.is_to_go_elsewhere(&node, &error, || {
                            request.is_replayed(self.client)
                        }) =>
                {
                    *may_have_run |= error.delivery() != Some(Delivery::NotSent);
                    (None, Err(error))
                }
                Err(error) => {
                    self.suspect(&error);
                    return Err(error);
                }
            };
            if redirect == Some(Redirect::Down) {
                // A replica that cannot, while its master may.
                target = Cow::Owned(target.by_master());
            }
            let next = self.follow(redirect, &mut asked);
            let Some(pause) = tries.pause(next) else {
                return outcome;
            };
            if !self.pause(pause).await? {
                return outcome;
            }
        }
    }

    /// Takes note of what a node has said that has not run a request; `None`: it has left the cluster. `asked` is who is
    /// to be asked instead, this once.
    pub(super) fn follow(self, redirect: Option<Redirect>, asked: &mut Option<Arc<Node>>) -> Next {
        let Some(redirect) = redirect else {
            return Next::Elsewhere;
        };
        self.cluster.map().note(&redirect);
        match redirect {
            Redirect::Moved { .. } => Next::Elsewhere,
            Redirect::Ask { to, .. } => {
                *asked = Some(self.cluster.0.nodes.at(&to));
                Next::Asked
            }
            Redirect::TryAgain | Redirect::Down => Next::Again,
        }
    }

    /// Waits for `pause`. Returns whether there is time left for another try.
    pub(super) async fn pause(self, pause: Duration) -> Result<bool> {
        if !self.deadline.leaves_time_after(pause) {
            return Ok(false);
        }
        if !pause.is_zero() {
            self.wait(async move {
                tokio::time::sleep(pause).await;
                Ok(())
            })
            .await?;
        }
        Ok(true)
    }

    /// Whoever failed so may be where the cluster is not any more.
    pub(super) fn suspect(self, error: &Error) {
        if matches!(error.kind(), ErrorKind::Disconnected | ErrorKind::Timeout) {
            self.cluster.map().doubt();
        }
    }

    /// Whether `error` means that the request is to be left with another node than `node`: it was not sent, or it may run
    /// twice.
    pub(super) fn is_to_go_elsewhere(
        self,
        node: &Node,
        error: &Error,
        is_replayed: impl FnOnce() -> bool,
    ) -> bool {
        let has_left = node.is_leaving() && error.kind() == ErrorKind::Disconnected;
        has_left
            && (error.delivery() == Some(Delivery::NotSent)
                || self.client.queues_after(error) && is_replayed())
    }

    async fn leave(node: &Arc<Node>, request: Request<'_>, in_flight: InFlight) -> Result<Reply> {
        let wire = node.wire();
        match request {
            Request::One(cmd) => {
                let ticket = Ticket::new(Arc::clone(wire), wire.put(cmd, in_flight)?);
                Ok(Reply::One(value(cmd, ticket).await?))
            }
            Request::Transaction(pipeline) => {
                let left = wire.put_pipeline(pipeline, in_flight)?;
                Ticket::new(Arc::clone(wire), left).await
            }
        }
    }

    /// Leaves it with a node that is about to get the slot, and has to be told that this is known.
    async fn ask(node: &Arc<Node>, request: Request<'_>, in_flight: InFlight) -> Result<Reply> {
        let mut pipeline = redis::pipe();
        pipeline.cmd("ASKING").ignore();
        match request {
            Request::One(cmd) => {
                pipeline.add_command(cmd.clone());
            }
            // It holds until EXEC.
            Request::Transaction(transaction) => {
                pipeline.cmd("MULTI");
                for cmd in transaction.cmd_iter() {
                    pipeline.add_command(cmd.clone());
                }
                pipeline.cmd("EXEC");
            }
        }
        let left = node.wire().put_pipeline(&pipeline, in_flight)?;
        let reply = Ticket::new(Arc::clone(node.wire()), left).await?;
        let Reply::Each(replies) = reply else {
            return Ok(reply);
        };
        let mut replies = replies.into_iter().skip(1);
        let answer = match request {
            Request::One(_) => replies.next().map(Reply::One),
            Request::Transaction(transaction) => {
                let expected = Expected::Transaction(transaction.len());
                let collector = Collector::of(expected);
                collector.and_then(|mut all| replies.find_map(|reply| all.take(reply)))
            }
        };
        Ok(answer.unwrap_or(Reply::One(Value::Nil)))
    }
}

/// `failure` is why no node tells what the cluster is like.
fn nowhere(target: &Target, deadline: Deadline, failure: Option<Error>) -> Error {
    let timeout = deadline.timeout().unwrap_or_default();
    let error = |what: String| {
        let message = format!("{what}; not sent within {timeout:?}");
        Error::new(ErrorKind::Timeout, message)
    };
    match (target, failure) {
        (Target::Slot { slot, .. }, _) => error(format!("no node of the cluster has slot {slot}")),
        (Target::AnyNode | Target::Node(_), None) => {
            error("no node of the cluster is known".to_owned())
        }
        (Target::AnyNode | Target::Node(_), Some(why)) => {
            let what = format!("no node of the cluster is known: {}", why.message());
            error(what).with_source(why)
        }
    }
}

impl Target {
    /// Whether another node may have what it asks for.
    fn may_change(&self) -> bool {
        !matches!(self, Self::Node(_))
    }
}

impl Reply {
    /// Where a request that got it is to go instead, if it was not run.
    fn redirect(&self, asked: &RedisNode) -> Option<Redirect> {
        match self {
            Self::One(value) => Redirect::of(value, asked),
            Self::Aborted(refused) => Redirect::of_refused(refused, asked),
            Self::Each(_) => None,
        }
    }
}
