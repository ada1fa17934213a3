//! A URI taken apart again, to change some of it.

use super::RedisUriBuilder;
use crate::{RedisTopology, RedisUri};

impl RedisUri {
    /// A builder that makes this URI, for one that differs in some parts. [`node`](RedisUriBuilder::node) adds to the
    /// nodes that there are.
    ///
    /// ```
    /// use redis_manager_core::RedisUri;
    ///
    /// let main = RedisUri::parse("rediss://:s3cret@cache.example.com/2")?;
    /// let chat = main.to_builder().client_name("chat").build()?;
    /// assert_eq!(chat.client_name(), Some("chat"));
    /// assert_eq!(chat.password(), main.password());
    /// # Ok::<(), redis_manager_core::Error>(())
    /// ```
    pub fn to_builder(&self) -> RedisUriBuilder {
        let nodes = || self.nodes().iter();
        let more_nodes = nodes().skip(1);
        RedisUriBuilder {
            host: nodes().next().map(|node| node.host().to_owned()),
            port: nodes().next().map(|node| node.port()),
            more_nodes: more_nodes
                .map(|node| (node.host().to_owned(), Some(node.port())))
                .collect(),
            socket: self.socket().map(Into::into),
            sentinel: self.topology() == RedisTopology::Sentinel,
            cluster: self.topology() == RedisTopology::Cluster,
            sentinel_master_id: self.sentinel_master_id().map(str::to_owned),
            username: self.username().map(str::to_owned),
            password: self.password().map(str::to_owned),
            // A cluster takes none at all.
            database: Some(self.database()).filter(|database| *database != 0),
            client_name: self.client_name().map(str::to_owned),
            library_name: self.library_name().map(str::to_owned),
            library_version: self.library_version().map(str::to_owned),
            timeout: self.timeout(),
            tls: self.is_tls(),
            verify_peer: self.is_tls().then(|| self.verify_peer()),
            protocol: self.protocol(),
        }
    }
}
