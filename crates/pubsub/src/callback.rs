//! What a listener is made of: a function, or an asynchronous one.

use std::future::{Future, ready};
use std::pin::Pin;

use futures_util::future::Either;

use crate::{Delivered, ListenerEvent};

/// The error of a listener: anything that is an error.
pub type ListenerError = Box<dyn std::error::Error + Send + Sync>;

/// What a listener returns. An error is reported and the listener goes on.
pub type ListenerResult = Result<(), ListenerError>;

type SyncCallback = Box<dyn FnMut(ListenerEvent) -> ListenerResult + Send>;
type CallbackFuture = Pin<Box<dyn Future<Output = ListenerResult> + Send>>;
type AsyncCallback = Box<dyn Fn(ListenerEvent) -> CallbackFuture + Send + Sync>;

/// One that runs on the thread that polls its listener.
pub(crate) type LocalCallback = Box<dyn FnMut(ListenerEvent) -> ListenerResult>;

pub(crate) enum Callback {
    Sync(SyncCallback),
    Async(AsyncCallback),
}

impl Callback {
    pub(crate) fn from_sync<T: Delivered>(
        mut function: impl FnMut(&T) -> ListenerResult + Send + 'static,
    ) -> Self {
        Self::Sync(Box::new(move |event| {
            T::from_event(event).map_or(Ok(()), |item| function(&item))
        }))
    }

    pub(crate) fn from_async<T, F, Fut>(function: F) -> Self
    where
        T: Delivered,
        F: Fn(T) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ListenerResult> + Send + 'static,
    {
        Self::Async(Box::new(move |event| {
            Box::pin(match T::from_event(event) {
                Some(item) => Either::Left(function(item)),
                None => Either::Right(ready(Ok(()))),
            })
        }))
    }
}

pub(crate) fn from_local<T: Delivered>(
    mut function: impl FnMut(&T) -> ListenerResult + 'static,
) -> LocalCallback {
    Box::new(move |event| T::from_event(event).map_or(Ok(()), |item| function(&item)))
}
