//! The server of an example: one that runs already, or one of its own.

use std::env;

use crate::error::SupportError;
use crate::notice;
use crate::server::TestServer;

/// A server for an example or a benchmark. Tests that stop or configure their server take a
/// [`TestServer`].
#[derive(Debug)]
#[non_exhaustive]
pub enum ServerHandle {
    /// The one that `REDIS_URL` names; it is neither started nor stopped.
    Running {
        /// The variable's value.
        url: String,
    },
    /// Started here; stops when it is dropped.
    Own(Box<TestServer>),
}

impl ServerHandle {
    /// `REDIS_URL` if it is set, else a server of our own, in the worst case a small stand-in. Ours wants
    /// a password, as a server that scripts are let near should.
    pub fn for_examples() -> Result<Self, SupportError> {
        Self::with_url(env::var("REDIS_URL").ok())
    }

    fn with_url(url: Option<String>) -> Result<Self, SupportError> {
        if let Some(url) = url.filter(|url| !url.is_empty()) {
            notice::say(&format!(
                "the running server at {} (REDIS_URL)",
                without_credentials(&url)
            ));
            return Ok(Self::Running { url });
        }
        TestServer::builder()
            .password("quickstart")
            .allow_stand_in()
            .start()
            .map(Box::new)
            .map(Self::Own)
    }

    /// Where to connect, with the password if there is one.
    pub fn url(&self) -> String {
        match self {
            Self::Running { url } => url.clone(),
            Self::Own(server) => server.url_with_password(),
        }
    }
}

/// For printing: what stands before the last `@` may be a password.
fn without_credentials(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, place))) => format!("{scheme}://***@{place}"),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_running_server_is_taken_as_it_is() {
        let handle =
            ServerHandle::with_url(Some("redis://:p@ss@db.example:7000/2".into())).unwrap();
        assert_eq!(handle.url(), "redis://:p@ss@db.example:7000/2");
        assert!(matches!(handle, ServerHandle::Running { .. }));
    }

    #[test]
    fn no_url_means_a_server_of_our_own() {
        for unset in [None, Some(String::new())] {
            let handle = ServerHandle::with_url(unset).unwrap();
            assert!(handle.url().starts_with("redis://:quickstart@127.0.0.1:"));
        }
    }

    #[test]
    fn credentials_are_not_printed() {
        assert_eq!(
            without_credentials("redis://u:p@ss@host:1/2"),
            "redis://***@host:1/2"
        );
        assert_eq!(without_credentials("redis://host:1"), "redis://host:1");
    }
}
