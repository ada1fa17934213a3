//! A host for the tests of engines.

#![allow(clippy::panic, reason = "a test fails by panicking")]

mod traffic;

use std::cell::RefCell;
use std::fs;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use redis_manager::RedisUri;
use tempfile::TempDir;

use crate::{Engine, Host, HostEvent};

/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(60);

/// A host in a folder of its own, for tests: its scripts are given as text, and what it tells is kept, a line each:
///
/// | line | event |
/// |---|---|
/// | `loaded chat`, `reloaded chat` | a script was started |
/// | `chat: hello` | it printed |
/// | `chat.lua:3: no such key` | it failed |
/// | `exited chat`, `failed chat`, `file removed chat`, `replaced chat` | it was unloaded |
///
/// Panics where a test fails.
#[derive(Debug)]
pub struct Stage<E: Engine> {
    /// The host.
    pub host: Host<E>,
    folder: TempDir,
    told: Rc<RefCell<Vec<String>>>,
}

impl<E: Engine> Stage<E> {
    /// Makes one for these files, name and code each, and the server at this URI. Nothing is loaded yet.
    #[track_caller]
    pub fn new(engine: E, server: &str, files: &[(&str, &str)]) -> Self {
        let folder = done("a folder", tempfile::tempdir());
        for (file, code) in files {
            write(folder.path(), file, code);
        }
        let told = Rc::new(RefCell::new(Vec::new()));
        let log = Rc::clone(&told);
        let server: RedisUri = done("the server's URI", server.parse());
        let host = Host::new(engine, folder.path(), server, move |event| {
            log.borrow_mut().push(summary(event));
        });
        Self {
            host: done("the host", host),
            folder,
            told,
        }
    }

    /// Writes a script's file, at once as a whole.
    #[track_caller]
    pub fn write(&self, file: &str, code: &str) {
        write(self.folder.path(), file, code);
    }

    /// Removes a script's file.
    #[track_caller]
    pub fn remove(&self, file: &str) {
        done("removing", fs::remove_file(self.folder.path().join(file)));
    }

    /// What the host has told, in its order.
    #[must_use]
    pub fn told(&self) -> Vec<String> {
        self.told.borrow().clone()
    }

    /// What the script has printed, in its order.
    #[must_use]
    pub fn printed(&self, name: &str) -> Vec<String> {
        let told = self.told.borrow();
        let lines = told
            .iter()
            .filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        lines.map(str::to_owned).collect()
    }

    /// Runs until the host has told this line.
    #[track_caller]
    pub fn run_until_told(&mut self, line: &str) {
        let told = Rc::clone(&self.told);
        self.run_until(line, |_| told.borrow().iter().any(|told| told == line));
    }

    /// Runs until every script has ended.
    #[track_caller]
    pub fn run(&mut self) {
        self.run_until("the end", Host::is_idle);
    }

    /// Runs until `is_done`.
    #[track_caller]
    pub fn run_until(&mut self, what: &str, mut is_done: impl FnMut(&Host<E>) -> bool) {
        let (told, deadline) = (Rc::clone(&self.told), Instant::now() + PATIENCE);
        let mut is_late = false;
        self.host.run_until(|host| {
            is_late = Instant::now() >= deadline;
            is_late || is_done(host)
        });
        assert!(!is_late, "no {what:?}, but {:#?}", told.borrow());
    }
}

fn write(folder: &Path, file: &str, code: &str) {
    // As editors do: half a file is never read.
    let draft = folder.join("draft");
    done("writing", fs::write(&draft, code));
    done("renaming", fs::rename(draft, folder.join(file)));
}

#[track_caller]
fn done<T, X: std::fmt::Display>(what: &str, outcome: Result<T, X>) -> T {
    match outcome {
        Ok(value) => value,
        Err(error) => panic!("{what}: {error}"),
    }
}

fn summary(event: &HostEvent) -> String {
    match event {
        HostEvent::Loaded(script) => format!("loaded {}", script.name()),
        HostEvent::Reloaded(script) => format!("reloaded {}", script.name()),
        HostEvent::Printed(script, line) => format!("{}: {line}", script.name()),
        HostEvent::Failed(error) => error.to_string(),
        HostEvent::Unloaded(ending, report) => format!("{ending} {}", report.script().name()),
    }
}
