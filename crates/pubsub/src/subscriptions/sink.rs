//! What comes from the server, by one socket.

use std::sync::Arc;
use std::time::SystemTime;

use parking_lot::Mutex;

use redis_manager_core::redis::{PushInfo, PushKind, Value};
use redis_manager_core::{Channel, ChannelKind, ErrorKind, PushSink, Result, SocketId};

use super::{Again, Subscriptions};
use crate::Message;
use crate::arrivals::Arrivals;
use crate::burst::Burst;
use crate::subscription_table::Confirmed;

/// Where it goes, and what is collected on the way.
pub(crate) struct SocketSink {
    pub(super) subscriptions: Arc<Subscriptions>,
    socket: SocketId,
    /// What was read and is not passed on yet. Only whoever reads the socket comes here.
    arrivals: Mutex<Arrivals>,
}

impl SocketSink {
    pub(crate) fn new(subscriptions: &Arc<Subscriptions>, socket: SocketId) -> Arc<Self> {
        Arc::new(Self {
            subscriptions: Arc::clone(subscriptions),
            socket,
            arrivals: Mutex::default(),
        })
    }

    /// Queues `burst` for everybody who listens to it. Called on an I/O thread.
    fn deliver(&self, kind: ChannelKind, burst: &Burst) {
        let Some(first) = burst.messages().first() else {
            return;
        };
        let listeners = match &*self.subscriptions.table.lock() {
            Some(table) => table.listeners(self.socket, kind, first.subscription()),
            None => None,
        };
        for (_, listener) in listeners.iter().flat_map(|listeners| listeners.iter()) {
            listener.deliver(burst);
        }
    }
}

impl PushSink for SocketSink {
    fn push(&self, push: PushInfo) {
        if push.kind == PushKind::SUnsubscribe {
            self.flush();
            if let Some(Value::BulkString(name)) = push.data.first() {
                let channel = Channel::shard(name);
                self.subscriptions.note_end(&channel, |table, now| {
                    table.ended(self.socket, &channel, now)
                });
            }
        } else if let Some((kind, message)) = Message::from_push(push)
            && self.arrivals.lock().add(kind, message)
        {
            self.flush();
        }
    }

    fn flush(&self) {
        let arrived = {
            let mut arrivals = self.arrivals.lock();
            if arrivals.is_empty() {
                return;
            }
            arrivals.take()
        };
        for (kind, burst) in arrived {
            self.deliver(kind, &burst);
        }
    }

    fn subscribed(&self, channel: &Channel) {
        self.flush();
        let Self {
            subscriptions,
            socket,
            ..
        } = self;
        let (confirmed, ending) = match &mut *subscriptions.table.lock() {
            Some(table) => {
                let confirmed = table.subscribed(*socket, channel, SystemTime::now());
                let connection = match confirmed {
                    Confirmed::Twice => subscriptions.connection.get(),
                    _ => None,
                };
                // Left to be sent under the lock, as every step.
                let ending =
                    connection.map(|connection| connection.begin_move_from(*socket, channel));
                (confirmed, ending)
            }
            None => return,
        };
        match confirmed {
            Confirmed::AsWanted => {}
            Confirmed::Missed(missed) => {
                for (_, listener) in missed.listeners.iter() {
                    listener.deliver_gap(missed.gap.clone());
                }
                let missed = match &mut *subscriptions.table.lock() {
                    Some(table) => table.note_missed(*socket, missed),
                    None => None,
                };
                subscriptions.tell_missed(missed.into_iter().collect());
            }
            Confirmed::Differs => subscriptions.settle_in_background(channel),
            Confirmed::Twice => {
                if let Some(ending) = ending {
                    subscriptions.finish_move(channel.clone(), *socket, ending);
                }
            }
        }
    }

    fn unsubscribed(&self, channel: &Channel) {
        self.flush();
        self.subscriptions.note_end(channel, |table, now| {
            table.unsubscribed(self.socket, channel, now)
        });
    }

    fn disconnected(&self, last_heard: SystemTime) {
        self.flush();
        let untold = match &mut *self.subscriptions.table.lock() {
            Some(table) => table.disconnected(self.socket, last_heard),
            None => return,
        };
        self.subscriptions.tell_missed(untold);
    }

    fn reconnected(&self, belongs: &dyn Fn(&Channel) -> bool) -> Vec<Channel> {
        match &mut *self.subscriptions.table.lock() {
            Some(table) => table.reconnected(self.socket, belongs),
            None => Vec::new(),
        }
    }

    fn restored(&self, channel: &Channel, outcome: Result<()>) {
        let subscriptions = &self.subscriptions;
        let restored = match &mut *subscriptions.table.lock() {
            Some(table) => table.restored(self.socket, channel, outcome.is_ok()),
            None => return,
        };
        match outcome {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::Server => {
                subscriptions.refuse(channel, &error);
            }
            // It belongs elsewhere by now.
            Err(_) => subscriptions.settle_later(channel, Again::Soon),
        }
        if let Some(restored) = restored {
            subscriptions.tell_restored(restored);
        }
    }

    fn for_socket(&self, socket: SocketId) -> Option<Arc<dyn PushSink>> {
        Some(Self::new(&self.subscriptions, socket))
    }

    fn ascertained(&self, belongs: &dyn Fn(&Channel, SocketId) -> bool, at: SystemTime) {
        if let Some(table) = &mut *self.subscriptions.table.lock() {
            table.ascertain(ChannelKind::Shard, belongs, at);
        }
    }

    fn rearrange(&self, is_right: &dyn Fn(&Channel, Option<SocketId>) -> bool) {
        self.subscriptions.rearrange(is_right);
    }
}
