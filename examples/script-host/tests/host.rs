//! The loop, with an engine whose scripts are one word, and no server.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use redis_manager::ScriptValue;
use script_host::{Engine, Host, ScriptContext, ScriptError, ScriptSource, Stage};

/// A script's only line says what it does.
struct OneWord;

impl Engine for OneWord {
    type Plugin = ();

    fn extension(&self) -> &str {
        "word"
    }

    fn start(&self, source: &ScriptSource, context: &ScriptContext) -> Result<(), ScriptError> {
        let fails = |message: &str| ScriptError::new(source.file(), 1, message);
        let (mailbox, speaker) = (context.mailbox(), context.clone());
        match source.code() {
            b"stay" => mailbox.spawn(std::future::pending()),
            b"hang" => {
                context.exit();
                mailbox.call(std::future::pending()).map(drop)
            }
            b"call" => mailbox.call(std::future::pending()).map(drop),
            b"break" => return Err(fails("broken")),
            b"fail" => {
                let error = fails("failed later");
                mailbox.spawn(async move { Err(error.into()) })
            }
            b"exit" => {
                context.exit();
                let call = mailbox.call(async { Ok(ScriptValue::from("done")) });
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

fn stage(files: &[(&str, &str)]) -> Stage<OneWord> {
    Stage::new(OneWord, "redis://localhost", files)
}

fn is_loaded(stage: &Stage<OneWord>, name: &str) -> bool {
    stage.host.manager().script(name).is_some()
}

#[test]
fn it_stops_when_every_script_has_ended_and_says_how_each_did() {
    let mut stage = stage(&[("a.word", "break"), ("b.word", "exit"), ("c.word", "fail")]);
    stage.host.run();
    let mut told = stage.told();
    assert_eq!(told[..3], ["a.word:1: broken", "loaded b", "loaded c"]);
    told[3..].sort();
    assert_eq!(
        told[3..],
        ["b: done", "c.word:1: failed later", "exited b", "failed c"]
    );
    assert!(stage.host.manager().scripts().is_empty());
}

#[test]
fn a_call_that_never_ends_keeps_no_script_for_ever() {
    let mut stage = stage(&[("a.word", "hang")]);
    stage.run();
    assert_eq!(stage.told(), ["loaded a", "exited a"]);
}

#[test]
fn a_changed_script_takes_the_place_of_the_old_one_and_a_broken_one_does_not() {
    let mut stage = stage(&[("a.word", "stay")]);
    stage.run_until_told("loaded a");
    let first = stage.host.manager().script("a").unwrap();

    stage.write("a.word", "break");
    stage.run_until_told("a.word:1: broken");
    assert!(first.is_loaded());
    assert_eq!(stage.host.manager().script("a"), Some(first.clone()));
    assert_eq!(stage.host.mailbox("a").unwrap().tasks(), 1);

    stage.write("a.word", "stay");
    stage.run_until_told("replaced a");
    let second = stage.host.manager().script("a").unwrap();
    assert!(!first.is_loaded() && second.is_loaded());
    assert_eq!(stage.host.manager().scripts(), [second]);
    assert_eq!(
        stage.told(),
        ["loaded a", "a.word:1: broken", "reloaded a", "replaced a"]
    );
}

#[test]
fn a_new_generation_that_fails_at_once_does_not_keep_the_old_one() {
    let mut stage = stage(&[("a.word", "call")]);
    stage.run_until_told("loaded a");
    // The old one waits for its call meanwhile.
    stage.write("a.word", "fail");
    stage.run();
    assert_eq!(
        stage.told(),
        [
            "loaded a",
            "reloaded a",
            "a.word:1: failed later",
            "failed a",
            "replaced a"
        ]
    );
    assert!(stage.host.manager().scripts().is_empty());
}

#[test]
fn new_files_are_loaded_and_removed_ones_unloaded() {
    let mut stage = stage(&[("a.word", "stay")]);
    stage.run_until_told("loaded a");
    stage.write("b.word", "stay");
    stage.run_until_told("loaded b");
    stage.remove("a.word");
    stage.run_until_told("file removed a");
    assert!(!is_loaded(&stage, "a") && is_loaded(&stage, "b"));
}

#[test]
fn what_has_ended_starts_again_when_its_file_changes() {
    let mut stage = stage(&[("a.word", "break")]);
    stage.run_until_told("a.word:1: broken");
    stage.write("a.word", "stay");
    stage.run_until_told("loaded a");
    stage.write("a.word", "fail");
    stage.run_until_told("failed a");
    assert!(stage.host.is_idle() && !is_loaded(&stage, "a"));
    stage.write("a.word", "exit");
    stage.run_until_told("exited a");
    assert!(!is_loaded(&stage, "a"));
}

#[test]
fn a_folder_that_is_not_there_is_an_error() {
    let server = "redis://localhost".parse().unwrap();
    assert!(Host::new(OneWord, "/no/such/folder", server, |_| {}).is_err());
}
