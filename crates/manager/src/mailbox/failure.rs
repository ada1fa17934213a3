//! Running code of the script and of the host so that its failures go no further.

use std::panic::{AssertUnwindSafe, catch_unwind};

use redis_manager_core::{FailureCause, ScriptFailure, ScriptHandle};
use redis_manager_pubsub::ListenerResult;

/// Runs `code`, and says how it failed.
pub(super) fn run(code: impl FnOnce() -> ListenerResult) -> Result<(), FailureCause> {
    match catch_unwind(AssertUnwindSafe(code)) {
        Ok(outcome) => outcome.map_err(FailureCause::Error),
        Err(panic) => Err(FailureCause::from_panic(&*panic)),
    }
}

/// Drops `value`, which may run anything.
pub(super) fn discard<T>(value: T) -> Result<(), FailureCause> {
    run(|| {
        drop(value);
        Ok(())
    })
}

/// Tells the script's error sink of a failure of what runs for it.
pub(super) fn report_if_failed(script: &ScriptHandle, outcome: Result<(), FailureCause>) {
    if let Err(cause) = outcome {
        script.report_failure(ScriptFailure::new(script, cause));
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::*;

    struct Explosive;

    impl Drop for Explosive {
        fn drop(&mut self) {
            panic!("while it was dropped")
        }
    }

    #[test]
    fn every_failure_says_how() {
        run(|| Ok(())).unwrap();
        let failures = [
            run(|| Err("an error".into())),
            run(|| panic!("a panic of {}", "two")),
            discard(Explosive),
        ];
        assert_eq!(
            failures.map(|failed| failed.unwrap_err().to_string()),
            [
                "an error",
                "panicked: a panic of two",
                "panicked: while it was dropped"
            ]
        );
    }

    #[test]
    fn a_failure_is_reported_with_the_script() {
        let log = Arc::new(Mutex::new(Vec::new()));
        let written = Arc::clone(&log);
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || Log(Arc::clone(&written)))
            .finish();
        let script = ScriptHandle::new("economy");
        tracing::subscriber::with_default(subscriber, || {
            report_if_failed(&script, Ok(()));
            report_if_failed(&script, run(|| Err("no money".into())));
        });
        let log = String::from_utf8(log.lock().clone()).unwrap();
        assert_eq!(log.lines().count(), 1, "{log}");
        for part in ["WARN", &format!("script={script}"), "no money"] {
            assert!(log.contains(part), "{log}");
        }
    }

    struct Log(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
}
