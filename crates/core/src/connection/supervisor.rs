//! Keeps one socket of a client connected, for as long as the client is open.

use std::sync::Arc;

use tokio::time::Instant;

use super::PushSink;
use super::backoff::Backoff;
use super::driver::Driver;
use super::handshake::{Greeted, greet};
use super::multiplexer::{Multiplexer, Pushes};
use super::outbox::{Outbox, OutboxLimits};
use crate::{ClientContext, ClientEvent, Error, ErrorKind, Protocol, Result};

/// What a socket is for.
pub(super) struct Supervisor {
    pub(super) context: Arc<ClientContext>,
    /// The protocol that the first connection agreed to, which every later one asks for.
    pub(super) protocol: Protocol,
    pub(super) pushes: Pushes,
    pub(super) sink: Option<Arc<dyn PushSink>>,
}

impl Supervisor {
    /// Starts the task that serves the returned outbox, beginning with the connection that is there.
    pub(super) fn start(self, greeted: Greeted) -> Arc<Outbox> {
        let options = self.context.options();
        let outbox = Outbox::new(OutboxLimits {
            requests: options.request_queue_size(),
            bytes: options.request_queue_bytes(),
        });
        let served = Served {
            outbox: Arc::clone(&outbox),
            cause: self.context.closed_error(),
        };
        let driver = self.driver(greeted, &outbox);
        let context = Arc::clone(&self.context);
        context.spawn(self.serve(driver, served));
        outbox
    }

    async fn serve(self, mut driver: Driver, mut served: Served) {
        let longest_delay = self.context.options().reconnect_delay();
        let mut backoff = Backoff::new(longest_delay);
        loop {
            let began = Instant::now();
            let lost = driver.run(|reason| self.lost(&reason)).await;
            // A server that greets and hangs up is not to be tried again at full speed.
            if began.elapsed() > longest_delay {
                backoff = Backoff::new(longest_delay);
            }
            self.context.set_disconnected(lost.clone());
            if !self.context.options().auto_reconnect() {
                served.cause = lost;
                return;
            }
            let greeted = self.reconnect(&mut backoff).await;
            // Before anybody hears of the connection: whoever does may use it.
            driver = self.driver(greeted, &served.outbox);
            self.context.set_reconnected();
            if let Some(sink) = &self.sink {
                Arc::clone(sink).reconnected();
            }
        }
    }

    fn driver(&self, greeted: Greeted, outbox: &Arc<Outbox>) -> Driver {
        Driver::new(
            greeted.socket,
            greeted.decoder,
            Multiplexer::new(self.pushes, self.sink.clone()),
            Arc::clone(outbox),
            self.context.closed_error(),
        )
    }

    fn lost(&self, reason: &str) -> Error {
        let address = self.context.uri().address();
        let message = format!("the connection to {address} was lost: {reason}");
        self.context.error(ErrorKind::Disconnected, message)
    }

    /// Tries until it succeeds, whatever the server says: a password, an address or a limit may be
    /// mended at any time.
    async fn reconnect(&self, backoff: &mut Backoff) -> Greeted {
        let mut attempt = 0_u64;
        loop {
            let delay = backoff.next_delay();
            attempt += 1;
            self.context
                .emit(ClientEvent::ReconnectAttempt { attempt, delay });
            tokio::time::sleep(delay).await;
            match in_time(&self.context, greet(&self.context, self.protocol)).await {
                Ok(greeted) => return greeted,
                Err(cause) => self
                    .context
                    .emit(ClientEvent::ReconnectFailed { attempt, cause }),
            }
        }
    }
}

/// Runs what makes a connection, within the option `connect_timeout`.
pub(super) async fn in_time<T>(
    context: &ClientContext,
    connecting: impl Future<Output = Result<T>>,
) -> Result<T> {
    let timeout = context.options().connect_timeout();
    tokio::time::timeout(timeout, connecting)
        .await
        .unwrap_or_else(|_| {
            let address = context.uri().address();
            Err(Error::new(
                ErrorKind::Timeout,
                format!("no connection to {address} within {timeout:?}"),
            ))
        })
        .map_err(|error| error.with_client(context.client_id()))
}

/// An outbox that is served. Once it is not any more, whatever ended that, it takes nothing.
struct Served {
    outbox: Arc<Outbox>,
    cause: Error,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.outbox.end(&self.cause);
    }
}
