//! The connection that all calls of a client share.

mod connect;
mod handshake;
mod link;

use std::fmt;
use std::sync::Arc;

use redis::{Cmd, Pipeline, PushInfo, Value};

use crate::route::{Route, route, route_pipeline, upper_name};
use crate::{ClientContext, ClientOptions, Delivery, Error, ErrorKind, RedisUri, Result, wait};
use link::Link;

pub use handshake::explain;

/// Takes what the server sends unasked: published messages and invalidations. Called on an I/O thread,
/// so it must neither block nor keep more than a bounded amount.
pub type PushSink = Arc<dyn Fn(PushInfo) + Send + Sync>;

/// The one connection of a client, shared by all its calls.
///
/// Cheap to clone. Replies always match their requests, also when a call is cancelled or times out.
/// It carries whatever does not change or hold up the connection itself; see
/// [`route`](crate::route::route).
///
/// In this version a lost connection is not replaced: the client's state becomes
/// [`Disconnected`](crate::ClientState::Disconnected) and every call fails with that kind at once.
#[derive(Clone)]
pub struct Connection {
    context: Arc<ClientContext>,
    link: Link,
}

impl Connection {
    /// Opens the connection of the client that `context` describes. With `pushes` it can subscribe.
    ///
    /// # Errors
    ///
    /// What kept it from connecting, with the address and the cause, within the option
    /// `connect_timeout`; [`ErrorKind::ScriptUnloaded`] if the script's gate is shut meanwhile.
    pub async fn open_async(
        context: &Arc<ClientContext>,
        pushes: Option<PushSink>,
    ) -> Result<Self> {
        let gate = context.script().gate();
        let unfinished = Unfinished(context);
        let opening = context
            .resources()
            .run_cancellable(Link::open(Arc::clone(context), pushes));
        let link = tokio::select! {
            biased;
            () = gate.shut_async() => return Err(gate.refusal()),
            link = opening => link?,
        };
        std::mem::forget(unfinished);
        context.set_connected();
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
        let mut commands = self.link.commands();
        let call = async { commands.send_packed_command(cmd).await.map_err(Error::from) };
        self.context
            .within(Some(self.context.command_timeout()), call)
            .await
            .map_err(|error| error.with_command(upper_name(cmd)))
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
        let mut commands = self.link.commands();
        self.context
            .within(
                Some(self.context.command_timeout()),
                send_pipeline(&mut commands, pipeline),
            )
            .await
            .map_err(|error| error.with_command("pipeline"))
    }

    /// Subscribes to `channel` and completes when the server has confirmed it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`] on a connection that was opened without a sink;
    /// [`ErrorKind::Server`] if the server refuses; otherwise as [`request_async`](Self::request_async).
    pub async fn subscribe_async(&self, channel: &[u8]) -> Result<()> {
        self.context
            .within(
                Some(self.context.command_timeout()),
                self.link.subscribe(channel),
            )
            .await
            .map_err(|error| error.with_command("SUBSCRIBE"))
    }

    /// Unsubscribes from `channel` and completes when the server has confirmed it.
    ///
    /// # Errors
    ///
    /// As [`subscribe_async`](Self::subscribe_async).
    pub async fn unsubscribe_async(&self, channel: &[u8]) -> Result<()> {
        self.context
            .within(
                Some(self.context.command_timeout()),
                self.link.unsubscribe(channel),
            )
            .await
            .map_err(|error| error.with_command("UNSUBSCRIBE"))
    }

    /// The protocol that the server agreed to.
    #[must_use]
    pub fn protocol(&self) -> redis::ProtocolVersion {
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

/// Sends `pipeline` on `connection` as redis' own `query_async` does, except that one without commands
/// has no replies instead of an error.
///
/// # Errors
///
/// Those of the connection.
pub async fn send_pipeline(
    connection: &mut redis::aio::MultiplexedConnection,
    pipeline: &Pipeline,
) -> Result<Vec<Value>> {
    if pipeline.is_empty() && !pipeline.is_transaction() {
        // Nothing to send, so nothing to wait for. redis calls this an error, which every caller that
        // fills a pipeline in a loop would have to avoid.
        return Ok(Vec::new());
    }
    let (skipped, kept) = if pipeline.is_transaction() {
        (pipeline.len() + 1, 1)
    } else {
        (0, pipeline.len())
    };
    Ok(connection
        .send_packed_commands(pipeline, skipped, kept)
        .await?)
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
            .field("address", &self.context.uri().address())
            .field("state", &self.context.state())
            .finish_non_exhaustive()
    }
}
