//! Leaving a subscription, or its end, with the node that is to have it.

use std::sync::Arc;
use std::time::Duration;

use super::super::SocketId;
use super::super::confirmation::Awaited;
use super::super::subscription::{Change, Subscription};
use super::super::ticket::Ticket;
use super::super::wire::Wire;
use super::shard_subscriber::ShardSubscriber;
use super::subscribers::Subscribers;
use super::{Cluster, Seeking};
use crate::cluster::Slot;
use crate::{
    Channel, ClientContext, Deadline, Delivery, Error, ErrorKind, InFlight, RedisNode, Result,
};

/// How long a node has to end what is to go on at another one.
const LEAVE: Duration = Duration::from_secs(1);

/// A request that was left with a node.
pub(in super::super) struct Placed {
    pub(super) ticket: Ticket<Arc<Wire>>,
    /// `None` if any node would do.
    pub(super) asked: Option<RedisNode>,
}

impl Cluster {
    /// Leaves `subscription` for the client of `context`, with the socket of this number if there is one. Does not wait: if
    /// nobody knows yet with whom to leave it, the one who waits for the answer does.
    pub(in super::super) fn subscribe(
        &self,
        context: &Arc<ClientContext>,
        socket: Option<SocketId>,
        subscription: Subscription,
    ) -> Result<Awaited> {
        let subscribers = self.subscribers()?;
        let time = match subscription.change {
            Change::Begins | Change::Ends => context.command_timeout(),
            Change::Leaves => LEAVE.min(context.command_timeout()),
        };
        let deadline = Deadline::after(time);
        let in_flight = context.admit_until(deadline)?;
        let placed = subscribers.place(socket, &subscription, in_flight)?;
        let seeking = Seeking {
            cluster: self.clone(),
            context: Arc::clone(context),
            socket,
            subscription,
            deadline,
        };
        Ok(Awaited::Node(Box::new((seeking, placed))))
    }

    /// Whether there is no connection at this moment by which `channel` would come.
    pub(in super::super) fn is_subscription_lost(
        &self,
        socket: Option<SocketId>,
        channel: &Channel,
    ) -> bool {
        let subscribers = self.0.subscribers.as_ref();
        subscribers.is_some_and(|subscribers| subscribers.is_lost(socket, channel))
    }

    pub(super) fn subscribers(&self) -> Result<&Subscribers> {
        self.0.subscribers.as_deref().ok_or_else(|| {
            Error::new(
                ErrorKind::Unsupported,
                "this connection does not subscribe; open a PUB_SUB client",
            )
        })
    }
}

impl Subscribers {
    /// Leaves `subscription`; `None` if no node is known to have the channel's slot.
    pub(super) fn place(
        &self,
        socket: Option<SocketId>,
        subscription: &Subscription,
        in_flight: InFlight,
    ) -> Result<Option<Placed>> {
        let subscription = subscription.clone();
        if !subscription.is_of_shard() {
            let left = self
                .plain()
                .outbox()
                .put_subscription(subscription, in_flight)?;
            let ticket = Ticket::new(Arc::clone(self.plain()), left);
            return Ok(Some(Placed {
                ticket,
                asked: None,
            }));
        }
        let slot = Slot::of(subscription.channel.name());
        let ends = subscription.ends();
        let leave = move |shard: &ShardSubscriber| {
            let outbox = shard.wire().outbox();
            let left = match ends {
                true => outbox.put_ending(subscription, in_flight),
                false => outbox.put_subscription(subscription, in_flight),
            };
            (left, Arc::clone(shard.wire()), shard.address().clone())
        };
        let left = match socket {
            Some(socket) if ends || self.with_socket(socket, |_| ()).is_some() => {
                let left = self.with_socket(socket, leave);
                Some(left.ok_or_else(gone)?)
            }
            _ => self.with_owner(slot, leave),
        };
        let Some((left, wire, address)) = left else {
            return Ok(None);
        };
        Ok(Some(Placed {
            ticket: Ticket::new(wire, left?),
            asked: Some(address),
        }))
    }
}

/// With the socket its subscriptions are gone.
fn gone() -> Error {
    let message = "the socket by which the channel came is gone";
    Error::new(ErrorKind::Disconnected, message).with_delivery(Delivery::NotSent)
}
