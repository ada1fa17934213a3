//! `rustis`: its defaults, RESP3 only.

use rustis::client::{BatchPreparedCommand, Client, Config, IntoConfig};
use rustis::commands::{PubSubCommands, StringCommands};
use rustis::resp::{BulkString, RefBulkString, Value};

use crate::item::Item;
use crate::role::{Calls, Load, Peer, Publishes};

pub(crate) struct Rustis(Config);

pub(crate) fn config(load: Load) -> Config {
    let address = (load.address.ip().to_string(), load.address.port());
    let mut config = address.into_config().expect("an address");
    let queued = &mut config.backpressure.max_queued_bytes;
    *queued = load.bytes().max(*queued);
    config
}

pub(crate) async fn connect(config: &Config) -> Client {
    Client::connect(config.clone()).await.expect("a connection")
}

impl Peer for Rustis {
    type Client = Client;

    async fn start(load: Load) -> Self {
        Self(config(load))
    }

    async fn open(&self) -> Client {
        connect(&self.0).await
    }
}

fn argument(bytes: &[u8]) -> RefBulkString<'_> {
    RefBulkString::new(bytes)
}

impl Calls for Client {
    async fn set(&mut self, item: &Item) {
        let set = StringCommands::set(&*self, argument(&item.key), argument(&item.value));
        set.await.expect("SET");
    }

    async fn get(&mut self, item: &Item) {
        let get = StringCommands::get::<BulkString>(&*self, argument(&item.key));
        let value = get.await.expect("GET");
        assert!(*value == *item.value, "GET was answered with another value");
    }

    async fn pipeline(&mut self, items: &[Item]) {
        let mut pipeline = self.create_pipeline();
        pipeline.reserve(2 * items.len());
        for Item { key, value } in items {
            StringCommands::set(&mut pipeline, argument(key), argument(value)).queue();
            StringCommands::get::<()>(&mut pipeline, argument(key)).queue();
        }
        let replies: Vec<Value> = pipeline.execute().await.expect("a pipeline");
        assert!(replies.len() == 2 * items.len(), "a reply is missing");
        for (replies, item) in replies.chunks_exact(2).zip(items) {
            let ok = matches!(&replies[0], Value::SimpleString(text) if text == "OK");
            assert!(ok, "SET was not answered with OK: {:?}", replies[0]);
            let value = matches!(&replies[1], Value::BulkString(value) if **value == *item.value);
            assert!(value, "GET was answered with another value");
        }
    }
}

impl Publishes for Client {
    async fn publish(&mut self, item: &Item) {
        let publish = PubSubCommands::publish(&*self, argument(&item.key), argument(&item.value));
        assert!(publish.await.expect("PUBLISH") == 0, "somebody listens");
    }
}
