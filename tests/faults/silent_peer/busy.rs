//! A server that is only busy is left to its work.

use std::time::Instant;

use redis_manager::prelude::*;
use redis_manager_support::TestServer;

use super::{PROTOCOLS, options};
use crate::harness::Run;

/// Counts first, so that a second run of it shows, and then keeps the server from answering anybody.
const BUSY: &str = "redis.call('INCR', KEYS[1])
    for turn = 1, ARGV[1] do end
    return 'done'";

/// How many turns keep the server busy for `seconds`: no clock is there for scripts of every version.
fn turns(server: &TestServer, seconds: u64) -> u64 {
    const SOME: u64 = 10_000_000;
    let times = [(); 3].map(|()| {
        let began = Instant::now();
        server.run(&["EVAL", BUSY, "1", "trial", &SOME.to_string()]);
        began.elapsed()
    });
    let fastest = times.into_iter().min().unwrap_or_default();
    (SOME as f64 * seconds as f64 / fastest.as_secs_f64()) as u64
}

#[test]
fn a_server_that_is_busy_with_a_call_that_has_time_left_is_not_cut_and_runs_it_once() {
    let run = Run::begin("busy_server");
    let seconds = run.scale(4, 40);
    let heartbeat = run.scale(Duration::from_millis(500), Duration::from_secs(1));
    let silent_for_long = ["--lua-time-limit", "600000"];
    for protocol in PROTOCOLS {
        let server = TestServer::builder().args(silent_for_long).start_or_panic();
        let manager = RedisManager::new().unwrap();
        let script = manager.load_script("patient").unwrap();
        let patient = options(protocol).heartbeat(heartbeat);
        let patient = patient.command_timeout(Duration::from_secs(60)).build();
        let client: RedisCommandClient = manager
            .open_with(&script, server.url(), patient.unwrap())
            .unwrap();
        let turns = turns(&server, seconds);
        let before = server.clients().unwrap();
        let mut events = client.events();
        let began = Instant::now();
        let (mut eval, mut commands) = (client.async_commands(), client.async_commands());
        let mut busy = redis::cmd("EVAL");
        busy.arg(BUSY).arg(1).arg("runs").arg(turns);
        let (done, runs) = pollster::block_on(async {
            futures_util::join!(
                busy.query_async::<String>(&mut eval),
                commands.get::<_, u64>("runs"),
            )
        });
        assert_eq!(done.unwrap(), "done");
        assert_eq!(runs.unwrap(), 1, "behind it in the queue");
        assert!(
            began.elapsed() >= Duration::from_secs(seconds) / 2,
            "it was busy"
        );
        run.report(
            &format!("EVAL of {seconds} s ({protocol:?})"),
            format!("{:.1?}", began.elapsed()),
        );
        if let Some(event) = events.try_recv() {
            panic!("{event:?}");
        }
        assert_eq!(server.run(&["GET", "runs"]).as_int(), Some(1));
        let after = server.clients().unwrap();
        assert_eq!((after.len(), after[0].id), (1, before[0].id));
        manager.shutdown().unwrap();
    }
}
