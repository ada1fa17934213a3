//! What a listener is made of: a function, or an asynchronous one.

use std::future::Future;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use redis_manager_core::as_callback;

use crate::listener::Turn;
use crate::{Delivered, ListenerEvent};

/// The error of a listener: anything that is an error.
pub type ListenerError = Box<dyn std::error::Error + Send + Sync>;

/// What a listener returns. An error is reported and the listener goes on.
pub type ListenerResult = Result<(), ListenerError>;

/// One that runs on the thread that polls its listener.
pub(crate) type LocalCallback = Box<dyn FnMut(ListenerEvent) -> ListenerResult>;

/// Calls its function for each event of a turn. What kind of event the function takes, and what future it returns, is
/// known inside alone, so that a call needs no allocation.
pub(crate) enum Callback {
    Sync(Box<dyn SyncCallback>),
    Async(Box<dyn AsyncCallback>),
}

pub(crate) trait SyncCallback: Send {
    fn run(&mut self, turn: &mut Turn<'_>);
}

pub(crate) trait AsyncCallback: Send + Sync {
    fn run<'a>(&'a self, turn: Turn<'a>) -> BoxFuture<'a, ()>;
}

impl Callback {
    pub(crate) fn from_sync<T: Delivered>(
        function: impl FnMut(&T) -> ListenerResult + Send + 'static,
    ) -> Self {
        Self::Sync(Box::new(Taking {
            function,
            item: PhantomData,
        }))
    }

    pub(crate) fn from_async<T, F, Fut>(function: F) -> Self
    where
        T: Delivered,
        F: Fn(T) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ListenerResult> + Send + 'static,
    {
        Self::Async(Box::new(Taking {
            function,
            item: PhantomData,
        }))
    }
}

pub(crate) fn from_local<T: Delivered>(
    mut function: impl FnMut(&T) -> ListenerResult + 'static,
) -> LocalCallback {
    Box::new(move |event| T::from_event(event).map_or(Ok(()), |item| function(&item)))
}

/// A function that takes a `T`.
struct Taking<T, F> {
    function: F,
    item: PhantomData<fn(T)>,
}

impl<T, F> SyncCallback for Taking<T, F>
where
    T: Delivered,
    F: FnMut(&T) -> ListenerResult + Send,
{
    fn run(&mut self, turn: &mut Turn<'_>) {
        while let Some(event) = turn.next() {
            let call = AssertUnwindSafe(|| T::hear(event, &mut self.function));
            let outcome = catch_unwind(call);
            turn.report(outcome);
        }
    }
}

impl<T, F, Fut> AsyncCallback for Taking<T, F>
where
    T: Delivered,
    F: Fn(T) -> Fut + Send + Sync,
    Fut: Future<Output = ListenerResult> + Send,
{
    fn run<'a>(&'a self, mut turn: Turn<'a>) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            while let Some(event) = turn.next() {
                if let Some(item) = T::from_ref(event) {
                    let call = as_callback(async { (self.function)(item).await });
                    let outcome = AssertUnwindSafe(call).catch_unwind().await;
                    turn.report(outcome);
                }
            }
        })
    }
}
