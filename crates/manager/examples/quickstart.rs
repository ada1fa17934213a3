//! Two scripts on one host: what each opens, what it does with it, and how one of them is unloaded
//! without a trace. Runs by itself: `cargo run --example quickstart`.
//!
//! The scripts are Rust functions here. The server is a real one that the example starts, unless
//! `REDIS_URL` names one that is running.

#![allow(clippy::print_stdout, reason = "it prints for a person")]

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use redis_manager::prelude::*;
use redis_manager::redis::RedisResult;
use redis_manager_support::ServerHandle;

type AnyResult<T = ()> = Result<T, Box<dyn Error>>;

fn main() -> AnyResult {
    let server = ServerHandle::for_examples()?;
    let uri: RedisUri = server.url().parse()?;

    heading("The host starts a manager and loads two scripts");
    let manager = RedisManager::new()?;
    let economy = manager.load_script("economy")?;
    let chat = manager.load_script("chat")?;
    say(&format!("server {uri}, scripts {economy} and {chat}"));

    heading("\"economy\" opens a COMMAND client by host, port and password");
    let bank = run_economy(&manager, &economy, &uri)?;

    heading("\"chat\" opens a PUB_SUB client with options, and a BASIC client");
    let (heard, publisher) = run_chat(&manager, &chat, &uri)?;

    heading("Who owns what");
    print_table(&manager);

    heading("The host unloads \"chat\"");
    let mut names = connections_by_name(&bank)?;
    say(&format!("the server's CLIENT LIST before: {names:?}"));
    let report = manager.unload_script(&chat);
    say(&format!("{report}"));

    let receivers: i64 = bank.commands().publish("global", "anybody there?")?;
    say(&format!(
        "a message to its channel now reaches {receivers} clients"
    ));
    say(&format!(
        "its listeners heard {:?}",
        heard.try_iter().collect::<Vec<_>>()
    ));
    let Err(refused) = publisher.publish("global", "still me") else {
        return Err("a handle of \"chat\" still works".into());
    };
    say(&format!("its own handle answers: {refused}"));

    // The server notices a closed socket in its own time.
    let deadline = Instant::now() + Duration::from_secs(10);
    while names.contains_key("chat") && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(10));
        names = connections_by_name(&bank)?;
    }
    say(&format!("the server's CLIENT LIST after: {names:?}"));
    let balance: i64 = bank.commands().get("balance:alice")?;
    say(&format!("\"economy\" is undisturbed: alice has {balance}"));
    print_table(&manager);

    heading("The host stops");
    for report in manager.shutdown()? {
        say(&format!("{report}"));
    }
    if names.contains_key("chat") || receivers != 0 || !report.is_clean() {
        return Err("something of \"chat\" was left".into());
    }
    Ok(())
}

/// A script that keeps accounts. Returns its client, so that the host can look at the server with it.
fn run_economy(
    manager: &RedisManager,
    script: &ScriptHandle,
    server: &RedisUri,
) -> AnyResult<RedisCommandClient> {
    let (host, port) = (
        server.host().unwrap_or("localhost"),
        server.port().unwrap_or(6379),
    );
    let client: RedisCommandClient = manager.open(script, (host, port, server.password()))?;

    let mut commands = client.commands();
    commands.set::<_, _, ()>("balance:alice", 100)?;
    let balance: i64 = commands.get("balance:alice")?;
    say(&format!("SET and GET, blocking: alice has {balance}"));
    let balance: i64 = commands.incr("balance:alice", 20)?;
    say(&format!("INCRBY 20: alice has {balance}"));

    // Any executor will do; this one is the smallest there is.
    let visits: i64 = pollster::block_on(client.async_commands().incr("visits", 1))?;
    say(&format!("INCR, asynchronous: visit number {visits}"));

    commands.set::<_, _, ()>("balance:bob", 5)?;
    let (alice, bob): (i64, i64) =
        client
            .session()?
            .transaction(&["balance:alice", "balance:bob"], |tx| {
                let alice: i64 = tx.get("balance:alice")?;
                let pay = alice / 2;
                tx.queue()
                    .decr("balance:alice", pay)
                    .incr("balance:bob", pay);
                Ok(())
            })?;
    say(&format!(
        "a transaction over watched keys: alice has {alice}, bob has {bob}"
    ));

    let (alice, bob): (i64, i64) = pollster::block_on(async {
        let mut session = client.session_async().await?;
        session
            .transaction_async(&["balance:alice", "balance:bob"], async |tx| {
                let bob: i64 = tx.get("balance:bob").await?;
                tx.queue()
                    .incr("balance:alice", bob)
                    .decr("balance:bob", bob);
                Ok(())
            })
            .await
    })?;
    say(&format!(
        "and back, asynchronously: alice has {alice}, bob has {bob}"
    ));

    let mistake: RedisResult<i64> = commands.incr("balance:alice", "a lot");
    if let Err(error) = mistake {
        say(&format!("a mistake is an error with a cause: {error}"));
    }
    Ok(client)
}

/// A script that talks. Returns what its listeners hear, and the client that it publishes with.
fn run_chat(
    manager: &RedisManager,
    script: &ScriptHandle,
    server: &RedisUri,
) -> AnyResult<(Receiver<String>, RedisPubSubClient)> {
    let options = manager
        .new_client_options()
        .command_timeout(Duration::from_secs(2))
        .build()?;
    let (host, port) = (
        server.host().unwrap_or("localhost"),
        server.port().unwrap_or(6379),
    );
    let mut named = manager
        .new_redis_uri()
        .host(host)
        .port(port)
        .client_name("chat");
    if let Some(password) = server.password() {
        named = named.password(password);
    }
    let client: RedisPubSubClient = manager.open_with(script, named.build()?, options)?;

    let (hears, heard): (Sender<String>, Receiver<String>) = channel();
    let ears = hears.clone();
    client.register_listener("global", move |message: &Message| {
        ears.send(format!("listener: {}", message.payload_str()?))?;
        Ok(())
    })?;
    pollster::block_on(
        client.register_async_listener("global", move |message: Message| {
            let ears = hears.clone();
            async move {
                ears.send(format!("async listener: {}", message.payload_str()?))?;
                Ok(())
            }
        }),
    )?;
    say("a listener and an asynchronous listener are registered, the server has confirmed it");

    let receivers = client.publish("global", "hello")?;
    say(&format!(
        "PUBLISH, blocking: {receivers} client received it"
    ));
    let receivers = pollster::block_on(client.publish_async("global", "hello again"))?;
    say(&format!(
        "PUBLISH, asynchronous: {receivers} client received it"
    ));
    for _ in 0..4 {
        say(&format!(
            "  {}",
            heard.recv_timeout(Duration::from_secs(10))?
        ));
    }

    let basic = manager.open_redis_client(script, ClientType::Basic, server)?;
    if let UnderlyingClient::Single(underlying) = basic.redis_client() {
        let mut raw = underlying.get_connection_with_timeout(Duration::from_secs(5))?;
        let pong: String = redis::cmd("PING").query(&mut raw)?;
        let address = underlying.get_connection_info().addr().to_string();
        say(&format!(
            "BASIC hands out its redis::Client: {address} answers {pong}"
        ));
    }
    Ok((heard, client))
}

/// How many connections the server has, by the name that they gave themselves.
fn connections_by_name(client: &RedisCommandClient) -> AnyResult<BTreeMap<String, usize>> {
    let list: String = redis::cmd("CLIENT")
        .arg("LIST")
        .query(&mut client.commands())?;
    let mut names = BTreeMap::new();
    for line in list.lines() {
        let name = line
            .split(' ')
            .find_map(|field| field.strip_prefix("name="));
        let name = name.filter(|name| !name.is_empty()).unwrap_or("(unnamed)");
        *names.entry(name.to_owned()).or_default() += 1;
    }
    Ok(names)
}

fn print_table(manager: &RedisManager) {
    println!(
        "  {:<10} {:<8} {:<8} {:<13} connects to",
        "script", "client", "type", "state"
    );
    for script in manager.scripts() {
        for client in manager.redis_clients(&script) {
            println!(
                "  {:<10} {:<8} {:<8} {:<13} {}",
                script.name(),
                client.client_id().to_string(),
                client.client_type().to_string(),
                client.state().to_string(),
                client.redis_uri(),
            );
        }
    }
}

fn heading(text: &str) {
    println!("\n{text}");
}

fn say(text: &str) {
    println!("  {text}");
}
