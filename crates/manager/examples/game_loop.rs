//! A host with a loop, and a script whose functions live on the loop's thread. Runs by itself:
//! `cargo run --example game_loop`.
//!
//! The script's state is an `Rc`, as that of most script engines: nothing of it may leave the thread. The loop gives
//! the script two milliseconds of each tick, and sleeps while there is nothing to do.

#![allow(clippy::print_stdout, reason = "it prints for a person")]

use std::cell::RefCell;
use std::error::Error;
use std::rc::Rc;
use std::thread;
use std::time::Instant;

use redis_manager::prelude::*;
use redis_manager_support::ServerHandle;

#[derive(Default)]
struct World {
    chat: Vec<String>,
    gold: i64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let server = ServerHandle::for_examples()?;
    let manager = RedisManager::new()?;
    let script = manager.load_script("tavern")?;
    script.set_error_sink(|failure: &ScriptFailure| println!("{failure}"));

    let world = Rc::new(RefCell::new(World::default()));
    let mailbox = manager.mailbox(&script)?;
    start_script(&manager, &script, &mailbox, &server.url(), &world)?;

    let host = thread::current();
    mailbox.on_ready(move || host.unpark());
    let began = Instant::now();
    let mut calls = 0;
    while world.borrow().chat.len() < 1_000 && began.elapsed() < Duration::from_secs(10) {
        calls += mailbox.poll(Duration::from_millis(2)).calls();
        // … physics, rendering …
        thread::park_timeout(Duration::from_millis(16));
    }
    let lines = world.borrow().chat.len();
    // Each publishing is a call as well.
    println!("{lines} lines of chat in {calls} calls");
    println!("the tavern has {} gold", world.borrow().gold);

    // First, so that nothing waits for calls of tasks that can go on nowhere else.
    mailbox.close();
    println!("{}", manager.unload_script(&script));
    println!(
        "{} tasks are left, and {} owner of the world",
        mailbox.tasks(),
        Rc::strong_count(&world)
    );
    if lines == 1_000 && Rc::strong_count(&world) == 1 {
        Ok(())
    } else {
        Err("the script heard too little, or left something".into())
    }
}

/// What the script does when it is loaded, on the thread of its engine.
fn start_script(
    manager: &RedisManager,
    script: &ScriptHandle,
    mailbox: &Mailbox,
    url: &str,
    world: &Rc<RefCell<World>>,
) -> redis_manager::Result<()> {
    let pubsub = manager.open::<RedisPubSubClient>(script, url)?;
    let heard = Rc::clone(world);
    mailbox.register_listener(&pubsub, "chat", move |message: &Message| {
        heard
            .borrow_mut()
            .chat
            .push(message.payload_str()?.to_owned());
        Ok(())
    })?;

    // Asynchronous calls complete on the same thread: the game goes on meanwhile.
    let bank = manager.open::<RedisCommandClient>(script, url)?;
    let rich = Rc::clone(world);
    mailbox.spawn(async move {
        let gold = bank.async_commands().incr("gold", 30).await?;
        rich.borrow_mut().gold = gold;
        for number in 0..1_000 {
            pubsub
                .publish_async("chat", format!("line {number}"))
                .await?;
        }
        Ok(())
    })
}
