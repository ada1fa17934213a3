//! `cargo run -p rhai-host [FOLDER]`: runs the scripts of a folder, of `scripts/` beside this by default, on a server of
//! its own unless `REDIS_URL` names one.

use std::process::ExitCode;

use rhai_host::RhaiEngine;

fn main() -> ExitCode {
    let scripts = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts");
    script_host::run_program(RhaiEngine, scripts)
}
