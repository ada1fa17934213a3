//! A subscription, or its end, on its way to the node that is to have it.

use std::sync::Arc;
use std::time::Duration;

use redis::Value;

use super::super::SocketId;
use super::super::link::one;
use super::super::subscription::{Change, Subscription};
use super::subscribing::Placed;
use super::tries::{Next, Tries};
use super::{Caller, Cluster};
use crate::cluster::{Redirect, Slot, Target};
use crate::{ClientContext, Deadline, Error, ErrorKind, Result};

/// Goes from node to node until one has confirmed it. To subscribe twice is to subscribe once, so that is tried again
/// also if nobody knows what became of it.
pub(in super::super) struct Seeking {
    pub(super) cluster: Cluster,
    pub(super) context: Arc<ClientContext>,
    /// The one that is subscribed to the channel.
    pub(super) socket: Option<SocketId>,
    pub(super) subscription: Subscription,
    pub(super) deadline: Deadline,
}

/// What became of one try.
enum Outcome {
    Done,
    Failed(Error),
    /// Another is made after this time; the reason is for whoever has no time left for it.
    Again(Duration, Error),
}

impl Seeking {
    /// Completes when it is confirmed. `placed` is where it was left at first.
    pub(in super::super) async fn confirmed(self, placed: Option<Placed>) -> Result<()> {
        let outcome = self.seek(placed).await;
        if let (Err(error), Change::Leaves, Some(socket)) =
            (&outcome, self.subscription.change, self.socket)
            && error.kind() != ErrorKind::Disconnected
        {
            // The channel goes on elsewhere only once it is certain that nothing of it comes from here.
            self.cluster.subscribers()?.give_up(socket);
        }
        outcome
    }

    async fn seek(&self, mut placed: Option<Placed>) -> Result<()> {
        let caller = Caller {
            cluster: &self.cluster,
            client: &self.context,
            deadline: self.deadline,
        };
        let mut tries = Tries::new();
        loop {
            let Placed { ticket, asked } = match placed.take() {
                Some(placed) => placed,
                None => self.place(caller).await?,
            };
            let redirect = |value: &Value| Redirect::of(value, asked.as_ref()?);
            let outcome = match ticket.await.and_then(one) {
                Ok(value) => match redirect(&value) {
                    None => value.extract_error().map(drop).into(),
                    Some(redirect) => self.follow(redirect, value, &mut tries),
                },
                Err(error) => self.lost(error, &mut tries),
            };
            let (pause, reason) = match outcome {
                Outcome::Done => return Ok(()),
                Outcome::Failed(error) => return Err(error),
                Outcome::Again(pause, reason) => (pause, reason),
            };
            if !caller.pause(pause).await? {
                let timeout = self.deadline.timeout().unwrap_or_default();
                let message = format!("no node took it within {timeout:?}: {}", reason.message());
                return Err(Error::new(ErrorKind::Timeout, message).with_source(reason));
            }
        }
    }

    async fn place(&self, caller: Caller<'_>) -> Result<Placed> {
        let slot = Slot::of(self.subscription.channel.name());
        let target = Target::Slot { slot, reads: false };
        // It ends where it is, and begins where it belongs.
        let socket = self.socket.filter(|_| self.subscription.ends());
        loop {
            let in_flight = self.context.admit_until(self.deadline)?;
            let subscribers = self.cluster.subscribers()?;
            if let Some(placed) = subscribers.place(socket, &self.subscription, in_flight)? {
                return Ok(placed);
            }
            let _ = caller.node_for(&target).await?;
        }
    }

    fn follow(&self, redirect: Redirect, value: Value, tries: &mut Tries) -> Outcome {
        self.cluster.map().note(&redirect);
        let pause = match redirect {
            // It has ended there with the slot, or that node will not end it.
            Redirect::Moved { .. } if self.subscription.ends() => {
                self.give_up_if_held();
                return Outcome::Done;
            }
            Redirect::Moved { .. } => tries.pause(Next::Elsewhere),
            // A slot that is on its way has its channels at the node that it leaves.
            Redirect::Ask { .. } | Redirect::TryAgain | Redirect::Down => tries.pause(Next::Again),
        };
        match (pause, value.extract_error()) {
            (Some(pause), Err(reason)) => Outcome::Again(pause, reason.into()),
            (_, answer) => answer.map(drop).map_err(Error::from).into(),
        }
    }

    /// A replica of Redis 8 says that another node has the slot, and ends nothing.
    fn give_up_if_held(&self) {
        let Some((subscribers, socket)) = self.cluster.subscribers().ok().zip(self.socket) else {
            return;
        };
        let channel = &self.subscription.channel;
        if subscribers.with_socket(socket, |shard| shard.has(channel)) == Some(true) {
            subscribers.give_up(socket);
        }
    }

    fn lost(&self, error: Error, tries: &mut Tries) -> Outcome {
        if error.kind() != ErrorKind::Disconnected || self.subscription.ends() {
            return Outcome::Failed(error);
        }
        self.cluster.map().doubt();
        match tries.pause(Next::Again) {
            Some(pause) => Outcome::Again(pause, error),
            None => Outcome::Failed(error),
        }
    }
}

impl<E: Into<Error>> From<Result<(), E>> for Outcome {
    fn from(outcome: Result<(), E>) -> Self {
        match outcome {
            Ok(()) => Self::Done,
            Err(error) => Self::Failed(error.into()),
        }
    }
}
