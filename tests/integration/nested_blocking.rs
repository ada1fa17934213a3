//! Blocking calls inside a task of an executor that waits as they do: by parking the thread. Whoever that executor
//! was to be woken for meanwhile is not forgotten.

use std::sync::mpsc::channel;
use std::thread;

use futures_util::future::{join, select};
use redis_manager::prelude::*;

use crate::fixture::{Host, PATIENCE, PROTOCOLS, unique};
use crate::listener_ends::in_time;
use crate::listening::{next_of, publish_from_outside};

#[test]
fn a_blocking_call_beside_a_task_that_waits_does_not_take_its_wake_up() {
    for protocol in PROTOCOLS {
        let (host, channel) = (Host::new(), unique("beside"));
        let client: RedisPubSubClient = host.open(protocol);
        for round in 0..50 {
            let mut messages = client.messages(&channel).unwrap();
            let (client, channel) = (client.clone(), channel.clone());
            let heard = in_time("hearing what one publishes", move || {
                // The message wakes the first, while the second waits for its reply.
                let publishing = async { client.publish(&channel, round).unwrap() };
                pollster::block_on(join(messages.recv_async(), publishing)).0
            });
            assert_eq!(heard.unwrap().payload(), round.to_string().as_bytes());
        }
    }
}

#[test]
fn a_local_call_that_blocks_does_not_take_the_wake_up_of_a_listener_beside_it() {
    for protocol in PROTOCOLS {
        let (host, blocks, beside) = (Host::new(), unique("blocks"), unique("beside"));
        let client: RedisPubSubClient = host.open(protocol);
        let (start, started) = channel();
        let (release, released) = channel();
        let (call, called) = channel();
        let (register, registered) = channel();
        let own = (client.clone(), blocks.clone(), beside.clone());
        let polling = thread::spawn(move || {
            let (client, blocks, beside) = own;
            let blocked = client.listener(&blocks).register_local(move |_: &Message| {
                start.send(())?;
                // Waits, as the executor does, by parking the thread.
                while released.recv()? {}
                Ok(())
            });
            let beside = client
                .listener(&beside)
                .register_local(move |_: &Message| Ok(call.send(())?));
            register.send(()).unwrap();
            // In this order: the other one is polled before the call begins, and waits to be woken.
            pollster::block_on(select(beside.unwrap(), blocked.unwrap()));
        });
        registered.recv_timeout(PATIENCE).unwrap();
        // Behind the other one, which has the message by the time that this one has it.
        let mut witness = client.messages(&beside).unwrap();
        publish_from_outside(&blocks, "block");
        started.recv_timeout(PATIENCE).unwrap();
        publish_from_outside(&beside, "hello");
        next_of(&mut witness);
        // Wakes that take the thread's token, and with it what the message left.
        for _ in 0..10 {
            release.send(true).unwrap();
        }
        release.send(false).unwrap();
        called.recv_timeout(PATIENCE).unwrap();
        client.close();
        in_time("the polling ends", move || polling.join().unwrap());
    }
}
