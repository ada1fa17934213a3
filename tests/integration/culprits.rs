//! Callbacks that do what callbacks should not, as chance has it.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use redis_manager::LocalListener;
use redis_manager::prelude::*;

use crate::random::Random;

/// What a callback does when it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Deed {
    Panic,
    Fail,
    Block,
    UnregisterItself,
    UnregisterAnother,
    Publish,
    RegisterAnother,
    CloseItsClient,
    UnloadItsScript,
}

impl Deed {
    fn draw(random: &mut Random) -> Self {
        // The gravest are rare, so that there is somebody left for the others.
        match random.below(1_000) {
            0..200 => Self::Panic,
            200..400 => Self::Fail,
            400..550 => Self::Block,
            550..600 => Self::UnregisterItself,
            600..700 => Self::UnregisterAnother,
            700..850 => Self::Publish,
            850..994 => Self::RegisterAnother,
            994..999 => Self::CloseItsClient,
            _ => Self::UnloadItsScript,
        }
    }
}

/// What all misbehaving callbacks know.
pub(crate) struct World {
    pub(crate) manager: RedisManager,
    pub(crate) channels: Vec<String>,
    pub(crate) listeners: Mutex<Vec<ScriptPubSubListener>>,
    /// How many more may be registered by others.
    pub(crate) births: AtomicUsize,
    pub(crate) done: Mutex<BTreeSet<Deed>>,
}

type AsyncCall = Pin<Box<dyn Future<Output = ListenerResult> + Send>>;

/// One misbehaving callback.
pub(crate) struct Culprit {
    world: Arc<World>,
    script: ScriptHandle,
    client: RedisPubSubClient,
    channel: String,
    random: Mutex<Random>,
    /// Itself, once it is registered.
    own: Arc<Mutex<Option<ScriptPubSubListener>>>,
}

impl Culprit {
    fn call(&self) -> ListenerResult {
        let deed = self.choose();
        match deed {
            Deed::Block => thread::sleep(Duration::from_millis(1)),
            Deed::UnregisterItself => {
                // On the stack, so that the lock is not held meanwhile.
                let own = self.own.lock().unwrap().clone();
                own.map_or(Ok(()), |own| own.unregister())?;
            }
            Deed::UnregisterAnother => self.another().unregister()?,
            Deed::Publish => drop(self.client.publish("aside", "psst")?),
            Deed::RegisterAnother => {
                if let Some(another) = self.bear() {
                    another.register("sync")?;
                }
            }
            Deed::CloseItsClient => drop(self.client.close()),
            Deed::Panic | Deed::Fail | Deed::UnloadItsScript => return self.end(deed),
        }
        Ok(())
    }

    /// Boxed, because it registers others of its own kind.
    fn call_async(self: Arc<Self>) -> AsyncCall {
        Box::pin(async move {
            let deed = self.choose();
            match deed {
                Deed::Block => tokio::time::sleep(Duration::from_millis(1)).await,
                Deed::UnregisterItself => {
                    let own = self.own.lock().unwrap().clone();
                    if let Some(own) = own {
                        own.unregister_async().await?;
                    }
                }
                Deed::UnregisterAnother => self.another().unregister_async().await?,
                Deed::Publish => drop(self.client.publish_async("aside", "psst").await?),
                Deed::RegisterAnother => {
                    if let Some(another) = self.bear() {
                        another.register_async().await?;
                    }
                }
                Deed::CloseItsClient => drop(self.client.close_async().await),
                Deed::Panic | Deed::Fail | Deed::UnloadItsScript => return self.end(deed),
            }
            Ok(())
        })
    }

    fn choose(&self) -> Deed {
        let deed = Deed::draw(&mut self.random.lock().unwrap());
        self.world.done.lock().unwrap().insert(deed);
        deed
    }

    fn end(&self, deed: Deed) -> ListenerResult {
        match deed {
            // A panic that prints nothing.
            Deed::Panic => std::panic::resume_unwind(Box::new("deliberate panic")),
            Deed::UnloadItsScript => drop(self.world.manager.unload_script(&self.script)),
            _ => return Err("deliberate error".into()),
        }
        Ok(())
    }

    fn another(&self) -> ScriptPubSubListener {
        let listeners = self.world.listeners.lock().unwrap();
        let index = self.random.lock().unwrap().below(listeners.len() as u64);
        listeners[index as usize].clone()
    }

    /// Another one of the same client, unless there are enough.
    fn bear(&self) -> Option<Self> {
        let births = &self.world.births;
        let less = |left: usize| left.checked_sub(1);
        births
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, less)
            .ok()?;
        let random = self.random.lock().unwrap().fork();
        Some(Self::new(&self.world, &self.script, &self.client, random))
    }

    pub(crate) fn new(
        world: &Arc<World>,
        script: &ScriptHandle,
        client: &RedisPubSubClient,
        mut random: Random,
    ) -> Self {
        let channel = random.below(world.channels.len() as u64) as usize;
        Self {
            world: Arc::clone(world),
            script: script.clone(),
            client: client.clone(),
            channel: world.channels[channel].clone(),
            random: Mutex::new(random),
            own: Arc::default(),
        }
    }

    pub(crate) fn register(self, kind: &str) -> redis_manager::Result<()> {
        if kind == "async" {
            return pollster::block_on(self.register_async());
        }
        let (world, own) = (Arc::clone(&self.world), Arc::clone(&self.own));
        let (client, channel) = (self.client.clone(), self.channel.clone());
        world.know(
            &own,
            client.register_listener(channel, move |_: &Message| self.call())?,
        );
        Ok(())
    }

    async fn register_async(self) -> redis_manager::Result<()> {
        let this = Arc::new(self);
        let culprit = Arc::clone(&this);
        let registering = this
            .client
            .register_async_listener(&this.channel, move |_| {
                let culprit = Arc::clone(&culprit);
                // Boxed, because it registers others of its own kind.
                let call: std::pin::Pin<Box<dyn Future<Output = ListenerResult> + Send>> =
                    Box::pin(async move { culprit.call_async().await });
                call
            });
        let listener = registering.await?;
        this.world.know(&this.own, listener);
        Ok(())
    }

    pub(crate) fn register_local(self) -> LocalListener {
        let (world, own) = (Arc::clone(&self.world), Arc::clone(&self.own));
        let listener = self.client.listener(&self.channel);
        let local = listener.register_local(move |_: &Message| self.call());
        let local = local.unwrap();
        world.know(&own, local.handle().clone());
        local
    }
}

impl World {
    fn know(&self, own: &Mutex<Option<ScriptPubSubListener>>, listener: ScriptPubSubListener) {
        *own.lock().unwrap() = Some(listener.clone());
        self.listeners.lock().unwrap().push(listener);
    }
}
