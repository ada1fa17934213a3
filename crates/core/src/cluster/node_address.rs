//! Where a node of a cluster listens.

use std::fmt;
use std::sync::Arc;

/// A host and a port, as nodes name each other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeAddress {
    host: Arc<str>,
    port: u16,
}

impl NodeAddress {
    pub(crate) fn new(host: impl Into<Arc<str>>, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
        }
    }

    /// Reads one as redirections write it. A host that is left out is that of `asked`.
    pub(crate) fn read(text: &str, asked: &Self) -> Option<Self> {
        // The host may be an IPv6 address without brackets.
        let (host, port) = text.rsplit_once(':')?;
        let port = port.parse().ok().filter(|port| *port != 0)?;
        Some(match host.trim_start_matches('[').trim_end_matches(']') {
            "" => Self {
                host: Arc::clone(&asked.host),
                port,
            },
            host => Self::new(host, port),
        })
    }

    /// The host name or IP address; IPv6 without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for NodeAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') {
            write!(f, "[{host}]:{port}")
        } else {
            write!(f, "{host}:{port}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_redirections_write_it() {
        let asked = NodeAddress::new("asked", 1);
        let read = |text| NodeAddress::read(text, &asked).map(|address| address.to_string());
        assert_eq!(read("10.0.0.1:7000").as_deref(), Some("10.0.0.1:7000"));
        assert_eq!(read("h.example:7000").as_deref(), Some("h.example:7000"));
        assert_eq!(read("::1:7000").as_deref(), Some("[::1]:7000"));
        assert_eq!(read("[::1]:7000").as_deref(), Some("[::1]:7000"));
        assert_eq!(read(":7000").as_deref(), Some("asked:7000"));
        for wrong in ["", "h", "h:", "h:0", "h:65536", "h:x"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
