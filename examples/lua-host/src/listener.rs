//! Listeners of scripts.

use mlua::{Function, Lua, UserData, UserDataFields};
use redis_manager::{Channel, Message, RedisPubSubClient};
use script_host::Registration;

use crate::exception::Failure;
use crate::future::{Future, begin};
use crate::method::method;
use crate::place::Script;
use crate::uncaught::Callback;

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
        lua: &Lua,
        client: &RedisPubSubClient,
        channel: Channel,
        function: Function,
    ) -> Result<Self, Failure> {
        let function = Callback::new(lua, function);
        let hear = move |message: &Message| {
            Ok(function.call(|lua| {
                let channel = lua.create_string(message.channel())?;
                Ok((channel, lua.create_string(message.payload())?))
            })?)
        };
        let mailbox = Script::of(lua)?.context.mailbox().clone();
        let listening = Registration::default();
        let registered = listening.register(mailbox, client.clone(), channel.clone(), hear);
        Ok(Self {
            channel,
            listening,
            registration: begin(lua, registered)?,
        })
    }

    /// Waits until the server has confirmed it.
    pub(crate) fn registered(self) -> Result<Self, Failure> {
        self.registration.wait()?;
        Ok(self)
    }

    pub(crate) fn unregister(&self) -> Result<(), Failure> {
        Ok(self.listening.unregister()?)
    }
}

impl UserData for Listener {
    fn add_fields<F: UserDataFields<Self>>(fields: &mut F) {
        method(fields, "unregister", |_, this: &Self, ()| this.unregister());
        method(fields, "isRegistered", |_, this: &Self, ()| {
            Ok(this.listening.is_registered())
        });
        method(fields, "getChannel", |lua, this: &Self, ()| {
            Ok(lua.create_string(this.channel.name())?)
        });
        method(fields, "registration", |_, this: &Self, ()| {
            Ok(this.registration.clone())
        });
    }
}
