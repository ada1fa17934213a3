//! What a listener can be told.

use redis_manager_core::Gap;

use crate::Message;

/// What comes to a listener that was registered [with gaps](crate::ListenerBuilder::with_gaps), in order.
///
/// ```no_run
/// # fn example(client: redis_manager_pubsub::RedisPubSubClient) -> redis_manager_core::Result<()> {
/// use redis_manager_pubsub::ListenerEvent;
///
/// let mut events = client.listener("global").with_gaps().messages()?;
/// while let Some(event) = events.recv()? {
///     match event {
///         ListenerEvent::Message(message) => tracing::info!(text = message.payload_str()?, "heard"),
///         ListenerEvent::Gap(gap) => tracing::warn!(?gap, "messages may be missing"),
///         _ => {}
///     }
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ListenerEvent {
    /// A message was published.
    Message(Message),
    /// Here messages may be missing: the connection was lost for a time.
    Gap(Gap),
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for crate::Message {}
    impl Sealed for super::ListenerEvent {}
}

/// What a listener takes: a [`Message`], or a [`ListenerEvent`] if it wants to know of gaps too.
pub trait Delivered: sealed::Sealed + Clone + Send + Sync + 'static {
    /// Whether gaps are among them.
    #[doc(hidden)]
    const WITH_GAPS: bool;

    #[doc(hidden)]
    fn from_event(event: ListenerEvent) -> Option<Self>;
}

impl Delivered for Message {
    const WITH_GAPS: bool = false;

    fn from_event(event: ListenerEvent) -> Option<Self> {
        match event {
            ListenerEvent::Message(message) => Some(message),
            ListenerEvent::Gap(_) => None,
        }
    }
}

impl Delivered for ListenerEvent {
    const WITH_GAPS: bool = true;

    fn from_event(event: ListenerEvent) -> Option<Self> {
        Some(event)
    }
}
