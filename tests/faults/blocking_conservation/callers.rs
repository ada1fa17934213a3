//! Those who push, those who pop, and one who looks on.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use redis_manager::Delivery;
use redis_manager::prelude::*;
use redis_manager::redis::{Cmd, FromRedisValue, cmd};
use tokio::time::{sleep, timeout};

use super::books::Books;
use super::{LISTS, MOVED};
use crate::random::Random;

/// How a call came out.
enum Outcome<T> {
    Done(T),
    NotSent,
    Unknown,
}

pub(super) async fn push(
    client: RedisCommandClient,
    books: Arc<Books>,
    mut random: Random,
    elements: usize,
) {
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

pub(super) async fn pop(client: RedisCommandClient, books: Arc<Books>, mut random: Random) {
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
pub(super) async fn look_on(client: RedisCommandClient, books: Arc<Books>) {
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
