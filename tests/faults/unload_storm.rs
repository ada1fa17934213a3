//! Scripts whose clients are in every state there is, all unloaded at the same moment: nothing of them is
//! left, and nothing of them comes back.

mod callbacks;
mod ghosts;
mod party;
mod storm;

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use redis_manager::UnloadReport;
use tokio::task::spawn_blocking;

use crate::harness::{Run, eventually};
use crate::process::open_files;
use storm::Storm;

const SHUTDOWN: Duration = Duration::from_millis(500);
const GONE_WITHIN: Duration = Duration::from_millis(200);
const AT_ONCE: Duration = Duration::from_millis(10);
/// Of the threads for callbacks, that the rest serve the other listeners.
const BLOCKED_LISTENERS: usize = 8;

#[test]
fn nothing_is_left_of_clients_in_any_state_that_are_all_unloaded_at_once_and_nothing_returns() {
    Run::on_runtime("unload_storm", async |run| {
        let storm = Arc::new(Storm::new());
        let (files, tasks) = storm.at_rest();
        let count = run.scale(40, 1_000);

        let mut parties: Vec<_> = stream::iter(0..count)
            .map(|index| storm.settle_in(index))
            .buffer_unordered(32)
            .collect()
            .await;
        storm.gone.kill().unwrap();
        storm.stalled.pause().unwrap();
        for party in &mut parties {
            storm.cut_off(party).await;
        }
        storm.expect_everybody_in_place(&parties, files);

        let publishing = spawn_blocking({
            let storm = Arc::clone(&storm);
            move || {
                while !storm.callbacks.over.load(SeqCst) {
                    storm.live.run(&["PUBLISH", "busy", "message"]);
                    std::thread::sleep(Duration::from_millis(50));
                }
            }
        });
        let scripts = parties.iter().map(|party| party.script.clone()).collect();
        let (began, reports) = storm.unload(scripts).await;
        storm.callbacks.over.store(true, SeqCst);
        eventually("no socket and no task is left", || {
            open_files() == files && storm.manager.resources().alive_tasks() == tasks
        });
        let late = began.elapsed().saturating_sub(SHUTDOWN);
        // Not before: its pauses are not the library's.
        publishing.await.unwrap();
        run.report(
            &format!("{count} scripts gone after the deadline (≤ {GONE_WITHIN:?})"),
            format!("{late:.1?}"),
        );
        // Its own account: whether the library was late, or something around it.
        let slowest = reports.iter().map(UnloadReport::elapsed).max();
        run.report(
            &format!("the slowest script took (deadline {SHUTDOWN:?})"),
            format!("{:.1?}", slowest.unwrap()),
        );
        assert!(reports.iter().all(|report| report.failed().count() == 0));
        let clients: usize = reports.iter().map(|report| report.clients().len()).sum();
        run.report("clients closed", clients);

        let mut answers = Vec::new();
        for party in parties {
            party.expect_closed(&mut answers).await;
        }
        storm.expect_silence().await;
        storm.expect_no_ghosts(run).await;
        run.report_times("an escaped handle answers", &mut answers, AT_ONCE);
        assert!(!run.is_long() || late <= GONE_WITHIN, "{late:?}");
    });
}
