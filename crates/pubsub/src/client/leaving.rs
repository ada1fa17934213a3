//! Ending subscriptions without ending listeners.

use futures_util::future::join_all;
use redis_manager_core::{ErrorKind, Result, in_callback, wait};

use super::RedisPubSubClient;

impl RedisPubSubClient {
    /// Ends every subscription and no listener, blocking the thread: when this returns the server has confirmed it, so
    /// all that it sent has arrived and is heard as ever, and nothing follows. For a client whose work another takes
    /// over; who registers a listener afterwards subscribes its channel again.
    ///
    /// Inside a callback it returns at once, and the server is told in the background.
    ///
    /// ```no_run
    /// # fn example(old: redis_manager_pubsub::RedisPubSubClient) -> redis_manager_core::Result<()> {
    /// old.unsubscribe_all()?;
    /// old.catch_up()?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// What kept the server from being told; it is told again in the background.
    /// [`ErrorKind::WouldDeadlock`] on an I/O thread of the library.
    pub fn unsubscribe_all(&self) -> Result<()> {
        wait(self.unsubscribe_all_async())?
    }

    /// The asynchronous twin of [`unsubscribe_all`](Self::unsubscribe_all).
    ///
    /// # Errors
    ///
    /// As its twin.
    pub async fn unsubscribe_all_async(&self) -> Result<()> {
        let subscriptions = &self.0.subscriptions;
        let client = self.0.context.client_id();
        let channels = subscriptions.leave_all(client);
        if in_callback() {
            for channel in &channels {
                subscriptions.settle_in_background(channel);
            }
            return Ok(());
        }
        // All are told before the first is answered.
        let told: Vec<_> = channels
            .iter()
            .map(|channel| subscriptions.settle(channel))
            .collect();
        let outcomes = join_all(told).await;
        // Without a connection there are no subscriptions.
        let gone = [ErrorKind::Disconnected, ErrorKind::Closed];
        let mut outcome = Ok(());
        for (channel, told) in channels.iter().zip(outcomes) {
            match told {
                Err(error) if !gone.contains(&error.kind()) => outcome = outcome.and(Err(error)),
                // Others may listen to it on the same connection.
                _ => subscriptions.depart(channel, client),
            }
        }
        outcome
    }

    /// Waits until the listeners have heard all that has arrived, blocking the thread, at most the option
    /// `shutdown_timeout`. Returns whether they have. Where messages are taken out by somebody else, a
    /// [`MessageStream`](crate::MessageStream) or a mailbox, they are not waited for; inside a callback nobody is.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::WouldDeadlock`] on an I/O thread of the library.
    pub fn catch_up(&self) -> Result<bool> {
        wait(self.catch_up_async())
    }

    /// The asynchronous twin of [`catch_up`](Self::catch_up).
    pub async fn catch_up_async(&self) -> bool {
        if in_callback() {
            return false;
        }
        let listeners = self.0.subscriptions.listeners(self.0.context.client_id());
        let deadline = self.0.context.shutdown_deadline();
        let heard = async move {
            let heard = listeners
                .iter()
                .map(|listener| listener.wait_heard(deadline));
            Ok(join_all(heard).await.into_iter().all(|heard| heard))
        };
        // Fails if the resources are shut down: then nothing is heard any more.
        self.0.context.resources().run(heard).await.unwrap_or(false)
    }
}
