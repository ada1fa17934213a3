//! What the listeners of all scripts have in common.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use redis_manager::prelude::*;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::BLOCKED_LISTENERS;

/// How often they were called, and until when some of them block.
pub(super) struct Callbacks {
    pub(super) started: AtomicUsize,
    pub(super) running: AtomicUsize,
    /// Once the scripts are unloaded.
    pub(super) over: AtomicBool,
    pub(super) started_late: AtomicUsize,
    /// What blocked listeners wait for.
    pub(super) released: Semaphore,
}

impl Callbacks {
    pub(super) fn new() -> Self {
        Self {
            started: AtomicUsize::new(0),
            running: AtomicUsize::new(0),
            over: AtomicBool::new(false),
            started_late: AtomicUsize::new(0),
            released: Semaphore::new(0),
        }
    }

    pub(super) async fn listen(
        self: &Arc<Self>,
        client: RedisPubSubClient,
        index: usize,
    ) -> RedisPubSubClient {
        let callbacks = Arc::clone(self);
        let blocks = index < BLOCKED_LISTENERS;
        let channel = if blocks { "block" } else { "busy" };
        let listener = client.clone();
        let registering = spawn_blocking(move || {
            listener.register_listener(channel, move |_: &Message| {
                let _running = Running::begin(&callbacks);
                if blocks {
                    // Ends when the semaphore is closed.
                    let _ = pollster::block_on(callbacks.released.acquire());
                }
                Ok(())
            })
        });
        registering.await.unwrap().unwrap();
        client
    }

    pub(super) async fn listen_async(
        self: &Arc<Self>,
        client: RedisPubSubClient,
        index: usize,
    ) -> RedisPubSubClient {
        let callbacks = Arc::clone(self);
        let blocks = index.is_multiple_of(2);
        let channel = if blocks { "block" } else { "busy" };
        let registering = client.register_async_listener(channel, move |_: Message| {
            let running = Running::begin(&callbacks);
            async move {
                let _running = running;
                if blocks {
                    std::future::pending::<()>().await;
                }
                Ok(())
            }
        });
        registering.await.unwrap();
        client
    }
}

struct Running(Arc<Callbacks>);

impl Running {
    fn begin(callbacks: &Arc<Callbacks>) -> Self {
        callbacks.started.fetch_add(1, SeqCst);
        callbacks.running.fetch_add(1, SeqCst);
        if callbacks.over.load(SeqCst) {
            callbacks.started_late.fetch_add(1, SeqCst);
        }
        Self(Arc::clone(callbacks))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, SeqCst);
    }
}
