//! From text to a builder. What the parts may hold is checked by the builder, for both alike.

use super::scheme::{self, Scheme};
use super::{RedisTopology, RedisUri, RedisUriBuilder, host, percent, query};

/// The raw text of a URI after `scheme://`, cut at its separators and not yet decoded.
struct Parts<'a> {
    user_info: Option<&'a str>,
    /// Host list, or nothing for a socket.
    hosts: &'a str,
    /// From the first `/` on, or empty.
    path: &'a str,
    query: &'a str,
    fragment: Option<&'a str>,
}

pub(super) fn parse(text: &str) -> Result<RedisUri, String> {
    let (name, rest) = text
        .split_once("://")
        .ok_or_else(|| format!("there is no `scheme://`; use {}", scheme::all_names()))?;
    let scheme = scheme::find(name)?;
    let parts = split(rest);
    let result = check_characters(text).and_then(|()| read(scheme, &parts));
    // A raw `/`, `?` or `#` in a password spreads it over other parts, which errors name and
    // `Display` shows: where that may have happened, say only this.
    if has_stray_at_sign(scheme, &parts) || (result.is_err() && parts.query.contains('@')) {
        return Err(
            "`@` stands after the first `/`, `?` or `#`: in a user name or password write \
             these as %2F, %3F and %23, elsewhere write `@` as %40"
                .to_owned(),
        );
    }
    result
}

fn split(rest: &str) -> Parts<'_> {
    let (rest, fragment) = match rest.split_once('#') {
        Some((rest, fragment)) => (rest, Some(fragment)),
        None => (rest, None),
    };
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    // The last one: a password may contain `@` as it is.
    let (user_info, hosts) = match authority.rsplit_once('@') {
        Some((user_info, hosts)) => (Some(user_info), hosts),
        None => (None, authority),
    };
    Parts {
        user_info,
        hosts,
        path,
        query,
        fragment,
    }
}

/// Whether an `@` stands where a password with a raw `/` or `#` puts it, and hardly anything else.
/// (In the query it may well be a part of a client's name.)
fn has_stray_at_sign(scheme: Scheme, parts: &Parts<'_>) -> bool {
    let in_path = match scheme.topology {
        RedisTopology::Socket => parts.path.contains("@/"),
        _ => parts.path.contains('@'),
    };
    in_path || parts.fragment.is_some_and(|name| name.contains('@'))
}

fn check_characters(text: &str) -> Result<(), String> {
    let must_be_encoded = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>');
    match text.chars().position(must_be_encoded) {
        Some(index) => Err(format!(
            "character {} is white space, a control character, `<` or `>`; percent-encode it",
            index + 1
        )),
        None => Ok(()),
    }
}

fn read(scheme: Scheme, parts: &Parts<'_>) -> Result<RedisUri, String> {
    let builder = RedisUriBuilder::of(scheme.topology).tls(scheme.tls);
    let builder = read_user_info(builder, parts)?;
    let builder = match scheme.topology {
        RedisTopology::Socket => read_socket(builder, parts)?,
        _ => read_database(read_nodes(builder, parts)?, parts)?,
    };
    let builder = query::read(builder, parts.query)?;
    read_fragment(builder, scheme, parts)?.check()
}

fn read_user_info(builder: RedisUriBuilder, parts: &Parts<'_>) -> Result<RedisUriBuilder, String> {
    let Some(user_info) = parts.user_info else {
        return Ok(builder);
    };
    // As in lettuce: a text alone is the password.
    let (username, password) = user_info.split_once(':').unwrap_or(("", user_info));
    Ok(builder
        .username(percent::decode("the user name", username)?)
        .password(percent::decode("the password", password)?))
}

fn read_socket(builder: RedisUriBuilder, parts: &Parts<'_>) -> Result<RedisUriBuilder, String> {
    if !parts.hosts.is_empty() {
        return Err(
            "the path of a socket begins with `/`, after the scheme or after `@`: \
             redis-socket:///run/redis.sock"
                .to_owned(),
        );
    }
    Ok(builder.socket(percent::decode("the path of the socket", parts.path)?))
}

fn read_nodes(builder: RedisUriBuilder, parts: &Parts<'_>) -> Result<RedisUriBuilder, String> {
    let nodes: Vec<&str> = parts.hosts.split(',').collect();
    let count = nodes.len();
    nodes
        .into_iter()
        .enumerate()
        .try_fold(builder, |builder, (index, node)| {
            let (host, port) =
                split_node(node).map_err(|problem| host::in_node(index, count, problem))?;
            Ok(builder.add_node(host, port))
        })
}

/// Splits `host`, `host:` or `host:port`; the host of an IPv6 address keeps its brackets.
fn split_node(node: &str) -> Result<(&str, Option<u16>), String> {
    let end_of_host = match node.strip_prefix('[') {
        Some(_) => node.find(']').map_or(node.len(), |bracket| bracket + 1),
        None => node.find(':').unwrap_or(node.len()),
    };
    let (host, rest) = node.split_at(end_of_host);
    if rest.is_empty() {
        return Ok((host, None));
    }
    let port = rest
        .strip_prefix(':')
        .ok_or("only `:port` may follow the bracket after an IPv6 address")?;
    if port.contains(':') {
        return Err(
            "there is more than one `:` in host and port; an IPv6 address needs brackets: [::1]:6379"
                .to_owned(),
        );
    }
    match port {
        "" => Ok((host, None)),
        port => Ok((host, Some(host::parse_port(port)?))),
    }
}

fn read_database(builder: RedisUriBuilder, parts: &Parts<'_>) -> Result<RedisUriBuilder, String> {
    match parts.path.strip_prefix('/') {
        None | Some("") => Ok(builder),
        Some(number) => {
            let number = percent::decode("the database", number)?;
            Ok(builder.database(query::parse_database(&number)?))
        }
    }
}

fn read_fragment(
    builder: RedisUriBuilder,
    scheme: Scheme,
    parts: &Parts<'_>,
) -> Result<RedisUriBuilder, String> {
    let Some(fragment) = parts.fragment else {
        return Ok(builder);
    };
    if scheme.topology != RedisTopology::Sentinel {
        // redis-rs turns certificate checks off with `#insecure`.
        return Err(
            "`#` belongs to Sentinel URIs only, where the name of the master follows; \
             instead of `#insecure` write ?verifyPeer=NONE"
                .to_owned(),
        );
    }
    let name = percent::decode("the name of the master", fragment)?;
    if builder.master_id().is_some_and(|in_query| in_query != name) {
        return Err(
            "`sentinelMasterId` and the text after `#` name two different masters; give one"
                .to_owned(),
        );
    }
    Ok(builder.sentinel_master_id(name))
}
