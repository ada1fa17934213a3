//! Where one server listens.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::uri::write_address;
use crate::{Error, ErrorKind, RedisNode, RedisTopology, RedisUri, Result};

/// What one socket is opened to. Which one that is was decided before: by the URI, or by whoever knows where the
/// server is at this moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    Tcp {
        host: String,
        port: u16,
    },
    /// Where sentinels say that the master is which they know by this name.
    Master {
        name: Arc<str>,
        host: String,
        port: u16,
    },
    Unix(PathBuf),
}

impl Endpoint {
    /// The one server that `uri` names.
    pub(super) fn of(uri: &RedisUri) -> Result<Self> {
        match (uri.topology(), uri.socket(), uri.host(), uri.port()) {
            (RedisTopology::Socket, Some(path), ..) => Ok(Self::Unix(Path::to_path_buf(path))),
            (RedisTopology::Standalone, None, Some(host), Some(port)) => Ok(Self::Tcp {
                host: host.to_owned(),
                port,
            }),
            _ => Err(Error::new(
                ErrorKind::Unsupported,
                format!("{} names no single server", uri.address()),
            )),
        }
    }
}

impl From<&RedisNode> for Endpoint {
    fn from(node: &RedisNode) -> Self {
        Self::Tcp {
            host: node.host().to_owned(),
            port: node.port(),
        }
    }
}

/// As [`RedisUri::address`] writes it; a master with its name.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } => write_address(f, host, *port),
            Self::Master { name, host, port } => {
                write_address(f, host, *port)?;
                write!(f, " (master {name})")
            }
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_written_as_the_address_of_its_uri() {
        for uri in [
            "redis://h",
            "rediss://h:1",
            "redis://127.0.0.1",
            "redis://[::1]:7",
            "unix:///run/redis.sock",
        ] {
            let uri: RedisUri = uri.parse().unwrap();
            let endpoint = Endpoint::of(&uri).unwrap();
            assert_eq!(endpoint.to_string(), uri.address());
        }
    }

    #[test]
    fn several_servers_are_none() {
        for uri in ["redis-sentinel://a,b#m", "redis-cluster://a"] {
            let error = Endpoint::of(&uri.parse().unwrap()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported);
            assert!(
                error.message().ends_with("names no single server"),
                "{error}"
            );
        }
    }
}
