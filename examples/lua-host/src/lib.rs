//! Lua scripts that use Redis under the names of PySpigot's Redis manager.
//!
//! A script has these globals:
//!
//! | global | what it is |
//! |---|---|
//! | `redis` | opens and closes clients, makes builders |
//! | `ClientType` | `BASIC`, `COMMAND`, `PUB_SUB` |
//! | `print` | prints through the host |
//! | `exit`, `os.exit` | asks the host to unload the script, once the call under way has returned and the asynchronous calls that it made have ended |
//! | `REDIS_HOST`, `REDIS_PORT`, `REDIS_PASSWORD`, `REDIS_URI` | the server that the host offers; nil where it has no such part |
//!
//! What they offer:
//!
//! | on | methods |
//! |---|---|
//! | `redis` (`.`, not `:`) | `openRedisClient(type, ip, port, password[, options])`, `openRedisClient(type, uri[, options])`, `closeRedisClient(client)`, `closeRedisClientAsync(client)`, `newRedisURI()`, `newClientOptions()` |
//! | every client | `getRedisURI()`, `getClientOptions()`, `getRedisClient()`, `getClientType()`, `getState()` |
//! | BASIC | `ping()`; `getRedisClient():getAddress()` |
//! | COMMAND | `getConnection()`, `getCommands()`, `getAsyncCommands()`: both have every command of Redis as a method, `hset` or `clientGetname`, which returns the reply or a future of it |
//! | PUB_SUB | `getConnection()`, `registerListener(function, channel)` = `registerSyncListener`, `registerAsyncListener`, `registerPatternListener`, `unregisterListener(listener)`, `unregisterListeners(channel)`, `publish(channel, message)` = `publishSync`, `publishAsync` |
//! | a connection | `isOpen()`, `getState()` |
//! | a listener | `unregister()`, `isRegistered()`, `getChannel()`, `registration()`, a future |
//! | a future | `thenAccept(function)`, `exceptionally(function)`, `get()`, `isDone()` |
//! | `redis.newRedisURI()` | `withHost`, `withPort`, `withSocket`, `withUsername`, `withPassword`, `withAuthentication(user, password)`, `withDatabase`, `withClientName`, `withLibraryName`, `withLibraryVersion`, `withTimeout` (seconds), `build()` |
//! | `redis.newClientOptions()` | each option of [`ClientOptions`](redis_manager::ClientOptions) in camel case with its value as in a configuration file, `commandTimeout("500ms")`, and `build()` |
//! | a URI | `getHost()`, `getPort()`, `getDatabase()`, `getUsername()`, `getClientName()`, `tostring` (without the password) |
//! | options | the same names as fields: `options.commandTimeout` |
//!
//! A listener is a `function(channel, message)`. All functions of a script run on the host's thread, in its mailbox. An
//! asynchronous listener differs in its registration: that is not waited for.
//!
//! **Values.** Strings are bytes, both ways. A table is a list or a map, as an argument one argument for each part. In a
//! reply, nil inside a list is `false`, as in the scripts of Redis itself, so that the list has its length.
//!
//! **Errors** have the fields `kind`, `code`, `command`, `delivery`, `message`, `file` and `line`, and read
//! `chat.lua:12: GET: …`. Kinds are those of [`ErrorKind`](redis_manager::ErrorKind); a wrong argument is an
//! `InvalidArgument`. What nobody catches, nor asks for with `exceptionally` or `get`, ends the script, and the host tells
//! file and line.
//!
//! | file | what it holds |
//! |---|---|
//! | `engine` | [`LuaEngine`] |
//! | `globals`, `redis_table` | what a script starts with |
//! | `client`, `basic`, `command`, `pub_sub` | the clients |
//! | `listener`, `future`, `uri`, `options` | what they take and return |
//! | `value` | between Lua and Redis |
//! | `exception`, `place`, `uncaught` | errors on their way to the script, and to the host |
//! | `method` | functions in Rust that raise such errors in Lua |

mod basic;
mod client;
mod command;
mod engine;
mod exception;
mod future;
mod globals;
mod listener;
mod method;
mod options;
mod place;
mod pub_sub;
mod redis_table;
mod uncaught;
mod uri;
mod value;

pub use engine::LuaEngine;

/// The guide, whose host is compiled with the documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/embedding.md")]
struct Guide;
