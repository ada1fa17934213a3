//! Which script owns which clients. Pure state; the manager keeps it behind one lock.

#[cfg(test)]
mod tests;

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
