//! Running code of the script and of the host so that its failures go no further.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use redis_manager_core::ScriptHandle;
use redis_manager_pubsub::ListenerResult;

/// Runs `code`, and makes words of its error or its panic.
pub(super) fn run(code: impl FnOnce() -> ListenerResult) -> Result<(), String> {
    // An error is code of the script's too, when it is written and when it is dropped.
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        code().map_err(|error| error.to_string())
    }));
    outcome.unwrap_or_else(|panic| Err(format!("panicked: {}", panic_message(&*panic))))
}

/// Drops `value`, which may run anything.
pub(super) fn discard<T>(value: T) -> Result<(), String> {
    run(|| {
        drop(value);
        Ok(())
    })
}

/// Tells of a failure of what runs for `script`.
pub(super) fn report_if_failed(script: &ScriptHandle, outcome: Result<(), String>) {
    if let Err(failure) = outcome {
        tracing::warn!(%script, failure, "a callback of a mailbox failed");
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> &str {
    if let Some(message) = panic.downcast_ref::<&str>() {
        message
    } else if let Some(message) = panic.downcast_ref::<String>() {
        message
    } else {
        "with a value that is no text"
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::{fmt, io};

    use parking_lot::Mutex;

    use super::*;

    #[derive(Debug)]
    struct Unspeakable;

    impl fmt::Display for Unspeakable {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("while it was written")
        }
    }

    impl std::error::Error for Unspeakable {}

    struct Explosive;

    impl Drop for Explosive {
        fn drop(&mut self) {
            panic!("while it was dropped")
        }
    }

    #[test]
    fn every_failure_becomes_words() {
        assert_eq!(run(|| Ok(())), Ok(()));
        let failures = [
            run(|| Err("an error".into())),
            run(|| panic!("a panic of {}", "two")),
            run(|| Err(Box::new(Unspeakable))),
            discard(Explosive),
        ];
        assert_eq!(
            failures.map(Result::unwrap_err),
            [
                "an error",
                "panicked: a panic of two",
                "panicked: while it was written",
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
