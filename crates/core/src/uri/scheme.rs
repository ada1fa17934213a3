//! The schemes that are understood, and the ones that are written.

use super::RedisTopology::{self, Cluster, Sentinel, Socket, Standalone};

/// A scheme: how it is spelt, what it points at and whether it asks for TLS.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scheme {
    pub(super) name: &'static str,
    pub(super) topology: RedisTopology,
    pub(super) tls: bool,
}

const fn scheme(name: &'static str, topology: RedisTopology, tls: bool) -> Scheme {
    Scheme {
        name,
        topology,
        tls,
    }
}

/// Of two spellings that mean the same the first is the canonical one.
const SCHEMES: [Scheme; 15] = [
    scheme("redis", Standalone, false),
    scheme("rediss", Standalone, true),
    scheme("redis-socket", Socket, false),
    scheme("redis-sentinel", Sentinel, false),
    scheme("rediss-sentinel", Sentinel, true),
    scheme("redis-cluster", Cluster, false),
    scheme("rediss-cluster", Cluster, true),
    scheme("redis+ssl", Standalone, true),
    scheme("redis+tls", Standalone, true),
    scheme("valkey", Standalone, false),
    scheme("valkeys", Standalone, true),
    scheme("redis+socket", Socket, false),
    scheme("unix", Socket, false),
    scheme("redis+unix", Socket, false),
    scheme("valkey+unix", Socket, false),
];

/// Finds the scheme that is spelt `name`, in whatever case.
///
/// # Errors
///
/// Says which schemes there are. `name` is repeated only if it has the form of a scheme: in a
/// mangled URI it may hold the password.
pub(super) fn find(name: &str) -> Result<Scheme, String> {
    SCHEMES
        .into_iter()
        .find(|scheme| scheme.name.eq_ignore_ascii_case(name))
        .ok_or_else(|| {
            let shown = if is_scheme(name) {
                format!("unknown scheme `{name}`")
            } else {
                "the text before `://` is no scheme".to_owned()
            };
            format!("{shown}; use {}", all_names())
        })
}

/// The spelling to write for a topology with or without TLS.
pub(super) fn canonical(topology: RedisTopology, tls: bool) -> &'static str {
    SCHEMES
        .iter()
        .find(|scheme| scheme.topology == topology && scheme.tls == tls)
        .map_or("redis", |scheme| scheme.name)
}

/// Every spelling, for an error message.
pub(super) fn all_names() -> String {
    SCHEMES.map(|scheme| scheme.name).join(", ")
}

fn is_scheme(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}
