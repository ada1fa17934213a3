//! Connections of one purpose: a pool, or in a cluster one a node.

use std::sync::Arc;

use parking_lot::Mutex;
use redis_manager_core::{ClientContext, Connection, PoolSnapshot, RedisNode, Result};

use crate::connection_pool::{ConnectionPool, build_pool};

/// Made when they are needed: most clients never do.
pub(crate) struct NodePools {
    size: usize,
    option: &'static str,
    pools: Mutex<Vec<(Option<RedisNode>, ConnectionPool)>>,
}

impl NodePools {
    /// Of at most `size` connections each, which the option of this name says.
    pub(crate) fn new(size: usize, option: &'static str) -> Self {
        Self {
            size,
            option,
            pools: Mutex::default(),
        }
    }

    pub(crate) fn option(&self) -> &'static str {
        self.option
    }

    /// The pool for a `node` of the cluster; `None` is the server that is none.
    pub(crate) fn at(
        &self,
        context: &Arc<ClientContext>,
        node: Option<(&Connection, &RedisNode)>,
    ) -> Result<ConnectionPool> {
        let mut pools = self.pools.lock();
        let address = node.map(|(_, address)| address);
        if let Some((_, pool)) = pools.iter().find(|(at, _)| at.as_ref() == address) {
            return Ok(pool.clone());
        }
        // Nodes come and go.
        pools.retain(|(_, pool)| {
            forget_lost(pool);
            pool.status().size > 0 || pool.status().waiting > 0
        });
        let pool = build_pool(context, node, self.size)?;
        pools.push((address.cloned(), pool.clone()));
        Ok(pool)
    }

    pub(crate) fn snapshot(&self) -> PoolSnapshot {
        let (mut out, mut idle, mut waiting) = (0, 0, 0);
        for (_, pool) in &*self.pools.lock() {
            forget_lost(pool);
            let status = pool.status();
            out += status.size.saturating_sub(status.available);
            idle += status.available;
            waiting += status.waiting;
        }
        PoolSnapshot::new(out, idle, waiting)
    }

    /// Hands out nothing any more; the connections end with the client's tasks.
    pub(crate) fn close(&self) {
        for (_, pool) in &*self.pools.lock() {
            pool.close();
        }
    }
}

/// Takes out what was lost while nobody had it: nobody asks the pool of a node that is gone for another connection.
fn forget_lost(pool: &ConnectionPool) {
    pool.retain(|connection, _| connection.is_open());
}
