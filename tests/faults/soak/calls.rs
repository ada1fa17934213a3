//! Calls, and how they may come out.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use redis_manager::Delivery;
use redis_manager::prelude::*;
use redis_manager::redis::{AsyncCommands, Value, cmd, pipe};
use tokio::time::{sleep, timeout};

use super::Soak;
use crate::harness::PATIENCE;
use crate::random::Random;

const LISTS: u64 = 4;

impl Soak {
    /// Whether a call came out as one may, and its client is open still.
    pub(super) fn goes_on<T>(&self, outcome: Result<T, impl Into<Error>>) -> bool {
        self.calls.fetch_add(1, SeqCst);
        let Err(error) = outcome.map_err(Into::into) else {
            return true;
        };
        // The others kept the watched key changing until the deadline.
        if error.kind() == ErrorKind::Conflict {
            return true;
        }
        let expected = [
            ErrorKind::Closed,
            ErrorKind::Connect,
            ErrorKind::Disconnected,
            ErrorKind::PoolExhausted,
            ErrorKind::Timeout,
        ];
        assert!(expected.contains(&error.kind()), "{error:?}");
        assert_ne!(error.delivery(), Some(Delivery::Replied), "{error:?}");
        error.kind() != ErrorKind::Closed
    }

    pub(super) async fn command(self: Arc<Self>, client: RedisCommandClient, mut random: Random) {
        loop {
            let way = random.below(5);
            let numbers: Vec<_> = (0..1 + random.below(4))
                .map(|_| random.below(1 << 20))
                .collect();
            let call = async {
                match way {
                    0 => self.goes_on(self.count_up(&client).await),
                    1 => self.goes_on(self.push_and_pop(&client, numbers).await),
                    2 => self.goes_on(transact(&client).await),
                    _ => self.goes_on(echo(&client, numbers).await),
                }
            };
            // Some calls are given up.
            let patience = match random.below(4) {
                0 => Duration::from_micros(random.below(10_000)),
                _ => PATIENCE,
            };
            match timeout(patience, call).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(_) => assert!(patience < PATIENCE, "a call outlived its deadline"),
            }
            sleep(Duration::from_micros(random.below(2_000))).await;
        }
    }

    async fn count_up(&self, client: &RedisCommandClient) -> Result<(), Error> {
        let _epoch = self.epoch.read().await;
        // Until the verdict is there, and for ever if the call is given up before.
        self.perhaps_counted.fetch_add(1, SeqCst);
        let outcome = client
            .async_commands()
            .incr::<_, _, i64>("counter", 1)
            .await;
        let outcome = outcome.map_err(Error::from);
        let delivery = outcome.as_ref().err().and_then(Error::delivery);
        if delivery != Some(Delivery::Unknown) {
            self.perhaps_counted.fetch_sub(1, SeqCst);
        }
        outcome?;
        self.counted.fetch_add(1, SeqCst);
        Ok(())
    }

    async fn push_and_pop(
        &self,
        client: &RedisCommandClient,
        numbers: Vec<u64>,
    ) -> Result<(), Error> {
        let list = format!("list {}", numbers[0] % LISTS);
        let mut commands = client.async_commands();
        if numbers.len() < 3 {
            self.pushes.fetch_add(1, SeqCst);
            let () = commands.rpush(list, numbers[0]).await?;
        } else {
            let popped: Option<(String, u64)> = commands.blpop(list, 0.2).await?;
            self.pops
                .fetch_add(popped.into_iter().count() as u64, SeqCst);
        }
        Ok(())
    }
}

/// The replies are those of these requests.
async fn echo(client: &RedisCommandClient, numbers: Vec<u64>) -> Result<(), Error> {
    let mut commands = client.async_commands();
    if let [number] = numbers[..] {
        let echoed: u64 = cmd("ECHO").arg(number).query_async(&mut commands).await?;
        assert_eq!(echoed, number);
        return Ok(());
    }
    let mut pipeline = pipe();
    if numbers.len() == 3 {
        pipeline.atomic();
    }
    for number in &numbers {
        pipeline.cmd("ECHO").arg(number);
    }
    let echoed: Vec<u64> = pipeline.query_async(&mut commands).await?;
    assert_eq!(echoed, numbers);
    Ok(())
}

async fn transact(client: &RedisCommandClient) -> Result<(), Error> {
    let mut session = client.session_async().await?;
    let own = format!("of {}", client.client_id());
    let key = own.clone();
    let echoed: (String,) = session
        .transaction_async(own.clone(), async move |tx| {
            let _: Value = tx.get(key.clone()).await?;
            let queue = tx.queue();
            queue
                .set(key.clone(), 1)
                .ignore()
                .cmd("ECHO")
                .arg(key.clone());
            Ok(())
        })
        .await?;
    assert_eq!(echoed.0, own);
    Ok(())
}
