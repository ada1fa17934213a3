//! What a node says instead of running a command.

use redis::{ServerError, ServerErrorKind, Value};

use super::Slot;
use super::naming::redirected;
use crate::RedisNode;

/// Why a node did not run what it was sent, and where it runs.
///
/// None of it ran, so to send it again is no second run. A script that makes such an error up itself, after it wrote, is
/// believed; an error that was raised within a script is none of these, because of what the script may have done before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Redirect {
    /// The slot is `to`'s for good.
    Moved { slot: Slot, to: RedisNode },
    /// The slot is on its way to `to`, which has the keys already: ASKING and then the command are to go there, and
    /// what comes later to the same node as before.
    Ask { slot: Slot, to: RedisNode },
    /// The slot is on its way, and only some of the keys are there. In a while they all are.
    TryAgain,
    /// The node cannot serve it at the moment: the cluster is down (`CLUSTERDOWN`), or the node loads its data
    /// (`LOADING`), is a replica that lost its master (`MASTERDOWN`), has become a replica (`READONLY`), or does not know
    /// where the slot's node is. Another may have the slot by now. Outside a cluster these are the caller's to see, because there nobody else has it.
    Down,
}

impl Redirect {
    /// What `reply`, which came from `asked`, says. `None` if it is an answer.
    pub(crate) fn of(reply: &Value, asked: &RedisNode) -> Option<Self> {
        match reply {
            Value::ServerError(error) => Self::of_error(error, asked),
            _ => None,
        }
    }

    /// What the errors say by which `asked` refused commands of a transaction, none of which ran therefore. `None` if no
    /// other node would take it either.
    ///
    /// Some servers say it only at EXEC, whose reply is for [`of`](Self::of) then. [`Ask`](Self::Ask) holds for a
    /// transaction too: an ASKING before MULTI lasts until EXEC.
    pub(crate) fn of_refused(refused: &[(usize, ServerError)], asked: &RedisNode) -> Option<Self> {
        let redirects = refused
            .iter()
            .filter_map(|(_, error)| Self::of_error(error, asked));
        redirects.min_by_key(|redirect| match redirect {
            Self::Moved { .. } => 0,
            Self::Ask { .. } => 1,
            Self::TryAgain => 2,
            Self::Down => 3,
        })
    }

    /// What `error`, which came from `asked`, says. `None` if it is an answer.
    pub(crate) fn of_error(error: &ServerError, asked: &RedisNode) -> Option<Self> {
        let details = error.details().unwrap_or_default();
        if details.contains(RAISED_IN_A_SCRIPT) {
            return None;
        }
        let read = |redirect: fn(Slot, RedisNode) -> Self| match read(details, asked) {
            Some((slot, to)) => redirect(slot, to),
            // It does not know the host of the other node.
            None => Self::Down,
        };
        match error.kind()? {
            ServerErrorKind::Moved => Some(read(|slot, to| Self::Moved { slot, to })),
            ServerErrorKind::Ask => Some(read(|slot, to| Self::Ask { slot, to })),
            ServerErrorKind::TryAgain => Some(Self::TryAgain),
            ServerErrorKind::ClusterDown
            | ServerErrorKind::BusyLoading
            | ServerErrorKind::MasterDown
            | ServerErrorKind::ReadOnly => Some(Self::Down),
            _ => None,
        }
    }
}

/// What Redis from 7.0 on puts behind an error that a command of a script raised; before, the code was another.
const RAISED_IN_A_SCRIPT: &str = " script: ";

/// The `3999 127.0.0.1:6381` of a redirection.
fn read(details: &str, asked: &RedisNode) -> Option<(Slot, RedisNode)> {
    let (slot, to) = details.split_once(' ')?;
    let slot = Slot::read(slot.as_bytes())?;
    Some((slot, redirected(to, asked)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(line: &str) -> Value {
        redis::parse_redis_value(format!("-{line}\r\n").as_bytes()).unwrap()
    }

    fn asked() -> RedisNode {
        RedisNode::at("10.0.0.1", 7_000)
    }

    fn of(line: &str) -> Option<Redirect> {
        Redirect::of(&error(line), &asked())
    }

    fn slot(number: u16) -> Slot {
        Slot::new(number).unwrap()
    }

    fn moved(number: u16, host: &str, port: u16) -> Redirect {
        Redirect::Moved {
            slot: slot(number),
            to: RedisNode::at(host, port),
        }
    }

    fn ask(number: u16, host: &str, port: u16) -> Redirect {
        Redirect::Ask {
            slot: slot(number),
            to: RedisNode::at(host, port),
        }
    }

    #[test]
    fn what_a_node_did_not_run_says_where_it_runs() {
        // As Redis 7.0 sends them.
        for (line, expected) in [
            (
                "MOVED 15495 127.0.0.1:29766",
                moved(15_495, "127.0.0.1", 29_766),
            ),
            (
                "MOVED 15495 node-2.example:29766",
                moved(15_495, "node-2.example", 29_766),
            ),
            ("MOVED 0 ::1:7001", moved(0, "::1", 7_001)),
            ("MOVED 3999 :6381", moved(3_999, "10.0.0.1", 6_381)),
            (
                "ASK 15495 127.0.0.1:29765",
                ask(15_495, "127.0.0.1", 29_765),
            ),
            ("MOVED 15495 ?:29766", Redirect::Down),
            ("MOVED 16384 127.0.0.1:29766", Redirect::Down),
            (
                "TRYAGAIN Multiple keys request during rehashing of slot",
                Redirect::TryAgain,
            ),
            ("CLUSTERDOWN The cluster is down", Redirect::Down),
            ("CLUSTERDOWN Hash slot not served", Redirect::Down),
            (
                "LOADING Redis is loading the dataset in memory",
                Redirect::Down,
            ),
            (
                "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
                Redirect::Down,
            ),
            (
                "READONLY You can't write against a read only replica.",
                Redirect::Down,
            ),
        ] {
            assert_eq!(of(line), Some(expected), "{line}");
        }
    }

    #[test]
    fn an_answer_is_no_redirection() {
        for line in [
            "ERR Script attempted to access a non local key in a cluster node script: 5eaf, on @user_script:1.",
            "READONLY You can't write against a read only replica. script: 5eaf, on @user_script:1.",
            "CROSSSLOT Keys in request don't hash to the same slot",
            "WRONGTYPE Operation against a key holding the wrong kind of value",
            "NOREPLICAS Not enough good replicas to write.",
            "NOSCRIPT No matching script. Please use EVAL.",
            "EXECABORT Transaction discarded because of previous errors.",
            "MOVEDX 1 127.0.0.1:1",
        ] {
            assert_eq!(of(line), None, "{line}");
        }
        for reply in [
            Value::Okay,
            Value::Nil,
            Value::SimpleString("MOVED 1 a:1".to_owned()),
        ] {
            assert_eq!(Redirect::of(&reply, &asked()), None);
        }
        let within_exec = Value::Array(vec![error("MOVED 1 127.0.0.1:1")]);
        assert_eq!(Redirect::of(&within_exec, &asked()), None);
    }

    #[test]
    fn a_refused_transaction_goes_where_most_is_known_of() {
        let of = |lines: &[&str]| {
            let refused = lines.iter().enumerate().map(|(index, line)| {
                let error = error(line).extract_error().unwrap_err();
                (index, ServerError::try_from(error).unwrap())
            });
            Redirect::of_refused(&refused.collect::<Vec<_>>(), &asked())
        };
        let (moved_there, ask_there) = ("MOVED 1 127.0.0.1:1", "ASK 2 127.0.0.1:2");
        let (again, down) = ("TRYAGAIN x", "CLUSTERDOWN x");
        for (lines, expected) in [
            (
                vec![down, again, ask_there, moved_there],
                Some(moved(1, "127.0.0.1", 1)),
            ),
            (
                vec![again, ask_there, "ERR unknown command"],
                Some(ask(2, "127.0.0.1", 2)),
            ),
            (vec![down, again], Some(Redirect::TryAgain)),
            (vec!["ERR unknown command", down], Some(Redirect::Down)),
            (vec!["ERR unknown command"], None),
            (vec![], None),
        ] {
            assert_eq!(of(&lines), expected, "{lines:?}");
        }
    }
}
