//! The loop, with an engine whose scripts are one word, and no server.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::cell::RefCell;
use std::fs;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use redis_manager::ScriptValue;
use script_host::{Ending, Engine, Host, HostEvent, ScriptContext, ScriptError, ScriptSource};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(60);

/// A script's only line says what it does.
struct OneWord;

impl Engine for OneWord {
    type Plugin = ();

    fn extension(&self) -> &str {
        "word"
    }

    fn start(&self, source: &ScriptSource, context: &ScriptContext) -> Result<(), ScriptError> {
        let fails = |message: &str| ScriptError::new(source.file(), 1, message);
        let speaker = context.clone();
        match source.code() {
            b"stay" => context.mailbox().spawn(std::future::pending()),
            b"break" => return Err(fails("broken")),
            b"fail" => {
                let error = fails("failed later");
                context.mailbox().spawn(async move { Err(error.into()) })
            }
            b"exit" => {
                let call = context
                    .mailbox()
                    .call(async { Ok(ScriptValue::from("done")) });
                context.exit();
                call.and_then(|call| {
                    call.then(move |outcome| {
                        speaker.print(outcome?.as_str().unwrap_or_default());
                        Ok(())
                    })
                })
            }
            other => return Err(fails(&String::from_utf8_lossy(other))),
        }
        .map_err(|error| fails(&error.to_string()))
    }
}

/// A host, its folder, and what it has told.
struct Stage {
    host: Host<OneWord>,
    folder: TempDir,
    told: Rc<RefCell<Vec<String>>>,
}

impl Stage {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (file, code) in files {
            write(folder.path(), file, code);
        }
        let told = Rc::new(RefCell::new(Vec::new()));
        let log = Rc::clone(&told);
        let server = "redis://localhost".parse().unwrap();
        let host = Host::new(OneWord, folder.path(), server, move |event| {
            log.borrow_mut().push(summary(event));
        });
        Self {
            host: host.unwrap(),
            folder,
            told,
        }
    }

    #[track_caller]
    fn run_until_told(&mut self, line: &str) {
        let (told, deadline) = (Rc::clone(&self.told), Instant::now() + PATIENCE);
        self.host.run_until(|_| {
            assert!(Instant::now() < deadline, "{line:?} in {:?}", told.borrow());
            told.borrow().iter().any(|told| told == line)
        });
    }

    fn is_loaded(&self, name: &str) -> bool {
        self.host.manager().script(name).is_some()
    }
}

fn write(folder: &Path, file: &str, code: &str) {
    // In one step, as editors do: half a file is never read.
    let draft = folder.join("draft");
    fs::write(&draft, code).unwrap();
    fs::rename(draft, folder.join(file)).unwrap();
}

fn summary(event: &HostEvent) -> String {
    match event {
        HostEvent::Loaded(script) => format!("loaded {}", script.name()),
        HostEvent::Reloaded(script) => format!("reloaded {}", script.name()),
        HostEvent::Printed(script, line) => format!("{}: {line}", script.name()),
        HostEvent::Failed(error) => error.to_string(),
        HostEvent::Unloaded(ending, report) => format!("{ending} {}", report.script().name()),
        other => other.to_string(),
    }
}

#[test]
fn it_stops_when_every_script_has_ended_and_says_how_each_did() {
    let files = [("a.word", "break"), ("b.word", "exit"), ("c.word", "fail")];
    let mut stage = Stage::new(&files);
    stage.host.run();
    let mut told = stage.told.take();
    assert_eq!(told[..3], ["a.word:1: broken", "loaded b", "loaded c"]);
    told[3..].sort();
    let failed = format!("{} c", Ending::Failed);
    assert_eq!(
        told[3..],
        ["b: done", "c.word:1: failed later", "exited b", &failed]
    );
    assert!(stage.host.manager().scripts().is_empty());
}

#[test]
fn a_changed_script_takes_the_place_of_the_old_one_and_a_broken_one_does_not() {
    let mut stage = Stage::new(&[("a.word", "stay")]);
    stage.run_until_told("loaded a");
    let first = stage.host.manager().script("a").unwrap();

    write(stage.folder.path(), "a.word", "break");
    stage.run_until_told("a.word:1: broken");
    assert!(first.is_loaded());
    assert_eq!(stage.host.manager().script("a"), Some(first.clone()));
    assert_eq!(stage.host.mailbox("a").unwrap().tasks(), 1);

    write(stage.folder.path(), "a.word", "stay");
    stage.run_until_told("replaced a");
    let second = stage.host.manager().script("a").unwrap();
    assert!(!first.is_loaded() && second.is_loaded());
    assert_eq!(stage.host.manager().scripts(), [second]);
    assert_eq!(
        *stage.told.borrow(),
        ["loaded a", "a.word:1: broken", "reloaded a", "replaced a"]
    );
}

#[test]
fn new_files_are_loaded_and_removed_ones_unloaded() {
    let mut stage = Stage::new(&[("a.word", "stay")]);
    stage.run_until_told("loaded a");
    write(stage.folder.path(), "b.word", "stay");
    stage.run_until_told("loaded b");
    fs::remove_file(stage.folder.path().join("a.word")).unwrap();
    stage.run_until_told("file removed a");
    assert!(!stage.is_loaded("a") && stage.is_loaded("b"));
}

#[test]
fn what_has_ended_starts_again_when_its_file_changes() {
    let mut stage = Stage::new(&[("a.word", "break")]);
    stage.run_until_told("a.word:1: broken");
    write(stage.folder.path(), "a.word", "stay");
    stage.run_until_told("loaded a");
    write(stage.folder.path(), "a.word", "fail");
    stage.run_until_told("failed a");
    assert!(stage.host.is_idle() && !stage.is_loaded("a"));
    write(stage.folder.path(), "a.word", "exit");
    stage.run_until_told("exited a");
    assert!(!stage.is_loaded("a"));
}

#[test]
fn a_folder_that_is_not_there_is_an_error() {
    let server = "redis://localhost".parse().unwrap();
    assert!(Host::new(OneWord, "/no/such/folder", server, |_| {}).is_err());
}
