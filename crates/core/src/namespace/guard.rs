//! What a script may send to a server, and in what form.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use redis::{Cmd, Pipeline, Value};

use super::mapping::{Form, Mapped};
use super::recent_names::RecentNames;
use super::{CommandName, CommandTable, DeniedCommands, KeyPrefix, ReplyShape};
use crate::route::{argument, upper_name};
use crate::{Channel, Delivery, Error, ErrorKind, Result};

/// What the commands of a client pass before they are sent.
#[derive(Debug)]
pub(crate) struct Guard {
    denied: DeniedCommands,
    namespace: Option<Namespace>,
    /// It is that of a connection that clients share, whose commands are theirs.
    is_of_all: bool,
}

/// A prefix, and what the server says of its commands once that is known.
#[derive(Debug)]
struct Namespace {
    prefix: KeyPrefix,
    table: OnceLock<Arc<CommandTable>>,
    /// Of commands that are not denied.
    recent: RecentNames,
}

/// A pipeline that passed.
#[derive(Debug)]
pub(crate) struct MappedPipeline {
    /// `None` if it is the same as without.
    pub(crate) pipeline: Option<Pipeline>,
    pub(crate) shapes: Shapes,
}

/// Where names come back in the replies of a pipeline. Empty if they do nowhere.
#[derive(Debug, Default)]
pub(crate) struct Shapes(Vec<Option<ReplyShape>>);

impl Guard {
    /// `None` if there is nothing to look after.
    pub(crate) fn new(prefix: Option<&KeyPrefix>, denied: &DeniedCommands) -> Option<Box<Self>> {
        let is_needed = prefix.is_some() || !denied.is_empty();
        is_needed.then(|| {
            Box::new(Self {
                denied: denied.clone(),
                is_of_all: false,
                namespace: prefix.map(|prefix| Namespace {
                    prefix: prefix.clone(),
                    table: OnceLock::new(),
                    recent: RecentNames::default(),
                }),
            })
        })
    }

    /// That of a connection that clients share. It lets no command through, because none would be any client's; what it
    /// subscribes to is known to be theirs.
    pub(crate) fn of_all() -> Box<Self> {
        Box::new(Self {
            denied: DeniedCommands::none(),
            namespace: None,
            is_of_all: true,
        })
    }

    /// What stands before keys and channels.
    pub(crate) fn prefix(&self) -> Option<&KeyPrefix> {
        self.namespace.as_ref().map(|namespace| &namespace.prefix)
    }

    /// Whether it has to learn of the server's commands before it can let any through.
    pub(crate) fn needs_table(&self) -> bool {
        let namespace = self.namespace.as_ref();
        namespace.is_some_and(|namespace| namespace.table.get().is_none())
    }

    /// Tells it of the server's commands. The first word stays.
    pub(crate) fn set_table(&self, table: Arc<CommandTable>) {
        if let Some(namespace) = &self.namespace {
            namespace.table.get_or_init(|| table);
        }
    }

    /// Lets `cmd` through, in the form that it is to be sent in.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Refused`], with the reason.
    pub(crate) fn map(&self, cmd: &Cmd) -> Result<Mapped> {
        let written = argument(cmd, 0).unwrap_or_default();
        if let Some(namespace) = &self.namespace
            && namespace.recent.has(written)
            && has_first_argument(cmd)
        {
            return Ok(PLAIN);
        }
        let name = CommandName::new(written);
        let name = name.ok_or_else(|| refused(cmd, "no command has such a name"))?;
        if self.denied.denies_named(name, cmd) {
            return Err(refused(cmd, DENIED));
        }
        match &self.namespace {
            None if self.is_of_all => Err(refused(cmd, OF_ALL)),
            None => Ok(Mapped {
                form: Form::Same,
                shape: None,
            }),
            Some(namespace) => {
                let table = namespace.table.get();
                let table = table.ok_or_else(|| refused(cmd, "the server was not asked yet"))?;
                let mapped = table.map(&namespace.prefix, name, cmd)?;
                // The list may deny a command for some of its first arguments.
                if mapped.is_plain() && !self.denied.mentions(name) {
                    namespace.recent.note(written);
                }
                Ok(mapped)
            }
        }
    }

    /// As [`map`](Self::map): the command as it is sent, written out.
    ///
    /// # Errors
    ///
    /// As that.
    pub(crate) fn written<'a>(&self, cmd: &'a Cmd) -> Result<Cow<'a, Cmd>> {
        let form = self.map(cmd)?.form;
        Ok(match (form, self.prefix()) {
            (Form::Same, _) | (_, None) => Cow::Borrowed(cmd),
            (form, Some(prefix)) => Cow::Owned(form.into_cmd(prefix, cmd)),
        })
    }

    /// What is put before the first argument of a command of this form when it is packed.
    pub(crate) fn packed_prefix(&self, form: &Form) -> Option<&KeyPrefix> {
        match form {
            Form::PrefixFirst => self.prefix(),
            Form::Same | Form::Other(_) => None,
        }
    }

    /// Lets `pipeline` through as a whole.
    ///
    /// # Errors
    ///
    /// As [`map`](Self::map), for the first command that is refused.
    pub(crate) fn map_pipeline(&self, pipeline: &Pipeline) -> Result<MappedPipeline> {
        let is_atomic = pipeline.is_transaction();
        for framing in ["MULTI", "EXEC"] {
            if is_atomic && self.denied.denies_name(framing) {
                return Err(refused(&redis::cmd(framing), DENIED));
            }
        }
        let mut mapped = Pipeline::with_capacity(pipeline.len());
        let mut shapes = Vec::with_capacity(pipeline.len());
        for cmd in pipeline.cmd_iter() {
            let Mapped { form, shape } = self.map(cmd)?;
            shapes.push(shape);
            if let Some(prefix) = self.prefix() {
                mapped.add_command(form.into_cmd(prefix, cmd));
            }
        }
        if is_atomic {
            mapped.atomic();
        }
        Ok(MappedPipeline {
            pipeline: self.namespace.is_some().then_some(mapped),
            shapes: Shapes(shapes),
        })
    }

    /// Takes the prefix off the names in `reply`.
    pub(crate) fn strip(&self, shape: Option<ReplyShape>, reply: Value) -> Value {
        match (shape, self.prefix()) {
            (Some(shape), Some(prefix)) => shape.strip(prefix.as_bytes(), reply),
            _ => reply,
        }
    }

    /// Takes it off the replies of a pipeline, which for an atomic one are that of EXEC alone.
    pub(crate) fn strip_all(
        &self,
        shapes: &Shapes,
        is_atomic: bool,
        mut replies: Vec<Value>,
    ) -> Vec<Value> {
        if is_atomic {
            let exec = replies.pop().map(|exec| self.strip_exec(&shapes.0, exec));
            return exec.into_iter().collect();
        }
        let shapes = shapes.0.iter().copied();
        let replies = replies.into_iter().zip(shapes);
        replies
            .map(|(reply, shape)| self.strip(shape, reply))
            .collect()
    }

    /// Takes it off the reply to EXEC. One with other elements than commands were queued is nobody's to see.
    pub(crate) fn strip_exec(&self, shapes: &[Option<ReplyShape>], reply: Value) -> Value {
        match reply {
            Value::Array(replies) if shapes.iter().any(Option::is_some) => {
                if replies.len() != shapes.len() {
                    return Value::Nil;
                }
                let replies = replies.into_iter().zip(shapes);
                Value::Array(
                    replies
                        .map(|(reply, shape)| self.strip(*shape, reply))
                        .collect(),
                )
            }
            reply => reply,
        }
    }

    /// Lets a subscription to `channel`, or its end, by `command` through.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Refused`] if the command is denied, or the channel has not the prefix.
    pub(crate) fn check_subscription(
        &self,
        command: &'static str,
        channel: &Channel,
    ) -> Result<()> {
        let prefix = self.prefix().map_or(b"".as_slice(), KeyPrefix::as_bytes);
        if self.denied.denies_name(command) {
            Err(refused(&redis::cmd(command), DENIED))
        } else if !channel.name().starts_with(prefix) {
            Err(refused(&redis::cmd(command), NOT_OWN))
        } else {
            Ok(())
        }
    }
}

impl Shapes {
    /// One by one, for who sees the replies so.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Option<ReplyShape>> {
        self.0.iter().copied()
    }
}

const OF_ALL: &str = "the connection is shared, and each client sends its own commands";
const NOT_OWN: &str = "the channel is not behind the script's key prefix";
/// What most commands become.
const PLAIN: Mapped = Mapped {
    form: Form::PrefixFirst,
    shape: None,
};

/// Whether `cmd` has an argument behind its name that can be read.
fn has_first_argument(cmd: &Cmd) -> bool {
    cmd.args_iter().len() > 1 && !cmd.in_scan_mode()
}

const DENIED: &str = "the script's list of denied commands has it";

fn refused(cmd: &Cmd, reason: &str) -> Error {
    Error::new(ErrorKind::Refused, format!("refused here: {reason}"))
        .with_command(upper_name(cmd))
        .with_delivery(Delivery::NotSent)
}
