//! The global `redis`.

use mlua::{AnyUserData, FromLua, Function, Lua, MultiValue, Table, Value};
use redis_manager::{
    ClientOptions, ClientType, IntoRedisUri, RedisUri, ScriptRedisClient, ScriptValue,
};

use crate::client::{any_client, client_value};
use crate::exception::Failure;
use crate::future::begin;
use crate::method::function;
use crate::options::{Options, OptionsBuilder};
use crate::place::Script;
use crate::uri::{Uri, UriBuilder};

pub(crate) fn redis_table(lua: &Lua) -> mlua::Result<Table> {
    let close_async = function(lua, "closeRedisClientAsync", |lua, client: AnyUserData| {
        let client = any_client(&client)?;
        let script = Script::of(lua)?;
        let resources = script.context.manager().resources();
        // Not in the mailbox, where no closing is waited for.
        let closing = resources.spawn(async move { client.close_async().await });
        begin(lua, async move {
            // Fails only if the host ends.
            drop(closing.await);
            Ok(ScriptValue::Nil)
        })
    })?;
    let functions: [(&str, Function); 5] = [
        ("openRedisClient", function(lua, "openRedisClient", open)?),
        (
            "closeRedisClient",
            function(lua, "closeRedisClient", |lua, client: AnyUserData| {
                let client = any_client(&client)?;
                Script::of(lua)?
                    .context
                    .manager()
                    .close_redis_client(&client);
                Ok(())
            })?,
        ),
        ("closeRedisClientAsync", close_async),
        (
            "newRedisURI",
            function(lua, "newRedisURI", |_, ()| Ok(UriBuilder::default()))?,
        ),
        (
            "newClientOptions",
            function(lua, "newClientOptions", |_, ()| {
                Ok(OptionsBuilder::default())
            })?,
        ),
    ];
    lua.create_table_from(functions)
}

fn open(lua: &Lua, mut arguments: MultiValue) -> Result<Value, Failure> {
    let kind = client_type(lua, arguments.pop_front())?;
    let (uri, options) = target(lua, arguments.into_vec())?;
    let context = &Script::of(lua)?.context;
    let client = context
        .manager()
        .open_redis_client_with(context.script(), kind, uri, options)?;
    Ok(client_value(lua, client)?)
}

fn client_type(lua: &Lua, value: Option<Value>) -> Result<ClientType, Failure> {
    let name: String = FromLua::from_lua(value.unwrap_or(Value::Nil), lua).unwrap_or_default();
    let types = [ClientType::Basic, ClientType::Command, ClientType::PubSub];
    let named = types.into_iter().find(|it| it.to_string() == name);
    named.ok_or_else(|| {
        Failure::argument("the first argument is ClientType.BASIC, COMMAND or PUB_SUB")
    })
}

/// Where to connect, and how: `(ip, port[, password[, options]])` or `(uri[, options])`.
fn target(lua: &Lua, arguments: Vec<Value>) -> Result<(RedisUri, ClientOptions), Failure> {
    let mut arguments = arguments.into_iter();
    let (first, second) = (arguments.next(), arguments.next());
    let (uri, options) = match (first, second) {
        (Some(Value::UserData(uri)), options) => (uri.borrow::<Uri>()?.0.clone(), options),
        (Some(first), options @ (None | Some(Value::Nil | Value::UserData(_)))) => {
            (RedisUri::parse(&String::from_lua(first, lua)?)?, options)
        }
        (Some(ip), Some(port)) => {
            let port: u16 = FromLua::from_lua(port, lua)?;
            let password = arguments.next().unwrap_or(Value::Nil);
            let password: Option<String> = FromLua::from_lua(password, lua)?;
            let ip = String::from_lua(ip, lua)?;
            let target = (ip, port, password.as_deref());
            (target.into_redis_uri()?, arguments.next())
        }
        (None, _) => return Err(Failure::argument("where to connect to is missing")),
    };
    let options = match options {
        None | Some(Value::Nil) => ClientOptions::default(),
        Some(options) => AnyUserData::from_lua(options, lua)?
            .borrow::<Options>()
            .map_err(|_| Failure::argument("options come from newClientOptions():…:build()"))?
            .0
            .clone(),
    };
    Ok((uri, options))
}
