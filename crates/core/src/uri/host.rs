//! Hosts, ports and the nodes they make.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

const LONGEST_NAME: usize = 253;
const LONGEST_LABEL: usize = 63;

/// Where a server listens: a host and port of a [`RedisUri`](super::RedisUri), or as a cluster names one of its nodes.
/// Cheap to clone.
///
/// [`Display`](fmt::Display) writes `host:port`, an IPv6 address in brackets.
///
/// ```
/// use redis_manager_core::RedisUri;
///
/// let uri = RedisUri::parse("redis://[::1]:6380")?;
/// assert_eq!(uri.nodes()[0].host(), "::1");
/// assert_eq!(uri.nodes()[0].port(), 6380);
/// assert_eq!(uri.nodes()[0].to_string(), "[::1]:6380");
/// # Ok::<(), redis_manager_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RedisNode {
    host: Arc<str>,
    port: u16,
}

impl RedisNode {
    pub(super) fn new(host: &str, port: u16) -> Result<Self, String> {
        Ok(Self {
            host: normalize(host)?.into(),
            port: check_port(port)?,
        })
    }

    /// As a server names it, which is taken as it is.
    pub(crate) fn at(host: &str, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
        }
    }

    /// Another port of the same host.
    pub(crate) fn with_port(&self, port: u16) -> Self {
        let host = Arc::clone(&self.host);
        Self { host, port }
    }

    /// The host name or IP address; IPv6 without brackets, and in its shortest form if it is a URI's.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, 1–65535.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for RedisNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_address(f, &self.host, self.port)
    }
}

/// Writes `host:port`, an IPv6 address in brackets.
pub(crate) fn write_address(f: &mut fmt::Formatter<'_>, host: &str, port: u16) -> fmt::Result {
    if host.contains(':') {
        write!(f, "[{host}]:{port}")
    } else {
        write!(f, "{host}:{port}")
    }
}

/// Reads a port. No sign, no space: `u16::from_str` alone would take `+6379`.
pub(super) fn parse_port(text: &str) -> Result<u16, String> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(port) if digits => check_port(port),
        _ => Err(port_range()),
    }
}

/// Says which of several nodes has the problem.
pub(super) fn in_node(index: usize, count: usize, problem: String) -> String {
    match count {
        1 => problem,
        _ => format!("node {}: {problem}", index + 1),
    }
}

fn check_port(port: u16) -> Result<u16, String> {
    if port == 0 {
        return Err(port_range());
    }
    Ok(port)
}

fn port_range() -> String {
    "the port must be a number from 1 to 65535".to_owned()
}

/// Checks a host name or address and drops the brackets of an IPv6 address.
///
/// The errors never repeat the host: of a mangled URI it may be a part of the password.
fn normalize(host: &str) -> Result<String, String> {
    if host.is_empty() {
        return Err("the host is empty".to_owned());
    }
    if let Some(rest) = host.strip_prefix('[') {
        let inner = rest
            .strip_suffix(']')
            .ok_or("the bracket before the IPv6 address is not closed")?;
        return normalize_ipv6(inner);
    }
    if host.contains(':') {
        return normalize_ipv6(host);
    }
    check_name(host)?;
    Ok(host.to_owned())
}

fn normalize_ipv6(text: &str) -> Result<String, String> {
    if text.contains('%') {
        return Err("an IPv6 zone (`%…`) is not supported".to_owned());
    }
    let address: Ipv6Addr = text
        .parse()
        .map_err(|_| "the host contains `:` or brackets but is no IPv6 address".to_owned())?;
    // `::ffff:0.0.0.0` is the same wildcard in IPv6 clothes.
    if address.is_unspecified()
        || address
            .to_ipv4_mapped()
            .is_some_and(|v4| v4.is_unspecified())
    {
        return Err(wildcard());
    }
    Ok(address.to_string())
}

fn check_name(host: &str) -> Result<(), String> {
    if !host.is_ascii() {
        return Err("the host name is not ASCII; write it in its `xn--` form".to_owned());
    }
    if host.len() > LONGEST_NAME {
        return Err(format!(
            "the host name is longer than {LONGEST_NAME} characters"
        ));
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if !host.bytes().all(allowed) {
        return Err(
            "the host may contain only letters, digits, `-`, `_` and `.`, or be an IPv6 address in brackets"
                .to_owned(),
        );
    }
    let mut labels = host.strip_suffix('.').unwrap_or(host).split('.');
    if labels
        .clone()
        .any(|label| label.is_empty() || label.len() > LONGEST_LABEL)
    {
        return Err(format!(
            "each part of the host name between dots must have 1 to {LONGEST_LABEL} characters"
        ));
    }
    // Resolvers read `0`, `0x0` and `1.2` as IPv4 addresses too: the wildcard must not slip through.
    if labels.next_back().is_some_and(is_number) {
        match host.parse::<Ipv4Addr>() {
            Ok(address) if address.is_unspecified() => return Err(wildcard()),
            Ok(_) => {}
            Err(_) => {
                return Err(
                    "the host ends in a number but is no IPv4 address such as 127.0.0.1".to_owned(),
                );
            }
        }
    }
    Ok(())
}

fn is_number(label: &str) -> bool {
    let hexadecimal = label
        .strip_prefix("0x")
        .or_else(|| label.strip_prefix("0X"));
    match hexadecimal {
        Some(digits) => digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
        None => label.bytes().all(|byte| byte.is_ascii_digit()),
    }
}

fn wildcard() -> String {
    "0.0.0.0 and :: are addresses to listen on, not to connect to; use 127.0.0.1, ::1 or a name"
        .to_owned()
}
