//! Whatever keeps a client from its server is named everywhere, and needs no more than its cure there.

mod cured;
mod file_limit;

use std::cell::RefCell;
use std::time::Instant;

use redis_manager::prelude::*;
use redis_manager_support::{ClientInfo, TestServer};

use crate::harness::Run;
use cured::{Fault, cured, cut, options};
use file_limit::FileLimit;

const PROTOCOLS: [Protocol; 2] = [Protocol::Resp2, Protocol::Resp3];

fn password(server: &TestServer, password: &str) {
    server.run(&["CONFIG", "SET", "requirepass", password]);
}

#[test]
fn a_wrong_password_is_named_and_needs_no_more_than_the_right_one() {
    let run = Run::begin("cure_matrix");
    let server = TestServer::builder().password("s3cret").start_or_panic();
    let fault = Fault {
        name: "wrong password",
        cause: ("WRONGPASS", ErrorKind::Authentication),
    };
    let bring = || {
        password(&server, "0ther");
        cut(&server);
    };
    let cure = || password(&server, "s3cret");
    cured(&run, &fault, &server.url_with_password(), bring, cure);
}

#[test]
fn a_password_that_the_client_has_not_is_named_and_needs_no_more_than_to_be_taken_away() {
    let run = Run::begin("cure_matrix");
    let server = TestServer::start();
    let fault = Fault {
        name: "password wanted",
        cause: ("NOAUTH", ErrorKind::Authentication),
    };
    let bring = || {
        password(&server, "s3cret");
        cut(&server);
    };
    cured(&run, &fault, &server.url(), bring, || password(&server, ""));
}

#[test]
fn a_database_that_is_not_there_is_named_and_needs_no_more_than_to_be_there() {
    let run = Run::begin("cure_matrix");
    let server = TestServer::start();
    let fault = Fault {
        name: "no such database",
        cause: ("DB index is out of range", ErrorKind::Server),
    };
    let smaller = RefCell::new(None);
    let bring = || {
        server.kill().unwrap();
        let few = TestServer::builder().args(["--databases", "4"]);
        let few = few.port(server.port()).start_or_panic();
        *smaller.borrow_mut() = Some(few);
    };
    let cure = || {
        drop(smaller.take());
        server.restart().unwrap();
    };
    let url = format!("{}/12", server.url());
    cured(&run, &fault, &url, bring, cure);
}

#[test]
fn a_server_without_a_place_is_named_and_needs_no_more_than_places() {
    let run = Run::begin("cure_matrix");
    let server = TestServer::start();
    let fault = Fault {
        name: "maxclients reached",
        cause: ("max number of clients reached", ErrorKind::Server),
    };
    let places = |count| drop(server.run(&["CONFIG", "SET", "maxclients", count]));
    let bring = || {
        // The admin has it.
        places("1");
        cut(&server);
    };
    cured(&run, &fault, &server.url(), bring, || places("1000"));
}

#[test]
fn a_server_that_loads_is_named_and_needs_no_more_than_to_have_loaded() {
    let run = Run::begin("cure_matrix");
    // A second in a thousand keys, and an ear for clients in between.
    let slow = ["--key-load-delay", "1000"];
    let listens = "loading-process-events-interval-bytes";
    let usual = TestServer::start();
    if usual.run(&["CONFIG", "GET", listens]).items().is_empty() {
        usual.not_tried("looks for clients every 2 MB only while it loads");
        return;
    }
    let listens = [&format!("--{listens}"), "1024"];
    let server = TestServer::builder().args(slow).args(listens);
    let server = server.start_or_panic();
    let fill = "for key = 1, 60000 do redis.call('SET', key, key) end";
    server.run(&["EVAL", fill, "0"]);
    server.run(&["SAVE"]);
    let fault = Fault {
        name: "loading",
        cause: ("loading the dataset in memory", ErrorKind::Server),
    };
    std::thread::scope(|scope| {
        // It returns when all is loaded.
        let bring = || drop(scope.spawn(|| server.restart().unwrap()));
        let cure = || drop(server.run(&["CONFIG", "SET", "key-load-delay", "0"]));
        cured(&run, &fault, &server.url(), bring, cure);
    });
    let loaded = server.run(&["DBSIZE"]).as_int();
    assert_eq!(loaded, Some(60_001), "and that of the call that succeeded");
}

#[test]
fn a_process_without_file_descriptors_names_it_and_needs_no_more_than_some() {
    let run = Run::begin("cure_matrix");
    let server = TestServer::start();
    let fault = Fault {
        name: "no file descriptors",
        cause: ("Too many open files", ErrorKind::Connect),
    };
    // Started while there are some: a program needs them to start, and is given our limit.
    let limit = RefCell::new(FileLimit::new());
    let bring = || {
        limit.borrow_mut().lower();
        cut(&server);
    };
    cured(&run, &fault, &server.url(), bring, || {
        limit.borrow_mut().raise()
    });
}

#[test]
fn a_replica_that_is_read_only_answers_so_on_a_connection_that_stays() {
    let run = Run::begin("cure_matrix");
    let server = TestServer::start();
    let manager = RedisManager::new().unwrap();
    let script = manager.load_script("patient").unwrap();
    for protocol in PROTOCOLS {
        let options = options(&run, protocol);
        let client: RedisCommandClient = manager.open_with(&script, server.url(), options).unwrap();
        let before = server.clients().unwrap();
        let mut events = client.events();
        // Of whom nobody is there: it still serves what it has.
        server.run(&["REPLICAOF", "127.0.0.1", "1"]);
        for _ in 0..10 {
            let refused = client.commands().set::<_, _, ()>("k", 1).unwrap_err();
            let refused = Error::from(refused);
            assert_eq!(
                (refused.kind(), refused.delivery()),
                (ErrorKind::Server, Some(Delivery::Replied)),
                "{refused}"
            );
            assert!(refused.message().contains("read only replica"), "{refused}");
            let _: Option<i64> = client.commands().get("k").unwrap();
        }
        server.run(&["REPLICAOF", "NO", "ONE"]);
        let cured = Instant::now();
        let () = client.commands().set("k", 1).unwrap();
        run.report(
            &format!("read-only replica: cure to success ({protocol:?})"),
            format!("{:.1?}", cured.elapsed()),
        );
        if let Some(event) = events.try_recv() {
            panic!("{event:?}");
        }
        let after = server.clients().unwrap();
        let ids = |clients: &[ClientInfo]| -> Vec<u64> {
            clients.iter().map(|client| client.id).collect()
        };
        assert_eq!(ids(&after), ids(&before));
    }
    manager.shutdown().unwrap();
}
