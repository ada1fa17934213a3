//! A TCP proxy that can go silent in either direction, and cut what the server sends into segments.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use crate::random::Random;

/// What a packet of an Ethernet holds.
const SEGMENT: usize = 1_460;
/// In microseconds, before each segment.
const LONGEST_DELAY: u64 = 100;

/// Forwards connections to a server on this machine. Dropped, it closes them all.
pub(crate) struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    relays: Mutex<Vec<Weak<Relay>>>,
    accepted: AtomicUsize,
    stopped: AtomicBool,
    /// Of the delays between segments; without it what the server sends is forwarded as it comes.
    random: Option<Mutex<Random>>,
}

impl Proxy {
    /// Begins to forward to the server on `port`.
    pub(crate) fn start(port: u16) -> Self {
        Self::forward(port, None)
    }

    /// As [`Proxy::start`], and cuts what the server sends into segments with tiny random delays before them.
    pub(crate) fn start_with_segments(port: u16, random: Random) -> Self {
        Self::forward(port, Some(Mutex::new(random)))
    }

    fn forward(port: u16, random: Option<Mutex<Random>>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let proxy = Self {
            port: listener.local_addr().unwrap().port(),
            shared: Arc::new(Shared {
                random,
                ..Shared::default()
            }),
        };
        let shared = Arc::clone(&proxy.shared);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                if shared.stopped.load(SeqCst) {
                    return;
                }
                shared.accepted.fetch_add(1, SeqCst);
                // Where the server is down the client sees its connection closed.
                let server = TcpStream::connect((Ipv4Addr::LOCALHOST, port));
                if let (Ok(client), Ok(server)) = (client, server) {
                    shared.relay(client, server);
                }
            }
        });
        proxy
    }

    /// Where clients find it.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Makes the connections that are there now lose what clients send, or forward it again; those that
    /// are made later forward.
    pub(crate) fn swallow_requests(&self, swallows: bool) {
        self.shared.swallow(|relay| &relay.requests, swallows);
    }

    /// As [`Proxy::swallow_requests`], for what the server sends.
    pub(crate) fn swallow_replies(&self, swallows: bool) {
        self.shared.swallow(|relay| &relay.replies, swallows);
    }

    /// Closes the connections that are there now.
    pub(crate) fn cut(&self) {
        self.shared.each(Relay::close);
    }

    /// How many connections were made so far.
    pub(crate) fn connections(&self) -> usize {
        self.shared.accepted.load(SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.stopped.store(true, SeqCst);
        // Wakes the listening thread, which then ends.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
        self.shared.each(Relay::close);
    }
}

impl Shared {
    fn relay(&self, client: TcpStream, server: TcpStream) {
        client.set_nodelay(true).unwrap();
        server.set_nodelay(true).unwrap();
        let relay = Arc::new(Relay {
            requests: Direction::new(&client, &server, None),
            replies: Direction::new(&server, &client, self.fork_random()),
        });
        let mut relays = self.relays.lock().unwrap();
        relays.retain(|relay| relay.strong_count() > 0);
        relays.push(Arc::downgrade(&relay));
        drop(relays);
        let twin = Arc::clone(&relay);
        std::thread::spawn(move || twin.pump(&twin.requests));
        std::thread::spawn(move || relay.pump(&relay.replies));
    }

    fn fork_random(&self) -> Option<Mutex<Random>> {
        let random = self.random.as_ref()?;
        Some(Mutex::new(random.lock().unwrap().fork()))
    }

    fn each(&self, action: impl Fn(&Relay)) {
        let relays = self.relays.lock().unwrap();
        relays.iter().filter_map(Weak::upgrade).for_each(|relay| {
            action(&relay);
        });
    }

    fn swallow(&self, direction: impl Fn(&Relay) -> &Direction, swallows: bool) {
        self.each(|relay| direction(relay).swallows.store(swallows, SeqCst));
    }
}

/// One connection.
struct Relay {
    requests: Direction,
    replies: Direction,
}

struct Direction {
    from: TcpStream,
    to: TcpStream,
    swallows: AtomicBool,
    random: Option<Mutex<Random>>,
}

impl Direction {
    fn new(from: &TcpStream, to: &TcpStream, random: Option<Mutex<Random>>) -> Self {
        Self {
            from: from.try_clone().unwrap(),
            to: to.try_clone().unwrap(),
            swallows: AtomicBool::new(false),
            random,
        }
    }

    fn forward(&self, bytes: &[u8]) -> io::Result<()> {
        let Some(random) = &self.random else {
            return (&self.to).write_all(bytes);
        };
        for segment in bytes.chunks(SEGMENT) {
            let delay = random.lock().unwrap().below(LONGEST_DELAY);
            std::thread::sleep(Duration::from_micros(delay));
            (&self.to).write_all(segment)?;
        }
        Ok(())
    }
}

impl Relay {
    fn pump(&self, direction: &Direction) {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(count @ 1..) = (&direction.from).read(&mut buffer) {
            let swallows = direction.swallows.load(SeqCst);
            if !swallows && direction.forward(&buffer[..count]).is_err() {
                break;
            }
        }
        // A black hole swallows the end of a connection as well.
        if !direction.swallows.load(SeqCst) {
            self.close();
        }
    }

    fn close(&self) {
        let _ = self.requests.from.shutdown(Shutdown::Both);
        let _ = self.requests.to.shutdown(Shutdown::Both);
    }
}
