//! `cargo run -p lua-host [FOLDER]`: runs the scripts of a folder, of `scripts/` beside this by default, on a server of
//! its own unless `REDIS_URL` names one.

use std::process::ExitCode;

use lua_host::LuaEngine;

fn main() -> ExitCode {
    let scripts = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts");
    script_host::run_program(LuaEngine, scripts)
}
