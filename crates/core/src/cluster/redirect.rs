//! What a node answers to a request that it has not run, because it is not the one to run it.

use redis::{ServerError, Value};

use super::{NodeAddress, Slot};

/// Where to go instead. Whoever gets one of these knows that nothing was run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Redirect {
    /// From now on another node has the slot.
    Moved { slot: Slot, to: NodeAddress },
    /// The slot is on its way to another node, which is to be asked this once.
    Ask { to: NodeAddress },
    /// Of the keys some are here still, and some there already.
    TryAgain,
    /// Nobody serves the slot at this moment.
    Down,
}

impl Redirect {
    /// What `reply`, of the node at `asked`, says, if it is one.
    pub(crate) fn of(reply: &Value, asked: &NodeAddress) -> Option<Self> {
        match reply {
            Value::ServerError(error) => Self::of_error(error, asked),
            _ => None,
        }
    }

    /// What the errors say for which the node at `asked` has refused some commands of a transaction, and with them
    /// the whole.
    pub(crate) fn of_transaction(
        refused: &[(usize, ServerError)],
        asked: &NodeAddress,
    ) -> Option<Self> {
        let mut redirects = refused
            .iter()
            .filter_map(|(_, error)| Self::of_error(error, asked));
        match redirects.next()? {
            // What is said before MULTI does not hold inside of it.
            Self::Ask { .. } => Some(Self::TryAgain),
            redirect => Some(redirect),
        }
    }

    fn of_error(error: &ServerError, asked: &NodeAddress) -> Option<Self> {
        match error.code() {
            "MOVED" => {
                let (slot, to) = read(error.details()?, asked)?;
                Some(Self::Moved { slot, to })
            }
            "ASK" => {
                let (_, to) = read(error.details()?, asked)?;
                Some(Self::Ask { to })
            }
            "TRYAGAIN" => Some(Self::TryAgain),
            "CLUSTERDOWN" => Some(Self::Down),
            _ => None,
        }
    }
}

fn read(details: &str, asked: &NodeAddress) -> Option<(Slot, NodeAddress)> {
    let (slot, address) = details.split_once(' ')?;
    let slot = Slot::new(slot.parse().ok()?)?;
    Some((slot, NodeAddress::read(address.trim(), asked)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Option<Redirect> {
        let reply = redis::parse_redis_value(format!("-{line}\r\n").as_bytes()).unwrap();
        Redirect::of(&reply, &NodeAddress::new("asked", 1))
    }

    #[test]
    fn what_was_not_run_is_read_off_the_reply() {
        let slot = Slot::new(3999).unwrap();
        let to = NodeAddress::new("127.0.0.1", 6381);
        let ask = Redirect::Ask { to: to.clone() };
        assert_eq!(of("MOVED 3999 127.0.0.1:6381"), Some(Redirect::Moved { slot, to }));
        assert_eq!(of("ASK 3999 127.0.0.1:6381"), Some(ask));
        assert_eq!(
            of("TRYAGAIN Multiple keys request during rehashing of slot"),
            Some(Redirect::TryAgain)
        );
        assert_eq!(of("CLUSTERDOWN The cluster is down"), Some(Redirect::Down));
        for other in ["ERR no", "MOVED", "MOVED 99999 h:1", "MOVED 1 h", "WRONGTYPE no"] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
