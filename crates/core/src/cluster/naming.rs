//! What nodes of a cluster call each other.

use crate::RedisNode;

/// The node that one `asked` names by `host`, which is empty if it does not know its own, and `?` if it does not
/// know that of another: `None`.
pub(super) fn named(host: &str, port: u16, asked: &RedisNode) -> Option<RedisNode> {
    match host {
        "?" => None,
        _ if port == 0 => None,
        "" => Some(asked.with_port(port)),
        _ if host == asked.host() && port == asked.port() => Some(asked.clone()),
        _ => Some(RedisNode::at(host, port)),
    }
}

/// Reads the `host:port` of a redirection by `asked`, where an IPv6 address has no brackets. `None` if it is none.
pub(super) fn redirected(text: &str, asked: &RedisNode) -> Option<RedisNode> {
    let (host, port) = text.rsplit_once(':')?;
    let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
    let port = port.parse().ok().filter(|_| is_number)?;
    let bare = host.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
    named(bare.unwrap_or(host), port, asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirection_names_a_node_by_its_last_colon() {
        let asked = RedisNode::at("10.0.0.1", 7_000);
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
            let node = redirected(text, &asked).unwrap();
            assert_eq!((node.host(), node.port()), (host, port), "{text}");
            assert_eq!(node.to_string(), shown);
        }
    }

    #[test]
    fn what_names_no_node_is_none() {
        let asked = RedisNode::at("10.0.0.1", 7_000);
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
            assert_eq!(redirected(text, &asked), None, "{text}");
        }
    }
}
