//! The `main` of a host.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it prints for a person"
)]

use std::cell::Cell;
use std::env;
use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;

use redis_manager_support::ServerHandle;

use crate::{Engine, Host, HostEvent};

/// Runs the scripts in the folder that the first argument names, or in `folder`, until each has ended, and prints what
/// happens. The server that it offers them is `REDIS_URL`'s, or one of its own. Fails if a script did.
pub fn run_program<E: Engine>(engine: E, folder: impl Into<PathBuf>) -> ExitCode {
    let folder = env::args_os().nth(1).map_or(folder.into(), PathBuf::from);
    match run(engine, folder) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run<E: Engine>(engine: E, folder: PathBuf) -> Result<ExitCode, Box<dyn Error>> {
    let server = ServerHandle::for_examples()?;
    let code = Rc::new(Cell::new(ExitCode::SUCCESS));
    let outcome = Rc::clone(&code);
    let name = folder.display().to_string();
    let host = Host::new(engine, folder, server.url().parse()?, move |event| {
        if matches!(event, HostEvent::Failed(_)) {
            outcome.set(ExitCode::FAILURE);
        }
        println!("{event}");
    });
    let mut host = host.map_err(|error| format!("{name}: {error}"))?;
    host.run();
    host.manager().shutdown()?;
    Ok(code.get())
}
