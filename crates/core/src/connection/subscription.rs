//! One change of what a connection is subscribed to.

use redis::{Cmd, PushInfo, PushKind, Value};

use crate::error::Hint;
use crate::{Channel, ChannelKind, Error};

/// A subscription to a channel, or its end, as the server is asked for it and as it confirms it.
#[derive(Clone, Debug)]
pub(super) struct Subscription {
    pub(super) channel: Channel,
    pub(super) change: Change,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Begins,
    /// Nobody listens any more.
    Ends,
    /// The channel comes by another socket, or is to.
    Leaves,
}

impl Subscription {
    pub(super) fn new(channel: &Channel, change: Change) -> Self {
        let channel = channel.clone();
        Self { channel, change }
    }

    pub(super) fn ends(&self) -> bool {
        self.change != Change::Begins
    }

    pub(super) fn is_of_shard(&self) -> bool {
        self.channel.kind() == ChannelKind::Shard
    }

    pub(super) fn command(&self) -> &'static str {
        match (self.channel.kind(), self.ends()) {
            (ChannelKind::Plain, false) => "SUBSCRIBE",
            (ChannelKind::Plain, true) => "UNSUBSCRIBE",
            (ChannelKind::Pattern, false) => "PSUBSCRIBE",
            (ChannelKind::Pattern, true) => "PUNSUBSCRIBE",
            (ChannelKind::Shard, false) => "SSUBSCRIBE",
            (ChannelKind::Shard, true) => "SUNSUBSCRIBE",
        }
    }

    pub(super) fn cmd(&self) -> Cmd {
        let mut cmd = redis::cmd(self.command());
        cmd.arg(self.channel.name());
        cmd
    }

    /// Whether `push` is the server's word that this is done.
    pub(super) fn is_confirmed_by(&self, push: &PushInfo) -> bool {
        let kind = match (self.channel.kind(), self.ends()) {
            (ChannelKind::Plain, false) => PushKind::Subscribe,
            (ChannelKind::Plain, true) => PushKind::Unsubscribe,
            (ChannelKind::Pattern, false) => PushKind::PSubscribe,
            (ChannelKind::Pattern, true) => PushKind::PUnsubscribe,
            (ChannelKind::Shard, false) => PushKind::SSubscribe,
            (ChannelKind::Shard, true) => PushKind::SUnsubscribe,
        };
        let name = push.data.first();
        push.kind == kind
            && matches!(name, Some(Value::BulkString(name)) if name == self.channel.name())
    }
}

/// What became of a subscription by `command`, or of its end, that failed with `error`.
pub(super) fn named(command: &'static str, error: Error) -> Error {
    let error = error.with_command(command);
    match Hint::of_subscription(command, &error) {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}

/// Whether a push of this kind confirms a subscription or its end.
pub(super) fn is_confirmation(kind: &PushKind) -> bool {
    matches!(
        kind,
        PushKind::Subscribe
            | PushKind::Unsubscribe
            | PushKind::PSubscribe
            | PushKind::PUnsubscribe
            | PushKind::SSubscribe
            | PushKind::SUnsubscribe
    )
}
