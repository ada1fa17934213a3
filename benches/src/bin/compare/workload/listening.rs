//! Listeners of one channel, at full speed.

use std::any::Any;
use std::mem;
use std::sync::Arc;
use std::thread;

use ::fred::interfaces::{ClientLike, EventInterface, PubsubInterface};
use ::redis_manager::RedisPubSubClient;
use ::redis_manager::redis::{Msg, aio::PubSubStream};
use ::rustis::commands::PubSubCommands;
use futures_util::StreamExt;
use tokio::runtime::Runtime;
use tokio::sync::broadcast;

use super::{Task, host};
use crate::allocations;
use crate::contestant::{Contestant, fred, redis_manager, redis_rs, rustis};
use crate::measure::{Cost, Phases, WARM_UP, latency, per_operation};
use crate::role::Load;
use crate::run::Sample;
use crate::source::{CHANNEL, Ear, Source};

/// What the source has under way, and our queues hold by default.
const BEHIND: usize = 1024;

/// What must live as long as it is listened.
type Kept = Box<dyn Any>;

pub(crate) fn run(task: Task, load: Load, listeners: usize) -> Sample {
    let host = host();
    let source = Source::new(listeners);
    let ears: Vec<_> = (0..listeners).map(|_| Ear::new(&source)).collect();
    let kept = host.block_on(listen(task, load, host, &ears));
    source.start(task.address);
    let sample = measure(&source, &ears, task.phases);
    // The source goes on to the end of the process, and whoever is not there then has lost messages.
    mem::forget(kept);
    sample
}

async fn listen(task: Task, load: Load, host: &Runtime, ears: &[Arc<Ear>]) -> Kept {
    match (task.contestant, ears) {
        (Contestant::RedisManager, ears) => sync_listeners(load, ears).await,
        (Contestant::RedisManagerAsync, ears) => async_listeners(load, ears).await,
        (Contestant::TokioBroadcast, ears) => tokio_broadcast(load, host, ears).await,
        (Contestant::RedisRs, [ear]) => redis_rs_stream(load, host, ear).await,
        (Contestant::Fred, [ear]) => fred_receiver(load, host, ear).await,
        (Contestant::Rustis, [ear]) => rustis_stream(load, host, ear).await,
        _ => task.no_part(),
    }
}

fn measure(source: &Source, ears: &[Arc<Ear>], phases: Phases) -> Sample {
    let heard = || ears.iter().map(|ear| ear.heard()).sum::<u64>();
    thread::sleep(WARM_UP);

    let (before, publishing) = (heard(), source.cpu());
    let cost = Cost::start();
    thread::sleep(phases.throughput);
    let mut sample = cost.of(heard() - before);
    sample.cpu -= (source.cpu() - publishing).as_secs_f64();

    source.set_timed(true);
    thread::sleep(phases.latency);
    source.set_timed(false);
    sample.latency = latency(ears.iter().map(|ear| ear.take_latencies()));

    let before = heard();
    allocations::start_counting();
    thread::sleep(phases.allocations);
    sample.allocations = per_operation(allocations::stop_counting(), heard() - before);
    sample
}

async fn client(load: Load) -> (redis_manager::Scripts, RedisPubSubClient) {
    let scripts = redis_manager::Scripts::new(load);
    let client = scripts.open_client().await;
    (scripts, client)
}

async fn sync_listeners(load: Load, ears: &[Arc<Ear>]) -> Kept {
    let (scripts, client) = client(load).await;
    for ear in ears {
        let ear = Arc::clone(ear);
        let listener = client.register_listener(CHANNEL, move |message| {
            ear.hear(message.payload());
            Ok(())
        });
        listener.expect("a listener");
    }
    Box::new((scripts, client))
}

async fn async_listeners(load: Load, ears: &[Arc<Ear>]) -> Kept {
    let (scripts, client) = client(load).await;
    for ear in ears {
        let ear = Arc::clone(ear);
        let listener = client.register_async_listener(CHANNEL, move |message| {
            let ear = Arc::clone(&ear);
            async move {
                ear.hear(message.payload());
                Ok(())
            }
        });
        listener.await.expect("a listener");
    }
    Box::new((scripts, client))
}

async fn redis_rs_messages(load: Load) -> PubSubStream {
    let pubsub = redis_rs::client(load).get_async_pubsub().await;
    let (mut sink, messages) = pubsub.expect("a connection").split();
    sink.subscribe(CHANNEL).await.expect("a subscription");
    // Dropped, it would end the connection.
    mem::forget(sink);
    messages
}

async fn redis_rs_stream(load: Load, host: &Runtime, ear: &Arc<Ear>) -> Kept {
    let mut messages = redis_rs_messages(load).await;
    let ear = Arc::clone(ear);
    host.spawn(async move {
        while let Some(message) = messages.next().await {
            ear.hear(message.get_payload_bytes());
        }
        panic!("the stream has ended");
    });
    Box::new(())
}

/// With a channel of 1 024 messages instead of 32, which would lose most of them.
async fn fred_receiver(load: Load, host: &Runtime, ear: &Arc<Ear>) -> Kept {
    let mut builder = fred::builder(load);
    builder.with_performance_config(|performance| performance.broadcast_channel_capacity = BEHIND);
    let client = builder.build_subscriber_client().expect("a client");
    client.init().await.expect("a connection");
    let mut messages = client.message_rx();
    client.subscribe(CHANNEL).await.expect("a subscription");
    let ear = Arc::clone(ear);
    host.spawn(async move {
        loop {
            let message = messages.recv().await.expect("a message");
            ear.hear(message.value.as_bytes().expect("bytes"));
        }
    });
    Box::new(client)
}

async fn rustis_stream(load: Load, host: &Runtime, ear: &Arc<Ear>) -> Kept {
    let client = rustis::connect(&rustis::config(load)).await;
    let mut messages = client.subscribe(CHANNEL).await.expect("a subscription");
    let ear = Arc::clone(ear);
    host.spawn(async move {
        while let Some(message) = messages.next().await {
            ear.hear(message.expect("a message").payload());
        }
        panic!("the stream has ended");
    });
    Box::new(client)
}

/// What one would do without a library for it: a stream of redis-rs feeds a channel, and each listener
/// is a task that receives from it.
async fn tokio_broadcast(load: Load, host: &Runtime, ears: &[Arc<Ear>]) -> Kept {
    let mut messages = redis_rs_messages(load).await;
    let (sender, _) = broadcast::channel(BEHIND);
    for ear in ears {
        let (ear, mut receiver) = (Arc::clone(ear), sender.subscribe());
        host.spawn(async move {
            loop {
                let message: Arc<Msg> = receiver.recv().await.expect("a message");
                ear.hear(message.get_payload_bytes());
            }
        });
    }
    host.spawn(async move {
        while let Some(message) = messages.next().await {
            sender.send(Arc::new(message)).expect("somebody listens");
        }
        panic!("the stream has ended");
    });
    Box::new(())
}
