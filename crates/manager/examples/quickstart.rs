//! Two scripts on one host: what each opens, what it does with it, and how one of them is unloaded
//! without a trace. Runs by itself: `cargo run --example quickstart`.
//!
//! The scripts are Rust functions here. The server is a real one that the example starts, unless
//! `REDIS_URL` names one that is running, by any URI: plain, with TLS, on a Unix socket, of an ACL user, of sentinels, of
//! a cluster. Whatever else there is to say of it, variables do: `REDIS_MANAGER_SERVERS_MAIN_OPTIONS_TLS_CA=ca.pem`.

#![allow(clippy::print_stdout, reason = "it prints for a person")]

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use redis_manager::ServerConfig;
use redis_manager::prelude::*;
use redis_manager::redis::RedisResult;
use redis_manager_support::ServerHandle;

/// In a cluster the keys of one transaction have to be on one node; those are that have the same text in braces.
const ALICE: &str = "{balance}:alice";
const BOB: &str = "{balance}:bob";

type AnyResult<T = ()> = Result<T, Box<dyn Error>>;

fn main() -> AnyResult {
    let server = ServerHandle::for_examples()?;
    let main = ServerConfig::new(server.url().parse()?);

    heading("The host starts a manager and loads two scripts");
    let config = ManagerConfig::default().with_server("main", main);
    let manager = RedisManager::from_config(config.with_environment("REDIS_MANAGER")?)?;
    let economy = manager.load_script("economy")?;
    let chat = manager.load_script("chat")?;
    let main = manager.config().server("main").ok_or("it is there")?;
    let uri = main.uri();
    say(&format!("server {uri}, scripts {economy} and {chat}"));

    heading("\"economy\" opens a COMMAND client of the server by its name");
    let bank = run_economy(&manager, &economy)?;

    heading("\"chat\" opens a PUB_SUB client with a URI and options, and a BASIC client");
    let (heard, publisher) = run_chat(&manager, &chat, main)?;

    heading("Who owns what");
    print_table(&manager);

    heading("The host unloads \"chat\"");
    let mut names = connections_by_name(&bank)?;
    say(&format!("the server's CLIENT LIST before: {names:?}"));
    let report = manager.unload_script(&chat);
    say(&format!("{report}"));

    // The server notices a closed socket in its own time.
    let anybody = || bank.commands().publish("global", "anybody there?");
    let mut receivers: i64 = anybody()?;
    let deadline = Instant::now() + Duration::from_secs(10);
    while (names.contains_key("chat") || receivers != 0) && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(10));
        names = connections_by_name(&bank)?;
        receivers = anybody()?;
    }
    say(&format!("the server's CLIENT LIST after: {names:?}"));
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
    let balance: i64 = bank.commands().get(ALICE)?;
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
fn run_economy(manager: &RedisManager, script: &ScriptHandle) -> AnyResult<RedisCommandClient> {
    let client: RedisCommandClient = manager.open(script, named("main"))?;

    let mut commands = client.commands();
    commands.set::<_, _, ()>(ALICE, 100)?;
    let balance: i64 = commands.get(ALICE)?;
    say(&format!("SET and GET, blocking: alice has {balance}"));
    let balance: i64 = commands.incr(ALICE, 20)?;
    say(&format!("INCRBY 20: alice has {balance}"));

    // Any executor will do; this one is the smallest there is.
    let visits: i64 = pollster::block_on(client.async_commands().incr("visits", 1))?;
    say(&format!("INCR, asynchronous: visit number {visits}"));

    commands.set::<_, _, ()>(BOB, 5)?;
    let (alice, bob): (i64, i64) = client.session()?.transaction(&[ALICE, BOB], |tx| {
        let alice: i64 = tx.get(ALICE)?;
        let pay = alice / 2;
        tx.queue().decr(ALICE, pay).incr(BOB, pay);
        Ok(())
    })?;
    say(&format!(
        "a transaction over watched keys: alice has {alice}, bob has {bob}"
    ));

    let (alice, bob): (i64, i64) = pollster::block_on(async {
        let mut session = client.session_async().await?;
        session
            .transaction_async(&[ALICE, BOB], async |tx| {
                let bob: i64 = tx.get(BOB).await?;
                tx.queue().incr(ALICE, bob).decr(BOB, bob);
                Ok(())
            })
            .await
    })?;
    say(&format!(
        "and back, asynchronously: alice has {alice}, bob has {bob}"
    ));

    let mistake: RedisResult<i64> = commands.incr(ALICE, "a lot");
    if let Err(error) = mistake {
        say(&format!("a mistake is an error with a cause: {error}"));
    }
    Ok(client)
}

/// A script that talks. Returns what its listeners hear, and the client that it publishes with.
fn run_chat(
    manager: &RedisManager,
    script: &ScriptHandle,
    server: &ServerConfig,
) -> AnyResult<(Receiver<String>, RedisPubSubClient)> {
    let uri = server.uri().to_builder().client_name("chat").build()?;
    let options = server
        .options()
        .to_builder()
        .command_timeout(Duration::from_secs(2))
        .build()?;
    let client: RedisPubSubClient = manager.open_with(script, uri, options)?;

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

    let basic = manager.open_redis_client(script, ClientType::Basic, named("main"))?;
    if let Some(basic) = basic.as_basic() {
        say(&format!("BASIC asks for a sign of life: {}", basic.ping()?));
    }
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
