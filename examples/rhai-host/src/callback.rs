//! Functions of a script that wait to be called.

use std::rc::Weak;

use rhai::{Dynamic, FnPtr};
use script_host::ScriptError;

use crate::method::Call;
use crate::place::Place;
use crate::script::Running;
use crate::uncaught::uncaught;

/// A function of a script that waits in the mailbox. It does not keep the script, and is forgotten with this.
pub(crate) struct Callback {
    running: Weak<Running>,
    key: u64,
    /// Where it was given to the host.
    place: Place,
}

impl Callback {
    pub(crate) fn new(call: &Call, function: FnPtr) -> Self {
        let running = call.script.running();
        let key = running.upgrade().map(|it| it.functions().add(function));
        Self {
            running,
            key: key.unwrap_or_default(),
            place: call.place.clone(),
        }
    }

    /// Calls it. After the script's end it does nothing.
    pub(crate) fn call(&self, arguments: Vec<Dynamic>) -> Result<(), ScriptError> {
        let Some(running) = self.running.upgrade() else {
            return Ok(());
        };
        let Some(function) = running.functions().get(self.key) else {
            return Ok(());
        };
        let called = function.call::<Dynamic>(&running.engine, &running.ast, arguments);
        called
            .map(drop)
            .map_err(|error| uncaught(*error, &self.place))
    }
}

impl Drop for Callback {
    fn drop(&mut self) {
        if let Some(running) = self.running.upgrade() {
            running.functions().remove(self.key);
        }
    }
}
