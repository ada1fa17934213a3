//! Targets that are refused before anything connects, by every opening function.

use redis_manager::prelude::*;
use redis_manager::redis::cmd;
use redis_manager::{OpenRedisClient, Protocol};
use redis_manager_support::TestServer;

use crate::fixture::Host;
use crate::mistakes::{PASSWORD, everything};

#[test]
fn a_server_that_is_no_cluster_is_refused_under_the_uri_of_one() {
    let server = TestServer::start();
    let host = Host::new();
    let url = format!("redis-cluster://127.0.0.1:{}", server.port());
    for kind in [ClientType::Command, ClientType::PubSub] {
        let open = host.manager.open_redis_client(&host.script, kind, &url);
        let twin = host
            .manager
            .open_redis_client_async(&host.script, kind, &url);
        for error in [open.unwrap_err(), pollster::block_on(twin).unwrap_err()] {
            assert_eq!(error.kind(), ErrorKind::Server, "{error}");
            assert!(error.message().contains("no node of a cluster"), "{error}");
        }
    }
    assert!(host.manager.redis_clients(&host.script).is_empty());
}

#[test]
fn a_bad_uri_is_refused_by_every_opening_function_and_disturbs_nothing() {
    fn typed<C: OpenRedisClient + Into<AnyClient>>(host: &Host, bad: &str) -> [Error; 4] {
        let (manager, script) = (&host.manager, &host.script);
        let options = ClientOptions::default;
        [
            manager.open::<C>(script, bad).unwrap_err(),
            manager.open_with::<C>(script, bad, options()).unwrap_err(),
            pollster::block_on(manager.open_async::<C>(script, bad)).unwrap_err(),
            pollster::block_on(manager.open_with_async::<C>(script, bad, options())).unwrap_err(),
        ]
    }
    fn dynamic(host: &Host, kind: ClientType, bad: &str) -> [Error; 4] {
        let (manager, script) = (&host.manager, &host.script);
        let options = ClientOptions::default;
        [
            manager.open_redis_client(script, kind, bad).unwrap_err(),
            manager
                .open_redis_client_with(script, kind, bad, options())
                .unwrap_err(),
            pollster::block_on(manager.open_redis_client_async(script, kind, bad)).unwrap_err(),
            pollster::block_on(manager.open_redis_client_with_async(script, kind, bad, options()))
                .unwrap_err(),
        ]
    }
    let host = Host::new();
    let open: RedisCommandClient = host.open(Protocol::Resp3);
    for (bad, what) in [
        (format!("redis://:{PASSWORD}@localhost:99999"), "the port"),
        (format!("redis://:{PASSWORD}@localhost/x"), "the database"),
        (format!("http://:{PASSWORD}@localhost"), "http"),
        (format!("redis://:{PASSWORD}@localhost?nosuch=1"), "nosuch"),
        (String::new(), ""),
    ] {
        let errors = [
            typed::<RedisBasicClient>(&host, &bad),
            typed::<RedisCommandClient>(&host, &bad),
            typed::<RedisPubSubClient>(&host, &bad),
            dynamic(&host, ClientType::Basic, &bad),
            dynamic(&host, ClientType::Command, &bad),
            dynamic(&host, ClientType::PubSub, &bad),
        ];
        for error in errors.into_iter().flatten() {
            assert_eq!(error.kind(), ErrorKind::InvalidUri, "{bad}: {error}");
            assert!(error.message().contains(what), "{bad}: {error}");
            assert!(!everything(&error).contains(PASSWORD), "{error:?}");
        }
    }
    assert_eq!(host.manager.redis_clients(&host.script).len(), 1);
    open.connection().request(&cmd("PING")).unwrap();
}
