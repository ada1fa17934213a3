//! What a listener may call: everything of its own client, and its end.

use std::sync::mpsc::{self};
use std::sync::{Arc, Barrier};

use redis_manager::CloseOutcome;
use redis_manager::prelude::*;

use crate::fixture::{Host, PATIENCE, PROTOCOLS, eventually, unique};
use crate::listening::{expect_silenced, hearing, next_text, publish_from_outside, subscribers};

#[test]
fn a_listener_may_call_everything_of_its_own_client() {
    for protocol in PROTOCOLS {
        let (host, channel) = (Host::new(), unique("calls"));
        let client: RedisPubSubClient = host.open(protocol);
        let (answers, inner) = (unique("answers"), unique("inner"));
        let (function, heard) = hearing();
        client.register_listener(&answers, function).unwrap();
        let (function, victim_heard) = hearing();
        let victim = client.register_listener(&channel, function).unwrap();

        let own = client.clone();
        let (hand_over, myself) = mpsc::channel::<ScriptPubSubListener>();
        let registered = client.register_listener(&channel, {
            let (answers, inner) = (answers.clone(), inner.clone());
            move |message: &Message| {
                own.publish(&answers, message.payload())?;
                pollster::block_on(own.publish_async(&answers, "async"))?;
                let publisher = own.clone();
                let answers = answers.clone();
                own.register_listener(&inner, move |message: &Message| {
                    publisher.publish(&answers, message.payload())?;
                    Ok(())
                })?;
                own.publish(&inner, "inner")?;
                victim.unregister()?;
                victim.unregister()?;
                myself.recv()?.unregister()?;
                Ok(())
            }
        });
        let registered = registered.unwrap();
        hand_over.send(registered.clone()).unwrap();
        client.publish(&channel, "hello").unwrap();
        let mut answered = [(); 3].map(|()| next_text(&heard));
        answered.sort();
        assert_eq!(answered, ["async", "hello", "inner"], "{protocol:?}");
        eventually("the server is told", || subscribers(&channel) == 0);
        assert!(!registered.is_registered());
        // It may have begun to hear the one message before it was unregistered; then it is gone.
        let heard_by_victim = std::iter::from_fn(|| match victim_heard.recv_timeout(PATIENCE) {
            Ok(message) => Some(message),
            Err(mpsc::RecvTimeoutError::Disconnected) => None,
            Err(mpsc::RecvTimeoutError::Timeout) => panic!("it is still there"),
        });
        assert!(heard_by_victim.count() <= 1);
        assert_eq!((subscribers(&answers), subscribers(&inner)), (1, 1));
    }
}

#[test]
fn two_listeners_that_unregister_each_other_at_the_same_time_both_end() {
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client: RedisPubSubClient = host.open(protocol);
        for _ in 0..20 {
            let channel = unique("duel");
            let both = Arc::new(Barrier::new(2));
            let (done, dones) = mpsc::channel::<()>();
            let mut hand_over = Vec::new();
            let mut listeners = Vec::new();
            for _ in 0..2 {
                let (sender, other) = mpsc::channel::<ScriptPubSubListener>();
                hand_over.push(sender);
                let (both, done) = (Arc::clone(&both), done.clone());
                let listener = client.register_listener(&channel, move |_: &Message| {
                    let other = other.recv()?;
                    both.wait();
                    other.unregister()?;
                    done.send(())?;
                    Ok(())
                });
                listeners.push(listener.unwrap());
            }
            drop(done);
            for (sender, other) in hand_over.iter().zip(listeners.iter().rev()) {
                sender.send(other.clone()).unwrap();
            }
            client.publish(&channel, "draw!").unwrap();
            for _ in 0..2 {
                dones.recv_timeout(PATIENCE).unwrap();
            }
            expect_silenced(&dones);
            eventually("the server is told", || subscribers(&channel) == 0);
        }
    }
}

#[test]
fn a_listener_may_close_its_client_and_unload_its_script() {
    for protocol in PROTOCOLS {
        let host = Host::new();
        let closed: RedisPubSubClient = host.open(protocol);
        let channel = unique("ends");
        let (sender, outcomes) = mpsc::channel();
        let (own, outcome) = (closed.clone(), sender.clone());
        closed
            .register_listener(&channel, move |_: &Message| {
                outcome.send(own.close().outcome().clone())?;
                Ok(())
            })
            .unwrap();
        closed.publish(&channel, "close").unwrap();
        let outcome = outcomes.recv_timeout(PATIENCE).unwrap();
        assert!(matches!(outcome, CloseOutcome::InBackground), "{outcome:?}");
        eventually("it is closed", || closed.state() == ClientState::Closed);
        host.expect_connections(0);

        let clients: [RedisPubSubClient; 2] = [host.open(protocol), host.open(protocol)];
        let (manager, script) = (host.manager.clone(), host.script.clone());
        clients[0]
            .register_listener(&channel, move |_: &Message| {
                let report = manager.unload_script(&script);
                for client in report.clients() {
                    sender.send(client.outcome().clone())?;
                }
                Ok(())
            })
            .unwrap();
        publish_from_outside(&channel, "unload");
        for _ in &clients {
            let outcome = outcomes.recv_timeout(PATIENCE).unwrap();
            assert!(matches!(outcome, CloseOutcome::InBackground), "{outcome:?}");
        }
        expect_silenced(&outcomes);
        assert!(!host.script.is_loaded());
        host.expect_connections(0);
        for client in clients {
            eventually("it is closed", || client.state() == ClientState::Closed);
        }
    }
}
