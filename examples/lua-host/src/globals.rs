//! What a script starts with.

use mlua::{Lua, MultiValue, Table};
use redis_manager::ClientType;
use script_host::ScriptContext;

use crate::place::Script;
use crate::redis_table::redis_table;
use crate::{method, uncaught};

pub(crate) fn set_globals(lua: &Lua, context: &ScriptContext) -> mlua::Result<()> {
    uncaught::prepare(lua)?;
    method::prepare(lua)?;
    let globals = lua.globals();
    globals.set("redis", redis_table(lua)?)?;
    let types = [ClientType::Basic, ClientType::Command, ClientType::PubSub];
    let types = types.map(|it| (it.to_string(), it.to_string()));
    globals.set("ClientType", lua.create_table_from(types)?)?;

    let server = context.server();
    globals.set("REDIS_HOST", server.host())?;
    globals.set("REDIS_PORT", server.port())?;
    globals.set("REDIS_PASSWORD", server.password())?;
    globals.set("REDIS_URI", server.to_url_with_password())?;

    globals.set("print", lua.create_function(print)?)?;
    let exit = lua.create_function(|lua, ()| {
        Script::of(lua)?.context.exit();
        Ok(())
    })?;
    // Lua's own would end the host.
    globals.get::<Table>("os")?.set("exit", exit.clone())?;
    globals.set("exit", exit)
}

fn print(lua: &Lua, values: MultiValue) -> mlua::Result<()> {
    let texts = values.iter().map(|value| match value {
        mlua::Value::String(text) => Ok(text.to_string_lossy()),
        other => other.to_string(),
    });
    let line = texts.collect::<mlua::Result<Vec<_>>>()?.join("\t");
    Script::of(lua)?.context.print(line);
    Ok(())
}
