//! PUB_SUB clients.

use mlua::{Function, LuaString, UserData, UserDataFields, UserDataRef};
use redis_manager::{Channel, Error, ErrorKind, RedisPubSubClient, ScriptValue};

use crate::client::{ConnectionView, add_client_methods};
use crate::future::begin;
use crate::listener::Listener;
use crate::method::method;
use crate::value::bytes;

pub(crate) struct PubSub(pub(crate) RedisPubSubClient);

impl UserData for PubSub {
    fn add_fields<F: UserDataFields<Self>>(fields: &mut F) {
        add_client_methods(fields, |this: &Self| &this.0);
        method(fields, "getConnection", |_, this: &Self, ()| {
            Ok(ConnectionView(this.0.clone().into()))
        });
        add_registering(fields);
        add_publishing(fields);
    }
}

fn add_registering(fields: &mut impl UserDataFields<PubSub>) {
    type Registered = (Function, LuaString);
    for name in ["registerListener", "registerSyncListener"] {
        method(fields, name, |lua, this: &PubSub, of: Registered| {
            let channel = Channel::new(of.1.as_bytes());
            Listener::begin(lua, &this.0, channel, of.0)?.registered()
        });
    }
    method(
        fields,
        "registerPatternListener",
        |lua, this: &PubSub, of: Registered| {
            let pattern = Channel::pattern(of.1.as_bytes());
            Listener::begin(lua, &this.0, pattern, of.0)?.registered()
        },
    );
    method(
        fields,
        "registerAsyncListener",
        |lua, this: &PubSub, of: Registered| {
            Listener::begin(lua, &this.0, Channel::new(of.1.as_bytes()), of.0)
        },
    );
    method(
        fields,
        "unregisterListener",
        |_, _: &PubSub, listener: UserDataRef<Listener>| listener.unregister(),
    );
    method(
        fields,
        "unregisterListeners",
        |_, this: &PubSub, channel: LuaString| {
            Ok(this
                .0
                .unregister_listeners(Channel::new(channel.as_bytes()))?)
        },
    );
}

fn add_publishing(fields: &mut impl UserDataFields<PubSub>) {
    type Published = (LuaString, LuaString);
    for name in ["publish", "publishSync"] {
        method(
            fields,
            name,
            |_, this: &PubSub, (channel, message): Published| {
                Ok(this.0.publish(bytes(&channel), bytes(&message))?)
            },
        );
    }
    method(
        fields,
        "publishAsync",
        |lua, this: &PubSub, (channel, message): Published| {
            let (client, channel, message) = (this.0.clone(), bytes(&channel), bytes(&message));
            begin(lua, async move {
                let receivers = client.publish_async(channel, message).await?;
                let receivers = i64::try_from(receivers);
                let receivers =
                    receivers.map_err(|_| Error::new(ErrorKind::Conversion, "too many"))?;
                Ok(ScriptValue::Integer(receivers))
            })
        },
    );
}
