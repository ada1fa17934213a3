//! Commands that scripts call by name.

use redis_manager_command::RedisCommandClient;
use redis_manager_core::redis::aio::ConnectionLike as AsyncConnectionLike;
use redis_manager_core::redis::{Cmd, ConnectionLike, Value};
use redis_manager_core::{Error, Result, ScriptRedisClient};

use crate::command_name::command_words;
use crate::{ScriptValue, ValueLimits};

/// A command by its name and a script's values: what an engine's host makes of `commands.hset("key", "field", 1)`.
///
/// The name may be written as Redis writes it (`"CLIENT GETNAME"`) or as the methods of lettuce, and so of
/// PySpigot, are named (`"clientGetname"`). [`ScriptValue::add_to`] says what becomes of the arguments,
/// [`ScriptValue::from_redis`] what of the reply.
///
/// ```no_run
/// # use redis_manager::prelude::*;
/// use redis_manager::{ScriptCommand, ScriptValue};
///
/// # fn example(client: RedisCommandClient) -> redis_manager::Result<()> {
/// ScriptCommand::new("hset", ["player:1", "name", "alice"])?.call(&client)?;
/// let player = ScriptCommand::new("hgetall", ["player:1"])?.call(&client)?;
/// assert_eq!(player, vec![("name", "alice")].into());                 // under RESP2 a list
/// let pong = ScriptCommand::new::<ScriptValue>("ping", [])?.call(&client)?;
/// assert_eq!(pong.as_str(), Some("PONG"));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct ScriptCommand {
    cmd: Cmd,
    name: String,
    limits: ValueLimits,
}

impl ScriptCommand {
    /// Puts a command together, within the default [`ValueLimits`].
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) if `name` is no name of a command (words of visible ASCII,
    /// at least one; whether there is such a command is the server's to say), or if there is a nil among `arguments`;
    /// [`Conversion`](crate::ErrorKind::Conversion) if they pass the limits.
    pub fn new<A: Into<ScriptValue>>(
        name: &str,
        arguments: impl IntoIterator<Item = A>,
    ) -> Result<Self> {
        Self::with_limits(name, arguments, ValueLimits::default())
    }

    /// The same, with other limits for the arguments and for the reply.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn with_limits<A: Into<ScriptValue>>(
        name: &str,
        arguments: impl IntoIterator<Item = A>,
        limits: ValueLimits,
    ) -> Result<Self> {
        let words = command_words(name)?;
        let mut cmd = Cmd::new();
        cmd.arg(&words);
        let arguments = ScriptValue::List(arguments.into_iter().map(Into::into).collect());
        let name = words.join(" ");
        // The list around them is ours.
        let within = ValueLimits {
            depth: limits.depth.saturating_add(1),
            ..limits
        };
        arguments
            .add_to(&mut cmd, within)
            .map_err(|error| error.with_command(&name))?;
        Ok(Self { cmd, name, limits })
    }

    /// What is sent.
    #[must_use]
    pub fn cmd(&self) -> &Cmd {
        &self.cmd
    }

    /// Calls it on `client` and waits for the reply, blocking the thread.
    ///
    /// # Errors
    ///
    /// As any command of the client; the server's error; [`Conversion`](crate::ErrorKind::Conversion) if the reply
    /// passes the limits. All of them name the command and the client.
    pub fn call(&self, client: &RedisCommandClient) -> Result<ScriptValue> {
        let reply = client.commands().req_command(&self.cmd);
        self.read(client, reply.map_err(Error::from))
    }

    /// The asynchronous twin of [`call`](Self::call).
    ///
    /// # Errors
    ///
    /// As its twin.
    pub async fn call_async(&self, client: &RedisCommandClient) -> Result<ScriptValue> {
        let mut commands = client.async_commands();
        let reply = commands.req_packed_command(&self.cmd).await;
        self.read(client, reply.map_err(Error::from))
    }

    fn read(&self, client: &RedisCommandClient, reply: Result<Value>) -> Result<ScriptValue> {
        let value = reply.and_then(|value| ScriptValue::from_redis(value, self.limits));
        value.map_err(|error| {
            let error = error.with_client(client.client_id());
            match error.command() {
                Some(_) => error,
                None => error.with_command(&self.name),
            }
        })
    }
}
