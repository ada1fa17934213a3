//! How many files this process may have open.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};

/// The limit of open files of this process, in the hands of a program that raises it again in any case.
pub(super) struct FileLimit(Child, BufReader<ChildStdout>);

impl FileLimit {
    pub(super) fn new() -> Self {
        let limit = "limit() { prlimit --pid $PPID --nofile=$1: && echo done; }
            before=$(prlimit --pid $PPID --nofile --noheadings --output SOFT)
            read go && limit 3; read go; limit $before";
        let mut shell = Command::new("sh");
        shell.args(["-c", limit]);
        shell.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut program = shell.spawn().unwrap();
        let answers = BufReader::new(program.stdout.take().unwrap());
        Self(program, answers)
    }

    fn tell(&mut self) {
        self.0.stdin.as_mut().unwrap().write_all(b"go\n").unwrap();
        let mut answer = String::new();
        self.1.read_line(&mut answer).unwrap();
        assert_eq!(answer, "done\n");
    }

    pub(super) fn lower(&mut self) {
        self.tell();
    }

    pub(super) fn raise(&mut self) {
        self.tell();
    }
}

impl Drop for FileLimit {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
