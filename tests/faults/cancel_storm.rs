//! Calls that are given up, wherever they are, shift no reply and leave nothing behind.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use redis_manager::RedisAsyncSession;
use redis_manager::prelude::*;
use redis_manager::redis::pipe;
use redis_manager_support::TestServer;
use tokio::runtime::Runtime;

use crate::harness::{PATIENCE, Run, eventually};
use crate::process::memory;
use crate::random::Random;

const TASKS_OF_A_CLIENT: usize = 16;
const SESSIONS: usize = 4;
const KEYS: u64 = 10_000;
const GROWTH: usize = 16 << 20;
const WAYS: [&str; 5] = [
    "single",
    "pipeline",
    "atomic pipeline",
    "transaction, its session included",
    "transaction of a session that is used on",
];

#[test]
fn dropped_futures_shift_no_reply_and_leave_nothing_behind() {
    let mut run = Run::begin("cancel_storm");
    let futures = run.scale(20_000, 1_000_000);
    let server = TestServer::start();
    let keys = (0..KEYS).flat_map(|number| [key(number), value(number)]);
    let mset: Vec<_> = std::iter::once("MSET".to_owned()).chain(keys).collect();
    server.run(&mset);
    let manager = RedisManager::new().unwrap();
    let script = manager.load_script("cancel storm").unwrap();
    let clients = [Protocol::Resp2, Protocol::Resp3].map(|protocol| {
        let options = ClientOptions::builder()
            .protocol(protocol)
            .command_timeout(PATIENCE)
            .session_pool_size(SESSIONS);
        let options = options.build().unwrap();
        let client: RedisCommandClient = manager.open_with(&script, server.url(), options).unwrap();
        client
    });
    let runtime = Runtime::new().unwrap();
    let connections = || server.clients().unwrap().len();
    let alive_tasks = || manager.resources().alive_tasks();
    let all_connections = clients.len() * (1 + SESSIONS);

    clients.iter().for_each(fill_pool);
    assert_eq!(connections(), all_connections);
    let tasks = settled(alive_tasks);
    storm(&runtime, &clients, futures / 10, &mut run.random);
    clients.iter().for_each(fill_pool);
    let warm = memory();

    let tally = storm(&runtime, &clients, futures, &mut run.random);
    // That the pools fill shows that no lease was lost with a future.
    clients.iter().for_each(fill_pool);
    eventually("the library's tasks end", || alive_tasks() == tasks);
    eventually("the connections are closed", || {
        connections() == all_connections
    });
    let growth = memory().saturating_sub(warm);
    for client in &clients {
        runtime.block_on(every_way(client));
    }

    for (way, [answered, dropped]) in WAYS.iter().zip(tally.columns()) {
        run.report(&format!("futures dropped, {way}"), dropped);
        run.report(&format!("futures answered, {way}"), answered);
        assert!(dropped > 0 && answered > 0, "{way}");
    }
    let dropped = tally.dropped.load(SeqCst);
    run.report("futures dropped", dropped);
    run.report("wrong replies", 0);
    run.report("tasks of the library, before and after", tasks);
    let [warm, growth_kib] = [warm, growth].map(|bytes| bytes >> 10);
    run.report("memory", format!("{warm} KiB, grown by {growth_kib} KiB"));
    assert!(dropped >= futures);
    assert!(growth < GROWTH, "{growth} bytes");

    let report = manager.unload_script(&script);
    assert!(report.is_clean(), "no dropped call is in flight: {report}");
    eventually("the library's tasks end", || alive_tasks() == 0);
}

fn key(number: u64) -> String {
    format!("key {number}")
}

/// Tells its key, and is of a length of its own, so that a shift of bytes shows too.
fn value(number: u64) -> String {
    format!("value of {number}{}", ".".repeat((number % 89) as usize))
}

/// Takes every session at the same time, and gives them back clean.
fn fill_pool(client: &RedisCommandClient) {
    let mut sessions = [(); SESSIONS].map(|()| client.session().unwrap());
    for session in &mut sessions {
        assert_eq!(session.get::<_, String>(key(1)).unwrap(), value(1));
    }
}

/// What `number` is once it has stopped changing.
fn settled(number: impl Fn() -> usize) -> usize {
    let (mut last, mut same) = (number(), 0);
    eventually("the number stops changing", || {
        let now = number();
        same = if now == last { same + 1 } else { 0 };
        last = now;
        same == 50
    });
    last
}

#[derive(Default)]
struct Tally {
    /// Futures that were answered and that were dropped, for each of `WAYS`.
    ways: [[AtomicU64; 2]; WAYS.len()],
    dropped: AtomicU64,
}

impl Tally {
    fn columns(&self) -> [[u64; 2]; WAYS.len()] {
        let read = |columns: &[AtomicU64; 2]| columns.each_ref().map(|count| count.load(SeqCst));
        self.ways.each_ref().map(read)
    }
}

/// Returns once `futures` futures were dropped and every task has ended.
fn storm(
    runtime: &Runtime,
    clients: &[RedisCommandClient],
    futures: u64,
    random: &mut Random,
) -> Arc<Tally> {
    let tally = Arc::new(Tally::default());
    let mut tasks = Vec::new();
    for client in clients {
        for _ in 0..TASKS_OF_A_CLIENT {
            let (client, tally, mut random) = (client.clone(), Arc::clone(&tally), random.fork());
            tasks.push(runtime.spawn(async move {
                while tally.dropped.load(SeqCst) < futures {
                    let way = choose_way(&mut random);
                    let is_dropped = give_up(way, &client, &mut random).await;
                    tally.ways[way][usize::from(is_dropped)].fetch_add(1, SeqCst);
                    tally.dropped.fetch_add(is_dropped.into(), SeqCst);
                }
            }));
        }
    }
    for tenth in 1..=10 {
        let goal = futures / 10 * tenth;
        eventually("futures are dropped", || {
            tally.dropped.load(SeqCst) >= goal || tasks.iter().any(|task| task.is_finished())
        });
    }
    eventually("no call hangs", || {
        tasks.iter().all(|task| task.is_finished())
    });
    for task in tasks {
        runtime.block_on(task).unwrap();
    }
    tally
}

/// Sessions are few: after each that is dropped a connection has to be made.
fn choose_way(random: &mut Random) -> usize {
    match random.below(32) {
        0 => 3 + random.below(2) as usize,
        other => other as usize % 3,
    }
}

/// Makes a call and drops it at a random point, unless it is answered before; returns whether.
async fn give_up(way: usize, client: &RedisCommandClient, random: &mut Random) -> bool {
    let numbers = random_numbers(random);
    if way < 4 {
        let moment = moment(way, random);
        return tokio::select! {
            biased;
            () = moment => true,
            () = call(way, client, numbers) => false,
        };
    }
    let mut session = client.session_async().await.unwrap();
    let moment = moment(way, random);
    let is_dropped = tokio::select! {
        biased;
        () = moment => true,
        () = transaction(&mut session, &numbers) => false,
    };
    let other = random.below(KEYS);
    let answer: String = session.get(key(other)).await.unwrap();
    assert_eq!(answer, value(other));
    is_dropped
}

fn random_numbers(random: &mut Random) -> Vec<u64> {
    (0..1 + random.below(5))
        .map(|_| random.below(KEYS))
        .collect()
}

/// A random point, from before the future is polled at all to after its reply.
async fn moment(way: usize, random: &mut Random) {
    if random.below(16) == 0 {
        // However slow the machine is, some are answered.
        return std::future::pending().await;
    }
    let by_time = if way < 3 { 16 } else { 2 };
    if random.below(by_time) == 0 {
        let microseconds = random.below(5_000);
        return tokio::time::sleep(Duration::from_micros(microseconds)).await;
    }
    let most = 1 << random.below(9);
    for _ in 0..random.below(most) {
        tokio::task::yield_now().await;
    }
}

async fn every_way(client: &RedisCommandClient) {
    for way in 0..4 {
        call(way, client, vec![1, 2, 3]).await;
    }
}

async fn call(way: usize, client: &RedisCommandClient, numbers: Vec<u64>) {
    let mut commands = client.async_commands();
    let mut pipeline = pipe();
    for number in &numbers {
        pipeline.get(key(*number));
    }
    let (answers, asked): (Vec<String>, _) = match way {
        0 => {
            let answer = commands.get(key(numbers[0])).await.unwrap();
            (vec![answer], &numbers[..1])
        }
        1 => (
            pipeline.query_async(&mut commands).await.unwrap(),
            &numbers[..],
        ),
        2 => {
            let answers = pipeline.atomic().query_async(&mut commands).await;
            (answers.unwrap(), &numbers[..])
        }
        _ => {
            let mut session = client.session_async().await.unwrap();
            return transaction(&mut session, &numbers).await;
        }
    };
    assert_answers(&answers, asked);
}

async fn transaction(session: &mut RedisAsyncSession, numbers: &[u64]) {
    let asked = numbers.to_vec();
    let answers: Vec<String> = session
        .transaction_async(key(numbers[0]), async move |tx| {
            let answer: String = tx.get(key(asked[0])).await?;
            assert_eq!(answer, value(asked[0]));
            for number in &asked {
                tx.queue().get(key(*number));
            }
            Ok(())
        })
        .await
        .unwrap();
    assert_answers(&answers, numbers);
}

#[track_caller]
fn assert_answers(answers: &[String], numbers: &[u64]) {
    let expected: Vec<_> = numbers.iter().map(|number| value(*number)).collect();
    assert_eq!(answers, expected);
}
