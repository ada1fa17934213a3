//! Calls over the same client, each of whose replies shows whether it is its own.

use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use redis_manager::prelude::*;
use redis_manager::redis::{cmd, from_redis_value};
use redis_manager_support::TestServer;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use crate::harness::eventually;
use crate::random::Random;

const TASKS: usize = 6;
/// Some replies are longer than a segment.
const LONGEST_TEXT: u64 = 4_000;
/// How many strangers listen to each of these channels of theirs.
const STRANGERS: [(&str, u64); 3] = [("nobody", 0), ("one", 1), ("two", 2)];

pub(super) struct Calls {
    tally: Arc<Tally>,
    tasks: Vec<JoinHandle<()>>,
    /// Two that listen. Dropped, they leave.
    _strangers: [TcpStream; 2],
}

#[derive(Default)]
struct Tally {
    stop: AtomicBool,
    answered: AtomicU64,
    failed: AtomicU64,
}

impl Calls {
    pub(super) fn begin(
        runtime: &Runtime,
        server: &TestServer,
        client: &RedisPubSubClient,
        random: &mut Random,
    ) -> Self {
        let strangers = ["SUBSCRIBE one two\r\n", "SUBSCRIBE two\r\n"]
            .map(|subscribe| stranger(server, subscribe));
        for (channel, listeners) in STRANGERS {
            eventually("the strangers listen", || {
                let reply = server.run(&["PUBSUB", "NUMSUB", channel]);
                reply.items()[1].as_int() == Some(listeners as i64)
            });
        }
        let tally = Arc::new(Tally::default());
        let tasks = (0..TASKS).map(|task| {
            let caller = Caller {
                client: client.clone(),
                tally: Arc::clone(&tally),
                random: random.fork(),
                name: task,
            };
            runtime.spawn(caller.call())
        });
        Self {
            tasks: tasks.collect(),
            tally,
            _strangers: strangers,
        }
    }

    #[track_caller]
    pub(super) fn expect_service(&self) {
        let before = self.tally.answered.load(SeqCst);
        eventually("calls are answered", || {
            assert!(
                !self.tasks.iter().any(JoinHandle::is_finished),
                "a wrong reply"
            );
            self.tally.answered.load(SeqCst) > before
        });
    }

    pub(super) fn report(&self) -> String {
        let [answered, failed] =
            [&self.tally.answered, &self.tally.failed].map(|count| count.load(SeqCst));
        format!("{answered} calls answered, {failed} failed by name, 0 wrong")
    }

    pub(super) fn end(self, runtime: &Runtime) {
        self.tally.stop.store(true, SeqCst);
        for task in self.tasks {
            runtime.block_on(task).unwrap();
        }
    }
}

fn stranger(server: &TestServer, subscribe: &str) -> TcpStream {
    use std::io::Write;
    let mut stream = TcpStream::connect((server.host(), server.port())).unwrap();
    stream.write_all(subscribe.as_bytes()).unwrap();
    let mut twin = stream.try_clone().unwrap();
    // It reads what it hears, or the server would take it for one that is stuck.
    thread::spawn(move || std::io::copy(&mut twin, &mut std::io::sink()));
    stream
}

struct Caller {
    client: RedisPubSubClient,
    tally: Arc<Tally>,
    random: Random,
    name: usize,
}

impl Caller {
    async fn call(mut self) {
        for number in 0.. {
            if self.tally.stop.load(SeqCst) {
                return;
            }
            let outcome = if self.random.below(2) == 0 {
                self.echo(number).await
            } else {
                self.publish().await
            };
            match outcome {
                Ok(()) => self.tally.answered.fetch_add(1, SeqCst),
                Err(error) => {
                    let kind = error.kind();
                    let is_fair = matches!(kind, ErrorKind::Disconnected | ErrorKind::Timeout);
                    assert!(is_fair, "{error:?}");
                    self.tally.failed.fetch_add(1, SeqCst)
                }
            };
            tokio::time::sleep(Duration::from_millis(self.random.below(4))).await;
        }
    }

    async fn echo(&mut self, number: u64) -> Result<(), Error> {
        let rest = "x".repeat(self.random.below(LONGEST_TEXT) as usize);
        let text = format!("{}.{number}.{rest}", self.name);
        let mut echo = cmd("ECHO");
        echo.arg(&text);
        let reply = self.client.connection().request_async(&echo).await?;
        assert_eq!(from_redis_value::<String>(reply).unwrap(), text);
        Ok(())
    }

    async fn publish(&mut self) -> Result<(), Error> {
        let (channel, listeners) = STRANGERS[self.random.below(3) as usize];
        let heard = self.client.publish_async(channel, "hello").await?;
        assert_eq!(heard, listeners, "{channel}");
        Ok(())
    }
}
