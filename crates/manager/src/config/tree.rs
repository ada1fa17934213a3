//! A configuration as a tree of values, whatever format it is read from. Pure.

use std::collections::BTreeMap;

use redis_manager_core::LimitName;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::problem::{Problem, at};
use super::{ManagerConfig, ResourcesConfig, ScriptConfig, ServerConfig};

/// As it is written.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Written {
    servers: BTreeMap<String, ServerConfig>,
    default_script: ScriptConfig,
    scripts: BTreeMap<String, ScriptConfig>,
    resources: ResourcesConfig,
}

/// Reads a configuration. The error says where it is wrong, and repeats nothing that could be a password.
pub(super) fn read(tree: Value) -> Result<ManagerConfig, Problem> {
    check_servers(&tree)?;
    let written: Written = serde_path_to_error::deserialize(tree).map_err(|error| {
        let path = match error.path().to_string() {
            path if path == "." => String::new(),
            path => path,
        };
        Problem::new(path, without_text(&error.inner().to_string()))
    })?;
    for (name, server) in &written.servers {
        let checked = server.check();
        checked.map_err(|problem| problem.below(&at(["servers", name])))?;
    }
    Ok(ManagerConfig {
        servers: written.servers,
        default_script: written.default_script,
        scripts: written.scripts,
        resources: written.resources,
    })
}

/// Where a URI or a password is given in the wrong place, serde's error would show it.
fn check_servers(tree: &Value) -> Result<(), Problem> {
    let Some(servers) = tree.get("servers") else {
        return Ok(());
    };
    let Some(servers) = servers.as_object() else {
        return Err(Problem::new(
            "servers",
            "it must be a table of servers by name",
        ));
    };
    for (name, server) in servers {
        let path = at(["servers", name]);
        let Some(server) = server.as_object() else {
            return Err(Problem::new(path, "it must be a table with a `uri`"));
        };
        if name.is_empty() {
            return Err(Problem::new("servers", "a server's name is empty"));
        }
        let sentinel = server.get("sentinel").and_then(Value::as_object);
        let tables = [
            Some((server, "password")),
            sentinel.map(|table| (table, "sentinel.password")),
        ];
        if let Some((_, place)) = tables
            .into_iter()
            .flatten()
            .find(|(table, _)| table.contains_key("password"))
        {
            let what = "a password does not stand in the configuration; put it into a file and its path into \
                        `password_file`, or into the environment and the variable's name into `password_env`";
            return Err(Problem::new(place, what).below(&path));
        }
    }
    Ok(())
}

/// A message of serde without the text that it found where something else belongs.
fn without_text(message: &str) -> String {
    const FOUND: &str = "invalid type: string \"";
    let expected = message
        .strip_prefix(FOUND)
        .and(message.rsplit_once(", expected "));
    match expected {
        Some((_, expected)) => format!("invalid type: a text, expected {expected}"),
        None => message.to_owned(),
    }
}

/// The whole of `config` with every entry that there could be; one that is not set is null. With the passwords in URIs
/// and the texts of private keys, and no other secrets.
pub(super) fn write(config: &ManagerConfig) -> Result<Value, Problem> {
    let mut bare = config.clone();
    let mut uris = Vec::new();
    let mut keys = Vec::new();
    for (name, server) in &mut bare.servers {
        let (uri, without) = server.split_uri();
        *server = without;
        uris.push((name.clone(), uri));
        if let Some((key, without)) = server.split_key() {
            *server = without;
            keys.push((name.clone(), key));
        }
    }
    let written = serde_json::to_value(&bare);
    let mut tree = written.map_err(|error| Problem::new("", error.to_string()))?;
    for (name, uri) in uris {
        tree["servers"][name]["uri"] = uri.into();
    }
    if let Some(servers) = tree["servers"].as_object_mut() {
        for server in servers.values_mut() {
            let tls = &mut server["options"]["tls"];
            fill(tls, ["ca", "certificate", "key"]);
        }
    }
    for (name, key) in keys {
        tree["servers"][name]["options"]["tls"]["key"] = key.into();
    }
    fill_limits(&mut tree["default_script"]["limits"]);
    if let Some(scripts) = tree["scripts"].as_object_mut() {
        for script in scripts.values_mut() {
            fill_limits(&mut script["limits"]);
        }
    }
    Ok(tree)
}

fn fill_limits(limits: &mut Value) {
    fill(limits, LimitName::all().map(LimitName::name));
}

fn fill<'a>(table: &mut Value, names: impl IntoIterator<Item = &'a str>) {
    let table: Option<&mut Map<String, Value>> = table.as_object_mut();
    if let Some(table) = table {
        for name in names {
            table.entry(name).or_insert(Value::Null);
        }
    }
}
