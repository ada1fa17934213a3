//! From an address to an open socket.

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

use super::addresses::connect_to;
use super::endpoint::Endpoint;
use super::progress::Progress;
#[cfg(feature = "tls")]
use super::scheme_hint::without_tls;
use super::socket::Socket;
use crate::{
    ClientContext, ClientOptions, ClientResources, Error, ErrorKind, RedisUri, Result,
    SocketOptions,
};

/// How one is spoken to who listens somewhere.
#[derive(Clone, Copy)]
pub(super) struct Peer<'a> {
    /// Whether there is TLS, and what to say; not where.
    pub(super) uri: &'a RedisUri,
    pub(super) options: &'a ClientOptions,
    #[cfg_attr(
        not(feature = "tls"),
        expect(dead_code, reason = "they have the trusted certificates")
    )]
    pub(super) resources: &'a ClientResources,
}

impl<'a> Peer<'a> {
    /// The server of the client that `context` describes.
    pub(super) fn of(context: &'a ClientContext) -> Self {
        Self {
            uri: context.uri(),
            options: context.options(),
            resources: context.resources(),
        }
    }
}

/// Connects to who listens at `endpoint`.
pub(super) async fn connect(
    endpoint: &Endpoint,
    peer: Peer<'_>,
    progress: &Progress,
) -> Result<Socket> {
    let failed = |error: std::io::Error| {
        Error::new(
            ErrorKind::Connect,
            format!("cannot connect to {endpoint}: {error}"),
        )
        .with_source(error)
    };
    progress.began(endpoint);
    match endpoint {
        Endpoint::Unix(path) => connect_unix(path).await.map_err(failed),
        Endpoint::Tcp { host, port } | Endpoint::Master { host, port, .. } => {
            let stream = connect_to(host, *port).await.map_err(failed)?;
            configure(&stream, peer.options.socket()).map_err(failed)?;
            if peer.uri.is_tls() {
                // Boxed, because it is large and most have none.
                return Box::pin(secure(stream, endpoint, host, peer, progress)).await;
            }
            Ok(Socket::Tcp(stream))
        }
    }
}

#[cfg(feature = "tls")]
async fn secure(
    stream: TcpStream,
    endpoint: &Endpoint,
    host: &str,
    peer: Peer<'_>,
    progress: &Progress,
) -> Result<Socket> {
    let name = rustls::pki_types::ServerName::try_from(host.to_owned()).map_err(|error| {
        Error::new(
            ErrorKind::InvalidUri,
            format!("{endpoint}: no certificate can be for that host: {error}"),
        )
    })?;
    let configs = peer.resources.tls_configs();
    let files = configs.files(peer.options.tls(), peer.uri.verify_peer());
    progress.reading_began(&files);
    let config = files.config().await?;
    progress.tls_began();
    let secured = super::tls_socket::TlsSocket::connect(stream, name, config).await;
    progress.answered();
    match secured {
        Ok(socket) => Ok(Socket::Tls(Box::new(socket))),
        Err(error) => {
            let plain = without_tls(peer.uri, endpoint);
            Err(crate::tls::explain(
                endpoint,
                peer.uri.topology(),
                &plain,
                error,
            ))
        }
    }
}

#[cfg(not(feature = "tls"))]
async fn secure(
    _stream: TcpStream,
    endpoint: &Endpoint,
    _host: &str,
    _peer: Peer<'_>,
    _progress: &Progress,
) -> Result<Socket> {
    Err(crate::connection_info::without_tls(endpoint))
}

#[cfg(unix)]
async fn connect_unix(path: &std::path::Path) -> std::io::Result<Socket> {
    let stream = tokio::net::UnixStream::connect(path).await?;
    Ok(Socket::Unix(stream))
}

#[cfg(not(unix))]
async fn connect_unix(_path: &std::path::Path) -> std::io::Result<Socket> {
    Err(std::io::Error::new(
        std::io::ErrorKind::Unsupported,
        "this platform has no Unix sockets",
    ))
}

fn configure(stream: &TcpStream, options: &SocketOptions) -> std::io::Result<()> {
    stream.set_nodelay(options.tcp_nodelay())?;
    let socket = SockRef::from(stream);
    if let Some(idle) = options.keepalive() {
        socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(idle))?;
    }
    #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
    if let Some(timeout) = options.user_timeout() {
        socket.set_tcp_user_timeout(Some(timeout))?;
    }
    Ok(())
}
