//! What a server can do, by its own word, and saying so where a test cannot be tried on it.

use crate::notice;
use crate::server::TestServer;

impl TestServer {
    /// Whether it has the command; `CLIENT|NO-EVICT` for a subcommand, which servers before 7.0 have, but not by name.
    #[track_caller]
    pub fn has_command(&self, name: &str) -> bool {
        let told = self.run(&["COMMAND", "INFO", name]);
        told.items().iter().any(|told| !told.items().is_empty())
    }

    /// [`has_command`](Self::has_command), for a test that needs it: if it has not, a line says that the test was not
    /// tried there, and why.
    #[track_caller]
    pub fn is_tried_with(&self, command: &str) -> bool {
        let has = self.has_command(command);
        if !has {
            self.not_tried(&format!("has no command {command}"));
        }
        has
    }

    /// What `CLIENT LIST` says of a connection in the protocol 2 or 3: nothing before 7.0.
    #[track_caller]
    pub fn told_protocol(&self, number: u8) -> Option<u8> {
        let tells = self.run(&["CLIENT", "LIST"]).text().contains(" resp=");
        if !tells {
            self.not_tried("does not tell which protocol a connection speaks");
        }
        tells.then_some(number)
    }

    /// Says once that the calling test, or a part of it, was not tried on this server: "Redis 6.2.14 `why`".
    pub fn not_tried(&self, why: &str) {
        let (name, version) = (self.server_name(), self.version());
        notice::not_tried(&format!("{name} {version} {why}"));
    }
}
