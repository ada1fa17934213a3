//! Messages that are taken out, instead of handed to a function.

use std::fmt;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::stream::{FusedStream, Stream};
use redis_manager_core::{Result, wait};

use crate::{Delivered, Message, ScriptPubSubListener};

/// The messages of a channel, a pattern or a shard channel, in order: a [`Stream`]. Made by
/// [`messages`](crate::RedisPubSubClient::messages).
///
/// What is not taken out waits in the listener's bounded queue. Ends once the listener is unregistered or the
/// client is closed; what was not taken out by then is gone. Dropping it unregisters the listener, without waiting.
///
/// ```no_run
/// # async fn example(client: redis_manager_pubsub::RedisPubSubClient) -> redis_manager_core::Result<()> {
/// let mut messages = client.messages_async("global").await?;
/// while let Some(message) = messages.recv_async().await {
///     tracing::info!(text = message.payload_str()?, "heard");
/// }
/// # Ok(()) }
/// ```
#[must_use = "dropping the stream unregisters its listener"]
pub struct MessageStream<T: Delivered = Message> {
    handle: ScriptPubSubListener,
    has_ended: bool,
    item: PhantomData<fn() -> T>,
}

impl<T: Delivered> MessageStream<T> {
    pub(crate) fn new(handle: ScriptPubSubListener) -> Self {
        Self {
            handle,
            has_ended: false,
            item: PhantomData,
        }
    }

    /// What unregisters its listener from elsewhere, and counts what was dropped.
    #[must_use]
    pub fn handle(&self) -> &ScriptPubSubListener {
        &self.handle
    }

    /// Waits for the next message, blocking the thread; `None` once none comes any more.
    ///
    /// # Errors
    ///
    /// [`WouldDeadlock`](redis_manager_core::ErrorKind::WouldDeadlock) on an I/O thread of the library.
    pub fn recv(&mut self) -> Result<Option<T>> {
        wait(self.recv_async())
    }

    /// Waits for the next message; `None` once none comes any more. Loses nothing when it is cancelled.
    pub async fn recv_async(&mut self) -> Option<T> {
        poll_fn(|context| self.poll_recv(context)).await
    }

    /// Takes a message that is there already.
    pub fn try_recv(&mut self) -> Option<T> {
        loop {
            let event = self.handle.listener().try_next()?;
            if let Some(item) = T::from_event(event) {
                return Some(item);
            }
        }
    }

    fn poll_recv(&mut self, context: &Context<'_>) -> Poll<Option<T>> {
        loop {
            return match self.handle.listener().poll_next(context) {
                Poll::Ready(Some(event)) => match T::from_event(event) {
                    Some(item) => Poll::Ready(Some(item)),
                    None => continue,
                },
                Poll::Ready(None) => {
                    self.has_ended = true;
                    Poll::Ready(None)
                }
                Poll::Pending => Poll::Pending,
            };
        }
    }
}

impl<T: Delivered> Stream for MessageStream<T> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        self.get_mut().poll_recv(context)
    }
}

impl<T: Delivered> FusedStream for MessageStream<T> {
    fn is_terminated(&self) -> bool {
        self.has_ended
    }
}

impl<T: Delivered> Drop for MessageStream<T> {
    fn drop(&mut self) {
        self.handle.abandon();
    }
}

impl<T: Delivered> fmt::Debug for MessageStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MessageStream").field(&self.handle).finish()
    }
}
