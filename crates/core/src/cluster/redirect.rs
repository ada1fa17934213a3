//! What a node says instead of running a command.

use redis::{ServerError, ServerErrorKind, Value};

use super::{NodeAddress, Slot};

/// Why a node did not run what it was sent, and where it runs.
///
/// None of it ran, so to send it again is no second run. A script that makes such an error up itself, after it wrote, is
/// believed; an error that was raised within a script is none of these, because of what the script may have done before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Redirect {
    /// The slot is `to`'s for good.
    Moved { slot: Slot, to: NodeAddress },
    /// The slot is on its way to `to`, which has the keys already: ASKING and then the command are to go there, and
    /// what comes later to the same node as before.
    Ask { slot: Slot, to: NodeAddress },
    /// The slot is on its way, and only some of the keys are there. In a while they all are.
    TryAgain,
    /// The node cannot serve it at the moment: the cluster is down (`CLUSTERDOWN`), or the node loads its data
    /// (`LOADING`), is a replica that lost its master (`MASTERDOWN`), or has become a replica (`READONLY`). Another may
    /// have the slot by now. Outside a cluster these are the caller's to see, because there nobody else has it.
    Down,
}

impl Redirect {
    /// What `reply`, which came from `asked`, says. `None` if it is an answer.
    pub(crate) fn of(reply: &Value, asked: &NodeAddress) -> Option<Self> {
        match reply {
            Value::ServerError(error) => Self::of_error(error, asked),
            _ => None,
        }
    }

    /// What the errors say by which `asked` refused commands of a transaction, none of which ran therefore. `None` if no
    /// other node would take it either.
    ///
    /// [`Ask`](Self::Ask) holds for a transaction too: an ASKING before MULTI lasts until EXEC.
    pub(crate) fn of_refused(
        refused: &[(usize, ServerError)],
        asked: &NodeAddress,
    ) -> Option<Self> {
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

    fn of_error(error: &ServerError, asked: &NodeAddress) -> Option<Self> {
        let details = error.details().unwrap_or_default();
        if details.contains(RAISED_IN_A_SCRIPT) {
            return None;
        }
        match error.kind()? {
            ServerErrorKind::Moved => {
                let (slot, to) = read(details, asked)?;
                Some(Self::Moved { slot, to })
            }
            ServerErrorKind::Ask => {
                let (slot, to) = read(details, asked)?;
                Some(Self::Ask { slot, to })
            }
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
fn read(details: &str, asked: &NodeAddress) -> Option<(Slot, NodeAddress)> {
    let (slot, to) = details.split_once(' ')?;
    let slot = slot.parse().ok().and_then(Slot::new)?;
    Some((slot, NodeAddress::redirected(to, asked)?))
}
