//! What the tests of listeners have in common.

use std::future::{Ready, ready};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};

use redis_manager::prelude::*;
use redis_manager::{Delivered, MessageStream};
use redis_manager_support::TestServer;

use crate::fixture::{PATIENCE, eventually};

/// A synchronous listener that passes on what it hears. The receiver's end is the listener's.
pub(crate) fn hearing() -> (
    impl FnMut(&Message) -> ListenerResult + Send + 'static,
    Receiver<Message>,
) {
    let (sender, heard) = channel();
    let listener = move |message: &Message| pass_on(&sender, message);
    (listener, heard)
}

/// The asynchronous twin of [`hearing`].
pub(crate) fn hearing_async() -> (
    impl Fn(Message) -> Ready<ListenerResult> + Send + Sync + 'static,
    Receiver<Message>,
) {
    let (sender, heard) = channel();
    let listener = move |message: Message| ready(pass_on(&sender, &message));
    (listener, heard)
}

fn pass_on(sender: &Sender<Message>, message: &Message) -> ListenerResult {
    // A test may have heard enough and be gone.
    let _ = sender.send(message.clone());
    Ok(())
}

/// Waits for the next message.
#[track_caller]
pub(crate) fn next(heard: &Receiver<Message>) -> Message {
    heard.recv_timeout(PATIENCE).expect("a message")
}

/// Waits for the next message and takes it for text.
#[track_caller]
pub(crate) fn next_text(heard: &Receiver<Message>) -> String {
    next(heard).payload_str().expect("text").to_owned()
}

/// Waits for the next of what a stream has.
#[track_caller]
pub(crate) fn next_of<T: Delivered>(stream: &mut MessageStream<T>) -> T {
    let mut taken = None;
    eventually("the stream has one", || {
        taken = stream.try_recv();
        taken.is_some()
    });
    taken.expect("it was there")
}

/// Makes sure that the listener of `heard` is gone without another message: its closure was dropped, so
/// that no call of it can ever start.
#[track_caller]
pub(crate) fn expect_silenced<T: std::fmt::Debug>(heard: &Receiver<T>) {
    match heard.recv_timeout(PATIENCE) {
        Err(RecvTimeoutError::Disconnected) => {}
        Err(RecvTimeoutError::Timeout) => panic!("the listener's closure is still there"),
        Ok(message) => panic!("heard {message:?} afterwards"),
    }
}

/// How many connections the shared server has told this moment that they listen to `channel`.
#[track_caller]
pub(crate) fn subscribers(channel: impl AsRef<[u8]>) -> i64 {
    subscribers_of(TestServer::shared(), channel)
}

/// As [`subscribers`], of a server of one's own.
#[track_caller]
pub(crate) fn subscribers_of(server: &TestServer, channel: impl AsRef<[u8]>) -> i64 {
    let reply = server.run(&[b"PUBSUB".as_slice(), b"NUMSUB", channel.as_ref()]);
    let count = reply.items().get(1).and_then(|count| count.as_int());
    count.expect("a count of subscribers")
}

/// Publishes from outside and says how many clients received it.
#[track_caller]
pub(crate) fn publish_from_outside(channel: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> i64 {
    let reply =
        TestServer::shared().run(&[b"PUBLISH".as_slice(), channel.as_ref(), payload.as_ref()]);
    reply.as_int().expect("a count of receivers")
}

/// Waits, as an asynchronous listener does, until something is sent or nothing can be any more.
pub(crate) async fn until_released(released: &Mutex<Receiver<()>>) {
    loop {
        let received = released.lock().expect("nobody panicked").try_recv();
        if received != Err(TryRecvError::Empty) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
