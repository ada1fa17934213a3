//! Replacing a script while it runs.

use std::fmt;

use redis_manager_core::{Result, ScriptHandle, wait};

use super::RedisManager;
use crate::UnloadReport;

impl RedisManager {
    /// Begins to replace the script `name` by a new generation of it, which the [`ScriptReload`] names. Both are loaded
    /// until that is finished: the new one opens its clients and registers its listeners while the old one goes on,
    /// so that no message is missed. If the name is not loaded, this only loads it. Does not block.
    ///
    /// ```no_run
    /// use redis_manager::prelude::*;
    ///
    /// # fn start(script: &ScriptHandle) -> redis_manager::Result<()> { Ok(()) }
    /// # fn main() -> redis_manager::Result<()> {
    /// let manager = RedisManager::new()?;
    /// let reload = manager.reload_script("chat")?;
    /// start(reload.script())?;                            // fails: the old one stays, and nothing of the new one
    /// let (chat, report) = reload.finish()?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`load_script`](Self::load_script), except that a loaded script is no conflict, and one that is being
    /// reloaded is.
    pub fn reload_script(&self, name: impl AsRef<str>) -> Result<ScriptReload> {
        let script = self.0.registry.lock().load_successor(name.as_ref())?;
        Ok(ScriptReload {
            manager: self.clone(),
            script,
            is_over: false,
        })
    }
}

/// A script that is being replaced: [`RedisManager::reload_script`].
///
/// Dropped before it is finished, it unloads the new generation without waiting; the old one never notices.
#[must_use = "dropping it unloads the new generation"]
pub struct ScriptReload {
    manager: RedisManager,
    script: ScriptHandle,
    is_over: bool,
}

impl ScriptReload {
    /// The new generation.
    #[must_use]
    pub fn script(&self) -> &ScriptHandle {
        &self.script
    }

    /// Gives the new generation its name and unloads the old one, blocking the thread; see
    /// [`unload_script`](RedisManager::unload_script). Returns the new one, and the report on the old one if there was
    /// one.
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
        let old = self.manager.0.registry.lock().succeed(&self.script)?;
        self.is_over = true;
        let report = match old {
            Some(old) => Some(self.manager.unload_script_async(&old).await),
            None => None,
        };
        Ok((self.script.clone(), report))
    }
}

impl Drop for ScriptReload {
    fn drop(&mut self) {
        if !self.is_over {
            self.manager.0.unload_in_background(&self.script);
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
