//! Listeners whose functions run in a mailbox.

use redis_manager_core::{Channel, Result, wait};
use redis_manager_pubsub::{
    ListenerResult, LocalListener, Message, RedisPubSubClient, ScriptPubSubListener,
};

use super::Mailbox;

impl Mailbox {
    /// Registers `function`, which need not be `Send`, for the messages of `channel`, blocking the thread until
    /// the server has confirmed it. The function runs in [`poll`](Self::poll), for one message a call. A pattern
    /// is `Channel::pattern("news.*")`; more can be chosen with [`attach`](Self::attach).
    ///
    /// The client should be of the mailbox's script: a listener ends with either, and its failures go to the sink of the
    /// client's script.
    ///
    /// ```no_run
    /// # use std::{cell::RefCell, rc::Rc};
    /// # use redis_manager::prelude::*;
    /// # fn example(mailbox: Mailbox, client: RedisPubSubClient) -> redis_manager::Result<()> {
    /// let chat = Rc::new(RefCell::new(Vec::new()));
    /// let lines = Rc::clone(&chat);
    /// let listener = mailbox.register_listener(&client, "global", move |message: &Message| {
    ///     lines.borrow_mut().push(message.payload_str()?.to_owned());
    ///     Ok(())
    /// })?;
    /// mailbox.poll(Duration::from_millis(2));
    /// listener.unregister()?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`RedisPubSubClient::register_listener`], and as [`spawn`](Self::spawn); then nothing is registered. After
    /// its script was unloaded the client is [`Closed`](redis_manager_core::ErrorKind::Closed).
    pub fn register_listener(
        &self,
        client: &RedisPubSubClient,
        channel: impl Into<Channel>,
        function: impl FnMut(&Message) -> ListenerResult + 'static,
    ) -> Result<ScriptPubSubListener> {
        wait(self.register_listener_async(client, channel, function))?
    }

    /// The asynchronous twin of [`register_listener`](Self::register_listener).
    ///
    /// # Errors
    ///
    /// As its twin.
    pub async fn register_listener_async(
        &self,
        client: &RedisPubSubClient,
        channel: impl Into<Channel>,
        function: impl FnMut(&Message) -> ListenerResult + 'static,
    ) -> Result<ScriptPubSubListener> {
        let registered = client.listener(channel).register_local_async(function);
        self.attach(registered.await?)
    }

    /// Runs `listener` in this mailbox from now on: one that was made with more than a channel and a function.
    /// Does not block.
    ///
    /// ```no_run
    /// # use redis_manager::prelude::*;
    /// # fn example(mailbox: Mailbox, client: RedisPubSubClient) -> redis_manager::Result<()> {
    /// let prices = client.listener(Channel::pattern("price.*")).queue_size(64).with_gaps();
    /// mailbox.attach(prices.register_local(|event: &ListenerEvent| {
    ///     println!("{event:?}");
    ///     Ok(())
    /// })?)?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn); the listener is unregistered then.
    pub fn attach(&self, listener: LocalListener) -> Result<ScriptPubSubListener> {
        let handle = listener.handle().clone();
        self.spawn(async move {
            listener.await;
            Ok(())
        })?;
        Ok(handle)
    }
}
