//! The loop, with an engine whose scripts are one word, and no server.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use redis_manager::ScriptValue;
use script_host::{Engine, Host, ScriptContext, ScriptError, ScriptSource, Stage};

/// A script's only line says what it does.
#[derive(Default)]
struct OneWord {
    server: Rc<Server>,
}

/// What answers the calls of scripts, when the test says so.
#[derive(Default)]
struct Server {
    has_answered: Cell<bool>,
    waiting: RefCell<Option<Waker>>,
}

impl Server {
    async fn call(self: Rc<Self>) -> redis_manager::Result<ScriptValue> {
        poll_fn(|context| {
            *self.waiting.borrow_mut() = Some(context.waker().clone());
            match self.has_answered.get() {
                true => Poll::Ready(Ok("done".into())),
                false => Poll::Pending,
            }
        })
        .await
    }

    fn answer(&self) {
        self.has_answered.set(true);
        self.waiting.take().unwrap().wake();
    }
}

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
            b"leave" => {
                context.exit();
                Ok(())
            }
            b"hang" => {
                context.exit();
                mailbox.call(std::future::pending()).map(drop)
            }
            b"ask" => mailbox.call(Rc::clone(&self.server).call()).map(drop),
            b"call" => mailbox.call(std::future::pending()).map(drop),
            b"break" => return Err(fails("broken")),
            b"fail" => {
                let error = fails("failed later");
                let failing = mailbox.spawn(async move { Err(error.into()) });
                // Nothing that it waits for keeps it.
                failing.and(mailbox.call(std::future::pending()).map(drop))
            }
            b"exit" => {
                context.exit();
                let call = mailbox.call(Rc::clone(&self.server).call());
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
    Stage::new(OneWord::default(), "redis://localhost", files)
}

fn is_loaded(stage: &Stage<OneWord>, name: &str) -> bool {
    stage.host.manager().script(name).is_some()
}

#[test]
fn it_stops_when_every_script_has_ended_and_says_how_each_did() {
    let mut stage = stage(&[("a.word", "break"), ("b.word", "leave"), ("c.word", "fail")]);
    stage.host.run();
    let mut told = stage.told();
    assert_eq!(told[..3], ["a.word:1: broken", "loaded b", "loaded c"]);
    told[3..].sort();
    assert_eq!(
        told[3..],
        ["c.word:1: failed later", "exited b", "failed c"]
    );
    assert!(stage.host.manager().scripts().is_empty());
}

#[test]
fn a_script_that_exits_is_there_until_its_calls_have_ended() {
    let engine = OneWord::default();
    let server = Rc::clone(&engine.server);
    let mut stage = Stage::new(engine, "redis://localhost", &[("a.word", "exit")]);
    stage.run_until_told("loaded a");
    assert!(is_loaded(&stage, "a") && !stage.host.is_idle());
    server.answer();
    stage.run();
    assert_eq!(stage.told(), ["loaded a", "a: done", "exited a"]);
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
fn a_third_generation_waits_until_the_first_is_gone() {
    let engine = OneWord::default();
    let server = Rc::clone(&engine.server);
    let mut stage = Stage::new(engine, "redis://localhost", &[("a.word", "ask")]);
    stage.run_until_told("loaded a");
    stage.write("a.word", "stay");
    stage.run_until_told("reloaded a");
    stage.write("a.word", "leave");
    server.answer();
    stage.run();
    assert_eq!(
        stage.told(),
        [
            "loaded a",
            "reloaded a",
            "replaced a",
            "reloaded a",
            "replaced a",
            "exited a"
        ]
    );
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
    stage.run_until_told("a.word:1: failed later");
    assert!(stage.host.is_idle() && !is_loaded(&stage, "a"));
    stage.write("a.word", "leave");
    stage.run_until_told("exited a");
    assert!(!is_loaded(&stage, "a"));
}

#[test]
fn a_folder_that_is_not_there_is_an_error() {
    let server = "redis://localhost".parse().unwrap();
    assert!(Host::new(OneWord::default(), "/no/such/folder", server, |_| {}).is_err());
}
