//! A server binary that has shown that it runs.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::bounded;
use crate::error::SupportError;
use crate::version::Version;

/// Printing a version takes milliseconds; a first run on macOS is checked by the system first.
const VERSION_LIMIT: Duration = Duration::from_secs(20);

/// Where a binary comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// `REDIS_SERVER_BIN` names it.
    Environment,
    /// It is on `PATH`.
    Path,
    /// The pinned Valkey, fetched into `target/`.
    Fetched,
    /// meebis, built into `target/`: enough for the quickstart, no Redis for tests.
    StandIn,
}

/// A server binary, and what it says that it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerBinary {
    path: PathBuf,
    name: String,
    version: Version,
    origin: Origin,
}

impl ServerBinary {
    /// Asks the binary for its version.
    pub fn inspect(path: &Path, origin: Origin) -> Result<Self, SupportError> {
        // The server runs in a folder of its own.
        let path = &std::path::absolute(path).map_err(SupportError::file("finding", path))?;
        let unusable = |reason: String| SupportError::UnusableBinary {
            path: path.to_owned(),
            reason,
        };
        let said =
            bounded::run(Command::new(path).arg("--version"), VERSION_LIMIT).map_err(unusable)?;
        let version = Version::find(&said)
            .ok_or_else(|| unusable(format!("--version printed no version: {:?}", said.trim())))?;
        let name = said
            .split_whitespace()
            .next()
            .unwrap_or_default()
            .to_owned();
        Ok(Self {
            path: path.to_owned(),
            name,
            version,
            origin,
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// "Redis" or "Valkey".
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What `--version` said.
    pub fn version(&self) -> Version {
        self.version
    }

    /// How it was found.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// Whether it is meebis: enough for the quickstart, no Redis for tests.
    pub fn is_stand_in(&self) -> bool {
        self.name == "meebis"
    }

    /// The line that says which server was chosen and what it cannot do.
    pub(crate) fn notice(&self) -> String {
        if self.is_stand_in() {
            return format!(
                "{self}: a small stand-in, enough for the quickstart; it is no Redis for tests"
            );
        }
        let lacks = self.version.lacks();
        if lacks.is_empty() {
            return self.to_string();
        }
        // Since 6.2 all that the tests cannot do without is there.
        let weight = if self.version.at_least(6, 2) {
            "note"
        } else {
            "WARNING"
        };
        format!("{self}; {weight}: too old for {}", lacks.join(", "))
    }
}

impl fmt::Display for ServerBinary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let from = match self.origin {
            Origin::Environment => "REDIS_SERVER_BIN",
            Origin::Path => "on PATH",
            Origin::Fetched | Origin::StandIn => "fetched",
        };
        write!(
            f,
            "{} {} ({}, {from})",
            self.name,
            self.version,
            self.path.display()
        )
    }
}
