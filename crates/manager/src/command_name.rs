//! The names under which scripts call commands.

use redis_manager_core::{Delivery, Error, ErrorKind, Result};

/// The commands that are nothing without a subcommand.
const CONTAINERS: [&str; 17] = [
    "ACL", "CLIENT", "CLUSTER", "COMMAND", "CONFIG", "DEBUG", "FUNCTION", "LATENCY", "MEMORY",
    "MODULE", "OBJECT", "PUBSUB", "SCRIPT", "SENTINEL", "SLOWLOG", "XGROUP", "XINFO",
];

/// The words of the command that a script calls `name`: as Redis writes it (`HSET`, `CLIENT GETNAME`), as lettuce's
/// methods are named, and so PySpigot's (`hset`, `clientGetname`, `clientNoEvict`), or as Python's (`client_getname`).
pub(crate) fn command_words(name: &str) -> Result<Vec<String>> {
    let words: Vec<_> = name.split_ascii_whitespace().collect();
    let words = match words[..] {
        [word] => with_subcommand(word).unwrap_or_else(|| vec![word.to_ascii_uppercase()]),
        _ => words.iter().map(|word| word.to_ascii_uppercase()).collect(),
    };
    let is_name = |word: &String| word.bytes().all(|byte| byte.is_ascii_graphic());
    if words.is_empty() || !words.iter().all(is_name) {
        let message = format!("{:?} is no name of a command", name);
        let error = Error::new(ErrorKind::InvalidArgument, message);
        return Err(error.with_delivery(Delivery::NotSent));
    }
    Ok(words)
}

fn with_subcommand(word: &str) -> Option<Vec<String>> {
    let is_hump = |byte: u8| byte.is_ascii_uppercase() || byte == b'_';
    // In capitals it is a name as Redis writes it.
    let first = word.bytes().next().filter(u8::is_ascii_lowercase)?;
    debug_assert!(!is_hump(first));
    let (container, rest) = word.split_at_checked(word.bytes().position(is_hump)?)?;
    let container = container.to_ascii_uppercase();
    if !CONTAINERS.contains(&container.as_str()) {
        return None;
    }
    let rest = rest.trim_start_matches('_');
    // NO-EVICT and NO-TOUCH; the other names of two words are written as one.
    let subcommand = match rest.strip_prefix("No").or(rest.strip_prefix("no_")) {
        Some(what)
            if what.starts_with(|first: char| first.is_uppercase()) || rest.contains('_') =>
        {
            format!("NO-{what}")
        }
        _ => rest.replace('_', "-"),
    };
    Some(vec![container, subcommand.to_ascii_uppercase()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_redis_of_lettuce_and_of_python() {
        for (name, words) in [
            ("GET", "GET"),
            ("hset", "HSET"),
            ("hSet", "HSET"),
            ("georadius_ro", "GEORADIUS_RO"),
            ("JSON.GET", "JSON.GET"),
            ("CLIENT GETNAME", "CLIENT GETNAME"),
            ("client  no-evict", "CLIENT NO-EVICT"),
            ("clientGetname", "CLIENT GETNAME"),
            ("client_getname", "CLIENT GETNAME"),
            ("clientNoEvict", "CLIENT NO-EVICT"),
            ("client_no_evict", "CLIENT NO-EVICT"),
            ("xgroupCreate", "XGROUP CREATE"),
            ("objectEncoding", "OBJECT ENCODING"),
            ("pubsubNumsub", "PUBSUB NUMSUB"),
            ("scriptLoad", "SCRIPT LOAD"),
            ("command", "COMMAND"),
        ] {
            assert_eq!(command_words(name).unwrap().join(" "), words, "{name}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for name in ["", "  ", "gét", "get\u{7f}"] {
            let error = command_words(name).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{name}");
        }
    }
}
