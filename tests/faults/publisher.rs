//! Who publishes from outside, with nothing of the library in between.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use redis_manager::redis::cmd;
use redis_manager_support::TestServer;

use crate::harness::PATIENCE;

pub(crate) struct Publisher(BufReader<TcpStream>);

impl Publisher {
    pub(crate) fn connect(server: &TestServer) -> Self {
        let stream = TcpStream::connect((server.host(), server.port())).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(BufReader::new(stream))
    }

    /// Publishes the payloads on their channels in one go, and returns how many received each.
    pub(crate) fn publish(&mut self, messages: &[(String, String)]) -> Vec<u64> {
        let mut requests = Vec::new();
        for (channel, payload) in messages {
            let mut publish = cmd("PUBLISH");
            publish.arg(channel).arg(payload);
            requests.extend_from_slice(&publish.get_packed_command());
        }
        self.0.get_mut().write_all(&requests).unwrap();
        messages.iter().map(|_| self.receivers()).collect()
    }

    fn receivers(&mut self) -> u64 {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line[1..].trim_end().parse().unwrap()
    }
}
