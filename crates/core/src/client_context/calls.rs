//! Calls: how one is admitted, bounded in time and cut off.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use tokio_util::task::task_tracker::TaskTrackerToken;

use super::ClientContext;
use crate::{ClientState, Delivery, DisconnectedBehavior, Error, ErrorKind, Result};

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
            _token: tokio_util::task::TaskTracker::new().token(),
        }
    }
}

impl ClientContext {
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
}

impl fmt::Debug for InFlight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InFlight")
    }
}
