//! A host that has several addresses.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::sleep;

/// After which the next address is tried as well: one that cannot be reached may never say so. As RFC 8305 recommends.
const HEAD_START: Duration = Duration::from_millis(250);

/// Connects to `port` of `host`, by whichever of its addresses answers first. They are tried in the system's order.
pub(super) async fn connect_to(host: &str, port: u16) -> io::Result<TcpStream> {
    let addresses: Vec<_> = lookup_host((host, port)).await?.collect();
    match addresses.as_slice() {
        [only] => TcpStream::connect(only).await,
        // Boxed, because it is large and most have one.
        all => Box::pin(connect_to_any(all)).await,
    }
}

async fn connect_to_any(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut untried = addresses.iter();
    let mut trying = FuturesUnordered::new();
    let mut failure = None;
    loop {
        match untried.next() {
            Some(address) => trying.push(TcpStream::connect(address)),
            None if trying.is_empty() => return Err(failure.unwrap_or_else(nowhere)),
            None => {}
        }
        tokio::select! {
            Some(outcome) = trying.next() => match outcome {
                Ok(stream) => return Ok(stream),
                Err(error) => failure = Some(error),
            },
            () = sleep(HEAD_START), if untried.len() > 0 => {}
        }
    }
}

fn nowhere() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "its name has no address")
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn listener() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    /// One that refuses.
    fn closed() -> SocketAddr {
        listener().1
    }

    /// One that says nothing for as long as what this returns lives.
    fn silent() -> (SocketAddr, impl Sized) {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
        let socket = socket.unwrap();
        socket
            .bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into())
            .unwrap();
        socket.listen(0).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        // Until there is no place for one more.
        let connect = || std::net::TcpStream::connect_timeout(&address, HEAD_START).ok();
        let filling: Vec<_> = std::iter::from_fn(connect).collect();
        (address, (socket, filling))
    }

    #[tokio::test]
    async fn one_that_is_silent_or_refuses_keeps_nobody_from_the_next() {
        let ((silent, _held), (_listener, there)) = (silent(), listener());
        for addresses in [
            vec![there],
            vec![silent, there],
            vec![closed(), there],
            vec![closed(), silent, there],
        ] {
            let connected = connect_to_any(&addresses).await.unwrap();
            assert_eq!(connected.peer_addr().unwrap(), there, "{addresses:?}");
        }
    }

    #[tokio::test]
    async fn if_none_answers_the_error_is_that_of_one() {
        let refused = connect_to_any(&[closed(), closed()]).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        let nowhere = connect_to_any(&[]).await.unwrap_err();
        assert_eq!(nowhere.kind(), io::ErrorKind::NotFound);
    }

    #[tokio::test]
    async fn a_host_is_a_name_or_an_address() {
        let (_listener, there) = listener();
        for host in ["127.0.0.1", "localhost"] {
            let connected = connect_to(host, there.port()).await.unwrap();
            assert_eq!(connected.peer_addr().unwrap(), there);
        }
    }
}
