//! Which script owns which client: generations, and the closing of some and not of others.

use redis_manager::prelude::*;
use redis_manager::{ClientResources, CloseOutcome};

use crate::fixture::{Host, PROTOCOLS, unique};
use crate::listening::subscribers;

fn ids<'a>(clients: impl IntoIterator<Item = &'a AnyClient>) -> Vec<redis_manager::ClientId> {
    clients
        .into_iter()
        .map(|client| client.client_id())
        .collect()
}

#[test]
fn a_loaded_script_cannot_be_loaded_again() {
    let manager = RedisManager::new().unwrap();
    let script = manager.load_script("economy").unwrap();
    let error = manager.load_script("economy").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ScriptConflict);
    assert!(error.message().contains("economy"), "{error}");
    assert_eq!(manager.script("economy"), Some(script.clone()));
    assert_eq!(manager.scripts(), std::slice::from_ref(&script));
    // Another manager has scripts of its own.
    let other = RedisManager::new().unwrap();
    assert_ne!(other.load_script("economy").unwrap(), script);
    assert!(manager.unload_script(&script).was_loaded());
    assert_eq!(
        (manager.script("economy"), manager.scripts()),
        (None, vec![])
    );
    assert_ne!(manager.load_script("economy").unwrap(), script);
}

#[test]
fn reloading_in_each_way_gives_a_new_generation_that_the_old_one_cannot_touch() {
    for protocol in PROTOCOLS {
        let host = Host::new();
        let old_clients = host.open_three(protocol);
        let mut generations = vec![host.script.clone()];
        for round in 0..2 {
            let old = generations.last().unwrap().clone();
            let (new, report) = match round {
                0 => host
                    .manager
                    .reload_script(&host.name)
                    .unwrap()
                    .finish()
                    .unwrap(),
                _ => pollster::block_on(
                    host.manager
                        .reload_script(&host.name)
                        .unwrap()
                        .finish_async(),
                )
                .unwrap(),
            };
            let report = report.unwrap();
            assert_eq!(report.script(), &old);
            assert_eq!(report.clients().len(), if round == 0 { 3 } else { 1 });
            assert!(report.is_clean(), "{report}");
            assert!(new.generation() > old.generation());
            assert_eq!((new.name(), new.is_loaded()), (old.name(), true));
            assert!(!old.is_loaded());
            assert_eq!(host.manager.script(&host.name), Some(new.clone()));

            let client: RedisCommandClient = host.manager.open(&new, host.url()).unwrap();
            for old in &generations {
                let report = host.manager.unload_script(old);
                assert!(!report.was_loaded() && report.clients().is_empty());
                assert_eq!(host.manager.close_redis_clients(old).unwrap().len(), 0);
                assert!(host.manager.redis_clients(old).is_empty());
                let error = host.manager.open::<RedisCommandClient>(old, host.url());
                assert_eq!(error.unwrap_err().kind(), ErrorKind::ScriptUnloaded);
            }
            client
                .commands()
                .set::<_, _, ()>(unique("alive"), 1)
                .unwrap();
            assert_eq!(ids(&host.manager.redis_clients(&new)), [client.client_id()]);
            generations.push(new);
        }
        for client in old_clients {
            assert_eq!(client.state(), ClientState::Closed);
        }
        host.expect_connections(1);
    }
    // A script that is not loaded is loaded.
    let (script, report) = RedisManager::new()
        .unwrap()
        .reload_script("new")
        .unwrap()
        .finish()
        .unwrap();
    assert!(report.is_none() && script.name() == "new");
}

#[test]
fn only_a_loaded_script_of_the_manager_opens_clients() {
    let host = Host::new();
    let stranger = ScriptHandle::new(&host.name);
    let other = RedisManager::new().unwrap();
    let foreign = other.load_script(&host.name).unwrap();
    let unloaded = host.manager.load_script(unique("unloaded")).unwrap();
    assert!(host.manager.unload_script(&unloaded).was_loaded());
    for (script, kind) in [
        (&stranger, ErrorKind::ScriptConflict),
        (&foreign, ErrorKind::ScriptConflict),
        (&unloaded, ErrorKind::ScriptUnloaded),
    ] {
        for client_type in [ClientType::Basic, ClientType::Command, ClientType::PubSub] {
            let error = host
                .manager
                .open_redis_client(script, client_type, host.url())
                .unwrap_err();
            assert_eq!(error.kind(), kind, "{error}");
            assert!(error.message().contains(script.name()), "{error}");
        }
        assert!(host.manager.redis_clients(script).is_empty());
        let report = host.manager.unload_script(script);
        assert!(!report.was_loaded());
        assert_eq!(
            report.to_string(),
            format!("{:?} was not loaded", script.name())
        );
    }
    assert!(foreign.is_loaded(), "it is not ours to unload");
    host.expect_connections(0);
}

#[test]
fn unloading_closes_all_of_a_script_and_nothing_of_another() {
    for protocol in PROTOCOLS {
        let host = Host::new();
        let neighbour = host.manager.load_script(unique("neighbour")).unwrap();
        let channel = unique("kept");
        let options = ClientOptions::builder().protocol(protocol).build().unwrap();
        let kept: RedisPubSubClient = host
            .manager
            .open_with(&neighbour, host.url(), options)
            .unwrap();
        let (function, heard) = crate::listening::hearing();
        kept.register_listener(&channel, function).unwrap();
        let kept_connections = host.connections().len();
        let clients = host.open_three(protocol);
        let listening = clients[2].as_pub_sub().unwrap();
        let own = listening
            .register_listener(&channel, |_: &Message| Ok(()))
            .unwrap();
        assert_eq!(subscribers(&channel), 2);

        let report = host.manager.unload_script(&host.script);
        assert!(report.was_loaded() && report.is_clean(), "{report}");
        let closed: Vec<_> = report.clients().iter().map(|c| c.client_id()).collect();
        assert_eq!(closed, ids(&clients), "in the order of opening");
        assert_eq!(report.drained().count(), 3);
        assert_eq!((report.cut_off().count(), report.failed().count()), (0, 0));
        assert!(
            report
                .to_string()
                .contains("3 drained, 0 cut off, 0 failed")
        );
        for client in &clients {
            assert_eq!(client.state(), ClientState::Closed);
        }
        assert!(!own.is_registered());
        host.expect_connections(kept_connections);

        assert_eq!(subscribers(&channel), 1);
        assert_eq!(kept.publish(&channel, "still here").unwrap(), 1);
        assert_eq!(crate::listening::next_text(&heard), "still here");
        assert!(neighbour.is_loaded());
        assert_eq!(host.manager.redis_clients(&neighbour).len(), 1);

        let again = host.manager.unload_script(&host.script);
        assert!(!again.was_loaded() && again.clients().is_empty() && again.is_clean());
        let again = pollster::block_on(host.manager.unload_script_async(&host.script));
        assert!(!again.was_loaded());
    }
}

#[test]
fn closing_one_client_or_all_of_a_script_takes_them_off_its_list_and_keeps_it_loaded() {
    for protocol in PROTOCOLS {
        let host = Host::new();
        let (manager, script) = (&host.manager, &host.script);
        for is_async in [false, true] {
            let clients = [host.open_three(protocol), host.open_three(protocol)].concat();
            assert_eq!(ids(&manager.redis_clients(script)), ids(&clients));
            let of_type = manager.redis_clients_of_type(script, ClientType::Command);
            assert_eq!(ids(&of_type), ids([&clients[1], &clients[4]]));

            for client in &clients[..3] {
                let report = match is_async {
                    false => manager.close_redis_client(client),
                    true => pollster::block_on(manager.close_redis_client_async(client)),
                };
                assert!(
                    matches!(report.outcome(), CloseOutcome::Drained),
                    "{report}"
                );
                assert_eq!(report.client_id(), client.client_id());
                let again = manager.close_redis_client(client);
                assert!(matches!(again.outcome(), CloseOutcome::AlreadyClosed));
            }
            // A client that was closed through its own handle is off the list as well.
            clients[5].close();
            assert_eq!(ids(&manager.redis_clients(script)), ids(&clients[3..5]));
            let of_type = manager.redis_clients_of_type(script, ClientType::Command);
            assert_eq!(ids(&of_type), ids([&clients[4]]));
            let of_type = manager.redis_clients_of_type(script, ClientType::PubSub);
            assert!(of_type.is_empty());

            let reports = match is_async {
                false => manager.close_redis_clients(script).unwrap(),
                true => pollster::block_on(manager.close_redis_clients_async(script)),
            };
            let closed: Vec<_> = reports.iter().map(|report| report.client_id()).collect();
            assert_eq!(closed, ids(&clients[3..5]));
            assert!(manager.redis_clients(script).is_empty());
            assert!(
                clients
                    .iter()
                    .all(|client| client.state() == ClientState::Closed)
            );
            assert!(script.is_loaded());
            host.expect_connections(0);
        }
        assert!(manager.unload_script(script).clients().is_empty());
    }
}

#[test]
fn shutting_down_in_each_way_unloads_every_script_and_loads_none_any_more() {
    for protocol in PROTOCOLS {
        for is_async in [false, true] {
            let host = Host::new();
            let other = host.manager.load_script(unique("other")).unwrap();
            let clients = host.open_three(protocol);
            let reports = match is_async {
                false => host.manager.shutdown().unwrap(),
                true => pollster::block_on(host.manager.shutdown_async()),
            };
            let unloaded: Vec<_> = reports.iter().map(|r| r.script()).collect();
            assert_eq!(unloaded, [&host.script, &other], "in the order of loading");
            assert!(reports.iter().all(|report| report.is_clean()));
            assert_eq!(reports.iter().map(|r| r.clients().len()).sum::<usize>(), 3);
            assert!(
                clients
                    .iter()
                    .all(|client| client.state() == ClientState::Closed)
            );
            host.expect_connections(0);
            for error in [
                host.manager.load_script(unique("late")).unwrap_err(),
                host.manager.reload_script(&host.name).unwrap_err(),
            ] {
                assert_eq!(error.kind(), ErrorKind::Closed);
            }
            let error = host
                .manager
                .open::<RedisCommandClient>(&host.script, host.url());
            assert_eq!(error.unwrap_err().kind(), ErrorKind::ScriptUnloaded);
            assert!(host.manager.scripts().is_empty());
            assert!(host.manager.shutdown().unwrap().is_empty());
            assert!(!host.manager.unload_script(&host.script).was_loaded());
        }
    }
}

#[test]
fn shared_resources_survive_the_shutdown_of_one_manager() {
    for protocol in PROTOCOLS {
        let resources = ClientResources::new().unwrap();
        let [one, other] = [(); 2].map(|()| RedisManager::with_resources(resources.clone()));
        let (first, second) = (
            one.load_script("s").unwrap(),
            other.load_script("s").unwrap(),
        );
        let options = ClientOptions::builder().protocol(protocol).build().unwrap();
        let url = redis_manager_support::TestServer::shared().url();
        let closed: RedisCommandClient = one.open_with(&first, &url, options.clone()).unwrap();
        let kept: RedisPubSubClient = other.open_with(&second, &url, options).unwrap();
        let (function, heard) = crate::listening::hearing();
        let channel = unique("survives");
        kept.register_listener(&channel, function).unwrap();

        one.shutdown().unwrap();
        assert_eq!(closed.state(), ClientState::Closed);
        assert_eq!(kept.publish(&channel, "still here").unwrap(), 1);
        assert_eq!(crate::listening::next_text(&heard), "still here");
        let opened: RedisCommandClient = other.open(&second, &url).unwrap();
        opened
            .commands()
            .set::<_, _, ()>(unique("alive"), 1)
            .unwrap();
        other.shutdown().unwrap();
    }
}
