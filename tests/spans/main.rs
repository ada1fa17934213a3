//! What is logged is inside the spans of the client and the listener that it is about. In a process of its own, because
//! the log of a process is one.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::io;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Instant;

use redis_manager::prelude::*;
use redis_manager_support::{TestSentinel, TestServer};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::FmtSpan;

/// Only to catch a hang.
const PATIENCE: Duration = Duration::from_secs(20);

/// Keeps all that is logged as text, with the spans around it.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// That of this process, from the first call on.
    fn of_the_process() -> Self {
        static LOG: OnceLock<Log> = OnceLock::new();
        let begin = || {
            let log = Self::default();
            tracing_subscriber::fmt()
                .with_max_level(tracing::Level::TRACE)
                .with_span_events(FmtSpan::CLOSE)
                .with_ansi(false)
                .with_writer(log.clone())
                .init();
            log
        };
        LOG.get_or_init(begin).clone()
    }

    /// The first line that has all of `parts`, if it is there.
    fn find(&self, parts: &[&str]) -> Option<String> {
        let text = self.0.lock().unwrap();
        let mut lines = str::from_utf8(&text).unwrap().lines();
        let found = lines.find(|line| parts.iter().all(|part| line.contains(part)));
        found.map(str::to_owned)
    }

    /// How many lines have `part`.
    fn count(&self, part: &str) -> usize {
        let text = self.0.lock().unwrap();
        str::from_utf8(&text).unwrap().matches(part).count()
    }

    /// The same, once it is there.
    #[track_caller]
    fn line(&self, parts: &[&str]) -> String {
        self.line_after(parts, || {})
    }

    /// The same; meanwhile this is done again and again.
    #[track_caller]
    fn line_after(&self, parts: &[&str], mut poll: impl FnMut()) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            poll();
            if let Some(line) = self.find(parts) {
                return line;
            }
            assert!(Instant::now() < deadline, "no line with {parts:?}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// How the span of `client` is written.
fn client_span(client: &impl ScriptRedisClient) -> String {
    format!(
        "client{{script={} client={} client_type={}}}",
        client.script(),
        client.client_id(),
        client.client_type(),
    )
}

#[test]
fn what_a_callback_logs_says_whose_it_is_wherever_it_runs() {
    let log = Log::of_the_process();
    let manager = RedisManager::new().unwrap();
    let script = manager.load_script("callbacks").unwrap();
    let client: RedisPubSubClient = manager.open(&script, TestServer::shared().url()).unwrap();
    let own: RedisCommandClient = manager.open(&script, TestServer::shared().url()).unwrap();
    let sync = client.register_listener("spans-sync", move |_: &Message| {
        tracing::info!("heard by a thread");
        own.commands()
            .publish::<_, _, ()>("spans-other", "a-secret")?;
        Ok(())
    });
    let sync = sync.unwrap();
    let registering = client.register_async_listener("spans-async", |_| async {
        tokio::task::yield_now().await;
        tracing::info!("heard by a task");
        Ok(())
    });
    let of_a_task = pollster::block_on(registering).unwrap();
    let mut local = client
        .listener("spans-local")
        .register_local(|_: &Message| {
            tracing::info!("heard where it is polled");
            Ok(())
        })
        .unwrap();
    for channel in ["spans-sync", "spans-async", "spans-local"] {
        client.publish(channel, "hello").unwrap();
    }
    log.line_after(&["heard where it is polled"], || {
        let _ = futures_util::FutureExt::now_or_never(&mut local);
    });
    for (what, channel, id) in [
        ("heard by a thread", "spans-sync", sync.id()),
        ("heard by a task", "spans-async", of_a_task.id()),
        (
            "heard where it is polled",
            "spans-local",
            local.handle().id(),
        ),
    ] {
        let channel = Channel::new(channel);
        let listener = format!("listener{{channel={channel} listener={id}}}");
        let spans = format!("{}:{listener}:", client_span(&client));
        log.line(&[what, &spans]);
    }
    // A call from there is inside it too, and nobody learns what was said.
    let call = log.line(&[":call{command=\"PUBLISH\"", ":listener{channel="]);
    assert!(call.contains(&client_span(&client)), "{call}");
    assert!(!call.contains("a-secret"), "{call}");
    manager.shutdown().unwrap();
}

#[test]
fn the_events_of_a_client_are_inside_its_span_and_have_their_fields_still() {
    let log = Log::of_the_process();
    let server = TestServer::start();
    let manager = RedisManager::new().unwrap();
    let script = manager.load_script("events").unwrap();
    let client: RedisCommandClient = manager.open(&script, server.url()).unwrap();
    server.run(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
    let span = format!("{}:", client_span(&client));
    let fields = format!(
        "script={script} client={} client_type=COMMAND",
        client.client_id()
    );
    let lost = log.line(&[&span, &fields, "event=Disconnected"]);
    assert!(lost.contains(" WARN "), "{lost}");
    log.line(&[&span, "event=ReconnectAttempt"]);
    manager.shutdown().unwrap();
    log.line(&[&span, "event=Closed"]);
}

#[test]
fn a_call_has_a_span_with_the_name_of_its_command_alone() {
    let log = Log::of_the_process();
    let manager = RedisManager::new().unwrap();
    let script = manager.load_script("calls").unwrap();
    let client: RedisCommandClient = manager.open(&script, TestServer::shared().url()).unwrap();
    client
        .commands()
        .set::<_, _, ()>("spans-key", "a-secret-value")
        .unwrap();
    let whose = format!("script={script} client={}", client.client_id());
    let call = log.line(&["call{command=\"SET\"", &whose, "close"]);
    assert!(
        !call.contains("spans-key") && !call.contains("a-secret-value"),
        "{call}"
    );
    manager.shutdown().unwrap();
}

#[test]
fn a_sentinel_that_may_be_asked_and_not_be_listened_to_is_warned_of_once() {
    let log = Log::of_the_process();
    let server = TestServer::start();
    // Sentinels before 7.0 take no subcommand there.
    let asking = match server.has_command("CLIENT|NO-EVICT") {
        true => "+sentinel|get-master-addr-by-name",
        false => "+sentinel",
    };
    let sentinel = TestSentinel::builder()
        .monitor("main", server.port(), 1)
        .line("user default off")
        .line(format!(
            "user watcher on >a-secret resetchannels +auth +ping {asking}"
        ))
        .line("user redis-manager-support on >admin ~* &* +@all")
        .admin("redis-manager-support", "admin")
        .start_or_panic(server.binary());
    let login = Credentials::new("a-secret").with_username("watcher");
    let options = ClientOptions::builder()
        .sentinel_credentials(Arc::new(login))
        .reconnect_delay(Duration::from_millis(10));
    let manager = RedisManager::new().unwrap();
    let script = manager.load_script("sentinel").unwrap();
    let url = format!("redis-sentinel://127.0.0.1:{}#main", sentinel.port());
    let opened = manager.open_with(&script, url, options.build().unwrap());
    let client: RedisCommandClient = opened.unwrap();
    let () = client.commands().set("spans-key", "v").unwrap();
    let named = format!("127.0.0.1:{}", sentinel.port());
    let warned = log.line(&[" WARN ", "does not let itself be listened to", &named]);
    assert!(warned.contains("'subscribe'"), "{warned}");
    assert!(!warned.contains("a-secret"), "{warned}");
    for _ in 0..3 {
        let told = log.count("a sentinel is not listened to");
        let deadline = Instant::now() + PATIENCE;
        while log.count("a sentinel is not listened to") == told {
            assert!(Instant::now() < deadline, "it is tried again");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
    assert_eq!(log.count("does not let itself be listened to"), 1);
    manager.shutdown().unwrap();
}
