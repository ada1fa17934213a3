//! A host whose servers, and what scripts may do, stand in a file: `configured.toml`. Runs by itself:
//! `cargo run --example configured`.
//!
//! The script knows the name of its server, and neither an address nor a password.

#![allow(clippy::print_stdout, reason = "it prints for a person")]

use std::error::Error;

use redis_manager::prelude::*;
use redis_manager_support::ServerHandle;

const FILE: &str = include_str!("configured.toml");
const PREFIX: &str = "REDIS_MANAGER";

fn main() -> Result<(), Box<dyn Error>> {
    let server = ServerHandle::for_examples()?;
    // The bare message: the whole would repeat the line.
    let config: ManagerConfig = toml::from_str(FILE).map_err(|error| error.message().to_owned())?;
    // As whoever starts the program would have set them.
    let uri: RedisUri = server.url().parse()?;
    let bare = uri.clone().with_login("", "");
    let mut variables = vec![("REDIS_MANAGER_SERVERS_MAIN_URI", bare.to_string())];
    for (name, value) in [
        ("REDIS_MANAGER_SERVERS_MAIN_USERNAME", uri.username()),
        ("REDIS_MANAGER_SERVERS_MAIN_PASSWORD", uri.password()),
    ] {
        variables.extend(value.map(|value| (name, value.to_owned())));
    }
    let config = config.with_variables(PREFIX, variables)?;
    let manager = RedisManager::from_config(config.with_environment(PREFIX)?)?;
    println!("{:#?}", manager.config().server("main"));

    for name in ["economy", "chat"] {
        let script = manager.load_script(name)?;
        run(&manager, &script)?;
    }
    for script in manager.scripts() {
        let options = script.options();
        println!(
            "{script} has {} as key prefix",
            options.key_prefix().map_or("nothing", KeyPrefix::as_str)
        );
        println!("{}", manager.unload_script(&script));
    }
    Ok(())
}

/// What a script does, whichever it is: each has its own `visits`.
fn run(manager: &RedisManager, script: &ScriptHandle) -> redis_manager::Result<()> {
    let client = manager.open_redis_client(script, ClientType::Command, named("main"))?;
    let AnyClient::Command(client) = client else {
        return Ok(());
    };
    let visits: i64 = client.commands().incr("visits", 1)?;
    println!("{script} was visited {visits} times");
    let refused = redis::cmd("FLUSHALL").exec(&mut client.commands());
    if let Err(refused) = refused {
        println!("{script}: {refused}");
    }
    Ok(())
}
