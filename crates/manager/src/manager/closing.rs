//! Closing clients and unloading scripts.

use std::time::{Duration, Instant};

use futures_util::future::{FutureExt, join_all};
use redis_manager_core::{
    CloseOutcome, CloseReport, ErrorKind, Result, ScriptHandle, ScriptRedisClient, in_callback,
    wait,
};

use super::{Inner, RedisManager};
use crate::{AnyClient, UnloadReport};

/// What a closing gets beyond its own deadline before it is given up: time to tell what it cut off.
const GRACE: Duration = Duration::from_secs(1);

impl RedisManager {
    /// Closes one client, blocking the thread; see
    /// [`close`](ScriptRedisClient::close). A second close does nothing.
    pub fn close_redis_client(&self, client: &impl ScriptRedisClient) -> CloseReport {
        client.close()
    }

    /// The asynchronous twin of [`close_redis_client`](Self::close_redis_client).
    pub async fn close_redis_client_async(&self, client: &impl ScriptRedisClient) -> CloseReport {
        client.close_async().await
    }

    /// Closes every client of `script` at the same time, blocking the thread. The script stays loaded.
    ///
    /// # Errors
    ///
    /// [`WouldDeadlock`](ErrorKind::WouldDeadlock) on an I/O thread of the library.
    pub fn close_redis_clients(&self, script: &ScriptHandle) -> Result<Vec<CloseReport>> {
        wait(self.close_redis_clients_async(script))
    }

    /// The asynchronous twin of [`close_redis_clients`](Self::close_redis_clients).
    pub async fn close_redis_clients_async(&self, script: &ScriptHandle) -> Vec<CloseReport> {
        let clients = self.0.registry.lock().remaining(script);
        self.0.close(clients).await
    }

    /// Unloads `script`, blocking the thread: shuts its gate, so that it opens nothing and no listener
    /// call of it starts any more, and closes all its clients at the same time, each within its option
    /// `shutdown_timeout`. When this returns, nothing of the script is left but the handles that it
    /// kept, which answer [`Closed`](ErrorKind::Closed), and a callback that never returned, which the
    /// report names. Unloading twice does nothing.
    ///
    /// A call that waits in a blocking command, such as `BLPOP` without a timeout, or for a server that is gone,
    /// makes this wait for the whole `shutdown_timeout`; its twin holds up no thread meanwhile.
    ///
    /// Inside a callback nothing is waited for: the report says
    /// [`InBackground`](CloseOutcome::InBackground).
    #[must_use = "the report says what was cut off"]
    pub fn unload_script(&self, script: &ScriptHandle) -> UnloadReport {
        wait(self.unload_script_async(script)).unwrap_or_else(|_| {
            // On an I/O thread, where nothing may wait: unload all the same.
            let clients = self.0.registry.lock().unload(script).unwrap_or_default();
            UnloadReport::new(
                script.clone(),
                self.0.close_in_background(clients),
                Duration::ZERO,
            )
        })
    }

    /// The asynchronous twin of [`unload_script`](Self::unload_script). Goes on by itself if the future
    /// is dropped after its first poll.
    pub async fn unload_script_async(&self, script: &ScriptHandle) -> UnloadReport {
        let clients = self.0.registry.lock().unload(script);
        match clients {
            Some(clients) => self.0.unload(script.clone(), clients).await,
            None => UnloadReport::not_loaded(script.clone()),
        }
    }

    /// Unloads every script at the same time, blocking the thread, and ends the manager's own threads.
    /// Afterwards nothing loads or opens any more. A second shutdown does nothing.
    ///
    /// # Errors
    ///
    /// [`WouldDeadlock`](ErrorKind::WouldDeadlock) on an I/O thread of the library.
    pub fn shutdown(&self) -> Result<Vec<UnloadReport>> {
        wait(self.shutdown_async())
    }

    /// The asynchronous twin of [`shutdown`](Self::shutdown).
    pub async fn shutdown_async(&self) -> Vec<UnloadReport> {
        let scripts = self.0.registry.lock().shut_down();
        let unloading = scripts
            .into_iter()
            .map(|(script, clients)| self.0.unload(script, clients));
        let reports = join_all(unloading).await;
        if self.0.owns_resources && !in_callback() {
            // What somebody else is closing must not lose its threads half-way.
            self.0.closings.close();
            self.0.closings.wait().await;
            self.0.resources.shutdown();
        }
        reports
    }
}

impl Inner {
    /// Unloads `script` without waiting.
    pub(super) fn unload_in_background(&self, script: &ScriptHandle) {
        let clients = self.registry.lock().unload(script).unwrap_or_default();
        self.close_in_background(clients);
    }

    /// Closes the clients of a script whose gate is shut.
    async fn unload(&self, script: ScriptHandle, clients: Vec<AnyClient>) -> UnloadReport {
        let began = Instant::now();
        let openings = patience(&clients);
        let reports = self.close(clients).await;
        // Without openings under way, as most often, there is nothing to wait for, and no task that waits.
        let has_openings = script.gate().empty_async().now_or_never().is_none();
        if has_openings && !in_callback() {
            // They have heard of the gate and are ending.
            let gate = script.clone();
            let ended = self.closings.track_future(async move {
                let _ = tokio::time::timeout(openings, gate.gate().empty_async()).await;
            });
            let ended = self.resources.spawn(ended);
            // Fails only when the resources are shut down, and every opening with them.
            let _ = ended.await;
        }
        UnloadReport::new(script, reports, began.elapsed())
    }

    /// Closes `clients` at the same time, to the end even if the caller stops waiting.
    async fn close(&self, clients: Vec<AnyClient>) -> Vec<CloseReport> {
        begin_all(&clients);
        if in_callback() {
            return self.close_in_background(clients);
        }
        // Fails only when the resources are shut down already, and every client with them.
        let closing = self.closings.track_future(close_all(clients));
        self.resources.spawn(closing).await.unwrap_or_default()
    }

    fn close_in_background(&self, clients: Vec<AnyClient>) -> Vec<CloseReport> {
        begin_all(&clients);
        let reports = clients
            .iter()
            .map(|client| report(client, CloseOutcome::InBackground))
            .collect();
        let closing = self.closings.track_future(close_all(clients));
        drop(self.resources.spawn(closing));
        reports
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        for (_, clients) in self.registry.get_mut().shut_down() {
            self.close_in_background(clients);
        }
    }
}

fn begin_all(clients: &[AnyClient]) {
    for client in clients {
        client.context().begin_closing();
    }
}

async fn close_all(clients: Vec<AnyClient>) -> Vec<CloseReport> {
    join_all(clients.iter().map(|client| async {
        let patience = patience(std::slice::from_ref(client));
        tokio::time::timeout(patience, client.close_async())
            .await
            .unwrap_or_else(|_| {
                let error = client
                    .context()
                    .error(ErrorKind::Timeout, "the closing did not end in time");
                report(client, CloseOutcome::Failed(error))
            })
    }))
    .await
}

fn patience(clients: &[AnyClient]) -> Duration {
    let timeouts = clients
        .iter()
        .map(|client| client.client_options().shutdown_timeout());
    timeouts.max().unwrap_or_default().saturating_add(GRACE)
}

pub(super) fn report(client: &AnyClient, outcome: CloseOutcome) -> CloseReport {
    CloseReport::new(client.client_id(), client.client_type(), outcome)
}
