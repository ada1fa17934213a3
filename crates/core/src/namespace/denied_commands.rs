//! The commands that a script may not use.

mod dangerous;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use redis::Cmd;
use serde::{Deserialize, Serialize};

use super::command_name::{CommandName, LONGEST};
use super::name_map::NameMap;
use crate::route::argument;
use crate::{Error, ErrorKind, Result};
use dangerous::DANGEROUS;

/// The commands that no client of a script may use: they fail with [`ErrorKind::Refused`] and are never sent. Default:
/// none.
///
/// A name denies a command, and `CONFIG|SET` one subcommand, as in Redis' ACL rules; case does not matter. In a config
/// file it is a list of such names.
///
/// It knows commands by the names they are sent by. So whoever denies a command denies Lua too (`EVAL`, `EVALSHA`,
/// `FCALL` and their `_RO` forms), which can run most commands; [`dangerous`](Self::dangerous) does. Against someone who
/// must be kept out for certain there is a [`KeyPrefix`](crate::KeyPrefix), and an ACL user on the server.
///
/// ```
/// use redis_manager_core::{DeniedCommands, redis::cmd};
///
/// let denied = DeniedCommands::new(["FLUSHALL", "config|set"])?;
/// assert!(denied.denies(&cmd("flushall")));
/// assert!(denied.denies(cmd("CONFIG").arg("SET").arg("maxmemory").arg(0)));
/// assert!(!denied.denies(cmd("CONFIG").arg("GET").arg("maxmemory")));
/// # Ok::<(), redis_manager_core::Error>(())
/// ```
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct DeniedCommands(Option<Arc<Denied>>);

struct Denied {
    /// As they are written in a config file, in upper case.
    names: BTreeSet<String>,
    commands: NameMap<Extent>,
}

/// How much of a command is denied.
enum Extent {
    Whole,
    Subcommands(NameMap<()>),
}

impl DeniedCommands {
    /// Denies nothing. The default.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Denies these: `FLUSHALL`, or one subcommand, `CONFIG|SET`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidOptions`] if one is no name of a command. Whether a server has it is not looked at.
    pub fn new<N: AsRef<str>>(names: impl IntoIterator<Item = N>) -> Result<Self> {
        let names = names.into_iter().map(|name| checked(name.as_ref()));
        Ok(Self::of(names.collect::<Result<_>>()?))
    }

    /// What harms the others on a shared server, or the server: everybody's data (FLUSHALL, FLUSHDB, SWAPDB, MIGRATE,
    /// RESTORE-ASKING), the server (CONFIG, SHUTDOWN, DEBUG, SAVE, BGSAVE, BGREWRITEAOF, ACL, MODULE, CLUSTER, FAILOVER,
    /// REPLICAOF, SLAVEOF, PSYNC, SYNC, REPLCONF, PFDEBUG, PFSELFTEST), what takes the longer the more the others have
    /// or do (KEYS, MONITOR, HOTKEYS), their connections (CLIENT KILL, PAUSE, UNPAUSE, UNBLOCK, NO-EVICT), what they
    /// loaded or measured (SCRIPT FLUSH, KILL, DEBUG; FUNCTION FLUSH, KILL, DELETE, LOAD, RESTORE; SLOWLOG, LATENCY and
    /// COMMANDLOG RESET; MEMORY PURGE), what would go around the list (EVAL, EVALSHA, FCALL and their _RO forms), and
    /// other users (AUTH, HELLO).
    ///
    /// It lets a script read and write the keys of all: that is what a [`KeyPrefix`](crate::KeyPrefix) is for. One that
    /// trusts its script with Lua takes it out with [`except`](Self::except).
    #[must_use]
    pub fn dangerous() -> Self {
        Self::of(DANGEROUS.map(str::to_owned).into())
    }

    /// Denies these too.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn and<N: AsRef<str>>(&self, names: impl IntoIterator<Item = N>) -> Result<Self> {
        let more = Self::new(names)?;
        let names = self.names().chain(more.names()).map(str::to_owned);
        Ok(Self::of(names.collect()))
    }

    /// Denies what it does without these names, which are in it as they are written here.
    ///
    /// ```
    /// use redis_manager_core::{DeniedCommands, redis::cmd};
    ///
    /// let denied = DeniedCommands::dangerous().except(["EVAL", "EVALSHA"])?;
    /// assert!(!denied.denies(cmd("EVAL").arg("return 1").arg(0)));
    /// # Ok::<(), redis_manager_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidOptions`] if one is not in it.
    pub fn except<N: AsRef<str>>(&self, names: impl IntoIterator<Item = N>) -> Result<Self> {
        let mut left: BTreeSet<String> = self.names().map(str::to_owned).collect();
        for name in names {
            let name = checked(name.as_ref())?;
            if !left.remove(&name) {
                return Err(invalid(format!("{name} is not in the list")));
            }
        }
        Ok(Self::of(left))
    }

    fn of(names: BTreeSet<String>) -> Self {
        if names.is_empty() {
            return Self::none();
        }
        let mut commands: BTreeMap<&str, Vec<Option<&str>>> = BTreeMap::new();
        for name in &names {
            match name.split_once('|') {
                Some((command, sub)) => commands.entry(command).or_default().push(Some(sub)),
                None => commands.entry(name).or_default().push(None),
            }
        }
        let packed = |name: &str| CommandName::new(name.as_bytes());
        let commands = commands.into_iter().filter_map(|(command, subcommands)| {
            let extent = match subcommands.iter().copied().collect::<Option<Vec<_>>>() {
                None => Extent::Whole,
                Some(subcommands) => {
                    let subcommands = subcommands.into_iter().filter_map(packed);
                    Extent::Subcommands(NameMap::new(subcommands.map(|name| (name, ())).collect()))
                }
            };
            Some((packed(command)?, extent))
        });
        let commands = NameMap::new(commands.collect());
        Self(Some(Arc::new(Denied { names, commands })))
    }

    /// What is denied, in upper case and in the order of the alphabet.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let names = self.0.iter().flat_map(|denied| &denied.names);
        names.map(String::as_str)
    }

    /// Whether nothing is denied.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Whether `cmd` is denied. Unless the list is empty, so is a command by a name that none has.
    #[must_use]
    pub fn denies(&self, cmd: &Cmd) -> bool {
        if self.is_empty() {
            return false;
        }
        let name = argument(cmd, 0).and_then(CommandName::new);
        name.is_none_or(|name| self.denies_named(name, cmd))
    }

    /// Whether `cmd`, whose name is `name`, is denied.
    pub(crate) fn denies_named(&self, name: CommandName, cmd: &Cmd) -> bool {
        match self.extent(name) {
            None => false,
            Some(Extent::Whole) => true,
            Some(Extent::Subcommands(subcommands)) => match argument(cmd, 1) {
                None => false,
                Some(name) => {
                    CommandName::new(name).is_none_or(|name| subcommands.get(name).is_some())
                }
            },
        }
    }

    /// Whether the command `name` is denied, or some of its subcommands are.
    pub(crate) fn mentions(&self, name: CommandName) -> bool {
        self.extent(name).is_some()
    }

    /// Whether the command `name`, which has no subcommands, is denied.
    pub(crate) fn denies_name(&self, name: &str) -> bool {
        let name = CommandName::new(name.as_bytes());
        name.is_some_and(|name| matches!(self.extent(name), Some(Extent::Whole)))
    }

    /// How much of the command `name` is denied, if anything is.
    fn extent(&self, name: CommandName) -> Option<&Extent> {
        self.0.as_ref()?.commands.get(name)
    }
}

fn checked(name: &str) -> Result<String> {
    let mut parts = name.split('|');
    let is_name = |part: &str| {
        (1..=LONGEST).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_graphic())
    };
    if parts.by_ref().take(2).all(is_name) && parts.next().is_none() {
        return Ok(name.to_ascii_uppercase());
    }
    Err(invalid(format!(
        "{name:?} is no name of a command; \
         expected is one as FLUSHALL, or with a subcommand as CONFIG|SET, of at most {LONGEST} characters each"
    )))
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidOptions, message)
}

impl fmt::Debug for DeniedCommands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

impl PartialEq for DeniedCommands {
    fn eq(&self, other: &Self) -> bool {
        self.names().eq(other.names())
    }
}

impl Eq for DeniedCommands {}

impl TryFrom<Vec<String>> for DeniedCommands {
    type Error = Error;

    fn try_from(names: Vec<String>) -> Result<Self> {
        Self::new(names)
    }
}

impl From<DeniedCommands> for Vec<String> {
    fn from(denied: DeniedCommands) -> Self {
        denied.names().map(str::to_owned).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cmd(line: &str) -> Cmd {
        let mut cmd = Cmd::new();
        cmd.arg(line.split(' ').collect::<Vec<_>>());
        cmd
    }

    #[test]
    fn a_command_is_denied_as_a_whole_or_by_subcommand() {
        let denied =
            DeniedCommands::new(["flushall", "CONFIG|set", "script", "SCRIPT|LOAD"]).unwrap();
        for line in [
            "FLUSHALL",
            "flushall ASYNC",
            "CONFIG SET a b",
            "Config set a b",
            "SCRIPT KILL",
        ] {
            assert!(denied.denies(&cmd(line)), "{line}");
        }
        for line in [
            "FLUSHDB",
            "CONFIG GET a",
            "CONFIG",
            "GET CONFIG",
            "FLUSHAL",
            "FLUSHALLX",
        ] {
            assert!(!denied.denies(&cmd(line)), "{line}");
        }
    }

    #[test]
    fn it_is_printed_as_its_names() {
        let denied = DeniedCommands::new(["flushall", "CONFIG|set"]).unwrap();
        assert_eq!(format!("{denied:?}"), r#"{"CONFIG|SET", "FLUSHALL"}"#);
    }

    #[test]
    fn a_name_that_a_server_may_take_for_another_is_denied() {
        let denied = DeniedCommands::new(["FLUSHALL", "CONFIG|SET"]).unwrap();
        for line in [
            "FLUSHALL\0",
            "flushall\0x",
            "CONFIG SET\0 a b",
            "CONFIG SET\0x a b",
            "",
        ] {
            assert!(denied.denies(&cmd(line)), "{line:?}");
        }
        assert!(!DeniedCommands::none().denies(&cmd("FLUSHALL\0")));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let long = "x".repeat(33);
        for bad in [
            "",
            "CONFIG SET",
            "CONFIG|",
            "|SET",
            "A|B|C",
            " GET",
            "é",
            long.as_str(),
        ] {
            let error = DeniedCommands::new([bad]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidOptions, "{bad:?}");
        }
    }

    #[test]
    fn in_a_config_file_it_is_a_list() {
        let denied: DeniedCommands = serde_json::from_str(r#"["get", "CONFIG|SET"]"#).unwrap();
        let written = serde_json::to_string(&denied).unwrap();
        assert_eq!(written, r#"["CONFIG|SET","GET"]"#);
        assert_eq!(
            serde_json::from_str::<DeniedCommands>(&written).unwrap(),
            denied
        );
        assert!(serde_json::from_str::<DeniedCommands>(r#"["CONFIG SET"]"#).is_err());
        assert!(
            serde_json::from_str::<DeniedCommands>("[]")
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn the_dangerous_ones_can_be_added_to_and_taken_from() {
        let dangerous = DeniedCommands::dangerous();
        assert_eq!(dangerous.names().count(), DANGEROUS.len());
        assert!(DeniedCommands::new(DANGEROUS).unwrap() == dangerous);
        let fewer = dangerous.except(["eval"]).unwrap();
        assert!(!fewer.denies(&cmd("EVAL x 0")) && fewer.denies(&cmd("EVALSHA x 0")));
        assert!(dangerous.except(["GET"]).is_err());
        let more = fewer.and(["GET"]).unwrap();
        assert!(more.denies(&cmd("GET a")) && more.denies(&cmd("CLIENT KILL x")));
        assert!(!more.denies(&cmd("CLIENT LIST")));
        let all = dangerous.names().map(str::to_owned).collect::<Vec<_>>();
        assert!(dangerous.except(all).unwrap().is_empty());
    }
}
