//! Where a host learns what went wrong in a script's callbacks.

use std::any::Any;
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

/// The sink of a script that has no other.
fn trace(failure: &ScriptFailure) {
    tracing::warn!(
        script = %failure.script,
        client = failure.client_id.map(tracing::field::display),
        listener = failure.listener.map(tracing::field::display),
        channel = failure.channel.as_ref().map(tracing::field::display),
        cause = %failure.cause,
        "a callback failed"
    );
}

/// Tells `sink`, or a line of `tracing`. An error is the script's code, when it is written and when it is dropped:
/// nothing of it goes further.
pub(crate) fn tell(sink: Option<&dyn ErrorSink>, failure: ScriptFailure) {
    let script = failure.script.clone();
    let told = catch_unwind(AssertUnwindSafe(|| match sink {
        Some(sink) => sink.report(&failure),
        None => trace(&failure),
    }));
    // Apart from that: a second panic while the first unwinds would end the process.
    let dropped = catch_unwind(AssertUnwindSafe(|| drop(failure)));
    for panic in [told, dropped].into_iter().filter_map(Result::err) {
        let cause = FailureCause::from_panic(&*panic);
        tracing::error!(%script, %cause, "the report of a failure failed");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::*;

    #[derive(Debug)]
    struct Unspeakable;

    impl fmt::Display for Unspeakable {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("while it was written")
        }
    }

    impl StdError for Unspeakable {}

    impl Drop for Unspeakable {
        fn drop(&mut self) {
            panic!("while it was dropped")
        }
    }

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

    #[test]
    fn the_last_sink_that_was_set_hears_of_a_failure() {
        let script = ScriptHandle::new("economy");
        let heard = Arc::new(Mutex::new(Vec::new()));
        for name in ["first", "second"] {
            let heard = Arc::clone(&heard);
            script.set_error_sink(move |failure: &ScriptFailure| {
                heard.lock().push(format!("{name}: {}", failure.cause()));
            });
        }
        let cause = FailureCause::Error("no money".into());
        script.report_failure(ScriptFailure::new(&script, cause));
        assert_eq!(*heard.lock(), ["second: no money"]);
    }

    #[test]
    fn neither_an_error_nor_a_sink_that_panics_goes_any_further() {
        let script = ScriptHandle::new("economy");
        let fail = || {
            let cause = FailureCause::Error(Box::new(Unspeakable));
            script.report_failure(ScriptFailure::new(&script, cause));
        };
        fail();
        script.set_error_sink(|failure: &ScriptFailure| drop(failure.to_string()));
        fail();
        script.set_error_sink(|_: &ScriptFailure| {});
        fail();
    }
}
