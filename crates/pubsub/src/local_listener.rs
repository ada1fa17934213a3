//! A listener whose calls run where it is polled.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use redis_manager_core::CallbackScope;

use crate::ScriptPubSubListener;
use crate::callback::LocalCallback;

/// A listener that runs on the thread that polls it, and whose function need not be `Send`: for script engines
/// that live on one thread. Made by [`register_local`](crate::ListenerBuilder::register_local).
///
/// A future that one polls, or spawns where futures need not be `Send`: a `tokio::task::LocalSet`, or
/// `Mailbox::attach` of `redis-manager`. Each poll runs the function for at most one message, and wakes again if there is
/// another, so that no listener holds up the others. It is ready once nothing comes any more: it is unregistered,
/// or its client is closed.
///
/// It holds the function, so dropping it unregisters the listener, without waiting.
///
/// ```no_run
/// # async fn example(client: redis_manager_pubsub::RedisPubSubClient) -> redis_manager_core::Result<()> {
/// use redis_manager_pubsub::Message;
/// use std::{cell::Cell, rc::Rc};
///
/// let heard = Rc::new(Cell::new(0));
/// let counter = Rc::clone(&heard);
/// let listener = client
///     .listener("global")
///     .register_local_async(move |_: &Message| {
///         counter.set(counter.get() + 1);
///         Ok(())
///     })
///     .await?;
/// let handle = listener.handle().clone();
/// tokio::task::spawn_local(listener);
/// // ...
/// handle.unregister_async().await?;
/// # Ok(()) }
/// ```
#[must_use = "a local listener hears nothing unless it is polled, and unregisters when it is dropped"]
pub struct LocalListener {
    handle: ScriptPubSubListener,
    /// `None` once nothing comes any more.
    callback: Option<LocalCallback>,
}

impl LocalListener {
    pub(crate) fn new(handle: ScriptPubSubListener, callback: LocalCallback) -> Self {
        Self {
            handle,
            callback: Some(callback),
        }
    }

    /// What unregisters it from elsewhere.
    #[must_use]
    pub fn handle(&self) -> &ScriptPubSubListener {
        &self.handle
    }

    fn discard(&mut self) {
        if let Some(callback) = self.callback.take() {
            let _scope = CallbackScope::enter();
            self.handle.listener().discard(callback);
        }
    }
}

impl Future for LocalListener {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let Some(callback) = &mut this.callback else {
            return Poll::Ready(());
        };
        let polled = this.handle.listener().poll_call(context, callback);
        if polled.is_ready() {
            this.discard();
        }
        polled
    }
}

impl Drop for LocalListener {
    fn drop(&mut self) {
        self.handle.abandon();
        self.discard();
    }
}

impl fmt::Debug for LocalListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LocalListener").field(&self.handle).finish()
    }
}
