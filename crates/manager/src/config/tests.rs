//! Files, variables and refusals, without a server.

mod files;
mod passwords;
mod scripts;
mod sentinels;
mod tls;
mod variables;

use super::*;

const FULL: &str = r#"
[servers.main]
uri = "redis://cache.example.com:7000/2?clientName=game"
username = "scripts"
password_file = "/run/secrets/redis"
options = { command_timeout = "500ms", heartbeat = "off" }

[servers.events-2]
uri = "redis://events.example.com"

[default_script]
key_prefix = "{script}:"
limits = { clients = 4, sessions = 2 }
denied_commands = ["FLUSHALL"]

[scripts.economy]
limits = { clients = 8 }

[scripts.admin]
inherit = false
denied_commands = ["SHUTDOWN"]

[resources]
callback_threads = 3
"#;

fn full() -> ManagerConfig {
    toml::from_str(FULL).unwrap()
}

/// What is said of a file that is wrong.
fn refusal(text: &str) -> String {
    let error = toml::from_str::<ManagerConfig>(text).unwrap_err();
    // All that there is of it, not the bare message alone.
    error.to_string().trim_end().to_owned()
}

fn with(variables: &[(&str, &str)]) -> Result<ManagerConfig> {
    full().with_variables("REDIS_MANAGER", variables.iter().copied())
}

fn variable(name: &str, value: &str) -> Result<ManagerConfig> {
    with(&[(&format!("REDIS_MANAGER_{name}"), value)])
}

fn misfit(name: &str, value: &str) -> String {
    variable(name, value).unwrap_err().message().to_owned()
}
