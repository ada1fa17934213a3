//! Listeners of scripts.

use std::cell::RefCell;
use std::rc::Rc;

use redis_manager::{
    Channel, Message, RedisPubSubClient, Result, ScriptPubSubListener, ScriptValue,
};
use rhai::{Dynamic, Engine, FnPtr};

use crate::argument::Argument;
use crate::callback::Callback;
use crate::future::{Future, begin};
use crate::method::{Call, method};
use crate::value::text_or_blob;

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
        call: &Call,
        client: &RedisPubSubClient,
        channel: Channel,
        function: FnPtr,
    ) -> Result<Self> {
        let function = Callback::new(call, function);
        let stage = Rc::new(RefCell::new(Stage::Registering));
        let heard = Rc::clone(&stage);
        let hear = move |message: &Message| {
            if matches!(*heard.borrow(), Stage::GivenUp) {
                return Ok(());
            }
            let parts = [message.channel(), message.payload()];
            Ok(function.call(parts.map(|part| text_or_blob(part.to_vec())).into())?)
        };
        let mailbox = call.script.context.mailbox().clone();
        let (client, wanted, reached) = (client.clone(), channel.clone(), Rc::clone(&stage));
        let registration = begin(call, async move {
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
    pub(crate) fn registered(self) -> Result<Self> {
        self.registration.wait()?;
        Ok(self)
    }

    pub(crate) fn unregister(&self) -> Result<()> {
        let handle = match &mut *self.stage.borrow_mut() {
            Stage::Registered(handle) => handle.clone(),
            stage => {
                *stage = Stage::GivenUp;
                return Ok(());
            }
        };
        handle.unregister()
    }

    fn is_registered(&self) -> bool {
        match &*self.stage.borrow() {
            Stage::Registered(handle) => handle.is_registered(),
            Stage::Registering | Stage::GivenUp => false,
        }
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
        Ok(this.is_registered())
    });
    method(engine, "getChannel", |_, this: &Listener, ()| {
        Ok(text_or_blob(this.channel.name().to_vec()))
    });
    method(engine, "registration", |_, this: &Listener, ()| {
        Ok(this.registration.clone())
    });
}
