//! Which connection a command may use.
//!
//! A shared connection carries the commands of many callers at once. A command that blocks it, or that
//! changes what the connection *is*, would do so to all of them.

mod table;

use std::time::Duration;

use redis::{Arg, Cmd, Pipeline};

use crate::{Delivery, Error, ErrorKind, Result};
use table::Rule;

/// Where a command, or a pipeline as a whole, is to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// On the connection that all calls of the client share.
    Shared,
    /// On a connection of its own, because the server may hold the reply back.
    Blocking(BlockingTimeout),
}

/// How long the server may hold the reply back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockingTimeout {
    /// At most this long.
    After(Duration),
    /// For ever: the command's timeout is 0, or cannot be read.
    Never,
}

impl BlockingTimeout {
    /// The time after which a reply will not come any more, with `margin` for the way there and back.
    #[must_use]
    pub fn deadline(self, margin: Duration) -> Option<Duration> {
        match self {
            Self::After(timeout) => timeout.checked_add(margin),
            Self::Never => None,
        }
    }

    /// How long two commands may hold their replies back, one after the other; `None` does not block.
    #[must_use]
    pub fn sum(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        match (one, other) {
            (Some(Self::After(one)), Some(Self::After(other))) => {
                Some(Self::After(one.saturating_add(other)))
            }
            (Some(_), Some(_)) => Some(Self::Never),
            (blocking, None) | (None, blocking) => blocking,
        }
    }
}

/// Decides where `cmd` runs.
///
/// # Errors
///
/// [`ErrorKind::Refused`] for a command that no shared connection may carry, naming what carries it;
/// [`ErrorKind::InvalidArgument`] for an empty command, which the server would not answer.
///
/// ```
/// use redis_manager_core::{ErrorKind, redis::cmd, route::{Route, route}};
///
/// assert_eq!(route(cmd("GET").arg("key"))?, Route::Shared);
/// assert!(matches!(route(cmd("BLPOP").arg("list").arg(1))?, Route::Blocking(_)));
/// assert_eq!(route(cmd("WATCH").arg("key")).unwrap_err().kind(), ErrorKind::Refused);
/// # Ok::<(), redis_manager_core::Error>(())
/// ```
pub fn route(cmd: &Cmd) -> Result<Route> {
    match rule_of(cmd)? {
        Rule::Shared => Ok(Route::Shared),
        Rule::Blocking(timeout) => Ok(Route::Blocking(timeout)),
        Rule::Session => Err(refused(
            cmd,
            "it changes the state of its connection, which other calls share; use session()",
        )),
        Rule::PubSub => Err(refused(
            cmd,
            "a command client does not subscribe; open a PUB_SUB client",
        )),
        Rule::Never(reason) => Err(refused(cmd, reason)),
    }
}

/// Decides where `pipeline` runs, as a whole.
///
/// Inside `atomic()` nothing blocks (the server's rule for MULTI), so an atomic pipeline is shared.
///
/// # Errors
///
/// As [`route`], for the first command that is refused; then nothing of the pipeline is sent.
pub fn route_pipeline(pipeline: &Pipeline) -> Result<Route> {
    let mut blocking = None;
    for cmd in pipeline.cmd_iter() {
        if let Route::Blocking(timeout) = route(cmd)?
            && !pipeline.is_transaction()
        {
            blocking = BlockingTimeout::sum(blocking, Some(timeout));
        }
    }
    Ok(blocking.map_or(Route::Shared, Route::Blocking))
}

/// What a command does to a connection that one caller has to itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionEffect {
    /// Nothing that outlives it.
    None,
    /// It watches keys until the transaction ends, or until UNWATCH.
    Watches,
    /// It ends the watching, unless a transaction has begun: there it is only queued.
    Unwatches,
    /// It begins a transaction.
    BeginsTransaction,
    /// It ends the transaction and the watching.
    EndsTransaction,
    /// It changes the connection for good, so that nobody else may have it afterwards.
    Taints,
}

/// Decides what `cmd` does to a session, and how long the server may hold its reply back.
///
/// # Errors
///
/// [`ErrorKind::Refused`] for a command after which replies would not match their requests any more.
pub fn session_effect(cmd: &Cmd) -> Result<(SessionEffect, Option<BlockingTimeout>)> {
    Ok(match rule_of(cmd)? {
        Rule::Shared => (SessionEffect::None, None),
        Rule::Blocking(timeout) => (SessionEffect::None, Some(timeout)),
        Rule::Session => table::session_effect(&upper_name(cmd)),
        Rule::PubSub => {
            return Err(refused(
                cmd,
                "a session does not subscribe; open a PUB_SUB client",
            ));
        }
        Rule::Never(reason) => return Err(refused(cmd, reason)),
    })
}

/// The name of a command in upper case, for errors.
#[must_use]
pub fn upper_name(cmd: &Cmd) -> String {
    argument(cmd, 0).map_or_else(String::new, |name| {
        String::from_utf8_lossy(name).to_ascii_uppercase()
    })
}

fn rule_of(cmd: &Cmd) -> Result<Rule> {
    let Some(name) = argument(cmd, 0) else {
        return Err(
            Error::new(ErrorKind::InvalidArgument, "the command is empty")
                .with_delivery(Delivery::NotSent),
        );
    };
    Ok(table::rule(name, cmd))
}

fn refused(cmd: &Cmd, reason: &str) -> Error {
    Error::new(ErrorKind::Refused, format!("refused here: {reason}"))
        .with_command(upper_name(cmd))
        .with_delivery(Delivery::NotSent)
}

/// The argument at `index`, 0 being the command's name.
pub(crate) fn argument(cmd: &Cmd, index: usize) -> Option<&[u8]> {
    cmd.args_iter().nth(index).map(bytes)
}

pub(crate) fn bytes(arg: Arg<&[u8]>) -> &[u8] {
    match arg {
        Arg::Simple(bytes) => bytes,
        // A cursor is never a name, an option or a timeout.
        _ => b"",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cmd(line: &str) -> Cmd {
        let mut cmd = Cmd::new();
        for word in line.split_whitespace() {
            cmd.arg(word);
        }
        cmd
    }

    fn after(milliseconds: u64) -> Route {
        Route::Blocking(BlockingTimeout::After(Duration::from_millis(milliseconds)))
    }

    #[test]
    fn every_rule_has_a_case() {
        let never = Route::Blocking(BlockingTimeout::Never);
        for (line, expected) in [
            ("GET key", Route::Shared),
            ("get key", Route::Shared),
            ("blpop list 1.5", after(1_500)),
            ("BRPOP a b 0", never),
            ("BLMOVE a b LEFT RIGHT 2", after(2_000)),
            ("BRPOPLPUSH a b 3", after(3_000)),
            ("BLMPOP 4 1 a LEFT", after(4_000)),
            ("BZMPOP 4 1 a MIN", after(4_000)),
            ("BZPOPMIN a 1", after(1_000)),
            ("BLPOP list soon", never),
            ("XREAD COUNT 1 BLOCK 250 STREAMS s $", after(250)),
            ("xread block 0 streams s $", never),
            ("XREAD STREAMS block 0", Route::Shared),
            ("XREADGROUP GROUP g c BLOCK 10 STREAMS s >", after(10)),
            ("XREADGROUP GROUP streams c BLOCK 10 STREAMS s >", after(10)),
            (
                "XREADGROUP GROUP block block COUNT 1 STREAMS s >",
                Route::Shared,
            ),
            ("CLIENT LIST", Route::Shared),
            ("CLIENT", Route::Shared),
            ("SCRIPT LOAD x", Route::Shared),
        ] {
            assert_eq!(route(&cmd(line)).unwrap(), expected, "{line}");
        }
    }

    #[test]
    fn what_a_shared_connection_must_not_carry_is_refused_with_the_way_out() {
        for (line, way_out) in [
            ("WATCH a", "session()"),
            ("multi", "session()"),
            ("EXEC", "session()"),
            ("SELECT 1", "session()"),
            ("WAIT 1 0", "session()"),
            ("WAITAOF 1 0 0", "session()"),
            ("AUTH x", "session()"),
            ("HELLO 3", "session()"),
            ("RESET", "session()"),
            ("QUIT", "close()"),
            ("CLIENT TRACKING ON", "session()"),
            ("client reply off", "never answered"),
            ("SUBSCRIBE a", "PUB_SUB"),
            ("SSUBSCRIBE a", "PUB_SUB"),
            ("MONITOR", "raw"),
            ("SYNC", "raw"),
            ("REPLCONF ACK 0", "never answered"),
        ] {
            let error = route(&cmd(line)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Refused, "{line}");
            assert_eq!(error.delivery(), Some(Delivery::NotSent));
            assert!(error.message().contains(way_out), "{line}: {error}");
        }
        assert_eq!(
            route(&Cmd::new()).unwrap_err().kind(),
            ErrorKind::InvalidArgument
        );
    }

    #[test]
    fn a_pipeline_is_routed_as_a_whole() {
        let mut pipeline = redis::pipe();
        pipeline.add_command(cmd("GET a"));
        assert_eq!(route_pipeline(&pipeline).unwrap(), Route::Shared);
        pipeline.add_command(cmd("BLPOP l 1"));
        pipeline.add_command(cmd("BLPOP m 2"));
        assert_eq!(route_pipeline(&pipeline).unwrap(), after(3_000));
        pipeline.atomic();
        assert_eq!(route_pipeline(&pipeline).unwrap(), Route::Shared);
        pipeline.add_command(cmd("SELECT 3"));
        assert!(route_pipeline(&pipeline).is_err());
    }

    #[test]
    fn a_session_knows_what_outlives_a_command() {
        for (line, effect) in [
            ("GET a", SessionEffect::None),
            ("WATCH a", SessionEffect::Watches),
            ("MULTI", SessionEffect::BeginsTransaction),
            ("EXEC", SessionEffect::EndsTransaction),
            ("UNWATCH", SessionEffect::Unwatches),
            ("DISCARD", SessionEffect::EndsTransaction),
            ("SELECT 2", SessionEffect::Taints),
            ("CLIENT TRACKING ON", SessionEffect::Taints),
            ("WAIT 1 100", SessionEffect::None),
        ] {
            assert_eq!(session_effect(&cmd(line)).unwrap().0, effect, "{line}");
        }
        assert!(session_effect(&cmd("SUBSCRIBE a")).is_err());
        assert!(session_effect(&cmd("CLIENT REPLY SKIP")).is_err());
    }
}
