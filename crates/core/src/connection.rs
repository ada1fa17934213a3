//! The connection that all calls of a client share.

mod aborted_transaction;
mod addresses;
mod backoff;
mod busy_poll;
mod carrier;
mod carriers;
mod cluster;
mod confirmation;
mod connect;
mod deadline_timer;
mod dialogue;
mod driver;
mod endpoint;
mod exclusive;
mod following;
mod handshake;
mod heartbeat;
mod in_cluster;
mod in_time;
mod learning;
mod link;
mod login;
mod multiplexer;
mod outbox;
mod progress;
mod push_sink;
mod reply;
mod request;
mod requesting;
mod retirement;
mod scheme_hint;
mod sentinel;
mod served;
mod shared_driver;
mod socket;
mod socket_id;
mod socket_target;
mod subscribing;
mod subscription;
mod supervisor;
mod ticket;
#[cfg(feature = "tls")]
mod tls_socket;
mod verdict;
mod whereabouts;
mod wire;

use std::fmt;
use std::sync::Arc;

use crate::{ClientContext, ClientOptions, Deadline, Error, RedisUri, Result, Waiting};
use learning::learn_commands;
use link::Link;

pub use backoff::Backoff;
pub(crate) use carrier::Membership;
pub(crate) use carriers::Carriers;
pub use cluster::FrequentLooks;
pub use confirmation::Confirmation;
pub use exclusive::ExclusiveConnection;
pub use push_sink::PushSink;
pub(crate) use request::cut_off;
pub(crate) use sentinel::{SentinelSet, SentinelSets, SentinelUse};
pub use socket_id::SocketId;
pub use whereabouts::Detour;

/// The one connection of a client, shared by all its calls.
///
/// Cheap to clone. Replies always match their requests, also when a call is cancelled or times out.
/// It carries whatever does not change or hold up the connection itself; see
/// [`route`](crate::route::route).
///
/// A connection that is lost is made again, for ever, unless the option `auto_reconnect` or
/// `suspend_reconnect_on_protocol_failure` says otherwise. Meanwhile calls wait, within their deadline, or fail
/// at once, as the option `disconnected_behavior` says. A command is never sent twice, unless the option
/// `replay` names it: what may have run when the connection was lost fails with [`Delivery::Unknown`](crate::Delivery::Unknown).
///
/// ```no_run
/// # fn example(connection: redis_manager_core::Connection) -> redis_manager_core::Result<()> {
/// use redis_manager_core::redis::{Value, cmd};
///
/// let reply = connection.request(&cmd("PING"))?;
/// assert_eq!(reply, Value::SimpleString("PONG".to_owned()));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Connection {
    context: Arc<ClientContext>,
    link: Link,
}

impl Connection {
    /// Opens the connection of the client that `context` describes. With `pushes` it can subscribe. With the
    /// option `lazy_connect` it connects when it is first used. With the option `shared` it may be one that other
    /// clients have already, whose pushes [`shared_sink`](Self::shared_sink) takes then.
    ///
    /// # Errors
    ///
    /// What kept it from connecting, with the address and the cause, within the option
    /// `connect_timeout`; [`ErrorKind::ScriptUnloaded`](crate::ErrorKind::ScriptUnloaded) if the script's gate is shut meanwhile.
    pub async fn open_async(
        context: &Arc<ClientContext>,
        pushes: Option<Arc<dyn PushSink>>,
    ) -> Result<Self> {
        let gate = context.script().gate();
        let unfinished = Unfinished(context);
        let opening = async {
            if context.options().shared() {
                return carrier::open(context, pushes.as_ref()).await;
            }
            let opening = Link::open(Arc::clone(context), pushes);
            let link = context.resources().run_cancellable(opening).await?;
            if !context.options().lazy_connect() {
                context.set_connected();
            }
            Ok(link)
        };
        let link = tokio::select! {
            biased;
            () = gate.shut_async() => return Err(gate.refusal()),
            link = opening => link?,
        };
        if let Link::Server(sockets) = &link
            && let Some(guard) = context.guard()
            && guard.needs_table()
            && !context.options().lazy_connect()
        {
            let deadline = Deadline::after(context.options().connect_timeout());
            let learning = learn_commands(context, sockets.commands(), deadline);
            tokio::select! {
                biased;
                () = gate.shut_async() => return Err(gate.refusal()),
                learnt = learning => learnt?,
            }
        }
        std::mem::forget(unfinished);
        Ok(Self {
            context: Arc::clone(context),
            link,
        })
    }

    /// What waits to be sent, on all of its sockets.
    #[must_use]
    pub fn waiting(&self) -> Waiting {
        self.link.waiting()
    }

    /// What takes the pushes of a connection that clients share: that of the first one. `None` if it is not shared.
    #[must_use]
    pub fn shared_sink(&self) -> Option<Arc<dyn PushSink>> {
        self.context.membership()?.sink()
    }

    /// The same for what is done for all clients that share it: no client that is closed takes that along. If it is not
    /// shared, the same.
    #[must_use]
    pub fn of_all(&self) -> Self {
        let membership = self.context.membership();
        let context = membership.map_or(&self.context, Membership::carrier);
        Self {
            context: Arc::clone(context),
            link: self.link.clone(),
        }
    }

    /// Whether it is what [`of_all`](Self::of_all) returns of one that clients share.
    #[must_use]
    pub fn is_carrier(&self) -> bool {
        self.context.is_carrier()
    }

    /// The client that it belongs to.
    #[must_use]
    pub fn client_context(&self) -> &Arc<ClientContext> {
        &self.context
    }

    fn name(&self, error: Error, command: impl Into<String>) -> Error {
        self.context.note_failure(&error);
        error
            .with_command(command)
            .with_client(self.context.client_id())
    }

    /// The protocol that the server agreed to for commands; `None` before their first connection, with the
    /// option `lazy_connect` and in a cluster.
    #[must_use]
    pub fn protocol(&self) -> Option<redis::ProtocolVersion> {
        self.link.protocol()
    }

    /// The database that the connection uses.
    #[must_use]
    pub fn database(&self) -> i64 {
        self.context.uri().database().into()
    }

    /// Where it connects to.
    #[must_use]
    pub fn redis_uri(&self) -> &RedisUri {
        self.context.uri()
    }

    /// What the client was opened with.
    #[must_use]
    pub fn client_options(&self) -> &ClientOptions {
        self.context.options()
    }
}

/// An opening under way. Dropped before its end, it takes along what was opened so far.
struct Unfinished<'a>(&'a ClientContext);

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("client", &self.context.client_id())
            .field("address", &self.context.address())
            .field("state", &self.context.state())
            .finish_non_exhaustive()
    }
}
