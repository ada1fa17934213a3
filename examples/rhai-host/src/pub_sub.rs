//! PUB_SUB clients.

use redis_manager::{Channel, Error, ErrorKind, RedisPubSubClient, Result, ScriptValue};
use rhai::{Dynamic, Engine, FnPtr};

use crate::argument::Bytes;
use crate::client::{ConnectionView, add_client_methods};
use crate::future::begin;
use crate::listener::Listener;
use crate::method::method;

#[derive(Clone)]
pub(crate) struct PubSub(pub(crate) RedisPubSubClient);

pub(crate) fn add_pub_sub(engine: &mut Engine) {
    engine.register_type_with_name::<PubSub>("RedisPubSubClient");
    add_client_methods(engine, |this: &PubSub| &this.0);
    method(engine, "getConnection", |_, this: &PubSub, ()| {
        Ok(ConnectionView(this.0.clone().into()))
    });
    add_registering(engine);
    add_publishing(engine);
}

fn add_registering(engine: &mut Engine) {
    type Registered = (FnPtr, Bytes);
    for name in ["registerListener", "registerSyncListener"] {
        method(engine, name, |call, this: &PubSub, of: Registered| {
            Listener::begin(call, &this.0, Channel::new(of.1.0), of.0)?.registered()
        });
    }
    method(
        engine,
        "registerPatternListener",
        |call, this: &PubSub, of: Registered| {
            Listener::begin(call, &this.0, Channel::pattern(of.1.0), of.0)?.registered()
        },
    );
    method(
        engine,
        "registerAsyncListener",
        |call, this: &PubSub, of: Registered| {
            Listener::begin(call, &this.0, Channel::new(of.1.0), of.0)
        },
    );
    method(
        engine,
        "unregisterListener",
        |_, _: &PubSub, (listener,): (Listener,)| listener.unregister(),
    );
    method(
        engine,
        "unregisterListeners",
        |_, this: &PubSub, (channel,): (Bytes,)| {
            counted(this.0.unregister_listeners(Channel::new(channel.0))?)
        },
    );
}

fn add_publishing(engine: &mut Engine) {
    type Published = (Bytes, Bytes);
    for name in ["publish", "publishSync"] {
        method(engine, name, |_, this: &PubSub, of: Published| {
            counted(this.0.publish(of.0.0, of.1.0)?)
        });
    }
    method(
        engine,
        "publishAsync",
        |call, this: &PubSub, of: Published| {
            let client = this.0.clone();
            begin(call, async move {
                let receivers = client.publish_async(of.0.0, of.1.0).await?;
                Ok(ScriptValue::Integer(number(receivers)?))
            })
        },
    );
}

fn counted(many: impl TryInto<i64>) -> Result<Dynamic> {
    Ok(number(many)?.into())
}

fn number(many: impl TryInto<i64>) -> Result<i64> {
    let number = many.try_into();
    number.map_err(|_| Error::new(ErrorKind::Conversion, "too many"))
}
