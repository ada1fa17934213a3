//! What every client has, whatever its kind: an owner, a configuration, a state, and one way to close.

mod calls;
mod closing;
mod explaining;
mod members;
mod securing;
mod status;
mod view;
mod work;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Span;

use crate::connection::{Membership, SentinelSet, SentinelUse};
use crate::event::EventHub;
use crate::namespace::Guard;
use crate::statistics::Statistics;
use crate::underlying::Kept;
use crate::{
    Channel, ChannelKind, ClientEvent, ClientId, ClientOptions, ClientResources, ClientState,
    ClientType, Error, ErrorKind, EventStream, LimitName, Protocol, RedisUri, Result, ScriptHandle,
    Share, UnderlyingClient,
};

pub use calls::InFlight;
use closing::Closure;
pub use closing::Teardown;
use members::Members;
use securing::material;
use status::{Change, State};
use view::Tally;
use work::Work;
pub(crate) use work::WorkToken;

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
    underlying: Kept,
    /// `None` if the script may send whatever it likes.
    guard: Option<Box<Guard>>,
    state: Mutex<State>,
    /// That `state` says so. Each call looks at it.
    is_closed: AtomicBool,
    events: EventHub,
    /// Wakes who waits for a connection.
    connected: Notify,
    span: Span,
    /// Its place among the clients that the script may have, until it is closed.
    share: Mutex<Share>,
    /// Calls that were admitted and are not answered yet.
    work: Work,
    /// `None` unless they are asked for.
    statistics: Option<Arc<Statistics>>,
    tally: Tally,
    /// Tasks that own a socket or drive one.
    tasks: TaskTracker,
    /// Ends both at once.
    cut: CancellationToken,
    closed: CancellationToken,
    /// Of a connection that clients share: those clients.
    members: Option<Members>,
    /// Of a client that shares a connection: its part in that.
    membership: OnceLock<Membership>,
    /// Of a client whose URI names sentinels: its part in those, until it is closed. Boxed, because most have none.
    sentinels: Option<Box<Mutex<Option<SentinelUse>>>>,
}

impl ClientContext {
    /// Makes the context of a client that is about to open. Reads the files of the option `tls`, if `uri` wants TLS.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`] if `uri` names a kind of server that cannot be opened yet,
    /// [`ErrorKind::LimitExceeded`] if the script may open no more, [`ErrorKind::Refused`] for a BASIC client of a script
    /// that has a key prefix or denied commands, [`ErrorKind::InvalidOptions`] if a file cannot be used,
    /// [`ErrorKind::Timeout`] if one is not read within the option `connect_timeout`, and
    /// [`ErrorKind::ScriptUnloaded`] if the script's gate is shut meanwhile.
    pub async fn new_async(
        script: &ScriptHandle,
        client_type: ClientType,
        uri: RedisUri,
        options: ClientOptions,
        resources: &ClientResources,
    ) -> Result<Arc<Self>> {
        let allowed = script.options();
        let guard = Guard::new(allowed.key_prefix(), allowed.denied_commands());
        if guard.is_some() && client_type == ClientType::Basic {
            return Err(goes_around());
        }
        // Boxed, because hardly any client reads, and all of them are moved.
        let material = Box::pin(material(script.gate(), &uri, &options, resources)).await?;
        let underlying = match guard {
            Some(_) => UnderlyingClient::withheld(&uri, &options, material.as_ref())?,
            None => UnderlyingClient::new(&uri, &options, material.as_ref())?,
        };
        let made = Made {
            guard,
            underlying,
            members: None,
        };
        Self::make(script, client_type, uri, options, resources, made)
    }

    /// Makes the context of a connection that clients share, none so far. It belongs to no script.
    pub(crate) fn carrying(client: &Self) -> Result<Arc<Self>> {
        Self::make(
            &ScriptHandle::new("shared connection"),
            client.client_type,
            client.uri.clone(),
            client.options.clone(),
            &client.resources,
            Made {
                guard: Some(Guard::of_all()),
                // Nobody asks for it; that of the client has been looked at.
                underlying: UnderlyingClient::Withheld,
                members: Some(Members::default()),
            },
        )
    }

    fn make(
        script: &ScriptHandle,
        client_type: ClientType,
        uri: RedisUri,
        options: ClientOptions,
        resources: &ClientResources,
        made: Made,
    ) -> Result<Arc<Self>> {
        let Made {
            guard,
            underlying,
            members,
        } = made;
        let sentinels = SentinelUse::of(&uri, &options, resources);
        let share = script.share(LimitName::Clients)?;
        script.spend(LimitName::OpeningsPerSecond)?;
        let statistics = resources.counts_calls().then(Arc::<Statistics>::default);
        let client_id = ClientId::next();
        // A client outlives what opened it, so its span is inside no other.
        let span = tracing::info_span!(
            parent: None, "client", %script, client = %client_id, %client_type
        );
        Ok(Arc::new(Self {
            span,
            share: Mutex::new(share),
            script: script.clone(),
            client_id,
            client_type,
            underlying: Kept::new(underlying),
            guard,
            uri,
            options,
            resources: resources.clone(),
            state: Mutex::new(State {
                client: ClientState::Idle,
                sockets_down: 0,
                has_connected: false,
                losses: 0,
                reconnects: 0,
                closing: Closure::Open,
            }),
            events: EventHub::new(),
            connected: Notify::new(),
            work: Work::new(script.usage(), statistics.clone()),
            statistics,
            tally: Tally::new(),
            is_closed: AtomicBool::new(false),
            tasks: TaskTracker::new(),
            cut: CancellationToken::new(),
            closed: CancellationToken::new(),
            members,
            membership: OnceLock::new(),
            sentinels: sentinels.map(|sentinels| Box::new(Mutex::new(Some(sentinels)))),
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

    /// Where the client connects to, for messages: the URI's address, and the name of the master that sentinels are
    /// asked for.
    #[must_use]
    pub(crate) fn address(&self) -> String {
        match self.uri.sentinel_master_id() {
            Some(master) => format!("{} (master {master})", self.uri.address()),
            None => self.uri.address(),
        }
    }

    /// Who is asked where the server is, if the URI names sentinels. Of a client that was closed `None`.
    pub(crate) fn sentinels(&self) -> Option<Arc<SentinelSet>> {
        let sentinels = self.sentinels.as_ref()?.lock();
        sentinels.as_ref().map(SentinelUse::set)
    }

    /// Where the server is, if sentinels were asked for it, and otherwise as [`address`](Self::address).
    pub(crate) fn current_address(&self) -> String {
        let sentinels = self.sentinels();
        let master = sentinels.and_then(|sentinels| sentinels.master_address());
        master.unwrap_or_else(|| self.address())
    }

    fn take_sentinels(&self) -> Option<SentinelUse> {
        self.sentinels.as_ref()?.lock().take()
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
    pub fn underlying(&self) -> UnderlyingClient {
        self.underlying.client()
    }

    /// `channel`, which the script names, as the server knows it: behind the script's key prefix, if it has one.
    #[must_use]
    pub fn channel_on_server(&self, channel: &Channel) -> Channel {
        match self.script.options().key_prefix() {
            Some(prefix) => channel.with_prefix(prefix.as_bytes()),
            None => channel.clone(),
        }
    }

    /// `channel`, which the server names, as the script knows it: without the script's key prefix, if it has one.
    #[must_use]
    pub fn channel_of_script(&self, channel: &Channel) -> Channel {
        let prefix = self.script.options().key_prefix();
        let without = prefix.and_then(|prefix| channel.without_prefix(prefix.as_bytes()));
        without.unwrap_or_else(|| channel.clone())
    }

    /// Whether the script may listen to `channel`, as the server knows it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Refused`] if its list of denied commands has what subscribes to that.
    pub fn check_subscription(&self, channel: &Channel) -> Result<()> {
        let command = match channel.kind() {
            ChannelKind::Plain => "SUBSCRIBE",
            ChannelKind::Pattern => "PSUBSCRIBE",
            ChannelKind::Shard => "SSUBSCRIBE",
        };
        let Some(guard) = self.guard() else {
            return Ok(());
        };
        let checked = guard.check_subscription(command, channel);
        checked.map_err(|error| error.with_client(self.client_id))
    }

    /// What the client's commands pass before they are sent.
    pub(crate) fn guard(&self) -> Option<&Guard> {
        self.guard.as_deref()
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
        self.state.lock().client.clone()
    }

    /// Whether the client takes no more work.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }

    /// The client's events from now on.
    #[must_use]
    pub fn events(&self) -> EventStream {
        self.events.subscribe()
    }

    /// Tells an event to whoever listens, and to `tracing`.
    pub fn emit(&self, event: ClientEvent) {
        match &self.members {
            Some(members) => members.tell(self, Change::Told(event)),
            None => self.announce(event),
        }
    }

    fn announce(&self, event: ClientEvent) {
        let is_connected = matches!(event, ClientEvent::Connected);
        self.tally.note(&event);
        if self.members.is_none() {
            self.span.in_scope(|| self.trace(&event));
        }
        self.events.emit(event);
        if is_connected {
            self.connected.notify_waiters();
        }
    }

    fn trace(&self, event: &ClientEvent) {
        let (script, client) = (&self.script, &self.client_id);
        match event {
            // In a long outage every client tries every second or two; one line for each doubling tells.
            ClientEvent::ReconnectFailed { attempt, .. } if !attempt.is_power_of_two() => {
                tracing::debug!(%script, %client, client_type = %self.client_type, ?event);
            }
            // It may be long; `Resubscribed` tells how many.
            ClientEvent::Gaps(_)
            // The script's error sink has it.
            | ClientEvent::ListenerFailed { .. }
            | ClientEvent::Connected
            | ClientEvent::Reauthenticated
            | ClientEvent::ReconnectAttempt { .. }
            | ClientEvent::Closed => {
                tracing::debug!(%script, %client, client_type = %self.client_type, ?event);
            }
            ClientEvent::Resubscribed { .. } => {
                tracing::info!(%script, %client, client_type = %self.client_type, ?event);
            }
            _ => {
                tracing::warn!(%script, %client, client_type = %self.client_type, ?event);
            }
        }
    }

    /// What is logged inside it is the client's: it has the fields `script`, `client` and `client_type`. Of no cost
    /// if nobody wants it.
    #[must_use]
    pub fn span(&self) -> &Span {
        &self.span
    }

    /// The client's part in a connection that it shares, if it does.
    pub(crate) fn membership(&self) -> Option<&Membership> {
        self.membership.get()
    }

    /// Notes that the client shares a connection. The first one stays.
    pub(crate) fn set_membership(&self, membership: Membership) {
        // Fails only if there is one.
        let _ = self.membership.set(membership);
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
}

/// What is decided of a context before it is made.
struct Made {
    guard: Option<Box<Guard>>,
    underlying: UnderlyingClient,
    members: Option<Members>,
}

fn goes_around() -> Error {
    Error::new(
        ErrorKind::Refused,
        "the script has a key prefix or denied commands, which a BASIC client would go around; \
         open a COMMAND or a PUB_SUB client",
    )
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
