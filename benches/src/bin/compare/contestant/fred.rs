//! `fred`: its defaults and RESP2, which is one of them, with TCP_NODELAY, which is not.

use bytes::Bytes;
use fred::bytes_utils::Str;
use fred::clients::Client;
use fred::interfaces::{ClientLike, KeysInterface, PubsubInterface};
use fred::types::{Builder, Value, config::Config};

use crate::item::Item;
use crate::role::{Calls, Load, Peer, Publishes};

pub(crate) struct Fred(Builder);

pub(crate) fn builder(load: Load) -> Builder {
    let config = Config::from_url(&load.url()).expect("a URL");
    let mut builder = Builder::from_config(config);
    builder.with_connection_config(|connection| connection.tcp.nodelay = Some(true));
    builder
}

impl Peer for Fred {
    type Client = Client;

    async fn start(load: Load) -> Self {
        Self(builder(load))
    }

    async fn open(&self) -> Client {
        let client = self.0.build().expect("a client");
        client.init().await.expect("a connection");
        client
    }
}

// fred takes its arguments as `Bytes`, and so copies neither keys nor values.
impl Calls for Client {
    async fn set(&mut self, item: &Item) {
        let (key, value) = (item.key.clone(), item.value.clone());
        let set = KeysInterface::set(self, key, value, None, None, false);
        let reply: Value = set.await.expect("SET");
        assert!(reply.is_ok(), "SET was not answered with OK");
    }

    async fn get(&mut self, item: &Item) {
        let get = KeysInterface::get(self, item.key.clone());
        let value: Bytes = get.await.expect("GET");
        assert!(value == item.value, "GET was answered with another value");
    }

    async fn pipeline(&mut self, items: &[Item]) {
        let pipeline = Client::pipeline(self);
        for Item { key, value } in items {
            let set = pipeline.set::<(), _, _>(key.clone(), value.clone(), None, None, false);
            set.await.expect("queued");
            pipeline.get::<(), _>(key.clone()).await.expect("queued");
        }
        let replies: Vec<Value> = pipeline.all().await.expect("a pipeline");
        assert!(replies.len() == 2 * items.len(), "a reply is missing");
        for (replies, item) in replies.chunks_exact(2).zip(items) {
            assert!(replies[0].is_ok(), "SET was not answered with OK");
            let value = replies[1].as_bytes() == Some(&item.value[..]);
            assert!(value, "GET was answered with another value");
        }
    }
}

impl Publishes for Client {
    async fn publish(&mut self, item: &Item) {
        let channel = Str::from_inner(item.key.clone()).expect("UTF-8");
        let publish = PubsubInterface::publish(self, channel, item.value.clone());
        let receivers: u64 = publish.await.expect("PUBLISH");
        assert!(receivers == 0, "somebody listens");
    }
}
