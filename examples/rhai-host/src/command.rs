//! COMMAND clients, and every command of Redis.

use redis_manager::{RedisCommandClient, Result, ScriptCommand, ScriptValue};
use rhai::{Array, Dynamic, Engine};

use crate::argument::Argument;
use crate::client::{ConnectionView, add_client_methods};
use crate::future::{Future, begin};
use crate::method::{Call, method, method_of_any};
use crate::value::{from_rhai, to_rhai};

/// More arguments, with the object, Rhai does not match with values of any type.
const MOST_ARGUMENTS: usize = 15;

/// What is a method already, and what `print` and its like look for on every value.
const NO_COMMANDS: [&str; 3] = ["dispatch", "to_string", "to_debug"];

#[derive(Clone)]
pub(crate) struct Command(pub(crate) RedisCommandClient);

/// What `getCommands` returns.
#[derive(Clone)]
struct Commands(RedisCommandClient);

/// What `getAsyncCommands` returns.
#[derive(Clone)]
struct AsyncCommands(RedisCommandClient);

pub(crate) fn add_command(engine: &mut Engine) {
    engine.register_type_with_name::<Command>("RedisCommandClient");
    add_client_methods(engine, |this: &Command| &this.0);
    method(engine, "getConnection", |_, this: &Command, ()| {
        Ok(ConnectionView(this.0.clone().into()))
    });
    method(engine, "getCommands", |_, this: &Command, ()| {
        Ok(Commands(this.0.clone()))
    });
    method(engine, "getAsyncCommands", |_, this: &Command, ()| {
        Ok(AsyncCommands(this.0.clone()))
    });

    engine.register_type_with_name::<Commands>("RedisCommands");
    engine.register_type_with_name::<AsyncCommands>("RedisAsyncCommands");
    method(engine, "dispatch", |_, this: &Commands, of: Dispatched| {
        call(&this.0, &of.0, of.1.0)
    });
    method(
        engine,
        "dispatch",
        |at, this: &AsyncCommands, of: Dispatched| call_async(at, &this.0, &of.0, of.1.0),
    );
}

/// Gives both the method `name`, which is a command.
pub(crate) fn add_named_command(engine: &mut Engine, name: &str, count: usize) {
    if count > MOST_ARGUMENTS || NO_COMMANDS.contains(&name) {
        return;
    }
    let command = name.to_owned();
    method_of_any(engine, name, count, move |_, this: &Commands, arguments| {
        call(&this.0, &command, arguments)
    });
    let command = name.to_owned();
    method_of_any(
        engine,
        name,
        count,
        move |at, this: &AsyncCommands, arguments| call_async(at, &this.0, &command, arguments),
    );
}

/// A command's name, and its arguments.
type Dispatched = (String, List);

struct List(Array);

impl Argument for List {
    const WANTED: &str = "an array";

    fn of(value: Dynamic) -> Option<Self> {
        value.try_cast().map(Self)
    }
}

fn call(client: &RedisCommandClient, name: &str, arguments: Vec<Dynamic>) -> Result<Dynamic> {
    Ok(to_rhai(command(name, &arguments)?.call(client)?))
}

fn call_async(
    call: &Call,
    client: &RedisCommandClient,
    name: &str,
    arguments: Vec<Dynamic>,
) -> Result<Future> {
    let (command, client) = (command(name, &arguments)?, client.clone());
    begin(call, async move { command.call_async(&client).await })
}

fn command(name: &str, arguments: &[Dynamic]) -> Result<ScriptCommand> {
    let arguments = arguments.iter().map(from_rhai);
    ScriptCommand::new(name, arguments.collect::<Result<Vec<ScriptValue>>>()?)
}
