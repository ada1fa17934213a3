//! What a URI points at.

/// What a [`RedisUri`](super::RedisUri) points at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RedisTopology {
    /// One server at a host and port: `redis://`, `rediss://`.
    Standalone,
    /// One server behind a Unix domain socket: `redis-socket://`.
    Socket,
    /// Sentinels that are asked for the master: `redis-sentinel://`, `rediss-sentinel://`.
    Sentinel,
    /// Nodes of a cluster to start from: `redis-cluster://`, `rediss-cluster://`.
    Cluster,
}

impl RedisTopology {
    /// The port of a node that names none: 26379 for a Sentinel, else 6379.
    #[must_use]
    pub fn default_port(self) -> u16 {
        match self {
            Self::Sentinel => 26379,
            Self::Standalone | Self::Socket | Self::Cluster => 6379,
        }
    }
}
