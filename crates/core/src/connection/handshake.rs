//! From an open socket to a connection that is known to answer.

use std::pin::Pin;
use std::sync::Arc;

use redis::aio::{MultiplexedConnection, PubSub, PubSubSink, PubSubStream};
use redis::{AsyncConnectionConfig, Cmd, ProtocolVersion, RedisError};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use super::PushSink;
use super::connect::{Socket, connect};
use crate::connection_info::login;
use crate::{ClientContext, Error, ErrorKind, Protocol, RedisUri, Result};

pub(super) struct Opened {
    pub(super) connection: MultiplexedConnection,
    /// Moves the bytes; the connection lives as long as somebody polls it.
    pub(super) driver: Pin<Box<dyn Future<Output = ()> + Send>>,
    pub(super) protocol: ProtocolVersion,
}

/// Opens a socket for commands, under RESP3 for subscriptions too.
pub(super) async fn commands(context: &ClientContext, pushes: Option<PushSink>) -> Result<Opened> {
    match context.protocol() {
        Protocol::Resp2 => commands_with(context, ProtocolVersion::RESP2, None).await,
        Protocol::Resp3 => commands_with(context, ProtocolVersion::RESP3, pushes).await,
        Protocol::Auto => {
            match commands_with(context, ProtocolVersion::RESP3, pushes).await {
                // A server from before Redis 6, or one whose HELLO is renamed.
                Err(error) if error.kind() == ErrorKind::Unsupported => {
                    commands_with(context, ProtocolVersion::RESP2, None).await
                }
                outcome => outcome,
            }
        }
    }
}

async fn commands_with(
    context: &ClientContext,
    protocol: ProtocolVersion,
    pushes: Option<PushSink>,
) -> Result<Opened> {
    let uri = context.uri();
    let socket = connect(uri, context.options()).await?;
    // Deadlines are ours: they bound a call as a whole, which redis' own response timeout does not.
    let mut config = AsyncConnectionConfig::new()
        .set_connection_timeout(None)
        .set_response_timeout(None);
    if let Some(pushes) = pushes {
        config = config.set_push_sender(move |push| {
            pushes(push);
            Ok::<(), ()>(())
        });
    }
    let failed = |error| explain(uri, error);
    let (connection, driver) =
        MultiplexedConnection::new_with_config(&login(uri, protocol), socket, config)
            .await
            .map_err(failed)?;
    let mut driver: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(driver);
    let mut greeter = connection.clone();
    tokio::select! {
        biased;
        greeted = greet(&mut greeter, uri) => greeted.map_err(failed)?,
        () = &mut driver => return Err(hung_up(uri)),
    }
    Ok(Opened {
        connection,
        driver,
        protocol,
    })
}

/// Names the connection and makes sure that it may run commands: under RESP2 a server that wants a
/// password says so only to the first one.
async fn greet(connection: &mut MultiplexedConnection, uri: &RedisUri) -> Result<(), RedisError> {
    if let Some(set_name) = set_client_name(uri) {
        set_name.exec_async(connection).await?;
    }
    // Text, so that a port which only sends back what it gets is not taken for a server.
    let pong: Result<String, _> = redis::cmd("PING").query_async(connection).await;
    match pong {
        // A user who may not PING is logged in all the same.
        Err(error) if error.code() == Some("NOPERM") => Ok(()),
        outcome => outcome.map(drop),
    }
}

/// Opens a RESP2 socket that does nothing but subscribe.
pub(super) async fn subscriber(context: &Arc<ClientContext>) -> Result<(PubSubSink, PubSubStream)> {
    let uri = context.uri();
    let login = login(uri, ProtocolVersion::RESP2);
    let mut socket = connect(uri, context.options()).await?;
    name_subscriber(&mut socket, uri).await?;
    let pubsub = PubSub::new(&login, socket)
        .await
        .map_err(|error| explain(uri, error))?;
    Ok(pubsub.split())
}

/// Names the socket of a RESP2 subscriber, which must be done before redis takes it over: its `PubSub`
/// sends no other command. Errors other than of the socket come out again when redis logs in.
async fn name_subscriber(socket: &mut Socket, uri: &RedisUri) -> Result<()> {
    let Some(set_name) = set_client_name(uri) else {
        return Ok(());
    };
    let mut requests = Vec::new();
    let mut replies = 1;
    if let Some(password) = uri.password() {
        let mut auth = redis::cmd("AUTH");
        if let Some(username) = uri.username() {
            auth.arg(username);
        }
        auth.arg(password).write_packed_command(&mut requests);
        replies += 1;
    }
    set_name.write_packed_command(&mut requests);
    let failed = |error: std::io::Error| explain(uri, error.into());
    socket.write_all(&requests).await.map_err(failed)?;
    // The server says nothing else until it is asked, so the reader cannot read too far.
    let mut reader = BufReader::new(socket);
    for _ in 0..replies {
        let mut line = Vec::new();
        if reader.read_until(b'\n', &mut line).await.map_err(failed)? == 0 {
            return Err(hung_up(uri));
        }
    }
    Ok(())
}

fn set_client_name(uri: &RedisUri) -> Option<Cmd> {
    let name = uri.client_name()?;
    let mut set_name = redis::cmd("CLIENT");
    set_name.arg("SETNAME").arg(name);
    Some(set_name)
}

fn hung_up(uri: &RedisUri) -> Error {
    Error::new(
        ErrorKind::Protocol,
        format!(
            "{} closed the connection during the handshake",
            uri.address()
        ),
    )
}

/// Says what a failed handshake means, with the address.
pub fn explain(uri: &RedisUri, error: RedisError) -> Error {
    let address = uri.address();
    let (kind, what) = match error.kind() {
        redis::ErrorKind::AuthenticationFailed => (ErrorKind::Authentication, "refused to log in"),
        redis::ErrorKind::RESP3NotSupported => (ErrorKind::Unsupported, "does not speak RESP3"),
        _ if lacks_resp3(uri, &error) => (ErrorKind::Unsupported, "does not speak RESP3"),
        redis::ErrorKind::Parse | redis::ErrorKind::UnexpectedReturnType => {
            (ErrorKind::Protocol, "does not speak Redis")
        }
        redis::ErrorKind::Io if error.is_connection_refusal() => {
            (ErrorKind::Connect, "cannot be reached")
        }
        redis::ErrorKind::Io if error.is_connection_dropped() => return hung_up(uri),
        redis::ErrorKind::Io => (ErrorKind::Connect, "cannot be reached"),
        _ => match error.code() {
            Some("NOAUTH" | "WRONGPASS") => (ErrorKind::Authentication, "refused to log in"),
            _ => (ErrorKind::Server, "refused the connection"),
        },
    };
    if may_contain_password(uri, &error) {
        return Error::new(
            kind,
            format!(
                "{address} {what}; its answer is withheld, because it may contain the password"
            ),
        );
    }
    Error::new(kind, format!("{address} {what}: {error}")).with_source(error)
}

/// redis knows the words of old servers only, which quote the command differently.
fn lacks_resp3(uri: &RedisUri, error: &RedisError) -> bool {
    let unknown_hello = error
        .detail()
        .and_then(|detail| detail.strip_prefix("unknown command "))
        .is_some_and(|rest| rest.trim_start_matches(['\'', '`']).starts_with("HELLO"));
    // To a stranger Valkey does not tell that it does not know a command; to a HELLO with credentials
    // no server that knows it says so.
    let taken_for_stranger = error.code() == Some("NOAUTH") && uri.password().is_some();
    unknown_hello || taken_for_stranger || error.code() == Some("NOPROTO")
}

/// A server repeats the arguments of a command that it does not know, cut at some length, and whoever
/// does not speak Redis may send back anything.
fn may_contain_password(uri: &RedisUri, error: &RedisError) -> bool {
    let Some(password) = uri.password() else {
        return false;
    };
    matches!(
        error.kind(),
        redis::ErrorKind::Parse | redis::ErrorKind::UnexpectedReturnType
    ) || [", with args beginning with", password]
        .iter()
        .any(|secret| error.to_string().contains(secret))
}
