//! Where Redis is and how to log in: the URI.

mod builder;
mod host;
mod into_redis_uri;
mod parse;
mod percent;
mod query;
mod scheme;
mod timeout;
mod topology;
mod verify_peer;

#[cfg(test)]
mod tests;

use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize, Serializer};

pub use builder::RedisUriBuilder;
pub use host::RedisNode;
pub(crate) use host::write_address;
pub use into_redis_uri::IntoRedisUri;
pub use topology::RedisTopology;
pub use verify_peer::VerifyPeer;

use crate::{Error, ErrorKind, Protocol, Result};

/// Where Redis is, how to log in and what to set up on each connection.
///
/// | What | Schemes | After the scheme |
/// |---|---|---|
/// | one server | `redis`, `valkey` | `[[user:]password@]host[:port][/db][?query]` |
/// | … with TLS | `rediss`, `redis+ssl`, `redis+tls`, `valkeys` | the same |
/// | Unix socket | `redis-socket`, `redis+socket`, `unix`, `redis+unix`, `valkey+unix` | `[[user:]password@]/path[?query]` |
/// | Sentinel | `redis-sentinel`, `rediss-sentinel` | `[[user:]password@]host1[:port1][,hostN[:portN]][/db][?query][#master]` |
/// | Cluster | `redis-cluster`, `rediss-cluster` | `[[user:]password@]host1[:port1][,hostN[:portN]][/][?query]` |
///
/// A text alone before the `@` is the **password**, as in lettuce (redis-rs reads it as the user
/// name). Reserved characters in user name, password, socket path and query values are
/// percent-encoded (`/` as `%2F`); `@` and characters outside ASCII may stand as they are.
/// White space, control characters, `<` and `>` must be encoded. An IPv6 address stands in brackets.
///
/// The query is split at `&`; the case of its keys does not matter:
///
/// | Key | Value | Default |
/// |---|---|---|
/// | `timeout` | a whole number and `d`, `h`, `m`, `s`, `ms`, `us` or `ns`; milliseconds without a unit | none |
/// | `database`, `db` | 0–2 147 483 647; wins over `/db`; not for Cluster | 0 |
/// | `clientName`, `libraryName`, `libraryVersion` | printable ASCII without spaces | none |
/// | `verifyPeer` | `NONE`, `CA`, `FULL`; only with TLS | `FULL` |
/// | `sentinelMasterId` | the master's name, instead of `#master`; only with Sentinel | none |
/// | `protocol` | `2`, `3`, `auto`, or as in redis-rs `resp2`, `resp3` | none |
///
/// [`Display`](fmt::Display) and [`Debug`](fmt::Debug) write `***` for the password;
/// [`to_url_with_password`](Self::to_url_with_password) writes all. `Serialize` writes **the
/// password too**, so that a configuration can be saved and loaded again. Our own errors never
/// contain it; a config format's error may quote the line that it could not read (`toml` does), so
/// prefer its bare message in logs.
///
/// ```
/// use redis_manager_core::RedisUri;
/// use std::time::Duration;
///
/// let uri: RedisUri = "rediss://economy:s3cret@cache.example.com/2?timeout=5s".parse()?;
/// assert_eq!(uri.host(), Some("cache.example.com"));
/// assert_eq!(uri.port(), Some(6379));
/// assert_eq!(uri.username(), Some("economy"));
/// assert_eq!(uri.password(), Some("s3cret"));
/// assert_eq!(uri.database(), 2);
/// assert_eq!(uri.timeout(), Some(Duration::from_secs(5)));
/// assert!(uri.is_tls());
/// assert_eq!(uri.to_string(), "rediss://economy:***@cache.example.com:6379/2?timeout=5s");
/// # Ok::<(), redis_manager_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct RedisUri {
    topology: RedisTopology,
    nodes: Vec<RedisNode>,
    socket: Option<String>,
    sentinel_master_id: Option<String>,
    username: Option<String>,
    password: Option<String>,
    database: u32,
    client_name: Option<String>,
    library_name: Option<String>,
    library_version: Option<String>,
    timeout: Option<Duration>,
    tls: bool,
    verify_peer: VerifyPeer,
    protocol: Option<Protocol>,
}

impl RedisUri {
    /// Reads a URI.
    ///
    /// # Errors
    ///
    /// [`InvalidUri`](ErrorKind::InvalidUri) says which part is wrong and what is allowed there.
    /// It repeats nothing of the text that could be a part of the password.
    pub fn parse(text: &str) -> Result<Self> {
        parse::parse(text).map_err(invalid)
    }

    /// Starts a URI from its parts, with the same checks as [`parse`](Self::parse).
    pub fn builder() -> RedisUriBuilder {
        RedisUriBuilder::default()
    }

    /// What the URI points at.
    #[must_use]
    pub fn topology(&self) -> RedisTopology {
        self.topology
    }

    /// The host name or IP address, IPv6 without brackets; of several nodes the first one's, of a
    /// socket `None`.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        self.nodes.first().map(RedisNode::host)
    }

    /// The port; of several nodes the first one's, of a socket `None`. Default 6379, of a Sentinel
    /// 26379.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.nodes.first().map(RedisNode::port)
    }

    /// The path of the Unix domain socket, if it is one.
    #[must_use]
    pub fn socket(&self) -> Option<&Path> {
        self.socket.as_deref().map(Path::new)
    }

    /// All hosts and ports: one server, or every Sentinel or cluster node named; none for a socket.
    #[must_use]
    pub fn nodes(&self) -> &[RedisNode] {
        &self.nodes
    }

    /// The name of the master that the Sentinels are asked for; `Some` for Sentinel only.
    #[must_use]
    pub fn sentinel_master_id(&self) -> Option<&str> {
        self.sentinel_master_id.as_deref()
    }

    /// The number of the database, 0–2 147 483 647. Default 0.
    #[must_use]
    pub fn database(&self) -> u32 {
        self.database
    }

    /// The user to log in as, never empty; `None` means the server's default user. `Some` implies a
    /// [`password`](Self::password).
    #[must_use]
    pub fn username(&self) -> Option<&str> {
        self.username.as_deref()
    }

    /// The password to log in with; `None` means no login. It is empty only if a user name with an
    /// empty password was given (`user:@`).
    #[must_use]
    pub fn password(&self) -> Option<&str> {
        self.password.as_deref()
    }

    /// The same place for another user, whatever the login was before. An empty name means the server's default user, and
    /// an empty password without a name no login.
    ///
    /// ```
    /// use redis_manager_core::RedisUri;
    ///
    /// let uri = RedisUri::parse("redis://localhost/2")?.with_login("economy", "s3cret");
    /// assert_eq!(uri.to_url_with_password(), "redis://economy:s3cret@localhost:6379/2");
    /// assert_eq!(uri.with_login("", "").password(), None);
    /// # Ok::<(), redis_manager_core::Error>(())
    /// ```
    #[must_use]
    pub fn with_login(mut self, username: &str, password: impl Into<String>) -> Self {
        self.username = Some(username.to_owned()).filter(|username| !username.is_empty());
        self.password = Some(password.into())
            .filter(|password| self.username.is_some() || !password.is_empty());
        self
    }

    /// The name that each connection takes (`CLIENT SETNAME`).
    #[must_use]
    pub fn client_name(&self) -> Option<&str> {
        self.client_name.as_deref()
    }

    /// The library name that each connection reports (`CLIENT SETINFO LIB-NAME`).
    #[must_use]
    pub fn library_name(&self) -> Option<&str> {
        self.library_name.as_deref()
    }

    /// The library version that each connection reports (`CLIENT SETINFO LIB-VER`).
    #[must_use]
    pub fn library_version(&self) -> Option<&str> {
        self.library_version.as_deref()
    }

    /// The time a command may take, longer than 0; `None` leaves it to the options.
    #[must_use]
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// Whether connections are encrypted.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.tls
    }

    /// What a URI of this topology begins with, with TLS or without.
    pub(crate) fn scheme_with(&self, tls: bool) -> &'static str {
        scheme::canonical(self.topology, tls)
    }

    /// What a URI of another topology begins with, with TLS if this one asks for it.
    pub(crate) fn scheme_of(&self, topology: RedisTopology) -> &'static str {
        scheme::canonical(topology, self.tls)
    }

    /// How much of the server's certificate is checked; without TLS it means nothing. Default
    /// [`VerifyPeer::Full`].
    #[must_use]
    pub fn verify_peer(&self) -> VerifyPeer {
        self.verify_peer
    }

    /// The protocol version that the URI asks for; `None` leaves it to the options.
    #[must_use]
    pub fn protocol(&self) -> Option<Protocol> {
        self.protocol
    }

    /// The address without credentials, for messages: `host:port`, several separated by commas, or
    /// the socket's path.
    ///
    /// ```
    /// use redis_manager_core::RedisUri;
    ///
    /// let uri = RedisUri::parse("redis-cluster://:secret@a,b:7000")?;
    /// assert_eq!(uri.address(), "a:6379,b:7000");
    /// # Ok::<(), redis_manager_core::Error>(())
    /// ```
    #[must_use]
    pub fn address(&self) -> String {
        match &self.socket {
            Some(path) => path.clone(),
            None => self.node_list(),
        }
    }

    /// The whole URI in its canonical form, **password included**: for storing or handing on, never
    /// for logs. [`parse`](Self::parse) reads it back as an equal value.
    ///
    /// ```
    /// use redis_manager_core::RedisUri;
    ///
    /// let uri = RedisUri::parse("valkey://p@ss@LOCALHOST/?db=1")?;
    /// assert_eq!(uri.to_url_with_password(), "redis://:p%40ss@LOCALHOST:6379/1");
    /// # Ok::<(), redis_manager_core::Error>(())
    /// ```
    #[must_use]
    pub fn to_url_with_password(&self) -> String {
        self.url(self.password().map(percent::encode).as_deref())
    }

    /// Writes the URI with `password`, which is encoded already.
    fn url(&self, password: Option<&str>) -> String {
        let scheme = self.scheme_with(self.tls);
        let username = self.username().map(percent::encode).unwrap_or_default();
        // Never without the colon: redis-rs would read a text alone as the user name.
        let user_info = password
            .map(|password| format!("{username}:{password}@"))
            .unwrap_or_default();
        let address = match &self.socket {
            Some(path) => percent::encode_path(path),
            None => self.node_list(),
        };
        let database = match self.database {
            0 => String::new(),
            _ if self.socket.is_some() => String::new(),
            number => format!("/{number}"),
        };
        let query = query::format(self);
        let fragment = self
            .sentinel_master_id()
            .map(|name| format!("#{}", percent::encode(name)))
            .unwrap_or_default();
        format!("{scheme}://{user_info}{address}{database}{query}{fragment}")
    }

    fn node_list(&self) -> String {
        let nodes: Vec<String> = self.nodes.iter().map(RedisNode::to_string).collect();
        nodes.join(",")
    }
}

/// The canonical URI with `***` for the password.
impl fmt::Display for RedisUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url(self.password().map(|_| MASK)))
    }
}

/// As [`Display`](fmt::Display): the password is masked.
impl fmt::Debug for RedisUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisUri({self})")
    }
}

impl FromStr for RedisUri {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text)
    }
}

impl TryFrom<&str> for RedisUri {
    type Error = Error;

    fn try_from(text: &str) -> Result<Self> {
        Self::parse(text)
    }
}

impl TryFrom<String> for RedisUri {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        Self::parse(&text)
    }
}

/// Writes the canonical URI **with the password**, so that a saved configuration can be loaded again.
impl Serialize for RedisUri {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_url_with_password())
    }
}

/// What stands for a password wherever one would be shown.
const MASK: &str = "***";

fn invalid(problem: String) -> Error {
    Error::new(
        ErrorKind::InvalidUri,
        format!("invalid Redis URI: {problem}"),
    )
}
