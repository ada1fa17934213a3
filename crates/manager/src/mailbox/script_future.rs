//! Asynchronous calls of a script that its engine cannot await.

use std::cell::Cell;
use std::error::Error as StdError;
use std::fmt;
use std::rc::{Rc, Weak};

use futures_util::FutureExt;
use futures_util::future::{LocalBoxFuture, Shared};
use redis_manager_core::{Error, ErrorKind, Result, wait};
use redis_manager_pubsub::ListenerResult;

use super::failure::run;
use super::{Inner, Mailbox};
use crate::ScriptValue;

/// An asynchronous call of a script, whose outcome comes to its mailbox: what `publishAsync` returns in a language
/// that has no futures of its own. Java calls it `CompletableFuture`.
///
/// It is not `Send`, as its [`Mailbox`] is not. A clone is the same call. Dropping it ends nothing.
///
/// ```
/// # use redis_manager::prelude::*;
/// # let manager = RedisManager::new()?;
/// # let mailbox = manager.mailbox(&manager.load_script("economy")?)?;
/// let call = mailbox.call(async { Ok(ScriptValue::from(7)) })?;
/// call.then(|outcome| {
///     assert_eq!(outcome?.as_integer(), Some(7));
///     Ok(())
/// })?;
/// mailbox.poll(Budget::round());                          // calls the function
/// assert!(call.is_done());
/// assert_eq!(call.wait()?.as_integer(), Some(7));         // does not wait: it is there
/// # Ok::<(), redis_manager::Error>(())
/// ```
#[derive(Clone)]
pub struct ScriptFuture {
    call: Shared<LocalBoxFuture<'static, Result<ScriptValue>>>,
    /// Whether somebody looks at the outcome.
    is_observed: Rc<Cell<bool>>,
    mailbox: Weak<Inner>,
}

impl Mailbox {
    /// Begins an asynchronous call at once, so that it stands before whatever the script calls next, and has
    /// [`poll`](Self::poll) carry it on. Its error goes to the script's
    /// [`ErrorSink`](crate::ErrorSink) if by then nobody has asked for its outcome. Does not block.
    ///
    /// ```no_run
    /// # use redis_manager::prelude::*;
    /// # use redis_manager::ScriptCommand;
    /// # fn example(mailbox: Mailbox, client: RedisCommandClient) -> redis_manager::Result<()> {
    /// let get = ScriptCommand::new("get", ["balance:alice"])?;
    /// let balance = mailbox.call(async move { get.call_async(&client).await })?;
    /// balance.then(|outcome| {
    ///     println!("alice has {:?}", outcome?);
    ///     Ok(())
    /// })?;
    /// mailbox.poll(Duration::from_millis(2));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn).
    pub fn call(
        &self,
        call: impl Future<Output = Result<ScriptValue>> + 'static,
    ) -> Result<ScriptFuture> {
        self.call_located(call, Into::into)
    }

    /// The same, where an error that nobody asks for is reported as what `locate` makes of it: the engine's own error
    /// with the place in the script where the call was made.
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn).
    pub fn call_located(
        &self,
        call: impl Future<Output = Result<ScriptValue>> + 'static,
        locate: impl FnOnce(Error) -> Box<dyn StdError + Send + Sync> + 'static,
    ) -> Result<ScriptFuture> {
        let call = call.boxed_local().shared();
        let is_observed = Rc::new(Cell::new(false));
        let (running, is_seen) = (call.clone(), Rc::clone(&is_observed));
        let begun = call.clone();
        let unfinished = Rc::clone(&self.0.calls);
        self.spawn(async move {
            let _unfinished = unfinished;
            match running.await {
                Err(error) if !is_seen.get() => Err(locate(error)),
                _ => Ok(()),
            }
        })?;
        // A panic is the task's, which meets it again.
        let _ = run(|| {
            begun.now_or_never();
            Ok(())
        });
        Ok(ScriptFuture {
            call,
            is_observed,
            mailbox: Rc::downgrade(&self.0),
        })
    }
}

impl ScriptFuture {
    /// Has `function` called with the outcome, in [`Mailbox::poll`]: once it is there, or in the next poll if it is
    /// there already. Several are called in the order in which they were given. Does not block.
    ///
    /// # Errors
    ///
    /// As [`Mailbox::spawn`].
    pub fn then(
        &self,
        function: impl FnOnce(Result<ScriptValue>) -> ListenerResult + 'static,
    ) -> Result<()> {
        let Some(mailbox) = self.mailbox.upgrade() else {
            return Err(Error::new(ErrorKind::Closed, "the mailbox is closed"));
        };
        self.is_observed.set(true);
        let call = self.call.clone();
        let unfinished = Rc::clone(&mailbox.calls);
        Mailbox(mailbox).spawn(async move {
            let _unfinished = unfinished;
            function(call.await)
        })
    }

    /// The outcome, if it is there.
    #[must_use]
    pub fn outcome(&self) -> Option<Result<ScriptValue>> {
        let outcome = self.call.peek().cloned();
        if outcome.is_some() {
            self.is_observed.set(true);
        }
        outcome
    }

    /// Whether the outcome is there. An error goes to the error sink all the same.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.call.peek().is_some()
    }

    /// Waits for the outcome, blocking the thread and with it whatever else the host would do.
    ///
    /// # Errors
    ///
    /// Those of the call.
    pub fn wait(&self) -> Result<ScriptValue> {
        self.is_observed.set(true);
        wait(self.call.clone())?
    }
}

impl fmt::Debug for ScriptFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptFuture")
            .field("outcome", &self.call.peek())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use redis_manager_core::ScriptHandle;

    use super::*;
    use crate::{Budget, RedisManager};

    fn mailbox() -> (RedisManager, ScriptHandle, Mailbox) {
        let manager = RedisManager::new().unwrap();
        let script = manager.load_script("economy").unwrap();
        let mailbox = manager.mailbox(&script).unwrap();
        (manager, script, mailbox)
    }

    #[test]
    fn functions_are_called_in_polls_and_in_their_order_also_when_they_come_late() {
        let (_manager, _script, mailbox) = mailbox();
        let call = mailbox.call(async { Ok(ScriptValue::Integer(7)) }).unwrap();
        let seen = Rc::new(RefCell::new(Vec::new()));
        let see = |name: &'static str| {
            let seen = Rc::clone(&seen);
            move |outcome: Result<ScriptValue>| {
                seen.borrow_mut().push((name, outcome?.as_integer()));
                Ok(())
            }
        };
        call.then(see("first")).unwrap();
        call.then(see("second")).unwrap();
        assert!(seen.borrow().is_empty());
        mailbox.poll(Budget::round());
        assert_eq!(call.outcome().unwrap().unwrap(), ScriptValue::Integer(7));
        call.then(see("late")).unwrap();
        assert_eq!(*seen.borrow(), [("first", Some(7)), ("second", Some(7))]);
        mailbox.poll(Budget::round());
        assert_eq!(seen.borrow().last(), Some(&("late", Some(7))));
        assert_eq!(mailbox.tasks(), 0);
    }

    #[test]
    fn a_call_begins_before_the_next_one_and_not_only_in_a_poll() {
        let (_manager, _script, mailbox) = mailbox();
        let (began, panics) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let count = |counter: &Rc<Cell<i32>>| {
            let counter = Rc::clone(counter);
            move || counter.set(counter.get() + 1)
        };
        let begin = count(&began);
        let call = mailbox.call(async move {
            begin();
            std::future::pending().await
        });
        assert!(call.unwrap().outcome().is_none());
        assert_eq!(began.get(), 1);
        let panic = count(&panics);
        mailbox
            .call(async move {
                panic();
                panic!("at the beginning")
            })
            .unwrap();
        mailbox.poll(Budget::round());
        assert_eq!((began.get(), panics.get()), (1, 1));
    }

    #[test]
    fn an_error_goes_to_who_asks_and_otherwise_to_the_sink() {
        let (_manager, script, mailbox) = mailbox();
        let failures = std::sync::Arc::new(parking_lot::Mutex::new(Vec::new()));
        let sink = std::sync::Arc::clone(&failures);
        script.set_error_sink(move |failure: &crate::ScriptFailure| {
            sink.lock().push(failure.to_string());
        });
        let failing = || async { Err(Error::new(ErrorKind::Timeout, "too late")) };
        let asked = mailbox.call(failing()).unwrap();
        assert_eq!(asked.wait().unwrap_err().kind(), ErrorKind::Timeout);
        mailbox.poll(Budget::round());
        assert!(failures.lock().is_empty());
        drop(mailbox.call(failing()).unwrap());
        mailbox.poll(Budget::round());
        assert_eq!(failures.lock().len(), 1);
        assert!(failures.lock()[0].contains("too late"), "{failures:?}");
        let locate = |error: Error| format!("chat.lua:7: {error}").into();
        drop(mailbox.call_located(failing(), locate).unwrap());
        mailbox.poll(Budget::round());
        assert!(
            failures.lock()[1].ends_with("chat.lua:7: too late"),
            "{failures:?}"
        );
    }

    #[test]
    fn a_call_is_unfinished_until_those_who_wait_for_it_have_run() {
        let (_manager, _script, mailbox) = mailbox();
        let call = mailbox.call(async { Ok(ScriptValue::Nil) }).unwrap();
        assert_eq!(mailbox.unfinished_calls(), 1);
        mailbox.poll(1);
        assert_eq!(mailbox.unfinished_calls(), 0);
        let (inner, seen) = (mailbox.clone(), Rc::new(Cell::new(0)));
        let note = Rc::clone(&seen);
        call.then(move |_| {
            note.set(inner.unfinished_calls());
            Ok(())
        })
        .unwrap();
        mailbox.spawn(std::future::pending()).unwrap();
        assert_eq!(mailbox.unfinished_calls(), 1);
        mailbox.poll(Budget::round());
        assert_eq!((seen.get(), mailbox.unfinished_calls()), (1, 0));
        mailbox.call(std::future::pending()).unwrap();
        mailbox.close();
        assert_eq!(mailbox.unfinished_calls(), 0);
    }
}
