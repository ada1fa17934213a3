//! The engine: a Lua state a script.

use mlua::chunk::ChunkMode;
use mlua::{Lua, LuaOptions, StdLib};
use script_host::{Engine, ScriptContext, ScriptError, ScriptSource};

use crate::globals::set_globals;
use crate::place::Script;
use crate::uncaught::{self, run};

/// Lua 5.4, with the libraries that are safe in mlua's sense: all but `debug`.
#[derive(Clone, Copy, Debug, Default)]
pub struct LuaEngine;

impl Engine for LuaEngine {
    /// All that the script has. Its functions do not keep it.
    type Plugin = Lua;

    fn extension(&self) -> &str {
        "lua"
    }

    fn start(&self, source: &ScriptSource, context: &ScriptContext) -> Result<Lua, ScriptError> {
        let failed = |error: mlua::Error| uncaught::outside(source.file(), &error);
        let lua = Lua::new_with(StdLib::ALL_SAFE, LuaOptions::default()).map_err(failed)?;
        lua.set_app_data(Script::new(context, source.file()));
        set_globals(&lua, context).map_err(failed)?;
        let code = lua.load(source.code()).set_mode(ChunkMode::Text);
        // An @ says that it is the name of a file, which messages begin with.
        let code = code.set_name(format!("@{}", source.file()));
        run(&lua, &code.into_function().map_err(failed)?, ())?;
        Ok(lua)
    }
}
