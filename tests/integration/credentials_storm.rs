//! A password that is rotated, and the old one removed, while calls go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread;

use redis_manager::Delivery;
use redis_manager::prelude::*;
use redis_manager::redis::pipe;
use redis_manager_support::TestServer;

use crate::fixture::{Host, PROTOCOLS, eventually};
use crate::misbehaving_callbacks::seed;
use crate::random::Random;
use crate::reconnect::{kill_connections, open, options};

const ROTATIONS: u64 = 30;
const CALLERS: usize = 6;

fn password(rotation: u64) -> String {
    format!("the {rotation}th password")
}

fn set_password(server: &TestServer, sign: char, rotation: u64) {
    let password = format!("{sign}{}", password(rotation));
    let rules = ["on", "~*", "&*", "+@all", &password];
    server.run(&[&["ACL", "SETUSER", "scripts"][..], &rules[..]].concat());
}

fn login(rotation: u64) -> Credentials {
    Credentials::new(password(rotation)).with_username("scripts")
}

#[derive(Default)]
struct Ledger {
    /// Increments that were acknowledged.
    acknowledged: AtomicU64,
    /// Connections that logged in with the old password in the moment when it was removed.
    too_late: AtomicU64,
    over: AtomicBool,
}

impl Ledger {
    fn add(&self, by: u64) {
        self.acknowledged.fetch_add(by, SeqCst);
    }

    /// Only what needs a connection of its own can be refused, and was not sent then.
    fn add_if_let_in(&self, outcome: Result<i64, Error>) {
        match outcome {
            Ok(_) => self.add(1),
            Err(error) => {
                let told = (error.kind(), error.delivery().unwrap_or(Delivery::NotSent));
                assert_eq!(
                    told,
                    (ErrorKind::Authentication, Delivery::NotSent),
                    "{error:?}"
                );
                self.too_late.fetch_add(1, SeqCst);
            }
        }
    }

    fn call(&self, client: &RedisCommandClient, pubsub: &RedisPubSubClient, mut random: Random) {
        while !self.over.load(SeqCst) {
            match random.below(128) {
                1..16 => {
                    let session = client.session();
                    let counted = session.and_then(|mut session| Ok(session.incr("n", 1)?));
                    self.add_if_let_in(counted);
                }
                // An empty list, so it waits for its timeout, which the server looks at ten times a second.
                0 => {
                    let popped = client
                        .commands()
                        .blpop::<_, Option<(String, i64)>>("list", 0.01);
                    let counted = popped.map_err(Error::from);
                    if let Err(error) = counted {
                        self.add_if_let_in(Err(error));
                    }
                }
                16..32 => {
                    let mut both = pipe();
                    both.atomic().incr("n", 1).incr("n", 1);
                    let _: (i64, i64) = both.query(&mut client.commands()).unwrap();
                    self.add(2);
                }
                32..48 => assert_eq!(pubsub.publish("news", "x").unwrap(), 1),
                _ => {
                    let _: i64 = client.commands().incr("n", 1).unwrap();
                    self.add(1);
                }
            }
        }
    }
}

#[test]
fn while_a_password_is_rotated_and_the_old_one_removed_no_call_fails() {
    let mut random = Random::new(seed());
    for protocol in PROTOCOLS {
        let (server, host) = (TestServer::start(), Host::new());
        set_password(&server, '>', 0);
        let credentials = Arc::new(RotatingCredentials::new(login(0)));
        let asking = || options(protocol).credentials(credentials.clone());
        let client: RedisCommandClient = open(&host, server.url(), asking());
        let pubsub: RedisPubSubClient = open(&host, server.url(), asking());
        pubsub
            .register_listener("news", |_: &Message| Ok(()))
            .unwrap();
        let (ledger, mut events) = (Ledger::default(), [client.events(), pubsub.events()]);
        thread::scope(|scope| {
            for _ in 0..CALLERS {
                let random = random.fork();
                scope.spawn(|| ledger.call(&client, &pubsub, random));
            }
            for rotation in 1..=ROTATIONS {
                let until = ledger.acknowledged.load(SeqCst) + random.below(3_000);
                eventually("calls go on", || ledger.acknowledged.load(SeqCst) >= until);
                set_password(&server, '>', rotation);
                credentials.set(login(rotation));
                for events in &mut events {
                    eventually("the server has it", || {
                        matches!(events.try_recv(), Some(ClientEvent::Reauthenticated))
                    });
                }
                set_password(&server, '<', rotation - 1);
            }
            ledger.over.store(true, SeqCst);
        });
        let counted: u64 = client.commands().get("n").unwrap();
        let (acknowledged, too_late) = (
            ledger.acknowledged.into_inner(),
            ledger.too_late.into_inner(),
        );
        assert_eq!(counted, acknowledged);
        // One a caller at each change, at most.
        assert!(too_late <= ROTATIONS * CALLERS as u64, "{too_late}");

        kill_connections(&server);
        eventually("all are back", || {
            client.commands().ping::<String>().is_ok()
                && pubsub.publish("news", "x").is_ok_and(|heard| heard == 1)
        });
    }
}
