//! Futures of scripts.

use std::cell::Cell;
use std::rc::Rc;

use redis_manager::{Error, Result, ScriptFuture, ScriptValue};
use rhai::{Dynamic, Engine, FnPtr};
use script_host::ScriptError;

use crate::callback::Callback;
use crate::exception::Exception;
use crate::method::{Call, method};
use crate::place::Place;
use crate::value::to_rhai;

/// What an asynchronous call returns. Clones are the same call.
#[derive(Clone)]
pub(crate) struct Future {
    call: ScriptFuture,
    /// Where the call was made.
    place: Place,
    /// Whether an error is asked for, or was told already.
    is_handled: Rc<Cell<bool>>,
}

/// Begins a call of the script, whose outcome comes to its mailbox.
pub(crate) fn begin(
    call: &Call,
    future: impl std::future::Future<Output = Result<ScriptValue>> + 'static,
) -> Result<Future> {
    let place = call.place.clone();
    let at = place.clone();
    let located = move |error: Error| nobody_caught(error, &at).into();
    let mailbox = call.script.context.mailbox();
    Ok(Future {
        call: mailbox.call_located(future, located)?,
        place,
        is_handled: Rc::default(),
    })
}

fn nobody_caught(error: Error, place: &Place) -> ScriptError {
    Exception::new(error, place.clone()).to_script_error()
}

impl Future {
    /// Waits for the outcome.
    pub(crate) fn wait(&self) -> Result<ScriptValue> {
        self.is_handled.set(true);
        self.call.wait()
    }

    /// Has `function` called with the value. An error is told once, unless somebody asks for it.
    fn then_accept(&self, function: Callback) -> Result<()> {
        let (place, is_handled) = (self.place.clone(), Rc::clone(&self.is_handled));
        self.call.then(move |outcome| match outcome {
            Ok(value) => Ok(function.call(vec![to_rhai(value)])?),
            Err(_) if is_handled.replace(true) => Ok(()),
            Err(error) => Err(nobody_caught(error, &place).into()),
        })
    }

    /// Has `function` called with the error.
    fn exceptionally(&self, function: Callback) -> Result<()> {
        self.is_handled.set(true);
        let place = self.place.clone();
        self.call.then(move |outcome| match outcome {
            Ok(_) => Ok(()),
            Err(error) => {
                let exception = Dynamic::from(Exception::new(error, place));
                Ok(function.call(vec![exception])?)
            }
        })
    }
}

pub(crate) fn add_future(engine: &mut Engine) {
    engine.register_type_with_name::<Future>("Future");
    method(
        engine,
        "thenAccept",
        |call, this: &Future, (function,): (FnPtr,)| {
            this.then_accept(Callback::new(call, function))?;
            Ok(this.clone())
        },
    );
    method(
        engine,
        "exceptionally",
        |call, this: &Future, (function,): (FnPtr,)| {
            this.exceptionally(Callback::new(call, function))?;
            Ok(this.clone())
        },
    );
    method(engine, "get", |_, this: &Future, ()| {
        Ok(to_rhai(this.wait()?))
    });
    method(engine, "isDone", |_, this: &Future, ()| {
        Ok(this.call.is_done())
    });
}
