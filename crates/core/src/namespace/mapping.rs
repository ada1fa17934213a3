//! A command of a script, as the server gets it.

use std::io::Write;

use redis::{Arg, Cmd, RedisWrite};

use super::command_table::{Action, Entry, MOST_SPECS};
use super::key_spec::{KeySpec, Span};
use super::options::{Parser, Tail};
use super::{CommandName, CommandTable, KeyPrefix, ReplyShape};
use crate::request_bytes::unpack_command;
use crate::route::{argument, upper_name};
use crate::{Delivery, Error, ErrorKind, Result};

/// A command under a key prefix.
#[derive(Debug)]
pub(crate) struct Mapped {
    pub(crate) form: Form,
    /// Where names come back that lose the prefix.
    pub(crate) shape: Option<ReplyShape>,
}

impl Mapped {
    /// Whether nothing but its name decides that it is so.
    pub(super) fn is_plain(&self) -> bool {
        matches!(self.form, Form::PrefixFirst) && self.shape.is_none()
    }
}

/// How a command is to be sent.
#[derive(Debug)]
pub(crate) enum Form {
    /// As it is.
    Same,
    /// With the prefix before its first argument alone. So it is with most, which are not written twice therefore.
    PrefixFirst,
    /// So instead.
    Other(Box<Cmd>),
}

impl Form {
    /// The command to send for `cmd`, without a prefix that is put before its first argument when it is packed.
    pub(crate) fn cmd<'a>(&'a self, cmd: &'a Cmd) -> &'a Cmd {
        match self {
            Self::Same | Self::PrefixFirst => cmd,
            Self::Other(other) => other,
        }
    }

    /// The command to send for `cmd`, written out.
    pub(crate) fn into_cmd(self, prefix: &KeyPrefix, cmd: &Cmd) -> Cmd {
        match self {
            Self::Same => cmd.clone(),
            Self::PrefixFirst => rewrite(prefix, cmd, Tail::Nothing, |index| index == 1),
            Self::Other(other) => *other,
        }
    }
}

impl CommandTable {
    /// Puts `prefix` before the keys and channels of `cmd`, whose name is `name`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Refused`] if it is not certain which of its arguments those are.
    pub(crate) fn map(&self, prefix: &KeyPrefix, name: CommandName, cmd: &Cmd) -> Result<Mapped> {
        if cmd.in_scan_mode() {
            return self.map_iterating(prefix, name, cmd);
        }
        let entry = self.entry(name, || argument(cmd, 1));
        match entry.map(prefix, cmd) {
            Ok(form) => Ok(Mapped {
                form,
                shape: entry.shape,
            }),
            Err(reason) => Err(refusal(prefix, cmd, &reason)),
        }
    }

    /// The cursor of an iteration cannot be read, only written.
    fn map_iterating(&self, prefix: &KeyPrefix, name: CommandName, cmd: &Cmd) -> Result<Mapped> {
        let mut written = unpack_command(&cmd.get_packed_command())?;
        written.set_no_response(cmd.is_no_response());
        let mapped = self.map(prefix, name, &written)?;
        Ok(Mapped {
            form: Form::Other(Box::new(mapped.form.into_cmd(prefix, &written))),
            shape: mapped.shape,
        })
    }
}

const NO_KEY: &str = "it has no key";

impl Entry {
    fn map(&self, prefix: &KeyPrefix, cmd: &Cmd) -> Result<Form, String> {
        let other = match &self.action {
            Action::Free => return Ok(Form::Same),
            Action::First if cmd.args_iter().len() > 1 => return Ok(Form::PrefixFirst),
            Action::First => return Err(NO_KEY.to_owned()),
            Action::Keys(specs) => map_keys(prefix, cmd, specs)?,
            Action::Parsed(parser) => map_parsed(prefix, cmd, *parser)?,
            Action::Refused(reason) => return Err((*reason).to_owned()),
        };
        Ok(Form::Other(Box::new(other)))
    }
}

fn map_keys(prefix: &KeyPrefix, cmd: &Cmd, specs: &[KeySpec]) -> Result<Cmd, String> {
    let count = cmd.args_iter().len();
    let mut spans = [Span::default(); MOST_SPECS];
    for (span, spec) in spans.iter_mut().zip(specs) {
        *span = spec
            .resolve(count, |index| argument(cmd, index))
            .ok_or("its number of keys is not the number of keys that follow")?;
    }
    if spans.iter().all(|span| span.is_empty()) {
        return Err(NO_KEY.to_owned());
    }
    let is_key = |index| spans.iter().any(|span| span.has(index));
    Ok(rewrite(prefix, cmd, Tail::Nothing, is_key))
}

fn map_parsed(prefix: &KeyPrefix, cmd: &Cmd, parser: Parser) -> Result<Cmd, String> {
    let arguments: Vec<&[u8]> = cmd.args_iter().map(bytes).collect();
    let found = parser.read(&arguments)?;
    let is_key = |index| found.places.contains(&index);
    Ok(rewrite(prefix, cmd, found.tail, is_key))
}

/// Writes `cmd` once more, with the prefix where `is_named` says.
fn rewrite(prefix: &KeyPrefix, cmd: &Cmd, tail: Tail, is_named: impl Fn(usize) -> bool) -> Cmd {
    let prefix = prefix.as_bytes();
    let arguments = cmd.args_iter().map(bytes).enumerate();
    let sizes = arguments
        .clone()
        .map(|(index, argument)| argument.len() + if is_named(index) { prefix.len() } else { 0 });
    let mut mapped = Cmd::with_capacity(arguments.len(), sizes.sum());
    for (index, argument) in arguments {
        if is_named(index) {
            write_named(&mut mapped, prefix, argument);
        } else {
            mapped.write_arg(argument);
        }
    }
    if tail == Tail::Match {
        mapped.write_arg(b"MATCH");
    }
    if tail != Tail::Nothing {
        write_named(&mut mapped, prefix, b"*");
    }
    mapped.set_no_response(cmd.is_no_response());
    mapped
}

fn write_named(mapped: &mut Cmd, prefix: &[u8], name: &[u8]) {
    let mut argument = mapped.writer_for_next_arg();
    // Into memory, which does not fail.
    let _ = argument.write_all(prefix);
    let _ = argument.write_all(name);
}

fn bytes(argument: Arg<&[u8]>) -> &[u8] {
    match argument {
        Arg::Simple(bytes) => bytes,
        // Written out before.
        _ => b"",
    }
}

fn refusal(prefix: &KeyPrefix, cmd: &Cmd, reason: &str) -> Error {
    let message = format!(
        "refused under the key prefix {:?}: {reason}",
        prefix.as_str()
    );
    Error::new(ErrorKind::Refused, message)
        .with_command(upper_name(cmd))
        .with_delivery(Delivery::NotSent)
}

#[cfg(test)]
#[path = "mapping/tests.rs"]
mod tests;
