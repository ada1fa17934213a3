//! Calling functions of a script, and what becomes of the errors that it does not catch.

use mlua::{Function, IntoLuaMulti, Lua, MultiValue, UserData, Value, WeakLua};
use script_host::ScriptError;

use crate::exception::{Exception, message_of};
use crate::place::{Place, without_place};

const XPCALL: &str = "script-host.xpcall";
const HANDLER: &str = "script-host.handler";

/// An error with its place, as the handler found it while the stack was there.
struct Uncaught(ScriptError);

impl UserData for Uncaught {}

/// Prepares [`run`].
pub(crate) fn prepare(lua: &Lua) -> mlua::Result<()> {
    // The script may change its own.
    lua.set_named_registry_value(XPCALL, lua.globals().get::<Function>("xpcall")?)?;
    let handler = lua.create_function(|lua, error: Value| Ok(Uncaught(located(lua, &error))))?;
    lua.set_named_registry_value(HANDLER, handler)
}

/// Calls `function`, whose results nobody wants.
pub(crate) fn run(
    lua: &Lua,
    function: &Function,
    arguments: impl IntoLuaMulti,
) -> Result<(), ScriptError> {
    let called = || {
        let xpcall: Function = lua.named_registry_value(XPCALL)?;
        let handler: Function = lua.named_registry_value(HANDLER)?;
        let mut values = arguments.into_lua_multi(lua)?;
        values.push_front(Value::Function(handler));
        values.push_front(Value::Function(function.clone()));
        xpcall.call::<(bool, MultiValue)>(values)
    };
    match called() {
        Ok((true, _)) => Ok(()),
        Ok((false, error)) => Err(located(lua, error.front().unwrap_or(&Value::Nil))),
        Err(error) => Err(Place::current(lua).error(message_of(&error))),
    }
}

/// An error of the state of Lua before it runs anything of the script.
pub(crate) fn outside(file: &str, error: &mlua::Error) -> ScriptError {
    let message = message_of(error);
    match without_place(&message, file) {
        Some((line, message)) => ScriptError::new(file, line, message),
        None => ScriptError::new(file, None, message),
    }
}

fn located(lua: &Lua, error: &Value) -> ScriptError {
    if let Value::UserData(error) = error {
        if let Ok(error) = error.borrow::<Uncaught>() {
            return error.0.clone();
        }
        if let Ok(error) = error.borrow::<Exception>() {
            return error.to_script_error();
        }
    }
    let message = match error {
        Value::Error(error) => message_of(error),
        // With its own __tostring, which may fail as well.
        other => other.to_string().unwrap_or_else(|error| message_of(&error)),
    };
    Place::current(lua).of_message(lua, &message)
}

/// A function of a script that waits in the mailbox. It does not keep the script's state.
#[derive(Clone)]
pub(crate) struct Callback {
    lua: WeakLua,
    function: Function,
}

impl Callback {
    pub(crate) fn new(lua: &Lua, function: Function) -> Self {
        Self {
            lua: lua.weak(),
            function,
        }
    }

    /// Calls it with what `arguments` makes. After the script's end it does nothing.
    pub(crate) fn call<A: IntoLuaMulti>(
        &self,
        arguments: impl FnOnce(&Lua) -> mlua::Result<A>,
    ) -> Result<(), ScriptError> {
        let Some(lua) = self.lua.try_upgrade() else {
            return Ok(());
        };
        let arguments = arguments(&lua);
        let arguments =
            arguments.map_err(|error| Place::current(&lua).error(message_of(&error)))?;
        run(&lua, &self.function, arguments)
    }
}
