//! How a client behaves.

mod builder;
mod check;
mod disconnected_behavior;
mod duration;
mod overflow;
mod pem;
mod protocol;
mod read_from;
mod replay_filter;
mod socket;
mod tls;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::CredentialsProvider;

pub use builder::ClientOptionsBuilder;
pub use disconnected_behavior::DisconnectedBehavior;
pub use overflow::Overflow;
pub use pem::Pem;
pub use protocol::Protocol;
pub use read_from::ReadFrom;
pub use replay_filter::ReplayFilter;
pub use socket::SocketOptions;
pub use tls::TlsOptions;

/// How a client behaves: its deadlines, how it reconnects and what waits meanwhile, its pools and its
/// listeners' queues.
///
/// Made by [`builder`](Self::builder), or read from a config file; both check all values. In a file
/// durations are text such as `"500ms"`, an option left out has its default and an unknown one is an
/// error:
///
/// ```
/// use redis_manager_core::ClientOptions;
/// use std::time::Duration;
///
/// let built = ClientOptions::builder()
///     .command_timeout(Duration::from_millis(500))
///     .session_pool_size(2)
///     .build()?;
/// let read: ClientOptions =
///     serde_json::from_str(r#"{"command_timeout": "500ms", "session_pool_size": 2}"#)?;
/// assert_eq!(read, built);
/// assert_eq!(read.connect_timeout(), Duration::from_secs(10));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "ClientOptionsBuilder")]
pub struct ClientOptions(ClientOptionsBuilder);

impl ClientOptions {
    /// Starts from the defaults.
    pub fn builder() -> ClientOptionsBuilder {
        ClientOptionsBuilder::default()
    }

    /// Starts from these options, to change some.
    pub fn to_builder(&self) -> ClientOptionsBuilder {
        self.0.clone()
    }

    /// The time to reach the server and log in. Default 10 s.
    #[must_use]
    pub fn connect_timeout(&self) -> Duration {
        self.0.connect_timeout
    }

    /// The time a command may take as a whole: waiting, connecting and the reply. Default 10 s.
    #[must_use]
    pub fn command_timeout(&self) -> Duration {
        self.0.command_timeout
    }

    /// The time that a close waits for what is in flight; 0 cuts at once. Default 2 s.
    #[must_use]
    pub fn shutdown_timeout(&self) -> Duration {
        self.0.shutdown_timeout
    }

    /// Whether the client connects only when its first call is made. Default false.
    #[must_use]
    pub fn lazy_connect(&self) -> bool {
        self.0.lazy_connect
    }

    /// Whether clients with equal options share a connection. Default false.
    #[must_use]
    pub fn shared(&self) -> bool {
        self.0.shared
    }

    /// Whether a new connection has to answer a PING before it is used. Default true.
    #[must_use]
    pub fn ping_before_activate(&self) -> bool {
        self.0.ping_before_activate
    }

    /// Whether a connection that is lost is made again. Default true.
    #[must_use]
    pub fn auto_reconnect(&self) -> bool {
        self.0.auto_reconnect
    }

    /// The most that is waited before a try to reconnect. Default 2 s.
    #[must_use]
    pub fn reconnect_delay(&self) -> Duration {
        self.0.reconnect_delay
    }

    /// Whether reconnecting ends when the server's answer is no. Default false.
    #[must_use]
    pub fn suspend_reconnect_on_protocol_failure(&self) -> bool {
        self.0.suspend_reconnect_on_protocol_failure
    }

    /// How long a connection may be silent before the server is asked for a sign of life; `None`: for
    /// ever. Default 15 s.
    #[must_use]
    pub fn heartbeat(&self) -> Option<Duration> {
        self.0.heartbeat
    }

    /// How long a call may wait awake for replies; `None`: not at all. Default 50 µs.
    #[must_use]
    pub fn busy_poll(&self) -> Option<Duration> {
        self.0.busy_poll
    }

    /// What a call does while the client is disconnected. Default [`DisconnectedBehavior::Queue`].
    #[must_use]
    pub fn disconnected_behavior(&self) -> DisconnectedBehavior {
        self.0.disconnected_behavior
    }

    /// Which nodes of a cluster are read from. Default [`ReadFrom::Master`].
    #[must_use]
    pub fn read_from(&self) -> ReadFrom {
        self.0.read_from
    }

    /// The commands that are sent again if the connection is lost before their reply came. Default none.
    #[must_use]
    pub fn replay(&self) -> &ReplayFilter {
        &self.0.replay
    }

    /// How many requests may wait to be sent or for their reply. Default 65 536.
    #[must_use]
    pub fn request_queue_size(&self) -> usize {
        self.0.request_queue_size
    }

    /// How many bytes of requests may wait to be sent. Default 64 MiB.
    #[must_use]
    pub fn request_queue_bytes(&self) -> usize {
        self.0.request_queue_bytes
    }

    /// The most bytes of one reply. Default 512 MiB.
    #[must_use]
    pub fn max_reply_size(&self) -> usize {
        self.0.max_reply_size
    }

    /// When memory of the read buffer is given back. Default 3.
    #[must_use]
    pub fn buffer_usage_ratio(&self) -> usize {
        self.0.buffer_usage_ratio
    }

    /// The protocol version to speak, unless the URI names one. Default [`Protocol::Auto`].
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        self.0.protocol
    }

    /// How the TCP socket of each connection is set up.
    #[must_use]
    pub fn socket(&self) -> &SocketOptions {
        &self.0.socket
    }

    /// Whom a client trusts over TLS, and what it shows the server.
    #[must_use]
    pub fn tls(&self) -> &TlsOptions {
        &self.0.tls
    }

    /// Who is asked for the credentials; `None`: nobody, they are those of the URI.
    #[must_use]
    pub fn credentials(&self) -> Option<&Arc<dyn CredentialsProvider>> {
        self.0.credentials.as_deref()
    }

    /// Who is asked for the credentials for the sentinels of a Sentinel URI; `None`: nobody logs in on them.
    #[must_use]
    pub fn sentinel_credentials(&self) -> Option<&Arc<dyn CredentialsProvider>> {
        self.0.sentinel_credentials.as_deref()
    }

    /// Whether those of `other` come from the same provider.
    pub(crate) fn has_sentinel_credentials_of(&self, other: &Self) -> bool {
        self.0.sentinel_credentials == other.0.sentinel_credentials
    }

    /// How many sessions may be open at once. Default 8.
    #[must_use]
    pub fn session_pool_size(&self) -> usize {
        self.0.session_pool_size
    }

    /// How many blocking commands may run at once. Default 32.
    #[must_use]
    pub fn blocking_pool_size(&self) -> usize {
        self.0.blocking_pool_size
    }

    /// How many messages may wait for one listener. Default 1024.
    #[must_use]
    pub fn listener_queue_size(&self) -> usize {
        self.0.listener_queue_size
    }

    /// How many bytes of messages may wait for one listener. Default 16 MiB.
    #[must_use]
    pub fn listener_queue_bytes(&self) -> usize {
        self.0.listener_queue_bytes
    }

    /// How long a call of a listener may run before an event names it. Default 5 s.
    #[must_use]
    pub fn listener_blocked_after(&self) -> Duration {
        self.0.listener_blocked_after
    }

    /// What a listener's full queue does. Default [`Overflow::DropOldest`].
    #[must_use]
    pub fn overflow(&self) -> Overflow {
        self.0.overflow
    }
}
