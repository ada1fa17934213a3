//! A set-up that fails, fails the test whose it is; one that needs TLS where there is none says so.

use std::thread;
use std::time::Instant;

use crate::error::SupportError;
use crate::launch::{POLL, START_LIMIT};
use crate::notice;

/// What was started; panics with the reason if it was not.
#[track_caller]
#[expect(clippy::panic, reason = "a test without its servers has failed")]
pub(crate) fn started<T>(start: Result<T, SupportError>) -> T {
    match start {
        Ok(started) => started,
        Err(error) => panic!("{error}"),
    }
}

/// The same; `None`, and a line that says so, if no server that there is speaks TLS.
#[track_caller]
pub(crate) fn started_with_tls<T>(start: Result<T, SupportError>) -> Option<T> {
    match start {
        Err(error @ SupportError::NoTls { .. }) => {
            notice::not_tried(&error.to_string());
            None
        }
        start => Some(started(start)),
    }
}

/// Waits until `condition` holds; panics if it does not in the time that a start may take.
#[track_caller]
#[expect(clippy::panic, reason = "a test whose set-up failed has failed")]
pub(crate) fn wait(what: &str, mut condition: impl FnMut() -> bool) {
    let began = Instant::now();
    while !condition() {
        if began.elapsed() > START_LIMIT {
            panic!("not within {START_LIMIT:?}: {what}");
        }
        thread::sleep(POLL);
    }
}
