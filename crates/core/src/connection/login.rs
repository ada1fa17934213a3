//! Who logs in on a connection: asked when it is made, and told to the server anew when that changes.

use std::convert::Infallible;
use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};

use futures_util::FutureExt;
use redis::{Cmd, RedisError, Value};

use super::dialogue::{Told, explain};
use super::link::one;
use super::progress::Progress;
use super::ticket::Ticket;
use super::wire::Wire;
use crate::credentials::Announcements;
use crate::{
    ClientContext, ClientEvent, Credentials, CredentialsProvider, Deadline, Error, ErrorKind,
    FailureCause, RedisUri, Result,
};

/// What a connection logs in with, and how it hears of other credentials.
#[derive(Default)]
pub(super) struct Login {
    pub(super) credentials: Option<Credentials>,
    pub(super) announcements: Option<Announcements>,
}

impl Login {
    /// Asks for the login of a connection of the client of `context` to who is at `address`.
    pub(super) async fn find(
        address: impl Display,
        context: &ClientContext,
        progress: &Progress,
    ) -> Result<Self> {
        let Some(provider) = context.options().credentials() else {
            let uri = context.uri();
            let username = uri.username().unwrap_or_default();
            let password = uri.password();
            let of_uri =
                password.map(|password| Credentials::new(password).with_username(username));
            return Ok(Self {
                credentials: of_uri,
                announcements: None,
            });
        };
        // Before it is asked, so that nothing is missed.
        let subscribe = || Some(provider.rotation()?.subscribe());
        let announcements = catch_unwind(AssertUnwindSafe(subscribe)).ok().flatten();
        progress.asking_began(name_of(&**provider));
        let credentials = ask(address, &**provider).await;
        progress.answered();
        let credentials = credentials?;
        Ok(Self {
            credentials: Some(credentials).filter(Credentials::is_login),
            announcements,
        })
    }
}

/// Asks `provider` for the credentials for who is at `address`.
pub(super) async fn ask(
    address: impl Display,
    provider: &dyn CredentialsProvider,
) -> Result<Credentials> {
    // In a future of its own, because making that of the provider is code of the host too.
    let asking = AssertUnwindSafe(async { provider.credentials().await });
    let problem = match asking.catch_unwind().await {
        Ok(Ok(credentials)) => return Ok(credentials),
        Ok(Err(error)) => error.to_string(),
        Err(panic) => FailureCause::from_panic(&*panic).to_string(),
    };
    let message = format!("there are no credentials for {address}: {problem}");
    Err(Error::new(ErrorKind::Connect, message))
}

/// What `provider` calls itself; code of the host too.
pub(super) fn name_of(provider: &dyn CredentialsProvider) -> String {
    let name = catch_unwind(AssertUnwindSafe(|| provider.name().into_owned()));
    name.unwrap_or_else(|_| "the credentials provider".to_owned())
}

/// Tells the server at `address` of other credentials, on the connection of `wire`, whenever there are any.
pub(super) async fn renew(
    context: &ClientContext,
    address: &str,
    wire: &Wire,
    mut announcements: Announcements,
) -> Infallible {
    loop {
        announcements.next().await;
        let event = match authenticate(context, address, wire).await {
            Ok(()) => ClientEvent::Reauthenticated,
            Err(cause) => ClientEvent::ReauthenticationFailed {
                cause: cause.with_client(context.client_id()),
            },
        };
        context.emit(event);
    }
}

async fn authenticate(context: &ClientContext, address: &str, wire: &Wire) -> Result<()> {
    let Some(provider) = context.options().credentials() else {
        return Ok(());
    };
    let timeout = context.options().connect_timeout();
    let asked = tokio::time::timeout(timeout, ask(address, &**provider)).await;
    let credentials = asked.unwrap_or_else(|_| {
        let name = name_of(&**provider);
        let message = format!("{name} has not answered within {timeout:?}");
        Err(Error::new(ErrorKind::Timeout, message))
    })?;
    let deadline = Deadline::after(timeout);
    let left = wire.put_login(&auth(&credentials), deadline)?;
    match one(Ticket::new(wire, left).await?)? {
        Value::ServerError(refusal) => {
            let refusal = RedisError::from(refusal);
            Err(explain(address, Some((&credentials, Told::Now)), refusal))
        }
        _ => Ok(()),
    }
}

/// For the error of a server that wants a password, and was given none for `uri`: where one stands.
pub(super) fn no_password(uri: &RedisUri) -> String {
    let scheme = uri.scheme_of(uri.topology());
    format!(
        "no password is given: it stands in the URI ({scheme}://user:password@…), \
         or in `password_file` or `password_env` of a configuration"
    )
}

/// The command that logs in.
pub(super) fn auth(credentials: &Credentials) -> Cmd {
    let mut cmd = redis::cmd("AUTH");
    if let Some(username) = credentials.username() {
        cmd.arg(username);
    }
    cmd.arg(credentials.password());
    cmd
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::error::Error as StdError;

    use async_trait::async_trait;

    use super::*;

    struct Vault {
        is_broken: bool,
    }

    #[async_trait]
    impl CredentialsProvider for Vault {
        async fn credentials(&self) -> Result<Credentials, Box<dyn StdError + Send + Sync>> {
            Ok(Credentials::new("token"))
        }

        fn name(&self) -> Cow<'_, str> {
            assert!(!self.is_broken, "deliberate");
            Cow::Borrowed("the vault")
        }
    }

    #[test]
    fn a_provider_is_called_as_it_calls_itself_if_it_can_say_so() {
        let name = |is_broken| name_of(&Vault { is_broken });
        assert_eq!(name(false), "the vault");
        assert_eq!(name(true), "the credentials provider");
        assert_eq!(
            name_of(&Credentials::new("password")),
            "the credentials provider"
        );
    }
}
