//! What comes from the server.

use std::time::SystemTime;

use redis_manager_core::redis::{PushInfo, PushKind, Value};
use redis_manager_core::{Channel, ChannelKind, PushSink, Result};

use super::Subscriptions;
use crate::Message;
use crate::burst::Burst;
use crate::subscription_table::{Confirmed, SubscriptionTable};

impl Subscriptions {
    /// Queues `burst` for everybody who listens to it. Called on an I/O thread.
    fn deliver(&self, kind: ChannelKind, burst: &Burst) {
        let Some(first) = burst.messages().first() else {
            return;
        };
        let listeners = match &*self.table.lock() {
            Some(table) => table.listeners(kind, first.subscription()),
            None => None,
        };
        for (_, listener) in listeners.iter().flat_map(|listeners| listeners.iter()) {
            listener.deliver(burst);
        }
    }
}

impl PushSink for Subscriptions {
    fn push(&self, push: PushInfo) {
        if push.kind == PushKind::SUnsubscribe {
            self.flush();
            if let Some(Value::BulkString(name)) = push.data.first() {
                self.note_end(&Channel::shard(name), SubscriptionTable::ended);
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
        let confirmed = match &mut *self.table.lock() {
            Some(table) => table.subscribed(channel, SystemTime::now()),
            None => return,
        };
        match confirmed {
            Confirmed::AsWanted => {}
            Confirmed::Missed(missed) => {
                for (_, listener) in missed.listeners.iter() {
                    listener.deliver_gap(missed.gap.clone());
                }
                let missed = match &mut *self.table.lock() {
                    Some(table) => table.note_missed(missed),
                    None => None,
                };
                self.tell_missed(missed.into_iter().collect());
            }
            Confirmed::Differs => self.settle_in_background(channel),
        }
    }

    fn unsubscribed(&self, channel: &Channel) {
        self.flush();
        self.note_end(channel, SubscriptionTable::unsubscribed);
    }

    fn disconnected(&self, last_heard: SystemTime) {
        self.flush();
        let untold = match &mut *self.table.lock() {
            Some(table) => table.disconnected(last_heard),
            None => return,
        };
        self.tell_missed(untold);
    }

    fn reconnected(&self) -> Vec<Channel> {
        match &mut *self.table.lock() {
            Some(table) => table.reconnected(),
            None => Vec::new(),
        }
    }

    fn restored(&self, channel: &Channel, outcome: Result<()>) {
        let restored = match &mut *self.table.lock() {
            Some(table) => table.restored(channel, outcome.is_ok()),
            None => return,
        };
        if let Err(error) = outcome {
            self.refuse(channel, &error);
        }
        if let Some(restored) = restored {
            self.tell_restored(restored);
        }
    }
}
