//! What becomes of each command of a server under a key prefix.

use redis::{Cmd, Value};

use super::ReplyShape;
use super::command_name::CommandName;
use super::key_places::{KeyPlaces, Places};
use super::key_spec::{KeySpec, Last};
use super::known::{self, Known};
use super::name_map::NameMap;
use super::options::Parser;
use super::server_entry::{Keys, ServerEntry};
use crate::error::Hint;
use crate::route::argument;
use crate::{Error, ErrorKind, Result};

/// The most specifications that a command may have. Redis' own have up to 3.
pub(super) const MOST_SPECS: usize = 4;

/// The commands of one server, by its own word, and by what is known here where that is not enough.
#[derive(Debug)]
pub(crate) struct CommandTable(NameMap<Entry>);

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) action: Action,
    /// Where names come back.
    pub(super) shape: Option<ReplyShape>,
    /// Where its keys are, as far as anybody knows.
    keys: KeyPlaces,
    /// Whether it changes nothing, so that a replica may answer.
    only_reads: bool,
    /// `None` if it has none. A command that has some is one without any only where it stands alone.
    subcommands: Option<NameMap<Entry>>,
}

/// What becomes of a command.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// It is sent as it is.
    Free,
    /// Its first argument gets the prefix. So it is with most.
    First,
    /// The arguments in these places do.
    Keys(Box<[KeySpec]>),
    /// Those that its options say do.
    Parsed(Parser),
    /// It is not sent, for this reason.
    Refused(&'static str),
}

const WITHOUT_KEYS: &str = "it is not known to leave the keys of others alone";
const UNCERTAIN: &str = "where its keys stand cannot be told for certain";
const OF_A_MODULE: &str = "it is a module's, and may reach keys that it does not name";
const ADMINISTERS: &str = "it administers the server";
const UNKNOWN: &str = "the server names no such command";
const NO_SUBCOMMAND: &str = "it needs a subcommand";

static UNKNOWN_ENTRY: Entry = unknown(UNKNOWN);
static UNKNOWN_TO_SENTINEL: Entry = unknown(Hint::Sentinel.text());

const fn unknown(reason: &'static str) -> Entry {
    Entry {
        action: Action::Refused(reason),
        shape: None,
        keys: KeyPlaces::None,
        only_reads: false,
        subcommands: None,
    }
}

impl CommandTable {
    /// Reads the reply to `COMMAND`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`] if it has another form. An error of the server is to be taken out before.
    pub(crate) fn read(reply: &Value) -> Result<Self> {
        let entries = match reply {
            Value::Array(entries) | Value::Set(entries) => entries.as_slice(),
            _ => &[],
        };
        // What cannot be read is unknown, and refused when it is used.
        let entries: Vec<_> = entries.iter().filter_map(ServerEntry::read).collect();
        if entries.is_empty() {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "the server's reply to COMMAND says nothing of its commands, \
                 and without that no key prefix can be kept",
            ));
        }
        let named = entries.iter().filter_map(|entry| {
            let name = CommandName::new(entry.name.as_bytes())?;
            Some((name, Entry::of(entry)))
        });
        Ok(Self(NameMap::new(named.collect())))
    }

    /// What becomes of the command `name`; `next` is the argument behind it.
    pub(super) fn entry<'a>(
        &self,
        name: CommandName,
        next: impl FnOnce() -> Option<&'a [u8]>,
    ) -> &Entry {
        let Some(entry) = self.0.get(name) else {
            return match self.is_of_sentinel() {
                true => &UNKNOWN_TO_SENTINEL,
                false => &UNKNOWN_ENTRY,
            };
        };
        let Some(subcommands) = &entry.subcommands else {
            return entry;
        };
        match next() {
            None => entry,
            Some(next) => CommandName::new(next)
                .and_then(|name| subcommands.get(name))
                .unwrap_or(&UNKNOWN_ENTRY),
        }
    }

    /// Nobody else names that command.
    fn is_of_sentinel(&self) -> bool {
        CommandName::new(b"SENTINEL").is_some_and(|name| self.0.get(name).is_some())
    }
}

impl CommandTable {
    /// Where the keys of `cmd`, whose name is `name`, stand as far as anybody knows, and whether a replica may answer it.
    pub(crate) fn keys(&self, name: CommandName, cmd: &Cmd) -> (Places, bool) {
        let entry = self.entry(name, || argument(cmd, 1));
        (entry.keys.find(cmd), entry.only_reads)
    }
}

impl Entry {
    fn of(entry: &ServerEntry) -> Self {
        Self {
            action: Action::of(entry),
            shape: known::shape(&entry.name),
            keys: KeyPlaces::of(entry),
            only_reads: entry.has_flag("readonly"),
            // What is refused as a whole is so for one reason.
            subcommands: match known::known(&entry.name) {
                Some(Known::Refused(_)) => None,
                _ => Self::subcommands(entry),
            },
        }
    }

    fn subcommands(entry: &ServerEntry) -> Option<NameMap<Self>> {
        if !entry.subcommands.is_empty() {
            let named = entry.subcommands.iter().filter_map(|subcommand| {
                Some((subcommand_name(&subcommand.name)?, Self::of(subcommand)))
            });
            return Some(NameMap::new(named.collect()));
        }
        if !matches!(entry.keys, Keys::None | Keys::Uncertain) {
            return None;
        }
        // A server before 7.0 does not tell them.
        let known = known::known_subcommands(&entry.name)
            .map(|(name, known)| (name, known.into(), KeyPlaces::None));
        let movable = known::movable_subcommand(&entry.name).map(|(name, spec)| {
            let keys = Box::<[KeySpec]>::from([spec]);
            (name, Action::Keys(keys.clone()), KeyPlaces::At(keys))
        });
        let named = known.chain(movable).filter_map(|(name, action, keys)| {
            let entry = Self {
                action,
                shape: known::shape(name),
                keys,
                only_reads: entry.has_flag("readonly"),
                subcommands: None,
            };
            Some((subcommand_name(name)?, entry))
        });
        let named: Vec<_> = named.collect();
        (!named.is_empty()).then(|| NameMap::new(named))
    }
}

/// The `SET` of `CONFIG|SET`.
fn subcommand_name(name: &str) -> Option<CommandName> {
    let (_, subcommand) = name.rsplit_once('|')?;
    CommandName::new(subcommand.as_bytes())
}

impl From<Known> for Action {
    fn from(known: Known) -> Self {
        match known {
            Known::Free => Self::Free,
            Known::First => Self::First,
            Known::Parsed(parser) => Self::Parsed(parser),
            Known::Refused(reason) => Self::Refused(reason),
        }
    }
}

impl Action {
    fn of(entry: &ServerEntry) -> Self {
        // Modules have a dot in their names by custom, and before 7.0 no flag says whose a command is.
        if entry.has_flag("module") || entry.name.contains('.') {
            return Self::Refused(OF_A_MODULE);
        }
        if let Some(known) = known::known(&entry.name) {
            return known.into();
        }
        if entry.has_flag("admin") {
            return Self::Refused(ADMINISTERS);
        }
        match &entry.keys {
            Keys::None if entry.subcommands.is_empty() => Self::Refused(WITHOUT_KEYS),
            Keys::None => Self::Refused(NO_SUBCOMMAND),
            _ if !entry.subcommands.is_empty() => Self::Refused(UNCERTAIN),
            Keys::At(specs) => Self::keys(specs),
            Keys::Channels(_) => Self::Refused(UNCERTAIN),
            Keys::Uncertain => match known::movable_keys(&entry.name) {
                // A server that has specifications would have said where.
                Some(specs) if entry.has_flag("movablekeys") => Self::keys(&specs),
                _ => Self::Refused(UNCERTAIN),
            },
        }
    }

    fn keys(specs: &[KeySpec]) -> Self {
        let first = KeySpec::Range {
            first: 1,
            last: Last::At(1),
            step: 1,
        };
        if specs == [first] {
            Self::First
        } else if specs.len() > MOST_SPECS {
            Self::Refused(UNCERTAIN)
        } else {
            Self::Keys(specs.into())
        }
    }
}
