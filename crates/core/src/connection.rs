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
mod learning;
mod link;
mod login;
mod multiplexer;
mod outbox;
mod progress;
mod push_sink;
mod reply;
mod request;
mod retirement;
mod scheme_hint;
mod sentinel;
mod shared_driver;
mod socket;
mod socket_id;
mod socket_target;
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

use redis::{Cmd, Pipeline, Value};

use crate::namespace::{Guard, ReplyShape};
use crate::route::{Route, route, route_pipeline, upper_name};
use crate::{
    Channel, ClientContext, ClientOptions, Deadline, Delivery, Error, ErrorKind, RedisUri, Result,
    Waiting, wait,
};
use learning::learn_commands;
use link::{Link, Sockets, all, value};
use subscription::{Change, Subscription};
use ticket::Ticket;
use wire::Wire;

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
/// `replay` names it: what may have run when the connection was lost fails with [`Delivery::Unknown`].
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
    /// `connect_timeout`; [`ErrorKind::ScriptUnloaded`] if the script's gate is shut meanwhile.
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

    /// Sends `cmd` and waits for its reply, blocking the thread. An error reply is a
    /// [`Value::ServerError`].
    ///
    /// # Errors
    ///
    /// As [`request_async`](Self::request_async); [`ErrorKind::WouldDeadlock`] on an I/O thread of the
    /// library.
    pub fn request(&self, cmd: &Cmd) -> Result<Value> {
        wait(self.request_async(cmd))?
    }

    /// Sends `cmd` and completes with its reply. An error reply is a [`Value::ServerError`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Refused`] for a command that blocks or changes its connection,
    /// [`ErrorKind::Timeout`] after the command timeout, [`ErrorKind::Closed`] and
    /// [`ErrorKind::Disconnected`]. [`Error::delivery`] says whether the server may have run it.
    pub async fn request_async(&self, cmd: &Cmd) -> Result<Value> {
        only_shared(route(cmd)?)?;
        self.request_routed(cmd).await
    }

    /// As [`request_async`](Self::request_async), for a command whose route the caller has found to be
    /// [`Route::Shared`].
    ///
    /// # Errors
    ///
    /// As [`request_async`](Self::request_async).
    pub async fn request_routed(&self, cmd: &Cmd) -> Result<Value> {
        // What would only disturb its own client, on a connection of its own, here would disturb others.
        if self.context.membership().is_some()
            && let Err(refused) = route(cmd).and_then(only_shared)
        {
            return Err(self.name(refused, upper_name(cmd)));
        }
        let sockets = match &self.link {
            Link::Server(sockets) => sockets,
            // Boxed, because a future has room for its largest part.
            Link::Cluster(cluster) => return Box::pin(self.request_in(cluster, cmd)).await,
        };
        let deadline = Deadline::after(self.context.command_timeout());
        let guard = self.context.guard();
        if let Some(guard) = guard
            && guard.needs_table()
        {
            // Boxed, because a future has room for its largest part, and no other call needs this one.
            let learning = Box::pin(learn_commands(&self.context, sockets.commands(), deadline));
            if let Err(error) = learning.await {
                return Err(self.name(error, upper_name(cmd)));
            }
        }
        // Without another future around it, or all that comes out of this one is moved once more.
        let mut shape = None;
        let left = self.leave(sockets, guard, cmd, deadline, &mut shape);
        let outcome = match left {
            Ok(ticket) => value(cmd, ticket).await,
            Err(error) => Err(error),
        };
        match outcome {
            Ok(reply) => match guard {
                Some(guard) if shape.is_some() => Ok(guard.strip(shape, reply)),
                _ => Ok(reply),
            },
            Err(error) => Err(self.name(error, upper_name(cmd))),
        }
    }

    /// Leaves `cmd` to be sent, as `guard` wants it; `shape` is where names come back then.
    fn leave<'a>(
        &self,
        sockets: &'a Sockets,
        guard: Option<&Guard>,
        cmd: &Cmd,
        deadline: Deadline,
        shape: &mut Option<ReplyShape>,
    ) -> Result<Ticket<&'a Wire>> {
        let Some(guard) = guard else {
            let in_flight = self.context.admit_commands_until(1, deadline)?;
            return sockets.command(cmd, None, in_flight);
        };
        let mapped = guard.map(cmd)?;
        *shape = mapped.shape;
        let in_flight = self.context.admit_commands_until(1, deadline)?;
        let prefix = guard.packed_prefix(&mapped.form);
        sockets.command(mapped.form.cmd(cmd), prefix, in_flight)
    }

    /// Sends `pipeline` in one write and waits for its replies, blocking the thread.
    ///
    /// # Errors
    ///
    /// As [`request_pipeline_async`](Self::request_pipeline_async); [`ErrorKind::WouldDeadlock`] on an
    /// I/O thread of the library.
    pub fn request_pipeline(&self, pipeline: &Pipeline) -> Result<Vec<Value>> {
        wait(self.request_pipeline_async(pipeline))?
    }

    /// Sends `pipeline` in one write and completes with its replies: one a command, or for an atomic
    /// pipeline the one reply of EXEC.
    ///
    /// # Errors
    ///
    /// As [`request_async`](Self::request_async); if one command is refused, none is sent.
    pub async fn request_pipeline_async(&self, pipeline: &Pipeline) -> Result<Vec<Value>> {
        only_shared(route_pipeline(pipeline)?)?;
        self.request_pipeline_routed(pipeline).await
    }

    /// As [`request_pipeline_async`](Self::request_pipeline_async), for a pipeline whose route the caller
    /// has found to be [`Route::Shared`].
    ///
    /// # Errors
    ///
    /// As [`request_pipeline_async`](Self::request_pipeline_async).
    pub async fn request_pipeline_routed(&self, pipeline: &Pipeline) -> Result<Vec<Value>> {
        if self.context.membership().is_some()
            && let Err(refused) = route_pipeline(pipeline).and_then(only_shared)
        {
            return Err(self.name(refused, "pipeline"));
        }
        if has_no_reply(pipeline) {
            return Ok(Vec::new());
        }
        let sockets = match &self.link {
            Link::Server(sockets) => sockets,
            Link::Cluster(cluster) => {
                return Box::pin(self.request_pipeline_in(cluster, pipeline)).await;
            }
        };
        if let Some(guard) = self.context.guard() {
            return self
                .request_guarded_pipeline(sockets, guard, pipeline)
                .await;
        }
        let deadline = Deadline::after(self.context.command_timeout());
        self.send_pipeline(sockets, pipeline, deadline).await
    }

    async fn request_guarded_pipeline(
        &self,
        sockets: &Sockets,
        guard: &Guard,
        pipeline: &Pipeline,
    ) -> Result<Vec<Value>> {
        let deadline = Deadline::after(self.context.command_timeout());
        if guard.needs_table() {
            let learning = learn_commands(&self.context, sockets.commands(), deadline);
            let learnt = Box::pin(learning).await;
            learnt.map_err(|error| self.name(error, "pipeline"))?;
        }
        let refused = |error: Error| {
            let command = error.command().unwrap_or("pipeline").to_owned();
            self.name(error, command)
        };
        let mapped = guard.map_pipeline(pipeline).map_err(refused)?;
        let sent = mapped.pipeline.as_ref().unwrap_or(pipeline);
        let replies = self.send_pipeline(sockets, sent, deadline).await?;
        Ok(guard.strip_all(&mapped.shapes, pipeline.is_transaction(), replies))
    }

    async fn send_pipeline(
        &self,
        sockets: &Sockets,
        pipeline: &Pipeline,
        deadline: Deadline,
    ) -> Result<Vec<Value>> {
        let call = async {
            let commands = pipeline.len();
            let in_flight = self.context.admit_commands_until(commands, deadline)?;
            let ticket = sockets.pipeline(pipeline, in_flight)?;
            all(ticket.await?, commands).await
        };
        call.await.map_err(|error| self.name(error, "pipeline"))
    }

    /// Leaves a subscription to `channel` to be sent where the channel belongs, after all that was left there before.
    /// Does not wait.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`] on a connection that was opened without a sink; otherwise as
    /// [`request_async`](Self::request_async), except that the server is not heard yet.
    pub fn begin_subscribe(&self, channel: &Channel) -> Result<Confirmation> {
        self.begin_subscribe_by(None, channel)
    }

    /// As [`begin_subscribe`](Self::begin_subscribe), by the socket that is subscribed to it already, if one is.
    ///
    /// # Errors
    ///
    /// As that.
    pub fn begin_subscribe_by(
        &self,
        socket: Option<SocketId>,
        channel: &Channel,
    ) -> Result<Confirmation> {
        self.begin(socket, channel, Change::Begins)
    }

    /// Leaves the end of a subscription to `channel` to be sent where the channel belongs, after all that was left there
    /// before. Does not wait.
    ///
    /// # Errors
    ///
    /// As [`begin_subscribe`](Self::begin_subscribe).
    pub fn begin_unsubscribe(&self, channel: &Channel) -> Result<Confirmation> {
        self.begin_unsubscribe_by(None, channel)
    }

    /// As [`begin_unsubscribe`](Self::begin_unsubscribe), by the socket that is subscribed to it, if one is.
    ///
    /// # Errors
    ///
    /// As that.
    pub fn begin_unsubscribe_by(
        &self,
        socket: Option<SocketId>,
        channel: &Channel,
    ) -> Result<Confirmation> {
        self.begin(socket, channel, Change::Ends)
    }

    /// As [`begin_unsubscribe_by`](Self::begin_unsubscribe_by), because `channel` belongs elsewhere in the cluster. A
    /// `socket` that does not answer soon is given up.
    ///
    /// # Errors
    ///
    /// As that.
    pub fn begin_move_from(&self, socket: SocketId, channel: &Channel) -> Result<Confirmation> {
        self.begin(Some(socket), channel, Change::Leaves)
    }

    /// Whether there is no connection at this moment by which `channel` would come, and so no subscription; by `socket`,
    /// if that is subscribed to it.
    #[must_use]
    pub fn is_subscription_lost(&self, socket: Option<SocketId>, channel: &Channel) -> bool {
        self.link.is_subscription_lost(socket, channel)
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

    fn begin(
        &self,
        socket: Option<SocketId>,
        channel: &Channel,
        change: Change,
    ) -> Result<Confirmation> {
        let subscription = Subscription::new(channel, change);
        let command = subscription.command();
        let allowed = match self.context.guard() {
            Some(guard) => guard.check_subscription(command, channel),
            None => Ok(()),
        };
        let left = allowed.and_then(|()| self.link.subscribe(&self.context, socket, subscription));
        match left {
            Ok(awaited) => {
                let context = Arc::clone(&self.context);
                Ok(Confirmation::new(awaited, command, context))
            }
            Err(error) => Err(self.name(error, command)),
        }
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

/// Whether there is nothing to send. redis calls this an error, which every caller that fills a pipeline in a
/// loop would have to avoid.
fn has_no_reply(pipeline: &Pipeline) -> bool {
    pipeline.is_empty() && !pipeline.is_transaction()
}

fn only_shared(route: Route) -> Result<()> {
    match route {
        Route::Shared => Ok(()),
        Route::Blocking(_) => Err(Error::new(
            ErrorKind::Refused,
            "a blocking command would hold up every other call of this connection; \
             use commands() or session() of a COMMAND client",
        )
        .with_delivery(Delivery::NotSent)),
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
