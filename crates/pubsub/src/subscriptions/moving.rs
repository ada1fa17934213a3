//! Channels that come by another socket than before, in a cluster.

use redis_manager_core::{Channel, ChannelKind, Confirmation, Result, SocketId};

use super::Subscriptions;

impl Subscriptions {
    /// Has shard channels come by the socket to which they belong; see [`PushSink::rearrange`].
    ///
    /// A channel ends at the one socket before it begins at the other, so that nothing is heard twice.
    ///
    /// [`PushSink::rearrange`]: redis_manager_core::PushSink::rearrange
    pub(super) fn rearrange(&self, is_right: &dyn Fn(&Channel, Option<SocketId>) -> bool) {
        let Some(connection) = self.connection.get() else {
            return;
        };
        let (wanted, moving) = {
            let mut table = self.table.lock();
            let Some(table) = &mut *table else {
                return;
            };
            let (wanted, misplaced) = table.rearrange(ChannelKind::Shard, is_right);
            // Left to be sent under the lock, as every step.
            let moving = misplaced.into_iter().map(|(channel, socket)| {
                let ending = connection.begin_move_from(socket, &channel);
                (channel, socket, ending)
            });
            (wanted, moving.collect::<Vec<_>>())
        };
        for channel in &wanted {
            self.settle_in_background(channel);
        }
        for (channel, socket, ending) in moving {
            self.finish_move(channel, socket, ending);
        }
    }

    /// Waits until `channel` has ended at `socket`. What follows is decided where that is noted.
    pub(super) fn finish_move(
        &self,
        channel: Channel,
        socket: SocketId,
        ending: Result<Confirmation>,
    ) {
        let (Some(this), Some(context)) = (self.this.upgrade(), self.context()) else {
            return;
        };
        drop(context.spawn(async move {
            let ended = match ending {
                Ok(ending) => ending.received().await,
                Err(error) => Err(error),
            };
            if let Err(error) = ended {
                tracing::debug!(%channel, %error, "it did not end where it does not belong");
            }
            if let Some(table) = &mut *this.table.lock() {
                table.left(socket, &channel);
            }
        }));
    }
}
