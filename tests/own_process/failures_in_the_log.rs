//! A failure of a callback that nobody takes is a line of the log. Here, because the log of a process is one: a
//! thread that takes it for itself may be passed over while other tests write.

use redis_manager::ScriptFailure;
use redis_manager::prelude::*;
use redis_manager_support::TestServer;

use crate::lines::Lines;
use crate::{alone, eventually};

fn misbehave(message: &Message) -> ListenerResult {
    match message.payload() {
        b"error" => Err("deliberate error".into()),
        // A panic that prints nothing.
        _ => std::panic::resume_unwind(Box::new("deliberate panic")),
    }
}

#[test]
fn without_a_sink_or_with_one_that_panics_a_failure_is_a_line_of_the_log() {
    let _alone = alone();
    let manager = RedisManager::new().unwrap();
    let script = manager.load_script("log").unwrap();
    let url = TestServer::shared().url();
    let client: RedisPubSubClient = manager.open(&script, url).unwrap();
    // Polled on this thread, where the log is taken.
    let local = client.listener("log").register_local(misbehave).unwrap();
    let (id, client_id) = (local.handle().id(), client.client_id());
    let lines = Lines::default();
    tracing::subscriber::with_default(lines.clone(), || {
        let mut local = local;
        let mut expect_lines = |count| {
            eventually("the call fails", || {
                let polled = futures_util::FutureExt::now_or_never(&mut local);
                assert!(polled.is_none());
                lines.all().len() == count
            });
        };
        client.publish("log", "error").unwrap();
        client.publish("log", "panic").unwrap();
        expect_lines(2);
        script.set_error_sink(|_: &ScriptFailure| {
            std::panic::resume_unwind(Box::new("deliberate panic of the sink"))
        });
        client.publish("log", "error").unwrap();
        expect_lines(4);
    });
    let lines = lines.all();
    let line = |cause: &str| {
        format!(
            "message=a callback failed;script={script};client={client_id};listener={id};\
             channel={};cause={cause};",
            Channel::new("log")
        )
    };
    assert_eq!(lines[0], line("deliberate error"));
    assert_eq!(lines[1], line("panicked: deliberate panic"));
    let of_the_sink = format!(
        "message=the report of a failure failed;script={script};\
         cause=panicked: deliberate panic of the sink;"
    );
    assert_eq!(lines[2], of_the_sink);
    assert_eq!(lines[3], line("deliberate error"), "it is not lost");
    manager.shutdown().unwrap();
}
