//! Keeps one socket of a client connected, for as long as the client is open.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::SystemTime;

use redis::ProtocolVersion;
use tokio::time::Instant;
use tracing::Instrument;

use super::PushSink;
use super::backoff::Backoff;
use super::busy_poll::BusyPoll;
use super::driver::{Driver, Place};
use super::endpoint::Endpoint;
use super::following::{Following, Moved};
use super::handshake::{Greeted, greet};
use super::in_time::in_time;
use super::login::renew;
use super::multiplexer::{Multiplexer, Pushes};
use super::outbox::{Leading, Outbox};
use super::progress::Progress;
use super::retirement::Retirement;
use super::sentinel::Switches;
use super::served::Served;
use super::socket_target::SocketTarget;
use super::wire::Wire;
use crate::credentials::Announcements;
use crate::{ClientContext, ClientEvent, Delivery, Error, ErrorKind, Protocol, Result};

/// Serves one outbox.
pub(super) struct Supervisor {
    pub(super) context: Arc<ClientContext>,
    pub(super) target: SocketTarget,
    /// What every connection asks for.
    pub(super) protocol: Protocol,
    /// Takes the pushes, if the socket is one that subscribes.
    pub(super) sink: Option<Arc<dyn PushSink>>,
    /// Ends it before its client, if anything does.
    pub(super) retired: Option<Retirement>,
}

impl Supervisor {
    /// Starts the task that serves the returned outbox, beginning with the connection that is there.
    pub(super) fn start(self, mut greeted: Greeted) -> Arc<Wire> {
        let (wire, served) = self.wire();
        let announcements = self.announcements(&mut greeted);
        let driver = self.driver(greeted, &served.outbox);
        let serving = Arc::clone(&wire);
        let context = Arc::clone(&self.context);
        drop(context.spawn(async move {
            self.serve(&serving, driver, announcements, served).await;
        }));
        wire
    }

    /// Starts the task that serves the returned outbox, and connects once there is a request in it.
    pub(super) fn start_lazily(self) -> Arc<Wire> {
        self.start_unconnected(First::Lazy)
    }

    /// Starts the task that serves the returned outbox, connects, and subscribes at once to what the sink says.
    pub(super) fn start_restoring(self) -> Arc<Wire> {
        self.start_unconnected(First::Restoring)
    }

    fn start_unconnected(self, first: First) -> Arc<Wire> {
        let (wire, served) = self.wire();
        let serving = Arc::clone(&wire);
        let context = Arc::clone(&self.context);
        drop(context.spawn(async move {
            if first == First::Lazy && self.unless_retired(served.outbox.wanted()).await.is_none() {
                return;
            }
            // Boxed, as every future that connects: it is large, and a client that is connected has none.
            let connecting = self.unless_retired(self.connect_first(&served.outbox));
            match Box::pin(connecting).await {
                Some(Ok(mut greeted)) => {
                    let announcements = self.announcements(&mut greeted);
                    let driver = match first {
                        First::Lazy => self.driver(greeted, &served.outbox),
                        First::Restoring => self.restoring_driver(greeted, &served.outbox),
                    };
                    self.serve(&serving, driver, announcements, served).await;
                }
                Some(Err(cause)) => self.suspend(served, cause),
                None => {}
            }
        }));
        wire
    }

    fn wire(&self) -> (Arc<Wire>, Served) {
        let options = self.context.options();
        let outbox = Outbox::new(options, options.replay());
        let served = Served::new(&outbox, self.context.closed_error());
        let leading = match () {
            // Where there are messages, a turn could take as long as all listeners' queues take them.
            () if self.sink.is_some() => Leading::Never,
            // A turn asks the system, which knows nothing of what a TLS session has.
            () if self.context.uri().is_tls() => Leading::Never,
            () if options.busy_poll().is_none() => Leading::Alone,
            () => Leading::Always,
        };
        (Wire::new(&outbox, leading), served)
    }

    async fn serve(
        &self,
        wire: &Wire,
        mut driver: Box<Driver>,
        mut announcements: Option<Announcements>,
        served: Served,
    ) {
        let mut backoff = self.backoff();
        loop {
            let began = Instant::now();
            let running = wire.run(driver, |at, reason| self.lost(at, &reason));
            let lost = match announcements.take() {
                None => running.await,
                // Boxed, because hardly any client has it.
                Some(announcements) => {
                    let address = self.address();
                    let renewing = renew(&self.context, &address, wire, announcements);
                    Box::pin(beside(running, renewing)).await
                }
            };
            // A server that greets and hangs up is not to be tried again at full speed.
            if lost.is_moved || began.elapsed() > self.context.options().reconnect_delay() {
                backoff = self.backoff();
            }
            if let Some(sink) = &self.sink {
                let last_heard = SystemTime::now().checked_sub(lost.last_heard.elapsed());
                sink.disconnected(last_heard.unwrap_or(SystemTime::UNIX_EPOCH));
            }
            if let Some(retired) = self.retired.as_ref().filter(|_| served.outbox.has_ended()) {
                // Nobody needs another one.
                let log = || tracing::debug!(cause = %lost.cause, "a connection is not made again");
                self.context.span().in_scope(log);
                return retired.begin("it is not needed");
            }
            let lost = lost.cause;
            let outage = Outage::begin(self, &lost);
            if !self.context.options().auto_reconnect() {
                return self.suspend(served, lost);
            }
            // What moves bytes is not inside the span: it logs nothing, and would enter it each time that it is woken.
            let reconnecting = self.unless_retired(self.reconnect(&mut backoff, &served.outbox));
            match Box::pin(reconnecting).await {
                Some(Ok(mut greeted)) => {
                    announcements = self.announcements(&mut greeted);
                    // Before anybody hears of the connection: whoever does may use it.
                    driver = self.restoring_driver(greeted, &served.outbox);
                    outage.end();
                }
                Some(Err(cause)) => return self.suspend(served, cause),
                None => return,
            }
        }
    }

    /// Runs what connects, in the client's span; `None` if nobody needs the connection any more.
    async fn unless_retired<T>(&self, connecting: impl Future<Output = T>) -> Option<T> {
        let connecting = connecting.instrument(self.context.span().clone());
        match &self.retired {
            Some(retired) => retired.unless_begun(connecting).await,
            None => Some(connecting.await),
        }
    }

    /// How the connection hears of other credentials, if it may tell the server of them.
    fn announcements(&self, greeted: &mut Greeted) -> Option<Announcements> {
        let announcements = greeted.announcements.take();
        // Where it is subscribed under RESP2, the server takes no AUTH.
        let may_tell = self.sink.is_none() || greeted.protocol == ProtocolVersion::RESP3;
        announcements.filter(|_| may_tell)
    }

    /// Whether nobody needs the connection any more.
    fn is_retired(&self) -> bool {
        let retired = self.retired.as_ref();
        retired.is_some_and(Retirement::has_begun)
    }

    fn suspend(&self, served: Served, cause: Error) {
        served.end(cause.clone());
        self.context.emit(ClientEvent::ReconnectSuspended { cause });
    }

    fn driver(&self, mut greeted: Greeted, outbox: &Arc<Outbox>) -> Box<Driver> {
        if let (Some(retired), SocketTarget::Node { address, .. }) = (&self.retired, &self.target) {
            let reason = retired.clone().reason();
            let moved = async move {
                Moved {
                    reason: reason.await,
                    since: Instant::now(),
                }
            };
            greeted.following = Some(Box::new(Following::until(address.into(), moved)));
        }
        let pushes = Pushes::of(greeted.protocol, self.sink.is_some());
        Driver::new(
            greeted,
            Multiplexer::new(pushes, self.sink.clone()),
            Arc::clone(outbox),
            self.context.options().heartbeat(),
            BusyPoll::new(&self.context),
            self.context.cut_error(Delivery::Unknown),
            Place::OfClient(Arc::clone(&self.context)),
        )
    }

    /// One that subscribes to what the connection before was subscribed to.
    fn restoring_driver(&self, greeted: Greeted, outbox: &Arc<Outbox>) -> Box<Driver> {
        let mut driver = self.driver(greeted, outbox);
        if let Some(sink) = &self.sink {
            driver.restore(sink.reconnected(&|channel| self.target.may_have(channel)));
        }
        driver
    }

    fn lost(&self, endpoint: Option<&Endpoint>, reason: &str) -> Error {
        let address = endpoint.map_or_else(|| self.address(), Endpoint::to_string);
        let message = format!("the connection to {address} was lost: {reason}");
        self.context.error(ErrorKind::Disconnected, message)
    }

    /// Makes the first connection of a lazy client.
    async fn connect_first(&self, outbox: &Outbox) -> Result<Greeted> {
        let cause = match self.connect(outbox).await {
            Ok(greeted) => {
                self.context.set_connected();
                return Ok(greeted);
            }
            Err(cause) => cause,
        };
        let outage = Outage::begin(self, &cause);
        outbox.set_down(&cause);
        if self.context.is_suspended_by(&cause) {
            return Err(cause);
        }
        let mut backoff = self.backoff();
        let greeted = self.reconnect(&mut backoff, outbox).await?;
        outage.end();
        Ok(greeted)
    }

    /// Tries until it succeeds, whatever the server says: a password, an address or a limit may be
    /// mended at any time.
    async fn reconnect(&self, backoff: &mut Backoff, outbox: &Outbox) -> Result<Greeted> {
        let mut attempt = 0_u64;
        let mut switches = self
            .context
            .sentinels()
            .map(|sentinels| sentinels.switches());
        loop {
            let delay = backoff.next_delay();
            attempt += 1;
            self.context
                .emit(ClientEvent::ReconnectAttempt { attempt, delay });
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                _ = another_master(&mut switches) => *backoff = self.backoff(),
                never = outbox.expire_all(|| self.address()) => match never {},
            }
            let connected = tokio::select! {
                connected = self.connect(outbox) => connected,
                // Whoever is waited for is not the master any more.
                (master, _) = another_master(&mut switches) => {
                    *backoff = self.backoff();
                    let message = format!("the sentinels have another master: {master}");
                    Err(self.context.error(ErrorKind::Connect, message))
                }
            };
            let cause = match connected {
                Ok(greeted) => return Ok(greeted),
                Err(cause) => cause,
            };
            self.target.doubt();
            self.context.set_disconnect_cause(&cause);
            outbox.set_down(&cause);
            self.context.emit(ClientEvent::ReconnectFailed {
                attempt,
                cause: cause.clone(),
            });
            if self.context.is_suspended_by(&cause) {
                return Err(cause);
            }
        }
    }

    fn address(&self) -> String {
        self.target.address(&self.context)
    }

    fn backoff(&self) -> Backoff {
        Backoff::new(self.context.options().reconnect_delay())
    }

    /// Tries once; the deadlines of what waits hold meanwhile.
    async fn connect(&self, outbox: &Outbox) -> Result<Greeted> {
        tokio::select! {
            greeted = greet_in_time(&self.context, &self.target, self.protocol) => greeted,
            never = outbox.expire_all(|| self.address()) => match never {},
        }
    }
}

/// What comes of the first connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum First {
    /// It is made once there is a request.
    Lazy,
    /// It is made at once, and subscribed as if it were another one.
    Restoring,
}

/// Completes when the sentinels have another master, if there are any.
async fn another_master(switches: &mut Option<Switches>) -> (Endpoint, Instant) {
    match switches {
        Some(switches) => switches.next().await,
        None => std::future::pending().await,
    }
}

/// Opens a connection in `protocol`, within the option `connect_timeout`.
async fn greet_in_time(
    context: &ClientContext,
    target: &SocketTarget,
    protocol: Protocol,
) -> Result<Greeted> {
    let progress = Progress::default();
    let greeting = greet(context, target, protocol, &progress);
    in_time(context, target, &progress, greeting).await
}

/// Runs `running` to its end, and `beside` meanwhile.
async fn beside<T>(
    running: impl Future<Output = T>,
    beside: impl Future<Output = Infallible>,
) -> T {
    tokio::select! {
        biased;
        outcome = running => outcome,
        never = beside => match never {},
    }
}

/// The time in which one of a client's sockets is gone. Over as well when nobody needs the socket any more.
struct Outage<'a>(&'a Supervisor);

impl<'a> Outage<'a> {
    fn begin(supervisor: &'a Supervisor, cause: &Error) -> Self {
        supervisor.context.set_disconnected(cause);
        supervisor.target.doubt();
        Self(supervisor)
    }

    fn end(self) {
        self.0.context.set_reconnected();
        std::mem::forget(self);
    }
}

impl Drop for Outage<'_> {
    fn drop(&mut self) {
        let Self(supervisor) = self;
        if supervisor.is_retired() {
            supervisor.context.set_reconnected();
        }
    }
}

/// If it ends before the client is closed, the client's state says so.
impl Drop for Supervisor {
    fn drop(&mut self) {
        if !self.is_retired() {
            tell_end(&self.context);
        }
    }
}

/// Has the client of `context`, unless it is closed, know that nobody cares for its connection any more.
pub(super) fn tell_end(context: &ClientContext) {
    let state = context.state();
    if !state.is_closed() && !state.is_disconnected() {
        let message = "the connection's task ended: the client's resources are shut down";
        let cause = context.error(ErrorKind::Internal, message);
        context.set_disconnected(&cause);
    }
}
