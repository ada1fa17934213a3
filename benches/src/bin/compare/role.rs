//! What a contestant can be asked to do.

use std::future::Future;
use std::net::SocketAddr;

use crate::item::Item;

/// What a client will have to bear, for those who want to be set up for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) address: SocketAddr,
    /// How many calls are under way at once.
    pub(crate) depth: usize,
    /// The bytes of a value.
    pub(crate) size: usize,
}

impl Load {
    pub(crate) fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// The bytes of requests that may be under way at once, with what queues count besides.
    pub(crate) fn bytes(&self) -> usize {
        self.depth * (self.size + 4096)
    }
}

/// A library that opens clients.
pub(crate) trait Peer: Sized {
    type Client: Clone + Send + Sync + 'static;

    fn start(load: Load) -> impl Future<Output = Self>;

    /// A client of its own, connected.
    fn open(&self) -> impl Future<Output = Self::Client> + Send;
}

/// One client's calls. All of them check their replies and panic if one is wrong.
pub(crate) trait Calls: Send + Sync + 'static {
    fn set(&mut self, item: &Item) -> impl Future<Output = ()> + Send;

    fn get(&mut self, item: &Item) -> impl Future<Output = ()> + Send;

    /// SET and GET of each item in one pipeline.
    fn pipeline(&mut self, items: &[Item]) -> impl Future<Output = ()> + Send;
}

pub(crate) trait Publishes: Send + Sync + 'static {
    /// PUBLISH of the item's value to the channel that its key names, where nobody listens.
    fn publish(&mut self, item: &Item) -> impl Future<Output = ()> + Send;
}

/// The same for a thread that blocks.
pub(crate) trait BlockingCalls: Send {
    fn set(&mut self, item: &Item);

    fn get(&mut self, item: &Item);
}
