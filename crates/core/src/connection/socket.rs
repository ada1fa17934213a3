//! A stream of bytes to a server.

use std::io::{self, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

#[cfg(feature = "tls")]
use super::tls_socket::TlsSocket;

/// A socket that the runtime watches, or does not while it is detached: then nobody is woken by what the system
/// receives, and everything is asked of the system itself.
pub(super) enum Socket {
    Tcp(TcpStream),
    DetachedTcp(std::net::TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
    #[cfg(unix)]
    DetachedUnix(std::os::unix::net::UnixStream),
    /// Never detached: what the system has received is not what the server has said.
    #[cfg(feature = "tls")]
    Tls(Box<TlsSocket>),
    /// The runtime could not let go of it, or not take it back.
    Lost,
}

impl Socket {
    /// Has the runtime watch it no longer. It is lost if that fails.
    pub(super) fn detach(&mut self) -> io::Result<()> {
        *self = match std::mem::replace(self, Self::Lost) {
            Self::Tcp(stream) => Self::DetachedTcp(stream.into_std()?),
            #[cfg(unix)]
            Self::Unix(stream) => Self::DetachedUnix(stream.into_std()?),
            detached => detached,
        };
        Ok(())
    }

    /// Has the runtime of the calling task watch it again. It is lost if that fails.
    pub(super) fn attach(&mut self) -> io::Result<()> {
        *self = match std::mem::replace(self, Self::Lost) {
            Self::DetachedTcp(stream) => Self::Tcp(TcpStream::from_std(stream)?),
            #[cfg(unix)]
            Self::DetachedUnix(stream) => Self::Unix(UnixStream::from_std(stream)?),
            attached => attached,
        };
        Ok(())
    }

    /// Reads what the system has at this moment. Asks the system itself: what the runtime knows, it learns only
    /// when its thread wakes.
    pub(super) fn read_now(&self, bytes: &mut [u8]) -> io::Result<usize> {
        #[cfg(feature = "tls")]
        if let Self::Tls(_) = self {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        (&*self.system()?).read(bytes)
    }

    /// Whether it has taken bytes that the system has not: they are on their way only once it is flushed.
    pub(super) fn holds_back(&self) -> bool {
        match self {
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.holds_back(),
            _ => false,
        }
    }

    // Through the standard library, which sees to it that a peer who hung up is an error and no signal.
    fn write_now(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::DetachedTcp(stream) => stream.write(bytes),
            #[cfg(unix)]
            Self::DetachedUnix(stream) => stream.write(bytes),
            _ => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    fn system(&self) -> io::Result<SockRef<'_>> {
        Ok(match self {
            Self::Tcp(stream) => SockRef::from(stream),
            Self::DetachedTcp(stream) => SockRef::from(stream),
            #[cfg(unix)]
            Self::Unix(stream) => SockRef::from(stream),
            #[cfg(unix)]
            Self::DetachedUnix(stream) => SockRef::from(stream),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => SockRef::from(stream.stream()),
            Self::Lost => return Err(io::ErrorKind::NotConnected.into()),
        })
    }
}

/// That a detached socket would have to wait for: whoever wants to wait attaches it.
fn unless_it_blocks<T>(outcome: io::Result<T>) -> Poll<io::Result<T>> {
    match outcome {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
        outcome => Poll::Ready(outcome),
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(context, buffer),
            #[cfg(unix)]
            Self::Unix(stream) => Pin::new(stream).poll_read(context, buffer),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_read(context, buffer),
            detached => unless_it_blocks(detached.read_now(buffer.initialize_unfilled()))
                .map_ok(|count| buffer.advance(count)),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
            #[cfg(unix)]
            Self::Unix(stream) => Pin::new(stream).poll_write(context, bytes),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_write(context, bytes),
            detached => unless_it_blocks(detached.write_now(bytes)),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(context),
            #[cfg(unix)]
            Self::Unix(stream) => Pin::new(stream).poll_flush(context),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(context),
            // What a system's socket has taken needs no flush.
            _ => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            #[cfg(unix)]
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(context),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(context),
            detached => {
                let ended = detached.system()?.shutdown(std::net::Shutdown::Write);
                Poll::Ready(ended)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn a_detached_socket_carries_on_and_waits_again_once_it_is_attached() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await;
        let mut socket = Socket::Tcp(stream.unwrap());
        let (mut peer, _) = listener.accept().unwrap();
        let mut byte = [0];

        socket.detach().unwrap();
        socket.write_all(b"a").await.unwrap();
        peer.read_exact(&mut byte).unwrap();
        let nothing = socket.read_now(&mut byte).unwrap_err();
        assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);

        socket.attach().unwrap();
        let (read, ()) = tokio::join!(socket.read_exact(&mut byte), async {
            peer.write_all(b"b").unwrap();
        });
        read.unwrap();
        assert_eq!(byte, *b"b");
    }
}
