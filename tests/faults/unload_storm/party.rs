//! One script whose clients are in every state.

use std::time::{Duration, Instant};

use redis_manager::prelude::*;
use redis_manager::redis::{Value, cmd};
use redis_manager::{Delivery, RedisAsyncSession};
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// One script and its ten clients.
pub(super) struct Party {
    pub(super) index: usize,
    pub(super) script: ScriptHandle,
    pub(super) commands: Vec<RedisCommandClient>,
    pub(super) pubsubs: Vec<RedisPubSubClient>,
    /// In the middle of a transaction.
    pub(super) session: RedisAsyncSession,
    /// What they fail with, and what that must say of the server.
    pub(super) calls: Vec<(JoinHandle<Error>, Option<Delivery>)>,
    pub(super) backing_off: RedisCommandClient,
    pub(super) stalled: RedisCommandClient,
    pub(super) opening: Option<JoinHandle<Error>>,
}

impl Party {
    /// Every handle that the script kept says so at once, and every call has its verdict.
    pub(super) async fn expect_closed(mut self, answers: &mut Vec<Duration>) {
        let mut expect = |began: Instant, error: Error| {
            answers.push(began.elapsed());
            assert_eq!(error.kind(), ErrorKind::Closed, "{error:?}");
            assert_eq!(
                error.delivery().unwrap_or(Delivery::NotSent),
                Delivery::NotSent
            );
        };
        for client in &self.commands {
            assert_eq!(client.state(), ClientState::Closed);
            let began = Instant::now();
            let refused = client.async_commands().get::<_, Value>("key").await;
            expect(began, refused.unwrap_err().into());
            let began = Instant::now();
            expect(began, client.session_async().await.unwrap_err());
        }
        for client in &self.pubsubs {
            assert_eq!(client.state(), ClientState::Closed);
            let began = Instant::now();
            expect(
                began,
                client.publish_async("busy", "message").await.unwrap_err(),
            );
            let began = Instant::now();
            let refused = client.register_async_listener("busy", async |_| Ok(()));
            expect(began, refused.await.unwrap_err());
        }
        let began = Instant::now();
        let refused = cmd("EXEC").query_async::<Value>(&mut self.session).await;
        expect(began, refused.unwrap_err().into());
        for (call, delivery) in self.calls {
            let error = call.await.unwrap();
            assert_eq!(error.kind(), ErrorKind::Closed, "{error:?}");
            assert!(
                delivery.is_none() || error.delivery() == delivery,
                "{error:?}"
            );
        }
        let refused = self.opening.unwrap().await.unwrap();
        assert_eq!(refused.kind(), ErrorKind::ScriptUnloaded, "{refused:?}");
    }
}

/// Makes a call that shall not be answered, and returns what it fails with.
pub(super) fn call<const N: usize>(
    client: &RedisCommandClient,
    words: [&'static str; N],
) -> JoinHandle<Error> {
    let mut commands = client.async_commands();
    tokio::spawn(async move {
        let mut command = cmd(words[0]);
        command.arg(&words[1..]);
        command
            .query_async::<Value>(&mut commands)
            .await
            .unwrap_err()
            .into()
    })
}

pub(super) async fn calls_until_it_fails(client: RedisCommandClient) -> Error {
    loop {
        if let Err(error) = client.async_commands().get::<_, Value>("key").await {
            return error.into();
        }
        sleep(Duration::from_millis(50)).await;
    }
}
