//! From an address to an open socket.

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

use super::endpoint::Endpoint;
use super::socket::Socket;
use crate::{ClientOptions, Error, ErrorKind, Result, SocketOptions};

/// Connects to the server that listens at `endpoint`.
pub(super) async fn connect(endpoint: &Endpoint, options: &ClientOptions) -> Result<Socket> {
    let failed = |error: std::io::Error| {
        Error::new(
            ErrorKind::Connect,
            format!("cannot connect to {endpoint}: {error}"),
        )
        .with_source(error)
    };
    match endpoint {
        Endpoint::Unix(path) => connect_unix(path).await.map_err(failed),
        Endpoint::Tcp { host, port } => {
            let stream = TcpStream::connect((host.as_str(), *port))
                .await
                .map_err(failed)?;
            configure(&stream, options.socket()).map_err(failed)?;
            Ok(Socket::Tcp(stream))
        }
    }
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
