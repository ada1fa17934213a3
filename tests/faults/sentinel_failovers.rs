//! Failovers under load: calls are back at once, no acknowledged write is lost that Redis had kept, none is applied twice,
//! and a message that nobody heard falls into a gap.

mod course;
mod ledger;
mod messages;
mod writer;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;

use redis_manager::prelude::*;
use redis_manager_support::SentinelTrio;
use tokio::runtime::Runtime;

use crate::chronicle::Chronicle;
use crate::harness::{PATIENCE, Run, eventually};
use course::{Course, Fault};
use ledger::Ledger;
use messages::{CHANNEL, PAUSE, Subscriber};
use writer::Writer;

/// Within which calls succeed again.
const BACK: Duration = Duration::from_secs(1);
/// What the way from the server to the client and the clock of a busy machine may take.
const SLACK: Duration = Duration::from_millis(50);
const TASKS_OF_A_CLIENT: usize = 4;

#[test]
fn acknowledged_writes_and_messages_are_accounted_for_however_often_the_master_changes() {
    let mut run = Run::begin("sentinel_failovers");
    let failovers = run.scale(3, 50);
    let trio = SentinelTrio::start();
    let manager = RedisManager::new().unwrap();
    let script = manager.load_script("failovers").unwrap();
    let clients = open_clients(&manager, &script, &trio);
    let subscribers = [Protocol::Resp2, Protocol::Resp3]
        .map(|protocol| Subscriber::listening(open(&manager, &script, &trio, protocol)));
    let publisher = open(&manager, &script, &trio, Protocol::Auto);
    let chronicle = Chronicle::default();

    let runtime = Runtime::new().unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let mut tasks = Vec::new();
    for (client, opened) in clients.iter().enumerate() {
        for _ in 0..TASKS_OF_A_CLIENT {
            let writer = Writer::new(client, tasks.len());
            tasks.push(runtime.spawn(writer.write(opened.async_commands(), Arc::clone(&stop))));
        }
    }
    let publishing = runtime.spawn(chronicle.clone().publish(
        publisher,
        Channel::new(CHANNEL),
        PAUSE,
        PATIENCE,
        Arc::clone(&stop),
    ));

    let mut course = Course::begin(&trio);
    let mut faults = Vec::new();
    for _ in 0..failovers {
        if faults.is_empty() {
            faults = Fault::in_any_order(&mut run.random);
        }
        thread::sleep(Duration::from_millis(run.random.below(300)));
        course.go_on(&trio, faults.remove(0));
    }
    thread::sleep(BACK);
    stop.store(true, SeqCst);
    eventually("no call hangs", || {
        tasks.iter().all(|task| task.is_finished()) && publishing.is_finished()
    });

    course.catch_up(&trio);
    run.report("failovers", course.summary());
    let writers: Vec<Writer> = tasks
        .into_iter()
        .map(|task| runtime.block_on(task).unwrap())
        .collect();
    report_times(&run, &course, &writers, clients.len());
    let mut ledger = Ledger::default();
    for writer in &writers {
        ledger.audit(writer, &course, trio.primary());
    }
    ledger.report(&run);
    runtime.block_on(publishing).unwrap();
    run.report("messages published", chronicle.published());
    for subscriber in subscribers {
        let account = subscriber.audit(&chronicle);
        run.report("messages heard, missing, gaps", &account);
        run.report(
            "a missing message was published outside of all gaps, by up to",
            format!("{:.1?}", account.outside),
        );
        assert!(account.gaps >= failovers, "each failover is told");
        assert!(!run.is_long() || account.outside <= SLACK);
    }
    assert!(manager.unload_script(&script).is_clean());
}

/// How long calls failed or waited.
fn report_times(run: &Run, course: &Course, writers: &[Writer], clients: usize) {
    let (mut promoted, mut named, mut whole) = (Vec::new(), Vec::new(), Vec::new());
    for (number, term) in course.failovers().enumerate() {
        for client in 0..clients {
            let of_client = writers.iter().filter(|writer| writer.client == client);
            let first = of_client.filter_map(|writer| writer.first_ack(term)).min();
            let first = first.expect("the client is served by every master");
            promoted.push(first.saturating_duration_since(term.promoted));
            let late = first.saturating_duration_since(term.named);
            if late > BACK {
                let fault = term.fault;
                run.report(
                    "late",
                    format!("failover {number} {fault:?}, client {client}: {late:?}"),
                );
            }
            named.push(late);
            whole.push(first.saturating_duration_since(term.fault_began));
        }
    }
    run.report_spread("calls back after the fault", &mut whole);
    run.report_spread("calls back after the new master's ROLE", &mut promoted);
    let what = "calls back after the first sentinel names the new master";
    run.report_times(what, &mut named, BACK);
    let mut silent = course.failovers().map(|term| term.named - term.promoted);
    let mut silent: Vec<Duration> = silent.by_ref().collect();
    run.report_spread("a sentinel names it after its ROLE", &mut silent);
}

fn open<C>(
    manager: &RedisManager,
    script: &ScriptHandle,
    trio: &SentinelTrio,
    protocol: Protocol,
) -> C
where
    C: redis_manager::OpenRedisClient + Into<AnyClient>,
{
    let options = ClientOptions::builder().protocol(protocol);
    let options = options.command_timeout(PATIENCE).build().unwrap();
    manager.open_with(script, trio.url(), options).unwrap()
}

/// One for each protocol that waits for another master, one that does not wait for long, and one that does not wait.
fn open_clients(
    manager: &RedisManager,
    script: &ScriptHandle,
    trio: &SentinelTrio,
) -> [RedisCommandClient; 4] {
    let hasty = Duration::from_millis(300);
    [
        (Protocol::Resp2, DisconnectedBehavior::Queue, PATIENCE),
        (Protocol::Resp3, DisconnectedBehavior::Queue, PATIENCE),
        (Protocol::Resp2, DisconnectedBehavior::Queue, hasty),
        (Protocol::Resp3, DisconnectedBehavior::Reject, PATIENCE),
    ]
    .map(|(protocol, behavior, timeout)| {
        let options = ClientOptions::builder()
            .protocol(protocol)
            .disconnected_behavior(behavior)
            .command_timeout(timeout);
        let options = options.build().unwrap();
        manager.open_with(script, trio.url(), options).unwrap()
    })
}
