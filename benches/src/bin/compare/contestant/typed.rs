//! Calls through the typed traits of the `redis` crate, for all who implement its connection.

use redis_manager::redis::aio::ConnectionLike;
use redis_manager::redis::{AsyncCommands, Value, pipe};

use crate::item::Item;
use crate::role::{Calls, Publishes};

#[derive(Clone)]
pub(crate) struct Typed<C>(pub(crate) C);

impl<C: ConnectionLike + Clone + Send + Sync + 'static> Calls for Typed<C> {
    async fn set(&mut self, item: &Item) {
        set(&mut self.0, item).await;
    }

    async fn get(&mut self, item: &Item) {
        get(&mut self.0, item).await;
    }

    async fn pipeline(&mut self, items: &[Item]) {
        pipeline(&mut self.0, items).await;
    }
}

impl<C: ConnectionLike + Clone + Send + Sync + 'static> Publishes for Typed<C> {
    async fn publish(&mut self, item: &Item) {
        publish(&mut self.0, item).await;
    }
}

pub(crate) async fn set(connection: &mut (impl AsyncCommands + Sync), item: &Item) {
    let (key, value): (&[u8], &[u8]) = (&item.key, &item.value);
    let ok: bool = connection.set(key, value).await.expect("SET");
    assert!(ok, "SET was not answered with OK");
}

pub(crate) async fn get(connection: &mut (impl AsyncCommands + Sync), item: &Item) {
    let key: &[u8] = &item.key;
    let value: Vec<u8> = connection.get(key).await.expect("GET");
    assert!(value == item.value, "GET was answered with another value");
}

pub(crate) async fn pipeline(connection: &mut (impl ConnectionLike + Send + Sync), items: &[Item]) {
    let mut pipeline = pipe();
    for Item { key, value } in items {
        let (key, value): (&[u8], &[u8]) = (key, value);
        pipeline.set(key, value).get(key);
    }
    let replies: Vec<Value> = pipeline.query_async(connection).await.expect("a pipeline");
    assert!(replies.len() == 2 * items.len(), "a reply is missing");
    for (replies, item) in replies.chunks_exact(2).zip(items) {
        assert!(replies[0] == Value::Okay, "SET was not answered with OK");
        let value = matches!(&replies[1], Value::BulkString(value) if *value == item.value);
        assert!(value, "GET was answered with another value");
    }
}

pub(crate) async fn publish(connection: &mut (impl AsyncCommands + Sync), item: &Item) {
    let (channel, message): (&[u8], &[u8]) = (&item.key, &item.value);
    let receivers: u64 = connection.publish(channel, message).await.expect("PUBLISH");
    assert!(receivers == 0, "somebody listens");
}
