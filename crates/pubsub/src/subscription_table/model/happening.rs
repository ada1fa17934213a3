//! What may happen, and how often each of it does.

use proptest::prelude::*;
use redis_manager_core::Channel;

#[derive(Clone, Copy, Debug)]
pub(super) enum Happening {
    /// A client listens to a channel.
    Register(usize, usize),
    Unregister(usize),
    /// A client is closed.
    Close(usize),
    /// A client leaves all its channels.
    Leave(usize),
    /// A server does what it was told next by a socket.
    Obey(usize),
    /// It refuses what it was told next.
    Refuse(usize),
    /// It names the server to which the channel belongs.
    Redirect(usize),
    /// Whoever waits for an answer hears of it.
    Settle(usize),
    /// What was not sent yet is given up.
    TimeOut(usize, usize),
    /// The connection of a socket is lost, and with it so many steps that were sent.
    Disconnect(usize, usize),
    Reconnect(usize),
    /// A server ends a subscription by itself.
    End(usize, usize),
    /// A channel belongs to another socket.
    Move(usize, usize),
    /// The table hears of that.
    Rearrange,
    /// It hears which channels come by the sockets to which they belong.
    Ascertain,
}

pub(super) fn happening(sockets: usize) -> impl Strategy<Value = Happening> {
    use Happening::*;
    prop_oneof![
        3 => (0..CLIENTS, 0..CHANNELS).prop_map(|(client, channel)| Register(client, channel)),
        2 => (0..8_usize).prop_map(Unregister),
        1 => (0..CLIENTS).prop_map(Close),
        1 => (0..CLIENTS).prop_map(Leave),
        9 => (0..sockets).prop_map(Obey),
        1 => (0..sockets).prop_map(Refuse),
        4 => (0..4_usize).prop_map(Settle),
        1 => (0..sockets, 0..4_usize).prop_map(|(socket, index)| TimeOut(socket, index)),
        1 => (0..sockets, 0..3_usize).prop_map(|(socket, sent)| Disconnect(socket, sent)),
        2 => (0..sockets).prop_map(Reconnect),
        1 => (0..sockets, 0..CHANNELS).prop_map(|(socket, channel)| End(socket, channel)),
        2 => (0..CHANNELS, 0..sockets).prop_map(|(channel, socket)| Move(channel, socket)),
        2 => Just(Rearrange),
        2 => Just(Ascertain),
        2 => (0..sockets).prop_map(Redirect),
    ]
}

pub(super) const CHANNELS: usize = 3;
pub(super) const CLIENTS: usize = 3;

pub(super) fn channel(number: usize) -> Channel {
    [
        Channel::new("c"),
        Channel::pattern("c"),
        Channel::shard("c"),
    ][number]
        .clone()
}

/// How many sockets there are, and what happens.
pub(super) fn story() -> impl Strategy<Value = (usize, Vec<Happening>)> {
    let sockets = prop_oneof![1 => Just(1_usize), 2 => 2..=3_usize];
    sockets.prop_flat_map(|sockets| {
        let happenings = prop::collection::vec(happening(sockets), 0..60);
        (Just(sockets), happenings)
    })
}
