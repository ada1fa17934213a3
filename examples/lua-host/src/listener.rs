//! Listeners of scripts.

use std::cell::RefCell;
use std::rc::Rc;

use mlua::{Function, Lua, UserData, UserDataFields};
use redis_manager::{Channel, Message, RedisPubSubClient, ScriptPubSubListener, ScriptValue};

use crate::exception::Failure;
use crate::future::{Future, begin};
use crate::method::method;
use crate::place::Script;
use crate::uncaught::Callback;

/// What registering a function returns. Clones are the same listener.
#[derive(Clone)]
pub(crate) struct Listener {
    channel: Channel,
    stage: Rc<RefCell<Stage>>,
    registration: Future,
}

/// How far a listener has come.
enum Stage {
    Registering,
    Registered(ScriptPubSubListener),
    /// Before the server confirmed it, so that it must be taken back then.
    GivenUp,
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
        let stage = Rc::new(RefCell::new(Stage::Registering));
        let heard = Rc::clone(&stage);
        let hear = move |message: &Message| {
            if matches!(*heard.borrow(), Stage::GivenUp) {
                return Ok(());
            }
            Ok(function.call(|lua| {
                let channel = lua.create_string(message.channel())?;
                Ok((channel, lua.create_string(message.payload())?))
            })?)
        };
        let mailbox = Script::of(lua)?.context.mailbox().clone();
        let (client, wanted, reached) = (client.clone(), channel.clone(), Rc::clone(&stage));
        let registration = begin(lua, async move {
            let registered = mailbox.register_listener_async(&client, wanted, hear);
            let handle = registered.await?;
            let stage = reached.replace(Stage::Registered(handle.clone()));
            if matches!(stage, Stage::GivenUp) {
                handle.unregister_async().await?;
            }
            Ok(ScriptValue::Nil)
        })?;
        Ok(Self {
            channel,
            stage,
            registration,
        })
    }

    /// Waits until the server has confirmed it.
    pub(crate) fn registered(self) -> Result<Self, Failure> {
        self.registration.wait()?;
        Ok(self)
    }

    pub(crate) fn unregister(&self) -> Result<(), Failure> {
        let handle = match &mut *self.stage.borrow_mut() {
            Stage::Registered(handle) => handle.clone(),
            stage => {
                *stage = Stage::GivenUp;
                return Ok(());
            }
        };
        Ok(handle.unregister()?)
    }

    fn is_registered(&self) -> bool {
        match &*self.stage.borrow() {
            Stage::Registered(handle) => handle.is_registered(),
            Stage::Registering | Stage::GivenUp => false,
        }
    }
}

impl UserData for Listener {
    fn add_fields<F: UserDataFields<Self>>(fields: &mut F) {
        method(fields, "unregister", |_, this: &Self, ()| this.unregister());
        method(fields, "isRegistered", |_, this: &Self, ()| {
            Ok(this.is_registered())
        });
        method(fields, "getChannel", |lua, this: &Self, ()| {
            Ok(lua.create_string(this.channel.name())?)
        });
        method(fields, "registration", |_, this: &Self, ()| {
            Ok(this.registration.clone())
        });
    }
}
