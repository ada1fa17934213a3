//! Starting scripts, the first time and again.

use std::rc::Rc;
use std::sync::Arc;

use redis_manager::{ScriptHandle, ScriptReload};

use super::{Host, Leaving};
use crate::folder::Change;
use crate::live::Live;
use crate::{Ending, Engine, HostEvent, ScriptContext, ScriptError};

impl<E: Engine> Host<E> {
    /// Does what the folder asks for. While it cannot be read, nothing changes.
    pub(super) fn look(&mut self) {
        let changes = self.folder.look();
        let was_unreadable = std::mem::replace(&mut self.is_folder_unreadable, changes.is_err());
        match changes {
            Ok(changes) => changes.into_iter().for_each(|change| self.apply(change)),
            Err(error) if !was_unreadable => {
                let folder = self.folder.path().display().to_string();
                self.tell_failed(ScriptError::new(folder, None, error.to_string()));
            }
            Err(_) => {}
        }
    }

    /// Starts the script's file in place of what runs of it, whether it has changed or not. If the generation before the
    /// last one has not left yet, that happens once it has.
    pub fn reload(&mut self, name: &str) {
        self.apply(Change::Written(name.to_owned()));
    }

    fn apply(&mut self, change: Change) {
        match change {
            // One after the other: a third generation waits until the first is gone.
            Change::Written(name) if self.is_leaving(&name) => self.folder.forget(&name),
            Change::Written(name) => {
                if let Err(error) = self.start(&name) {
                    self.tell_failed(error);
                }
            }
            Change::Removed(name) => self.leave(&name, Ending::Removed),
        }
    }

    /// Starts what is in the file now. If that fails, a generation that runs stays.
    fn start(&mut self, name: &str) -> Result<(), ScriptError> {
        let failed = |error: &dyn std::error::Error| {
            ScriptError::new(self.folder.file(name), None, error.to_string())
        };
        let source = self.folder.read(name).map_err(|error| failed(&error))?;
        let reload = self.manager.reload_script(name);
        let reload = reload.map_err(|error| failed(&error))?;
        let context = self
            .context(reload.script())
            .map_err(|error| failed(&error))?;
        self.failures.watch(reload.script(), source.file());
        // If it fails, the reload is dropped, and with it whatever the new generation has opened.
        let live = Live::start(context, |context| self.engine.start(&source, context))?;
        let script = live.script().clone();
        match self.scripts.insert(name.to_owned(), live) {
            Some(old) => {
                self.tell(&HostEvent::Reloaded(script));
                self.replace(old, reload);
            }
            None => {
                reload.finish().map_err(|error| {
                    self.scripts.remove(name);
                    ScriptError::new(source.file(), None, error.to_string())
                })?;
                self.tell(&HostEvent::Loaded(script));
            }
        }
        Ok(())
    }

    /// Sends the old generation away. It listens no more, is polled until what has come to it was handled, and then
    /// [`finish`](ScriptReload::finish) unloads it.
    fn replace(&mut self, old: Live<E::Plugin>, mut reload: ScriptReload) {
        if let Err(error) = reload.hand_over() {
            let file = self.folder.file(old.script().name());
            self.tell_failed(ScriptError::new(file, None, error.to_string()));
        }
        self.leaving.push(Leaving::replaced(old, reload));
    }

    fn context(&self, script: &ScriptHandle) -> redis_manager::Result<ScriptContext> {
        let mailbox = self.manager.mailbox(script)?;
        let doorbell = Arc::clone(&self.doorbell);
        mailbox.on_ready(move || doorbell.ring());
        Ok(ScriptContext {
            manager: self.manager.clone(),
            mailbox,
            server: self.server.clone(),
            console: Rc::clone(&self.console),
            wants_exit: Rc::default(),
        })
    }
}
