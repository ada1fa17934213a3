//! `deadpool-redis`: a pool of at most 16 connections of the `redis` crate, one taken for each call.
//! When it is given back and taken again, deadpool sends UNWATCH and PING.

use deadpool_redis::{Config, Pool, PoolConfig, Runtime};

use super::typed;
use crate::item::Item;
use crate::role::{Calls, Load, Peer};

const MOST: usize = 16;

pub(crate) struct Pooled(Pool);

impl Peer for Pooled {
    type Client = Taking;

    async fn start(load: Load) -> Self {
        let mut config = Config::from_url(load.url());
        config.pool = Some(PoolConfig::new(load.depth.min(MOST)));
        let pool = config.create_pool(Some(Runtime::Tokio1));
        Self(pool.expect("a pool"))
    }

    async fn open(&self) -> Self::Client {
        Taking(self.0.clone())
    }
}

#[derive(Clone)]
pub(crate) struct Taking(Pool);

impl Taking {
    async fn connection(&self) -> deadpool_redis::Connection {
        self.0.get().await.expect("a connection")
    }
}

impl Calls for Taking {
    async fn set(&mut self, item: &Item) {
        typed::set(&mut self.connection().await, item).await;
    }

    async fn get(&mut self, item: &Item) {
        typed::get(&mut self.connection().await, item).await;
    }

    async fn pipeline(&mut self, items: &[Item]) {
        typed::pipeline(&mut self.connection().await, items).await;
    }
}
