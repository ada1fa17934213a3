//! What a script engine is to a host.

use std::path::PathBuf;

use crate::{ScriptContext, ScriptError};

/// A script engine: starts scripts on the host's thread.
pub trait Engine {
    /// A script that runs: the engine's state of it. Dropped when the script is unloaded, after its mailbox was closed
    /// and so after every function of the script that waited there.
    type Plugin;

    /// What the names of its scripts' files end with, without the dot.
    fn extension(&self) -> &str;

    /// Runs the file's code, up to where it is left to its callbacks. Whatever it registers or calls
    /// asynchronously goes to `context.mailbox()`, which the host polls.
    ///
    /// What fails later, in a callback, is returned there as a [`ScriptError`] and so reaches the host through the
    /// script's error sink.
    ///
    /// # Errors
    ///
    /// A mistake in the file, or an error that its code did not catch. The host unloads what the script has opened by
    /// then.
    fn start(
        &self,
        source: &ScriptSource,
        context: &ScriptContext,
    ) -> Result<Self::Plugin, ScriptError>;
}

/// A script's file, read.
#[derive(Clone, Debug)]
pub struct ScriptSource {
    pub(crate) path: PathBuf,
    pub(crate) file: String,
    pub(crate) code: Vec<u8>,
}

impl ScriptSource {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &PathBuf {
        &self.path
    }

    /// The file's name, as errors say it: `chat.lua`.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// What stands in it.
    #[must_use]
    pub fn code(&self) -> &[u8] {
        &self.code
    }
}
