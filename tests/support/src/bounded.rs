//! Running another program to its end, but never longer than a deadline.

use std::fs::{self, File};
use std::io::{Read, Seek};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Between two looks at a child.
const POLL: Duration = Duration::from_millis(5);
/// How much of an output is worth showing.
const TAIL: usize = 4096;

/// Waits for a child until the deadline; `None` when it still runs then.
pub(crate) fn wait(child: &mut Child, deadline: Instant) -> std::io::Result<Option<ExitStatus>> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        thread::sleep(POLL);
    }
}

/// Runs a program and gives what it printed; an error says how it failed. At the deadline it is
/// killed.
pub(crate) fn run(command: &mut Command, limit: Duration) -> Result<String, String> {
    // A file, not a pipe: a grandchild that outlives the deadline could hold a pipe open for ever.
    let mut output = tempfile::tempfile().map_err(|error| error.to_string())?;
    let handle = |output: &File| output.try_clone().map_err(|error| error.to_string());
    let mut child = command
        .stdin(Stdio::null())
        .stdout(handle(&output)?)
        .stderr(handle(&output)?)
        .spawn()
        .map_err(|error| error.to_string())?;
    let ended = wait(&mut child, Instant::now() + limit);
    let verdict = match ended {
        Ok(Some(status)) if status.success() => None,
        Ok(Some(status)) => Some(status.to_string()),
        Ok(None) => Some(format!("not done within {limit:?}, killed")),
        Err(error) => Some(error.to_string()),
    };
    if verdict.is_some() {
        // Harmless on one that has ended.
        let _ = child.kill();
        let _ = child.wait();
    }
    let mut text = Vec::new();
    output
        .rewind()
        .and_then(|()| output.read_to_end(&mut text))
        .map_err(|error| error.to_string())?;
    match verdict {
        None => Ok(String::from_utf8_lossy(&text).into_owned()),
        Some(verdict) => Err(format!("{verdict}\n{}", tail(&text)).trim_end().to_owned()),
    }
}

/// The end of a file, for an error message.
pub(crate) fn tail_of(path: &Path) -> String {
    match fs::read(path) {
        Ok(bytes) => tail(&bytes),
        Err(error) => format!("(no log: {error})"),
    }
}

fn tail(bytes: &[u8]) -> String {
    let start = bytes.len().saturating_sub(TAIL);
    String::from_utf8_lossy(&bytes[start..]).trim().to_owned()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn shell(script: &str, limit: Duration) -> Result<String, String> {
        run(Command::new("sh").args(["-c", script]), limit)
    }

    #[test]
    fn output_and_failure_are_told() {
        let long = Duration::from_secs(30);
        assert_eq!(shell("echo out; echo err >&2", long).unwrap(), "out\nerr\n");
        let error = shell("echo why >&2; exit 3", long).unwrap_err();
        assert!(error.contains("3") && error.contains("why"), "{error}");
        assert!(run(&mut Command::new("/nonexistent/program"), long).is_err());
    }

    #[test]
    fn one_that_hangs_is_killed_at_the_deadline() {
        let started = Instant::now();
        // The grandchild keeps the output open; that must not hold us.
        let error = shell(
            "echo before; sleep 60 & sleep 60",
            Duration::from_millis(200),
        )
        .unwrap_err();
        assert!(
            error.contains("not done within") && error.contains("before"),
            "{error}"
        );
        assert!(started.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn a_tail_is_the_end() {
        let bytes = [vec![b'a'; TAIL], b"end\n".to_vec()].concat();
        assert_eq!(tail(&bytes).len(), TAIL - 1);
        assert!(tail(&bytes).ends_with("aend"));
    }
}
