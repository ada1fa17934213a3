//! Where a node of a cluster is.

use std::fmt;
use std::sync::Arc;

use crate::uri::write_address;

/// The host and port of a node, as the cluster names it. Cheap to clone.
///
/// [`Display`](fmt::Display) writes `host:port`, an IPv6 address in brackets.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeAddress {
    host: Arc<str>,
    port: u16,
}

impl NodeAddress {
    pub(crate) fn new(host: &str, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
        }
    }

    /// A host name or an IP address, IPv6 without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port of its clients, 1–65535.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The node that one `asked` names by `host`, which is empty if it does not know its own, and `?` if it does not
    /// know that of another: `None`.
    pub(super) fn named(host: &str, port: u16, asked: &Self) -> Option<Self> {
        match host {
            "?" => None,
            _ if port == 0 => None,
            "" => Some(Self {
                host: Arc::clone(&asked.host),
                port,
            }),
            _ if host == asked.host() && port == asked.port => Some(asked.clone()),
            _ => Some(Self::new(host, port)),
        }
    }

    /// Reads the `host:port` of a redirection by `asked`, where an IPv6 address has no brackets. `None` if it is none.
    pub(super) fn redirected(text: &str, asked: &Self) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
        let port = port.parse().ok().filter(|_| is_number)?;
        let bare = host.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
        Self::named(bare.unwrap_or(host), port, asked)
    }
}

impl fmt::Display for NodeAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_address(f, &self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirection_names_a_node_by_its_last_colon() {
        let asked = NodeAddress::new("10.0.0.1", 7_000);
        for (text, host, port, shown) in [
            ("127.0.0.1:7001", "127.0.0.1", 7_001, "127.0.0.1:7001"),
            (
                "node-2.example:7001",
                "node-2.example",
                7_001,
                "node-2.example:7001",
            ),
            ("::1:7000", "::1", 7_000, "[::1]:7000"),
            ("[::1]:7000", "::1", 7_000, "[::1]:7000"),
            ("fe80::1:2:7000", "fe80::1:2", 7_000, "[fe80::1:2]:7000"),
            (":7002", "10.0.0.1", 7_002, "10.0.0.1:7002"),
        ] {
            let node = NodeAddress::redirected(text, &asked).unwrap();
            assert_eq!((node.host(), node.port()), (host, port), "{text}");
            assert_eq!(node.to_string(), shown);
        }
    }

    #[test]
    fn what_names_no_node_is_none() {
        let asked = NodeAddress::new("10.0.0.1", 7_000);
        for text in [
            "",
            ":",
            "host",
            "host:",
            "?:7000",
            "host:0",
            "host:+1",
            "host:65536",
            "host:7000 ",
        ] {
            assert_eq!(NodeAddress::redirected(text, &asked), None, "{text}");
        }
    }
}
