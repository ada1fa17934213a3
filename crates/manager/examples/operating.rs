//! What an operator sees: a host lets three scripts work for a moment, and prints the table. Runs by itself:
//! `cargo run --example operating`.
//!
//! The server is a real one that the example starts, unless `REDIS_URL` names one that is running.

#![allow(clippy::print_stdout, reason = "it prints for a person")]

use std::error::Error;
use std::thread;
use std::time::{Duration, Instant};

use redis_manager::ClientResources;
use redis_manager::prelude::*;
use redis_manager_support::ServerHandle;

type AnyResult<T = ()> = Result<T, Box<dyn Error>>;

fn main() -> AnyResult {
    let server = ServerHandle::for_examples()?;
    // Calls are counted only if that is asked for.
    let resources = ClientResources::builder().statistics(true).build()?;
    let manager = RedisManager::with_resources(resources);

    let limits = ScriptLimits::none()
        .with_clients(2)
        .with_commands_in_flight(64);
    let economy =
        manager.load_script_with("economy", ScriptOptions::default().with_limits(limits))?;
    let chat = manager.load_script("chat")?;
    let radio = manager.load_script("radio")?;

    let bank: RedisCommandClient = manager.open(&economy, server.url())?;
    let room: RedisPubSubClient = manager.open(&chat, server.url())?;
    room.register_listener("global", |_: &Message| Ok(()))?;

    // It keeps up with nothing, so that it has something to show.
    let short = manager.new_client_options().listener_queue_size(100);
    let receiver: RedisPubSubClient = manager.open_with(&radio, server.url(), short.build()?)?;
    receiver.register_listener("global", |_: &Message| {
        thread::sleep(Duration::from_millis(100));
        Ok(())
    })?;

    let mut commands = bank.commands();
    let deadline = Instant::now() + Duration::from_secs(2);
    while Instant::now() < deadline {
        commands.incr::<_, _, i64>("balance:alice", 1)?;
        commands.set::<_, _, ()>("name", "alice")?;
        room.publish("global", "hello")?;
    }
    if commands.incr::<_, _, i64>("name", 1).is_err() {
        println!("a mistake of \"economy\" is among its errors");
    }
    let _session = bank.session()?;

    let snapshot = manager.snapshot();
    println!("\n{snapshot}");
    println!("\n{}", snapshot.by_client());
    manager.shutdown()?;
    Ok(())
}
