//! Messages as fast as they are heard, and who hears them.

use std::array;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use crate::contestant::raw_socket::command;
use crate::usage::thread_cpu;

pub(crate) const CHANNEL: &str = "compare:channel";

/// Messages of one write.
const BURST: usize = 512;
/// Bursts that are under way: the next is sent when the one before the last was heard by everybody, and so
/// nobody is ever more than 1 024 messages behind.
const UNDER_WAY: usize = 2;
/// Bursts that are encoded beforehand. After them the numbers begin anew.
const CYCLE: usize = 16;

/// A thread that publishes over a socket of its own, whose replies are off.
pub(crate) struct Source {
    payloads: Vec<[u8; 32]>,
    ears: usize,
    /// How many have not heard the burst to its end, by burst.
    awaited: [AtomicUsize; 2 * UNDER_WAY],
    /// When the burst was sent, in nanoseconds.
    sent: [AtomicU64; 2 * UNDER_WAY],
    heard: AtomicUsize,
    started: Instant,
    cpu_nanos: AtomicU64,
    thread: OnceLock<Thread>,
    is_timed: AtomicBool,
}

impl Source {
    /// For so many listeners.
    pub(crate) fn new(ears: usize) -> Arc<Self> {
        let payload = |number| {
            let text = format!("{number:032}");
            array::from_fn(|index| text.as_bytes()[index])
        };
        Arc::new(Self {
            payloads: (0..CYCLE * BURST).map(payload).collect(),
            ears,
            awaited: array::from_fn(|_| AtomicUsize::new(ears)),
            sent: array::from_fn(|_| AtomicU64::new(0)),
            heard: AtomicUsize::new(0),
            started: Instant::now(),
            cpu_nanos: AtomicU64::new(0),
            thread: OnceLock::new(),
            is_timed: AtomicBool::new(false),
        })
    }

    /// Begins, when everybody listens.
    pub(crate) fn start(self: &Arc<Self>, address: SocketAddr) {
        let mut socket = TcpStream::connect(address).expect("a connection");
        socket.set_nodelay(true).expect("TCP_NODELAY");
        let off = command(&[b"CLIENT", b"REPLY", b"OFF"]);
        socket.write_all(&off).expect("a write");
        let publish = |payload: &[u8; 32]| command(&[b"PUBLISH", CHANNEL.as_bytes(), payload]);
        let bursts: Vec<Vec<u8>> = self
            .payloads
            .chunks(BURST)
            .map(|payloads| payloads.iter().flat_map(publish).collect())
            .collect();
        let source = Arc::clone(self);
        thread::spawn(move || source.publish(&bursts, &mut socket));
    }

    fn publish(&self, bursts: &[Vec<u8>], socket: &mut TcpStream) {
        self.thread.get_or_init(thread::current);
        for number in 0.. {
            while number >= self.heard.load(Acquire) + UNDER_WAY {
                thread::park();
            }
            let slot = number % self.sent.len();
            self.sent[slot].store(self.now(), Relaxed);
            socket
                .write_all(&bursts[number % bursts.len()])
                .expect("a write");
            self.cpu_nanos
                .store(thread_cpu().as_nanos() as u64, Relaxed);
        }
    }

    fn now(&self) -> u64 {
        self.started.elapsed().as_nanos() as u64
    }

    /// Somebody has heard the whole burst.
    fn has_heard(&self, burst: usize) {
        let awaited = &self.awaited[burst % self.awaited.len()];
        if awaited.fetch_sub(1, AcqRel) == 1 {
            awaited.store(self.ears, Relaxed);
            self.heard.fetch_add(1, Release);
            if let Some(thread) = self.thread.get() {
                thread.unpark();
            }
        }
    }

    /// The processor time of the publishing, which is not the listeners'.
    pub(crate) fn cpu(&self) -> Duration {
        Duration::from_nanos(self.cpu_nanos.load(Relaxed))
    }

    pub(crate) fn set_timed(&self, is_timed: bool) {
        self.is_timed.store(is_timed, Relaxed);
    }
}

/// One listener. It has its own cache lines, as it would have its own state.
#[repr(align(128))]
pub(crate) struct Ear {
    source: Arc<Source>,
    next: AtomicUsize,
    latencies: Mutex<Vec<u64>>,
}

impl Ear {
    pub(crate) fn new(source: &Arc<Source>) -> Arc<Self> {
        Arc::new(Self {
            source: Arc::clone(source),
            next: AtomicUsize::new(0),
            latencies: Mutex::default(),
        })
    }

    /// The callback: checks that this is the message whose turn it is. Called by one thread at a time.
    pub(crate) fn hear(&self, payload: &[u8]) {
        let source = &self.source;
        let number = self.next.load(Relaxed);
        let expected = &source.payloads[number % source.payloads.len()];
        assert!(
            payload == expected,
            "message {number} is lost or not in order"
        );
        if source.is_timed.load(Relaxed) {
            let sent = source.sent[number / BURST % source.sent.len()].load(Relaxed);
            let nanos = source.now().saturating_sub(sent);
            self.latencies().push(nanos);
        }
        self.next.store(number + 1, Relaxed);
        if (number + 1).is_multiple_of(BURST) {
            source.has_heard(number / BURST);
        }
    }

    /// How many messages so far.
    pub(crate) fn heard(&self) -> u64 {
        self.next.load(Relaxed) as u64
    }

    pub(crate) fn take_latencies(&self) -> Vec<u64> {
        std::mem::take(&mut self.latencies())
    }

    fn latencies(&self) -> std::sync::MutexGuard<'_, Vec<u64>> {
        self.latencies
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
