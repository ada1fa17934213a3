//! What a script has of its host.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;

use redis_manager::{Mailbox, RedisManager, RedisUri, ScriptHandle};

use crate::HostEvent;

/// Whom a host tells what happens.
pub(crate) type Console = Rc<dyn Fn(&HostEvent)>;

/// What a script has of its host, for its engine to offer. Cheap to clone; not `Send`.
#[derive(Clone)]
pub struct ScriptContext {
    pub(crate) manager: RedisManager,
    pub(crate) mailbox: Mailbox,
    pub(crate) server: RedisUri,
    pub(crate) console: Console,
    pub(crate) wants_exit: Rc<Cell<bool>>,
}

impl ScriptContext {
    /// Who opens clients.
    #[must_use]
    pub fn manager(&self) -> &RedisManager {
        &self.manager
    }

    /// Who owns what the script opens.
    #[must_use]
    pub fn script(&self) -> &ScriptHandle {
        self.mailbox.script()
    }

    /// Where the script's functions wait for messages and outcomes.
    #[must_use]
    pub fn mailbox(&self) -> &Mailbox {
        &self.mailbox
    }

    /// The server that the host offers, with its password.
    #[must_use]
    pub fn server(&self) -> &RedisUri {
        &self.server
    }

    /// Prints a line for the script.
    pub fn print(&self, line: impl Into<String>) {
        (self.console)(&HostEvent::Printed(self.script().clone(), line.into()));
    }

    /// Asks the host to unload the script, once the call under way has returned and the asynchronous calls that it
    /// has made have ended.
    pub fn exit(&self) {
        self.wants_exit.set(true);
    }
}

impl fmt::Debug for ScriptContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptContext")
            .field("mailbox", &self.mailbox)
            .field("server", &self.server)
            .field("wants_exit", &self.wants_exit)
            .finish_non_exhaustive()
    }
}
