//! A server that dies and comes back all the time keeps no caller past its deadline.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::Instant;

use redis_manager::prelude::*;
use redis_manager::redis::{Pipeline, RedisError, RedisResult, cmd, pipe};
use redis_manager::{RedisAsyncCommands, RedisCommands, TlsOptions};
use redis_manager_support::TestServer;
use tokio::runtime::Runtime;

use crate::harness::{PATIENCE, Run, eventually};
use crate::random::Random;
use crate::tls_fixture::Secure;

const DEADLINE: Duration = Duration::from_millis(300);
const LATENESS: Duration = Duration::from_millis(50);
const CLIENTS: usize = 4;
/// Of each client's callers.
const TASKS: usize = 12;
const THREADS: usize = 4;
/// How long a caller that was turned away does something else.
const PAUSE: Duration = Duration::from_millis(1);

#[test]
fn no_call_outlives_its_deadline_however_often_the_server_dies() {
    let run = Run::begin("kill_storm");
    let server = TestServer::start();
    storm(run, &server, &server.url(), &TlsOptions::default());
}

#[test]
fn no_call_outlives_its_deadline_over_tls_either() {
    let run = Run::begin("kill_storm_tls");
    let Some(secure) = Secure::start() else {
        return;
    };
    let trusting = secure.certificates.trusting();
    storm(run, &secure.server, &secure.url(), &trusting);
}

fn storm(mut run: Run, server: &TestServer, url: &str, tls: &TlsOptions) {
    let kills = run.scale(6, 200);
    let panics = count_panics();
    let manager = RedisManager::new().unwrap();
    let clients = open_clients(&manager, url, tls);
    let runtime = Runtime::new().unwrap();
    let tally = Arc::new(Tally::default());
    let (mut tasks, mut threads) = (Vec::new(), Vec::new());
    for (index, client) in clients.iter().enumerate() {
        for _ in 0..TASKS {
            let caller = Caller::new(index, &tally, run.random.fork());
            tasks.push(runtime.spawn(caller.call_as_task(client.async_commands())));
        }
        for _ in 0..THREADS {
            let caller = Caller::new(index, &tally, run.random.fork());
            let commands = client.commands();
            threads.push(thread::spawn(move || caller.call_as_thread(commands)));
        }
    }
    let sleeper = thread::spawn({
        let tally = Arc::clone(&tally);
        move || oversleep(&tally.stop)
    });
    for kill in 0..kills {
        pass(run.random.below(200));
        server.kill().unwrap();
        // Every third outage is longer than any call may take.
        let deadline = DEADLINE.as_millis() as u64;
        let least = if kill % 3 == 0 { deadline } else { 0 };
        pass(least + run.random.below(deadline));
        server.restart().unwrap();
        // The others die before anybody may have come back.
        if run.random.below(4) > 0 {
            tally.expect_service();
        }
    }
    tally.expect_service();
    tally.stop.store(true, SeqCst);
    eventually("no call hangs", || {
        tasks.iter().all(|task| task.is_finished())
            && threads.iter().all(|thread| thread.is_finished())
    });
    let mut late = Vec::new();
    for task in tasks {
        late.append(&mut runtime.block_on(task).unwrap());
    }
    for thread in threads {
        late.append(&mut thread.join().unwrap());
    }
    for client in &clients {
        assert_eq!(client.state(), ClientState::Connected);
    }
    let kinds = [&tally.timed_out, &tally.lost, &tally.turned_away].map(|count| count.load(SeqCst));
    run.report("kills", kills);
    run.report("callers", CLIENTS * (TASKS + THREADS));
    run.report("calls answered", tally.answered().iter().sum::<u64>());
    run.report(
        "calls timed out, Disconnected, rejected",
        format!("{kinds:?}"),
    );
    run.report("calls that reached their deadline", late.len());
    let machine = sleeper.join().unwrap();
    run.report(
        "a plain sleep of the machine is late by up to",
        format!("{machine:.1?}"),
    );
    run.report_times("past the deadline", &mut late, LATENESS);
    assert!(kinds.iter().all(|count| *count > 0), "{kinds:?}");
    assert!(!late.is_empty());
    assert_eq!(panics.load(SeqCst), 0);
}

/// One for each protocol and each behaviour while disconnected.
fn open_clients(
    manager: &RedisManager,
    url: &str,
    tls: &TlsOptions,
) -> [RedisCommandClient; CLIENTS] {
    let script = manager.load_script("kill storm").unwrap();
    [
        (Protocol::Resp2, DisconnectedBehavior::Queue),
        (Protocol::Resp3, DisconnectedBehavior::Queue),
        (Protocol::Resp2, DisconnectedBehavior::Reject),
        (Protocol::Resp3, DisconnectedBehavior::Reject),
    ]
    .map(|(protocol, behavior)| {
        let options = ClientOptions::builder()
            .tls(tls.clone())
            .protocol(protocol)
            .disconnected_behavior(behavior)
            .command_timeout(DEADLINE)
            .reconnect_delay(Duration::from_millis(50));
        let options = options.build().unwrap();
        manager.open_with(&script, url, options).unwrap()
    })
}

/// Counts those of all threads: one in a task of the library may show as a failed call only.
fn count_panics() -> Arc<AtomicUsize> {
    let panics = Arc::new(AtomicUsize::new(0));
    let (counter, before) = (Arc::clone(&panics), std::panic::take_hook());
    std::panic::set_hook(Box::new(move |info| {
        counter.fetch_add(1, SeqCst);
        before(info);
    }));
    panics
}

/// Until the next random moment.
fn pass(milliseconds: u64) {
    thread::sleep(Duration::from_millis(milliseconds));
}

/// How late the machine itself wakes a thread at most, which no deadline of a library can undercut.
pub(crate) fn oversleep(stop: &AtomicBool) -> Duration {
    let sleep = Duration::from_millis(10);
    let mut longest = Duration::ZERO;
    while !stop.load(SeqCst) {
        let began = Instant::now();
        thread::sleep(sleep);
        longest = longest.max(began.elapsed().saturating_sub(sleep));
    }
    longest
}

#[derive(Default)]
struct Tally {
    stop: AtomicBool,
    answered: [AtomicU64; CLIENTS],
    timed_out: AtomicU64,
    lost: AtomicU64,
    turned_away: AtomicU64,
}

impl Tally {
    fn answered(&self) -> [u64; CLIENTS] {
        self.answered.each_ref().map(|count| count.load(SeqCst))
    }

    #[track_caller]
    fn expect_service(&self) {
        let before = self.answered();
        eventually("every client is served", || {
            let now = self.answered();
            now.iter().zip(before).all(|(now, before)| *now > before)
        });
    }
}

struct Caller {
    client: usize,
    tally: Arc<Tally>,
    random: Random,
    calls: u64,
    /// How much longer than the deadline calls took.
    late: Vec<Duration>,
}

impl Caller {
    fn new(client: usize, tally: &Arc<Tally>, random: Random) -> Self {
        Self {
            client,
            tally: Arc::clone(tally),
            random,
            calls: 0,
            late: Vec::new(),
        }
    }

    async fn call_as_task(mut self, mut commands: RedisAsyncCommands) -> Vec<Duration> {
        while let Some(call) = self.next_call() {
            let began = Instant::now();
            let outcome = match &call.pipeline {
                Some(pipeline) => pipeline.query_async(&mut commands).await,
                None => {
                    let text = call.echo().query_async(&mut commands).await;
                    text.map(|text: String| vec![text])
                }
            };
            if self.note(&call, began, outcome).is_err() {
                tokio::time::sleep(PAUSE).await;
            }
        }
        self.late
    }

    fn call_as_thread(mut self, mut commands: RedisCommands) -> Vec<Duration> {
        while let Some(call) = self.next_call() {
            let began = Instant::now();
            let outcome = match &call.pipeline {
                Some(pipeline) => pipeline.query(&mut commands),
                None => {
                    let text = call.echo().query(&mut commands);
                    text.map(|text: String| vec![text])
                }
            };
            if self.note(&call, began, outcome).is_err() {
                thread::sleep(PAUSE);
            }
        }
        self.late
    }

    fn next_call(&mut self) -> Option<Call> {
        self.calls += 1;
        let going_on = !self.tally.stop.load(SeqCst);
        going_on.then(|| Call::new(self.calls, &mut self.random))
    }

    /// Fails if the call was turned away at once.
    fn note(
        &mut self,
        call: &Call,
        began: Instant,
        outcome: RedisResult<Vec<String>>,
    ) -> Result<(), RedisError> {
        let took = began.elapsed();
        assert!(took < DEADLINE + PATIENCE, "{took:?}");
        self.late.extend(took.checked_sub(DEADLINE));
        let error = match outcome {
            Ok(texts) => {
                assert_eq!(texts, call.texts);
                self.tally.answered[self.client].fetch_add(1, SeqCst);
                return Ok(());
            }
            Err(error) => error,
        };
        let verdict = Error::from(error.clone());
        let column = match (verdict.kind(), verdict.delivery()) {
            (ErrorKind::Timeout, Some(Delivery::Unknown | Delivery::NotSent)) => {
                &self.tally.timed_out
            }
            (ErrorKind::Disconnected, Some(Delivery::Unknown)) => &self.tally.lost,
            (ErrorKind::Disconnected, Some(Delivery::NotSent)) => {
                self.tally.turned_away.fetch_add(1, SeqCst);
                return Err(error);
            }
            _ => panic!("{verdict:?}"),
        };
        column.fetch_add(1, SeqCst);
        Ok(())
    }
}

/// What is sent, and must come back: a single command, a pipeline or an atomic pipeline.
struct Call {
    texts: Vec<String>,
    pipeline: Option<Pipeline>,
}

impl Call {
    fn new(number: u64, random: &mut Random) -> Self {
        let (way, id) = (random.below(3), random.below(1 << 31));
        let count = if way == 0 { 1 } else { 1 + random.below(4) };
        let texts: Vec<_> = (0..count)
            .map(|part| format!("{id}.{number}.{part}"))
            .collect();
        let pipeline = (way > 0).then(|| {
            let mut pipeline = pipe();
            if way == 2 {
                pipeline.atomic();
            }
            for text in &texts {
                pipeline.cmd("ECHO").arg(text);
            }
            pipeline
        });
        Self { texts, pipeline }
    }

    fn echo(&self) -> redis::Cmd {
        let mut echo = cmd("ECHO");
        echo.arg(&self.texts[0]);
        echo
    }
}
