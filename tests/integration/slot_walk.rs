//! Every command of the server in a cluster: it comes to the node of its keys.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use redis_manager::ErrorKind;
use redis_manager::prelude::*;
use redis_manager::redis::Value;
use redis_manager_support::{Reply, TestServer};

use crate::namespace_walk::{Line, calls, command, names, raw_reply, serve};

const NODES: usize = 16;

/// Nodes that have the commands of the real server and as many slots each, and do nothing: they keep what they are asked.
struct Recorders {
    ports: Vec<u16>,
    /// With the number of the node.
    asked: Arc<Mutex<Vec<(usize, Line)>>>,
}

impl Recorders {
    fn start() -> Self {
        let commands = Arc::new(raw_reply(b"*1\r\n$7\r\nCOMMAND\r\n"));
        let bind = |_| TcpListener::bind("127.0.0.1:0").unwrap();
        let listeners: Vec<_> = (0..NODES).map(bind).collect();
        let port = |listener: &TcpListener| listener.local_addr().unwrap().port();
        let ports: Vec<u16> = listeners.iter().map(port).collect();
        let slots = Arc::new(cluster_slots(&ports));
        let asked = Arc::<Mutex<Vec<(usize, Line)>>>::default();
        for (node, listener) in listeners.into_iter().enumerate() {
            let (kept, commands, slots) = (asked.clone(), commands.clone(), slots.clone());
            std::thread::spawn(move || {
                for socket in listener.incoming() {
                    let (kept, commands, slots) = (kept.clone(), commands.clone(), slots.clone());
                    let keep = move |line| kept.lock().unwrap().push((node, line));
                    std::thread::spawn(move || {
                        let told: [(&[&str], &[u8]); 2] =
                            [(&["COMMAND"], &commands), (&["CLUSTER", "SLOTS"], &slots)];
                        serve(socket.unwrap(), keep, &told);
                    });
                }
            });
        }
        Self { ports, asked }
    }

    /// What was asked of the command `name` since it was looked at last.
    fn take(&self, name: &[String]) -> Vec<(usize, Line)> {
        let mut asked = std::mem::take(&mut *self.asked.lock().unwrap());
        asked.retain(|(_, line)| {
            let is_same = |(word, name): (&Vec<u8>, &String)| word == name.as_bytes();
            line.len() >= name.len() && line.iter().zip(name).all(is_same)
        });
        asked
    }
}

/// The reply to CLUSTER SLOTS.
fn cluster_slots(ports: &[u16]) -> Vec<u8> {
    let size = 16_384 / NODES;
    let entries = ports.iter().enumerate().map(|(node, port)| {
        let (first, last) = (node * size, (node + 1) * size - 1);
        format!("*3\r\n:{first}\r\n:{last}\r\n*2\r\n$9\r\n127.0.0.1\r\n:{port}\r\n")
    });
    let entries: String = entries.collect();
    format!("*{NODES}\r\n{entries}").into_bytes()
}

/// The node that has the slot of `key`, by the cluster's specification.
fn node_of(key: &[u8]) -> usize {
    let tag = key
        .strip_prefix(b"{")
        .and_then(|key| key.split(|byte| *byte == b'}').next());
    let crc = tag.unwrap_or(key).iter().fold(0_u16, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| match crc & 0x8000 {
            0 => crc << 1,
            _ => (crc << 1) ^ 0x1021,
        })
    });
    usize::from(crc) % 16_384 / (16_384 / NODES)
}

/// The nodes of the keys that the real server finds in `line`; `None` if it finds none.
fn nodes_of<T: AsRef<[u8]>>(line: &[T]) -> Option<BTreeSet<usize>> {
    let mut question: Line = vec![b"COMMAND".to_vec(), b"GETKEYS".to_vec()];
    question.extend(line.iter().map(|word| word.as_ref().to_vec()));
    let reply = TestServer::shared().command(&question).unwrap();
    let keys = match &reply {
        Reply::Error(_) => return None,
        keys => keys.items(),
    };
    let nodes = keys.iter().map(|key| node_of(key.text().as_bytes()));
    Some(nodes.collect()).filter(|nodes: &BTreeSet<_>| !nodes.is_empty())
}

/// The same call with all its keys in one slot.
fn tagged(call: &[String]) -> Vec<String> {
    let is_key = |word: &String| word.starts_with('k') && word.len() == 2;
    let tag = |word: &String| match is_key(word) {
        true => format!("{{tag}}{word}"),
        false => word.clone(),
    };
    call.iter().map(tag).collect()
}

#[test]
fn every_command_of_this_server_comes_to_the_node_of_its_keys() {
    let recorders = Recorders::start();
    let manager = RedisManager::new().unwrap();
    let script = manager.load_script("walk").unwrap();
    let uri = format!("redis-cluster://127.0.0.1:{}", recorders.ports[0]);
    let client = manager
        .open::<RedisCommandClient>(&script, uri.as_str())
        .unwrap();
    let mut commands = client.commands();
    let (mut whole, mut split, mut crossed) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let mut unfit = BTreeSet::new();
    for name in names() {
        let full = name.join(" ");
        for call in calls(&name)
            .iter()
            .flat_map(|call| [call.clone(), tagged(call)])
        {
            let Some(nodes) = nodes_of(&call) else {
                continue;
            };
            recorders.take(&name);
            let outcome = command(&call).query::<Value>(&mut commands);
            let sent = recorders.take(&name);
            let error = outcome.err().map(Error::from);
            let is_crossed = error
                .as_ref()
                .is_some_and(|error| error.code() == Some("CROSSSLOT"));
            if sent.is_empty() && is_crossed {
                crossed.insert(full.clone());
                continue;
            }
            if sent.is_empty() {
                // What a shared connection cannot carry.
                let error = error.unwrap_or_else(|| panic!("{call:?} was not sent"));
                assert_eq!(error.kind(), ErrorKind::Refused, "{call:?}: {error}");
                continue;
            }
            if let [(node, line)] = sent.as_slice()
                && nodes_of(line).is_none()
            {
                // No server runs it; one of those that have a key says why.
                assert!(nodes.contains(node), "{call:?}: {sent:?}");
                unfit.insert(full.clone());
                continue;
            }
            let mut all = BTreeSet::new();
            for (node, line) in &sent {
                let is_whole = line.iter().eq(call.iter().map(String::as_bytes));
                let own = match is_whole {
                    true => Some(nodes.clone()),
                    false => nodes_of(line),
                };
                assert_eq!(own, Some(BTreeSet::from([*node])), "{call:?}: {sent:?}");
                all.insert(*node);
            }
            assert_eq!(all, nodes, "{call:?}: {sent:?}");
            let words = call.iter().map(String::as_bytes);
            match sent.as_slice() {
                [(_, only)] => {
                    assert!(only.iter().eq(words), "{call:?}: {sent:?}");
                    whole.insert(full.clone());
                }
                parts => {
                    let behind_names = parts.iter().map(|(_, line)| line.len() - name.len());
                    assert_eq!(
                        behind_names.sum::<usize>() + name.len(),
                        words.len(),
                        "{sent:?}"
                    );
                    split.insert(full.clone());
                }
            }
        }
    }
    let expected = ["del", "exists", "mget", "mset", "touch", "unlink"];
    assert!(split.iter().eq(expected), "{split:?}");
    assert!(expected.iter().all(|name| !crossed.contains(*name)));
    assert!(unfit.iter().eq(["mset"]), "{unfit:?}");
    for name in [
        "rename",
        "eval",
        "zunionstore",
        "blpop",
        "xread",
        "sort",
        "msetnx",
    ] {
        assert!(crossed.contains(name), "{name}: {crossed:?}");
        assert!(whole.contains(name), "{name}: {whole:?}");
    }
    assert!(whole.len() > 150, "{whole:?}");
}
