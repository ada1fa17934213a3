//! What every client has, whatever its kind: an owner, a configuration, a state, and one way to close.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::event::EventHub;
use crate::{
    ClientEvent, ClientId, ClientOptions, ClientResources, ClientState, ClientType, CloseOutcome,
    CloseReport, Delivery, DisconnectedBehavior, Error, ErrorKind, EventStream, Protocol, RedisUri,
    Result, ScriptHandle, UnderlyingClient, in_callback,
};

const FAR_FUTURE: Duration = Duration::from_secs(60 * 60 * 24 * 365 * 30);

/// The part that all clients have in common. Made by the layers; a user meets it through
/// [`ScriptRedisClient`](crate::ScriptRedisClient).
pub struct ClientContext {
    script: ScriptHandle,
    client_id: ClientId,
    client_type: ClientType,
    uri: RedisUri,
    options: ClientOptions,
    resources: ClientResources,
    underlying: UnderlyingClient,
    state: Mutex<State>,
    events: EventHub,
    /// Calls that were admitted and are not answered yet.
    work: TaskTracker,
    /// Tasks that own a socket or drive one.
    tasks: TaskTracker,
    /// Ends both at once.
    cut: CancellationToken,
    closed: CancellationToken,
}

/// Changed as one, so that whichever order losses and reconnects of several sockets come in, the state
/// tells whether one is down.
struct State {
    client: ClientState,
    sockets_down: usize,
}

impl State {
    fn change(&mut self, from: impl Fn(ClientState) -> bool, to: ClientState) -> bool {
        let changes = from(self.client);
        if changes {
            self.client = to;
        }
        changes
    }
}

/// Proof that a call was admitted; a closing client waits until it is dropped.
#[must_use = "the call counts as in flight only while the token is held"]
pub struct InFlight {
    _token: TaskTrackerToken,
}

#[cfg(test)]
impl InFlight {
    /// One that nobody waits for.
    pub(crate) fn uncounted() -> Self {
        Self {
            _token: TaskTracker::new().token(),
        }
    }
}

/// What a kind of client adds to the closing that all have in common.
#[async_trait]
pub trait Teardown: Send + Sync + 'static {
    /// Stops what is not a command, and waits for it until `deadline`. Returns what is running still.
    async fn quiesce(&self, deadline: Instant) -> Vec<String> {
        let _ = deadline;
        Vec::new()
    }

    /// Lets go of every connection that [`ClientContext::spawn`] does not know of. Must not block.
    fn release(&self) {}
}

impl ClientContext {
    /// Makes the context of a client that is about to open.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`] if `uri` names a kind of server that cannot be opened yet.
    pub fn new(
        script: &ScriptHandle,
        client_type: ClientType,
        uri: RedisUri,
        options: ClientOptions,
        resources: &ClientResources,
    ) -> Result<Arc<Self>> {
        Ok(Arc::new(Self {
            script: script.clone(),
            client_id: ClientId::next(),
            client_type,
            underlying: UnderlyingClient::new(&uri, &options)?,
            uri,
            options,
            resources: resources.clone(),
            state: Mutex::new(State {
                client: ClientState::Idle,
                sockets_down: 0,
            }),
            events: EventHub::new(),
            work: TaskTracker::new(),
            tasks: TaskTracker::new(),
            cut: CancellationToken::new(),
            closed: CancellationToken::new(),
        }))
    }

    /// The script that owns the client.
    #[must_use]
    pub fn script(&self) -> &ScriptHandle {
        &self.script
    }

    /// The client's number.
    #[must_use]
    pub fn client_id(&self) -> ClientId {
        self.client_id
    }

    /// The client's kind.
    #[must_use]
    pub fn client_type(&self) -> ClientType {
        self.client_type
    }

    /// Where the client connects to.
    #[must_use]
    pub fn uri(&self) -> &RedisUri {
        &self.uri
    }

    /// What it was opened with.
    #[must_use]
    pub fn options(&self) -> &ClientOptions {
        &self.options
    }

    /// The threads it runs on.
    #[must_use]
    pub fn resources(&self) -> &ClientResources {
        &self.resources
    }

    /// The client of the `redis` crate for the same server.
    #[must_use]
    pub fn underlying(&self) -> &UnderlyingClient {
        &self.underlying
    }

    /// The deadline of one call: the URI's `timeout` if it has one, else the option.
    #[must_use]
    pub fn command_timeout(&self) -> Duration {
        self.uri
            .timeout()
            .unwrap_or_else(|| self.options.command_timeout())
    }

    /// When a closing that begins now stops waiting.
    #[must_use]
    pub fn shutdown_deadline(&self) -> Instant {
        let now = Instant::now();
        // A timeout beyond what the clock can express is none.
        now.checked_add(self.options.shutdown_timeout())
            .unwrap_or(now + FAR_FUTURE)
    }

    /// The protocol to ask for: the URI's if it names one, else the option.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        self.uri
            .protocol()
            .unwrap_or_else(|| self.options.protocol())
    }

    /// What the client is doing.
    #[must_use]
    pub fn state(&self) -> ClientState {
        self.state.lock().client
    }

    /// The client's events from now on.
    #[must_use]
    pub fn events(&self) -> EventStream {
        self.events.subscribe()
    }

    /// Tells an event to whoever listens, and to `tracing`.
    pub fn emit(&self, event: ClientEvent) {
        let (script, client) = (&self.script, &self.client_id);
        match &event {
            // In a long outage every client tries every second or two; one line for each doubling tells.
            ClientEvent::ReconnectFailed { attempt, .. } if !attempt.is_power_of_two() => {
                tracing::debug!(%script, %client, client_type = %self.client_type, ?event);
            }
            ClientEvent::Connected | ClientEvent::ReconnectAttempt { .. } | ClientEvent::Closed => {
                tracing::debug!(%script, %client, client_type = %self.client_type, ?event);
            }
            _ => {
                tracing::warn!(%script, %client, client_type = %self.client_type, ?event);
            }
        }
        self.events.emit(event);
    }

    /// Notes that the client is connected for the first time.
    pub(crate) fn set_connected(&self) {
        let is_connected = {
            let mut state = self.state.lock();
            let was_idle = state.client == ClientState::Idle;
            // A socket may be lost again before the last one is opened.
            let is_connected = state.sockets_down == 0;
            if was_idle {
                state.client = if is_connected {
                    ClientState::Connected
                } else {
                    ClientState::Disconnected
                };
            }
            was_idle && is_connected
        };
        if is_connected {
            self.emit(ClientEvent::Connected);
        }
    }

    /// Notes that one of the client's sockets is gone.
    pub(crate) fn set_disconnected(&self, cause: Error) {
        let changed = {
            let mut state = self.state.lock();
            state.sockets_down += 1;
            state.change(
                |client| client == ClientState::Connected,
                ClientState::Disconnected,
            )
        };
        if changed {
            self.emit(ClientEvent::Disconnected { cause });
        }
    }

    /// Notes that a socket that was gone is there again; with the last of them the client is connected.
    pub(crate) fn set_reconnected(&self) {
        let changed = {
            let mut state = self.state.lock();
            state.sockets_down = state.sockets_down.saturating_sub(1);
            state.sockets_down == 0
                && state.change(
                    |client| client == ClientState::Disconnected,
                    ClientState::Connected,
                )
        };
        if changed {
            self.emit(ClientEvent::Connected);
        }
    }

    /// Admits one call.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Closed`] if the client is closed; [`ErrorKind::Disconnected`] if its connection is lost
    /// and the options do not let calls wait. The call was not sent then.
    pub fn admit(&self) -> Result<InFlight> {
        self.admit_to(true)
    }

    /// As [`ClientContext::admit`], for a call on a socket that is lost only if `is_down`, whatever the
    /// client's other socket is.
    pub(crate) fn admit_to(&self, is_down: bool) -> Result<InFlight> {
        // Counted before the state is looked at, so that a closing that begins in between waits for it.
        let in_flight = InFlight {
            _token: self.work.token(),
        };
        match self.state() {
            ClientState::Idle | ClientState::Connected => Ok(in_flight),
            ClientState::Disconnected if self.waits_for_connection(is_down) => Ok(in_flight),
            ClientState::Disconnected => Err(self
                .error(ErrorKind::Disconnected, "the connection was lost")
                .with_delivery(Delivery::NotSent)),
            ClientState::Closing | ClientState::Closed => {
                Err(self.closed_error().with_delivery(Delivery::NotSent))
            }
        }
    }

    /// Whether calls wait while the client is disconnected, if they have to at all.
    fn waits_for_connection(&self, is_down: bool) -> bool {
        let queues = self.options.disconnected_behavior() == DisconnectedBehavior::Queue;
        self.options.auto_reconnect() && (queues || !is_down)
    }

    /// The error of a closed client.
    #[must_use]
    pub fn closed_error(&self) -> Error {
        self.error(ErrorKind::Closed, "the client is closed")
    }

    /// An error that names this client.
    #[must_use]
    pub fn error(&self, kind: ErrorKind, message: impl Into<String>) -> Error {
        Error::new(kind, message).with_client(self.client_id)
    }

    /// Runs `call`, admitted, as [`ClientContext::bounded`] does.
    ///
    /// # Errors
    ///
    /// Those of [`ClientContext::admit`] and of [`ClientContext::bounded`].
    pub async fn within<T>(
        &self,
        timeout: Option<Duration>,
        call: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let _in_flight = self.admit()?;
        self.bounded(timeout, call).await
    }

    /// Runs `call` until `timeout` passes or the client is cut off, whichever is first.
    ///
    /// # Errors
    ///
    /// Those of `call`; [`ErrorKind::Timeout`] after `timeout`; [`ErrorKind::Closed`] if the client was
    /// cut off meanwhile.
    pub async fn bounded<T>(
        &self,
        timeout: Option<Duration>,
        call: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let late = async {
            match timeout {
                Some(timeout) => self.resources.sleep(timeout).await,
                None => std::future::pending().await,
            }
        };
        // In this order: a reply that is there counts even if it came with the deadline, and once the
        // client is cut off the timer's runtime may be gone.
        tokio::select! {
            biased;
            outcome = call => outcome.map_err(|error| self.explain_cut(error)),
            () = self.cut.cancelled() => Err(self.cut_error().with_delivery(Delivery::Unknown)),
            () = late => Err(self
                .error(ErrorKind::Timeout, format!("no reply within {:?}", timeout.unwrap_or_default()))
                .with_delivery(Delivery::Unknown)),
        }
    }

    /// A cut takes the connection away under a call, which then sees only that.
    fn explain_cut(&self, error: Error) -> Error {
        let lost = matches!(error.kind(), ErrorKind::Disconnected | ErrorKind::Internal);
        if lost && self.cut.is_cancelled() {
            let delivery = error.delivery().unwrap_or(Delivery::Unknown);
            return self.cut_error().with_delivery(delivery).with_source(error);
        }
        match error.client_id() {
            Some(_) => error,
            None => error.with_client(self.client_id),
        }
    }

    fn cut_error(&self) -> Error {
        self.error(
            ErrorKind::Closed,
            "the client was closed before the reply came",
        )
    }

    /// Runs `future` on the I/O runtime and drops it when the caller stops waiting for it, and when the
    /// client is cut off: a future that its owner has forgotten keeps nothing of a closed client.
    ///
    /// # Errors
    ///
    /// Those of `future`; [`ErrorKind::Closed`] if the client was cut off meanwhile;
    /// [`ErrorKind::Internal`] if `future` panics, or if the resources are shut down.
    pub async fn run_cancellable<F, T>(&self, future: F) -> Result<T>
    where
        F: Future<Output = Result<T>> + Send + 'static,
        T: Send + 'static,
    {
        let cut = self.cut.clone();
        let closed = self.cut_error().with_delivery(Delivery::Unknown);
        let run = self.tasks.track_future(async move {
            tokio::select! {
                biased;
                () = cut.cancelled() => Err(closed),
                outcome = future => outcome,
            }
        });
        self.resources.run_cancellable(run).await
    }

    /// Starts a task of the client on the I/O runtime; closing ends it.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let cut = self.cut.clone();
        // Detached on purpose: `tasks` is how closing waits for it.
        drop(self.resources.spawn(self.tasks.track_future(async move {
            tokio::select! {
                () = cut.cancelled() => {}
                () = task => {}
            }
        })));
    }

    /// Ends every task of a client that never came to be open.
    pub(crate) fn abandon(&self) {
        self.cut.cancel();
    }

    /// Closes the client: refuses new work, waits for what is in flight at most `shutdown_timeout`,
    /// then cuts. Goes on by itself if the caller stops waiting, and inside a callback nobody waits.
    pub async fn close(self: &Arc<Self>, client: Arc<dyn Teardown>) -> CloseReport {
        let report = |outcome| CloseReport::new(self.client_id, self.client_type, outcome);
        let begins = {
            let mut state = self.state.lock();
            state.change(|client| !client.is_closed(), ClientState::Closing)
        };
        if !begins {
            if !in_callback() {
                self.closed.cancelled().await;
            }
            return report(CloseOutcome::AlreadyClosed);
        }
        let closing = Closing(Arc::clone(self));
        let task = self.resources.spawn(closing.finish(client));
        if in_callback() {
            return report(CloseOutcome::InBackground);
        }
        task.await.unwrap_or_else(|error| {
            report(CloseOutcome::Failed(
                self.error(ErrorKind::Internal, "the closing failed")
                    .with_source(error),
            ))
        })
    }
}

/// A closing under way. Dropping it, finished or not, leaves the client closed and nothing running.
struct Closing(Arc<ClientContext>);

impl Closing {
    async fn finish(self, client: Arc<dyn Teardown>) -> CloseReport {
        let context = &self.0;
        let deadline = context.shutdown_deadline();
        context.work.close();
        let (drained, running_callbacks) = tokio::join!(
            tokio::time::timeout_at(deadline, context.work.wait()),
            client.quiesce(deadline),
        );
        let cut_off = match drained {
            Ok(()) => 0,
            Err(_) => context.work.len(),
        };
        context.cut.cancel();
        client.release();
        context.tasks.close();
        context.tasks.wait().await;
        CloseReport::with_remains(
            context.client_id,
            context.client_type,
            cut_off,
            running_callbacks,
        )
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        let context = &self.0;
        context.cut.cancel();
        context.state.lock().client = ClientState::Closed;
        context.emit(ClientEvent::Closed);
        context.closed.cancel();
    }
}

impl fmt::Debug for ClientContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientContext")
            .field("script", &self.script)
            .field("client_id", &self.client_id)
            .field("client_type", &self.client_type)
            .field("uri", &self.uri)
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for InFlight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InFlight")
    }
}
