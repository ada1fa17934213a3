//! Lines for whoever waits for the test.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

/// Prints a line to standard error, past libtest's capture: a download must be seen while it runs,
/// and which server the tests ran on must be seen when they pass too.
pub(crate) fn say(line: &str) {
    // Nobody to tell when standard error is closed.
    let _ = writeln!(io::stderr(), "redis-manager-support: {line}");
}

/// [`say`], if this process has not said it before.
pub(crate) fn say_once(line: String) {
    static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    if !said.contains(&line) {
        say(&line);
        said.insert(line);
    }
}

/// Says once that the calling test, or a part of it, was not tried, and why.
pub(crate) fn not_tried(why: &str) {
    // libtest names the thread of a test by it.
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    say_once(format!("not tried in {test}: {why}"));
}
