//! Nothing that is pushed is lost or popped twice, however often the callers that block for it are killed
//! or give up; and they hold up nobody else.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use redis_manager::prelude::*;
use redis_manager::redis::{Cmd, FromRedisValue, cmd};
use redis_manager::{Delivery, Protocol};
use redis_manager_support::TestServer;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{sleep, timeout};

use crate::harness::{PATIENCE, Run, eventually};
use crate::random::Random;

/// As many as the pool for blocking calls has connections.
const POPPERS: usize = 16;
const PUSHERS: usize = 4;
const LISTS: u64 = 4;
/// Where BLMOVE puts what it pops.
const MOVED: &str = "moved";
/// A GET of a client whose connection is killed now and then, on a machine with two cores that the server
/// and everybody else share. A blocking call takes longer.
const ORDINARY: Duration = Duration::from_millis(20);

/// What became of the pushes and pops of one run.
#[derive(Default)]
struct Books {
    /// The number of the next element.
    next: AtomicUsize,
    pushed: Mutex<Vec<u64>>,
    never_pushed: Mutex<Vec<u64>>,
    perhaps_pushed: AtomicUsize,
    popped: Mutex<Vec<u64>>,
    moved: Mutex<Vec<u64>>,
    /// Pops of which nobody knows what they popped; BLMOVE loses nothing, so its calls are counted apart.
    perhaps_popped: AtomicUsize,
    perhaps_moved: AtomicUsize,
    gets: Mutex<Vec<Duration>>,
    sessions: Mutex<Vec<Duration>>,
    stop: AtomicBool,
}

/// How a call came out.
enum Outcome<T> {
    Done(T),
    NotSent,
    Unknown,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_element_is_popped_once_or_left_or_accounted_for_and_blocking_calls_delay_nobody() {
    let mut run = Run::begin("blocking_conservation");
    let (mut gets, mut sessions) = (Vec::new(), Vec::new());
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        let server = Arc::new(TestServer::start());
        let manager = RedisManager::new().unwrap();
        let script = manager.load_script("pops").unwrap();
        let options = ClientOptions::builder()
            .protocol(protocol)
            .command_timeout(PATIENCE)
            .reconnect_delay(Duration::from_millis(20))
            .blocking_pool_size(POPPERS)
            .build()
            .unwrap();
        let open = || manager.open_with(&script, server.url(), options.clone());
        let popping: RedisCommandClient = open().unwrap();
        let pushing: RedisCommandClient = open().unwrap();
        while_all_block(&server, &popping).await;

        let books = storm(&mut run, &server, &popping, &pushing).await;
        assert!(manager.unload_script_async(&script).await.is_clean());
        eventually("what was given up has ended at the server too", || {
            server.clients().unwrap().is_empty()
        });
        balance(&run, protocol, &server, &books);
        gets.append(&mut books.gets.lock().unwrap());
        sessions.append(&mut books.sessions.lock().unwrap());
    }
    run.report_times("GET while others block", &mut gets, ORDINARY);
    run.report_times("session() while others block", &mut sessions, ORDINARY);
}

/// While every connection for blocking calls waits without a limit, plain calls and sessions do not.
async fn while_all_block(server: &TestServer, client: &RedisCommandClient) {
    let blocked: Vec<JoinHandle<(String, u64)>> = (0..POPPERS)
        .map(|_| {
            let mut commands = client.async_commands();
            tokio::spawn(async move { commands.blpop("empty", 0.0).await.unwrap() })
        })
        .collect();
    eventually("all wait", || {
        let clients = server.clients().unwrap();
        let waits = |flags: &str| flags.contains('b');
        let waiting = clients
            .iter()
            .filter(|client| client.field("flags").is_some_and(waits));
        waiting.count() == POPPERS
    });
    let mut session = timeout(PATIENCE, client.session_async())
        .await
        .unwrap()
        .unwrap();
    for _ in 0..100 {
        let plain = async {
            let nothing: Option<u64> = client.async_commands().get("plain").await.unwrap();
            let pong: String = cmd("PING").query_async(&mut session).await.unwrap();
            (nothing, pong)
        };
        let (nothing, pong) = timeout(PATIENCE, plain).await.unwrap();
        assert_eq!((nothing, pong.as_str()), (None, "PONG"));
    }
    assert!(blocked.iter().all(|call| !call.is_finished()));
    let elements: Vec<_> = (0..POPPERS as u64).collect();
    let () = client
        .async_commands()
        .rpush("empty", &elements)
        .await
        .unwrap();
    let mut popped = Vec::new();
    for call in blocked {
        popped.push(call.await.unwrap().1);
    }
    popped.sort_unstable();
    assert_eq!(popped, elements);
}

/// Pushes and pops, gives up and kills, until all is pushed.
async fn storm(
    run: &mut Run,
    server: &Arc<TestServer>,
    popping: &RedisCommandClient,
    pushing: &RedisCommandClient,
) -> Arc<Books> {
    let elements = run.scale(1_500, 50_000);
    let kills = run.scale(40, 1_000);
    let books = Arc::new(Books::default());
    let mut others = Vec::new();
    for _ in 0..POPPERS {
        let (client, books) = (popping.clone(), Arc::clone(&books));
        others.push(tokio::spawn(pop(client, books, run.random.fork())));
    }
    others.push(tokio::spawn(look_on(popping.clone(), Arc::clone(&books))));
    let pushers: Vec<_> = (0..PUSHERS)
        .map(|_| {
            let (client, books) = (pushing.clone(), Arc::clone(&books));
            tokio::spawn(push(client, books, run.random.fork(), elements))
        })
        .collect();
    let killing = spawn_blocking({
        let (server, books) = (Arc::clone(server), Arc::clone(&books));
        let mut random = run.random.fork();
        move || {
            for kill in 0..kills {
                let moment = elements * kill / kills;
                eventually("the moment of the kill", || {
                    books.next.load(SeqCst) >= moment
                });
                kill_somebody(&server, &mut random);
            }
        }
    });
    for pusher in pushers {
        pusher.await.unwrap();
    }
    killing.await.unwrap();
    books.stop.store(true, SeqCst);
    for other in others {
        other.await.unwrap();
    }
    books
}

async fn push(client: RedisCommandClient, books: Arc<Books>, mut random: Random, elements: usize) {
    loop {
        let count = 1 + random.below(8) as usize;
        let first = books.next.fetch_add(count, SeqCst);
        if first >= elements {
            return;
        }
        let batch: Vec<_> = (first as u64..(first + count) as u64).collect();
        let name = ["RPUSH", "LPUSH"][random.below(2) as usize];
        let mut push = cmd(name);
        push.arg(format!("list {}", random.below(LISTS)))
            .arg(&batch);
        match call::<i64>(&client, &push, &mut random).await {
            Outcome::Done(_) => books.pushed.lock().unwrap().extend(batch),
            Outcome::NotSent => books.never_pushed.lock().unwrap().extend(batch),
            Outcome::Unknown => drop(books.perhaps_pushed.fetch_add(count, SeqCst)),
        }
        // So that now the poppers wait, and now the elements.
        sleep(Duration::from_micros(random.below(4_000))).await;
    }
}

async fn pop(client: RedisCommandClient, books: Arc<Books>, mut random: Random) {
    while !books.stop.load(SeqCst) {
        let list = format!("list {}", random.below(LISTS));
        let seconds = (1 + random.below(200)) as f64 / 1000.0;
        if random.below(3) == 0 {
            let mut blmove = cmd("BLMOVE");
            blmove
                .arg(list)
                .arg(MOVED)
                .arg("LEFT")
                .arg("RIGHT")
                .arg(seconds);
            match call::<Option<u64>>(&client, &blmove, &mut random).await {
                Outcome::Done(element) => books.moved.lock().unwrap().extend(element),
                Outcome::NotSent => {}
                Outcome::Unknown => drop(books.perhaps_moved.fetch_add(1, SeqCst)),
            }
            continue;
        }
        let mut pop = cmd(["BLPOP", "BRPOP"][random.below(2) as usize]);
        let another = format!("list {}", random.below(LISTS));
        pop.arg(list).arg(another).arg(seconds);
        match call::<Option<(String, u64)>>(&client, &pop, &mut random).await {
            Outcome::Done(popped) => {
                let element = popped.map(|(_, element)| element);
                books.popped.lock().unwrap().extend(element);
            }
            Outcome::NotSent => {}
            Outcome::Unknown => drop(books.perhaps_popped.fetch_add(1, SeqCst)),
        }
    }
}

/// Runs `command`, and now and then gives it up.
async fn call<T: FromRedisValue>(
    client: &RedisCommandClient,
    command: &Cmd,
    random: &mut Random,
) -> Outcome<T> {
    let mut commands = client.async_commands();
    let call = command.query_async::<T>(&mut commands);
    let outcome = if random.below(8) == 0 {
        match timeout(Duration::from_micros(random.below(5_000)), call).await {
            Ok(outcome) => outcome,
            Err(_) => return Outcome::Unknown,
        }
    } else {
        call.await
    };
    match outcome.map_err(Error::from) {
        Ok(value) => Outcome::Done(value),
        Err(error) => match error.delivery() {
            Some(Delivery::NotSent) => Outcome::NotSent,
            Some(Delivery::Unknown) if error.kind() == ErrorKind::Disconnected => Outcome::Unknown,
            _ => panic!("{error:?}"),
        },
    }
}

/// Plain calls, and sessions, of the client whose other calls block.
async fn look_on(client: RedisCommandClient, books: Arc<Books>) {
    while !books.stop.load(SeqCst) {
        for _ in 0..20 {
            let began = Instant::now();
            let plain = client.async_commands().get::<_, Option<u64>>("plain").await;
            if plain.is_ok_and(|nothing| nothing.is_none()) {
                books.gets.lock().unwrap().push(began.elapsed());
            }
            sleep(Duration::from_millis(1)).await;
        }
        let began = Instant::now();
        // Its connection, too, may have been killed.
        if client.session_async().await.is_ok() {
            books.sessions.lock().unwrap().push(began.elapsed());
        }
    }
}

fn kill_somebody(server: &TestServer, random: &mut Random) {
    let clients = server.clients().unwrap();
    if let Some(client) = clients.get(random.below(clients.len().max(1) as u64) as usize) {
        // One that is gone by itself meanwhile is an error reply.
        let _ = server
            .command(&["CLIENT", "KILL", "ID", &client.id.to_string()])
            .unwrap();
    }
}

fn elements_of(server: &TestServer, list: &str) -> Vec<u64> {
    let list = server.run(&["LRANGE", list, "0", "-1"]);
    let elements = list.items().iter();
    elements
        .map(|element| element.as_int().unwrap() as u64)
        .collect()
}

/// Every element is where it must be, and nowhere twice.
fn balance(run: &Run, protocol: Protocol, server: &TestServer, books: &Books) {
    let popped = std::mem::take(&mut *books.popped.lock().unwrap());
    let moved = elements_of(server, MOVED);
    let left: Vec<_> = (0..LISTS)
        .flat_map(|list| elements_of(server, &format!("list {list}")))
        .collect();
    let mut seen = HashSet::new();
    for element in popped.iter().chain(&moved).chain(&left) {
        assert!(seen.insert(*element), "{element} was seen twice");
    }
    let never_pushed = books.never_pushed.lock().unwrap();
    for element in never_pushed.iter() {
        assert!(
            !seen.contains(element),
            "{element} was not sent, and is there"
        );
    }
    let known: HashSet<_> = books.moved.lock().unwrap().drain(..).collect();
    let arrived: HashSet<_> = moved.iter().copied().collect();
    assert!(
        known.is_subset(&arrived),
        "a move that was answered was made"
    );
    let perhaps_moved = books.perhaps_moved.load(SeqCst);
    assert!(arrived.len() - known.len() <= perhaps_moved);

    let pushed = books.pushed.lock().unwrap();
    let missing = pushed
        .iter()
        .filter(|element| !seen.contains(element))
        .count();
    let perhaps_popped = books.perhaps_popped.load(SeqCst);
    run.report(
        &format!("{protocol:?}: elements pushed, popped, moved, left, missing (≤ Unknown pops)"),
        format!(
            "{}, {}, {}, {}, {missing} (≤ {perhaps_popped})",
            pushed.len(),
            popped.len(),
            moved.len(),
            left.len(),
        ),
    );
    assert!(
        missing <= perhaps_popped,
        "{missing} missing, {perhaps_popped} Unknown"
    );
    let perhaps_pushed = books.perhaps_pushed.load(SeqCst);
    assert!(seen.len() <= pushed.len() + perhaps_pushed);
    assert!(perhaps_popped > 0 && !popped.is_empty() && !moved.is_empty());
}
