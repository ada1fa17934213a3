//! The names under which scripts call commands.

use redis_manager_core::{Delivery, Error, ErrorKind, Result};

/// The commands that are nothing without a subcommand.
const CONTAINERS: [&str; 17] = [
    "ACL", "CLIENT", "CLUSTER", "COMMAND", "CONFIG", "DEBUG", "FUNCTION", "LATENCY", "MEMORY",
    "MODULE", "OBJECT", "PUBSUB", "SCRIPT", "SENTINEL", "SLOWLOG", "XGROUP", "XINFO",
];

/// The subcommands that Redis writes with dashes. All others of several words it writes as one.
const DASHED: [&str; 5] = [
    "NO-EVICT",
    "NO-TOUCH",
    "MALLOC-STATS",
    "COUNT-FAILURE-REPORTS",
    "SET-CONFIG-EPOCH",
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

/// What a name in humps or with underscores means, if its first part is a container. One in capitals is meant as it is.
fn with_subcommand(word: &str) -> Option<Vec<String>> {
    let end = word.find(|letter: char| letter.is_ascii_uppercase() || letter == '_')?;
    let (container, rest) = word.split_at(end);
    let container = container.to_ascii_uppercase();
    if !CONTAINERS.contains(&container.as_str()) {
        return None;
    }
    let subcommand = rest.replace('_', "").to_ascii_uppercase();
    let is_meant = |dashed: &&&str| dashed.replace('-', "") == subcommand;
    let dashed = DASHED.iter().find(is_meant);
    let subcommand = dashed.map_or(subcommand.clone(), |dashed| (*dashed).to_owned());
    Some(vec![container, subcommand])
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
            ("memoryMallocStats", "MEMORY MALLOC-STATS"),
            ("command_get_keys", "COMMAND GETKEYS"),
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
