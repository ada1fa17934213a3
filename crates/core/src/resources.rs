//! The threads under all clients.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinHandle;
use tokio_util::task::AbortOnDropHandle;

use crate::callback_threads::{CallbackThreads, CallbackThreadsSnapshot};
use crate::connection::{Carriers, SentinelSets};
use crate::last_caller::LastCaller;
use crate::namespace::TableCache;
#[cfg(feature = "tls")]
use crate::tls::TlsConfigs;
use crate::wait::{is_io_thread, mark_io_thread};
use crate::{Error, ErrorKind, Result};

const DEFAULT_IO_THREADS: usize = 2;
const DEFAULT_CALLBACK_THREADS: usize = 16;
/// More than one, so that an asynchronous callback that blocks all the same does not hold up all others.
const ASYNC_CALLBACK_THREADS: usize = 4;

/// The runtimes that clients share: one for I/O, one for callbacks. lettuce's `ClientResources`.
///
/// All I/O of a client runs here and never on a runtime of the host, so that a blocking call from any
/// thread, a host's worker included, cannot stop the reply it waits for. Callbacks run on threads of
/// their own, so that a callback that blocks stops no I/O.
///
/// Cheap to clone. The threads end when the last clone is gone, that of every client included.
///
/// ```
/// use redis_manager_core::ClientResources;
///
/// let resources = ClientResources::builder().io_threads(1).callback_threads(4).build()?;
/// # drop(resources);
/// # Ok::<(), redis_manager_core::Error>(())
/// ```
#[derive(Clone)]
pub struct ClientResources(Arc<Runtimes>);

struct Runtimes {
    io: Handle,
    sync_callbacks: Arc<CallbackThreads>,
    async_callbacks: Handle,
    owned: Mutex<Vec<Runtime>>,
    last_caller: Arc<LastCaller>,
    command_tables: TableCache,
    #[cfg(feature = "tls")]
    tls_configs: TlsConfigs,
    statistics: bool,
    carriers: Carriers,
    sentinel_sets: SentinelSets,
}

impl Runtimes {
    fn shut_down(&self) {
        self.sync_callbacks.close();
        for runtime in self.owned.lock().drain(..) {
            // The only way to end a runtime that neither blocks nor panics where blocking is not
            // allowed; a callback that never returns keeps its thread, and nothing can change that.
            runtime.shutdown_background();
        }
    }
}

impl Drop for Runtimes {
    fn drop(&mut self) {
        self.shut_down();
    }
}

impl ClientResources {
    /// Starts the threads with the defaults of [`ClientResourcesBuilder`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Internal`] if the operating system gives no thread.
    pub fn new() -> Result<Self> {
        Self::builder().build()
    }

    /// Begins a configuration.
    pub fn builder() -> ClientResourcesBuilder {
        ClientResourcesBuilder {
            io_threads: DEFAULT_IO_THREADS,
            callback_threads: DEFAULT_CALLBACK_THREADS,
            async_callbacks: None,
            statistics: false,
        }
    }

    /// Ends all threads that are not inside a callback, without waiting. Close the clients first:
    /// what is in flight is lost.
    pub fn shutdown(&self) {
        self.0.shut_down();
    }

    /// How many tasks of the I/O runtime are alive at this moment, those of all clients together: what a
    /// check for leaks watches.
    #[must_use]
    pub fn alive_tasks(&self) -> usize {
        self.0.io.metrics().num_alive_tasks()
    }

    /// The threads for synchronous callbacks at this moment. Does not block.
    #[must_use]
    pub fn callback_threads(&self) -> CallbackThreadsSnapshot {
        self.0.sync_callbacks.snapshot()
    }

    /// Whether the clients count their calls, as [`ClientResourcesBuilder::statistics`] says.
    #[must_use]
    pub fn counts_calls(&self) -> bool {
        self.0.statistics
    }

    pub(crate) fn last_caller(&self) -> &Arc<LastCaller> {
        &self.0.last_caller
    }

    pub(crate) fn command_tables(&self) -> &TableCache {
        &self.0.command_tables
    }

    pub(crate) fn carriers(&self) -> &Carriers {
        &self.0.carriers
    }

    pub(crate) fn sentinel_sets(&self) -> &SentinelSets {
        &self.0.sentinel_sets
    }

    #[cfg(feature = "tls")]
    pub(crate) fn tls_configs(&self) -> &TlsConfigs {
        &self.0.tls_configs
    }

    /// Starts `future` on the I/O runtime. It must not block.
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.0.io.spawn(future)
    }

    /// Runs `future` on the I/O runtime to its end, even if the caller stops waiting for it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Internal`] if it panics, or if the resources are shut down.
    pub async fn run<F, T>(&self, future: F) -> Result<T>
    where
        F: Future<Output = Result<T>> + Send + 'static,
        T: Send + 'static,
    {
        self.spawn(future).await.map_err(task_error)?
    }

    /// Runs `future` on the I/O runtime and drops it when the caller stops waiting for it. If the caller is
    /// there itself, it runs as a part of the caller's task.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Internal`] if it panics in a task of its own, or if the resources are shut down.
    pub async fn run_cancellable<F, T>(&self, future: F) -> Result<T>
    where
        F: Future<Output = Result<T>> + Send + 'static,
        T: Send + 'static,
    {
        if is_io_thread() {
            return Box::pin(future).await;
        }
        AbortOnDropHandle::new(self.spawn(future))
            .await
            .map_err(task_error)?
    }

    /// Queues `callback` for a callback thread. It may block.
    pub fn spawn_sync_callback(&self, callback: impl FnOnce() + Send + 'static) {
        let mut callback = Some(callback);
        self.0.sync_callbacks.queue(Box::new(move || {
            if let Some(callback) = callback.take() {
                callback();
            }
            false
        }));
    }

    /// Queues `turn` for a callback thread, and for as long as it returns true again, behind the others that wait. It
    /// may block.
    pub fn spawn_sync_turns(&self, turn: impl FnMut() -> bool + Send + 'static) {
        self.0.sync_callbacks.queue(Box::new(turn));
    }

    /// Starts `callback` on the callback runtime.
    pub fn spawn_async_callback<F>(&self, callback: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.0.async_callbacks.spawn(callback)
    }
}

fn task_error(error: tokio::task::JoinError) -> Error {
    let message = if error.is_panic() {
        "a task of the library panicked"
    } else {
        "the client's resources are shut down"
    };
    Error::new(ErrorKind::Internal, message).with_source(error)
}

impl fmt::Debug for ClientResources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientResources")
            .field("running", &!self.0.owned.lock().is_empty())
            .finish_non_exhaustive()
    }
}

/// Configures [`ClientResources`].
#[derive(Clone, Debug)]
#[must_use]
pub struct ClientResourcesBuilder {
    io_threads: usize,
    callback_threads: usize,
    async_callbacks: Option<Handle>,
    statistics: bool,
}

impl ClientResourcesBuilder {
    /// How many threads drive I/O. Default 2.
    pub fn io_threads(mut self, threads: usize) -> Self {
        self.io_threads = threads;
        self
    }

    /// How many synchronous callbacks may run at the same time. Default 16. Threads are started when
    /// they are needed and end when they have been idle for ten seconds; a callback that finds none
    /// free waits in its listener's bounded queue.
    pub fn callback_threads(mut self, threads: usize) -> Self {
        self.callback_threads = threads;
        self
    }

    /// Runs asynchronous callbacks on a runtime of the host. Default: on four threads of our own.
    pub fn async_callbacks_on(mut self, handle: Handle) -> Self {
        self.async_callbacks = Some(handle);
        self
    }

    /// Counts each client's commands, error replies, failures, bytes and messages, and how long its calls take, for the
    /// [snapshot](crate::ScriptRedisClient::snapshot) of the client. Default false, and then a call costs no more than a
    /// look at this; on, some dozens of instructions, and 2 kB a client. lettuce's `CommandLatencyRecorder`.
    pub fn statistics(mut self, statistics: bool) -> Self {
        self.statistics = statistics;
        self
    }

    /// Starts the threads.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidOptions`] if a number of threads is 0, [`ErrorKind::Internal`] if the
    /// operating system gives no thread.
    pub fn build(self) -> Result<ClientResources> {
        for (name, threads) in [
            ("io_threads", self.io_threads),
            ("callback_threads", self.callback_threads),
        ] {
            if threads == 0 {
                return Err(Error::new(
                    ErrorKind::InvalidOptions,
                    format!("{name} is 0; at least 1 is needed"),
                ));
            }
        }
        let io = Builder::new_multi_thread()
            .thread_name("redis-io")
            .worker_threads(self.io_threads)
            .on_thread_start(mark_io_thread)
            .enable_all()
            .build()
            .map_err(thread_error)?;
        let callbacks = Builder::new_multi_thread()
            .thread_name("redis-callback")
            .worker_threads(ASYNC_CALLBACK_THREADS)
            .max_blocking_threads(self.callback_threads)
            .enable_all()
            .build()
            .map_err(thread_error)?;
        Ok(ClientResources(Arc::new(Runtimes {
            io: io.handle().clone(),
            sync_callbacks: CallbackThreads::new(callbacks.handle().clone(), self.callback_threads),
            async_callbacks: self
                .async_callbacks
                .unwrap_or_else(|| callbacks.handle().clone()),
            owned: Mutex::new(vec![io, callbacks]),
            last_caller: Arc::default(),
            command_tables: TableCache::default(),
            #[cfg(feature = "tls")]
            tls_configs: TlsConfigs::default(),
            statistics: self.statistics,
            carriers: Carriers::default(),
            sentinel_sets: SentinelSets::default(),
        })))
    }
}

fn thread_error(error: std::io::Error) -> Error {
    Error::new(
        ErrorKind::Internal,
        format!("no thread could be started: {error}"),
    )
    .with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_of_threads_of_zero_is_refused_by_name() {
        let error = ClientResources::builder()
            .callback_threads(0)
            .build()
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidOptions);
        assert_eq!(
            error.message(),
            "callback_threads is 0; at least 1 is needed"
        );
    }

    #[test]
    fn a_panic_in_a_task_is_an_error_for_its_caller() {
        let resources = ClientResources::new().unwrap();
        let outcome = crate::wait(resources.run::<_, ()>(async { panic!("deliberate") })).unwrap();
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Internal);
    }

    #[test]
    fn what_is_started_from_a_task_of_ours_is_a_part_of_it() {
        let resources = ClientResources::new().unwrap();
        let inner = resources.clone();
        let outer = resources.run_cancellable(async move {
            let task = tokio::task::id();
            inner
                .run_cancellable(async move { Ok(tokio::task::id() == task) })
                .await
        });
        assert!(crate::wait(outer).unwrap().unwrap());
    }

    #[test]
    fn after_shutdown_a_task_is_refused_and_nothing_hangs() {
        let resources = ClientResources::new().unwrap();
        resources.shutdown();
        let outcome = crate::wait(resources.run(async { Ok(()) })).unwrap();
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Internal);
    }

    #[tokio::test]
    async fn the_last_handle_may_be_dropped_inside_a_runtime() {
        drop(ClientResources::new().unwrap());
    }
}
