//! What environment variables change of a configuration. Pure.
//!
//! The entries that there are say where a name ends: crates that read such variables split at a fixed separator, and
//! `COMMAND_TIMEOUT` has one in it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::password::Password;
use super::problem::{Problem, at};
use super::variable_name::{in_variable, rest};
use super::{ManagerConfig, tree};

const PASSWORD: &str = "password";
const SENTINEL: &str = "sentinel";
/// The entries that say where a password is read.
const SOURCES: [&str; 2] = ["password_env", "password_file"];
/// How the variable of a password itself ends, and where that is below a server.
const PASSWORDS: [(&str, &[&str]); 2] = [
    ("_PASSWORD", &[PASSWORD]),
    ("_SENTINEL_PASSWORD", &[SENTINEL, PASSWORD]),
];
const NEW_SERVER: (&str, &str) = ("SERVERS_", "_URI");

/// `config` with what `variables` say.
pub(super) fn apply<N: AsRef<str>, V: AsRef<str>>(
    config: ManagerConfig,
    prefix: &str,
    variables: impl IntoIterator<Item = (N, V)>,
) -> Result<ManagerConfig, Problem> {
    // In an order that is the same each time.
    let mut ours = BTreeMap::new();
    for (name, value) in variables {
        let (name, value) = (name.as_ref(), value.as_ref());
        if let Some(rest) = rest(name, prefix) {
            if value.is_empty() {
                return Err(Problem::new("", "it is empty").of_variable(name));
            }
            ours.insert(rest, (name.to_owned(), value.to_owned()));
        }
    }
    let mut overrides = Overrides::of(config)?;
    overrides.add_servers(&mut ours)?;
    let mut ours: Vec<_> = ours.into_iter().collect();
    // A password itself goes before where one could be read.
    ours.sort_by_key(|(rest, _)| rest.ends_with("_PASSWORD"));
    let mut refused = Vec::new();
    for (rest, (name, value)) in ours {
        let path = overrides.path(&rest);
        let path = path.map_err(|problem| problem.of_variable(&name))?;
        if let Err(problem) = overrides.set(&path, &value) {
            let problem = problem.of_variable(&name);
            refused.push(Refused {
                path,
                value,
                problem,
            });
        }
    }
    overrides.set_together(refused)?;
    Ok(overrides.config)
}

/// What cannot be set by itself, and why. It may need another that cannot either, as a certificate needs its key.
struct Refused {
    path: Vec<String>,
    value: String,
    problem: Problem,
}

struct Overrides {
    config: ManagerConfig,
    /// The same, to be changed.
    tree: Value,
}

impl Overrides {
    fn of(config: ManagerConfig) -> Result<Self, Problem> {
        let tree = tree::write(&config)?;
        Ok(Self { config, tree })
    }

    /// Makes the servers of which there is nothing but a URI; they are not among `variables` then.
    fn add_servers(
        &mut self,
        variables: &mut BTreeMap<String, (String, String)>,
    ) -> Result<(), Problem> {
        let (begin, end) = NEW_SERVER;
        let mut new = Vec::new();
        for rest in variables.keys() {
            let name = rest
                .strip_prefix(begin)
                .and_then(|rest| rest.strip_suffix(end));
            if let Some(name) = name.filter(|name| !name.is_empty() && self.find(rest).is_empty()) {
                new.push((rest.clone(), name.to_ascii_lowercase()));
            }
        }
        for (rest, server) in new {
            if let Some((name, uri)) = variables.remove(&rest) {
                self.tree["servers"][server] = serde_json::json!({ "uri": uri });
                let read = self.read();
                self.config = read.map_err(|problem| problem.of_variable(&name))?;
                self.tree = tree::write(&self.config)?;
            }
        }
        Ok(())
    }

    /// The one entry that a variable means.
    fn path(&self, rest: &str) -> Result<Vec<String>, Problem> {
        let mut found = self.find(rest);
        match (found.pop(), found.pop()) {
            (Some(path), None) => Ok(path),
            _ => Err(self.misfit(rest)),
        }
    }

    fn set(&mut self, path: &[String], value: &str) -> Result<(), Problem> {
        let names: Vec<&str> = path.iter().map(String::as_str).collect();
        if let [below @ .., last] = names.as_slice() {
            if *last == PASSWORD {
                self.set_password(below, Some(Password::new(value)));
                return Ok(());
            }
            if SOURCES.contains(last) {
                self.forget_password(below, last);
            }
        }
        let before = self.leaf(&names).take();
        let mut first = None;
        for candidate in candidates(&before, value) {
            *self.leaf(&names) = candidate;
            match self.read() {
                Ok(config) => {
                    self.config = config;
                    return Ok(());
                }
                // A text that is a number is first of all a number: what is wrong with that is of interest.
                Err(problem) if first.is_none() => first = Some(problem),
                Err(_) => {}
            }
        }
        *self.leaf(&names) = before;
        Err(first.unwrap_or_else(|| Problem::new(at(names), "it cannot be set")))
    }

    /// Sets those that could not be set one by one.
    fn set_together(&mut self, refused: Vec<Refused>) -> Result<(), Problem> {
        for Refused { path, value, .. } in &refused {
            let names: Vec<&str> = path.iter().map(String::as_str).collect();
            let leaf = self.leaf(&names);
            if let Some(candidate) = candidates(leaf, value).into_iter().next() {
                *leaf = candidate;
            }
        }
        let Some(first) = refused.into_iter().next() else {
            return Ok(());
        };
        self.config = self.read().map_err(|_| first.problem)?;
        Ok(())
    }

    /// Another `source` is to be that of the password there.
    fn forget_password(&mut self, login: &[&str], source: &str) {
        let entries = self.leaf(login);
        for other in SOURCES.into_iter().filter(|other| *other != source) {
            entries[other] = Value::Null;
        }
        self.set_password(login, None);
    }

    /// Sets the password itself, which is not in the tree.
    fn set_password(&mut self, login: &[&str], password: Option<Password>) {
        if let ["servers", server, below @ ..] = login
            && let Some(server) = self.config.servers.get_mut(*server)
        {
            let login = match below {
                [] => server.login_mut(),
                _ => server.sentinel_mut().login_mut(),
            };
            login.password = password;
        }
    }

    fn leaf(&mut self, path: &[&str]) -> &mut Value {
        path.iter()
            .fold(&mut self.tree, |tree, name| &mut tree[*name])
    }

    /// Reads the tree, which has no passwords but those in URIs.
    fn read(&self) -> Result<ManagerConfig, Problem> {
        let mut config = tree::read(self.tree.clone())?;
        for (name, server) in &mut config.servers {
            let before = self.config.servers.get(name);
            let given = before.and_then(|before| before.login().password.clone());
            server.login_mut().password = given;
            let given = before.and_then(|before| before.sentinel().login().password.clone());
            server.sentinel_mut().login_mut().password = given;
        }
        Ok(config)
    }

    /// The entries that a variable may mean.
    fn find(&self, rest: &str) -> Vec<Vec<String>> {
        let mut found = Vec::new();
        find(&self.tree, rest, &mut Vec::new(), &mut found);
        if let Some(of_server) = rest.strip_prefix("SERVERS_") {
            for (suffix, below) in PASSWORDS {
                let server = of_server.strip_suffix(suffix);
                let servers = self.config.servers.keys();
                let named = servers.filter(|name| Some(in_variable(name).as_str()) == server);
                found.extend(named.map(|name| {
                    let path = ["servers", name].into_iter().chain(below.iter().copied());
                    path.map(str::to_owned).collect()
                }));
            }
        }
        found
    }

    fn misfit(&self, rest: &str) -> Problem {
        let found = self.find(rest);
        if !found.is_empty() {
            let paths: Vec<String> = found.iter().map(|path| path.join(".")).collect();
            return Problem::new(
                "",
                format!("it means several entries: {}", paths.join(", ")),
            );
        }
        let servers: Vec<&str> = self.config.server_names().collect();
        let known = match servers.is_empty() {
            true => "there is no server yet, and one is made by `…_SERVERS_<name>_URI`".to_owned(),
            false => format!("the servers are {}", servers.join(", ")),
        };
        let what = format!(
            "it fits no entry; {known}, and entries begin with servers, scripts, default_script and resources"
        );
        Problem::new("", what)
    }
}

/// Adds the paths of the entries below `tree` that are called `rest`.
fn find(tree: &Value, rest: &str, path: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    let Some(entries) = tree.as_object() else {
        return;
    };
    for (name, below) in entries {
        let Some(rest) = rest.strip_prefix(&in_variable(name)) else {
            continue;
        };
        path.push(name.clone());
        match rest.strip_prefix('_') {
            Some(rest) => find(below, rest, path, found),
            None if rest.is_empty() && !below.is_object() => found.push(path.clone()),
            None => {}
        }
        path.pop();
    }
}

/// What a variable's text may be where `before` stood.
fn candidates(before: &Value, text: &str) -> Vec<Value> {
    let as_text = Value::from(text);
    let as_scalar = serde_json::from_str(text)
        .ok()
        .filter(|scalar: &Value| scalar.is_number() || scalar.is_boolean());
    match before {
        Value::Array(_) => vec![list(text)],
        Value::String(_) => vec![as_text],
        _ => as_scalar.into_iter().chain([as_text, list(text)]).collect(),
    }
}

fn list(text: &str) -> Value {
    text.split(',')
        .map(|part| Value::from(part.trim()))
        .collect()
}
