//! What servers say of their commands, asked once for all clients.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::time::timeout_at;

use super::CommandTable;
use crate::{Deadline, Error, ErrorKind, Result};

/// Held while a server is asked, so that others wait for the answer.
type Slot = tokio::sync::Mutex<Weak<CommandTable>>;

/// The tables that clients have, by the address of their server. It keeps none itself.
#[derive(Debug, Default)]
pub(crate) struct TableCache(Mutex<HashMap<String, Arc<Slot>>>);

impl TableCache {
    /// The table of the server at `address`, from another client if one has it; else by asking with `ask`. Whoever asks
    /// already may have more time than `deadline` leaves. Must be polled on an I/O runtime.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Timeout`] at `deadline`; otherwise that of `ask`.
    pub(crate) async fn get(
        &self,
        address: &str,
        deadline: Deadline,
        ask: impl Future<Output = Result<CommandTable>>,
    ) -> Result<Arc<CommandTable>> {
        let getting = self.get_in_turn(address, ask);
        match deadline.at() {
            Some(at) => timeout_at(at, getting)
                .await
                .unwrap_or_else(|_| Err(too_late(deadline))),
            None => getting.await,
        }
    }

    async fn get_in_turn(
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

fn too_late(deadline: Deadline) -> Error {
    let timeout = deadline.timeout().unwrap_or_default();
    let message = format!("the server did not say within {timeout:?} which commands it has");
    Error::new(ErrorKind::Timeout, message)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::join_all;
    use redis::Value;

    use super::*;

    fn unhurried() -> Deadline {
        Deadline::after(None)
    }

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
        let all = join_all((0..100).map(|_| cache.get("a", unhurried(), ask(&asked)))).await;
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        let first = all[0].as_ref().unwrap();
        assert!(all.iter().flatten().all(|table| Arc::ptr_eq(table, first)));
        drop(cache.get("b", unhurried(), ask(&asked)).await);
        assert_eq!(asked.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn a_failure_is_one_callers_alone_and_what_nobody_has_is_forgotten() {
        let (cache, asked) = (TableCache::default(), AtomicUsize::new(0));
        let fail = async { Err(Error::new(ErrorKind::Timeout, "no")) };
        assert!(cache.get("a", unhurried(), fail).await.is_err());
        let table = cache.get("a", unhurried(), ask(&asked)).await.unwrap();
        drop(table);
        drop(cache.get("a", unhurried(), ask(&asked)).await.unwrap());
        assert_eq!(asked.load(Ordering::Relaxed), 2);
        drop(cache.get("b", unhurried(), ask(&asked)).await.unwrap());
        assert_eq!(cache.0.lock().len(), 1);
    }

    #[tokio::test]
    async fn who_asks_and_gets_no_answer_holds_up_nobody_beyond_his_deadline() {
        let (cache, asked) = (TableCache::default(), AtomicUsize::new(0));
        let silent = cache.get("a", unhurried(), std::future::pending());
        let deadline = Deadline::after(std::time::Duration::from_millis(20));
        let short = cache.get("a", deadline, ask(&asked));
        let error = tokio::select! {
            biased;
            _ = silent => unreachable!("it is not answered"),
            outcome = short => outcome.unwrap_err(),
        };
        assert_eq!(error.kind(), ErrorKind::Timeout);
        cache.get("a", unhurried(), ask(&asked)).await.unwrap();
    }
}
