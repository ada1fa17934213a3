//! The server's process. It dies with its owner, however the owner dies.

use std::io;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
#[cfg(unix)]
use std::{
    fs, thread,
    time::{Duration, Instant},
};

/// The owner holds the writing end of the pipe that is the shell's standard input. A background
/// subshell waits on it: a line means "released", the end of the file means that the owner is gone,
/// for whatever reason, SIGKILL included. The shell itself becomes the server (`exec`), so that
/// `$$` is the server's pid and the server is the owner's own child. The subshell is forked before
/// the server runs, so there is no moment without a guard. Only POSIX sh is needed, so it works on
/// Linux and macOS alike. The death of the owner of a *stopped* server sends SIGHUP to its orphaned
/// process group, hence the trap; what a killed owner could not clean up is removed here too.
#[cfg(unix)]
const GUARDED: &str = r#"
folder=$1
shift
exec 3<&0
trap "" HUP
(
    read -r released <&3 && exit
    kill -9 $$
    case $folder in */redis-manager-support-*) rm -rf -- "$folder" ;; esac
) </dev/null >/dev/null 2>&1 &
exec "$@" 3<&- </dev/null
"#;

/// A signal is delivered in microseconds, on a machine under full load later.
#[cfg(unix)]
const STOP_LIMIT: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    /// Open as long as the server may live.
    owner: Option<ChildStdin>,
    is_paused: bool,
}

impl Process {
    /// Starts a program that ends with this process; `folder` is removed by the guard if the owner
    /// cannot.
    #[cfg(unix)]
    pub(crate) fn spawn(server: &Command, folder: &Path, output: [Stdio; 2]) -> io::Result<Self> {
        use std::os::unix::process::CommandExt;

        let [stdout, stderr] = output;
        let mut child = Command::new("sh")
            .args(["-c", GUARDED, "redis-manager-support"])
            .arg(folder)
            .arg(server.get_program())
            .args(server.get_args())
            .current_dir(folder)
            // The start is told apart by what the server says when the port is taken.
            .env("LC_ALL", "C")
            // Ctrl-C must reach the owner only: were the guard killed by it, a stopped server would
            // live on.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(stdout)
            .stderr(stderr)
            .spawn()?;
        let owner = child.stdin.take();
        Ok(Self {
            child,
            owner,
            is_paused: false,
        })
    }

    /// Starts a program that ends when it is dropped.
    #[cfg(not(unix))]
    pub(crate) fn spawn(server: &Command, folder: &Path, output: [Stdio; 2]) -> io::Result<Self> {
        let [stdout, stderr] = output;
        let child = Command::new(server.get_program())
            .args(server.get_args())
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(stderr)
            .spawn()?;
        Ok(Self {
            child,
            owner: None,
            is_paused: false,
        })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it was stopped and not resumed.
    pub(crate) fn is_paused(&self) -> bool {
        self.is_paused
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// SIGKILL, and waits until the process is gone and its port is free. A second time is a no-op.
    pub(crate) fn kill(&mut self) -> io::Result<()> {
        let killed = self.child.kill();
        // Released before the child is reaped: the guard never kills a pid that may be someone
        // else's by now.
        if let Some(mut owner) = self.owner.take() {
            // A guard that is gone needs no release.
            let _ = io::Write::write_all(&mut owner, b"released\n");
        }
        killed?;
        self.child.wait().map(drop)
    }

    /// SIGSTOP, and waits until it has been delivered, where /proc tells.
    #[cfg(unix)]
    pub(crate) fn pause(&mut self) -> io::Result<()> {
        self.signal("STOP")?;
        self.is_paused = true;
        let stat = format!("/proc/{}/stat", self.pid());
        let deadline = Instant::now() + STOP_LIMIT;
        // The state is the letter after the name, which stands in brackets.
        while let Ok(stat) = fs::read_to_string(&stat)
            && !stat
                .rsplit(") ")
                .next()
                .is_some_and(|rest| rest.starts_with('T'))
        {
            if Instant::now() >= deadline {
                return Err(io::ErrorKind::TimedOut.into());
            }
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// SIGCONT.
    #[cfg(unix)]
    pub(crate) fn resume(&mut self) -> io::Result<()> {
        self.signal("CONT")?;
        self.is_paused = false;
        Ok(())
    }

    /// `sh` has `kill` built in, where slim images lack the program.
    #[cfg(unix)]
    fn signal(&self, name: &str) -> io::Result<()> {
        let status = Command::new("sh")
            .args([
                "-c",
                r#"kill -s "$1" "$2""#,
                "kill",
                name,
                &self.pid().to_string(),
            ])
            .stdin(Stdio::null())
            .status()?;
        if status.success() {
            Ok(())
        } else {
            Err(io::Error::other(format!("kill -s {name}: {status}")))
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Nothing to be done about a failure here.
        let _ = self.kill();
    }
}
