//! Loading, opening, reloading and unloading, without a client that connects.

use super::*;

#[derive(Clone, Debug, PartialEq)]
struct Client(&'static str, ClientState);

impl Owned for Client {
    fn state(&self) -> ClientState {
        self.1.clone()
    }
}

fn client() -> Client {
    Client("open", ClientState::Connected)
}

#[test]
fn a_name_is_loaded_once() {
    let mut registry = Registry::<Client>::new();
    let first = registry.load("economy", ScriptOptions::default()).unwrap();
    let error = registry
        .load("economy", ScriptOptions::default())
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ScriptConflict);
    assert_eq!(
        registry
            .load("", ScriptOptions::default())
            .unwrap_err()
            .kind(),
        ErrorKind::InvalidArgument
    );
    registry.unload(&first);
    let second = registry.load("economy", ScriptOptions::default()).unwrap();
    assert_ne!(first, second);
    assert_eq!(registry.script("economy"), Some(second));
}

#[test]
fn during_a_reload_each_generation_is_seen_with_its_own_clients() {
    let mut registry = Registry::new();
    let old = registry.load("economy", ScriptOptions::default()).unwrap();
    registry.add(&old, client()).unwrap();
    let new = registry.load_successor("economy", None).unwrap();
    let seen = |registry: &Registry<Client>| {
        let seen = registry.seen().into_iter();
        seen.map(|seen| (seen.script.generation(), seen.standing, seen.clients.len()))
            .collect::<Vec<_>>()
    };
    let (first, second) = (old.generation(), new.generation());
    let before = [
        (first, ScriptStanding::Loaded, 1),
        (second, ScriptStanding::Arriving, 0),
    ];
    assert_eq!(seen(&registry), before);
    registry.succeed(&new).unwrap();
    let after = [
        (first, ScriptStanding::Leaving, 1),
        (second, ScriptStanding::Loaded, 0),
    ];
    assert_eq!(seen(&registry), after);
    registry.unload(&old);
    assert_eq!(seen(&registry), after[1..]);
}

#[test]
fn closing_an_old_generation_never_touches_the_new() {
    let mut registry = Registry::new();
    let old = registry.load("economy", ScriptOptions::default()).unwrap();
    assert_eq!(registry.unload(&old), Some(vec![]));
    let new = registry.load("economy", ScriptOptions::default()).unwrap();
    registry.add(&new, client()).unwrap();
    assert_eq!(registry.unload(&old), None);
    assert!(new.is_loaded() && !old.is_loaded());
    assert_eq!(registry.clients(&new).len(), 1);
    assert_eq!(registry.script("economy"), Some(new));
}

#[test]
fn a_successor_has_the_name_once_it_succeeds() {
    let mut registry = Registry::<Client>::new();
    let old = registry.load("economy", ScriptOptions::default()).unwrap();
    let new = registry.load_successor("economy", None).unwrap();
    assert_eq!(registry.script("economy"), Some(old.clone()));
    let error = registry.load_successor("economy", None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ScriptConflict);
    assert_eq!(registry.succeed(&new).unwrap(), Some(old.clone()));
    assert_eq!(registry.script("economy"), Some(new.clone()));
    assert!(old.is_loaded() && new.is_loaded());
    registry.unload(&old);
    assert_eq!(registry.script("economy"), Some(new));
}

#[test]
fn a_successor_that_is_given_up_leaves_everything_as_it_was() {
    let mut registry = Registry::<Client>::new();
    let old = registry.load("economy", ScriptOptions::default()).unwrap();
    let new = registry.load_successor("economy", None).unwrap();
    registry.unload(&new);
    assert_eq!(registry.script("economy"), Some(old.clone()));
    let error = registry.succeed(&new).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ScriptUnloaded);
    registry.unload(&old);
    let alone = registry.load_successor("economy", None).unwrap();
    assert!(registry.load("economy", ScriptOptions::default()).is_err());
    assert_eq!(registry.succeed(&alone).unwrap(), None);
}

#[test]
fn a_client_that_comes_too_late_is_refused() {
    let mut registry = Registry::new();
    let script = registry.load("economy", ScriptOptions::default()).unwrap();
    registry.unload(&script);
    let error = registry.add(&script, client()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ScriptUnloaded);
}

#[test]
fn a_script_of_somebody_else_is_refused() {
    let mut registry = Registry::new();
    let error = registry
        .add(&ScriptHandle::new("economy"), client())
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ScriptConflict);
}

#[test]
fn closed_clients_are_not_listed_and_not_kept() {
    let mut registry = Registry::new();
    let script = registry.load("economy", ScriptOptions::default()).unwrap();
    let closed = Client("closed", ClientState::Closed);
    registry.add(&script, closed.clone()).unwrap();
    registry.add(&script, client()).unwrap();
    registry.add(&script, closed).unwrap();
    assert_eq!(registry.clients(&script), [client()]);
    assert_eq!(registry.unload(&script), Some(vec![client()]));
}

#[test]
fn of_many_closed_clients_few_are_kept_until_the_end() {
    let mut registry = Registry::new();
    let script = registry.load("economy", ScriptOptions::default()).unwrap();
    registry.add(&script, client()).unwrap();
    for _ in 0..1_000 {
        let closed = Client("closed", ClientState::Closed);
        registry.add(&script, closed).unwrap();
        let kept = registry.scripts[&script.generation()].clients.len();
        assert!(kept <= 8, "{kept}");
    }
    assert_eq!(registry.unload(&script), Some(vec![client()]));
}

#[test]
fn a_client_that_is_closing_is_not_listed_and_waited_for() {
    let mut registry = Registry::new();
    let script = registry.load("economy", ScriptOptions::default()).unwrap();
    let closing = Client("closing", ClientState::Closing);
    registry.add(&script, closing.clone()).unwrap();
    registry.add(&script, client()).unwrap();
    assert_eq!(registry.clients(&script), [client()]);
    let both = vec![closing, client()];
    assert_eq!(registry.remaining(&script), both);
    assert_eq!(registry.unload(&script), Some(both));
}

#[test]
fn after_the_shutdown_nothing_loads() {
    let mut registry = Registry::new();
    let script = registry.load("economy", ScriptOptions::default()).unwrap();
    registry.add(&script, client()).unwrap();
    let unloaded = registry.shut_down();
    assert_eq!(unloaded.len(), 1);
    assert_eq!(unloaded[0].1.len(), 1);
    assert!(!script.is_loaded());
    assert_eq!(
        registry
            .load("chat", ScriptOptions::default())
            .unwrap_err()
            .kind(),
        ErrorKind::Closed
    );
}

#[test]
fn no_key_prefix_begins_that_of_another_script() {
    let with = |prefix: &str| ScriptOptions::default().with_key_prefix(prefix.parse().unwrap());
    let mut registry = Registry::<Client>::new();
    registry.load("economy", with("economy:")).unwrap();
    for nested in ["eco", "economy:2:"] {
        let error = registry.load("other", with(nested)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ScriptConflict);
    }
    registry.load("its twin", with("economy:")).unwrap();
    registry.load("other", with("eco2:")).unwrap();
    let reloaded = registry.load_successor("other", Some(with("eco2:new:")));
    assert!(reloaded.is_ok(), "its own earlier prefix is no conflict");
}
