//! Who takes what the server sends unasked.

use std::any::Any;
use std::sync::Arc;
use std::time::SystemTime;

use redis::PushInfo;

use super::SocketId;
use crate::{Channel, Result};

/// Takes what the server sends to a connection that subscribes, in the order in which it comes, and hears when
/// the connection is lost and made again. Called on an I/O thread, so it must neither block nor keep more than
/// a bounded amount. Of a connection with several sockets that subscribe it is the one for the [first](SocketId::FIRST), and
/// makes those for the others.
pub trait PushSink: Any + Send + Sync + 'static {
    /// Takes a published message, or another push that nobody asked for.
    fn push(&self, push: PushInfo);

    /// What the connection has read so far was taken: whatever was kept to be passed on together goes out.
    fn flush(&self) {}

    /// The server has confirmed a subscription to `channel`: what is pushed from here on is all of it.
    fn subscribed(&self, channel: &Channel) {
        let _ = channel;
    }

    /// The server has confirmed the end of a subscription to `channel`: nothing of it is pushed from here on.
    fn unsubscribed(&self, channel: &Channel) {
        let _ = channel;
    }

    /// The connection is lost, and with it all its subscriptions; the server was last heard at that time.
    fn disconnected(&self, last_heard: SystemTime) {
        let _ = last_heard;
    }

    /// The connection is another one, and has no subscriptions yet. Returns what it is to be subscribed to, of what
    /// `belongs` there, before anything else is sent.
    fn reconnected(&self, belongs: &dyn Fn(&Channel) -> bool) -> Vec<Channel> {
        let _ = belongs;
        Vec::new()
    }

    /// The server has answered one of those, after [`subscribed`](Self::subscribed) if it was confirmed.
    fn restored(&self, channel: &Channel, outcome: Result<()>) {
        let _ = (channel, outcome);
    }

    /// Returns who takes what comes by one more socket, in a cluster: to the same listeners. `None` if this takes what
    /// comes by one socket only, and so knows no shard channels there.
    fn for_socket(&self, socket: SocketId) -> Option<Arc<dyn PushSink>> {
        let _ = socket;
        None
    }

    /// At the time `at` those shard channels of which `belongs` says so, and of the socket that is subscribed to each, came
    /// there. A node alone may not know that another one has taken its slots: what is published there since is missed.
    fn ascertained(&self, belongs: &dyn Fn(&Channel, SocketId) -> bool, at: SystemTime) {
        let _ = (belongs, at);
    }

    /// Where shard channels belong has changed. `is_right` says of a channel, and of the socket that is subscribed to it,
    /// if one is, whether nothing is to be done: it belongs there, or will be restored by itself.
    fn rearrange(&self, is_right: &dyn Fn(&Channel, Option<SocketId>) -> bool) {
        let _ = is_right;
    }
}
