//! What happens to a client, told to whoever listens.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

use crate::{Channel, ClientId, Error, Gap, ListenerId, Result, wait};

/// How many events a slow reader may be behind before the oldest are dropped for it.
const EVENT_BUFFER: usize = 256;

/// Something that happened to a client.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ClientEvent {
    /// The connection is made and answers.
    Connected,
    /// The connection was lost, or the first one of a client with the option `lazy_connect` could not be made.
    ///
    /// A client of a cluster has connections to several nodes. This is told of the first that is lost, and
    /// [`Connected`](Self::Connected) when none is missing any more: each is there again, or the cluster has its slots
    /// elsewhere. Losses in between change the cause in the client's state, and are no events.
    ///
    /// It is no loss, and no event, if the client leaves a node itself because that has no slots for it any more: a replica
    /// took over, or the slots were moved. Calls go on elsewhere; one that was sent there and not answered within a second
    /// fails with [`Disconnected`](crate::ErrorKind::Disconnected) and names the reason, and messages of shard channels that
    /// were missed are told as [`Gaps`](Self::Gaps). Plain channels and patterns come by one connection to any node; that it
    /// goes to another one is told as every loss.
    Disconnected {
        /// What ended it.
        cause: Error,
    },
    /// The client is about to try to connect again.
    ReconnectAttempt {
        /// The number of the try since the connection was lost, from 1 on.
        attempt: u64,
        /// How long it waits before the try.
        delay: Duration,
    },
    /// A try to connect again failed.
    ReconnectFailed {
        /// The number of the try.
        attempt: u64,
        /// Why it failed.
        cause: Error,
    },
    /// The server took other credentials on a connection that goes on, because the
    /// [`CredentialsProvider`](crate::CredentialsProvider) has announced them.
    Reauthenticated,
    /// The server refused other credentials, or the provider that announced them failed. The connection goes on, logged
    /// in as before.
    ReauthenticationFailed {
        /// What the server said, or the provider.
        cause: Error,
    },
    /// No other connection is tried for: the option `auto_reconnect` is off, or
    /// `suspend_reconnect_on_protocol_failure` is on and the server said no. Calls fail from now on.
    ReconnectSuspended {
        /// What ended the last connection, or the last try.
        cause: Error,
    },
    /// Channels were not listened to for a while: the connection was lost, and their subscriptions are
    /// restored. One event for all of them, so that many channels push no other event out of a slow reader's
    /// buffer.
    Gaps(Arc<[Gap]>),
    /// The subscriptions of a lost connection are restored, after the [`Gaps`](Self::Gaps) that this made;
    /// the refused ones are not among them.
    Resubscribed {
        /// How many channels, patterns and shard channels.
        channels: usize,
    },
    /// A subscription could not be restored, because the server refused it. Its listeners hear nothing until
    /// a later connection is allowed it.
    SubscriptionRefused {
        /// What is not listened to.
        channel: Channel,
        /// What the server said.
        cause: Error,
    },
    /// A listener did not keep up and its queue overflowed. Told when the number of its lost messages has
    /// doubled.
    MessagesDropped {
        /// What it listens to.
        channel: Channel,
        /// Which listener it is.
        listener: ListenerId,
        /// How many it has lost since it was registered.
        total: u64,
    },
    /// A call of a listener has been running for longer than the option `listener_blocked_after`. Told once
    /// a call.
    ListenerBlocked {
        /// What it listens to.
        channel: Channel,
        /// Which listener it is.
        listener: ListenerId,
        /// For how long the call has been running, at least. It began up to a quarter of `listener_blocked_after`
        /// earlier.
        running_for: Duration,
    },
    /// A listener returned an error or panicked. The script's [`ErrorSink`](crate::ErrorSink) has the error.
    ListenerFailed {
        /// What it listens to.
        channel: Channel,
        /// Which listener it is.
        listener: ListenerId,
        /// The error's or the panic's message.
        message: String,
    },
    /// The client is closed. No event follows.
    Closed,
}

impl ClientEvent {
    /// The same, as an event of the client with this number.
    pub(crate) fn of_client(&self, client: ClientId) -> Self {
        let mut event = self.clone();
        match &mut event {
            Self::Disconnected { cause }
            | Self::ReconnectFailed { cause, .. }
            | Self::ReconnectSuspended { cause }
            | Self::ReauthenticationFailed { cause }
            | Self::SubscriptionRefused { cause, .. } => {
                *cause = cause.clone().with_client(client);
            }
            _ => {}
        }
        event
    }
}

/// The events of one client from the moment that `events()` was called.
///
/// Bounded: a reader that falls more than 256 events behind misses the oldest, and
/// [`EventStream::missed`] counts them. Ends after [`ClientEvent::Closed`].
///
/// ```no_run
/// # fn example(client: &dyn redis_manager_core::ScriptRedisClient) -> redis_manager_core::Result<()> {
/// use redis_manager_core::ClientEvent;
///
/// let mut events = client.events();
/// while let Some(event) = events.recv()? {
///     match event {
///         ClientEvent::Disconnected { cause } => eprintln!("lost: {cause}"),
///         ClientEvent::ReconnectFailed { attempt, cause } => eprintln!("try {attempt}: {cause}"),
///         _ => {}
///     }
/// }
/// # Ok(()) }
/// ```
pub struct EventStream {
    receiver: broadcast::Receiver<ClientEvent>,
    missed: u64,
}

impl EventStream {
    /// Waits for the next event, blocking the thread; `None` once the client is closed.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::WouldDeadlock`](crate::ErrorKind::WouldDeadlock) on an I/O thread of the library.
    pub fn recv(&mut self) -> Result<Option<ClientEvent>> {
        wait(self.recv_async())
    }

    /// Waits for the next event; `None` once the client is closed. Loses nothing when it is cancelled.
    pub async fn recv_async(&mut self) -> Option<ClientEvent> {
        loop {
            match self.receiver.recv().await {
                Ok(event) => return Some(event),
                Err(RecvError::Lagged(missed)) => self.missed += missed,
                Err(RecvError::Closed) => return None,
            }
        }
    }

    /// Takes an event that is there already.
    pub fn try_recv(&mut self) -> Option<ClientEvent> {
        loop {
            match self.receiver.try_recv() {
                Ok(event) => return Some(event),
                Err(TryRecvError::Lagged(missed)) => self.missed += missed,
                Err(TryRecvError::Empty | TryRecvError::Closed) => return None,
            }
        }
    }

    /// How many events this reader was too slow for.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.missed
    }
}

impl fmt::Debug for EventStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStream")
            .field("waiting", &self.receiver.len())
            .field("missed", &self.missed)
            .finish()
    }
}

/// The sending side, one a client.
pub(crate) struct EventHub(Mutex<Audience>);

enum Audience {
    /// Nobody has listened so far. A channel takes all its memory at once, and most clients need none.
    Nobody,
    Listening(broadcast::Sender<ClientEvent>),
    /// The client is closed, and no event follows, not even of a callback that outlives the closing.
    Gone,
}

impl EventHub {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Audience::Nobody))
    }

    pub(crate) fn emit(&self, event: ClientEvent) {
        let mut audience = self.0.lock();
        let is_last = matches!(event, ClientEvent::Closed);
        if let Audience::Listening(sender) = &*audience {
            // Fails only when nobody listens any more, which is allowed.
            let _ = sender.send(event);
        }
        if is_last {
            *audience = Audience::Gone;
        }
    }

    pub(crate) fn subscribe(&self) -> EventStream {
        let mut audience = self.0.lock();
        let receiver = match &*audience {
            Audience::Listening(sender) => sender.subscribe(),
            Audience::Nobody => {
                let (sender, receiver) = broadcast::channel(EVENT_BUFFER);
                *audience = Audience::Listening(sender);
                receiver
            }
            // Ended from the start: its sender is dropped here.
            Audience::Gone => broadcast::channel(1).1,
        };
        EventStream {
            receiver,
            missed: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_reader_misses_the_oldest_and_knows_how_many() {
        let hub = EventHub::new();
        let mut events = hub.subscribe();
        for _ in 0..EVENT_BUFFER + 10 {
            hub.emit(ClientEvent::Connected);
        }
        let mut seen = 0;
        while events.try_recv().is_some() {
            seen += 1;
        }
        assert_eq!((seen, events.missed()), (EVENT_BUFFER, 10));
    }

    #[test]
    fn the_stream_ends_with_the_client_and_loses_nothing_before() {
        let hub = EventHub::new();
        let mut events = hub.subscribe();
        hub.emit(ClientEvent::Connected);
        hub.emit(ClientEvent::Closed);
        hub.emit(ClientEvent::Connected);
        assert!(matches!(events.recv(), Ok(Some(ClientEvent::Connected))));
        assert!(matches!(events.recv(), Ok(Some(ClientEvent::Closed))));
        assert!(matches!(events.recv(), Ok(None)));
        assert!(matches!(hub.subscribe().recv(), Ok(None)));
    }
}
