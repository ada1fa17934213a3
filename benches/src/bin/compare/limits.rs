//! What the operating system allows a process.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// As many open files as this process may have: thousands of clients are thousands of sockets.
pub(crate) fn allow_many_files() {
    if let Ok((_, most)) = getrlimit(Resource::RLIMIT_NOFILE) {
        // Whoever is refused fails later, and says at which socket.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, most, most);
    }
}
