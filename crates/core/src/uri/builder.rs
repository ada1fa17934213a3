//! A URI from its parts.

mod of_uri;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{MASK, RedisNode, RedisTopology, RedisUri, VerifyPeer, host, invalid, query};
use crate::{Protocol, Result};

/// Makes a [`RedisUri`] from its parts, given as they are: nothing is percent-encoded.
///
/// Needed is a host or a socket; all else has the default of [`RedisUri`]. Setting a part again
/// replaces it, except that each [`node`](Self::node) adds one. [`build`](Self::build) checks
/// everything.
///
/// ```
/// use redis_manager_core::RedisUri;
///
/// let uri = RedisUri::builder()
///     .sentinel()
///     .host("sentinel-a")
///     .node("sentinel-b", 26380)
///     .sentinel_master_id("main")
///     .password("p@ss/word")
///     .database(3)
///     .build()?;
/// assert_eq!(
///     uri,
///     RedisUri::parse("redis-sentinel://p%40ss%2Fword@sentinel-a,sentinel-b:26380/3#main")?
/// );
/// # Ok::<(), redis_manager_core::Error>(())
/// ```
#[derive(Clone, Default)]
#[must_use]
pub struct RedisUriBuilder {
    host: Option<String>,
    port: Option<u16>,
    more_nodes: Vec<(String, Option<u16>)>,
    socket: Option<PathBuf>,
    sentinel: bool,
    cluster: bool,
    sentinel_master_id: Option<String>,
    username: Option<String>,
    password: Option<String>,
    database: Option<u32>,
    client_name: Option<String>,
    library_name: Option<String>,
    library_version: Option<String>,
    timeout: Option<Duration>,
    tls: bool,
    verify_peer: Option<VerifyPeer>,
    protocol: Option<Protocol>,
}

impl RedisUriBuilder {
    pub(super) fn of(topology: RedisTopology) -> Self {
        Self {
            sentinel: topology == RedisTopology::Sentinel,
            cluster: topology == RedisTopology::Cluster,
            ..Self::default()
        }
    }

    /// The host name or IP address, IPv6 with or without brackets; of several nodes the first.
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.host = Some(host.into());
        self
    }

    /// The port of [`host`](Self::host), 1–65535. Default 6379, of a Sentinel 26379.
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// Adds a Sentinel or a cluster node; it comes after [`host`](Self::host), if that is given too.
    pub fn node(self, host: impl Into<String>, port: u16) -> Self {
        self.add_node(host, Some(port))
    }

    pub(super) fn add_node(mut self, host: impl Into<String>, port: Option<u16>) -> Self {
        self.more_nodes.push((host.into(), port));
        self
    }

    /// The absolute path of a Unix domain socket, instead of a host.
    pub fn socket(mut self, path: impl Into<PathBuf>) -> Self {
        self.socket = Some(path.into());
        self
    }

    /// The hosts are Sentinels; [`sentinel_master_id`](Self::sentinel_master_id) is needed.
    pub fn sentinel(mut self) -> Self {
        self.sentinel = true;
        self
    }

    /// The hosts are nodes of a cluster.
    pub fn cluster(mut self) -> Self {
        self.cluster = true;
        self
    }

    /// The name of the master to ask the Sentinels for.
    pub fn sentinel_master_id(mut self, name: impl Into<String>) -> Self {
        self.sentinel_master_id = Some(name.into());
        self
    }

    pub(super) fn master_id(&self) -> Option<&str> {
        self.sentinel_master_id.as_deref()
    }

    /// The user to log in as; needs a [`password`](Self::password), which may be empty. An empty
    /// name means none.
    pub fn username(mut self, username: impl Into<String>) -> Self {
        self.username = Some(username.into());
        self
    }

    /// The password to log in with. An empty one without a user name means no login.
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// The number of the database, 0–2 147 483 647; not for a cluster. Default 0.
    pub fn database(mut self, database: u32) -> Self {
        self.database = Some(database);
        self
    }

    /// The name that each connection takes: printable ASCII without spaces.
    pub fn client_name(mut self, name: impl Into<String>) -> Self {
        self.client_name = Some(name.into());
        self
    }

    /// The library name that each connection reports: printable ASCII without spaces.
    pub fn library_name(mut self, name: impl Into<String>) -> Self {
        self.library_name = Some(name.into());
        self
    }

    /// The library version that each connection reports: printable ASCII without spaces.
    pub fn library_version(mut self, version: impl Into<String>) -> Self {
        self.library_version = Some(version.into());
        self
    }

    /// The time a command may take, longer than 0.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Whether connections are encrypted; not for a socket. Default `false`.
    pub fn tls(mut self, tls: bool) -> Self {
        self.tls = tls;
        self
    }

    /// How much of the server's certificate is checked; only with TLS. Default [`VerifyPeer::Full`].
    pub fn verify_peer(mut self, verify_peer: VerifyPeer) -> Self {
        self.verify_peer = Some(verify_peer);
        self
    }

    /// The protocol version to speak, whatever the options say.
    pub fn protocol(mut self, protocol: Protocol) -> Self {
        self.protocol = Some(protocol);
        self
    }

    /// Checks all parts and makes the URI.
    ///
    /// # Errors
    ///
    /// [`InvalidUri`](crate::ErrorKind::InvalidUri) says which part is missing, wrong or
    /// contradicts another, and what is allowed. It never contains the password.
    pub fn build(self) -> Result<RedisUri> {
        self.check().map_err(invalid)
    }

    pub(super) fn check(self) -> Result<RedisUri, String> {
        self.check_contradictions()?;
        let topology = self.topology();
        let nodes = self.check_nodes(topology)?;
        let socket = self.socket.as_deref().map(check_socket).transpose()?;
        let username = self.username.filter(|username| !username.is_empty());
        let password = self
            .password
            .filter(|password| username.is_some() || !password.is_empty());
        if username.is_some() && password.is_none() {
            return Err("a user name needs a password, which may be empty".to_owned());
        }
        let database = self.database.unwrap_or_default();
        if database > query::LAST_DATABASE {
            return Err(query::database_range());
        }
        if self.timeout.is_some_and(|timeout| timeout.is_zero()) {
            return Err("the timeout must be longer than 0".to_owned());
        }
        Ok(RedisUri {
            topology,
            nodes,
            socket,
            sentinel_master_id: self.sentinel_master_id,
            username,
            password,
            database,
            client_name: check_name("client name", self.client_name)?,
            library_name: check_name("library name", self.library_name)?,
            library_version: check_name("library version", self.library_version)?,
            timeout: self.timeout,
            tls: self.tls,
            verify_peer: self.verify_peer.unwrap_or_default(),
            protocol: self.protocol,
        })
    }

    fn topology(&self) -> RedisTopology {
        match (&self.socket, self.sentinel, self.cluster) {
            (Some(_), _, _) => RedisTopology::Socket,
            (None, true, _) => RedisTopology::Sentinel,
            (None, false, true) => RedisTopology::Cluster,
            (None, false, false) => RedisTopology::Standalone,
        }
    }

    /// The parts that exclude or need each other.
    fn check_contradictions(&self) -> Result<(), String> {
        let has_socket = self.socket.is_some();
        let node_count = usize::from(self.host.is_some()) + self.more_nodes.len();
        let has_node = node_count > 0;
        let has_master_name = self.master_id().is_some_and(|name| !name.is_empty());
        let contradictions = [
            (
                !has_socket && !has_node,
                "a host or a socket path is needed",
            ),
            (
                self.port.is_some() && self.host.is_none(),
                "a port needs a host",
            ),
            (
                has_socket && has_node,
                "a host and a socket exclude each other",
            ),
            (
                has_socket && (self.sentinel || self.cluster),
                "Sentinel and Cluster need hosts, not a socket",
            ),
            (has_socket && self.tls, "there is no TLS on a socket"),
            (
                self.sentinel && self.cluster,
                "Sentinel and Cluster exclude each other",
            ),
            (
                node_count > 1 && !self.sentinel && !self.cluster,
                "several hosts are for Sentinel (redis-sentinel://) and Cluster (redis-cluster://) only",
            ),
            (
                self.cluster && self.database.is_some(),
                "a cluster has no numbered databases; leave the database out",
            ),
            (
                self.verify_peer.is_some() && !self.tls,
                "`verifyPeer` needs TLS (rediss://)",
            ),
            (
                self.sentinel_master_id.is_some() && !self.sentinel,
                "`sentinelMasterId` is for Sentinel (redis-sentinel://) only",
            ),
            (
                self.sentinel && !has_master_name,
                "Sentinel needs the name of the master: #name or `sentinelMasterId`",
            ),
        ];
        match contradictions.into_iter().find(|(applies, _)| *applies) {
            Some((_, problem)) => Err(problem.to_owned()),
            None => Ok(()),
        }
    }

    fn check_nodes(&self, topology: RedisTopology) -> Result<Vec<RedisNode>, String> {
        let first = self.host.as_deref().map(|host| (host, self.port));
        let more = self
            .more_nodes
            .iter()
            .map(|(host, port)| (host.as_str(), *port));
        let nodes: Vec<(&str, Option<u16>)> = first.into_iter().chain(more).collect();
        let count = nodes.len();
        nodes
            .into_iter()
            .enumerate()
            .map(|(index, (host, port))| {
                RedisNode::new(host, port.unwrap_or(topology.default_port()))
                    .map_err(|problem| host::in_node(index, count, problem))
            })
            .collect()
    }
}

/// Shows the password, if there is one, as `***`.
impl fmt::Debug for RedisUriBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisUriBuilder")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("more_nodes", &self.more_nodes)
            .field("socket", &self.socket)
            .field("sentinel", &self.sentinel)
            .field("cluster", &self.cluster)
            .field("sentinel_master_id", &self.sentinel_master_id)
            .field("username", &self.username)
            .field("password", &self.password.as_ref().map(|_| MASK))
            .field("database", &self.database)
            .field("client_name", &self.client_name)
            .field("library_name", &self.library_name)
            .field("library_version", &self.library_version)
            .field("timeout", &self.timeout)
            .field("tls", &self.tls)
            .field("verify_peer", &self.verify_peer)
            .field("protocol", &self.protocol)
            .finish()
    }
}

fn check_socket(path: &Path) -> Result<String, String> {
    let path = path.to_str().ok_or("the path of the socket is not UTF-8")?;
    if !path.starts_with('/') {
        return Err("the path of the socket must be absolute: begin with `/`".to_owned());
    }
    if path.ends_with('/') {
        return Err("the path of the socket names a directory: it ends in `/`".to_owned());
    }
    if path.contains('\0') {
        return Err("the path of the socket contains a NUL character".to_owned());
    }
    Ok(path.to_owned())
}

/// What the server accepts as a name: `!` to `~`.
fn check_name(part: &str, name: Option<String>) -> Result<Option<String>, String> {
    match &name {
        Some(text) if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) => Err(
            format!("the {part} must be one or more printable ASCII characters without spaces"),
        ),
        _ => Ok(name),
    }
}
