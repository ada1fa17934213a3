//! `cargo run -p redis-manager-support -- [the server's options]`: a server to play with, until
//! Ctrl-C or the end of standard input. Prints its address, its process id and its folder, one a
//! line.

use std::env;
use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use redis_manager_support::TestServer;

fn main() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody to tell when standard error is closed.
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

fn serve() -> Result<(), Box<dyn Error>> {
    let server = TestServer::builder().args(env::args().skip(1)).start()?;
    writeln!(
        io::stdout(),
        "{}\n{}\n{}",
        server.url(),
        server.pid(),
        server.folder().display()
    )?;
    io::copy(&mut io::stdin(), &mut io::sink())?;
    Ok(())
}
