//! Where a host learns what went wrong in a script's callbacks.

use std::error::Error as StdError;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::{Channel, ClientId, ListenerId, ScriptHandle};

/// Takes the failures of one script's callbacks; see [`ScriptHandle::set_error_sink`].
///
/// Called on the thread where the callback ran, right after it, so it may block as much as a callback may. A
/// panic of the sink is caught.
///
/// ```
/// use redis_manager_core::{FailureCause, ScriptFailure, ScriptHandle};
///
/// let script = ScriptHandle::new("economy");
/// script.set_error_sink(|failure: &ScriptFailure| match failure.cause() {
///     FailureCause::Panic(message) => eprintln!("{}: {message}", failure.script()),
///     cause => eprintln!("{}: {cause}", failure.script()),
/// });
/// ```
pub trait ErrorSink: Send + Sync + 'static {
    /// Takes one failure.
    fn report(&self, failure: &ScriptFailure);
}

impl<F: Fn(&ScriptFailure) + Send + Sync + 'static> ErrorSink for F {
    fn report(&self, failure: &ScriptFailure) {
        self(failure);
    }
}

/// What went wrong in a script's callback, or with a subscription that one waits for.
#[derive(Debug)]
pub struct ScriptFailure {
    script: ScriptHandle,
    client_id: Option<ClientId>,
    listener: Option<ListenerId>,
    channel: Option<Channel>,
    cause: FailureCause,
}

/// How a callback failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum FailureCause {
    /// It returned this error.
    Error(Box<dyn StdError + Send + Sync>),
    /// It panicked, with this message.
    Panic(String),
}

impl ScriptFailure {
    /// Makes a failure of `script` that belongs to no client.
    #[must_use]
    pub fn new(script: &ScriptHandle, cause: FailureCause) -> Self {
        Self {
            script: script.clone(),
            client_id: None,
            listener: None,
            channel: None,
            cause,
        }
    }

    /// Names the client.
    #[must_use]
    pub fn with_client(mut self, client_id: ClientId) -> Self {
        self.client_id = Some(client_id);
        self
    }

    /// Names the listener.
    #[must_use]
    pub fn with_listener(mut self, listener: ListenerId) -> Self {
        self.listener = Some(listener);
        self
    }

    /// Names the channel.
    #[must_use]
    pub fn with_channel(mut self, channel: &Channel) -> Self {
        self.channel = Some(channel.clone());
        self
    }

    /// Whose callback failed.
    #[must_use]
    pub fn script(&self) -> &ScriptHandle {
        &self.script
    }

    /// The client that it belongs to, if it belongs to one.
    #[must_use]
    pub fn client_id(&self) -> Option<ClientId> {
        self.client_id
    }

    /// The listener, if it is one.
    #[must_use]
    pub fn listener(&self) -> Option<ListenerId> {
        self.listener
    }

    /// The channel that it listens to, if it is a listener.
    #[must_use]
    pub fn channel(&self) -> Option<&Channel> {
        self.channel.as_ref()
    }

    /// What happened.
    #[must_use]
    pub fn cause(&self) -> &FailureCause {
        &self.cause
    }
}

impl fmt::Display for FailureCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(error) => fmt::Display::fmt(error, f),
            Self::Panic(message) => write!(f, "panicked: {message}"),
        }
    }
}

impl fmt::Display for ScriptFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "script {}", self.script)?;
        if let Some(client_id) = self.client_id {
            write!(f, ", client {client_id}")?;
        }
        if let Some(listener) = self.listener {
            write!(f, ", listener {listener}")?;
        }
        if let Some(channel) = &self.channel {
            write!(f, ", {channel}")?;
        }
        write!(f, ": {}", self.cause)
    }
}

/// The sink of a script that has no other.
pub(crate) fn trace(failure: &ScriptFailure) {
    tracing::warn!(
        script = %failure.script,
        client = failure.client_id.map(tracing::field::display),
        listener = failure.listener.map(tracing::field::display),
        channel = failure.channel.as_ref().map(tracing::field::display),
        cause = %failure.cause,
        "a callback failed"
    );
}

/// Tells `sink`, whatever that makes of it.
pub(crate) fn tell(sink: &dyn ErrorSink, failure: &ScriptFailure) {
    if catch_unwind(AssertUnwindSafe(|| sink.report(failure))).is_err() {
        tracing::error!(script = %failure.script, "the error sink panicked");
        trace(failure);
    }
}
