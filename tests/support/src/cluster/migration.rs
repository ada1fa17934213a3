//! Slots that go from one node to another.

use crate::cluster::TestCluster;
use crate::reply::Reply;
use crate::server::TestServer;

/// How many keys go at once.
const KEYS: &str = "100";
/// How long replicas may take at most, in milliseconds.
const WAIT: &str = "10000";

impl TestCluster {
    /// Moves a slot that nobody has moved yet, with all its keys, and returns when its old and its new owner say so. The
    /// others hear of it from them.
    #[track_caller]
    pub fn migrate(&self, slot: u16, to: &TestServer) {
        self.begin_migration(slot, to);
        self.finish_migration(slot, to);
    }

    /// From now on the owner answers ASK for keys of the slot that it does not have.
    #[track_caller]
    pub fn begin_migration(&self, slot: u16, to: &TestServer) {
        let from = self.owner(slot);
        // Or both would claim it by the same epoch, and in the end neither has it.
        self.wait("both ends know each other", |cluster| {
            cluster.knows_epoch(from, to) && cluster.knows_epoch(to, from)
        });
        let number = slot.to_string();
        let importing = ["CLUSTER", "SETSLOT", &number, "IMPORTING", self.id(from)];
        to.run(&importing);
        from.run(&["CLUSTER", "SETSLOT", &number, "MIGRATING", self.id(to)]);
    }

    /// Moves one key of a slot whose migration has begun.
    #[track_caller]
    pub fn migrate_key(&self, key: &str, to: &TestServer) {
        self.migrate_keys(self.owner_of(key), &[key.as_bytes().to_vec()], to);
    }

    /// Moves the keys that are left, and then the slot, and waits until the replicas of both ends know it.
    #[track_caller]
    pub fn finish_migration(&self, slot: u16, to: &TestServer) {
        let from = self.owner(slot);
        let number = slot.to_string();
        loop {
            let keys = from.run(&["CLUSTER", "GETKEYSINSLOT", &number, KEYS]);
            if keys.items().is_empty() {
                break;
            }
            let key = |key: &Reply| match key {
                Reply::Bulk(Some(key)) => key.clone(),
                other => other.text().into_bytes(),
            };
            let keys: Vec<_> = keys.items().iter().map(key).collect();
            self.migrate_keys(from, &keys, to);
        }
        // Who takes the slot must know before who gives it, so that at each moment one has it.
        for node in [to, from] {
            node.run(&["CLUSTER", "SETSLOT", &number, "NODE", self.id(to)]);
        }
        // One that was promoted now would have lost the keys, or would have them still and keep the slot from ever coming
        // back (BUSYKEY). A replica that has just been synchronized is called online before it gets anything more.
        for node in [to, from] {
            let replicas = self.replicas_of(node).len().to_string();
            node.run(&["WAIT", &replicas, WAIT]);
        }
    }

    #[track_caller]
    fn migrate_keys(&self, from: &TestServer, keys: &[Vec<u8>], to: &TestServer) {
        let port = self.port(to).to_string();
        let mut migrate: Vec<&[u8]> = ["MIGRATE", "127.0.0.1", &port, "", "0", "10000"]
            .map(str::as_bytes)
            .to_vec();
        if let Some(password) = to.password() {
            migrate.extend([b"AUTH", password.as_bytes()]);
        }
        migrate.push(b"KEYS");
        migrate.extend(keys.iter().map(Vec::as_slice));
        from.run(&migrate);
    }
}
