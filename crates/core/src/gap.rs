//! A time in which messages may have been lost.

use std::time::SystemTime;

use crate::Channel;

/// A time in which a channel was not listened to, because the connection was lost: what was published
/// meanwhile did not arrive, and Redis keeps no copy of it.
///
/// What the server had sent by `since` and the client had not read yet is lost too. So whoever fetches what was
/// published in between begins earlier, by as much as the client may have been behind.
///
/// Among the messages of a listener it stands where they are missing: after the last one of the old connection
/// and before the first one of the new.
///
/// ```
/// use redis_manager_core::Gap;
/// use std::time::{Duration, SystemTime};
///
/// let now = SystemTime::now();
/// let gap = Gap::new("global", now - Duration::from_secs(3), now);
/// assert_eq!(gap.until.duration_since(gap.since)?, Duration::from_secs(3));
/// # Ok::<(), std::time::SystemTimeError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gap {
    /// What was not listened to.
    pub channel: Channel,
    /// When the server was last heard on the connection that was lost.
    pub since: SystemTime,
    /// When the server confirmed the subscription on the new connection.
    pub until: SystemTime,
}

impl Gap {
    /// Makes a gap; for the tests of a listener.
    #[must_use]
    pub fn new(channel: impl Into<Channel>, since: SystemTime, until: SystemTime) -> Self {
        Self {
            channel: channel.into(),
            since,
            until,
        }
    }

    /// Makes it reach over `later` too.
    #[must_use]
    pub fn merge(mut self, later: Self) -> Self {
        self.since = self.since.min(later.since);
        self.until = self.until.max(later.until);
        self
    }
}
