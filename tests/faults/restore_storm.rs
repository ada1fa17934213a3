//! Connections that are lost before, after and while their subscriptions are restored: all of them come back, each
//! once, and each listener is told once of what it missed.

mod account;
mod audience;
mod calls;
mod kills;
mod storm;

use redis_manager::prelude::*;
use tokio::runtime::Runtime;

use crate::harness::Run;
use storm::Storm;

#[test]
fn every_subscription_is_restored_once_whenever_the_connection_is_killed() {
    let mut run = Run::begin("restore_storm");
    let kills = run.scale(12, 50);
    let sizes: &[_] = run.scale(
        &[(1, 1), (100, 50), (2_000, 200)],
        &[(1, 1), (100, 100), (5_000, 300), (50_000, 300)],
    );
    let runtime = Runtime::new().unwrap();
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        for &(channels, patterns) in sizes {
            let mut storm = Storm::gather(&mut run, &runtime, protocol, channels, patterns);
            let mut left = kills;
            while left > 0 {
                left -= storm.round(&mut run.random, left);
            }
            storm.expect_all_heard();
            let what = format!("{channels} channels, {patterns} patterns, {protocol:?}");
            let (midway, exact) = (storm.midway, storm.exact);
            let told = format!("{kills} kills, {midway} midway, {exact} rounds exact");
            run.report(&what, format!("{told}, {}", storm.calls.report()));
            run.report_spread(&format!("{what}: restored in"), &mut storm.took);
            storm.end(&runtime);
        }
    }
}
