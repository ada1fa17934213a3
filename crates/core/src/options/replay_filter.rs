//! Which commands may run twice.

use std::collections::BTreeSet;

use redis::Cmd;
use serde::{Deserialize, Serialize};

use crate::route::upper_name;

/// The commands that are sent again if the connection is lost before their reply came; lettuce's replay
/// filter. Without one nothing is: such a call fails with [`Delivery::Unknown`](crate::Delivery::Unknown),
/// because the command may have run.
///
/// Name commands that do no harm if they run twice, such as reads, as they are sent: `redis`' `incr` sends
/// `INCRBY`. A pipeline is sent again if all its commands are named. In a config file it is a list of names.
///
/// Such a call waits for the next connection, within its deadline; in a cluster it goes to whoever has taken over. Where
/// calls do not wait for one (`disconnected_behavior` is [`Reject`](crate::DisconnectedBehavior::Reject),
/// `auto_reconnect` is off) it fails as any other.
///
/// ```
/// use redis_manager_core::{ReplayFilter, redis::cmd};
///
/// let filter = ReplayFilter::commands(["GET", "hgetall"]);
/// assert!(filter.allows(cmd("HGETALL").arg("user:1")));
/// assert!(!filter.allows(cmd("INCR").arg("visits")));
/// assert!(!ReplayFilter::none().allows(&cmd("GET")));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<String>")]
pub struct ReplayFilter(BTreeSet<String>);

impl ReplayFilter {
    /// Nothing runs twice. The default.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// These commands may run twice, whatever their arguments.
    #[must_use]
    pub fn commands<N: AsRef<str>>(names: impl IntoIterator<Item = N>) -> Self {
        let upper = |name: N| name.as_ref().to_ascii_uppercase();
        Self(names.into_iter().map(upper).collect())
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether `cmd` may run twice.
    #[must_use]
    pub fn allows(&self, cmd: &Cmd) -> bool {
        !self.0.is_empty() && self.0.contains(&upper_name(cmd))
    }
}

impl From<Vec<String>> for ReplayFilter {
    fn from(names: Vec<String>) -> Self {
        Self::commands(names)
    }
}
