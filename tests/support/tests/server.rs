//! The fixture keeps its promises: a server of one's own that answers, restarts, and dies with its
//! owner.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::panic;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use redis_manager_support::{Reply, ServerBinary, SupportError, TestServer};

/// Far more than anything here takes.
const LONG: Duration = Duration::from_secs(20);

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + LONG;
    while !holds() {
        assert!(Instant::now() < deadline, "not within {LONG:?}: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

fn connect(port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(LONG))?;
    Ok(stream)
}

/// Sends an inline command and reads one line.
fn ask(stream: &mut (impl Read + Write), command: &str) -> io::Result<String> {
    stream.write_all(format!("{command}\r\n").as_bytes())?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    Ok(line.trim_end().to_owned())
}

#[test]
fn it_answers_and_says_what_it_is() {
    let server = TestServer::start();
    assert_eq!(server.run(&["PING"]), Reply::Simple("PONG".into()));
    assert_eq!(server.url(), format!("redis://127.0.0.1:{}", server.port()));
    assert_eq!(server.url_with_password(), server.url());
    assert_eq!((server.password(), server.socket_path()), (None, None));
    assert!(
        ["Redis", "Valkey"].contains(&server.server_name()),
        "{}",
        server.server_name()
    );

    let info = server.run(&["INFO", "server"]).text();
    assert!(
        info.contains(&format!("process_id:{}\r", server.pid())),
        "{info}"
    );
    assert!(
        info.contains(&format!("_version:{}\r", server.version())),
        "{info}"
    );

    let dir = server.run(&["CONFIG", "GET", "dir"]).items()[1].text();
    assert_eq!(
        Path::new(&dir).canonicalize().unwrap(),
        server.folder().canonicalize().unwrap()
    );
    assert_eq!(server.run(&["CONFIG", "GET", "save"]).items()[1].text(), "");
    assert_eq!(
        server.run(&["CONFIG", "GET", "bind"]).items()[1].text(),
        "127.0.0.1"
    );
    assert!(server.log_tail().contains("Ready to accept connections"));
}

#[test]
fn replies_of_every_kind_come_back() {
    let server = TestServer::start();
    assert_eq!(server.run(&["SET", "k", "a\r\nb"]).text(), "OK");
    assert_eq!(
        server.run(&["GET", "k"]),
        Reply::Bulk(Some(b"a\r\nb".to_vec()))
    );
    assert_eq!(server.run(&["GET", "none"]), Reply::Bulk(None));
    assert_eq!(server.run(&[b"STRLEN".as_slice(), b"k"]).as_int(), Some(4));
    assert_eq!(server.run(&["MGET", "k", "none"]).items().len(), 2);
    assert!(server.command(&["NOSUCH"]).unwrap().is_error());
    assert!(server.command::<&str>(&[]).is_err());
    assert_eq!(server.run(&["PING"]).text(), "PONG");
}

#[test]
fn a_password_is_asked_for() {
    let server = TestServer::builder().password("p@ss:wörd").start().unwrap();
    assert_eq!(server.password(), Some("p@ss:wörd"));
    assert_eq!(
        server.url_with_password(),
        format!("redis://:p%40ss%3Aw%C3%B6rd@127.0.0.1:{}", server.port())
    );
    assert!(!server.url().contains('@'));
    assert_eq!(server.run(&["PING"]).text(), "PONG");
    let told = ask(&mut connect(server.port()).unwrap(), "PING").unwrap();
    assert!(told.starts_with("-NOAUTH"), "{told}");
}

#[test]
fn a_server_that_lets_nobody_in_counts_as_up() {
    let server = TestServer::builder()
        .args(["--user", "default", "off"])
        .start()
        .unwrap();
    let told = server.command(&["PING"]).unwrap();
    assert!(told.text().starts_with("NOAUTH"), "{told:?}");
}

#[test]
fn a_unix_socket_is_there_when_asked_for() {
    let server = TestServer::builder().unix_socket().start().unwrap();
    let path = server.socket_path().unwrap();
    assert!(path.starts_with(server.folder()));
    assert_eq!(
        ask(&mut UnixStream::connect(path).unwrap(), "PING").unwrap(),
        "+PONG"
    );
}

#[test]
fn arguments_are_passed_on() {
    let server = TestServer::builder()
        .arg("--maxclients")
        .arg("10")
        .start()
        .unwrap();
    assert_eq!(
        server.run(&["CONFIG", "GET", "maxclients"]).items()[1].text(),
        "10"
    );
}

#[test]
fn killed_it_refuses_and_restarted_it_answers_on_the_same_port() {
    let server = TestServer::builder().password("secret").start().unwrap();
    let (port, pid) = (server.port(), server.pid());
    server.run(&["SET", "k", "v"]);

    server.kill().unwrap();
    assert!(!server.is_running());
    assert_eq!(
        connect(port).unwrap_err().kind(),
        io::ErrorKind::ConnectionRefused
    );
    assert!(matches!(
        server.command(&["PING"]),
        Err(SupportError::Io { .. })
    ));
    server.kill().unwrap();

    for _ in 0..2 {
        server.restart().unwrap();
        assert!(server.is_running());
        assert_eq!((server.port(), server.pid() == pid), (port, false));
        assert_eq!(server.run(&["GET", "k"]), Reply::Bulk(None));
        server.run(&["SET", "k", "v"]);
    }
}

#[test]
fn paused_it_accepts_and_says_nothing() {
    let server = TestServer::start();
    server.pause().unwrap();
    let mut stream = connect(server.port()).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_millis(100)))
        .unwrap();
    let silence = ask(&mut stream, "PING").unwrap_err();
    assert_eq!(silence.kind(), io::ErrorKind::WouldBlock);
    server.resume().unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    assert_eq!(
        BufReader::new(stream).lines().next().unwrap().unwrap(),
        "+PONG"
    );

    // A stopped one can be killed and restarted too.
    server.pause().unwrap();
    server.restart().unwrap();
    assert_eq!(server.run(&["PING"]).text(), "PONG");
}

#[test]
fn one_that_does_not_come_up_says_why_at_once() {
    let started = Instant::now();
    let error = TestServer::builder()
        .arg("--no-such-option")
        .arg("1")
        .start()
        .unwrap_err();
    assert!(matches!(error, SupportError::Exited { .. }), "{error}");
    assert!(error.to_string().contains("no-such-option"), "{error}");
    assert!(started.elapsed() < LONG);
}

#[test]
fn a_named_port_that_is_taken_is_an_error() {
    // With a password, so that the one that holds the port refuses the PING of the one that wants
    // it.
    let first = TestServer::builder().password("secret").start().unwrap();
    let error = TestServer::builder()
        .port(first.port())
        .start()
        .unwrap_err();
    assert!(
        error.to_string().contains("Address already in use"),
        "{error}"
    );
    let open = TestServer::start();
    let error = TestServer::builder().port(open.port()).start().unwrap_err();
    assert!(
        error.to_string().contains("Address already in use"),
        "{error}"
    );
}

#[test]
fn several_at_once_have_ports_of_their_own() {
    let started: Vec<_> = (0..4).map(|_| thread::spawn(TestServer::start)).collect();
    let servers: Vec<_> = started
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .collect();
    for server in &servers {
        assert_eq!(
            servers
                .iter()
                .filter(|other| other.port() == server.port())
                .count(),
            1
        );
        assert_eq!(
            server
                .run(&["SET", "port", &server.port().to_string()])
                .text(),
            "OK"
        );
    }
    for server in &servers {
        assert_eq!(
            server.run(&["GET", "port"]).text(),
            server.port().to_string()
        );
    }
}

#[test]
fn clients_are_seen_without_the_admin() {
    let server = TestServer::start();
    assert_eq!(server.clients().unwrap(), []);
    let mut client = connect(server.port()).unwrap();
    ask(&mut client, "CLIENT SETNAME economy").unwrap();
    ask(&mut client, "SELECT 3").unwrap();
    let seen = server.clients().unwrap();
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert_eq!(
        (seen[0].name.as_str(), seen[0].db, seen[0].cmd.as_str()),
        ("economy", 3, "select")
    );
    assert_eq!(seen[0].addr, client.local_addr().unwrap().to_string());
    drop(client);
    until("the client is gone", || {
        server.clients().unwrap().is_empty()
    });
}

#[test]
fn an_admin_that_was_thrown_out_comes_back() {
    let server = TestServer::start();
    let mut other = connect(server.port()).unwrap();
    assert_eq!(ask(&mut other, "CLIENT KILL TYPE normal").unwrap(), ":1");
    assert_eq!(server.run(&["PING"]).text(), "PONG");
    assert_eq!(server.clients().unwrap().len(), 1);
}

#[test]
fn the_shared_one_is_one() {
    let first = thread::spawn(|| TestServer::shared().port())
        .join()
        .unwrap();
    assert_eq!(TestServer::shared().port(), first);
}

#[test]
fn dropped_it_is_gone_and_its_folder_too() {
    let server = TestServer::start();
    let (port, folder) = (server.port(), server.folder().to_owned());
    drop(server);
    assert!(connect(port).is_err());
    assert!(!folder.exists());
}

#[test]
fn a_panic_takes_it_along() {
    let server = TestServer::start();
    let port = server.port();
    let panicked = thread::spawn(move || panic::resume_unwind(Box::new(server.port()))).join();
    assert!(panicked.is_err());
    assert!(connect(port).is_err());
}

/// Another process that owns a server: the program of this package. Gives it, the port, the pid and
/// the folder.
fn owner() -> (std::process::Child, u16, String, String) {
    let mut owner = Command::new(env!("CARGO_BIN_EXE_redis-manager-support"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(owner.stdout.take().unwrap()).lines();
    let mut line = || lines.next().unwrap().unwrap();
    let (url, pid, folder) = (line(), line(), line());
    let port = url.rsplit_once(':').unwrap().1.parse().unwrap();
    assert_eq!(ask(&mut connect(port).unwrap(), "PING").unwrap(), "+PONG");
    (owner, port, pid, folder)
}

#[test]
fn a_killed_owner_takes_its_server_along() {
    let (mut owner, port, _, folder) = owner();
    owner.kill().unwrap();
    owner.wait().unwrap();
    until("the server is gone", || connect(port).is_err());
    until("its folder is gone", || !Path::new(&folder).exists());
}

#[test]
fn a_killed_owner_takes_a_stopped_server_along() {
    let (mut owner, port, pid, folder) = owner();
    assert!(
        Command::new("sh")
            .args(["-c", &format!("kill -s STOP {pid}")])
            .status()
            .unwrap()
            .success()
    );
    owner.kill().unwrap();
    owner.wait().unwrap();
    until("the server is gone", || connect(port).is_err());
    until("its folder is gone", || !Path::new(&folder).exists());
}

#[test]
fn an_owner_that_ends_takes_its_server_along() {
    let (mut owner, port, _, folder) = owner();
    drop(owner.stdin.take());
    assert!(owner.wait().unwrap().success());
    assert!(connect(port).is_err());
    assert!(!Path::new(&folder).exists());
}

#[test]
fn a_binary_of_ones_own_is_taken() {
    let found: ServerBinary = TestServer::shared().binary().clone();
    let server = TestServer::builder().binary(found.clone()).start_or_panic();
    assert_eq!(server.binary(), &found);
}
