//! The loop of a host.

mod leaving;
mod loading;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use redis_manager::{Mailbox, RedisManager, RedisUri};

use crate::context::Console;
use crate::doorbell::Doorbell;
use crate::failures::Failures;
use crate::folder::Folder;
use crate::live::Live;
use crate::{Engine, HostEvent, ScriptError};
use leaving::Leaving;

/// How often the folder is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// How long the loop sleeps at most, so that a condition of [`Host::run_until`] that nothing rings for is seen.
const SLEEP: Duration = Duration::from_millis(50);

/// How much of a tick a script gets.
const SHARE: Duration = Duration::from_millis(2);

/// Runs the scripts of a folder, all on the thread that it is made on. Not `Send`.
///
/// In each tick every script's mailbox is polled, with a budget. The loop sleeps while nothing is ready.
pub struct Host<E: Engine> {
    engine: E,
    manager: RedisManager,
    server: RedisUri,
    console: Console,
    folder: Folder,
    is_folder_unreadable: bool,
    next_look: Instant,
    scripts: BTreeMap<String, Live<E::Plugin>>,
    leaving: Vec<Leaving<E::Plugin>>,
    failures: Failures,
    doorbell: Arc<Doorbell>,
}

impl<E: Engine> Host<E> {
    /// Makes a host of the scripts in `folder`, which are loaded by the first tick. `server` is what it offers them,
    /// `console` hears what happens.
    ///
    /// # Errors
    ///
    /// If the folder cannot be read, or the operating system gives no thread.
    pub fn new(
        engine: E,
        folder: impl Into<PathBuf>,
        server: RedisUri,
        console: impl Fn(&HostEvent) + 'static,
    ) -> io::Result<Self> {
        let folder = Folder::new(folder.into(), engine.extension());
        std::fs::read_dir(folder.path())?;
        let doorbell = Arc::new(Doorbell::default());
        Ok(Self {
            engine,
            manager: RedisManager::new().map_err(io::Error::other)?,
            server,
            console: Rc::new(console),
            folder,
            is_folder_unreadable: false,
            next_look: Instant::now(),
            scripts: BTreeMap::new(),
            leaving: Vec::new(),
            failures: Failures::new(&doorbell),
            doorbell,
        })
    }

    /// The server that scripts are offered.
    #[must_use]
    pub fn server(&self) -> &RedisUri {
        &self.server
    }

    /// The manager of the scripts' clients.
    #[must_use]
    pub fn manager(&self) -> &RedisManager {
        &self.manager
    }

    /// The mailbox of the script `name`, if it runs.
    #[must_use]
    pub fn mailbox(&self, name: &str) -> Option<&Mailbox> {
        self.scripts.get(name).map(Live::mailbox)
    }

    /// Whether no script runs, or is about to leave.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.scripts.is_empty() && self.leaving.is_empty()
    }

    /// Runs until every script has ended.
    pub fn run(&mut self) {
        self.run_until(Self::is_idle);
    }

    /// Runs until `is_done`, which is asked after every tick.
    pub fn run_until(&mut self, mut is_done: impl FnMut(&Self) -> bool) {
        loop {
            let is_more_ready = self.tick();
            if is_done(self) {
                return;
            }
            if !is_more_ready {
                self.doorbell
                    .wait_until(self.next_look.min(Instant::now() + SLEEP));
            }
        }
    }

    /// What a game would do once a frame: looks at the folder if it is time, gives every script its share, and
    /// unloads those that have ended. Returns whether a script has more to do at once.
    pub fn tick(&mut self) -> bool {
        if Instant::now() >= self.next_look {
            self.look();
            self.next_look = Instant::now() + LOOK_EVERY;
        }
        let mut is_more_ready = false;
        for live in self.scripts.values() {
            is_more_ready |= live.poll(SHARE);
        }
        for leaving in &mut self.leaving {
            is_more_ready |= leaving.poll(SHARE);
        }
        self.settle();
        is_more_ready
    }

    fn tell(&self, event: &HostEvent) {
        (self.console)(event);
    }

    fn tell_failed(&self, error: ScriptError) {
        self.tell(&HostEvent::Failed(error));
    }
}

impl<E: Engine> fmt::Debug for Host<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host")
            .field("folder", &self.folder.path())
            .field("scripts", &self.scripts.keys())
            .finish_non_exhaustive()
    }
}
