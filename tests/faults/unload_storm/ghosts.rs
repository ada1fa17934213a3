//! Connections that come back after their script is gone.

use std::time::Duration;

use redis_manager_support::TestServer;
use tokio::time::sleep;

use super::storm::Storm;
use crate::harness::{Run, eventually};

impl Storm {
    pub(super) async fn expect_no_ghosts(&self, run: &Run) {
        assert!(self.live.clients().unwrap().is_empty());
        self.stalled.resume().unwrap();
        eventually("the stalled server has seen all of them go", || {
            self.stalled.clients().unwrap().is_empty()
        });
        let connections = [&self.live, &self.stalled].map(connections_ever);
        sleep(run.scale(Duration::from_secs(2), Duration::from_secs(15))).await;
        self.gone.restart().unwrap();
        let returned = connections_ever(&self.gone);
        // Five times what a client waits at most before it tries again.
        sleep(Duration::from_secs(1)).await;
        assert!(self.gone.clients().unwrap().is_empty());
        assert_eq!(connections_ever(&self.gone), returned);
        assert_eq!(
            [&self.live, &self.stalled].map(connections_ever),
            connections
        );
    }
}

/// How many connections the server has taken since it runs.
fn connections_ever(server: &TestServer) -> i64 {
    let info = server.run(&["INFO", "stats"]).text();
    let name = "total_connections_received:";
    let count = info.lines().find_map(|line| line.strip_prefix(name));
    count.unwrap().trim().parse().unwrap()
}
