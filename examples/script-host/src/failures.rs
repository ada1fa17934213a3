//! What failed in callbacks, on its way to the loop.

use std::sync::Arc;

use parking_lot::Mutex;
use redis_manager::{FailureCause, ScriptFailure, ScriptHandle};

use crate::ScriptError;
use crate::doorbell::Doorbell;

/// Takes the failures of all scripts, from any thread.
#[derive(Clone, Debug)]
pub(crate) struct Failures {
    waiting: Arc<Mutex<Vec<(ScriptHandle, ScriptError)>>>,
    doorbell: Arc<Doorbell>,
}

impl Failures {
    pub(crate) fn new(doorbell: &Arc<Doorbell>) -> Self {
        Self {
            waiting: Arc::default(),
            doorbell: Arc::clone(doorbell),
        }
    }

    /// Has the failures of `script`, whose file is `file`, come here.
    pub(crate) fn watch(&self, script: &ScriptHandle, file: &str) {
        let (failures, file) = (self.clone(), file.to_owned());
        script.set_error_sink(move |failure: &ScriptFailure| {
            let failed = (failure.script().clone(), located(failure, &file));
            failures.waiting.lock().push(failed);
            failures.doorbell.ring();
        });
    }

    pub(crate) fn take(&self) -> Vec<(ScriptHandle, ScriptError)> {
        std::mem::take(&mut *self.waiting.lock())
    }
}

/// The engine's own error where it is one: that knows the line.
fn located(failure: &ScriptFailure, file: &str) -> ScriptError {
    if let FailureCause::Error(error) = failure.cause()
        && let Some(error) = error.downcast_ref::<ScriptError>()
    {
        return error.clone();
    }
    ScriptError::new(file, None, failure.cause().to_string())
}
