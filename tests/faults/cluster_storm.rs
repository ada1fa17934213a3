//! A cluster whose nodes are killed and whose slots are moved under load: nothing is applied twice, no call outlives its
//! deadline, and every subscription comes back.

mod course;
mod ledger;
mod listening;
mod writer;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread;

use redis_manager::OpenRedisClient;
use redis_manager::prelude::*;
use redis_manager_support::TestCluster;
use tokio::runtime::Runtime;

use crate::harness::{PATIENCE, Run, eventually};
use crate::kill_storm::oversleep;
use course::Course;
use ledger::Ledger;
use listening::{Outside, Publisher, Subscriber};
use writer::Writer;

const TASKS_OF_A_CLIENT: usize = 4;
/// Of each master's slots.
const CHANNELS_OF_A_MASTER: usize = 2;
/// Within which calls succeed once the cluster is up again.
const BACK: Duration = Duration::from_secs(2);
/// What a call may take beyond its deadline, and beyond what the machine takes to wake anybody.
const LATENESS: Duration = Duration::from_millis(50);

#[test]
fn calls_and_messages_are_accounted_for_however_often_nodes_die_and_slots_move() {
    let mut run = Run::begin("cluster_storm");
    let kills = run.scale(3, 20);
    let cluster = TestCluster::start();
    let manager = RedisManager::new().unwrap();
    let script = manager.load_script("storm").unwrap();
    let clients = open_clients(&manager, &script, &cluster);
    let channels = listening::channels(&cluster, CHANNELS_OF_A_MASTER);
    let subscribers = [Protocol::Resp2, Protocol::Resp3].map(|protocol| {
        let options = ClientOptions::builder().protocol(protocol);
        Subscriber::listening(open(&manager, &script, &cluster, options), &channels)
    });

    let runtime = Runtime::new().unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let publisher = Publisher::of(
        open(&manager, &script, &cluster, ClientOptions::builder()),
        &channels,
    );
    let publishing = publisher.begin(&runtime, &stop);
    let (mut tasks, mut answered) = (Vec::new(), Vec::new());
    for client in &clients {
        for _ in 0..TASKS_OF_A_CLIENT {
            let deadline = client.client_options().command_timeout();
            let writer = Writer::new(tasks.len(), deadline);
            answered.push(Arc::clone(&writer.answered));
            tasks.push(runtime.spawn(writer.write(client.async_commands(), Arc::clone(&stop))));
        }
    }
    let slots: Vec<_> = (0..tasks.len())
        .flat_map(|index| writer::keys(index).map(|key| cluster.slot(&key)))
        .chain(
            channels
                .iter()
                .map(|channel| listening::slot(&cluster, channel)),
        )
        .collect();
    let sleeper = thread::spawn({
        let stop = Arc::clone(&stop);
        move || oversleep(&stop)
    });
    let mut course = Course::new(&cluster);
    let mut subscribers = subscribers;
    for kill in 0..kills {
        course.move_slots(&slots, &mut run.random);
        course.kill(kill % 3 == 2, &mut run.random);
        expect_service(&answered);
        let fault_ended = publisher.next_numbers();
        for subscriber in &mut subscribers {
            course.restored.push(subscriber.expect_heard(&fault_ended));
        }
    }
    thread::sleep(LATENESS);
    stop.store(true, SeqCst);
    eventually("no call hangs", || {
        tasks.iter().all(|task| task.is_finished())
            && publishing.iter().all(|task| task.is_finished())
    });

    let mut ledger = Ledger::new(&course);
    for task in tasks {
        ledger.audit(runtime.block_on(task).unwrap(), &cluster);
    }
    course.report(&run);
    ledger.report(&run);
    let mut outside = Outside::default();
    let count = subscribers.len() as u64;
    for subscriber in subscribers {
        outside.audit(subscriber, count, &publisher, &run, &course);
    }
    let what = "each writer is answered after the cluster is up again";
    run.report_times(what, &mut ledger.back, BACK);
    let machine = sleeper.join().unwrap();
    run.report(
        "a plain sleep of the machine is late by up to",
        format!("{machine:.1?}"),
    );
    run.report_times("past the deadline", &mut ledger.late, LATENESS + machine);
    outside.report(&run, &course, LATENESS + machine);
    assert!(manager.unload_script(&script).is_clean());
    eventually("no node has a socket", || {
        let ours = |client: &redis_manager_support::ClientInfo| client.name == "storm";
        let nodes = cluster.nodes_up();
        let mut clients = nodes.flat_map(|node| node.clients().unwrap());
        !clients.any(|client| ours(&client))
    });
}

/// Waits until each writer has another answer.
#[track_caller]
fn expect_service(answered: &[Arc<AtomicU64>]) {
    let counts = || answered.iter().map(|answered| answered.load(SeqCst));
    let before: Vec<_> = counts().collect();
    eventually("every writer is served", || {
        counts().zip(&before).all(|(now, before)| now > *before)
    });
}

fn open<C>(
    manager: &RedisManager,
    script: &ScriptHandle,
    cluster: &TestCluster,
    options: redis_manager::ClientOptionsBuilder,
) -> C
where
    C: OpenRedisClient + Into<AnyClient>,
{
    let url = format!("{}?clientName=storm", cluster.url());
    manager
        .open_with(script, url, options.build().unwrap())
        .unwrap()
}

/// One for each protocol that waits for a failover, one that does not wait for that long, and one that does not wait.
fn open_clients(
    manager: &RedisManager,
    script: &ScriptHandle,
    cluster: &TestCluster,
) -> [RedisCommandClient; 4] {
    [
        (Protocol::Resp2, DisconnectedBehavior::Queue, PATIENCE),
        (
            Protocol::Resp3,
            DisconnectedBehavior::Queue,
            Duration::from_secs(1),
        ),
        (
            Protocol::Resp2,
            DisconnectedBehavior::Queue,
            Duration::from_millis(300),
        ),
        (Protocol::Resp3, DisconnectedBehavior::Reject, PATIENCE),
    ]
    .map(|(protocol, behavior, timeout)| {
        let options = ClientOptions::builder()
            .protocol(protocol)
            .disconnected_behavior(behavior)
            .command_timeout(timeout);
        open(manager, script, cluster, options)
    })
}
