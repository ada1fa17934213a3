//! Which nodes of a cluster reads go to.

use serde::{Deserialize, Serialize};

/// Which nodes of a cluster are read from; lettuce's `ReadFrom`. Only for commands that the server calls `readonly`, and
/// only in a cluster. A replica may be behind its master, so that a value that was just written may not be there yet.
///
/// ```
/// use redis_manager_core::{ClientOptions, ReadFrom};
///
/// let options = ClientOptions::builder().read_from(ReadFrom::ReplicaPreferred).build()?;
/// assert_eq!(options.read_from(), ReadFrom::ReplicaPreferred);
/// # Ok::<(), redis_manager_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ReadFrom {
    /// The masters only.
    #[default]
    Master,
    /// A replica, another one each time; the master where no replica is connected to.
    ReplicaPreferred,
}
