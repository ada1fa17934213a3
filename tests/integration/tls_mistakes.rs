//! TLS where there is none, none where there is, and a handshake that nobody answers: each ends in time, in an error
//! that says what may be wrong.

use std::io::{Read, Write};
use std::net::TcpListener;

use redis_manager::prelude::*;

use crate::failed_openings::{assert_each_says, failed_openings};
use crate::tls_fixture::Secure;

/// The errors of clients of all types at `url`, which must fail by `timeout`.
#[track_caller]
fn errors(url: &str, timeout: Duration) -> Vec<Error> {
    let options = ClientOptions::builder().connect_timeout(timeout);
    failed_openings(url, &options.build().unwrap())
}

#[track_caller]
fn expect(url: &str, kind: ErrorKind, parts: &[&str]) {
    let errors = errors(url, Duration::from_secs(5));
    for error in &errors {
        assert_eq!(error.kind(), kind, "{error}");
    }
    assert_each_says(&errors, parts);
}

#[test]
fn a_plain_client_at_a_port_with_tls() {
    let Some(secure) = Secure::start() else {
        return;
    };
    let port = secure.server.tls_port().unwrap();
    let url = format!("redis://127.0.0.1:{port}");
    let address = format!("127.0.0.1:{port}");
    expect(&url, ErrorKind::Connect, &[&address, "rediss://"]);
}

#[test]
fn a_plain_client_at_a_port_that_answers_with_an_alert() {
    let port = listen(|mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        // A fatal alert of TLS 1.2: unexpected message.
        let _ = stream.write_all(&[0x15, 3, 3, 0, 2, 2, 10]);
    });
    let url = format!("redis://127.0.0.1:{port}");
    expect(&url, ErrorKind::Protocol, &["speaks TLS", "rediss://"]);
}

/// For what nobody answers: long enough for a busy machine to begin, because each case waits it out.
const SHORT: Duration = Duration::from_secs(1);

#[test]
fn a_client_with_tls_at_a_plain_port() {
    let Some(secure) = Secure::start() else {
        return;
    };
    let url = secure.server.url().replace("redis://", "rediss://");
    for error in errors(&url, SHORT) {
        // Redis waits for the end of a line, and what is random in a ClientHello may have one.
        let kinds = [ErrorKind::Timeout, ErrorKind::Protocol];
        assert!(kinds.contains(&error.kind()), "{error}");
        assert!(error.message().contains("redis://"), "{error}");
        let address = format!("127.0.0.1:{}", secure.server.port());
        assert!(error.message().contains(&address), "{error}");
    }
}

/// A port that does this to each connection.
fn listen(serve: impl Fn(std::net::TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        for stream in listener.incoming().flatten() {
            let twin = stream.try_clone().unwrap();
            serve(stream);
            kept.push(twin);
        }
    });
    port
}

#[test]
fn a_port_that_answers_no_handshake() {
    let port = listen(drop);
    for error in errors(&format!("rediss://127.0.0.1:{port}"), SHORT) {
        assert_eq!(error.kind(), ErrorKind::Timeout);
        let message = error.message();
        assert!(
            message.contains("the TLS handshake is not answered"),
            "{error}"
        );
    }
}

#[test]
fn a_port_that_answers_with_something_else() {
    let port = listen(|mut stream| {
        let _ = stream.read(&mut [0; 64]);
        let _ = stream.write_all(b"-ERR unknown command\r\n");
    });
    let url = format!("rediss://127.0.0.1:{port}");
    expect(
        &url,
        ErrorKind::Protocol,
        &["does not speak TLS", "redis://"],
    );
}

#[test]
fn a_port_that_hangs_up_during_the_handshake() {
    let port = listen(|mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.shutdown(std::net::Shutdown::Both);
    });
    let url = format!("rediss://127.0.0.1:{port}");
    expect(
        &url,
        ErrorKind::Connect,
        &["during the TLS handshake", "redis://"],
    );
}

#[test]
fn nobody_at_the_port() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let url = format!("rediss://127.0.0.1:{port}");
    expect(&url, ErrorKind::Connect, &["cannot connect to 127.0.0.1"]);
}
