//! A file that does not answer, as on a drive that is not there any more.

use std::fs::OpenOptions;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

/// One without a writer: whoever opens it waits.
pub(crate) struct Pipe {
    folder: TempDir,
}

impl Pipe {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let pipe = Self { folder };
        let made = Command::new("mkfifo").arg(pipe.path()).status();
        assert!(made.unwrap().success());
        pipe
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("pipe")
    }

    /// Has those who wait read that it is empty.
    pub(crate) fn answer(&self) {
        let both_ends = OpenOptions::new().read(true).write(true).open(self.path());
        drop(both_ends.unwrap());
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        self.answer();
    }
}
