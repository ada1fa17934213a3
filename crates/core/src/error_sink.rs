//! Where a host learns what went wrong in a script's callbacks.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::{FailureCause, ScriptFailure};

/// Takes the failures of one script's callbacks; see
/// [`ScriptHandle::set_error_sink`](crate::ScriptHandle::set_error_sink).
///
/// Called on the thread where the callback ran, right after it, so it may block as much as a callback may. A
/// panic of the sink is caught.
///
/// ```
/// use redis_manager_core::{FailureCause, ScriptFailure, ScriptHandle};
///
/// let script = ScriptHandle::new("economy");
/// script.set_error_sink(|failure: &ScriptFailure| match failure.cause() {
///     FailureCause::Panic(message) => eprintln!("{}: {message}", failure.script()),
///     cause => eprintln!("{}: {cause}", failure.script()),
/// });
/// ```
pub trait ErrorSink: Send + Sync + 'static {
    /// Takes one failure.
    fn report(&self, failure: &ScriptFailure);
}

impl<F: Fn(&ScriptFailure) + Send + Sync + 'static> ErrorSink for F {
    fn report(&self, failure: &ScriptFailure) {
        self(failure);
    }
}

/// The sink of a script that has no other.
fn trace(failure: &ScriptFailure) {
    tracing::warn!(
        script = %failure.script(),
        client = failure.client_id().map(tracing::field::display),
        listener = failure.listener().map(tracing::field::display),
        channel = failure.channel().map(tracing::field::display),
        cause = %failure.cause(),
        "a callback failed"
    );
}

/// Tells `sink`, or a line of `tracing`. An error is the script's code, when it is written and when it is dropped:
/// nothing of it goes further.
pub(crate) fn tell(sink: Option<&dyn ErrorSink>, failure: ScriptFailure) {
    let script = failure.script().clone();
    let contain = |code: &mut dyn FnMut()| {
        let outcome = catch_unwind(AssertUnwindSafe(code));
        if let Err(panic) = &outcome {
            let cause = FailureCause::from_panic(&**panic);
            tracing::error!(%script, %cause, "the report of a failure failed");
        }
        outcome.is_ok()
    };
    let is_told = sink.is_some_and(|sink| contain(&mut || sink.report(&failure)));
    if !is_told {
        contain(&mut || trace(&failure));
    }
    // Apart from that: a second panic while the first unwinds would end the process.
    let mut failure = Some(failure);
    contain(&mut || drop(failure.take()));
}

#[cfg(test)]
mod tests {
    use std::error::Error as StdError;
    use std::fmt;
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::*;
    use crate::ScriptHandle;

    #[derive(Debug)]
    struct Unspeakable;

    impl fmt::Display for Unspeakable {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("while it was written")
        }
    }

    impl StdError for Unspeakable {}

    impl Drop for Unspeakable {
        fn drop(&mut self) {
            panic!("while it was dropped")
        }
    }

    #[test]
    fn the_last_sink_that_was_set_hears_of_a_failure() {
        let script = ScriptHandle::new("economy");
        let heard = Arc::new(Mutex::new(Vec::new()));
        for name in ["first", "second"] {
            let heard = Arc::clone(&heard);
            script.set_error_sink(move |failure: &ScriptFailure| {
                heard.lock().push(format!("{name}: {}", failure.cause()));
            });
        }
        let cause = FailureCause::Error("no money".into());
        script.report_failure(ScriptFailure::new(&script, cause));
        assert_eq!(*heard.lock(), ["second: no money"]);
    }

    #[test]
    fn neither_an_error_nor_a_sink_that_panics_goes_any_further() {
        let script = ScriptHandle::new("economy");
        let fail = || {
            let cause = FailureCause::Error(Box::new(Unspeakable));
            script.report_failure(ScriptFailure::new(&script, cause));
        };
        fail();
        script.set_error_sink(|failure: &ScriptFailure| drop(failure.to_string()));
        fail();
        script.set_error_sink(|_: &ScriptFailure| {});
        fail();
    }
}
