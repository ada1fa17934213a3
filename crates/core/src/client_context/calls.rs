//! Calls: how one is admitted, bounded in time and cut off.

use std::fmt;
use std::future::Future;

use tokio::task::JoinHandle;

use super::ClientContext;
use super::work::WorkToken;
use crate::connection::cut_off;
use crate::{Deadline, Delivery, Error, ErrorKind, Result};

/// Proof that a call was admitted, with its deadline; a closing client waits until it is dropped.
#[must_use = "the call counts as in flight only while the token is held"]
pub struct InFlight {
    deadline: Deadline,
    token: WorkToken,
}

impl InFlight {
    /// When the call is given up.
    #[must_use]
    pub fn deadline(&self) -> Deadline {
        self.deadline
    }

    /// Takes what a request of `bytes` needs of the script's limits.
    pub(crate) fn take_bytes(&mut self, bytes: usize) -> Result<()> {
        self.token.take_bytes(bytes)
    }

    /// Whether the client was closed meanwhile and waits no more.
    pub(crate) fn is_cut(&self) -> bool {
        self.token.is_cut()
    }

    /// The proof alone.
    pub(crate) fn into_token(self) -> WorkToken {
        self.token
    }

    /// One of the client whose `token` it is.
    #[cfg(test)]
    pub(crate) fn of(token: WorkToken) -> Self {
        let deadline = Deadline::after(None);
        Self { deadline, token }
    }

    /// One that counts for nobody, and that no closing waits for.
    pub(crate) fn uncounted(deadline: Deadline) -> Self {
        Self {
            deadline,
            token: WorkToken::uncounted(),
        }
    }
}

impl ClientContext {
    /// Admits a request of so many commands, which has until `deadline`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Closed`] if the client is closed, [`ErrorKind::LimitExceeded`] if the script may have no more.
    pub(crate) fn admit_commands_until(
        &self,
        commands: usize,
        deadline: Deadline,
    ) -> Result<InFlight> {
        let mut in_flight = self.admit_until(deadline)?;
        in_flight.token.take_commands(commands, deadline.began())?;
        Ok(in_flight)
    }

    /// Admits what is no command of the script's, and counts for none of its limits; it has the command timeout from now
    /// on.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Closed`] if the client is closed. The call was not sent then.
    pub fn admit(&self) -> Result<InFlight> {
        self.admit_until(Deadline::after(self.command_timeout()))
    }

    /// As [`admit`](Self::admit), until `deadline`.
    ///
    /// # Errors
    ///
    /// As [`admit`](Self::admit).
    pub fn admit_until(&self, deadline: Deadline) -> Result<InFlight> {
        // Counted before the state is looked at, so that a closing that begins in between waits for it.
        let token = self.work.begin();
        match token.filter(|_| !self.is_closed()) {
            Some(token) => Ok(InFlight { deadline, token }),
            None => Err(self.closed_error().with_delivery(Delivery::NotSent)),
        }
    }

    /// A cut takes the connection away under a call, which then sees only that.
    fn explain_cut(&self, error: Error) -> Error {
        let lost = matches!(error.kind(), ErrorKind::Disconnected | ErrorKind::Internal);
        if lost && self.cut.is_cancelled() {
            let delivery = error.delivery().unwrap_or(Delivery::Unknown);
            return self.cut_error(delivery).with_source(error);
        }
        match error.client_id() {
            Some(_) => error,
            None => error.with_client(self.client_id),
        }
    }

    /// The error of a call that the closing cut off, when so much of it was done.
    pub(crate) fn cut_error(&self, delivery: Delivery) -> Error {
        cut_off(delivery).with_client(self.client_id)
    }

    /// Runs `call`, admitted, on the I/O runtime. It is dropped when the caller stops waiting for it, and when
    /// the client is cut off: a future that its owner has forgotten keeps nothing of a closed client.
    ///
    /// # Errors
    ///
    /// Those of `call` and of [`admit`](Self::admit); [`ErrorKind::Closed`] if the client was cut off
    /// meanwhile; [`ErrorKind::Internal`] if `call` panics, or if the resources are shut down.
    pub async fn run_admitted<F, T>(&self, call: F) -> Result<T>
    where
        F: Future<Output = Result<T>> + Send + 'static,
        T: Send + 'static,
    {
        let _in_flight = self.admit()?;
        let cut = self.cut.clone();
        let closed = self.cut_error(Delivery::Unknown);
        let run = self.tasks.track_future(async move {
            tokio::select! {
                biased;
                () = cut.cancelled() => Err(closed),
                outcome = call => outcome,
            }
        });
        let outcome = self.resources.run_cancellable(run).await;
        outcome.map_err(|error| self.explain_cut(error))
    }

    /// Starts a task of the client on the I/O runtime; closing ends it, also if the handle is dropped.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        let cut = self.cut.clone();
        // Boxed, or the task would have room for it twice.
        let task = Box::pin(task);
        self.resources.spawn(self.tasks.track_future(async move {
            tokio::select! {
                () = cut.cancelled() => {}
                () = task => {}
            }
        }))
    }

    /// Ends every task of a client that never came to be open.
    pub(crate) fn abandon(&self) {
        self.cut.cancel();
        self.give_back_share();
        drop(self.take_sentinels());
        if let Some(membership) = self.membership() {
            membership.leave(self);
        }
    }

    /// The script may have another client in the place of this one.
    pub(super) fn give_back_share(&self) {
        drop(std::mem::take(&mut *self.share.lock()));
    }

    /// Runs `waiting` until its end, or until the client is cut off. For what goes on without the caller.
    ///
    /// # Errors
    ///
    /// Those of `waiting`; [`ErrorKind::Closed`] if the client was cut off meanwhile.
    pub async fn until_cut<T>(&self, waiting: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            biased;
            outcome = waiting => outcome,
            () = self.cut.cancelled() => Err(self.cut_error(Delivery::Unknown)),
        }
    }
}

impl fmt::Debug for InFlight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InFlight")
    }
}
