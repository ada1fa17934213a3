//! What a host tells of its scripts.

use std::fmt;

use redis_manager::{ScriptHandle, UnloadReport};

use crate::ScriptError;

/// Something that happened to a script. Its text is what a host prints.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum HostEvent {
    /// It was started.
    Loaded(ScriptHandle),
    /// Its file had changed, and this new generation of it was started.
    Reloaded(ScriptHandle),
    /// It printed a line.
    Printed(ScriptHandle, String),
    /// It failed, or its new file did and the old generation goes on.
    Failed(ScriptError),
    /// Nothing of it is left.
    Unloaded(Ending, UnloadReport),
}

/// Why a script was unloaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It asked to exit.
    Exited,
    /// It failed.
    Failed,
    /// Its file was removed.
    Removed,
    /// A new generation has taken its place.
    Replaced,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Exited => "exited",
            Self::Failed => "failed",
            Self::Removed => "file removed",
            Self::Replaced => "replaced",
        })
    }
}

impl fmt::Display for HostEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loaded(script) => write!(f, "[host] {script} loaded"),
            Self::Reloaded(script) => write!(f, "[host] {script} loaded in place of the old one"),
            Self::Printed(script, line) => write!(f, "[{}] {line}", script.name()),
            Self::Failed(error) => write!(f, "[host] {error}"),
            Self::Unloaded(ending, report) => write!(f, "[host] {ending}: {report}"),
        }
    }
}
