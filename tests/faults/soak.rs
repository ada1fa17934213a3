//! Everything at once, for an hour: scripts come and go while their server is killed, stalled and hangs up.
//! Nothing grows, and nothing that is promised for a moment stops being so.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

use redis_manager::prelude::*;
use redis_manager::redis::{AsyncCommands, Value, cmd, pipe};
use redis_manager::{Delivery, DisconnectedBehavior, OpenRedisClient, Protocol};
use redis_manager_support::TestServer;
use tokio::sync::RwLock;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::harness::{PATIENCE, Run, eventually};
use crate::process::{memory, open_files};
use crate::random::Random;

/// How many scripts are loaded at the same time.
const SCRIPTS: usize = 8;
const LISTS: u64 = 4;
/// What the memory of an otherwise flat process varies by.
const UNEVEN: usize = 8 << 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_grows_and_every_promise_holds_for_an_hour_of_everything_at_once() {
    let mut run = Run::begin("soak");
    let lasts = run.scale(Duration::from_secs(10), long_duration());
    let minute = run.scale(Duration::from_secs(3), Duration::from_secs(60));
    let soak = Arc::new(Soak::new());
    let at_rest = soak.held();
    let began = Instant::now();
    let workers: Vec<_> = (0..SCRIPTS)
        .map(|_| tokio::spawn(Arc::clone(&soak).work(run.random.fork())))
        .collect();

    let mut samples = Vec::new();
    while began.elapsed() < lasts {
        let next = Instant::now() + minute;
        while Instant::now() < next {
            sleep(Duration::from_millis(run.random.below(500))).await;
            soak.harm(&mut run.random).await;
            let failed = workers.iter().find(|worker| worker.is_finished());
            assert!(
                failed.is_none(),
                "a worker ended: its panic is printed above"
            );
        }
        samples.push(soak.sample(&run, at_rest, began.elapsed()).await);
    }
    soak.over.store(true, SeqCst);
    for worker in workers {
        worker.await.unwrap();
    }
    soak.close_epoch();
    // What the first tenth of it left is what it takes.
    let warm = samples[samples.len() / 10];
    let last = samples[samples.len() - 1];
    run.report(
        "memory after the warm-up and at the end",
        format!("{warm}, {last} bytes"),
    );
    assert!(!run.is_long() || last <= warm + warm / 10 + UNEVEN);
    assert_eq!(soak.manager.scripts().len(), 0);
}

fn long_duration() -> Duration {
    let seconds = std::env::var("REDIS_MANAGER_FAULTS_SOAK_SECONDS").ok();
    Duration::from_secs(seconds.map_or(3600, |seconds| seconds.parse().unwrap()))
}

struct Soak {
    server: TestServer,
    manager: RedisManager,
    /// Read by whoever has a script; written by whoever wants to see the process without any.
    scripts: RwLock<()>,
    next_script: AtomicU64,
    /// Read by whoever counts up; written by whoever ends the server's life, and with it the counter.
    epoch: RwLock<()>,
    counted: AtomicI64,
    perhaps_counted: AtomicI64,
    calls: AtomicU64,
    pushes: AtomicU64,
    pops: AtomicU64,
    messages: AtomicU64,
    /// Messages out of order or twice, and calls of a listener whose script is gone.
    disorder: AtomicU64,
    over: AtomicBool,
}

impl Soak {
    fn new() -> Self {
        Self {
            server: TestServer::start(),
            manager: RedisManager::new().unwrap(),
            scripts: RwLock::default(),
            next_script: AtomicU64::new(0),
            epoch: RwLock::default(),
            counted: AtomicI64::new(0),
            perhaps_counted: AtomicI64::new(0),
            calls: AtomicU64::new(0),
            pushes: AtomicU64::new(0),
            pops: AtomicU64::new(0),
            messages: AtomicU64::new(0),
            disorder: AtomicU64::new(0),
            over: AtomicBool::new(false),
        }
    }

    /// The files and the tasks of this process.
    fn held(&self) -> (usize, usize) {
        (open_files(), self.manager.resources().alive_tasks())
    }

    /// One of the things that happen to servers.
    async fn harm(&self, random: &mut Random) {
        match random.below(8) {
            0 => {
                let epoch = self.epoch.write().await;
                self.close_epoch();
                self.server.kill().unwrap();
                sleep(Duration::from_millis(random.below(1_000))).await;
                self.server.restart().unwrap();
                drop(epoch);
            }
            1 | 2 => {
                self.server.pause().unwrap();
                sleep(Duration::from_millis(random.below(1_500))).await;
                self.server.resume().unwrap();
            }
            3 => {
                self.server.run(&["CLIENT", "KILL", "TYPE", "normal"]);
                self.server.run(&["CLIENT", "KILL", "TYPE", "pubsub"]);
            }
            _ => {
                let clients = self.server.clients().unwrap();
                let some = random.below(clients.len().max(1) as u64) as usize;
                for client in clients.iter().skip(some).take(3) {
                    // One that is gone by itself meanwhile is an error reply.
                    let id = client.id.to_string();
                    let _ = self.server.command(&["CLIENT", "KILL", "ID", &id]).unwrap();
                }
            }
        }
    }

    /// Every increment of this server's life ran once if it was answered, and at most once if not.
    fn close_epoch(&self) {
        let counter = self.server.run(&["GET", "counter"]).as_int().unwrap_or(0);
        let counted = self.counted.swap(0, SeqCst);
        let perhaps = self.perhaps_counted.swap(0, SeqCst);
        assert!(
            (counted..=counted + perhaps).contains(&counter),
            "{counted} counted, {perhaps} perhaps, {counter} ran"
        );
    }

    /// Waits until no script is loaded; then this process holds what it held before the first.
    async fn sample(&self, run: &Run, at_rest: (usize, usize), elapsed: Duration) -> usize {
        let _nobody = self.scripts.write().await;
        eventually("the process is at rest", || self.held() == at_rest);
        eventually("the server has no connection of ours", || {
            self.server.clients().unwrap().is_empty()
        });
        assert_eq!(self.disorder.load(SeqCst), 0);
        assert!(self.pops.load(SeqCst) <= self.pushes.load(SeqCst));
        let memory = memory();
        let (files, tasks) = at_rest;
        let count = |counter: &AtomicU64| counter.load(SeqCst);
        run.report(
            &format!("after {elapsed:.0?}: files, tasks, memory; scripts, calls, messages so far"),
            format!(
                "{files}, {tasks}, {memory} bytes; {}, {}, {}",
                count(&self.next_script),
                count(&self.calls),
                count(&self.messages),
            ),
        );
        memory
    }

    async fn work(self: Arc<Self>, mut random: Random) {
        while !self.over.load(SeqCst) {
            let _loaded = self.scripts.read().await;
            let name = format!("script {}", self.next_script.fetch_add(1, SeqCst));
            let script = self.manager.load_script(&name).unwrap();
            let is_gone = Arc::new(AtomicBool::new(false));
            let mut tasks = Vec::new();
            for number in 0..1 + random.below(4) {
                let channel = format!("{name} {number}");
                tasks.extend(
                    self.start_client(&script, channel, &is_gone, &mut random)
                        .await,
                );
            }
            sleep(Duration::from_millis(random.below(1_500))).await;
            let report = self.manager.unload_script_async(&script).await;
            is_gone.store(true, SeqCst);
            assert!(
                report.was_loaded() && report.failed().count() == 0,
                "{report}"
            );
            for task in tasks {
                timeout(PATIENCE, task)
                    .await
                    .expect("its client is closed")
                    .unwrap();
            }
        }
    }

    /// Opens a client of any kind, and keeps it busy until it is closed.
    async fn start_client(
        self: &Arc<Self>,
        script: &ScriptHandle,
        channel: String,
        is_gone: &Arc<AtomicBool>,
        random: &mut Random,
    ) -> Vec<JoinHandle<()>> {
        let mut tasks = Vec::new();
        match random.below(6) {
            0 => {
                if let Some(client) = self.open::<RedisBasicClient>(script, random).await {
                    let soak = Arc::clone(self);
                    tasks.push(tokio::spawn(async move {
                        while soak.goes_on(client.ping_async().await) {}
                    }));
                }
            }
            1 | 2 => {
                if let Some(client) = self.open::<RedisPubSubClient>(script, random).await {
                    let (soak, is_gone) = (Arc::clone(self), Arc::clone(is_gone));
                    let is_async = random.below(2) == 0;
                    tasks.push(tokio::spawn(soak.chat(client, channel, is_async, is_gone)));
                }
            }
            _ => {
                if let Some(client) = self.open::<RedisCommandClient>(script, random).await {
                    for _ in 0..1 + random.below(3) {
                        let (soak, client) = (Arc::clone(self), client.clone());
                        tasks.push(tokio::spawn(soak.command(client, random.fork())));
                    }
                }
            }
        }
        tasks
    }

    async fn open<C>(&self, script: &ScriptHandle, random: &mut Random) -> Option<C>
    where
        C: OpenRedisClient + Into<AnyClient>,
    {
        let mut coin = || random.below(2) == 0;
        let options = ClientOptions::builder()
            .protocol(if coin() {
                Protocol::Resp2
            } else {
                Protocol::Resp3
            })
            .disconnected_behavior(if coin() {
                DisconnectedBehavior::Queue
            } else {
                DisconnectedBehavior::Reject
            })
            .lazy_connect(coin())
            .connect_timeout(Duration::from_secs(1))
            .command_timeout(Duration::from_secs(1))
            .shutdown_timeout(Duration::from_millis(300))
            .reconnect_delay(Duration::from_millis(200))
            .heartbeat(Duration::from_millis(200))
            .build();
        let opening = self
            .manager
            .open_with_async(script, self.server.url(), options.unwrap());
        match timeout(Duration::from_micros(random.below(2_000_000)), opening).await {
            Ok(Ok(client)) => Some(client),
            Ok(Err(error)) => {
                let kind = error.kind();
                let expected = [
                    ErrorKind::Connect,
                    ErrorKind::Timeout,
                    ErrorKind::Disconnected,
                ];
                assert!(expected.contains(&kind), "{error:?}");
                None
            }
            // Given up: nobody has the client, and it is closed.
            Err(_) => None,
        }
    }

    /// Whether a call came out as one may, and its client is open still.
    fn goes_on<T>(&self, outcome: Result<T, impl Into<Error>>) -> bool {
        self.calls.fetch_add(1, SeqCst);
        let Err(error) = outcome.map_err(Into::into) else {
            return true;
        };
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

    async fn command(self: Arc<Self>, client: RedisCommandClient, mut random: Random) {
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

    /// Publishes to itself and listens, until the client is closed.
    async fn chat(
        self: Arc<Self>,
        client: RedisPubSubClient,
        channel: String,
        is_async: bool,
        is_gone: Arc<AtomicBool>,
    ) {
        let (soak, last) = (Arc::clone(&self), AtomicU64::new(0));
        let hear = move |message: &Message| {
            let number: u64 = message.payload_str()?.parse()?;
            let in_order = last.swap(number, SeqCst) < number;
            soak.messages.fetch_add(1, SeqCst);
            soak.disorder
                .fetch_add(u64::from(!in_order || is_gone.load(SeqCst)), SeqCst);
            Ok(())
        };
        let registered = if is_async {
            let hear = Arc::new(hear);
            let function = move |message: Message| {
                let hear = Arc::clone(&hear);
                async move { hear(&message) }
            };
            client.register_async_listener(&channel, function).await
        } else {
            let (client, channel) = (client.clone(), channel.clone());
            let registering = move || client.register_listener(&channel, hear);
            tokio::task::spawn_blocking(registering).await.unwrap()
        };
        let mut goes_on = self.goes_on(registered);
        let mut number = 0;
        while goes_on {
            number += 1;
            goes_on = self.goes_on(client.publish_async(&channel, number).await);
            sleep(Duration::from_millis(2)).await;
        }
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
