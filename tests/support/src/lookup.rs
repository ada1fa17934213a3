//! Which server binary is taken.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::binary::{Origin, ServerBinary};
use crate::error::SupportError;
use crate::fetch::{Release, fetch};
use crate::{notice, stand_in};

/// Both names under which distributions install it.
const NAMES: [&str; 2] = ["redis-server", "valkey-server"];

/// Where to look for a server. [`Lookup::from_env`] is what [`TestServer`](crate::TestServer) uses;
/// tests make their own, because a process cannot safely change its environment.
#[derive(Debug, Clone, Default)]
pub struct Lookup {
    /// `REDIS_SERVER_BIN`: the binary to take, and no other; or the name of a release that is
    /// fetched, such as `redis-6.2`.
    pub server_bin: Option<PathBuf>,
    /// `PATH`: searched for `redis-server` and `valkey-server`, and for `python3` and `cargo` if
    /// both are missing.
    pub search_path: OsString,
    /// Where a fetched server is kept.
    pub install_dir: PathBuf,
    /// Whether meebis will do where neither is found and Valkey cannot be fetched.
    pub allow_stand_in: bool,
}

impl Lookup {
    /// As the environment says; fetched servers go to `target/redis-manager-support/`.
    pub fn from_env() -> Self {
        Self {
            server_bin: env::var_os("REDIS_SERVER_BIN")
                .filter(|value| !value.is_empty())
                .map(PathBuf::from),
            search_path: env::var_os("PATH").unwrap_or_default(),
            install_dir: install_dir(env::var_os("CARGO_TARGET_DIR")),
            allow_stand_in: false,
        }
    }

    /// [`from_env`](Self::from_env), looked up and announced once a process.
    pub(crate) fn once(allow_stand_in: bool) -> Result<ServerBinary, SupportError> {
        static FOUND: Mutex<Option<ServerBinary>> = Mutex::new(None);
        // Held while it is fetched: the tests of a process fetch once.
        let mut found = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(binary) = &*found
            && (allow_stand_in || !binary.is_stand_in())
        {
            return Ok(binary.clone());
        }
        let binary = Self {
            allow_stand_in,
            ..Self::from_env()
        }
        .find()?;
        notice::say(&binary.notice());
        *found = Some(binary.clone());
        Ok(binary)
    }

    /// `REDIS_SERVER_BIN`, else `PATH`, else fetched.
    pub fn find(&self) -> Result<ServerBinary, SupportError> {
        if let Some(path) = &self.server_bin {
            return match path.to_str().and_then(Release::named) {
                Some(release) => fetch(release, self, "REDIS_SERVER_BIN names it"),
                None => ServerBinary::inspect(path, Origin::Environment),
            };
        }
        let mut tried = Vec::new();
        for path in NAMES.iter().flat_map(|name| self.on_path(name)) {
            match ServerBinary::inspect(&path, Origin::Path) {
                Ok(binary) => return Ok(binary),
                // Somebody meant it to be used: why it is passed over is said even if another one
                // is found.
                Err(error) => {
                    notice::say(&error.to_string());
                    tried.push(error.to_string());
                }
            }
        }
        if tried.is_empty() {
            tried.push("redis-server and valkey-server: not on PATH".to_owned());
        }
        let because = "no redis-server or valkey-server on PATH";
        match fetch(Release::usual(), self, because) {
            Ok(binary) => return Ok(binary),
            // A download that is not the pinned one is not a reason to try another source.
            Err(error @ SupportError::Checksum { .. }) => return Err(error),
            Err(error) => tried.push(error.to_string()),
        }
        if self.allow_stand_in {
            match stand_in::meebis(self) {
                Ok(binary) => return Ok(binary),
                Err(error) => tried.push(error.to_string()),
            }
        }
        let tried = tried
            .iter()
            .map(|line| format!("- {line}"))
            .collect::<Vec<_>>()
            .join("\n");
        Err(SupportError::NoServer { tried })
    }

    /// The servers on `PATH`, those that do not run left out.
    pub(crate) fn others(&self) -> Vec<ServerBinary> {
        NAMES
            .iter()
            .flat_map(|name| self.on_path(name))
            .filter_map(|path| ServerBinary::inspect(&path, Origin::Path).ok())
            .collect()
    }

    /// The files of this name in the search path, in order.
    pub(crate) fn on_path(&self, name: &str) -> impl Iterator<Item = PathBuf> {
        let file = format!("{name}{}", env::consts::EXE_SUFFIX);
        let folders: Vec<_> = env::split_paths(&self.search_path)
            .filter(|folder| folder.is_absolute())
            .collect();
        folders
            .into_iter()
            .map(move |folder| folder.join(&file))
            .filter(|path| path.is_file())
    }
}

/// `CARGO_TARGET_DIR` if it is set, else the workspace's `target`. Cargo takes a relative one from
/// where it was called, which a test does not know: those are taken from the workspace.
fn install_dir(target_dir: Option<OsString>) -> PathBuf {
    let support = Path::new(env!("CARGO_MANIFEST_DIR"));
    let workspace = support.ancestors().nth(2).unwrap_or(support);
    let target = target_dir
        .filter(|value| !value.is_empty())
        .unwrap_or_else(|| "target".into());
    workspace.join(target).join("redis-manager-support")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fetched_servers_go_to_the_target_folder() {
        let workspace = install_dir(None).ancestors().nth(2).unwrap().to_owned();
        assert!(
            workspace.join("Cargo.lock").is_file(),
            "{}",
            workspace.display()
        );
        assert_eq!(
            install_dir(Some("".into())),
            workspace.join("target/redis-manager-support")
        );
        assert_eq!(
            install_dir(Some("out".into())),
            workspace.join("out/redis-manager-support")
        );
        assert_eq!(
            install_dir(Some("/tmp/out".into())),
            Path::new("/tmp/out/redis-manager-support")
        );
    }
}
