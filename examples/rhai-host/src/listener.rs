//! Listeners of scripts.

use redis_manager::{Channel, Message, RedisPubSubClient, Result};
use rhai::{Dynamic, Engine, FnPtr};
use script_host::Registration;

use crate::argument::Argument;
use crate::callback::Callback;
use crate::future::{Future, begin};
use crate::method::{Call, method};
use crate::value::text_or_blob;

/// What registering a function returns. Clones are the same listener.
#[derive(Clone)]
pub(crate) struct Listener {
    channel: Channel,
    listening: Registration,
    registration: Future,
}

impl Listener {
    /// Begins to register `function`.
    pub(crate) fn begin(
        call: &Call,
        client: &RedisPubSubClient,
        channel: Channel,
        function: FnPtr,
    ) -> Result<Self> {
        let function = Callback::new(call, function);
        let hear = move |message: &Message| {
            let parts = [message.channel(), message.payload()];
            Ok(function.call(parts.map(|part| text_or_blob(part.to_vec())).into())?)
        };
        let mailbox = call.script.context.mailbox().clone();
        let listening = Registration::default();
        let registered = listening.register(mailbox, client.clone(), channel.clone(), hear);
        Ok(Self {
            channel,
            listening,
            registration: begin(call, registered)?,
        })
    }

    /// Waits until the server has confirmed it.
    pub(crate) fn registered(self) -> Result<Self> {
        self.registration.wait()?;
        Ok(self)
    }

    pub(crate) fn unregister(&self) -> Result<()> {
        self.listening.unregister()
    }
}

impl Argument for Listener {
    const WANTED: &str = "a listener";

    fn of(value: Dynamic) -> Option<Self> {
        value.try_cast()
    }
}

pub(crate) fn add_listener(engine: &mut Engine) {
    engine.register_type_with_name::<Listener>("ScriptPubSubListener");
    method(engine, "unregister", |_, this: &Listener, ()| {
        this.unregister()
    });
    method(engine, "isRegistered", |_, this: &Listener, ()| {
        Ok(this.listening.is_registered())
    });
    method(engine, "getChannel", |_, this: &Listener, ()| {
        Ok(text_or_blob(this.channel.name().to_vec()))
    });
    method(engine, "registration", |_, this: &Listener, ()| {
        Ok(this.registration.clone())
    });
}
