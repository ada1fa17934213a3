//! A server that answers as it is told to.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use redis_manager::redis::Value;
use redis_manager_core::resp::{Decoder, DecoderLimits};

/// What a lie consists of.
#[derive(Clone, Debug, Default)]
pub(super) struct Lie {
    /// Sent at once, in one piece.
    pub(super) bytes: Vec<u8>,
    /// Whether the server hangs up behind it. Otherwise it goes on, honestly.
    pub(super) hangs_up: bool,
}

/// Answers `GET ok` well, any other GET with its lie, and `+OK` to all else. Ends with the process.
pub(super) struct Liar {
    port: u16,
    lie: Arc<Mutex<Lie>>,
    connections: Arc<AtomicUsize>,
}

impl Liar {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let liar = Self {
            port: listener.local_addr().unwrap().port(),
            lie: Arc::default(),
            connections: Arc::default(),
        };
        let (lie, connections) = (Arc::clone(&liar.lie), Arc::clone(&liar.connections));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                connections.fetch_add(1, SeqCst);
                let lie = Arc::clone(&lie);
                std::thread::spawn(move || serve(stream, &lie));
            }
        });
        liar
    }

    pub(super) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.load(SeqCst)
    }

    pub(super) fn prepare(&self, lie: Lie) {
        *self.lie.lock().unwrap() = lie;
    }
}

fn serve(mut stream: TcpStream, lie: &Mutex<Lie>) {
    stream.set_nodelay(true).unwrap();
    let mut requests = Decoder::new(DecoderLimits::default());
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        requests.feed(&buffer[..count]);
        while let Some(request) = requests.next_value().unwrap() {
            let told = answer(&request, lie);
            if stream.write_all(&told.bytes).is_err() || told.hangs_up {
                return;
            }
        }
    }
}

fn answer(request: &Value, lie: &Mutex<Lie>) -> Lie {
    let Value::Array(words) = request else {
        panic!("{request:?}");
    };
    let word = |index: usize| match words.get(index) {
        Some(Value::BulkString(word)) => word.as_slice(),
        _ => &[],
    };
    let honest = |bytes: &[u8]| Lie {
        bytes: bytes.to_vec(),
        hangs_up: false,
    };
    match (word(0), word(1)) {
        (b"GET", b"ok") => honest(b"$2\r\nok\r\n"),
        (b"GET", _) => lie.lock().unwrap().clone(),
        _ => honest(b"+OK\r\n"),
    }
}
