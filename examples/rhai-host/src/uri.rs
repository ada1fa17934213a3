//! `redis.newRedisURI()`.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use redis_manager::{RedisUri, RedisUriBuilder};
use rhai::{Dynamic, Engine};

use crate::argument::Arguments;
use crate::method::method;
use crate::value::optional;

#[derive(Clone)]
pub(crate) struct Uri(pub(crate) RedisUri);

/// Changes itself, and returns itself, as lettuce's.
#[derive(Clone, Default)]
pub(crate) struct UriBuilder(Rc<RefCell<RedisUriBuilder>>);

pub(crate) fn add_uri(engine: &mut Engine) {
    engine.register_type_with_name::<Uri>("RedisURI");
    let mut part = |name, value: fn(&RedisUri) -> Dynamic| {
        method(engine, name, move |_, this: &Uri, ()| Ok(value(&this.0)));
    };
    part("getHost", |uri| optional(uri.host().map(str::to_owned)));
    part("getPort", |uri| optional(uri.port().map(i64::from)));
    part("getDatabase", |uri| i64::from(uri.database()).into());
    part("getUsername", |uri| {
        optional(uri.username().map(str::to_owned))
    });
    part("getClientName", |uri| {
        optional(uri.client_name().map(str::to_owned))
    });
    // Without the password.
    engine.register_fn("to_string", |this: Uri| this.0.to_string());
    engine.register_fn("to_debug", |this: Uri| this.0.to_string());
    add_builder(engine);
}

fn add_builder(engine: &mut Engine) {
    engine.register_type_with_name::<UriBuilder>("RedisURIBuilder");
    let set = setter::<(String,)>;
    set(engine, "withHost", |uri, (host,)| uri.host(host));
    set(engine, "withSocket", |uri, (path,)| uri.socket(path));
    set(engine, "withUsername", |uri, (user,)| uri.username(user));
    set(engine, "withPassword", |uri, (password,)| {
        uri.password(password)
    });
    set(engine, "withClientName", |uri, (name,)| {
        uri.client_name(name)
    });
    set(engine, "withLibraryName", |uri, (name,)| {
        uri.library_name(name)
    });
    set(engine, "withLibraryVersion", |uri, (version,)| {
        uri.library_version(version)
    });
    setter(engine, "withPort", |uri, (port,): (u16,)| uri.port(port));
    setter(engine, "withDatabase", |uri, (database,): (u32,)| {
        uri.database(database)
    });
    setter(
        engine,
        "withAuthentication",
        |uri, (user, password): (String, String)| uri.username(user).password(password),
    );
    setter(engine, "withTimeout", |uri, (timeout,): (Duration,)| {
        uri.timeout(timeout)
    });
    method(engine, "build", |_, this: &UriBuilder, ()| {
        Ok(Uri(this.0.borrow().clone().build()?))
    });
}

fn setter<A: Arguments + 'static>(
    engine: &mut Engine,
    name: &'static str,
    set: fn(RedisUriBuilder, A) -> RedisUriBuilder,
) {
    method(engine, name, move |_, this: &UriBuilder, value: A| {
        let changed = set(this.0.borrow().clone(), value);
        *this.0.borrow_mut() = changed;
        Ok(this.clone())
    });
}
