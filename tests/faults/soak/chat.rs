//! A client that publishes to itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use redis_manager::prelude::*;
use tokio::time::sleep;

use super::Soak;

impl Soak {
    /// Publishes to itself and listens, until the client is closed.
    pub(super) async fn chat(
        self: Arc<Self>,
        client: RedisPubSubClient,
        channel: String,
        is_async: bool,
        is_gone: Arc<AtomicBool>,
    ) {
        let (soak, last) = (Arc::clone(&self), AtomicU64::new(0));
        let hear = move |message: &Message| {
            let number: u64 = message.payload_str()?.parse()?;
            let in_order = last.swap(number, SeqCst) < number;
            soak.messages.fetch_add(1, SeqCst);
            soak.disorder
                .fetch_add(u64::from(!in_order || is_gone.load(SeqCst)), SeqCst);
            Ok(())
        };
        let registered = if is_async {
            let hear = Arc::new(hear);
            let function = move |message: Message| {
                let hear = Arc::clone(&hear);
                async move { hear(&message) }
            };
            client.register_async_listener(&channel, function).await
        } else {
            let (client, channel) = (client.clone(), channel.clone());
            let registering = move || client.register_listener(&channel, hear);
            tokio::task::spawn_blocking(registering).await.unwrap()
        };
        let mut goes_on = self.goes_on(registered);
        let mut number = 0;
        while goes_on {
            number += 1;
            goes_on = self.goes_on(client.publish_async(&channel, number).await);
            sleep(Duration::from_millis(2)).await;
        }
    }
}
