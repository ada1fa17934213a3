//! A peer that goes silent without hanging up is replaced within seconds; one that is only busy is not.

mod busy;
mod load;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::Instant;

use redis_manager::prelude::*;
use redis_manager::{ClientOptionsBuilder, EventStream};
use redis_manager_support::TestServer;

use crate::harness::{PATIENCE, Run, eventually};
use crate::proxy::Proxy;
use load::Load;

const PROTOCOLS: [Protocol; 2] = [Protocol::Resp2, Protocol::Resp3];
/// From the silence's beginning until calls succeed again.
const BOUND: Duration = Duration::from_secs(4);

fn options(protocol: Protocol) -> ClientOptionsBuilder {
    ClientOptions::builder()
        .protocol(protocol)
        .heartbeat(Duration::from_secs(1))
        .command_timeout(Duration::from_secs(1))
}

fn set_load(client: &RedisCommandClient, callers: usize) -> Load {
    Load::start(callers, || {
        let mut commands = client.commands();
        move || commands.set::<_, _, ()>("k", 1).map_err(Error::from)
    })
}

/// A listener's latest message, a number.
fn listen(client: &RedisPubSubClient, channel: &str) -> Arc<AtomicU64> {
    let heard = Arc::<AtomicU64>::default();
    let listener = Arc::clone(&heard);
    let register = client.register_listener(channel, move |message: &Message| {
        listener.store(message.payload_str()?.parse()?, SeqCst);
        Ok(())
    });
    register.unwrap();
    heard
}

/// One each, because a message is a sign of life.
fn quiet_channel(protocol: Protocol) -> String {
    format!("quiet {protocol:?}")
}

/// The clients of one protocol.
struct Clients {
    idle: RedisCommandClient,
    /// Listens where nobody speaks while the server is silent.
    quiet: RedisPubSubClient,
    heard_in_quiet: Arc<AtomicU64>,
    /// Listens where somebody always speaks.
    heard_in_chatter: Arc<AtomicU64>,
    single: Load,
    many: Load,
    publisher: Load,
}

impl Clients {
    fn open(manager: &RedisManager, script: &ScriptHandle, url: &str, protocol: Protocol) -> Self {
        let command = || -> RedisCommandClient {
            let options = options(protocol).build().unwrap();
            manager.open_with(script, url, options).unwrap()
        };
        let pubsub = || -> RedisPubSubClient {
            let options = options(protocol).build().unwrap();
            manager.open_with(script, url, options).unwrap()
        };
        let (quiet, chatty) = (pubsub(), pubsub());
        Self {
            idle: command(),
            heard_in_quiet: listen(&quiet, &quiet_channel(protocol)),
            quiet,
            heard_in_chatter: listen(&chatty, "chatter"),
            single: set_load(&command(), 1),
            many: set_load(&command(), 16),
            publisher: Load::start(1, || {
                let chatty = chatty.clone();
                // Under RESP2 the two go by different sockets.
                move || {
                    chatty.publish("nobody", "x")?;
                    let nobody = chatty.register_listener("nobody", |_: &Message| Ok(()))?;
                    nobody.unregister()
                }
            }),
        }
    }

    fn end(self) {
        let loads = [self.single, self.many, self.publisher];
        loads.into_iter().for_each(Load::end);
    }
}

/// What must come back, and whether it did since `silent`.
type Subject<'a> = (String, Box<dyn FnMut() -> bool + 'a>);

fn is_back(events: &mut EventStream, back: &mut bool) -> bool {
    while let Some(event) = events.try_recv() {
        *back |= matches!(event, ClientEvent::Connected);
    }
    *back
}

/// Its events are those since before the silence: with no call of ours, only a new connection tells.
fn subjects<'a>(
    clients: &'a Clients,
    protocol: Protocol,
    server: &'a TestServer,
    [mut idle, mut quiet]: [EventStream; 2],
    silent: Instant,
    spoken: u64,
) -> Vec<Subject<'a>> {
    let named = |what: &str| format!("{what} ({protocol:?})");
    let (mut idle_is_back, mut quiet_is_back) = (false, false);
    vec![
        (
            named("an idle client"),
            Box::new(move || {
                is_back(&mut idle, &mut idle_is_back)
                    && clients.idle.commands().set::<_, _, ()>("k", 1).is_ok()
            }),
        ),
        (
            named("a single caller"),
            Box::new(move || clients.single.all_succeeded_since(silent)),
        ),
        (
            named("the last of 16 callers"),
            Box::new(move || clients.many.all_succeeded_since(silent)),
        ),
        (
            named("a quiet listener"),
            Box::new(move || {
                // Not before: a message on the old connection would be a sign of life.
                is_back(&mut quiet, &mut quiet_is_back)
                    && server
                        .run(&[
                            "PUBLISH",
                            &quiet_channel(protocol),
                            &(spoken + 1).to_string(),
                        ])
                        .as_int()
                        > Some(0)
                    && clients.heard_in_quiet.load(SeqCst) > spoken
            }),
        ),
        (
            named("a busy listener and its publisher"),
            Box::new(move || {
                clients.heard_in_chatter.load(SeqCst) > spoken
                    && clients.publisher.all_succeeded_since(silent)
            }),
        ),
    ]
}

#[test]
fn a_connection_that_is_silent_in_either_direction_is_replaced_and_calls_succeed_within_seconds() {
    let run = Run::begin("silent_peer");
    let server = Arc::new(TestServer::start());
    let proxy = Proxy::start(server.port());
    let manager = RedisManager::new().unwrap();
    let script = manager.load_script("silent").unwrap();
    let clients = PROTOCOLS.map(|it| Clients::open(&manager, &script, &proxy.url(), it));
    let (spoken, stop) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
    let speaker = std::thread::spawn({
        let (server, spoken, stop) = (Arc::clone(&server), Arc::clone(&spoken), Arc::clone(&stop));
        move || {
            while !stop.load(SeqCst) {
                // Counted before it is said, so that none counted later was said earlier.
                let number = spoken.fetch_add(1, SeqCst) + 1;
                server.run(&["PUBLISH", "chatter", &number.to_string()]);
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    });
    let mut times = Vec::new();
    let sockets = proxy.connections();
    assert_eq!(sockets, 7 + 5, "a RESP2 listener has two");
    for (round, direction) in ["replies", "requests"].into_iter().enumerate() {
        let now = Instant::now();
        eventually("all is well", || {
            clients.iter().all(|it| it.many.all_succeeded_since(now))
        });
        let events = clients
            .each_ref()
            .map(|it| [it.idle.events(), it.quiet.events()]);
        match direction {
            "replies" => proxy.swallow_replies(true),
            _ => proxy.swallow_requests(true),
        }
        let (silent, spoken) = (Instant::now(), spoken.load(SeqCst) + 1);
        let mut waiting: Vec<Subject<'_>> = clients
            .iter()
            .zip(PROTOCOLS)
            .zip(events)
            .flat_map(|((clients, protocol), events)| {
                subjects(clients, protocol, &server, events, silent, spoken)
            })
            .collect();
        let deadline = silent + PATIENCE;
        while !waiting.is_empty() {
            waiting.retain_mut(|(who, is_back)| {
                if !is_back() {
                    return true;
                }
                run.report(
                    &format!("without {direction}: {who}"),
                    format!("{:.1?}", silent.elapsed()),
                );
                times.push(silent.elapsed());
                false
            });
            let who: Vec<_> = waiting.iter().map(|(who, _)| who).collect();
            assert!(
                Instant::now() < deadline,
                "without {direction}, not back: {who:?}"
            );
            std::thread::sleep(Duration::from_millis(2));
        }
        eventually("every silent connection is replaced", || {
            proxy.connections() >= sockets * (round + 2)
        });
    }
    run.report_times("from silence to success", &mut times, BOUND);
    run.report("connections made", proxy.connections());
    clients.into_iter().for_each(Clients::end);
    stop.store(true, SeqCst);
    speaker.join().unwrap();
    manager.shutdown().unwrap();
}
