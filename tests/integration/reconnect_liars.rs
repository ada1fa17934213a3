//! Replies that are not taken: those too large, and the lies of servers that break the protocol.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use redis_manager::Delivery;
use redis_manager::prelude::*;
use redis_manager::redis::Value;
use redis_manager_support::TestServer;

use crate::fixture::{Host, PATIENCE, PROTOCOLS, eventually};
use crate::reconnect::{expect_connected, expect_lost, open, options};

/// Answers `+OK` to all but GET; a GET of "ok" is answered well, any other as `lie` says.
pub(crate) struct Liar {
    port: u16,
    connections: Arc<AtomicUsize>,
    hung_up: Arc<AtomicUsize>,
}

impl Liar {
    /// After `honest` connections it answers nothing any more.
    pub(crate) fn start(lie: &'static [u8], honest: usize) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let liar = Self {
            port: listener.local_addr().unwrap().port(),
            connections: Arc::default(),
            hung_up: Arc::default(),
        };
        let (connections, hung_up) = (Arc::clone(&liar.connections), Arc::clone(&liar.hung_up));
        // Ends with the process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let number = connections.fetch_add(1, SeqCst);
                let hung_up = Arc::clone(&hung_up);
                std::thread::spawn(move || {
                    if number < honest {
                        serve(stream, lie);
                    } else {
                        let _ = std::io::copy(&mut &stream, &mut std::io::sink());
                        hung_up.fetch_add(1, SeqCst);
                    }
                });
            }
        });
        liar
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(SeqCst)
    }

    /// How many of those that got no answer the client has closed.
    pub(crate) fn hung_up(&self) -> usize {
        self.hung_up.load(SeqCst)
    }
}

fn serve(mut stream: TcpStream, lie: &[u8]) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    while let Some(command) = read_command(&mut reader) {
        let answer = match command.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["GET", "ok"] => b"$2\r\nok\r\n",
            ["GET", _] => lie,
            _ => b"+OK\r\n",
        };
        if stream.write_all(answer).is_err() {
            return;
        }
        // Half a reply, and no more.
        if answer.starts_with(b"$100\r\n") {
            return;
        }
    }
}

pub(crate) fn read_command(reader: &mut impl BufRead) -> Option<Vec<String>> {
    let mut number = |prefix| {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let number = line
            .trim_end()
            .strip_prefix(prefix)?
            .parse::<usize>()
            .ok()?;
        if prefix == '*' {
            return Some((number, String::new()));
        }
        let mut text = vec![0; number + 2];
        reader.read_exact(&mut text).ok()?;
        text.truncate(number);
        Some((number, String::from_utf8(text).ok()?))
    };
    let (words, _) = number('*')?;
    (0..words).map(|_| Some(number('$')?.1)).collect()
}

#[track_caller]
fn get(client: &RedisCommandClient, key: &str) -> Result<Value, Error> {
    client.commands().get(key).map_err(Error::from)
}

fn is_ok(value: &Value) -> bool {
    *value == Value::BulkString(b"ok".to_vec())
}

#[test]
fn a_lie_ends_the_connection_by_name_and_is_never_an_answer() {
    for (lie, named) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], "type byte"),
        (b"$99999999999\r\n", "max_reply_size"),
        (b"$x\r\n", "type byte"),
        (b"*2\r\n$2\r\nok\r\n?\r\n", "type byte"),
        (b"$100\r\nhalf", "closed"),
    ] {
        for protocol in PROTOCOLS {
            let (liar, host) = (Liar::start(lie, usize::MAX), Host::new());
            let client: RedisCommandClient = open(&host, liar.url(), options(protocol));
            let mut events = client.events();
            for round in 1..=5 {
                let error = get(&client, "lie").unwrap_err();
                let text = String::from_utf8_lossy(lie);
                assert_eq!(error.kind(), ErrorKind::Disconnected, "{text}: {error}");
                assert_eq!(error.delivery(), Some(Delivery::Unknown), "{text}");
                assert!(error.message().contains(named), "{text}: {error}");
                let cause = expect_lost(&mut events);
                assert!(cause.message().contains(named), "{text}: {cause}");
                expect_connected(&mut events);
                assert!(is_ok(&get(&client, "ok").unwrap()), "{text}");
                assert_eq!(liar.connections(), 1 + round, "one connection a loss");
            }
        }
    }
}

#[test]
fn a_reply_that_nobody_asked_for_ends_the_connection_before_it_can_be_an_answer() {
    for protocol in PROTOCOLS {
        let lie = b"$5\r\nright\r\n$5\r\nwrong\r\n";
        let (liar, host) = (Liar::start(lie, usize::MAX), Host::new());
        let client: RedisCommandClient = open(&host, liar.url(), options(protocol));
        let mut events = client.events();
        for round in 1..=20 {
            assert_eq!(
                get(&client, "lie").unwrap(),
                Value::BulkString(b"right".to_vec())
            );
            let cause = expect_lost(&mut events);
            assert!(cause.message().contains("nobody asked for"), "{cause}");
            assert!(is_ok(&get(&client, "ok").unwrap()));
            expect_connected(&mut events);
            assert_eq!(liar.connections(), 1 + round);
        }
    }
}

#[test]
fn a_reply_beyond_the_limit_ends_its_connection_by_name_and_the_client_goes_on() {
    let server = TestServer::start();
    server.run(&["SETRANGE", "big", "2097151", "x"]);
    server.run(&["SET", "small", "1"]);
    for protocol in PROTOCOLS {
        let host = Host::new();
        let limited = options(protocol).max_reply_size(1024 * 1024);
        let client: RedisCommandClient = open(&host, server.url(), limited);
        let mut events = client.events();
        for _ in 0..3 {
            let error = Error::from(client.commands().get::<_, Value>("big").unwrap_err());
            assert_eq!(
                (error.kind(), error.delivery()),
                (ErrorKind::Disconnected, Some(Delivery::Unknown))
            );
            assert!(error.message().contains("max_reply_size"), "{error}");
            let cause = expect_lost(&mut events);
            assert!(cause.message().contains("max_reply_size"), "{cause}");
            expect_connected(&mut events);
            assert_eq!(client.commands().get::<_, i64>("small").unwrap(), 1);
        }
    }
}

#[test]
fn a_client_that_waits_for_a_handshake_closes_in_time() {
    for protocol in PROTOCOLS {
        let (liar, host) = (Liar::start(b"?", 1), Host::new());
        let options = options(protocol).shutdown_timeout(Duration::from_millis(100));
        let client: RedisCommandClient = open(&host, liar.url(), options);
        get(&client, "lie").unwrap_err();
        eventually("it tries to reconnect", || liar.connections() == 2);
        let (waiting, told) = (client.clone(), std::sync::mpsc::channel());
        let sender = told.0;
        std::thread::spawn(move || sender.send(get(&waiting, "ok")));
        let began = std::time::Instant::now();
        let report = host.manager.unload_script(&host.script);
        assert!(began.elapsed() < PATIENCE, "{report}");
        assert_eq!(client.state(), ClientState::Closed);
        let error = told.1.recv_timeout(PATIENCE).unwrap().unwrap_err();
        assert_eq!(
            (error.kind(), error.delivery()),
            (ErrorKind::Closed, Some(Delivery::NotSent)),
            "{error}"
        );
        eventually("nothing of it is left", || liar.hung_up() == 1);
        assert_eq!(liar.connections(), 2);
    }
}
