//! `redis.newRedisURI()`.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use mlua::{FromLuaMulti, MetaMethod, UserData, UserDataFields, UserDataMethods};
use redis_manager::{RedisUri, RedisUriBuilder};

use crate::exception::Failure;
use crate::method::method;

pub(crate) struct Uri(pub(crate) RedisUri);

impl UserData for Uri {
    fn add_fields<F: UserDataFields<Self>>(fields: &mut F) {
        let text = |text: Option<&str>| text.map(str::to_owned);
        method(fields, "getHost", move |_, this: &Self, ()| {
            Ok(text(this.0.host()))
        });
        method(fields, "getPort", |_, this: &Self, ()| Ok(this.0.port()));
        method(fields, "getDatabase", |_, this: &Self, ()| {
            Ok(this.0.database())
        });
        method(fields, "getUsername", move |_, this: &Self, ()| {
            Ok(text(this.0.username()))
        });
        method(fields, "getClientName", move |_, this: &Self, ()| {
            Ok(text(this.0.client_name()))
        });
    }

    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_meta_method(MetaMethod::ToString, |_, this, ()| Ok(this.0.to_string()));
    }
}

/// Changes itself, and returns itself, as lettuce's.
#[derive(Clone, Default)]
pub(crate) struct UriBuilder(Rc<RefCell<RedisUriBuilder>>);

impl UserData for UriBuilder {
    fn add_fields<F: UserDataFields<Self>>(fields: &mut F) {
        let set = setter::<F, String>;
        set(fields, "withHost", |uri, host| Ok(uri.host(host)));
        set(fields, "withSocket", |uri, path| Ok(uri.socket(path)));
        set(fields, "withUsername", |uri, user| Ok(uri.username(user)));
        set(fields, "withPassword", |uri, password| {
            Ok(uri.password(password))
        });
        set(fields, "withClientName", |uri, name| {
            Ok(uri.client_name(name))
        });
        set(fields, "withLibraryName", |uri, name| {
            Ok(uri.library_name(name))
        });
        set(fields, "withLibraryVersion", |uri, version| {
            Ok(uri.library_version(version))
        });
        setter(fields, "withPort", |uri, port: u16| Ok(uri.port(port)));
        setter(fields, "withDatabase", |uri, database: u32| {
            Ok(uri.database(database))
        });
        setter(
            fields,
            "withAuthentication",
            |uri, (user, password): (String, String)| Ok(uri.username(user).password(password)),
        );
        setter(fields, "withTimeout", |uri, seconds: f64| {
            let timeout = Duration::try_from_secs_f64(seconds);
            let timeout = timeout.map_err(|error| Failure::argument(error.to_string()))?;
            Ok(uri.timeout(timeout))
        });
        method(fields, "build", |_, this: &Self, ()| {
            Ok(Uri(this.0.borrow().clone().build()?))
        });
    }
}

fn setter<F: UserDataFields<UriBuilder>, A: FromLuaMulti + 'static>(
    fields: &mut F,
    name: &'static str,
    set: fn(RedisUriBuilder, A) -> Result<RedisUriBuilder, Failure>,
) {
    method(fields, name, move |_, this: &UriBuilder, value: A| {
        let changed = set(this.0.borrow().clone(), value)?;
        *this.0.borrow_mut() = changed;
        Ok(this.clone())
    });
}
