//! A server, in a configuration.

use std::path::PathBuf;
use std::sync::Arc;

use redis_manager_core::{ClientOptions, Pem, RedisTopology, RedisUri, TlsOptions};
use serde::{Deserialize, Serialize, Serializer, ser};

use super::login::LoginConfig;
use super::problem::Problem;
use super::sentinel::SentinelConfig;
use super::server_login::ServerLogins;

/// A server, in a configuration: where it is, who logs in, and the options of its clients.
///
/// - `uri`: as [`RedisUri`](crate::RedisUri) reads it. Needed.
/// - `username`: the user to log in as; needs a password. Default: the server's default user.
/// - `password_env`: the name of an environment variable that is the password.
/// - `password_file`: the path of a file that holds the password, at most 64 KiB of UTF-8; line ends after it do not
///   count. What a relative path begins at is the process's working directory.
/// - `sentinel`: who logs in on the sentinels, if `uri` names some: [`SentinelConfig`](crate::SentinelConfig).
/// - `options`: [`ClientOptions`](crate::ClientOptions).
///
/// ```
/// use redis_manager::ServerConfig;
///
/// let main = ServerConfig::new("redis://localhost".parse()?)
///     .with_username("scripts")
///     .with_password_file("/run/secrets/redis");
/// assert_eq!(main.username(), Some("scripts"));
/// # Ok::<(), redis_manager::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct ServerConfig {
    uri: RedisUri,
    login: LoginConfig,
    sentinel: SentinelConfig,
    options: ClientOptions,
}

/// As it is written, where its login has no table of its own. (serde does not refuse unknown fields where one is flattened.)
#[derive(Serialize, Deserialize)]
#[serde(rename = "ServerConfig", deny_unknown_fields)]
struct Written {
    #[serde(serialize_with = "without_password")]
    uri: RedisUri,
    username: Option<String>,
    password_env: Option<String>,
    password_file: Option<PathBuf>,
    #[serde(default)]
    sentinel: SentinelConfig,
    #[serde(default)]
    options: ClientOptions,
}

impl From<Written> for ServerConfig {
    fn from(written: Written) -> Self {
        Self {
            uri: written.uri,
            login: LoginConfig {
                username: written.username,
                password_env: written.password_env,
                password_file: written.password_file,
                password: None,
            },
            sentinel: written.sentinel,
            options: written.options,
        }
    }
}

impl From<ServerConfig> for Written {
    fn from(server: ServerConfig) -> Self {
        Self {
            uri: server.uri,
            username: server.login.username,
            password_env: server.login.password_env,
            password_file: server.login.password_file,
            sentinel: server.sentinel,
            options: server.options,
        }
    }
}

impl ServerConfig {
    /// A server with the default options.
    #[must_use]
    pub fn new(uri: RedisUri) -> Self {
        Self {
            uri,
            login: LoginConfig::default(),
            sentinel: SentinelConfig::default(),
            options: ClientOptions::default(),
        }
    }

    /// Sets the user to log in as, in place of the URI's. An empty name means none.
    #[must_use]
    pub fn with_username(self, username: impl Into<String>) -> Self {
        let login = self.login.with_username(username);
        Self { login, ..self }
    }

    /// Sets the password, in place of any other. It is never written.
    #[must_use]
    pub fn with_password(self, password: impl Into<String>) -> Self {
        let login = self.login.with_password(password);
        Self { login, ..self }
    }

    /// Takes the password from the environment variable of this name, in place of any other.
    #[must_use]
    pub fn with_password_env(self, variable: impl Into<String>) -> Self {
        let login = self.login.with_password_env(variable);
        Self { login, ..self }
    }

    /// Takes the password from the file at `path`, in place of any other.
    #[must_use]
    pub fn with_password_file(self, path: impl Into<PathBuf>) -> Self {
        let login = self.login.with_password_file(path);
        Self { login, ..self }
    }

    /// Says who logs in on the sentinels.
    #[must_use]
    pub fn with_sentinel(mut self, sentinel: SentinelConfig) -> Self {
        self.sentinel = sentinel;
        self
    }

    /// Sets the options of the server's clients.
    #[must_use]
    pub fn with_options(mut self, options: ClientOptions) -> Self {
        self.options = options;
        self
    }

    /// Where the server is.
    #[must_use]
    pub fn uri(&self) -> &RedisUri {
        &self.uri
    }

    /// The user to log in as; `None` means the server's default user.
    #[must_use]
    pub fn username(&self) -> Option<&str> {
        self.login.username().or(self.uri.username())
    }

    /// Who logs in on the sentinels.
    #[must_use]
    pub fn sentinel(&self) -> &SentinelConfig {
        &self.sentinel
    }

    /// The options of the server's clients.
    #[must_use]
    pub fn options(&self) -> &ClientOptions {
        &self.options
    }

    /// Who logs in on it and on its sentinels, as far as it is not the URI that says so.
    pub(super) fn logins(&self) -> ServerLogins {
        let sentinels = self.sentinel.login();
        ServerLogins {
            server: self.login.login_as(self.username()).map(Arc::new),
            sentinels: sentinels.login_as(sentinels.username()).map(Arc::new),
        }
    }

    pub(super) fn login_mut(&mut self) -> &mut LoginConfig {
        &mut self.login
    }

    pub(super) fn sentinel_mut(&mut self) -> &mut SentinelConfig {
        &mut self.sentinel
    }

    pub(super) fn login(&self) -> &LoginConfig {
        &self.login
    }

    /// The same with the uri as text, and without its login.
    pub(super) fn split_uri(&self) -> (String, Self) {
        let bare = self.uri.clone().with_login("", "");
        let server = Self {
            uri: bare,
            ..self.clone()
        };
        (self.uri.to_url_with_password(), server)
    }

    /// The text of the private key for TLS, if it is given as text, and the same server without it.
    pub(super) fn split_key(&self) -> Option<(String, Self)> {
        let tls = self.options.tls();
        let key = tls.key()?.as_text()?.to_owned();
        let certificate = tls.certificate()?.clone();
        let without = tls.clone();
        let without = without.with_client_certificate(certificate, Pem::file("elsewhere"));
        let options = self.options.to_builder().tls(without).build().ok()?;
        Some((key, self.clone().with_options(options)))
    }

    /// What contradicts itself, whatever the environment adds.
    pub(super) fn check(&self) -> Result<(), Problem> {
        self.login.check()?;
        for (name, is_given) in [
            ("password_env", self.login.password_env.is_some()),
            ("password_file", self.login.password_file.is_some()),
        ] {
            if is_given && self.uri.password().is_some() {
                let what = format!("there is a `{name}` as well; take one of them");
                return Err(Problem::new(
                    "uri",
                    format!("it has a password, and {what}"),
                ));
            }
        }
        if self.login.username.is_some() && self.uri.username().is_some() {
            return Err(Problem::new(
                "uri",
                "it has a user name, and there is a `username` as well; take one of them",
            ));
        }
        let below = |problem: Problem| problem.below("sentinel");
        self.sentinel.login().check().map_err(below)
    }

    /// What is missing once the environment has added what it has.
    pub(super) fn check_login(&self) -> Result<(), Problem> {
        self.check()?;
        self.check_sentinel()?;
        self.check_tls()?;
        let has_password = self.login.has_password() || self.uri.password().is_some();
        self.login.check_user(has_password, "_PASSWORD")
    }

    /// Without it, who thinks that there is TLS would send the password in clear.
    fn check_tls(&self) -> Result<(), Problem> {
        if self.uri.is_tls() || *self.options.tls() == TlsOptions::default() {
            return Ok(());
        }
        let with = match secure_scheme(self.uri.topology()) {
            Some(scheme) => format!("such a one begins with {scheme}://"),
            None => "a Unix socket has none".to_owned(),
        };
        let what = format!("the `uri` asks for no TLS; {with}");
        Err(Problem::new("options.tls", what))
    }

    fn check_sentinel(&self) -> Result<(), Problem> {
        let has_sentinels = self.uri.topology() == RedisTopology::Sentinel;
        if !has_sentinels && self.sentinel != SentinelConfig::default() {
            let what = "the `uri` names no sentinels; such a one begins with redis-sentinel:// or rediss-sentinel://";
            return Err(Problem::new("sentinel", what));
        }
        let below = |problem: Problem| problem.below("sentinel");
        self.sentinel.check_login().map_err(below)
    }
}

/// What the URI of this topology begins with for TLS; `None` if there is none.
fn secure_scheme(topology: RedisTopology) -> Option<&'static str> {
    match topology {
        RedisTopology::Standalone => Some("rediss"),
        RedisTopology::Sentinel => Some("rediss-sentinel"),
        RedisTopology::Cluster => Some("rediss-cluster"),
        _ => None,
    }
}

fn without_password<S: Serializer>(uri: &RedisUri, serializer: S) -> Result<S::Ok, S::Error> {
    if uri.password().is_some() {
        return Err(ser::Error::custom(format!(
            "the URI of {} has a password, which is not written; put it into `password_env` or `password_file`",
            uri.address()
        )));
    }
    uri.serialize(serializer)
}
