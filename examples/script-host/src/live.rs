//! One script that runs.

use redis_manager::{Budget, Mailbox, ScriptHandle};

use crate::ScriptContext;

/// One generation of a script. Its fields are dropped in this order: the functions that wait, then the engine that
/// they belong to.
pub(crate) struct Live<P> {
    mailbox: Closing,
    _plugin: P,
    context: ScriptContext,
}

/// A mailbox that is closed when it goes, whoever has clones of it.
struct Closing(Mailbox);

impl<P> Live<P> {
    pub(crate) fn start<E>(
        context: ScriptContext,
        start: impl FnOnce(&ScriptContext) -> Result<P, E>,
    ) -> Result<Self, E> {
        let mailbox = Closing(context.mailbox.clone());
        let plugin = start(&context)?;
        Ok(Self {
            mailbox,
            _plugin: plugin,
            context,
        })
    }

    pub(crate) fn script(&self) -> &ScriptHandle {
        self.context.script()
    }

    pub(crate) fn mailbox(&self) -> &Mailbox {
        &self.mailbox.0
    }

    pub(crate) fn wants_exit(&self) -> bool {
        self.context.wants_exit.get()
    }

    /// Runs what waits for it, and says whether more is ready.
    pub(crate) fn poll(&self, budget: impl Into<Budget>) -> bool {
        self.mailbox.0.poll(budget).is_more_ready()
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close();
    }
}
