//! Our URI and options in the form that the `redis` crate wants.

use redis::io::tcp::TcpSettings;
use redis::{
    ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion, RedisConnectionInfo,
};
use socket2::TcpKeepalive;

use crate::{ClientOptions, Error, ErrorKind, RedisTopology, RedisUri, Result};

const LIBRARY_NAME: &str = "redis-manager";

/// The name that the library gives itself.
pub(crate) fn library_name(uri: &RedisUri) -> &str {
    uri.library_name().unwrap_or(LIBRARY_NAME)
}

/// The version that goes with it.
pub(crate) fn library_version(uri: &RedisUri) -> &str {
    uri.library_version().unwrap_or(env!("CARGO_PKG_VERSION"))
}

/// What is said to the server first.
pub(crate) fn login(uri: &RedisUri, protocol: ProtocolVersion) -> RedisConnectionInfo {
    let mut info = RedisConnectionInfo::default()
        .set_db(uri.database().into())
        .set_protocol(protocol)
        .set_lib_name(library_name(uri), library_version(uri));
    if let Some(username) = uri.username() {
        info = info.set_username(username);
    }
    if let Some(password) = uri.password() {
        info = info.set_password(password);
    }
    info
}

/// Describes the connection to `uri` for the `redis` crate.
///
/// # Errors
///
/// [`ErrorKind::Unsupported`] for Sentinel, Cluster and TLS, which cannot be opened yet.
pub(crate) fn connection_info(
    uri: &RedisUri,
    options: &ClientOptions,
    protocol: ProtocolVersion,
) -> Result<ConnectionInfo> {
    let addr = address(uri)?;
    let info = addr
        .into_connection_info()?
        .set_redis_settings(login(uri, protocol));
    Ok(info.set_tcp_settings(tcp_settings(options)))
}

fn address(uri: &RedisUri) -> Result<ConnectionAddr> {
    let unsupported = |what: &str| {
        Err(Error::new(
            ErrorKind::Unsupported,
            format!("{}: {what} cannot be opened by this version", uri.address()),
        ))
    };
    match uri.topology() {
        RedisTopology::Sentinel => return unsupported("a Sentinel URI"),
        RedisTopology::Cluster => return unsupported("a Cluster URI"),
        _ if uri.is_tls() => return unsupported("a TLS URI"),
        _ => {}
    }
    match (uri.socket(), uri.host(), uri.port()) {
        (Some(path), _, _) => Ok(ConnectionAddr::Unix(path.to_path_buf())),
        (None, Some(host), Some(port)) => Ok(ConnectionAddr::Tcp(host.to_owned(), port)),
        _ => unsupported("a URI without host and socket"),
    }
}

fn tcp_settings(options: &ClientOptions) -> TcpSettings {
    let socket = options.socket();
    let mut settings = TcpSettings::default().set_nodelay(socket.tcp_nodelay());
    if let Some(idle) = socket.keepalive() {
        settings = settings.set_keepalive(TcpKeepalive::new().with_time(idle));
    }
    #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
    if let Some(timeout) = socket.user_timeout() {
        settings = settings.set_user_timeout(timeout);
    }
    settings
}
