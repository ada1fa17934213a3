//! A thousand callbacks that do what callbacks should not, over several scripts and clients, while others of
//! the same channels go on as if they were alone.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::SystemTime;

use futures_util::future::join_all;
use redis_manager::MessageStream;
use redis_manager::prelude::*;
use redis_manager_support::TestServer;

use crate::culprits::{Culprit, World};
use crate::fixture::{Host, PROTOCOLS, eventually, unique};
use crate::listener_ends::in_time;
use crate::listening::{hearing, hearing_async, next_of, next_text};
use crate::random::Random;

const SCRIPTS: usize = 8;
const CLIENTS: usize = 3;
const CALLBACKS: usize = 1_000;
const CHANNELS: usize = 20;
const ROUNDS: usize = 60;

/// Those who behave, on one channel.
struct Witnesses {
    channel: String,
    heard: [Receiver<Message>; 2],
    stream: MessageStream,
}

impl Witnesses {
    fn new(client: &RedisPubSubClient, channel: &str) -> Self {
        let (function, heard) = hearing();
        client.register_listener(channel, function).unwrap();
        let (function, async_heard) = hearing_async();
        pollster::block_on(client.register_async_listener(channel, function)).unwrap();
        Self {
            channel: channel.to_owned(),
            heard: [heard, async_heard],
            stream: client.messages(channel).unwrap(),
        }
    }

    /// Makes sure that the next thing that each of them hears is `payload`.
    #[track_caller]
    fn expect(&mut self, payload: &str) {
        for heard in &self.heard {
            assert_eq!(next_text(heard), payload, "{}", self.channel);
        }
        let message = next_of(&mut self.stream);
        assert_eq!(message.payload(), payload.as_bytes());
    }
}

/// The seed, from the environment or from the clock; printed, so that a failure can be tried again.
#[expect(clippy::print_stdout, reason = "for whoever reads a failed run")]
pub(crate) fn seed() -> u64 {
    let seed = std::env::var("REDIS_MANAGER_SEED").ok();
    let seed = seed.and_then(|seed| seed.parse().ok()).unwrap_or_else(|| {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        since.unwrap().as_nanos() as u64
    });
    println!("REDIS_MANAGER_SEED={seed}");
    seed
}

#[test]
fn a_thousand_callbacks_that_misbehave_hold_up_nobody_and_all_of_it_can_be_unloaded() {
    let mut random = Random::new(seed());
    for protocol in PROTOCOLS {
        let (server, host, culprits) = (TestServer::start(), Host::new(), Host::new());
        let options = || ClientOptions::builder().protocol(protocol);
        let open = |script: &ScriptHandle, manager: &RedisManager| -> RedisPubSubClient {
            let options = options().build().unwrap();
            manager.open_with(script, server.url(), options).unwrap()
        };
        let world = Arc::new(World {
            manager: culprits.manager.clone(),
            channels: (0..CHANNELS).map(|number| format!("c{number}")).collect(),
            listeners: Mutex::default(),
            births: AtomicUsize::new(CALLBACKS / 2),
            done: Mutex::default(),
        });
        let failures = Arc::new(AtomicUsize::new(0));
        // In a script of the same manager, with the same threads for their calls.
        let honest = open(&culprits.script, &culprits.manager);
        let of_another_manager = open(&host.script, &host.manager);
        let mut witnesses: Vec<_> = world
            .channels
            .iter()
            .flat_map(|channel| [&honest, &of_another_manager].map(|c| Witnesses::new(c, channel)))
            .collect();
        let (mut scripts, mut clients, mut polling) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..SCRIPTS {
            let script = culprits.manager.load_script(unique("culprit")).unwrap();
            let failed = Arc::clone(&failures);
            script.set_error_sink(move |_: &redis_manager::ScriptFailure| {
                failed.fetch_add(1, Ordering::SeqCst);
            });
            let own: Vec<_> = (0..CLIENTS)
                .map(|_| open(&script, &culprits.manager))
                .collect();
            let mut of_thread = Vec::new();
            for number in 0..CALLBACKS / SCRIPTS {
                let client = &own[number % CLIENTS];
                let culprit = Culprit::new(&world, &script, client, random.fork());
                match random.below(3) {
                    0 => culprit.register("sync").unwrap(),
                    1 => culprit.register("async").unwrap(),
                    _ => of_thread.push(culprit),
                }
            }
            let (sender, ready) = std::sync::mpsc::channel();
            polling.push(thread::spawn(move || {
                let locals: Vec<_> = of_thread.into_iter().map(Culprit::register_local).collect();
                sender.send(()).unwrap();
                pollster::block_on(join_all(locals));
            }));
            ready.recv().unwrap();
            scripts.push(script);
            clients.extend(own);
        }
        assert_eq!(world.listeners.lock().unwrap().len(), CALLBACKS);

        for round in 0..ROUNDS {
            for channel in &world.channels {
                server.run(&["PUBLISH", channel, &round.to_string()]);
            }
            for witnesses in &mut witnesses {
                witnesses.expect(&round.to_string());
            }
        }
        let done = world.done.lock().unwrap().clone();
        // The two that are rare may not have happened.
        assert!(done.len() >= 7, "{done:?}");
        assert!(failures.load(Ordering::SeqCst) > 0);

        let reports = in_time("unloading all", {
            let (manager, scripts) = (culprits.manager.clone(), scripts.clone());
            move || {
                scripts
                    .iter()
                    .map(|script| manager.unload_script(script))
                    .collect::<Vec<_>>()
            }
        });
        for report in &reports {
            assert_eq!(report.running_callbacks().count(), 0, "{report}");
        }
        in_time("the local ones end", move || {
            for polling in polling {
                polling.join().unwrap();
            }
        });
        for client in &clients {
            eventually("it is closed", || client.state() == ClientState::Closed);
        }
        let sockets = if protocol == Protocol::Resp2 { 4 } else { 2 };
        eventually("only the witnesses are left", || {
            server.clients().unwrap().len() == sockets
        });
        server.run(&["PUBLISH", "c0", "end"]);
        witnesses[0].expect("end");
        witnesses[1].expect("end");
        assert!(culprits.manager.unload_script(&culprits.script).is_clean());
    }
}
