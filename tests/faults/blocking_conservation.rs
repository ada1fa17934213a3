//! Nothing that is pushed is lost or popped twice, however often the callers that block for it are killed
//! or give up; and they hold up nobody else.

mod books;
mod callers;

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use redis_manager::Protocol;
use redis_manager::prelude::*;
use redis_manager::redis::cmd;
use redis_manager_support::TestServer;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;

use crate::harness::{PATIENCE, Run, eventually};
use crate::random::Random;
use books::{Books, balance};
use callers::{look_on, pop, push};

/// As many as the pool for blocking calls has connections.
const POPPERS: usize = 16;
const PUSHERS: usize = 4;
const LISTS: u64 = 4;
/// Where BLMOVE puts what it pops.
const MOVED: &str = "moved";
/// A GET of a client whose connection is killed now and then, on a machine with two cores that the server
/// and everybody else share. A blocking call takes longer.
const ORDINARY: Duration = Duration::from_millis(20);

#[test]
fn every_element_is_popped_once_or_left_or_accounted_for_and_blocking_calls_delay_nobody() {
    Run::on_runtime("blocking_conservation", async |run| {
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

            let books = storm(run, &server, &popping, &pushing).await;
            assert!(manager.unload_script_async(&script).await.is_clean());
            eventually("what was given up has ended at the server too", || {
                server.clients().unwrap().is_empty()
            });
            balance(run, protocol, &server, &books);
            gets.append(&mut books.gets.lock().unwrap());
            sessions.append(&mut books.sessions.lock().unwrap());
        }
        run.report_times("GET while others block", &mut gets, ORDINARY);
        run.report_times("session() while others block", &mut sessions, ORDINARY);
    });
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

fn kill_somebody(server: &TestServer, random: &mut Random) {
    let clients = server.clients().unwrap();
    if let Some(client) = clients.get(random.below(clients.len().max(1) as u64) as usize) {
        // One that is gone by itself meanwhile is an error reply.
        let _ = server
            .command(&["CLIENT", "KILL", "ID", &client.id.to_string()])
            .unwrap();
    }
}
