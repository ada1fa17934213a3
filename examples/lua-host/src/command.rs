//! COMMAND clients, and every command of Redis.

use mlua::{MetaMethod, MultiValue, UserData, UserDataFields, UserDataMethods};
use redis_manager::{RedisCommandClient, ScriptCommand};

use crate::client::{ConnectionView, add_client_methods};
use crate::future::begin;
use crate::method::{Call, function, method};
use crate::value::{arguments, to_lua};

pub(crate) struct Command(pub(crate) RedisCommandClient);

impl UserData for Command {
    fn add_fields<F: UserDataFields<Self>>(fields: &mut F) {
        add_client_methods(fields, |this: &Self| &this.0);
        method(fields, "getConnection", |_, this: &Self, ()| {
            Ok(ConnectionView(this.0.clone().into()))
        });
        method(fields, "getCommands", |_, this: &Self, ()| {
            Ok(Commands(this.0.clone()))
        });
        method(fields, "getAsyncCommands", |_, this: &Self, ()| {
            Ok(AsyncCommands(this.0.clone()))
        });
    }
}

/// Any method is a command, and returns its reply.
struct Commands(RedisCommandClient);

impl UserData for Commands {
    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_meta_method(MetaMethod::Index, |lua, _, name: String| {
            let command = name.clone();
            function(lua, &name, move |lua, call: Call<Self, MultiValue>| {
                let command = ScriptCommand::new(&command, arguments(call.rest)?)?;
                Ok(to_lua(lua, command.call(&call.this.0)?)?)
            })
        });
    }
}

/// Any method is a command, and returns a future of its reply.
struct AsyncCommands(RedisCommandClient);

impl UserData for AsyncCommands {
    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_meta_method(MetaMethod::Index, |lua, _, name: String| {
            let command = name.clone();
            function(lua, &name, move |lua, call: Call<Self, MultiValue>| {
                let command = ScriptCommand::new(&command, arguments(call.rest)?)?;
                let client = call.this.0.clone();
                begin(lua, async move { command.call_async(&client).await })
            })
        });
    }
}
