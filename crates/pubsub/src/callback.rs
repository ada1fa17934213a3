//! What a listener is made of: a function, or an asynchronous one.

use std::future::Future;
use std::pin::Pin;

use crate::Message;

/// The error of a listener: anything that is an error.
pub type ListenerError = Box<dyn std::error::Error + Send + Sync>;

/// What a listener returns. An error is reported and the listener goes on.
pub type ListenerResult = Result<(), ListenerError>;

pub(crate) type SyncCallback = Box<dyn FnMut(&Message) -> ListenerResult + Send>;
pub(crate) type CallbackFuture = Pin<Box<dyn Future<Output = ListenerResult> + Send>>;
pub(crate) type AsyncCallback = Box<dyn Fn(Message) -> CallbackFuture + Send + Sync>;

pub(crate) enum Callback {
    Sync(SyncCallback),
    Async(AsyncCallback),
}

impl Callback {
    pub(crate) fn from_sync(
        function: impl FnMut(&Message) -> ListenerResult + Send + 'static,
    ) -> Self {
        Self::Sync(Box::new(function))
    }

    pub(crate) fn from_async<F, Fut>(function: F) -> Self
    where
        F: Fn(Message) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ListenerResult> + Send + 'static,
    {
        Self::Async(Box::new(move |message| Box::pin(function(message))))
    }
}
