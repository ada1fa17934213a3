//! Files that do not answer: certificates and passwords.

use std::fs;
use std::thread;
use std::time::Instant;

use redis_manager::prelude::*;
use redis_manager::{ClientOptionsBuilder, ClientState, ManagerConfig, Pem, TlsOptions};
use redis_manager_support::TestServer;

use crate::failed_openings::{TYPES, assert_each_says, failed_openings};
use crate::fixture::{Host, PATIENCE, eventually, unique};
use crate::pipe::Pipe;
use crate::reconnect::{kill_connections, open};
use crate::tls_fixture::Secure;

const SHORT: Duration = Duration::from_millis(100);

fn trusting(pipe: &Pipe) -> TlsOptions {
    TlsOptions::default().with_ca(Pem::file(pipe.path()))
}

fn within(time: Duration) -> ClientOptionsBuilder {
    ClientOptions::builder().connect_timeout(time)
}

/// A manager that knows the shared server as `main`, whose password is in `pipe`.
fn with_password_in(pipe: &Pipe) -> RedisManager {
    let config: ManagerConfig = toml::from_str(&format!(
        "[servers.main]\nuri = '{}'\npassword_file = '{}'",
        TestServer::shared().url(),
        pipe.path().display()
    ))
    .unwrap();
    RedisManager::from_config(config).unwrap()
}

#[test]
fn a_certificate_that_is_not_read_in_time_is_named() {
    let port = TestServer::shared().port();
    for (url, shared) in [
        (format!("rediss://127.0.0.1:{port}"), false),
        (format!("rediss://127.0.0.1:{port}"), true),
        (format!("rediss-cluster://127.0.0.1:{port}"), false),
        (format!("rediss-cluster://127.0.0.1:{port}"), true),
        (format!("rediss-sentinel://127.0.0.1:{port}#main"), false),
    ] {
        let pipe = Pipe::new();
        let options = within(SHORT).tls(trusting(&pipe)).shared(shared);
        let errors = failed_openings(&url, &options.build().unwrap());
        let path = pipe.path().display().to_string();
        assert_each_says(&errors, &["within 100ms", "`tls.ca`", &path]);
        assert!(
            errors
                .iter()
                .all(|error| error.kind() == ErrorKind::Timeout)
        );
    }
}

#[test]
fn a_password_that_is_not_read_in_time_is_named() {
    let pipe = Pipe::new();
    let manager = with_password_in(&pipe);
    let script = manager.load_script(unique("script")).unwrap();
    let mut errors = Vec::new();
    for kind in TYPES {
        let (began, options) = (Instant::now(), within(SHORT).build().unwrap());
        let opened = manager.open_redis_client_with(&script, kind, named("main"), options);
        errors.push(opened.unwrap_err());
        assert!(began.elapsed() < PATIENCE / 4);
    }
    let path = pipe.path().display().to_string();
    assert_each_says(&errors, &["within 100ms", "password", &path]);
    assert!(
        errors
            .iter()
            .all(|error| error.kind() == ErrorKind::Timeout)
    );
}

#[test]
fn once_it_is_read_clients_open() {
    let Some(secure) = Secure::start() else {
        return;
    };
    let (host, pipe) = (Host::new(), Pipe::new());
    let open = |time| {
        let options = within(time).tls(trusting(&pipe)).build().unwrap();
        host.manager
            .open_with::<RedisCommandClient>(&host.script, secure.url(), options)
    };
    for _ in 0..3 {
        assert_eq!(open(SHORT).unwrap_err().kind(), ErrorKind::Timeout);
    }
    let replacement = secure.certificates.path("ca.pem");
    pipe.answer();
    fs::rename(replacement, pipe.path()).unwrap();
    let client = open(PATIENCE).unwrap();
    let () = client.commands().set("key", 1).unwrap();
}

/// Has `end` end within a while, and the opening with it.
#[track_caller]
fn expect_end_while_reading(
    manager: &RedisManager,
    open: impl FnOnce(&ScriptHandle) -> Option<Error> + Send,
    end: impl FnOnce(&ScriptHandle),
) {
    let script = manager.load_script(unique("script")).unwrap();
    thread::scope(|scope| {
        let opening = scope.spawn(|| open(&script));
        eventually("the opening is under way", || {
            !format!("{:?}", script.gate()).contains("passes: 0")
        });
        let began = Instant::now();
        end(&script);
        assert!(began.elapsed() < PATIENCE / 4, "{:?}", began.elapsed());
        let error = opening.join().unwrap().expect("nothing opens");
        assert_eq!(error.kind(), ErrorKind::ScriptUnloaded, "{error}");
        assert!(began.elapsed() < PATIENCE / 4, "{:?}", began.elapsed());
    });
}

#[test]
fn neither_unloading_nor_shutting_down_waits_for_a_file() {
    let options = || within(3 * PATIENCE);
    let url = TestServer::shared().url().replace("redis://", "rediss://");
    for kind in TYPES {
        for shuts_down in [false, true] {
            let pipe = Pipe::new();
            let manager = with_password_in(&pipe);
            let end = |script: &ScriptHandle| match shuts_down {
                true => drop(manager.shutdown().unwrap()),
                false => assert!(manager.unload_script(script).is_clean()),
            };
            let by_name = |script: &ScriptHandle| {
                let options = options().build().unwrap();
                let opened = manager.open_redis_client_with(script, kind, named("main"), options);
                opened.err()
            };
            expect_end_while_reading(&manager, by_name, end);
            let manager = RedisManager::new().unwrap();
            let end = |script: &ScriptHandle| match shuts_down {
                true => drop(manager.shutdown().unwrap()),
                false => assert!(manager.unload_script(script).is_clean()),
            };
            let with_tls = |script: &ScriptHandle| {
                let options = options().tls(trusting(&pipe)).build().unwrap();
                let opened = manager.open_redis_client_with(script, kind, &*url, options);
                opened.err()
            };
            expect_end_while_reading(&manager, with_tls, end);
        }
    }
}

#[test]
fn a_connection_that_is_made_again_says_which_file_it_waits_for() {
    let Some(secure) = Secure::start() else {
        return;
    };
    let (host, pipe) = (Host::new(), Pipe::new());
    let options = secure.options().connect_timeout(Duration::from_secs(1));
    let client: RedisCommandClient = open(&host, secure.url(), options.clone());
    let (place, before) = (
        secure.certificates.path("ca.pem"),
        secure.certificates.read("ca.pem"),
    );
    fs::remove_file(&place).unwrap();
    std::os::unix::fs::symlink(pipe.path(), &place).unwrap();
    kill_connections(&secure.server);
    let said = format!("`tls.ca` ({}) has not been read", place.display());
    eventually("the state says it", || match client.state() {
        ClientState::Disconnected { cause } => cause.message().contains(&said),
        _ => false,
    });
    // Whoever waits for its turn as well.
    let options = options.build().unwrap();
    let opened = host
        .manager
        .open_with::<RedisCommandClient>(&host.script, secure.url(), options);
    let error = opened.unwrap_err();
    assert!(error.message().contains(&said), "{error}");
    fs::remove_file(&place).unwrap();
    secure.certificates.write("ca.pem", &before);
    pipe.answer();
    eventually("it is back", || client.state() == ClientState::Connected);
}
