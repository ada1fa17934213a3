//! A script that is told when keys change, by keyspace notifications. Runs by itself:
//! `cargo run --example keyspace_notifications`.
//!
//! The server tells of changes only if its setting `notify-keyspace-events` asks for it; see
//! <https://redis.io/docs/latest/develop/use/keyspace-notifications/>.

#![allow(clippy::print_stdout, reason = "it prints for a person")]

use std::error::Error;
use std::sync::mpsc;

use redis_manager::prelude::*;
use redis_manager_support::ServerHandle;

fn main() -> Result<(), Box<dyn Error>> {
    let server = ServerHandle::for_examples()?;
    let manager = RedisManager::new()?;
    let script = manager.load_script("auction")?;

    let client = manager.open::<RedisCommandClient>(&script, server.url())?;
    let mut commands = client.commands();
    // K: by key, E: by event, A: of every kind. On a server that others use it is for its operator to decide.
    redis::cmd("CONFIG")
        .arg(&["SET", "notify-keyspace-events", "KEA"])
        .exec(&mut commands)?;

    let pubsub = manager.open::<RedisPubSubClient>(&script, server.url())?;
    let (sender, events) = mpsc::channel();
    let by_key = sender.clone();
    // The channel names the key, the message the event …
    pubsub.register_pattern_listener("__keyspace@0__:auction:*", move |message: &Message| {
        let (channel, event) = (message.channel_str()?, message.payload_str()?);
        Ok(by_key.send(format!("{event:8} {channel}"))?)
    })?;
    // … or the other way round.
    pubsub.register_listener("__keyevent@0__:expired", move |message: &Message| {
        Ok(sender.send(format!("over:    {}", message.payload_str()?))?)
    })?;

    commands.pset_ex::<_, _, ()>("auction:sword", 100, 200)?;
    commands.incr::<_, _, ()>("auction:sword", 20)?;
    loop {
        let event = events.recv_timeout(Duration::from_secs(10))?;
        println!("{event}");
        if event.starts_with("over") {
            break;
        }
    }
    println!("{}", manager.unload_script(&script));
    Ok(())
}
