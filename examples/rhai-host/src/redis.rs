//! The global `redis`.

use redis_manager::{
    ClientOptions, ClientType, IntoRedisUri, RedisUri, Result, ScriptRedisClient, ScriptValue,
};
use rhai::{Dynamic, Engine};

use crate::argument::{argument, refused};
use crate::client::{any_client, client_value};
use crate::future::begin;
use crate::method::{Call, method, method_of_any};
use crate::options::{Options, OptionsBuilder};
use crate::uri::{Uri, UriBuilder};

#[derive(Clone)]
pub(crate) struct Redis;

pub(crate) fn add_redis(engine: &mut Engine) {
    engine.register_type_with_name::<Redis>("Redis");
    for count in 2..=5 {
        method_of_any(
            engine,
            "openRedisClient",
            count,
            |call, _: &Redis, arguments| open(call, arguments),
        );
    }
    method(
        engine,
        "closeRedisClient",
        |call, _: &Redis, (client,): (Dynamic,)| {
            let client = any_client(&client)?;
            call.script.context.manager().close_redis_client(&client);
            Ok(())
        },
    );
    method(
        engine,
        "closeRedisClientAsync",
        |call, _: &Redis, (client,): (Dynamic,)| {
            let client = any_client(&client)?;
            let resources = call.script.context.manager().resources();
            // Not in the mailbox, where no closing is waited for.
            let closing = resources.spawn(async move { client.close_async().await });
            begin(call, async move {
                // Fails only if the host ends.
                drop(closing.await);
                Ok(ScriptValue::Nil)
            })
        },
    );
    method(engine, "newRedisURI", |_, _: &Redis, ()| {
        Ok(UriBuilder::default())
    });
    method(engine, "newClientOptions", |_, _: &Redis, ()| {
        Ok(OptionsBuilder::default())
    });
}

fn open(call: &Call, arguments: Vec<Dynamic>) -> Result<Dynamic> {
    let mut arguments = arguments.into_iter();
    let kind = client_type(arguments.next())?;
    let (uri, options) = target(arguments)?;
    let context = &call.script.context;
    let client = context
        .manager()
        .open_redis_client_with(context.script(), kind, uri, options)?;
    Ok(client_value(client))
}

fn client_type(value: Option<Dynamic>) -> Result<ClientType> {
    let name = value.and_then(|value| value.into_string().ok());
    let types = [ClientType::Basic, ClientType::Command, ClientType::PubSub];
    let named = types
        .into_iter()
        .find(|it| name.as_deref() == Some(&it.to_string()));
    named.ok_or_else(|| refused("the first argument is ClientType.BASIC, COMMAND or PUB_SUB"))
}

/// Where to connect, and how: `(ip, port[, password[, options]])` or `(uri[, options])`.
fn target(mut arguments: impl Iterator<Item = Dynamic>) -> Result<(RedisUri, ClientOptions)> {
    let first = arguments.next().unwrap_or_default();
    let second = arguments.next().unwrap_or_default();
    let is_port = second.is_int();
    let (uri, options) = if let Some(uri) = first.read_lock::<Uri>() {
        (uri.0.clone(), second)
    } else if is_port {
        let ip: String = argument("openRedisClient", 2, Some(first))?;
        let port: u16 = argument("openRedisClient", 3, Some(second))?;
        let password = arguments.next().filter(|password| !password.is_unit());
        let password = password.map(|it| argument::<String>("openRedisClient", 4, Some(it)));
        let target = (ip, port, password.transpose()?.as_deref()).into_redis_uri()?;
        (target, arguments.next().unwrap_or_default())
    } else {
        let uri: String = argument("openRedisClient", 2, Some(first))?;
        (RedisUri::parse(&uri)?, second)
    };
    if arguments.next().is_some() {
        return Err(refused("openRedisClient: too many arguments"));
    }
    if options.is_unit() {
        return Ok((uri, ClientOptions::default()));
    }
    let options = options.read_lock::<Options>().map(|it| it.0.clone());
    let options = options
        .ok_or_else(|| refused("openRedisClient: options come from newClientOptions()…build()"))?;
    Ok((uri, options))
}
