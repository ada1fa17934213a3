//! BASIC clients.

use redis_manager::RedisBasicClient;
use rhai::{Dynamic, Engine};

use crate::client::add_client_methods;
use crate::method::method;

#[derive(Clone)]
pub(crate) struct Basic(pub(crate) RedisBasicClient);

pub(crate) fn add_basic(engine: &mut Engine) {
    engine.register_type_with_name::<Basic>("RedisBasicClient");
    add_client_methods(engine, |this: &Basic| &this.0);
    method(engine, "ping", |_, this: &Basic, ()| {
        Ok(Dynamic::from(this.0.ping()?))
    });
}
