//! Which socket of a connection subscribes.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// The number of a socket that subscribes, among those of its connection; it is the same after a reconnect.
///
/// Most connections have one such socket: [`FIRST`](Self::FIRST). In a cluster each node that has shard channels to
/// listen to has one more.
///
/// ```
/// use redis_manager_core::SocketId;
///
/// assert_ne!(SocketId::next(), SocketId::FIRST);
/// assert_ne!(SocketId::next(), SocketId::next());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SocketId(u64);

impl SocketId {
    /// That of the socket that every connection has that subscribes.
    pub const FIRST: Self = Self(0);

    /// Returns a number that no other socket of this process has, but for the first ones.
    #[must_use]
    pub fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

impl fmt::Display for SocketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}
