//! So many typed GETs, one after the other: what callgrind counts the instructions of.

use redis_manager::redis::aio::ConnectionLike;
use redis_manager::redis::{AsyncCommands, Cmd, Pipeline, RedisFuture, Value, from_redis_value};
use redis_manager::{Connection, RedisCommandClient};

use super::{Task, host};
use crate::contestant::{Contestant, redis_manager::Scripts};
use crate::item::items;
use crate::measure::Cost;
use crate::role::Load;
use crate::run::Sample;

/// The least that the traits of `redis` need.
struct Bare(Connection);

impl ConnectionLike for Bare {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(async move { Ok(self.0.request_async(cmd).await?) })
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        _offset: usize,
        _count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        Box::pin(async move { Ok(self.0.request_pipeline_async(pipeline).await?) })
    }

    fn get_db(&self) -> i64 {
        self.0.database()
    }
}

pub(crate) fn run(task: Task, load: Load) -> Sample {
    let item = items(1, load.size).remove(0);
    let key: &[u8] = &item.key;
    // What it does while it waits is not to be counted.
    let scripts = match task.contestant {
        Contestant::RedisManagerWatched => Scripts::watched(load),
        _ => Scripts::asleep(load),
    };
    host().block_on(async {
        let client: RedisCommandClient = scripts.open_client().await;
        let mut commands = client.async_commands();
        let mut bare = Bare(client.connection().clone());
        commands
            .set::<_, _, ()>(key, &item.value[..])
            .await
            .expect("SET");
        let cost = Cost::start();
        for _ in 0..task.calls {
            let value: Vec<u8> = match task.contestant {
                Contestant::ThroughAsyncCommands | Contestant::RedisManagerWatched => {
                    commands.get(key).await.expect("GET")
                }
                Contestant::TypedBareConnection => bare.get(key).await.expect("GET"),
                Contestant::BareConnection => {
                    let reply = client.connection().request_async(&Cmd::get(key)).await;
                    from_redis_value(reply.expect("GET")).expect("a value")
                }
                _ => task.no_part(),
            };
            assert!(value == item.value, "GET was answered with another value");
        }
        cost.of(task.calls)
    })
}
