//! ACL users, and credentials that change while clients are open.

use std::error::Error as StdError;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use redis_manager::prelude::*;
use redis_manager::redis::pipe;
use redis_manager::{CredentialsRotation, Protocol};
use redis_manager_support::TestServer;

use crate::fixture::{Host, PROTOCOLS, eventually};
use crate::reconnect::{
    expect_connected, expect_event, expect_lost, kill_connections, open, options,
};

/// A server that lets nobody in but users with a password.
pub(crate) fn guarded() -> TestServer {
    let server = TestServer::start();
    add_users(&server);
    server
}

fn add_users(server: &TestServer) {
    for user in ["alice", "bob"] {
        let password = format!(">{user}'s");
        server.run(&["ACL", "SETUSER", user, "on", "~*", "&*", "+@all", &password]);
    }
}

fn login(user: &str) -> Credentials {
    Credentials::new(format!("{user}'s")).with_username(user)
}

fn rotating(user: &str) -> Arc<RotatingCredentials> {
    Arc::new(RotatingCredentials::new(login(user)))
}

/// The users and numbers of our connections, as the server has them.
fn connections(server: &TestServer) -> Vec<(u64, String)> {
    let clients = server.clients().unwrap().into_iter();
    let ours = clients.filter(|client| client.user != "default");
    ours.map(|client| (client.id, client.user)).collect()
}

fn whoami(connection: &mut impl redis::ConnectionLike) -> String {
    redis::cmd("ACL").arg("WHOAMI").query(connection).unwrap()
}

#[track_caller]
fn expect_renewed(events: &mut redis_manager::EventStream) {
    expect_event(events, "the server has the new login", |event| {
        matches!(event, ClientEvent::Reauthenticated)
    });
}

#[test]
fn an_acl_user_reaches_its_keys_alone() {
    let server = TestServer::start();
    server.run(&[
        "ACL",
        "SETUSER",
        "shop",
        "on",
        ">s3cret",
        "~shop:*",
        "resetchannels",
        "&shop:*",
        "+@all",
        "-acl",
    ]);
    let url = format!("redis://shop:s3cret@{}:{}", server.host(), server.port());
    let login = Arc::new(RotatingCredentials::new(
        Credentials::new("s3cret").with_username("shop"),
    ));
    for protocol in PROTOCOLS {
        let host = Host::new();
        let by_uri: RedisCommandClient = open(&host, &url, options(protocol));
        let asking = options(protocol).credentials(login.clone());
        let by_provider: RedisCommandClient = open(&host, server.url(), asking);
        for client in [by_uri, by_provider] {
            let mut commands = client.commands();
            commands.set::<_, _, ()>("shop:gold", 5).unwrap();
            let refused = commands.set::<_, _, ()>("bank:gold", 5).unwrap_err();
            assert_eq!(refused.code(), Some("NOPERM"));
            let refused = client.session().unwrap().get::<_, i64>("bank:gold");
            assert_eq!(refused.unwrap_err().code(), Some("NOPERM"));
        }
        let asking = options(protocol).credentials(login.clone());
        let pubsub: RedisPubSubClient = open(&host, server.url(), asking);
        pubsub
            .register_listener("shop:news", |_: &Message| Ok(()))
            .unwrap();
        let refused = pubsub.register_listener("bank:news", |_: &Message| Ok(()));
        assert_eq!(refused.unwrap_err().code(), Some("NOPERM"));
    }
}

/// Counts how often it is asked, and has the answers that are put in.
struct Scripted {
    asked: AtomicUsize,
    answer: Mutex<Answer>,
    rotation: CredentialsRotation,
}

#[derive(Clone)]
enum Answer {
    Give(Credentials),
    Fail,
    Panic,
    Hang,
}

impl Scripted {
    fn new(answer: Answer) -> Arc<Self> {
        Arc::new(Self {
            asked: AtomicUsize::new(0),
            answer: Mutex::new(answer),
            rotation: CredentialsRotation::new(),
        })
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

#[async_trait::async_trait]
impl CredentialsProvider for Scripted {
    async fn credentials(&self) -> Result<Credentials, Box<dyn StdError + Send + Sync>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let answer = self.answer.lock().clone();
        match answer {
            Answer::Give(credentials) => Ok(credentials),
            Answer::Fail => Err("the vault is sealed".into()),
            Answer::Panic => panic!("the vault exploded"),
            Answer::Hang => std::future::pending().await,
        }
    }

    fn rotation(&self) -> Option<&CredentialsRotation> {
        Some(&self.rotation)
    }
}

#[test]
fn it_is_asked_for_every_connection() {
    let server = guarded();
    for protocol in PROTOCOLS {
        let host = Host::new();
        let provider = Scripted::new(Answer::Give(login("alice")));
        let asking = || options(protocol).credentials(provider.clone());
        let client: RedisCommandClient = open(&host, server.url(), asking());
        assert_eq!(provider.asked(), 1);
        assert_eq!(whoami(&mut client.commands()), "alice");
        assert_eq!(whoami(&mut client.session().unwrap()), "alice");
        assert_eq!(provider.asked(), 2);
        client.commands().rpush::<_, _, ()>("list", 1).unwrap();
        let popped: Option<(String, i64)> = client.commands().blpop("list", 5.0).unwrap();
        assert_eq!(popped, Some(("list".to_owned(), 1)));
        assert_eq!(provider.asked(), 3);

        *provider.answer.lock() = Answer::Give(login("bob"));
        let mut events = client.events();
        kill_connections(&server);
        expect_lost(&mut events);
        expect_connected(&mut events);
        assert_eq!(whoami(&mut client.commands()), "bob");
        host.manager.close_redis_client(&client);

        let before = provider.asked();
        let pubsub: RedisPubSubClient = open(&host, server.url(), asking());
        pubsub
            .register_listener("news", |_: &Message| Ok(()))
            .unwrap();
        let sockets = match protocol {
            Protocol::Resp2 => 2,
            _ => 1,
        };
        assert_eq!(provider.asked(), before + sockets);
        assert_eq!(connections(&server).len(), sockets);
        // What stands in the URI is not used.
        let wrong = format!("redis://nobody:wrong@{}:{}", server.host(), server.port());
        let client: RedisCommandClient = open(&host, wrong, asking());
        assert_eq!(whoami(&mut client.commands()), "bob");
    }
}

#[test]
fn another_user_takes_over_on_the_connection_that_is_there() {
    for protocol in PROTOCOLS {
        let (server, host, login_) = (guarded(), Host::new(), rotating("alice"));
        let asking = options(protocol).credentials(login_.clone());
        let client: RedisCommandClient = open(&host, server.url(), asking);
        let mut events = client.events();
        let before = connections(&server);
        assert_eq!(before.len(), 1);

        login_.set(login("bob"));
        expect_renewed(&mut events);
        assert_eq!(connections(&server), [(before[0].0, "bob".to_owned())]);
        assert_eq!(whoami(&mut client.commands()), "bob");
        assert!(client.state() == ClientState::Connected);
    }
}

#[test]
fn a_client_that_listens_hears_on_as_another_user_where_the_protocol_allows_that() {
    for protocol in PROTOCOLS {
        let (server, host, login_) = (guarded(), Host::new(), rotating("alice"));
        let asking = options(protocol).credentials(login_.clone());
        let client: RedisPubSubClient = open(&host, server.url(), asking);
        let heard = Arc::new(AtomicUsize::new(0));
        let counting = Arc::clone(&heard);
        let _listener = client
            .register_listener("news", move |_: &Message| {
                counting.fetch_add(1, Ordering::SeqCst);
                Ok(())
            })
            .unwrap();
        let mut events = client.events();
        login_.set(login("bob"));
        expect_renewed(&mut events);
        let users = || {
            let mut users: Vec<String> = connections(&server)
                .into_iter()
                .map(|(_, user)| user)
                .collect();
            users.sort();
            users
        };
        match protocol {
            Protocol::Resp2 => assert_eq!(users(), ["alice", "bob"]),
            _ => assert_eq!(users(), ["bob"]),
        }
        assert_eq!(client.publish("news", "one").unwrap(), 1);
        eventually("it hears", || heard.load(Ordering::SeqCst) == 1);

        kill_connections(&server);
        expect_lost(&mut events);
        expect_connected(&mut events);
        eventually("all are the new user's", || {
            users().iter().all(|user| user == "bob")
        });
        eventually("it listens again", || {
            client.publish("news", "two").unwrap() == 1
        });
        eventually("it hears again", || heard.load(Ordering::SeqCst) == 2);
    }
}

#[test]
fn a_session_keeps_its_user_and_the_next_one_has_the_new() {
    for protocol in PROTOCOLS {
        let (server, host, login_) = (guarded(), Host::new(), rotating("alice"));
        let asking = options(protocol).credentials(login_.clone());
        let client: RedisCommandClient = open(&host, server.url(), asking);
        let mut events = client.events();
        let idle = client.session().unwrap();
        let mut session = client.session().unwrap();
        drop(idle);
        redis::cmd("MULTI").exec(&mut session).unwrap();
        redis::cmd("INCR").arg("n").exec(&mut session).unwrap();
        login_.set(login("bob"));
        expect_renewed(&mut events);
        let replies: Vec<i64> = redis::cmd("EXEC").query(&mut session).unwrap();
        assert_eq!(replies, [1]);
        assert_eq!(whoami(&mut session), "alice");
        drop(session);
        for _ in 0..2 {
            assert_eq!(whoami(&mut client.session().unwrap()), "bob");
        }
        eventually("none is left of the old user", || {
            connections(&server).iter().all(|(_, user)| user == "bob")
        });
    }
}

#[test]
fn credentials_that_the_server_refuses_are_told_and_the_connection_goes_on() {
    for protocol in PROTOCOLS {
        let (server, host, login_) = (guarded(), Host::new(), rotating("alice"));
        let asking = options(protocol).credentials(login_.clone());
        let client: RedisCommandClient = open(&host, server.url(), asking);
        let mut events = client.events();
        let is_refused = |event: &ClientEvent| match event {
            ClientEvent::ReauthenticationFailed { cause }
            | ClientEvent::ReconnectFailed { cause, .. } => {
                assert_eq!(cause.kind(), ErrorKind::Authentication);
                assert_eq!(cause.client_id(), Some(client.client_id()));
                assert!(cause.message().contains("WRONGPASS"), "{cause}");
                assert!(!format!("{cause:?}").contains("hunter2"), "{cause:?}");
                true
            }
            _ => false,
        };
        login_.set(Credentials::new("hunter2").with_username("bob"));
        expect_event(&mut events, "it is refused", is_refused);
        assert_eq!(whoami(&mut client.commands()), "alice");
        assert!(client.state() == ClientState::Connected);

        kill_connections(&server);
        expect_event(&mut events, "it is refused again", |event| {
            matches!(event, ClientEvent::ReconnectFailed { .. }) && is_refused(event)
        });
        login_.set(login("bob"));
        expect_connected(&mut events);
        assert_eq!(whoami(&mut client.commands()), "bob");
    }
}

#[test]
fn a_provider_that_fails_hangs_or_panics_is_a_cause_like_any_other() {
    let server = guarded();
    let address = format!("{}:{}", server.host(), server.port());
    for (answer, kind, said) in [
        (
            Answer::Fail,
            ErrorKind::Connect,
            format!("there are no credentials for {address}: the vault is sealed"),
        ),
        (
            Answer::Panic,
            ErrorKind::Connect,
            "the vault exploded".to_owned(),
        ),
        (
            Answer::Hang,
            ErrorKind::Timeout,
            "the credentials provider has not answered".to_owned(),
        ),
    ] {
        let host = Host::new();
        let provider = Scripted::new(answer.clone());
        let asking = || {
            let options = ClientOptions::builder().connect_timeout(Duration::from_millis(200));
            let options = options.reconnect_delay(Duration::from_millis(20));
            options.credentials(provider.clone())
        };
        let failed = host.manager.open_with::<RedisCommandClient>(
            &host.script,
            server.url(),
            asking().build().unwrap(),
        );
        let failed = failed.unwrap_err();
        assert_eq!(failed.kind(), kind, "{failed}");
        assert!(failed.message().contains(&said), "{failed}");
        assert!(host.manager.redis_clients(&host.script).is_empty());

        let client: RedisCommandClient = open(&host, server.url(), asking().lazy_connect(true));
        let mut events = client.events();
        let call = client.clone();
        std::thread::scope(|threads| {
            let call = threads.spawn(move || whoami(&mut call.commands()));
            expect_event(&mut events, "the cause is told", |event| match event {
                ClientEvent::Disconnected { cause } => cause.message().contains(&said),
                _ => false,
            });
            assert!(
                client.state().to_string().contains(&said),
                "{}",
                client.state()
            );
            *provider.answer.lock() = Answer::Give(login("alice"));
            // The call has waited.
            assert_eq!(call.join().unwrap(), "alice");
        });

        *provider.answer.lock() = answer;
        provider.rotation.announce();
        expect_event(&mut events, "the failure is told", |event| match event {
            ClientEvent::ReauthenticationFailed { cause } => cause.message().contains(&said),
            _ => false,
        });
        assert_eq!(whoami(&mut client.commands()), "alice");
        *provider.answer.lock() = Answer::Give(login("bob"));
        provider.rotation.announce();
        expect_renewed(&mut events);
        assert_eq!(whoami(&mut client.commands()), "bob");
    }
}

#[test]
fn a_login_counts_for_nobody_and_waits_for_no_place() {
    for protocol in PROTOCOLS {
        let server = guarded();
        let resources = redis_manager::ClientResources::builder();
        let resources = resources.statistics(true).build().unwrap();
        let manager = RedisManager::with_resources(resources);
        let limits = ScriptLimits::none()
            .with_operations_per_second(0)
            .with_commands_in_flight(0)
            .with_bytes_queued(0);
        let script = manager
            .load_script_with("economy", ScriptOptions::default().with_limits(limits))
            .unwrap();
        let login_ = rotating("alice");
        let asking = options(protocol).credentials(login_.clone());
        let asking = asking.request_queue_size(1).request_queue_bytes(1);
        let client = manager
            .open_with::<RedisCommandClient>(&script, server.url(), asking.build().unwrap())
            .unwrap();
        let mut events = client.events();
        login_.set(login("bob"));
        expect_renewed(&mut events);
        let refused = client.commands().ping::<()>().map_err(Error::from);
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::LimitExceeded);
        let counted = client.snapshot().statistics.unwrap();
        assert_eq!((counted.commands, counted.errors), (0, 0));
        assert_eq!(connections(&server).len(), 1);
        assert_eq!(connections(&server)[0].1, "bob");
    }
}

#[test]
fn clients_with_the_same_provider_share_a_connection_and_with_others_not() {
    let (server, host) = (guarded(), Host::new());
    let (alice, bob) = (rotating("alice"), rotating("bob"));
    let sharing = |login_: &Arc<RotatingCredentials>| {
        options(Protocol::Resp3)
            .shared(true)
            .credentials(login_.clone())
    };
    let one: RedisCommandClient = open(&host, server.url(), sharing(&alice));
    let two: RedisCommandClient = open(&host, server.url(), sharing(&alice));
    let other: RedisCommandClient = open(&host, server.url(), sharing(&bob));
    assert_eq!(connections(&server).len(), 2);
    let mut events = [one.events(), two.events()];
    alice.set(login("bob"));
    events.iter_mut().for_each(|events| expect_renewed(events));
    for client in [one, two, other] {
        assert_eq!(whoami(&mut client.commands()), "bob");
    }
}

#[test]
fn a_basic_client_asks_nobody_and_says_so() {
    let (server, host) = (guarded(), Host::new());
    let asking = ClientOptions::builder().credentials(rotating("alice"));
    let refused = host.manager.open_with::<RedisBasicClient>(
        &host.script,
        server.url(),
        asking.build().unwrap(),
    );
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Unsupported);
}

#[test]
fn while_a_client_is_closed_nobody_waits_for_a_login() {
    let (server, host) = (guarded(), Host::new());
    let provider = Scripted::new(Answer::Give(login("alice")));
    let asking = options(Protocol::Resp3).credentials(provider.clone());
    let client: RedisCommandClient = open(&host, server.url(), asking);
    *provider.answer.lock() = Answer::Hang;
    provider.rotation.announce();
    eventually("it is asked", || provider.asked() == 2);
    let answers: (i64,) = pipe().incr("n", 1).query(&mut client.commands()).unwrap();
    assert_eq!(answers, (1,));
    let report = host.manager.unload_script(&host.script);
    assert!(report.is_clean(), "{report}");
    eventually("its connection is gone", || connections(&server).is_empty());
    assert_eq!(
        Arc::strong_count(&provider),
        1 + usize::from(client.client_options().credentials().is_some())
    );
}

#[cfg(unix)]
#[test]
fn over_a_unix_socket_it_is_as_over_tcp() {
    let server = TestServer::builder().unix_socket().start_or_panic();
    add_users(&server);
    let url = format!("unix://{}", server.socket_path().unwrap().display());
    for protocol in PROTOCOLS {
        let (host, login_) = (Host::new(), rotating("alice"));
        let asking = || options(protocol).credentials(login_.clone());
        let client: RedisCommandClient = open(&host, &url, asking());
        let pubsub: RedisPubSubClient = open(&host, &url, asking());
        let (function, heard) = crate::listening::hearing();
        pubsub.register_listener(&*host.name, function).unwrap();
        assert_eq!(whoami(&mut client.commands()), "alice");
        let mut events = [client.events(), pubsub.events()];
        login_.set(login("bob"));
        events.iter_mut().for_each(|events| expect_renewed(events));
        assert_eq!(whoami(&mut client.commands()), "bob");
        assert_eq!(whoami(&mut client.session().unwrap()), "bob");
        assert_eq!(pubsub.publish(&*host.name, "m").unwrap(), 1);
        assert_eq!(crate::listening::next_text(&heard), "m");
        assert!(host.manager.unload_script(&host.script).is_clean());
    }
}
