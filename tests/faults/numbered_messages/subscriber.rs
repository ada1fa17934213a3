//! Who listens, and what came of it.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::SystemTime;

use redis_manager::prelude::*;
use redis_manager::{ListenerEvent, ListenerResult};
use redis_manager_support::TestServer;

use super::story::{Kill, Story};
use crate::harness::eventually;

pub(super) const CHANNEL: &str = "numbers";

/// A client whose only listener notes everything.
pub(super) struct Subscriber {
    name: &'static str,
    client: RedisPubSubClient,
    listener: ScriptPubSubListener,
    notes: Arc<Notes>,
    /// Empties the stream, if it is one.
    reader: Option<JoinHandle<()>>,
    kills: Mutex<Vec<Kill>>,
}

#[derive(Default)]
struct Notes {
    events: Mutex<Vec<ListenerEvent>>,
    last: AtomicU64,
}

impl Notes {
    fn note(&self, event: &ListenerEvent) -> ListenerResult {
        if let ListenerEvent::Message(message) = event {
            self.last.store(message.payload_str()?.parse()?, SeqCst);
        }
        self.events.lock().unwrap().push(event.clone());
        Ok(())
    }
}

impl Subscriber {
    pub(super) fn with_callback(
        manager: &RedisManager,
        script: &ScriptHandle,
        server: &TestServer,
        protocol: Protocol,
        queue: u64,
    ) -> Self {
        let name = "callback";
        let client = open(manager, script, server, protocol, name);
        let notes = Arc::new(Notes::default());
        let (builder, notebook) = (client.listener(CHANNEL), Arc::clone(&notes));
        let builder = builder.queue_size(queue as usize).with_gaps();
        let listener = builder.register(move |event: &ListenerEvent| notebook.note(event));
        Self {
            name,
            client,
            listener: listener.unwrap(),
            notes,
            reader: None,
            kills: Mutex::default(),
        }
    }

    pub(super) fn with_stream(
        manager: &RedisManager,
        script: &ScriptHandle,
        server: &TestServer,
        protocol: Protocol,
        queue: u64,
    ) -> Self {
        let name = "stream";
        let client = open(manager, script, server, protocol, name);
        let notes = Arc::new(Notes::default());
        let (builder, notebook) = (client.listener(CHANNEL), Arc::clone(&notes));
        let builder = builder.queue_size(queue as usize).with_gaps();
        let mut stream = builder.messages().unwrap();
        let listener = stream.handle().clone();
        let reader = thread::spawn(move || {
            while let Some(event) = stream.recv().unwrap() {
                notebook.note(&event).unwrap();
            }
        });
        Self {
            name,
            client,
            listener,
            notes,
            reader: Some(reader),
            kills: Mutex::default(),
        }
    }

    /// Kills the connection that listens, as soon as it does.
    pub(super) fn kill(&self, server: &TestServer) {
        let mut kill = None;
        eventually("it listens, to be killed", || {
            let clients = server.clients().unwrap();
            let mut named = clients.iter().filter(|client| client.name == self.name);
            let listens = named.find(|client| client.field("sub") == Some("1"));
            let Some(id) = listens.map(|client| client.id.to_string()) else {
                return false;
            };
            let began = SystemTime::now();
            let killed = server.run(&["CLIENT", "KILL", "ID", &id]).as_int() == Some(1);
            kill = killed.then(|| Kill {
                began,
                ended: SystemTime::now(),
            });
            killed
        });
        self.kills.lock().unwrap().extend(kill);
    }

    /// Closes the client once it has heard `last`.
    pub(super) fn finish(self, last: u64) -> Story {
        let notes = &self.notes;
        eventually("the last is heard", || notes.last.load(SeqCst) == last);
        assert_eq!(self.listener.dropped(), 0);
        self.client.close();
        if let Some(reader) = self.reader {
            reader.join().unwrap();
        }
        Story {
            name: self.name,
            events: std::mem::take(&mut self.notes.events.lock().unwrap()),
            kills: self.kills.into_inner().unwrap(),
        }
    }
}

fn open(
    manager: &RedisManager,
    script: &ScriptHandle,
    server: &TestServer,
    protocol: Protocol,
    name: &str,
) -> RedisPubSubClient {
    let options = ClientOptions::builder()
        .protocol(protocol)
        .reconnect_delay(Duration::from_millis(20))
        .listener_queue_bytes(1 << 30);
    let options = options.build().unwrap();
    let url = format!("{}?clientName={name}", server.url());
    manager.open_with(script, url, options).unwrap()
}
