//! What servers say of their commands, asked once for all clients.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::CommandTable;
use crate::Result;

/// Held while a server is asked, so that others wait for the answer.
type Slot = tokio::sync::Mutex<Weak<CommandTable>>;

/// The tables that clients have, by the address of their server. It keeps none itself.
#[derive(Debug, Default)]
pub(crate) struct TableCache(Mutex<HashMap<String, Arc<Slot>>>);

impl TableCache {
    /// The table of the server at `address`, from another client if one has it; else by asking with `ask`.
    pub(crate) async fn get(
        &self,
        address: &str,
        ask: impl Future<Output = Result<CommandTable>>,
    ) -> Result<Arc<CommandTable>> {
        let slot = self.slot(address);
        let mut known = slot.lock().await;
        if let Some(table) = known.upgrade() {
            return Ok(table);
        }
        let table = Arc::new(ask.await?);
        *known = Arc::downgrade(&table);
        Ok(table)
    }

    fn slot(&self, address: &str) -> Arc<Slot> {
        let mut slots = self.0.lock();
        if let Some(slot) = slots.get(address) {
            return Arc::clone(slot);
        }
        let is_used = |slot: &Arc<Slot>| {
            let known = slot.try_lock();
            Arc::strong_count(slot) > 1 || known.is_ok_and(|known| known.strong_count() > 0)
        };
        slots.retain(|_, slot| is_used(slot));
        Arc::clone(slots.entry(address.to_owned()).or_default())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::join_all;
    use redis::Value;

    use super::*;
    use crate::{Error, ErrorKind};

    async fn ask(asked: &AtomicUsize) -> Result<CommandTable> {
        tokio::task::yield_now().await;
        asked.fetch_add(1, Ordering::Relaxed);
        let word = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        let number = Value::Int;
        let flags = Value::Array(vec![]);
        let get = vec![
            word("get"),
            number(2),
            flags,
            number(1),
            number(1),
            number(1),
        ];
        CommandTable::read(&Value::Array(vec![Value::Array(get)]))
    }

    #[tokio::test]
    async fn a_server_is_asked_once_by_however_many() {
        let (cache, asked) = (TableCache::default(), AtomicUsize::new(0));
        let all = join_all((0..100).map(|_| cache.get("a", ask(&asked)))).await;
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        let first = all[0].as_ref().unwrap();
        assert!(all.iter().flatten().all(|table| Arc::ptr_eq(table, first)));
        drop(cache.get("b", ask(&asked)).await);
        assert_eq!(asked.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn a_failure_is_one_callers_alone_and_what_nobody_has_is_forgotten() {
        let (cache, asked) = (TableCache::default(), AtomicUsize::new(0));
        let fail = async { Err(Error::new(ErrorKind::Timeout, "no")) };
        assert!(cache.get("a", fail).await.is_err());
        let table = cache.get("a", ask(&asked)).await.unwrap();
        drop(table);
        drop(cache.get("a", ask(&asked)).await.unwrap());
        assert_eq!(asked.load(Ordering::Relaxed), 2);
        drop(cache.get("b", ask(&asked)).await.unwrap());
        assert_eq!(cache.0.lock().len(), 1);
    }
}
