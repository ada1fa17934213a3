//! No caller gets a reply that is another's, however often calls time out while the server stands still.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use redis_manager::RedisAsyncCommands;
use redis_manager::prelude::*;
use redis_manager::redis::{RedisResult, pipe};
use redis_manager_support::TestServer;
use tokio::runtime::Runtime;

use crate::harness::{Run, eventually};
use crate::random::Random;

const DEADLINE: Duration = Duration::from_millis(20);
const TASKS_OF_A_CLIENT: usize = 32;
const KEYS: u64 = 10_000;

#[test]
fn every_answer_is_that_of_its_own_call_however_the_server_stalls() {
    let mut run = Run::begin("reply_matching");
    let time = run.scale(Duration::from_secs(4), Duration::from_secs(60));
    let gets = run.scale(1, 5_000_000);
    let server = TestServer::start();
    let keys = (0..KEYS).flat_map(|number| [key(number), value(number)]);
    let mset: Vec<_> = std::iter::once("MSET".to_owned()).chain(keys).collect();
    server.run(&mset);
    let manager = RedisManager::new().unwrap();
    let clients = open_clients(&manager, &server);
    let connections = || {
        let clients = server.clients().unwrap();
        let mut ids: Vec<_> = clients.into_iter().map(|client| client.id).collect();
        ids.sort_unstable();
        ids
    };
    let before = connections();
    let runtime = Runtime::new().unwrap();
    let tally = Arc::new(Tally::default());
    let mut tasks = Vec::new();
    for client in &clients {
        for _ in 0..TASKS_OF_A_CLIENT {
            let (tally, random) = (Arc::clone(&tally), run.random.fork());
            tasks.push(runtime.spawn(ask(client.async_commands(), tally, random)));
        }
    }
    let (began, mut stalls) = (Instant::now(), 0);
    while began.elapsed() < time || tally.answered() < gets {
        pass(run.random.below(100));
        let (answered, timed_out) = (tally.answered(), tally.timed_out());
        server.pause().unwrap();
        pass(run.random.below(60));
        // Some stalls end before anything timed out, and some begin before anything was answered.
        if run.random.below(2) == 0 {
            eventually("calls time out", || tally.timed_out() > timed_out);
        }
        server.resume().unwrap();
        if run.random.below(2) == 0 {
            eventually("calls are answered", || tally.answered() > answered);
        }
        stalls += 1;
    }
    tally.stop.store(true, SeqCst);
    eventually("no call hangs", || {
        tasks.iter().all(|task| task.is_finished())
    });
    for task in tasks {
        runtime.block_on(task).unwrap();
    }
    run.report("stalls", stalls);
    for (way, columns) in WAYS.iter().zip(&tally.ways) {
        let [answered, timed_out] = columns.each_ref().map(|count| count.load(SeqCst));
        run.report(&format!("GETs answered, {way}"), answered);
        run.report(&format!("GETs timed out, {way}"), timed_out);
        assert!(answered > 0 && timed_out > 0, "{way}");
    }
    run.report("GETs answered", tally.answered());
    run.report("GETs timed out", tally.timed_out());
    run.report("wrong replies", tally.wrong.load(SeqCst));
    let example = tally.example.lock().unwrap().take();
    assert_eq!((tally.wrong.load(SeqCst), example), (0, None));
    assert_eq!(connections(), before, "no connection was given up");
}

fn open_clients(manager: &RedisManager, server: &TestServer) -> [RedisCommandClient; 2] {
    let script = manager.load_script("reply matching").unwrap();
    [Protocol::Resp2, Protocol::Resp3].map(|protocol| {
        let options = ClientOptions::builder()
            .protocol(protocol)
            .command_timeout(DEADLINE);
        let options = options.build().unwrap();
        manager.open_with(&script, server.url(), options).unwrap()
    })
}

fn key(number: u64) -> String {
    format!("key {number}")
}

/// Tells its key, and is of a length of its own, so that a shift of bytes shows too.
fn value(number: u64) -> String {
    format!("value of {number}{}", ".".repeat((number % 89) as usize))
}

/// Until the next random moment.
fn pass(milliseconds: u64) {
    std::thread::sleep(Duration::from_millis(milliseconds));
}

const WAYS: [&str; 3] = ["single", "pipeline", "atomic pipeline"];

#[derive(Default)]
struct Tally {
    stop: AtomicBool,
    /// Keys are asked for in turn, so that calls at the same time never ask for the same.
    next: AtomicU64,
    /// GETs that were answered and that timed out, for each of `WAYS`.
    ways: [[AtomicU64; 2]; 3],
    wrong: AtomicU64,
    example: Mutex<Option<String>>,
}

impl Tally {
    fn answered(&self) -> u64 {
        self.ways.iter().map(|way| way[0].load(SeqCst)).sum()
    }

    fn timed_out(&self) -> u64 {
        self.ways.iter().map(|way| way[1].load(SeqCst)).sum()
    }

    fn note(&self, way: usize, numbers: &[u64], outcome: RedisResult<Vec<String>>) {
        let expected: Vec<_> = numbers.iter().map(|number| value(*number)).collect();
        let column = match outcome.map_err(Error::from) {
            Ok(values) if values == expected => 0,
            Err(error) if error.kind() == ErrorKind::Timeout => 1,
            other => {
                self.wrong.fetch_add(1, SeqCst);
                let example = format!("{expected:?} are {other:?}");
                self.example.lock().unwrap().get_or_insert(example);
                return;
            }
        };
        self.ways[way][column].fetch_add(numbers.len() as u64, SeqCst);
    }
}

async fn ask(mut commands: RedisAsyncCommands, tally: Arc<Tally>, mut random: Random) {
    while !tally.stop.load(SeqCst) {
        let way = random.below(3) as usize;
        let count = if way == 0 { 1 } else { 1 + random.below(20) };
        let first = tally.next.fetch_add(count, SeqCst);
        let numbers: Vec<_> = (first..first + count).map(|number| number % KEYS).collect();
        let outcome = if way == 0 {
            let value = commands.get(key(numbers[0])).await;
            value.map(|value: String| vec![value])
        } else {
            let mut pipeline = pipe();
            if way == 2 {
                pipeline.atomic();
            }
            for number in &numbers {
                pipeline.get(key(*number));
            }
            pipeline.query_async(&mut commands).await
        };
        tally.note(way, &numbers, outcome);
    }
}
