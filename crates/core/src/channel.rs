//! What a listener listens to.

use std::fmt;
use std::sync::Arc;

/// What a [`Channel`] names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ChannelKind {
    /// One channel: `SUBSCRIBE`, `PUBLISH`.
    Plain,
    /// All channels whose names match: `PSUBSCRIBE`. Nothing is published to a pattern.
    Pattern,
    /// One shard channel: `SSUBSCRIBE`, `SPUBLISH`, from Redis 7.0 on. In a cluster its messages stay
    /// within the shard of its name. A plain channel of the same name is another channel.
    Shard,
}

/// A channel, a pattern of channels or a shard channel: bytes, and what they name. Cheap to clone.
///
/// Text and bytes convert into a plain channel.
///
/// ```
/// use redis_manager_core::{Channel, ChannelKind};
///
/// let global: Channel = "global".into();
/// assert_eq!(global, Channel::new("global"));
/// let news = Channel::pattern("news.*");
/// assert_eq!((news.kind(), news.name()), (ChannelKind::Pattern, b"news.*".as_slice()));
/// assert_eq!(Channel::shard("orders").to_string(), r#"shard channel "orders""#);
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Channel {
    kind: ChannelKind,
    name: Arc<[u8]>,
}

impl Channel {
    /// The plain channel `name`.
    #[must_use]
    pub fn new(name: impl AsRef<[u8]>) -> Self {
        Self::of(ChannelKind::Plain, name)
    }

    /// All channels that match `pattern`, in the syntax of
    /// [`PSUBSCRIBE`](https://redis.io/docs/latest/commands/psubscribe/).
    #[must_use]
    pub fn pattern(pattern: impl AsRef<[u8]>) -> Self {
        Self::of(ChannelKind::Pattern, pattern)
    }

    /// The shard channel `name`; see [`SSUBSCRIBE`](https://redis.io/docs/latest/commands/ssubscribe/).
    #[must_use]
    pub fn shard(name: impl AsRef<[u8]>) -> Self {
        Self::of(ChannelKind::Shard, name)
    }

    fn of(kind: ChannelKind, name: impl AsRef<[u8]>) -> Self {
        Self {
            kind,
            name: name.as_ref().into(),
        }
    }

    /// The same behind `prefix`. One that means nothing in a pattern is the beginning of whatever the pattern matches.
    pub(crate) fn with_prefix(&self, prefix: &[u8]) -> Self {
        Self::of(self.kind, [prefix, &self.name].concat())
    }

    /// The same without `prefix`, if it has it.
    pub(crate) fn without_prefix(&self, prefix: &[u8]) -> Option<Self> {
        let name = self.name.strip_prefix(prefix)?;
        Some(Self::of(self.kind, name))
    }

    /// What the name stands for.
    #[must_use]
    pub fn kind(&self) -> ChannelKind {
        self.kind
    }

    /// The channel's name, or the pattern.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        &self.name
    }
}

impl<T: AsRef<[u8]>> From<T> for Channel {
    fn from(name: T) -> Self {
        Self::new(name)
    }
}

impl From<&Channel> for Channel {
    fn from(channel: &Channel) -> Self {
        channel.clone()
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            ChannelKind::Plain => "channel",
            ChannelKind::Pattern => "pattern",
            ChannelKind::Shard => "shard channel",
        };
        write!(f, "{kind} {:?}", String::from_utf8_lossy(&self.name))
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
