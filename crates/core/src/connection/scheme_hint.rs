//! What a URI begins with if TLS is wanted, or is not, or if others are there than it says. Pure.

use super::endpoint::Endpoint;
use crate::{RedisTopology, RedisUri};

/// For errors of a connection to `endpoint` on which the one end speaks TLS and the other does not: what the URI begins
/// with, instead of `uri`, if there is TLS.
pub(super) fn with_tls(uri: &RedisUri, endpoint: &Endpoint) -> String {
    match endpoint {
        Endpoint::Unix(_) => "no URI of a Unix socket asks for TLS".to_owned(),
        _ => begins(uri, endpoint, true),
    }
}

/// The same if there is none.
pub(super) fn without_tls(uri: &RedisUri, endpoint: &Endpoint) -> String {
    let plain = begins(uri, endpoint, false);
    match is_told_by_others(uri, endpoint) {
        // A cluster's nodes tell of each other the ports that they use themselves.
        true => format!("{plain}, and with TLS the nodes have `tls-cluster yes`"),
        false => plain,
    }
}

/// For errors of a connection to a server that belongs to no cluster, although `uri` is that of one.
pub(super) fn without_cluster(uri: &RedisUri) -> String {
    let scheme = uri.scheme_of(RedisTopology::Standalone);
    format!("the URI of one server begins with {scheme}://")
}

/// The same of one that is no sentinel.
pub(super) fn without_sentinels(uri: &RedisUri) -> String {
    let cluster = uri.scheme_of(RedisTopology::Cluster);
    format!(
        "{}, that of a cluster with {cluster}://",
        without_cluster(uri)
    )
}

fn begins(uri: &RedisUri, endpoint: &Endpoint, tls: bool) -> String {
    let scheme = uri.scheme_with(tls);
    // Whoever has found the master speaks to the sentinels already, and needs another port of one of them.
    let for_all = match endpoint {
        Endpoint::Master { .. } => ", for the sentinels too",
        _ => "",
    };
    format!("the URI begins with {scheme}://{for_all}")
}

/// Whether it is a node of a cluster that the URI does not name.
fn is_told_by_others(uri: &RedisUri, endpoint: &Endpoint) -> bool {
    let is_named = |host: &str, port: u16| {
        let mut nodes = uri.nodes().iter();
        nodes.any(|node| node.host() == host && node.port() == port)
    };
    match endpoint {
        Endpoint::Tcp { host, port } => {
            uri.topology() == RedisTopology::Cluster && !is_named(host, *port)
        }
        Endpoint::Master { .. } | Endpoint::Unix(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(port: u16) -> Endpoint {
        Endpoint::Tcp {
            host: "h".to_owned(),
            port,
        }
    }

    fn uri(text: &str) -> RedisUri {
        text.parse().unwrap()
    }

    #[test]
    fn it_is_the_scheme_of_what_the_uri_points_at() {
        for (plain, secure) in [
            ("redis://h", "rediss://h"),
            (
                "redis-sentinel://h:6379#main",
                "rediss-sentinel://h:6379#main",
            ),
            ("redis-cluster://h", "rediss-cluster://h"),
            ("valkey://h", "valkeys://h"),
        ] {
            let begins = |text: &str| {
                let scheme = uri(text).to_url_with_password();
                let (scheme, _) = scheme.split_once("://").unwrap();
                format!("the URI begins with {scheme}://")
            };
            assert_eq!(with_tls(&uri(plain), &at(6379)), begins(secure));
            assert_eq!(without_tls(&uri(secure), &at(6379)), begins(plain));
        }
    }

    #[test]
    fn what_the_uri_does_not_point_at_has_another_scheme() {
        for (begins, tls) in [("redis", ""), ("rediss", "s")] {
            let cluster = uri(&format!("{begins}-cluster://h"));
            let one = format!("the URI of one server begins with redis{tls}://");
            assert_eq!(without_cluster(&cluster), one);
            let sentinels = uri(&format!("{begins}-sentinel://h#main"));
            let others = format!("{one}, that of a cluster with redis{tls}-cluster://");
            assert_eq!(without_sentinels(&sentinels), others);
        }
    }

    #[test]
    fn over_a_unix_socket_there_is_no_tls() {
        let uri = uri("unix:///run/redis.sock");
        let endpoint = Endpoint::of(&uri).unwrap();
        let hint = with_tls(&uri, &endpoint);
        assert_eq!(hint, "no URI of a Unix socket asks for TLS");
    }

    #[test]
    fn what_is_said_of_a_master_holds_for_the_sentinels_too() {
        let master = Endpoint::Master {
            name: "main".into(),
            host: "h".to_owned(),
            port: 6379,
        };
        let secure = with_tls(&uri("redis-sentinel://s#main"), &master);
        assert_eq!(
            secure,
            "the URI begins with rediss-sentinel://, for the sentinels too"
        );
    }

    #[test]
    fn a_node_that_others_told_of_may_have_another_port_with_tls() {
        let uri = uri("rediss-cluster://h:7000");
        let named = without_tls(&uri, &at(7000));
        assert_eq!(named, "the URI begins with redis-cluster://");
        let told = without_tls(&uri, &at(7001));
        assert!(told.ends_with("`tls-cluster yes`"), "{told}");
    }
}
