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

/// An event that stays where it is for the time of a call.
#[derive(Clone, Copy, Debug)]
pub enum EventRef<'a> {
    Message(&'a Message),
    Gap(&'a Gap),
}

impl EventRef<'_> {
    pub(crate) fn to_event(self) -> ListenerEvent {
        match self {
            Self::Message(message) => ListenerEvent::Message(message.clone()),
            Self::Gap(gap) => ListenerEvent::Gap(gap.clone()),
        }
    }
}

mod sealed {
    use super::{EventRef, ListenerEvent, Message};
    use crate::ListenerResult;

    pub trait Sealed: Sized {
        /// Calls `function` for `event`, if it is one that it takes.
        fn hear(
            event: EventRef<'_>,
            function: impl FnOnce(&Self) -> ListenerResult,
        ) -> ListenerResult;

        /// The event, if it is one of these.
        fn from_ref(event: EventRef<'_>) -> Option<Self>;
    }

    impl Sealed for Message {
        fn hear(
            event: EventRef<'_>,
            function: impl FnOnce(&Self) -> ListenerResult,
        ) -> ListenerResult {
            match event {
                EventRef::Message(message) => function(message),
                EventRef::Gap(_) => Ok(()),
            }
        }

        fn from_ref(event: EventRef<'_>) -> Option<Self> {
            match event {
                EventRef::Message(message) => Some(message.clone()),
                EventRef::Gap(_) => None,
            }
        }
    }

    impl Sealed for ListenerEvent {
        fn hear(
            event: EventRef<'_>,
            function: impl FnOnce(&Self) -> ListenerResult,
        ) -> ListenerResult {
            function(&event.to_event())
        }

        fn from_ref(event: EventRef<'_>) -> Option<Self> {
            Some(event.to_event())
        }
    }
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
