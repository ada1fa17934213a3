//! What went wrong in a script's code.

use std::any::Any;
use std::error::Error as StdError;
use std::fmt;

use crate::{Channel, ClientId, ListenerId, ScriptHandle};

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

impl FailureCause {
    /// What `panic` says, which `catch_unwind` or a task has returned.
    #[must_use]
    pub fn from_panic(panic: &(dyn Any + Send)) -> Self {
        let message = if let Some(message) = panic.downcast_ref::<&str>() {
            message
        } else if let Some(message) = panic.downcast_ref::<String>() {
            message
        } else {
            "with a value that is no text"
        };
        Self::Panic(message.to_owned())
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_all_that_is_known() {
        let script = ScriptHandle::new("economy");
        let (client_id, listener) = (ClientId::next(), ListenerId::next());
        let failure = ScriptFailure::new(&script, FailureCause::Panic("no money".to_owned()))
            .with_client(client_id)
            .with_listener(listener)
            .with_channel(&Channel::pattern("news.*"));
        assert_eq!(
            failure.to_string(),
            format!(
                "script {script}, client {client_id}, listener {listener}, \
                 pattern \"news.*\": panicked: no money"
            )
        );
    }
}
