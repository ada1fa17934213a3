//! Replacing a script while it runs.

use std::fmt;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use redis_manager_core::{
    ClientType, CloseOutcome, Result, ScriptHandle, ScriptOptions, in_callback, wait,
};
use redis_manager_pubsub::RedisPubSubClient;

use super::RedisManager;
use super::closing::report;
use crate::{AnyClient, UnloadReport};

impl RedisManager {
    /// Begins to replace the script `name` by a new generation of it, which the [`ScriptReload`] names. Both are loaded
    /// until that is finished: the new one opens its clients and registers its listeners while the old one goes on. If
    /// the name is not loaded, this only loads it, with the options that the configuration has for it. Does not block.
    ///
    /// **No message is lost.** What is published while both listen reaches the new generation once, and may reach the
    /// old one as well. What came before is heard by the old one, which is unloaded when it has.
    ///
    /// ```no_run
    /// use redis_manager::prelude::*;
    ///
    /// # fn start(script: &ScriptHandle) -> redis_manager::Result<()> { Ok(()) }
    /// # fn main() -> redis_manager::Result<()> {
    /// let manager = RedisManager::new()?;
    /// let reload = manager.reload_script("chat")?;
    /// start(reload.script())?;                            // if it fails, the old one stays and nothing of the new one
    /// let (chat, report) = reload.finish()?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`load_script`](Self::load_script), except that a loaded script is no conflict, and one that is being
    /// reloaded is.
    pub fn reload_script(&self, name: impl AsRef<str>) -> Result<ScriptReload> {
        self.begin_reload(name.as_ref(), None)
    }

    /// As [`reload_script`](Self::reload_script), which gives the new generation the options of the old one, with other
    /// `options`.
    ///
    /// # Errors
    ///
    /// As that, and as [`load_script_with`](Self::load_script_with).
    pub fn reload_script_with(
        &self,
        name: impl AsRef<str>,
        options: ScriptOptions,
    ) -> Result<ScriptReload> {
        self.begin_reload(name.as_ref(), Some(options))
    }

    fn begin_reload(&self, name: &str, options: Option<ScriptOptions>) -> Result<ScriptReload> {
        let options = match options {
            None if self.script(name).is_none() => Some(self.0.config.script_options(name)?),
            options => options,
        };
        let script = self.0.registry.lock().load_successor(name, options)?;
        Ok(ScriptReload {
            manager: self.clone(),
            script,
            stage: Stage::Begun,
        })
    }

    /// Unloads `old` once it has heard what has come to it; a callback cannot wait for that.
    fn retire_in_background(&self, old: ScriptHandle) -> UnloadReport {
        let clients = self.redis_clients(&old);
        let reports = clients.iter();
        let reports = reports.map(|client| report(client, CloseOutcome::InBackground));
        let report = UnloadReport::new(old.clone(), reports.collect(), Duration::ZERO);
        let clients = self.pubsub_clients(&old);
        // The manager may go meanwhile, and unloads everything then.
        let manager = Arc::downgrade(&self.0);
        let retiring = self.0.closings.track_future(async move {
            hear_out(&clients).await;
            if let Some(manager) = manager.upgrade() {
                manager.unload_in_background(&old);
            }
        });
        drop(self.0.resources.spawn(retiring));
        report
    }

    fn pubsub_clients(&self, script: &ScriptHandle) -> Vec<RedisPubSubClient> {
        let clients = self.redis_clients_of_type(script, ClientType::PubSub);
        let pubsub = clients.into_iter().filter_map(|client| match client {
            AnyClient::PubSub(client) => Some(client),
            _ => None,
        });
        pubsub.collect()
    }
}

/// A script that is being replaced: [`RedisManager::reload_script`].
///
/// Dropped before the new generation has taken over, it unloads that without waiting, and the old one never notices;
/// dropped after it, it unloads the old one without waiting.
#[must_use = "dropping it unloads the new generation"]
pub struct ScriptReload {
    manager: RedisManager,
    script: ScriptHandle,
    stage: Stage,
}

enum Stage {
    Begun,
    /// The name is the new generation's; the old one is to be unloaded, if there is one.
    HandedOver(Option<ScriptHandle>),
    Over,
}

impl ScriptReload {
    /// The new generation.
    #[must_use]
    pub fn script(&self) -> &ScriptHandle {
        &self.script
    }

    /// Gives the new generation its name, and ends the subscriptions of the old one, blocking the thread: when this
    /// returns, all messages that the old one will ever get are in the queues of its listeners. Inside a callback it waits
    /// for nothing, and [`finish`](Self::finish) sees to the rest.
    ///
    /// [`finish`](Self::finish) does this too. A host with a [`Mailbox`](crate::Mailbox) calls it first, because only
    /// the host can have the old generation hear what waits there:
    ///
    /// ```no_run
    /// # use redis_manager::prelude::*;
    /// # use redis_manager::ScriptReload;
    /// # fn example(mut reload: ScriptReload, old: Mailbox) -> redis_manager::Result<()> {
    /// reload.hand_over()?;
    /// while old.poll(Budget::round()).calls() > 0 {}
    /// old.close();
    /// let (script, report) = reload.finish()?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ScriptUnloaded`](crate::ErrorKind::ScriptUnloaded) if the new generation was unloaded meanwhile, as it is by a
    /// shutdown. What kept the server from being told that the old one listens no more: the hand-over stands, and
    /// messages may reach the old one until it is unloaded.
    /// [`WouldDeadlock`](crate::ErrorKind::WouldDeadlock) on an I/O thread of the library.
    pub fn hand_over(&mut self) -> Result<()> {
        wait(self.hand_over_async())?
    }

    /// The asynchronous twin of [`hand_over`](Self::hand_over).
    ///
    /// # Errors
    ///
    /// As its twin.
    pub async fn hand_over_async(&mut self) -> Result<()> {
        if !matches!(self.stage, Stage::Begun) {
            return Ok(());
        }
        let old = self.manager.0.registry.lock().succeed(&self.script)?;
        self.stage = Stage::HandedOver(old.clone());
        let Some(old) = old else {
            return Ok(());
        };
        let clients = self.manager.pubsub_clients(&old);
        let told = join_all(clients.iter().map(RedisPubSubClient::unsubscribe_all_async)).await;
        told.into_iter().collect()
    }

    /// Hands over, if the server has not confirmed that yet, waits until the old generation's listeners have heard what
    /// has arrived, at most for the option `shutdown_timeout` of their client, and unloads it, blocking the thread; see
    /// [`unload_script`](RedisManager::unload_script). Returns the new generation, and the report on the old one if there
    /// was one.
    ///
    /// Inside a callback, of the old generation perhaps, the new one gets its name and all else happens in the
    /// background: the report says [`InBackground`](crate::CloseOutcome::InBackground). Only what waits in a mailbox of
    /// the old generation is not heard then, so a script in a mailbox leaves its own reload to the host.
    ///
    /// # Errors
    ///
    /// [`ScriptUnloaded`](crate::ErrorKind::ScriptUnloaded) if the new generation was unloaded meanwhile, as it is by a
    /// shutdown; [`WouldDeadlock`](crate::ErrorKind::WouldDeadlock) on an I/O thread of the library.
    pub fn finish(self) -> Result<(ScriptHandle, Option<UnloadReport>)> {
        wait(self.finish_async())?
    }

    /// The asynchronous twin of [`finish`](Self::finish).
    ///
    /// # Errors
    ///
    /// As its twin.
    pub async fn finish_async(mut self) -> Result<(ScriptHandle, Option<UnloadReport>)> {
        let told = self.hand_over_async().await;
        let Stage::HandedOver(old) = &self.stage else {
            return told.map(|()| (self.script.clone(), None));
        };
        let report = match old.clone() {
            Some(old) if in_callback() => Some(self.manager.retire_in_background(old)),
            Some(old) => {
                let clients = self.manager.pubsub_clients(&old);
                hear_out(&clients).await;
                let unloaded = self.manager.unload_script_async(&old);
                // From its first poll on it goes on by itself.
                Some(unloaded.await)
            }
            None => None,
        };
        self.stage = Stage::Over;
        Ok((self.script.clone(), report))
    }
}

/// Waits until nothing more comes to `clients`, and what has come was heard.
async fn hear_out(clients: &[RedisPubSubClient]) {
    // Again, because a callback may have handed over, which waits for nothing. What fails is cut off.
    join_all(clients.iter().map(RedisPubSubClient::unsubscribe_all_async)).await;
    join_all(clients.iter().map(RedisPubSubClient::catch_up_async)).await;
}

impl Drop for ScriptReload {
    fn drop(&mut self) {
        let superfluous = match mem::replace(&mut self.stage, Stage::Over) {
            Stage::Begun => Some(self.script.clone()),
            Stage::HandedOver(old) => old,
            Stage::Over => None,
        };
        if let Some(script) = superfluous {
            self.manager.0.unload_in_background(&script);
        }
    }
}

impl fmt::Debug for ScriptReload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptReload")
            .field("script", &self.script)
            .finish_non_exhaustive()
    }
}
