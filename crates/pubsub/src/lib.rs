//! `RedisPubSubClient`: publish and listen, for scripts. Listeners are functions, asynchronous functions,
//! streams, or functions that stay on one thread; they never run on a thread that does I/O.
//!
//! Part of [`redis-manager`](https://docs.rs/redis-manager), and usable alone:
//!
//! ```no_run
//! use redis_manager_pubsub::core::{ClientOptions, ClientResources, OpenRedisClient, ScriptHandle};
//! use redis_manager_pubsub::{Message, RedisPubSubClient};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let resources = ClientResources::new()?;
//! let script = ScriptHandle::new("chat");
//! let uri = "redis://localhost".parse()?;
//! let client = RedisPubSubClient::open(&script, uri, ClientOptions::default(), &resources)?;
//! let greeter = client.register_listener("global", |message: &Message| {
//!     tracing::info!(text = message.payload_str()?, "heard");
//!     Ok(())
//! })?;
//! client.publish("global", "hello")?;
//! greeter.unregister()?;
//! # Ok(()) }
//! ```

mod arrivals;
mod burst;
mod callback;
mod client;
mod event_queue;
mod listener;
mod listener_builder;
mod listener_event;
mod listener_handle;
mod local_listener;
mod message;
mod message_stream;
mod subscription_table;
mod subscriptions;

pub use callback::{ListenerError, ListenerResult};
pub use client::RedisPubSubClient;
pub use listener_builder::ListenerBuilder;
pub use listener_event::{Delivered, ListenerEvent};
pub use listener_handle::ScriptPubSubListener;
pub use local_listener::LocalListener;
pub use message::Message;
pub use message_stream::MessageStream;

pub use redis_manager_core as core;
pub use redis_manager_core::redis;
