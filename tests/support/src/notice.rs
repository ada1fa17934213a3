//! Lines for whoever waits for the test.

use std::io::{self, Write};

/// Prints a line to standard error, past libtest's capture: a download must be seen while it runs,
/// and which server the tests ran on must be seen when they pass too.
pub(crate) fn say(line: &str) {
    // Nobody to tell when standard error is closed.
    let _ = writeln!(io::stderr(), "redis-manager-support: {line}");
}
