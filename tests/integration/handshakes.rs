//! What is said on a new connection: in how many steps, and what its end is told to come from.

use std::io::{BufReader, Read, Write};
use std::net::TcpStream;

use redis_manager::Protocol;
use redis_manager::prelude::*;
use redis_manager::redis::ProtocolVersion;
use redis_manager_support::TestServer;

use crate::fixture::{Host, PROTOCOLS};
use crate::mistakes::port;
use crate::reconnect_liars::read_command;

/// HELLO, PING and two CLIENT SETINFO.
const COMMANDS: usize = 4;

/// Reads `commands` commands before it answers the first, and then nothing more.
fn answer_all_at_once(stream: &mut TcpStream, commands: usize, answers: &[u8]) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    for _ in 0..commands {
        if read_command(&mut reader).is_none() {
            return;
        }
    }
    let _ = stream.write_all(answers);
}

fn open(url: &str, protocol: Protocol) -> Result<Option<ProtocolVersion>, Error> {
    let host = Host::new();
    let options = ClientOptions::builder().protocol(protocol).build().unwrap();
    let client = host
        .manager
        .open_with::<RedisCommandClient>(&host.script, url, options)?;
    Ok(client.connection().protocol())
}

#[test]
fn without_a_login_one_step_is_enough_whether_or_not_the_server_speaks_resp3() {
    for (first, spoken) in [
        ("%0\r\n", ProtocolVersion::RESP3),
        ("-ERR unknown command 'HELLO'\r\n", ProtocolVersion::RESP2),
    ] {
        let address = port(move |mut stream| {
            let answers = format!("{first}+PONG\r\n+OK\r\n-ERR unknown subcommand\r\n");
            answer_all_at_once(&mut stream, COMMANDS, answers.as_bytes());
            let _ = stream.read(&mut [0]);
        });
        let opened = open(&format!("redis://{address}"), Protocol::Auto);
        assert_eq!(opened.unwrap(), Some(spoken));
    }
}

#[test]
fn a_server_that_refuses_a_ping_and_hangs_up_is_told_by_its_refusal() {
    let address = port(|mut stream| {
        let answers = b"%0\r\n-NOPERM this user has no permissions to run the 'ping' command\r\n";
        answer_all_at_once(&mut stream, COMMANDS, answers);
    });
    let error = open(&format!("redis://{address}"), Protocol::Resp3).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Server, "{error:?}");
    let told = error.message();
    assert!(told.contains("no permissions to run the 'ping'"), "{error}");
}

#[test]
fn a_server_that_hangs_up_after_other_answers_is_told_to_have_done_so() {
    for first in ["%0\r\n", "-ERR unknown command 'HELLO'\r\n"] {
        let address = port(move |mut stream| {
            let answers = format!("{first}+PONG\r\n-ERR unknown subcommand\r\n");
            answer_all_at_once(&mut stream, COMMANDS, answers.as_bytes());
        });
        let error = open(&format!("redis://{address}"), Protocol::Auto).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect, "{error:?}");
        let told = error.message();
        assert!(told.contains("closed the connection"), "{error}");
    }
}

#[test]
fn a_refused_login_is_all_that_the_server_notes_of_a_client() {
    let server = TestServer::start();
    // Whoever is not logged in is this user, who may do nothing of what follows a login.
    server.run(&["ACL", "SETUSER", "default", "-select", "-ping"]);
    if server.has_command("CLIENT|SETNAME") {
        server.run(&["ACL", "SETUSER", "default", "-client|setname"]);
    } else {
        server.not_tried("has no rules for subcommands");
    }
    server.run(&["ACL", "LOG", "RESET"]);
    let url = format!(
        "redis://someone:wrong@127.0.0.1:{}/1?clientName=x",
        server.port()
    );
    for protocol in PROTOCOLS.into_iter().chain([Protocol::Auto]) {
        let error = open(&url, protocol).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Authentication, "{error:?}");
    }
    let noted = server.run(&["ACL", "LOG"]).text();
    assert!(noted.contains("auth"), "{noted}");
    for refused in ["select", "ping", "setname"] {
        assert!(!noted.contains(refused), "{noted}");
    }
}
