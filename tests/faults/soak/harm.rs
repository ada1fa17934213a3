//! What happens to the server.

use std::time::Duration;

use tokio::time::sleep;

use super::Soak;
use crate::random::Random;

impl Soak {
    /// One of the things that happen to servers.
    pub(super) async fn harm(&self, random: &mut Random) {
        match random.below(8) {
            0 => {
                let epoch = self.epoch.write().await;
                self.close_epoch();
                self.server.kill().unwrap();
                sleep(Duration::from_millis(random.below(1_000))).await;
                self.server.restart().unwrap();
                drop(epoch);
            }
            1 | 2 => {
                self.server.pause().unwrap();
                sleep(Duration::from_millis(random.below(1_500))).await;
                self.server.resume().unwrap();
            }
            3 => {
                self.server.run(&["CLIENT", "KILL", "TYPE", "normal"]);
                self.server.run(&["CLIENT", "KILL", "TYPE", "pubsub"]);
            }
            _ => {
                let clients = self.server.clients().unwrap();
                let some = random.below(clients.len().max(1) as u64) as usize;
                for client in clients.iter().skip(some).take(3) {
                    // One that is gone by itself meanwhile is an error reply.
                    let id = client.id.to_string();
                    let _ = self.server.command(&["CLIENT", "KILL", "ID", &id]).unwrap();
                }
            }
        }
    }
}
