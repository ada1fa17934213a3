//! Listeners that scripts register without waiting.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use redis_manager::{
    Channel, ListenerResult, Mailbox, Message, RedisPubSubClient, Result, ScriptPubSubListener,
    ScriptValue,
};

/// A listener of a script, from when it is asked for: it may be given up before the server has confirmed it. Clones
/// are the same listener; not `Send`.
#[derive(Clone, Default)]
pub struct Registration(Rc<RefCell<Stage>>);

/// How far it has come.
#[derive(Default)]
enum Stage {
    #[default]
    Registering,
    Registered(ScriptPubSubListener),
    /// Before the server confirmed it, so that it must be taken back then.
    GivenUp,
}

impl Registration {
    /// Registers `function` in `mailbox`, as [`Mailbox::register_listener_async`] does. Completes with nil, so that it
    /// can be a call of the script.
    ///
    /// # Errors
    ///
    /// As that.
    pub fn register(
        &self,
        mailbox: Mailbox,
        client: RedisPubSubClient,
        channel: Channel,
        mut function: impl FnMut(&Message) -> ListenerResult + 'static,
    ) -> impl Future<Output = Result<ScriptValue>> + 'static {
        let (heard, reached) = (self.clone(), self.clone());
        let hear = move |message: &Message| {
            // Not borrowed during the call, which may unregister the listener.
            if matches!(*heard.0.borrow(), Stage::GivenUp) {
                return Ok(());
            }
            function(message)
        };
        async move {
            let registered = mailbox.register_listener_async(&client, channel, hear);
            let handle = registered.await?;
            let stage = reached.0.replace(Stage::Registered(handle.clone()));
            if matches!(stage, Stage::GivenUp) {
                handle.unregister_async().await?;
            }
            Ok(ScriptValue::Nil)
        }
    }

    /// Unregisters the listener, blocking the thread, or has that done once it is registered: it never hears then.
    ///
    /// # Errors
    ///
    /// As [`ScriptPubSubListener::unregister`].
    pub fn unregister(&self) -> Result<()> {
        let handle = match &mut *self.0.borrow_mut() {
            Stage::Registered(handle) => handle.clone(),
            stage => {
                *stage = Stage::GivenUp;
                return Ok(());
            }
        };
        handle.unregister()
    }

    /// Whether the server has confirmed the listener, and it was not unregistered since.
    #[must_use]
    pub fn is_registered(&self) -> bool {
        match &*self.0.borrow() {
            Stage::Registered(handle) => handle.is_registered(),
            Stage::Registering | Stage::GivenUp => false,
        }
    }
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration")
            .field("is_registered", &self.is_registered())
            .finish()
    }
}
