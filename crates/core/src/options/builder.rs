//! Client options while they are put together.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    ClientOptions, DisconnectedBehavior, Overflow, Protocol, ReadFrom, ReplayFilter, SocketOptions,
    TlsOptions, duration,
};
use crate::credentials::CredentialsSource;
use crate::{CredentialsProvider, Error, Result};

/// Sets [`ClientOptions`]; every option has a default, and [`build`](Self::build) checks them all.
///
/// ```
/// use redis_manager_core::{ClientOptions, Overflow, Protocol};
/// use std::time::Duration;
///
/// let options = ClientOptions::builder()
///     .command_timeout(Duration::from_secs(2))
///     .protocol(Protocol::Resp3)
///     .overflow(Overflow::DropNewest)
///     .build()?;
/// assert_eq!(options.command_timeout(), Duration::from_secs(2));
///
/// let error = ClientOptions::builder().session_pool_size(0).build().unwrap_err();
/// assert_eq!(error.message(), "invalid client options: `session_pool_size` is 0; it must be at least 1");
/// # Ok::<(), redis_manager_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[must_use]
pub struct ClientOptionsBuilder {
    #[serde(with = "duration")]
    pub(super) connect_timeout: Duration,
    #[serde(with = "duration")]
    pub(super) command_timeout: Duration,
    #[serde(with = "duration")]
    pub(super) shutdown_timeout: Duration,
    pub(super) lazy_connect: bool,
    pub(super) shared: bool,
    pub(super) ping_before_activate: bool,
    pub(super) auto_reconnect: bool,
    #[serde(with = "duration")]
    pub(super) reconnect_delay: Duration,
    pub(super) suspend_reconnect_on_protocol_failure: bool,
    #[serde(with = "duration::or_off")]
    pub(super) heartbeat: Option<Duration>,
    #[serde(with = "duration::or_off")]
    pub(super) busy_poll: Option<Duration>,
    pub(super) disconnected_behavior: DisconnectedBehavior,
    pub(super) read_from: ReadFrom,
    pub(super) replay: ReplayFilter,
    pub(super) request_queue_size: usize,
    pub(super) request_queue_bytes: usize,
    pub(super) max_reply_size: usize,
    pub(super) buffer_usage_ratio: usize,
    pub(super) protocol: Protocol,
    pub(super) session_pool_size: usize,
    pub(super) blocking_pool_size: usize,
    pub(super) listener_queue_size: usize,
    pub(super) listener_queue_bytes: usize,
    #[serde(with = "duration")]
    pub(super) listener_blocked_after: Duration,
    pub(super) overflow: Overflow,
    pub(super) socket: SocketOptions,
    pub(super) tls: TlsOptions,
    #[serde(skip)]
    pub(super) credentials: Option<CredentialsSource>,
    #[serde(skip)]
    pub(super) sentinel_credentials: Option<CredentialsSource>,
}

impl Default for ClientOptionsBuilder {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            // lettuce waits 60 s, which a script's caller would take for a hang.
            command_timeout: Duration::from_secs(10),
            shutdown_timeout: Duration::from_secs(2),
            lazy_connect: false,
            shared: false,
            ping_before_activate: true,
            auto_reconnect: true,
            // lettuce goes up to 30 s, which a player would call an outage of its own.
            reconnect_delay: Duration::from_secs(2),
            suspend_reconnect_on_protocol_failure: false,
            heartbeat: Some(Duration::from_secs(15)),
            busy_poll: Some(Duration::from_micros(50)),
            disconnected_behavior: DisconnectedBehavior::Queue,
            read_from: ReadFrom::Master,
            replay: ReplayFilter::none(),
            request_queue_size: 65_536,
            request_queue_bytes: 64 * 1024 * 1024,
            max_reply_size: 512 * 1024 * 1024,
            buffer_usage_ratio: 3,
            protocol: Protocol::Auto,
            session_pool_size: 8,
            blocking_pool_size: 32,
            listener_queue_size: 1024,
            listener_queue_bytes: 16 * 1024 * 1024,
            listener_blocked_after: Duration::from_secs(5),
            overflow: Overflow::DropOldest,
            socket: SocketOptions::default(),
            tls: TlsOptions::default(),
            credentials: None,
            sentinel_credentials: None,
        }
    }
}

impl ClientOptionsBuilder {
    /// The time to reach the server and log in, longer than 0. Default 10 s.
    pub fn connect_timeout(mut self, connect_timeout: Duration) -> Self {
        self.connect_timeout = connect_timeout;
        self
    }

    /// The time a command may take as a whole, longer than 0: waiting, connecting and the reply. The
    /// URI's `timeout` goes before it. Default 10 s.
    pub fn command_timeout(mut self, command_timeout: Duration) -> Self {
        self.command_timeout = command_timeout;
        self
    }

    /// The time that a close waits for what is in flight; 0 cuts at once. Default 2 s.
    pub fn shutdown_timeout(mut self, shutdown_timeout: Duration) -> Self {
        self.shutdown_timeout = shutdown_timeout;
        self
    }

    /// Whether the client connects only when its first call is made. Default false; true lets a client be
    /// opened while its server is down, and its calls wait for that, whatever `auto_reconnect` says. A lazy
    /// PUB_SUB client has a socket for commands and one for listeners, each made when it is needed.
    pub fn lazy_connect(mut self, lazy_connect: bool) -> Self {
        self.lazy_connect = lazy_connect;
        self
    }

    /// Whether the client shares its connection: clients of one [`ClientResources`](crate::ClientResources) with this
    /// option, the same URI (password included), equal options and the same kind have one connection together,
    /// whichever scripts own them. Default false.
    ///
    /// Everything else is as if each had its own: state and events, deadlines, what is in flight, closing. A client
    /// that is closed takes its own calls along and no other's. Channels are subscribed to once for all clients, and
    /// each listener has its queue. Sessions and blocking commands have connections of their own, from the client's
    /// own pools. A BASIC client has no connection to share.
    ///
    /// Two things are everybody's. `request_queue_size` and `request_queue_bytes` bound what waits of all clients
    /// together. And what ends the connection ends it for all: a reply larger than `max_reply_size`, or a server that
    /// breaks the protocol. A script that risks that is better off with a connection of its own.
    pub fn shared(mut self, shared: bool) -> Self {
        self.shared = shared;
        self
    }

    /// Whether a new connection has to answer a PING before it is used. Default true, as in lettuce.
    pub fn ping_before_activate(mut self, ping_before_activate: bool) -> Self {
        self.ping_before_activate = ping_before_activate;
        self
    }

    /// Whether a connection that is lost is made again, for ever and whatever the server says. Default
    /// true; otherwise the client's calls fail from then on.
    pub fn auto_reconnect(mut self, auto_reconnect: bool) -> Self {
        self.auto_reconnect = auto_reconnect;
        self
    }

    /// The most that is waited before a try to reconnect, longer than 0: each wait is uniformly random
    /// from 0 to a bound that doubles from 10 ms up to this, and begins anew after a connection that lasted
    /// longer than this. Default 2 s.
    pub fn reconnect_delay(mut self, reconnect_delay: Duration) -> Self {
        self.reconnect_delay = reconnect_delay;
        self
    }

    /// Whether reconnecting ends when the server was reached and its answer is no: a wrong password, a
    /// database that is not there, something that is no Redis. Default false, because such a thing may be
    /// mended; true makes the client's calls fail from then on, with that answer. As in lettuce.
    pub fn suspend_reconnect_on_protocol_failure(mut self, suspend: bool) -> Self {
        self.suspend_reconnect_on_protocol_failure = suspend;
        self
    }

    /// How long the connection that calls share may be silent before the server is asked for a sign of life,
    /// 10 ms to 1 day. If there is none for as long again, and no call that was sent before has time left, the
    /// connection is replaced. `None` (`"off"` in a config file) never asks. Default 15 s.
    ///
    /// Sessions and blocking commands are not asked: there, a silent server is noticed by the deadline of the
    /// call, and by TCP.
    pub fn heartbeat(mut self, heartbeat: impl Into<Option<Duration>>) -> Self {
        self.heartbeat = heartbeat.into();
        self
    }

    /// How long a call may wait awake for replies before its thread is let go, 1 µs to 1 ms. `None` (`"off"` in a
    /// config file): not at all. Default 50 µs.
    ///
    /// A call that waits awake sends its request and takes the replies on its own thread: no other thread has to be
    /// woken, which often takes longer than a server nearby needs to answer. It costs what it says: the thread is
    /// busy meanwhile, and an executor's other tasks on that thread wait. Where it does not pay, because the server is
    /// farther away than this or has more to do, it is all but given up, down to one try in a thousand calls, until it
    /// pays again; and so it is while clients of the same threads are called in turns. Of a few calls at the same time
    /// one does the work of all; of many, none. Clients that subscribe never do this, nor
    /// do calls over TLS.
    pub fn busy_poll(mut self, busy_poll: impl Into<Option<Duration>>) -> Self {
        self.busy_poll = busy_poll.into();
        self
    }

    /// What a call does while the client is disconnected and reconnecting. Default
    /// [`DisconnectedBehavior::Queue`].
    pub fn disconnected_behavior(mut self, behavior: DisconnectedBehavior) -> Self {
        self.disconnected_behavior = behavior;
        self
    }

    /// Which nodes of a cluster are read from. Default [`ReadFrom::Master`].
    pub fn read_from(mut self, read_from: ReadFrom) -> Self {
        self.read_from = read_from;
        self
    }

    /// The commands that are sent again if the connection is lost before their reply came, and so may run
    /// twice. Default [`ReplayFilter::none`]. Sessions and blocking commands are never sent again.
    pub fn replay(mut self, replay: ReplayFilter) -> Self {
        self.replay = replay;
        self
    }

    /// How many requests may wait to be sent or for their reply, at least 1; a pipeline is one. Default
    /// 65 536. One more is refused.
    pub fn request_queue_size(mut self, request_queue_size: usize) -> Self {
        self.request_queue_size = request_queue_size;
        self
    }

    /// How many bytes of requests may wait to be sent, at least 1. Default 64 MiB. A request that
    /// would wait alone is let in whatever its size.
    pub fn request_queue_bytes(mut self, request_queue_bytes: usize) -> Self {
        self.request_queue_bytes = request_queue_bytes;
        self
    }

    /// The most bytes of one reply, at least 1. Default 512 MiB, the server's own limit of a value. A
    /// larger one ends the connection.
    pub fn max_reply_size(mut self, max_reply_size: usize) -> Self {
        self.max_reply_size = max_reply_size;
        self
    }

    /// When memory of the read buffer is given back: when there are this many times more bytes of
    /// replies read than there are left, at least 1. Default 3, as in lettuce.
    pub fn buffer_usage_ratio(mut self, buffer_usage_ratio: usize) -> Self {
        self.buffer_usage_ratio = buffer_usage_ratio;
        self
    }

    /// The protocol version to speak, unless the URI names one. Default [`Protocol::Auto`].
    pub fn protocol(mut self, protocol: Protocol) -> Self {
        self.protocol = protocol;
        self
    }

    /// How the TCP socket of each connection is set up.
    pub fn socket(mut self, socket: SocketOptions) -> Self {
        self.socket = socket;
        self
    }

    /// Whom the client trusts over TLS, and what it shows the server. Default: the authorities that the system trusts,
    /// and nothing. Of no account unless the URI asks for TLS (`rediss://`).
    pub fn tls(mut self, tls: TlsOptions) -> Self {
        self.tls = tls;
        self
    }

    /// Who is asked for the credentials, each time that a connection is made, in place of those of the URI. Default
    /// nobody.
    ///
    /// It stands in no config file, and options are equal if they have the same one. A BASIC client, and the client of
    /// the redis crate, do not know of it: the former is refused with [`Unsupported`](crate::ErrorKind::Unsupported), and
    /// the latter logs in as the URI says.
    pub fn credentials(mut self, provider: Arc<dyn CredentialsProvider>) -> Self {
        self.credentials = Some(CredentialsSource(provider));
        self
    }

    /// Who is asked for the credentials for the sentinels of a Sentinel URI, each time that one is connected to: those of
    /// the URI, and of the option [`credentials`](Self::credentials), are the server's. Default nobody: no login.
    ///
    /// It stands in no config file. Clients with the same one listen to the sentinels over one connection, so clone the
    /// options, or the `Arc`, for all of them.
    ///
    /// ```
    /// use redis_manager_core::{ClientOptions, Credentials};
    /// use std::sync::Arc;
    ///
    /// let login = Credentials::new("s3cret").with_username("watcher");
    /// let options = ClientOptions::builder().sentinel_credentials(Arc::new(login)).build()?;
    /// # Ok::<(), redis_manager_core::Error>(())
    /// ```
    pub fn sentinel_credentials(mut self, provider: Arc<dyn CredentialsProvider>) -> Self {
        self.sentinel_credentials = Some(CredentialsSource(provider));
        self
    }

    /// How many sessions may be open at once, at least 1. Default 8.
    pub fn session_pool_size(mut self, session_pool_size: usize) -> Self {
        self.session_pool_size = session_pool_size;
        self
    }

    /// How many blocking commands may run at once, at least 1. Default 32.
    pub fn blocking_pool_size(mut self, blocking_pool_size: usize) -> Self {
        self.blocking_pool_size = blocking_pool_size;
        self
    }

    /// How many messages may wait for one listener, at least 1. Default 1024.
    pub fn listener_queue_size(mut self, listener_queue_size: usize) -> Self {
        self.listener_queue_size = listener_queue_size;
        self
    }

    /// How many bytes of messages may wait for one listener, at least 1: payload and channel of each. Default
    /// 16 MiB. A message that is larger alone is dropped.
    ///
    /// Messages that come at once are kept together, once for all listeners: up to 256 of them, and 64 KiB besides the
    /// last. Therefore a listener may hold on to messages that it has heard or that were dropped: to those that came
    /// with the one that it hears, to those that came with the first that waits, and to as many again as wait.
    pub fn listener_queue_bytes(mut self, listener_queue_bytes: usize) -> Self {
        self.listener_queue_bytes = listener_queue_bytes;
        self
    }

    /// How long a call of a listener may run, longer than 0, before the event
    /// [`ListenerBlocked`](crate::ClientEvent::ListenerBlocked) names it. Default 5 s. The call goes on.
    pub fn listener_blocked_after(mut self, listener_blocked_after: Duration) -> Self {
        self.listener_blocked_after = listener_blocked_after;
        self
    }

    /// What a listener's full queue does. Default [`Overflow::DropOldest`].
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.overflow = overflow;
        self
    }

    /// Checks all values and makes the options.
    ///
    /// # Errors
    ///
    /// [`InvalidOptions`](crate::ErrorKind::InvalidOptions) names the first option that is out of
    /// its range, its value and what is allowed.
    pub fn build(self) -> Result<ClientOptions> {
        self.check()?;
        Ok(ClientOptions(self))
    }
}

impl TryFrom<ClientOptionsBuilder> for ClientOptions {
    type Error = Error;

    fn try_from(builder: ClientOptionsBuilder) -> Result<Self> {
        builder.build()
    }
}
