//! The options of the TCP socket.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::duration;

/// How the TCP socket of each connection is set up. A Unix domain socket ignores it.
///
/// ```
/// use redis_manager_core::SocketOptions;
/// use std::time::Duration;
///
/// let socket = SocketOptions::default()
///     .with_keepalive(Some(Duration::from_secs(20)))
///     .with_user_timeout(None);
/// assert!(socket.tcp_nodelay());
/// assert_eq!(socket.user_timeout(), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SocketOptions {
    tcp_nodelay: bool,
    #[serde(with = "duration::or_off")]
    keepalive: Option<Duration>,
    #[serde(with = "duration::or_off")]
    user_timeout: Option<Duration>,
}

impl Default for SocketOptions {
    fn default() -> Self {
        Self {
            tcp_nodelay: true,
            keepalive: Some(Duration::from_secs(60)),
            user_timeout: Some(Duration::from_secs(30)),
        }
    }
}

impl SocketOptions {
    /// Sets whether small writes are sent at once (`TCP_NODELAY`). Default `true`.
    #[must_use]
    pub fn with_tcp_nodelay(mut self, tcp_nodelay: bool) -> Self {
        self.tcp_nodelay = tcp_nodelay;
        self
    }

    /// Sets how long a connection is idle before the system probes it (`SO_KEEPALIVE`), 1 s to
    /// 32 767 s, whole seconds count; `None` (`"off"` in a config file) turns probes off. Default
    /// 60 s.
    #[must_use]
    pub fn with_keepalive(mut self, keepalive: Option<Duration>) -> Self {
        self.keepalive = keepalive;
        self
    }

    /// Sets how long sent data may stay unacknowledged before the system drops the connection
    /// (`TCP_USER_TIMEOUT`, Linux only), 1 ms to 2 147 483 647 ms, whole milliseconds count;
    /// `None` (`"off"` in a config file) leaves it to the system. Default 30 s.
    #[must_use]
    pub fn with_user_timeout(mut self, user_timeout: Option<Duration>) -> Self {
        self.user_timeout = user_timeout;
        self
    }

    /// Whether small writes are sent at once.
    #[must_use]
    pub fn tcp_nodelay(&self) -> bool {
        self.tcp_nodelay
    }

    /// How long a connection is idle before the system probes it; `None`: never.
    #[must_use]
    pub fn keepalive(&self) -> Option<Duration> {
        self.keepalive
    }

    /// How long sent data may stay unacknowledged; `None`: as the system has it.
    #[must_use]
    pub fn user_timeout(&self) -> Option<Duration> {
        self.user_timeout
    }
}
