//! The limit: a blocking socket, requests encoded beforehand, replies compared as bytes.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use crate::item::Item;
use crate::measure::threads::Steps;
use crate::role::Load;

const READ_BUFFER: usize = 256 * 1024;
/// Small requests are repeated up to this, so that a write seldom meets the end of the cycle.
const CYCLE: usize = 64 * 1024;

/// Frames one after the other, read in a circle.
struct Frames {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    next: usize,
}

impl Frames {
    fn new(frames: &[Vec<u8>], repeats: usize) -> Self {
        let mut ends = Vec::with_capacity(frames.len() * repeats);
        let mut bytes = Vec::new();
        for frame in std::iter::repeat_n(frames, repeats).flatten() {
            bytes.extend_from_slice(frame);
            ends.push(bytes.len());
        }
        let next = 0;
        Self { bytes, ends, next }
    }

    fn start(&self) -> usize {
        match self.next {
            0 => 0,
            next => self.ends[next - 1],
        }
    }

    /// The next `count` frames, or those up to the end of the cycle.
    fn take(&mut self, count: usize) -> (usize, &[u8]) {
        let count = count.min(self.ends.len() - self.next);
        let start = self.start();
        let end = self.ends[self.next + count - 1];
        self.next = (self.next + count) % self.ends.len();
        (count, &self.bytes[start..end])
    }
}

/// A socket that keeps up to `depth` requests under way.
pub(crate) struct Window {
    socket: TcpStream,
    requests: Frames,
    replies: Frames,
    /// How far the next reply has come.
    arrived: usize,
    under_way: usize,
    depth: usize,
    /// How many of them have to be answered before others are sent.
    refill: usize,
    sent: VecDeque<(Instant, usize)>,
    buffer: Box<[u8]>,
}

impl Window {
    /// SET and GET of each item in turn; replies are waited for until `refill` of `depth` are there.
    pub(crate) fn of_keys(load: Load, items: &[Item], refill: usize) -> Self {
        let (mut requests, mut replies) = (Vec::new(), Vec::new());
        for Item { key, value } in items {
            requests.push(command(&[b"SET", key, value]));
            replies.push(b"+OK\r\n".to_vec());
            requests.push(command(&[b"GET", key]));
            replies.push(bulk(value));
        }
        Self::new(load, &requests, &replies, refill)
    }

    pub(crate) fn of_publishing(load: Load, items: &[Item], refill: usize) -> Self {
        let publish = |item: &Item| command(&[b"PUBLISH", &item.key, &item.value]);
        let requests: Vec<_> = items.iter().map(publish).collect();
        let replies = vec![b":0\r\n".to_vec(); requests.len()];
        Self::new(load, &requests, &replies, refill)
    }

    fn new(load: Load, requests: &[Vec<u8>], replies: &[Vec<u8>], refill: usize) -> Self {
        let socket = TcpStream::connect(load.address).expect("a connection");
        socket.set_nodelay(true).expect("TCP_NODELAY");
        let size: usize = requests.iter().map(Vec::len).sum();
        let repeats = CYCLE.div_ceil(size);
        Self {
            socket,
            requests: Frames::new(requests, repeats),
            replies: Frames::new(replies, repeats),
            arrived: 0,
            under_way: 0,
            depth: load.depth,
            refill,
            sent: VecDeque::new(),
            buffer: vec![0; READ_BUFFER].into_boxed_slice(),
        }
    }

    fn send(&mut self) {
        while self.under_way < self.depth {
            let (count, bytes) = self.requests.take(self.depth - self.under_way);
            self.socket.write_all(bytes).expect("a write");
            self.under_way += count;
        }
    }

    fn receive(&mut self) -> usize {
        let length = self.socket.read(&mut self.buffer).expect("a read");
        assert!(length > 0, "the server closed the connection");
        let mut received = &self.buffer[..length];
        let mut answered = 0;
        while !received.is_empty() {
            let from = self.replies.start() + self.arrived;
            let common = received.len().min(self.replies.bytes.len() - from);
            let (now, later) = received.split_at(common);
            assert!(
                now == &self.replies.bytes[from..from + common],
                "a wrong reply"
            );
            received = later;
            let position = from + common;
            let from_next = &self.replies.ends[self.replies.next..];
            let complete = from_next.iter().take_while(|end| **end <= position).count();
            answered += complete;
            self.replies.next += complete;
            self.arrived = position - self.replies.start();
            self.replies.next %= self.replies.ends.len();
        }
        self.under_way -= answered;
        answered
    }
}

impl Steps for Window {
    fn step(&mut self) -> u64 {
        self.send();
        let mut answered = 0;
        while answered < self.refill {
            answered += self.receive();
        }
        answered as u64
    }

    fn timed_step(&mut self, latencies: &mut Vec<u64>) -> u64 {
        let now = Instant::now();
        if self.sent.is_empty() {
            self.sent.push_back((now, self.under_way));
        }
        self.sent.push_back((now, self.depth - self.under_way));
        self.send();
        let mut answered = 0;
        while answered < self.refill {
            let mut count = self.receive();
            answered += count;
            let now = Instant::now();
            while let Some((sent, waiting)) = self.sent.front_mut()
                && count > 0
            {
                let taken = count.min(*waiting);
                let latency = now.duration_since(*sent).as_nanos() as u64;
                latencies.extend(std::iter::repeat_n(latency, taken));
                count -= taken;
                *waiting -= taken;
                if *waiting == 0 {
                    self.sent.pop_front();
                }
            }
        }
        answered as u64
    }
}

fn bulk(bytes: &[u8]) -> Vec<u8> {
    let mut frame = format!("${}\r\n", bytes.len()).into_bytes();
    frame.extend_from_slice(bytes);
    frame.extend_from_slice(b"\r\n");
    frame
}

pub(crate) fn command(arguments: &[&[u8]]) -> Vec<u8> {
    let mut frame = format!("*{}\r\n", arguments.len()).into_bytes();
    for argument in arguments {
        frame.extend(bulk(argument));
    }
    frame
}
