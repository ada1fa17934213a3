//! What a connection is subscribed to.

use std::sync::Arc;

use super::subscription::{Change, Subscription};
use super::{Confirmation, Connection, SocketId};
use crate::{Channel, Result};

impl Connection {
    /// Leaves a subscription to `channel` to be sent where the channel belongs, after all that was left there before.
    /// Does not wait.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) on a connection that was opened without a sink; otherwise as
    /// [`request_async`](Self::request_async), except that the server is not heard yet.
    pub fn begin_subscribe(&self, channel: &Channel) -> Result<Confirmation> {
        self.begin_subscribe_by(None, channel)
    }

    /// As [`begin_subscribe`](Self::begin_subscribe), by the socket that is subscribed to it already, if one is.
    ///
    /// # Errors
    ///
    /// As that.
    pub fn begin_subscribe_by(
        &self,
        socket: Option<SocketId>,
        channel: &Channel,
    ) -> Result<Confirmation> {
        self.begin(socket, channel, Change::Begins)
    }

    /// Leaves the end of a subscription to `channel` to be sent where the channel belongs, after all that was left there
    /// before. Does not wait.
    ///
    /// # Errors
    ///
    /// As [`begin_subscribe`](Self::begin_subscribe).
    pub fn begin_unsubscribe(&self, channel: &Channel) -> Result<Confirmation> {
        self.begin_unsubscribe_by(None, channel)
    }

    /// As [`begin_unsubscribe`](Self::begin_unsubscribe), by the socket that is subscribed to it, if one is.
    ///
    /// # Errors
    ///
    /// As that.
    pub fn begin_unsubscribe_by(
        &self,
        socket: Option<SocketId>,
        channel: &Channel,
    ) -> Result<Confirmation> {
        self.begin(socket, channel, Change::Ends)
    }

    /// As [`begin_unsubscribe_by`](Self::begin_unsubscribe_by), because `channel` belongs elsewhere in the cluster. A
    /// `socket` that does not answer soon is given up.
    ///
    /// # Errors
    ///
    /// As that.
    pub fn begin_move_from(&self, socket: SocketId, channel: &Channel) -> Result<Confirmation> {
        self.begin(Some(socket), channel, Change::Leaves)
    }

    /// Whether there is no connection at this moment by which `channel` would come, and so no subscription; by `socket`,
    /// if that is subscribed to it.
    #[must_use]
    pub fn is_subscription_lost(&self, socket: Option<SocketId>, channel: &Channel) -> bool {
        self.link.is_subscription_lost(socket, channel)
    }

    fn begin(
        &self,
        socket: Option<SocketId>,
        channel: &Channel,
        change: Change,
    ) -> Result<Confirmation> {
        let subscription = Subscription::new(channel, change);
        let command = subscription.command();
        let allowed = match self.context.guard() {
            Some(guard) => guard.check_subscription(command, channel),
            None => Ok(()),
        };
        let left = allowed.and_then(|()| self.link.subscribe(&self.context, socket, subscription));
        match left {
            Ok(awaited) => {
                let context = Arc::clone(&self.context);
                Ok(Confirmation::new(awaited, command, context))
            }
            Err(error) => Err(self.name(error, command)),
        }
    }
}
