//! One measurement in a process of its own.

use std::env;
use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

use wait_timeout::ChildExt;

use crate::catalogue::Workload;
use crate::contestant::Contestant;
use crate::run::Sample;

/// What a measurement may take beside what it is asked to: opening clients, and the last replies.
const MARGIN: Duration = Duration::from_secs(60);

/// Starts this program anew for one sample. The error says what became of it instead.
pub(crate) fn sample(
    workload: &Workload,
    contestant: Contestant,
    address: SocketAddr,
    seconds: f64,
) -> Result<Sample, String> {
    let mut arguments = measuring(workload, contestant, address, seconds)?.into_iter();
    let mut command = Command::new(arguments.next().unwrap_or_default());
    command.args(arguments);
    let limit = MARGIN + Duration::from_secs_f64(seconds * 3.0);
    let printed = output(&mut command, limit)?.stdout;
    serde_json::from_str(&printed).map_err(|error| format!("{error} in {printed:?}"))
}

/// This program and its arguments for one measurement.
pub(crate) fn measuring(
    workload: &Workload,
    contestant: Contestant,
    address: SocketAddr,
    seconds: f64,
) -> Result<Vec<OsString>, String> {
    let program = env::current_exe().map_err(text)?;
    let (address, seconds) = (address.to_string(), seconds.to_string());
    let mut all = vec![program.into_os_string(), "measure".into()];
    for (name, value) in [
        ("--workload", workload.id.as_str()),
        ("--contestant", contestant.id()),
        ("--address", &address),
        ("--seconds", &seconds),
    ] {
        all.extend([name.into(), value.into()]);
    }
    Ok(all)
}

/// What a program printed.
pub(crate) struct Printed {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs a program that must end in time and well, and print less than a pipe holds.
pub(crate) fn output(command: &mut Command, limit: Duration) -> Result<Printed, String> {
    // The reason of a failure is a line, not where it was found.
    command.env("RUST_BACKTRACE", "0").stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(text)?;
    // In two parts: if both were suspended for longer, the child still has the second to end.
    let mut ended = child.wait_timeout(limit / 2).map_err(text)?;
    if ended.is_none() {
        ended = child.wait_timeout(limit / 2).map_err(text)?;
    }
    let Some(status) = ended else {
        child.kill().and_then(|()| child.wait()).map_err(text)?;
        return Err(format!("it did not end within {limit:?}"));
    };
    let printed = child.wait_with_output().map_err(text)?;
    let [stdout, stderr] =
        [printed.stdout, printed.stderr].map(|it| String::from_utf8_lossy(&it).into_owned());
    match status.success() {
        true => Ok(Printed { stdout, stderr }),
        false => Err(format!("{status}: {}", stderr.trim())),
    }
}

fn text(error: io::Error) -> String {
    error.to_string()
}
