//! Futures of scripts.

use std::cell::Cell;
use std::rc::Rc;

use mlua::{Function, Lua, UserData, UserDataFields};
use redis_manager::{Error, ScriptFuture, ScriptValue};
use script_host::ScriptError;

use crate::exception::{Exception, Failure};
use crate::method::method;
use crate::place::{Place, Script};
use crate::uncaught::Callback;
use crate::value::to_lua;

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
    lua: &Lua,
    call: impl std::future::Future<Output = redis_manager::Result<ScriptValue>> + 'static,
) -> Result<Future, Failure> {
    let (script, place) = (Script::of(lua)?, Place::current(lua));
    let at = place.clone();
    let located = move |error: Error| uncaught(error, &at).into();
    Ok(Future {
        call: script.context.mailbox().call_located(call, located)?,
        place,
        is_handled: Rc::default(),
    })
}

fn uncaught(error: Error, place: &Place) -> ScriptError {
    Exception::new(error.into(), place.clone()).to_script_error()
}

impl Future {
    /// Waits for the outcome.
    pub(crate) fn wait(&self) -> redis_manager::Result<ScriptValue> {
        self.is_handled.set(true);
        self.call.wait()
    }

    /// Has `function` called with the value. An error is told once, unless somebody asks for it.
    fn then_accept(&self, function: Callback) -> redis_manager::Result<()> {
        let (place, is_handled) = (self.place.clone(), Rc::clone(&self.is_handled));
        self.call.then(move |outcome| match outcome {
            Ok(value) => Ok(function.call(|lua| to_lua(lua, value))?),
            Err(_) if is_handled.replace(true) => Ok(()),
            Err(error) => Err(uncaught(error, &place).into()),
        })
    }

    /// Has `function` called with the error.
    fn exceptionally(&self, function: Callback) -> redis_manager::Result<()> {
        self.is_handled.set(true);
        let place = self.place.clone();
        self.call.then(move |outcome| match outcome {
            Ok(_) => Ok(()),
            Err(error) => Ok(function.call(|_| Ok(Exception::new(error.into(), place)))?),
        })
    }
}

impl UserData for Future {
    fn add_fields<F: UserDataFields<Self>>(fields: &mut F) {
        method(
            fields,
            "thenAccept",
            |lua, this: &Self, function: Function| {
                this.then_accept(Callback::new(lua, function))?;
                Ok(this.clone())
            },
        );
        method(
            fields,
            "exceptionally",
            |lua, this: &Self, function: Function| {
                this.exceptionally(Callback::new(lua, function))?;
                Ok(this.clone())
            },
        );
        method(fields, "get", |lua, this: &Self, ()| {
            Ok(to_lua(lua, this.wait()?)?)
        });
        method(fields, "isDone", |_, this: &Self, ()| {
            Ok(this.call.is_done())
        });
    }
}
