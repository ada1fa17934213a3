//! Which script owns which clients. Pure state; the manager keeps it behind one lock.

use std::collections::{BTreeMap, HashMap};

use redis_manager_core::{
    ClientState, Error, ErrorKind, Result, ScriptHandle, ScriptOptions, ScriptRedisClient,
};

use crate::{AnyClient, ScriptStanding};

/// What the registry must know of a client.
pub(crate) trait Owned: Clone {
    fn state(&self) -> ClientState;

    /// Whether nothing is left of it. Until then its script has it: whoever unloads the script while
    /// somebody else closes the client waits for that.
    fn is_gone(&self) -> bool {
        self.state() == ClientState::Closed
    }
}

impl Owned for AnyClient {
    fn state(&self) -> ClientState {
        ScriptRedisClient::state(self)
    }
}

pub(crate) struct Registry<C> {
    /// Every loaded generation, in the order of loading.
    scripts: BTreeMap<u64, Entry<C>>,
    by_name: HashMap<String, u64>,
    /// The generations that are about to take the place of the one that has their name, if one has.
    successors: HashMap<String, u64>,
    shut_down: bool,
}

/// A loaded generation, as it is at one moment.
pub(crate) struct Seen<C> {
    pub(crate) script: ScriptHandle,
    pub(crate) standing: ScriptStanding,
    /// All that were opened and are not known to be gone.
    pub(crate) clients: Vec<C>,
}

struct Entry<C> {
    script: ScriptHandle,
    clients: Vec<C>,
}

impl<C: Owned> Registry<C> {
    pub(crate) fn new() -> Self {
        Self {
            scripts: BTreeMap::new(),
            by_name: HashMap::new(),
            successors: HashMap::new(),
            shut_down: false,
        }
    }

    /// Loads the script `name`.
    pub(crate) fn load(&mut self, name: &str, options: ScriptOptions) -> Result<ScriptHandle> {
        self.check_name(name)?;
        if self.by_name.contains_key(name) {
            return Err(Error::new(
                ErrorKind::ScriptConflict,
                format!(
                    "the script {name:?} is loaded already; unload it first, or use reload_script"
                ),
            ));
        }
        self.check_prefix(name, &options)?;
        let script = self.add_script(name, options);
        self.by_name.insert(name.to_owned(), script.generation());
        Ok(script)
    }

    /// Loads a new generation of the script `name`, beside the one that is loaded, if one is; with the options of that,
    /// if there are no `options`.
    pub(crate) fn load_successor(
        &mut self,
        name: &str,
        options: Option<ScriptOptions>,
    ) -> Result<ScriptHandle> {
        self.check_name(name)?;
        let inherited = || Some(self.script(name)?.options().clone());
        let options = options.or_else(inherited).unwrap_or_default();
        self.check_prefix(name, &options)?;
        let script = self.add_script(name, options);
        self.successors.insert(name.to_owned(), script.generation());
        Ok(script)
    }

    /// Gives its name to a successor, and returns who had it until now and is still loaded.
    pub(crate) fn succeed(&mut self, successor: &ScriptHandle) -> Result<Option<ScriptHandle>> {
        self.check(successor)?;
        let name = successor.name();
        self.successors.remove(name);
        let earlier = self.by_name.insert(name.to_owned(), successor.generation());
        let earlier = earlier.and_then(|generation| self.scripts.get(&generation));
        Ok(earlier.map(|entry| entry.script.clone()))
    }

    fn check_name(&self, name: &str) -> Result<()> {
        if self.shut_down {
            return Err(Error::new(ErrorKind::Closed, "the manager is shut down"));
        }
        if name.is_empty() {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                "a script needs a name",
            ));
        }
        if self.successors.contains_key(name) {
            return Err(Error::new(
                ErrorKind::ScriptConflict,
                format!("the script {name:?} is being reloaded"),
            ));
        }
        Ok(())
    }

    /// Whoever has a prefix that begins another's reaches that one's keys. To have the same is a host's decision.
    fn check_prefix(&self, name: &str, options: &ScriptOptions) -> Result<()> {
        let Some(prefix) = options.key_prefix() else {
            return Ok(());
        };
        let others = self.scripts.values().map(|entry| &entry.script);
        for other in others.filter(|other| other.name() != name) {
            let its = other.options().key_prefix();
            if let Some(its) = its.filter(|its| *its != prefix && !its.is_apart_from(prefix)) {
                let other = other.name();
                return Err(Error::new(
                    ErrorKind::ScriptConflict,
                    format!(
                        "of the key prefixes {:?} of {name:?} and {:?} of {other:?} one begins the other, \
                         so one script would reach the other's keys; end them with a character such as ':'",
                        prefix.as_str(),
                        its.as_str()
                    ),
                ));
            }
        }
        Ok(())
    }

    fn add_script(&mut self, name: &str, options: ScriptOptions) -> ScriptHandle {
        let script = ScriptHandle::with_options(name, options);
        let entry = Entry {
            script: script.clone(),
            clients: Vec::new(),
        };
        self.scripts.insert(script.generation(), entry);
        script
    }

    /// Says whether `script` may open a client here.
    pub(crate) fn check(&self, script: &ScriptHandle) -> Result<()> {
        if self.scripts.contains_key(&script.generation()) {
            Ok(())
        } else if script.is_loaded() {
            Err(Error::new(
                ErrorKind::ScriptConflict,
                format!(
                    "the script {:?} was not loaded by this manager",
                    script.name()
                ),
            ))
        } else {
            Err(script.gate().refusal())
        }
    }

    /// Gives `client` to `script`, unless the script was unloaded while the client opened.
    pub(crate) fn add(&mut self, script: &ScriptHandle, client: C) -> Result<()> {
        self.check(script)?;
        if let Some(entry) = self.scripts.get_mut(&script.generation()) {
            let clients = &mut entry.clients;
            // Whoever closes a client through its own handle does not tell us. Looked for only when the list is
            // full, with room for as many again afterwards, so that an opening does not take the longer the more
            // clients there are.
            if clients.len() == clients.capacity() {
                clients.retain(|client| !client.is_gone());
                clients.reserve(clients.len().max(1));
            }
            clients.push(client);
        }
        Ok(())
    }

    /// The open clients of `script`, in the order of opening.
    pub(crate) fn clients(&self, script: &ScriptHandle) -> Vec<C> {
        let entry = self.scripts.get(&script.generation());
        entry.map_or_else(Vec::new, |entry| {
            let open = entry.clients.iter();
            open.filter(|client| !client.state().is_closed())
                .cloned()
                .collect()
        })
    }

    /// The clients of `script` of which something is left, those that are closing included.
    pub(crate) fn remaining(&mut self, script: &ScriptHandle) -> Vec<C> {
        self.scripts
            .get_mut(&script.generation())
            .map_or_else(Vec::new, |entry| {
                entry.clients.retain(|client| !client.is_gone());
                entry.clients.clone()
            })
    }

    /// Shuts the gate of `script` and takes it away with its clients; `None` if it is not loaded here.
    ///
    /// Both under one lock: an opening either added its client before, or finds the gate shut.
    pub(crate) fn unload(&mut self, script: &ScriptHandle) -> Option<Vec<C>> {
        let mut entry = self.scripts.remove(&script.generation())?;
        entry.script.gate().shut();
        entry.clients.retain(|client| !client.is_gone());
        for names in [&mut self.by_name, &mut self.successors] {
            if names.get(script.name()) == Some(&script.generation()) {
                names.remove(script.name());
            }
        }
        Some(entry.clients)
    }

    /// Unloads every script and loads none any more.
    pub(crate) fn shut_down(&mut self) -> Vec<(ScriptHandle, Vec<C>)> {
        self.shut_down = true;
        self.scripts()
            .into_iter()
            .filter_map(|script| {
                let clients = self.unload(&script)?;
                Some((script, clients))
            })
            .collect()
    }

    /// Every loaded generation with its clients, in the order of loading.
    pub(crate) fn seen(&self) -> Vec<Seen<C>> {
        let seen = |entry: &Entry<C>| Seen {
            script: entry.script.clone(),
            standing: self.standing(&entry.script),
            clients: entry.clients.clone(),
        };
        self.scripts.values().map(seen).collect()
    }

    fn standing(&self, script: &ScriptHandle) -> ScriptStanding {
        let is_in = |names: &HashMap<String, u64>| {
            let generation = names.get(script.name());
            generation == Some(&script.generation())
        };
        if is_in(&self.by_name) {
            ScriptStanding::Loaded
        } else if is_in(&self.successors) {
            ScriptStanding::Arriving
        } else {
            ScriptStanding::Leaving
        }
    }

    /// The loaded script of this name.
    pub(crate) fn script(&self, name: &str) -> Option<ScriptHandle> {
        let entry = self.scripts.get(self.by_name.get(name)?)?;
        Some(entry.script.clone())
    }

    /// Every loaded script, in the order of loading.
    pub(crate) fn scripts(&self) -> Vec<ScriptHandle> {
        let entries = self.scripts.values();
        entries.map(|entry| entry.script.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
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
}
