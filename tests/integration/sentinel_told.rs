//! What a sentinel tells of its own accord: each of the two messages is enough.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::SystemTime;

use redis_manager::ReplayFilter;
use redis_manager::prelude::*;
use redis_manager_support::TestServer;

use crate::fixture::{Host, PATIENCE, PROTOCOLS, eventually};
use crate::reconnect::{expect_lost, open, options, verdict};

const SWITCHED: &str = "+switch-master";
const PROMOTED: &str = "+promoted-slave";

/// Names a master, and tells of another when it is told to, and only to whoever has subscribed to just that message.
struct TellingSentinel {
    port: u16,
    state: Arc<Mutex<State>>,
}

struct State {
    master: u16,
    /// How often it was asked for it.
    asked: usize,
    /// Who has subscribed to what.
    subscribers: Vec<(&'static str, TcpStream)>,
}

impl TellingSentinel {
    fn naming(master: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State {
            master,
            asked: 0,
            subscribers: Vec::new(),
        }));
        let serving = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let state = Arc::clone(&serving);
                thread::spawn(move || serve(stream, &state));
            }
        });
        Self { port, state }
    }

    fn asked(&self) -> usize {
        self.state.lock().unwrap().asked
    }

    fn tell(&self, channel: &str, payload: &str, master: u16) {
        let mut state = self.state.lock().unwrap();
        state.master = master;
        let message = array(&["message", channel, payload]);
        for (subscribed, stream) in &mut state.subscribers {
            if *subscribed == channel {
                let _ = stream.write_all(message.as_bytes());
            }
        }
    }
}

fn serve(mut stream: TcpStream, state: &Mutex<State>) {
    let mut request = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut request) {
        let said = String::from_utf8_lossy(&request[..count]);
        let mut state = state.lock().unwrap();
        let mut answer = String::new();
        if said.contains("GET-MASTER-ADDR-BY-NAME") {
            answer += &array(&["127.0.0.1", &state.master.to_string()]);
            state.asked += 1;
        }
        for channel in [SWITCHED, PROMOTED] {
            if said.contains(channel) {
                answer += &format!("*3\r\n$9\r\nsubscribe\r\n{}:1\r\n", bulk(channel));
                state
                    .subscribers
                    .push((channel, stream.try_clone().unwrap()));
            }
        }
        if said.contains("PING") {
            answer += &array(&["pong", ""]);
        }
        if stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

fn bulk(text: &str) -> String {
    format!("${}\r\n{text}\r\n", text.len())
}

fn array(words: &[&str]) -> String {
    let bulks: String = words.iter().map(|word| bulk(word)).collect();
    format!("*{}\r\n{bulks}", words.len())
}

#[test]
fn each_of_the_two_messages_alone_has_clients_go_to_the_other_master() {
    let [old, new] = [(); 2].map(|()| TestServer::start());
    let (from, to) = (old.port(), new.port());
    let switched = format!("main 127.0.0.1 {from} 127.0.0.1 {to}");
    let promoted = format!("slave 127.0.0.1:{to} 127.0.0.1 {to} @ main 127.0.0.1 {from}");
    for (channel, payload) in [(SWITCHED, switched), (PROMOTED, promoted)] {
        for protocol in PROTOCOLS {
            let (host, sentinel) = (Host::new(), TellingSentinel::naming(from));
            let url = format!("redis-sentinel://127.0.0.1:{}#main", sentinel.port);
            let client: RedisCommandClient = open(&host, &url, options(protocol));
            let pubsub: RedisPubSubClient = open(&host, &url, options(protocol));
            let (sender, told) = mpsc::channel();
            let listening = pubsub.listener(&*host.name).with_gaps();
            listening
                .register(move |event: &ListenerEvent| Ok(sender.send(event.clone())?))
                .unwrap();
            let mut session = client.session().unwrap();
            let () = session.set(&host.name, "of the old one").unwrap();
            eventually("it is listened to", || {
                sentinel.state.lock().unwrap().subscribers.len() == 2
            });
            let mut events = [client.events(), pubsub.events()];
            // Nothing has failed, and nothing is going to.
            let before = SystemTime::now();
            sentinel.tell(channel, &payload, to);
            for events in &mut events {
                let cause = expect_lost(events);
                let message = cause.message();
                assert!(message.contains("have another master"), "{message}");
            }
            let of_the_old = verdict(session.get::<_, String>(&host.name));
            assert_eq!(of_the_old.0, ErrorKind::Disconnected);
            let () = client.session().unwrap().set(&host.name, "other").unwrap();
            assert_eq!(new.run(&["GET", &host.name]).text(), "other");
            let () = client.commands().set(&host.name, channel).unwrap();
            assert_eq!(new.run(&["GET", &host.name]).text(), channel);
            eventually("the listener is there too", || {
                new.run(&["PUBLISH", &host.name, "m"]).as_int() == Some(1)
            });
            match told.recv_timeout(PATIENCE).unwrap() {
                // It was certain to be heard no longer than the old one was.
                ListenerEvent::Gap(gap) => assert!(gap.since <= before, "{gap:?}"),
                event => panic!("{event:?}"),
            }
            assert!(host.manager.unload_script(&host.script).is_clean());
        }
    }
}

#[test]
fn a_master_that_does_not_answer_is_waited_for_no_longer_than_it_is_the_master() {
    let accepting = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = accepting.local_addr().unwrap().port();
    for protocol in PROTOCOLS {
        let [old, new] = [(); 2].map(|()| TestServer::start());
        let (host, sentinel) = (Host::new(), TellingSentinel::naming(old.port()));
        let url = format!("redis-sentinel://127.0.0.1:{}#main", sentinel.port);
        let patient = options(protocol).connect_timeout(Duration::from_secs(3_600));
        let client: RedisCommandClient = open(&host, &url, patient);
        eventually("it is listened to", || {
            sentinel.state.lock().unwrap().subscribers.len() == 2
        });
        // It is asked, and names this one; nobody is told so.
        sentinel.state.lock().unwrap().master = silent;
        let asked = sentinel.asked();
        let mut events = client.events();
        old.kill().unwrap();
        expect_lost(&mut events);
        eventually("it is asked", || sentinel.asked() > asked);
        let to = new.port();
        let switched = format!("main 127.0.0.1 {silent} 127.0.0.1 {to}");
        sentinel.tell(SWITCHED, &switched, to);
        let () = client.commands().set("k", "v").unwrap();
        assert_eq!(new.run(&["GET", "k"]).text(), "v");
        assert!(host.manager.unload_script(&host.script).is_clean());
    }
}

#[test]
fn what_the_replay_filter_names_is_sent_to_the_other_master_and_nothing_else() {
    for protocol in PROTOCOLS {
        let [old, new] = [(); 2].map(|()| TestServer::start());
        let (host, sentinel) = (Host::new(), TellingSentinel::naming(old.port()));
        let url = format!("redis-sentinel://127.0.0.1:{}#main", sentinel.port);
        let filter = ReplayFilter::commands(["get"]);
        let client: RedisCommandClient = open(&host, &url, options(protocol).replay(filter));
        eventually("it is listened to", || {
            sentinel.state.lock().unwrap().subscribers.len() == 2
        });
        new.run(&["SET", "k", "of the new one"]);
        old.pause().unwrap();
        thread::scope(|scope| {
            let named = scope.spawn(|| client.commands().get::<_, String>("k"));
            eventually("it is sent", || client.snapshot().in_flight == 1);
            let other = scope.spawn(|| client.commands().incr::<_, _, i64>("n", 1));
            eventually("both are sent", || client.snapshot().in_flight == 2);
            let (from, to) = (old.port(), new.port());
            let switched = format!("main 127.0.0.1 {from} 127.0.0.1 {to}");
            sentinel.tell(SWITCHED, &switched, to);
            assert_eq!(named.join().unwrap().unwrap(), "of the new one");
            let lost = (ErrorKind::Disconnected, Some(Delivery::Unknown));
            assert_eq!(verdict(other.join().unwrap()), lost);
        });
        assert_eq!(new.run(&["EXISTS", "n"]).as_int(), Some(0));
        old.resume().unwrap();
        assert!(host.manager.unload_script(&host.script).is_clean());
    }
}
