//! Rhai scripts that use Redis under the names of PySpigot's Redis manager.
//!
//! A script has these globals, in its functions as well:
//!
//! | global | what it is |
//! |---|---|
//! | `redis` | opens and closes clients, makes builders |
//! | `ClientType` | `BASIC`, `COMMAND`, `PUB_SUB` |
//! | `print`, `debug` | print through the host |
//! | `exit()` | asks the host to unload the script, once the call under way has returned and the asynchronous calls that it made have ended |
//! | `REDIS_HOST`, `REDIS_PORT`, `REDIS_PASSWORD`, `REDIS_URI` | the server that the host offers; `()` where it has no such part |
//!
//! What they offer:
//!
//! | on | methods |
//! |---|---|
//! | `redis` | `openRedisClient(type, ip, port[, password[, options]])`, `openRedisClient(type, uri[, options])`, `closeRedisClient(client)`, `closeRedisClientAsync(client)`, `newRedisURI()`, `newClientOptions()` |
//! | every client | `getRedisURI()`, `getClientOptions()`, `getRedisClient()`, `getClientType()`, `getState()` |
//! | BASIC | `ping()`; `getRedisClient().getAddress()` |
//! | COMMAND | `getConnection()`, `getCommands()`, `getAsyncCommands()`: both have every command of Redis as a method, `hset` or `clientGetname`, which returns the reply or a future of it |
//! | PUB_SUB | `getConnection()`, `registerListener(function, channel)` = `registerSyncListener`, `registerAsyncListener`, `registerPatternListener`, `unregisterListener(listener)`, `unregisterListeners(channel)`, `publish(channel, message)` = `publishSync`, `publishAsync` |
//! | a connection | `isOpen()`, `getState()` |
//! | a listener | `unregister()`, `isRegistered()`, `getChannel()`, `registration()`, a future |
//! | a future | `thenAccept(function)`, `exceptionally(function)`, `get()`, `isDone()` |
//! | `redis.newRedisURI()` | `withHost`, `withPort`, `withSocket`, `withUsername`, `withPassword`, `withAuthentication(user, password)`, `withDatabase`, `withClientName`, `withLibraryName`, `withLibraryVersion`, `withTimeout` (seconds), `build()` |
//! | `redis.newClientOptions()` | each option of [`ClientOptions`](redis_manager::ClientOptions) in camel case with its value as in a configuration file, `commandTimeout("500ms")`, and `build()` |
//! | a URI | `getHost()`, `getPort()`, `getDatabase()`, `getUsername()`, `getClientName()`, `to_string()` (without the password) |
//! | options | the same names as fields: `options.commandTimeout` |
//!
//! A listener is a function of `(channel, message)`: a closure, or a function by its name. All functions of a script run
//! on the host's thread, in its mailbox. An asynchronous listener differs in its registration: that is not waited for.
//! A function made with `fn` sees no variables but the globals. A closure shares those that it names with the script; of a
//! client, a listener or a future that is never assigned again it has a copy, which is the same client, so that a listener
//! may use the client that it is registered on.
//!
//! **Commands.** A command whose name is no name in Rhai (`JSON.GET`), or one of its keywords, is called by
//! `dispatch("JSON.GET", ["key"])`, which is lettuce's name for it. So is one in code that is given to `eval`. A method has at
//! most 15 arguments; more go into arrays: `hset("key", ["field", 1])` is `hset("key", "field", 1)`.
//!
//! **Values.** Redis knows bytes. What is UTF-8 of them is a string, and all else a blob; both are taken. An array or a map
//! is one argument for each part. A reply's map is a map, or an array of pairs if a key of it is no string.
//!
//! **Errors** have the fields `kind`, `code`, `command`, `delivery`, `message`, `file`, `line` and `position`, and read
//! `chat.rhai:12: GET: …`. Kinds are those of [`ErrorKind`](redis_manager::ErrorKind); a wrong argument is an
//! `InvalidArgument`. What nobody catches, nor asks for with `exceptionally` or `get`, ends the script, and the host tells
//! file and line.
//!
//! **Limits** of what a script may take are said at [`RhaiEngine`].
//!
//! | file | what it holds |
//! |---|---|
//! | `engine` | [`RhaiEngine`] |
//! | `script` | [`RhaiScript`]: one that runs, and its functions that wait |
//! | `globals`, `variables`, `redis` | what a script starts with |
//! | `client`, `basic`, `command`, `pub_sub` | the clients |
//! | `listener`, `future`, `uri`, `options` | what they take and return |
//! | `names` | the names of commands and options, found in the code |
//! | `value`, `argument` | between Rhai and Redis |
//! | `exception`, `place`, `uncaught` | errors on their way to the script, and to the host |
//! | `method`, `callback` | functions in Rust that Rhai calls, and the other way round |

mod argument;
mod basic;
mod callback;
mod client;
mod command;
mod engine;
mod exception;
mod future;
mod globals;
mod listener;
mod method;
mod names;
mod options;
mod place;
mod pub_sub;
mod redis;
mod script;
mod uncaught;
mod uri;
mod value;
mod variables;

pub use engine::RhaiEngine;
pub use script::RhaiScript;
