//! Mailboxes for scripts.

use redis_manager_core::{Result, ScriptHandle};

use super::RedisManager;
use crate::Mailbox;

impl RedisManager {
    /// Makes a mailbox for `script`, on the calling thread, which is the one that polls it. A script may
    /// have many. Does not block.
    ///
    /// ```
    /// use redis_manager::prelude::*;
    ///
    /// let manager = RedisManager::new()?;
    /// let script = manager.load_script("economy")?;
    /// let mailbox = manager.mailbox(&script)?;
    /// mailbox.spawn(async { Ok(()) })?;
    /// assert_eq!(mailbox.poll(100).calls(), 1);
    /// # Ok::<(), redis_manager::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ScriptUnloaded`](crate::ErrorKind::ScriptUnloaded) if the script was unloaded,
    /// [`ScriptConflict`](crate::ErrorKind::ScriptConflict) if it is another manager's.
    pub fn mailbox(&self, script: &ScriptHandle) -> Result<Mailbox> {
        self.0.registry.lock().check(script)?;
        Mailbox::new(script, &self.0.resources)
    }
}
