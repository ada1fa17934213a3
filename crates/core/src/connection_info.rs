//! Our URI and options in the form that the `redis` crate wants.

use redis::cluster::{ClusterClient, ClusterClientBuilder};
use redis::cluster_read_routing::RandomReplicaStrategy;
use redis::io::tcp::TcpSettings;
#[cfg(feature = "tls")]
use redis::{ClientTlsConfig, TlsCertificates, TlsMode};
use redis::{
    ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion, RedisConnectionInfo,
};
use socket2::TcpKeepalive;

#[cfg(feature = "tls")]
pub(crate) use crate::tls::Material;
use crate::{
    ClientOptions, Error, ErrorKind, ReadFrom, RedisTopology, RedisUri, Result, VerifyPeer,
};

/// There is none.
#[cfg(not(feature = "tls"))]
#[derive(Clone, Copy)]
pub(crate) enum Material {}

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

/// Describes the connection to `uri` for the `redis` crate, with what is trusted and shown over TLS.
///
/// # Errors
///
/// [`ErrorKind::Unsupported`] for Sentinel and Cluster, which have no one address.
pub(crate) fn connection_info(
    uri: &RedisUri,
    options: &ClientOptions,
    protocol: ProtocolVersion,
    material: Option<&Material>,
) -> Result<ConnectionInfo> {
    let info = address(uri)?
        .into_connection_info()?
        .set_redis_settings(login(uri, protocol))
        .set_tcp_settings(tcp_settings(options));
    match material {
        Some(material) => secured(info, uri, material),
        None => Ok(info),
    }
}

/// The client of the `redis` crate for the cluster that `uri` names. It sends nothing twice, as ours does.
///
/// # Errors
///
/// As [`connection_info`].
pub(crate) fn cluster_client(
    uri: &RedisUri,
    options: &ClientOptions,
    protocol: ProtocolVersion,
    material: Option<&Material>,
) -> Result<ClusterClient> {
    let mut nodes = Vec::with_capacity(uri.nodes().len());
    for node in uri.nodes() {
        let (host, port) = (node.host().to_owned(), node.port());
        let addr = match uri.is_tls() {
            false => ConnectionAddr::Tcp(host, port),
            true => ConnectionAddr::TcpTls {
                host,
                port,
                insecure: uri.verify_peer() == VerifyPeer::None,
                tls_params: None,
            },
        };
        let info = addr.into_connection_info()?;
        nodes.push(info.set_redis_settings(login(uri, protocol)));
    }
    let mut builder = ClusterClientBuilder::new(nodes)
        .tcp_settings(tcp_settings(options))
        .connection_timeout(options.connect_timeout())
        .retries(0);
    #[cfg(not(feature = "tls"))]
    let _ = material;
    #[cfg(feature = "tls")]
    if let Some(material) = material {
        // Before them, or they would have everybody verified.
        let mode = match uri.verify_peer() {
            VerifyPeer::None => TlsMode::Insecure,
            VerifyPeer::Ca | VerifyPeer::Full => TlsMode::Secure,
        };
        builder = builder
            .tls(mode)
            .certs(certificates(material))
            .danger_accept_invalid_hostnames(uri.verify_peer() == VerifyPeer::Ca);
    }
    if options.read_from() == ReadFrom::ReplicaPreferred {
        builder = builder.read_routing_strategy(RandomReplicaStrategy);
    }
    Ok(builder.build()?)
}

fn address(uri: &RedisUri) -> Result<ConnectionAddr> {
    let unsupported = |what: &str| {
        Err(Error::new(
            ErrorKind::Unsupported,
            format!("{}: {what} cannot be opened by this version", uri.address()),
        ))
    };
    match uri.topology() {
        RedisTopology::Sentinel => return unsupported("one server behind a Sentinel URI"),
        RedisTopology::Cluster => return unsupported("one server behind a Cluster URI"),
        _ => {}
    }
    match (uri.socket(), uri.host(), uri.port()) {
        (Some(path), _, _) => Ok(ConnectionAddr::Unix(path.to_path_buf())),
        (None, Some(host), Some(port)) => Ok(ConnectionAddr::Tcp(host.to_owned(), port)),
        _ => unsupported("a URI without host and socket"),
    }
}

/// Adds what is trusted and shown: the `redis` crate reads no file.
#[cfg(feature = "tls")]
fn secured(info: ConnectionInfo, uri: &RedisUri, material: &Material) -> Result<ConnectionInfo> {
    let (host, port) = match info.addr() {
        ConnectionAddr::Tcp(host, port) => (host.clone(), *port),
        _ => return Ok(info),
    };
    let addr = ConnectionAddr::TcpTls {
        host,
        port,
        insecure: uri.verify_peer() == VerifyPeer::None,
        tls_params: None,
    };
    let mut addr =
        redis::Client::build_with_tls(info.clone().set_addr(addr), certificates(material))?
            .get_connection_info()
            .addr()
            .clone();
    addr.set_danger_accept_invalid_hostnames(uri.verify_peer() == VerifyPeer::Ca);
    Ok(info.set_addr(addr))
}

#[cfg(feature = "tls")]
fn certificates(material: &Material) -> TlsCertificates {
    let identity = material.identity_pem();
    TlsCertificates {
        client_tls: identity.map(|(client_cert, client_key)| ClientTlsConfig {
            client_cert,
            client_key,
        }),
        root_cert: material.ca_pem(),
    }
}

#[cfg(not(feature = "tls"))]
fn secured(_: ConnectionInfo, _: &RedisUri, material: &Material) -> Result<ConnectionInfo> {
    match *material {}
}

/// The refusal of a URI with TLS.
#[cfg(not(feature = "tls"))]
pub(crate) fn without_tls(address: &dyn std::fmt::Display) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        format!("{address}: a TLS URI needs the feature `tls`, which is off"),
    )
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
