//! The client of the `redis` crate behind a client of ours.

use std::fmt;

use redis::ProtocolVersion;

use crate::connection_info::{Material, cluster_client, connection_info};
use crate::{ClientOptions, Protocol, RedisTopology, RedisUri, Result};

/// A client of the `redis` crate for the server that a client of ours connects to, for whatever this
/// library does not offer.
///
/// It opens no connection until it is told to, and what it opens is the caller's own.
#[derive(Clone)]
#[non_exhaustive]
#[allow(
    clippy::large_enum_variant,
    reason = "a client has one, and it is hardly ever moved"
)]
pub enum UnderlyingClient {
    /// For one server.
    Single(redis::Client),
    /// For a cluster. It repeats no command by itself, as the `redis` crate's would otherwise, also those that may have run.
    Cluster(redis::cluster::ClusterClient),
    /// None: sentinels say where the server is, for each connection anew, and no client of the `redis` crate asks them as
    /// the URI wants. [`RedisBasicClient::ping`](crate::RedisBasicClient::ping) does, and so do the other kinds of client.
    Sentinel,
    /// None: the script that owns the client has a key prefix or denied commands, which one would go around.
    Withheld,
}

impl UnderlyingClient {
    /// `material` is what is trusted and shown over TLS, if there is TLS.
    pub(crate) fn new(
        uri: &RedisUri,
        options: &ClientOptions,
        material: Option<&Material>,
    ) -> Result<Self> {
        if uri.topology() == RedisTopology::Sentinel {
            return Ok(Self::Sentinel);
        }
        // The raw client does not negotiate, and every server speaks RESP2.
        let protocol = match uri.protocol().unwrap_or_else(|| options.protocol()) {
            Protocol::Resp3 => ProtocolVersion::RESP3,
            Protocol::Auto | Protocol::Resp2 => ProtocolVersion::RESP2,
        };
        if uri.topology() == RedisTopology::Cluster {
            let client = cluster_client(uri, options, protocol, material)?;
            return Ok(Self::Cluster(client));
        }
        let info = connection_info(uri, options, protocol, material)?;
        Ok(Self::Single(redis::Client::open(info)?))
    }

    /// Checks what [`new`](Self::new) does.
    pub(crate) fn withheld(
        uri: &RedisUri,
        options: &ClientOptions,
        material: Option<&Material>,
    ) -> Result<Self> {
        Self::new(uri, options, material)?;
        Ok(Self::Withheld)
    }

    /// The client for one server, if it is one.
    #[must_use]
    pub fn into_single(self) -> Option<redis::Client> {
        match self {
            Self::Single(client) => Some(client),
            Self::Cluster(_) | Self::Sentinel | Self::Withheld => None,
        }
    }
}

/// One that is kept. There is room in it for that of one server, as most are, and not for that of a cluster, which is
/// larger.
#[allow(
    clippy::large_enum_variant,
    reason = "it is in every client, and the large one is what most have"
)]
pub(crate) enum Kept {
    Single(redis::Client),
    Other(Box<UnderlyingClient>),
}

impl Kept {
    pub(crate) fn new(client: UnderlyingClient) -> Self {
        match client {
            UnderlyingClient::Single(client) => Self::Single(client),
            other => Self::Other(Box::new(other)),
        }
    }

    pub(crate) fn client(&self) -> UnderlyingClient {
        match self {
            Self::Single(client) => UnderlyingClient::Single(client.clone()),
            Self::Other(client) => UnderlyingClient::clone(client),
        }
    }
}

impl fmt::Debug for UnderlyingClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Single(client) => f
                .debug_tuple("Single")
                .field(&client.get_connection_info().addr().to_string())
                .finish(),
            Self::Cluster(_) => f.write_str("Cluster"),
            Self::Sentinel => f.write_str("Sentinel"),
            Self::Withheld => f.write_str("Withheld"),
        }
    }
}
