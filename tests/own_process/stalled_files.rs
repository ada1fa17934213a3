//! A file that does not answer keeps one thread, and nothing waits for that.

use std::time::Instant;

use redis_manager::prelude::*;
use redis_manager::{ManagerConfig, Pem, TlsOptions};
use redis_manager_support::TestServer;

use super::pipe::Pipe;
use super::{PATIENCE, alone, eventually, threads};

/// How many a manager has.
const IO_THREADS: usize = 2;

const TRIES: usize = 30;

fn io_threads() -> usize {
    let names = threads().into_iter();
    names.filter(|name| name == "redis-io").count()
}

#[test]
fn one_thread_waits_for_it_however_often_it_is_tried_and_the_manager_for_none() {
    let _alone = alone();
    eventually("those of other tests are gone", || threads().is_empty());
    let (certificate, password) = (Pipe::new(), Pipe::new());
    let config: ManagerConfig = toml::from_str(&format!(
        "[servers.main]\nuri = '{}'\npassword_file = '{}'",
        TestServer::shared().url(),
        password.path().display()
    ))
    .unwrap();
    let manager = RedisManager::from_config(config).unwrap();
    let script = manager.load_script("stalled").unwrap();
    eventually("they have begun", || io_threads() == IO_THREADS);
    let short = ClientOptions::builder().connect_timeout(Duration::from_millis(20));
    let trusting = TlsOptions::default().with_ca(Pem::file(certificate.path()));
    for kind in [ClientType::Basic, ClientType::Command, ClientType::PubSub] {
        for _ in 0..TRIES {
            let (with_tls, plain) = (short.clone().tls(trusting.clone()), short.clone());
            let (with_tls, plain) = (with_tls.build().unwrap(), plain.build().unwrap());
            let opened = [
                manager.open_redis_client_with(&script, kind, "rediss://127.0.0.1:1", with_tls),
                manager.open_redis_client_with(&script, kind, named("main"), plain),
            ];
            for opened in opened {
                assert_eq!(opened.unwrap_err().kind(), ErrorKind::Timeout);
            }
        }
    }
    assert_eq!(io_threads(), IO_THREADS + 2);
    let began = Instant::now();
    drop(manager);
    assert!(began.elapsed() < PATIENCE / 4, "{:?}", began.elapsed());
    eventually("only those that wait are left", || {
        threads() == ["redis-io", "redis-io"]
    });
    drop((certificate, password));
    eventually("no thread is left", || threads().is_empty());
}
