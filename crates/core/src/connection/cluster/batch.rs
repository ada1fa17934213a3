//! Several commands at once, each to the node that is to have it.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use futures_util::future::join_all;
use redis::{Cmd, Value};

use super::super::reply::Reply;
use super::super::ticket::Ticket;
use super::Caller;
use super::node::Node;
use super::tries::Tries;
use crate::cluster::{Item, Redirect};
use crate::{ClientContext, Delivery, Error, ErrorKind, Result};

/// What goes to one node in one write.
struct Share<'a> {
    node: Arc<Node>,
    /// Its commands, each with its number among all; ASKING, which stands before some, has none.
    commands: Vec<(Option<usize>, Cow<'a, Cmd>)>,
}

impl<'a> Share<'a> {
    fn new(node: Arc<Node>) -> Self {
        Self {
            node,
            commands: Vec::new(),
        }
    }

    fn add(&mut self, index: usize, cmd: &'a Cmd, asks: bool) {
        if asks {
            let asking = Cow::Owned(redis::cmd("ASKING"));
            self.commands.push((None, asking));
        }
        self.commands.push((Some(index), Cow::Borrowed(cmd)));
    }

    /// Whether all may run twice, by the option `replay`.
    fn is_replayed(&self, client: &ClientContext) -> bool {
        let filter = client.options().replay();
        let own = self.commands.iter().filter(|(index, _)| index.is_some());
        own.map(|(_, cmd)| cmd).all(|cmd| filter.allows(cmd))
    }

    /// The numbers of its commands.
    fn items(&self) -> impl Iterator<Item = usize> {
        self.commands.iter().filter_map(|(index, _)| *index)
    }
}

/// What has become of the commands so far.
struct Batch<'a> {
    items: &'a [Item<'a>],
    /// The last one of each that there was, perhaps a redirection.
    replies: Vec<Option<Value>>,
    /// Those that have no answer, in their order.
    pending: Vec<usize>,
    /// Which nodes some of them are to ask.
    asked: HashMap<usize, Arc<Node>>,
    /// No replica is asked any more: one said that it cannot answer, while its master may.
    by_masters: bool,
    /// Whether a node has answered one, or may have run one that may run twice.
    has_run: bool,
}

impl Caller<'_> {
    /// Sends `items`, and completes with their replies. Those that go to one node go there in one write and run in
    /// their order.
    ///
    /// # Errors
    ///
    /// That of one of them. It says that nothing was sent only if that holds for all.
    pub(super) async fn run(self, items: &[Item<'_>]) -> Result<Vec<Value>> {
        let mut batch = Batch::new(items);
        let outcome = self.run_all(&mut batch).await;
        let outcome = outcome.and_then(|()| batch.replies());
        outcome.map_err(|error| batch.in_part(error))
    }

    async fn run_all(self, batch: &mut Batch<'_>) -> Result<()> {
        let mut tries = Tries::new();
        let mut is_first = true;
        loop {
            let shares = self.share_out(batch).await?;
            let redirects = self.send(batch, shares, is_first).await?;
            is_first = false;
            let mut next = None;
            for (index, redirect) in redirects {
                let mut asked = None;
                batch.by_masters |= redirect == Some(Redirect::Down);
                next = next.max(Some(self.follow(redirect, &mut asked)));
                batch.pending.push(index);
                batch.asked.extend(asked.map(|node| (index, node)));
            }
            batch.pending.sort_unstable();
            let Some(next) = next else {
                return Ok(());
            };
            let pause = tries.pause(next);
            if pause.is_some_and(|pause| !pause.is_zero()) {
                // They hold for this once, and that is over then.
                batch.asked.clear();
            }
            let goes_on = match pause {
                Some(pause) => self.pause(pause).await?,
                None => false,
            };
            if !goes_on {
                return Ok(());
            }
        }
    }

    async fn share_out<'a>(self, batch: &mut Batch<'a>) -> Result<Vec<Share<'a>>> {
        let mut shares: Vec<Share<'a>> = Vec::new();
        let topology = self.cluster.map().topology();
        for index in std::mem::take(&mut batch.pending) {
            let Some(item) = batch.items.get(index) else {
                continue;
            };
            // Most often it is as it was planned.
            let target = match batch.by_masters {
                true => Cow::Owned(item.target.by_master()),
                false => Cow::Borrowed(&item.target),
            };
            let asked = batch.asked.remove(&index);
            let asks = asked.is_some();
            let node = match asked {
                Some(node) => node,
                None => {
                    let address = self.cluster.0.nodes.address(&target, &topology);
                    // Most often it is one that has a share already.
                    let known = shares
                        .iter()
                        .find(|share| Some(share.node.address()) == address);
                    match known {
                        Some(share) => Arc::clone(&share.node),
                        None => self.node_for(&target).await?,
                    }
                }
            };
            let known = shares
                .iter_mut()
                .find(|share| Arc::ptr_eq(&share.node, &node));
            match known {
                Some(share) => share.add(index, &item.cmd, asks),
                None => {
                    let mut share = Share::new(node);
                    share.add(index, &item.cmd, asks);
                    shares.push(share);
                }
            }
        }
        Ok(shares)
    }

    /// Sends all, and completes with those that are to go elsewhere.
    async fn send(
        self,
        batch: &mut Batch<'_>,
        shares: Vec<Share<'_>>,
        is_first: bool,
    ) -> Result<Vec<(usize, Option<Redirect>)>> {
        // All are admitted before any is left: it is refused as a whole.
        let mut admitted = Vec::with_capacity(shares.len());
        for share in &shares {
            admitted.push(match is_first {
                true => self
                    .client
                    .admit_commands_until(share.items().count(), self.deadline)?,
                false => self.client.admit_until(self.deadline)?,
            });
        }
        let left: Vec<_> = shares
            .iter()
            .zip(admitted)
            .map(|(share, in_flight)| {
                let wire = share.node.wire();
                let commands = share.commands.iter().map(|(_, cmd)| &**cmd);
                let left = wire.put_each(commands, in_flight)?;
                Ok(Ticket::new(Arc::clone(wire), left))
            })
            .collect();
        let outcomes = join_all(
            left.into_iter()
                .map(|left: Result<_>| async { left?.await }),
        );
        let mut redirects = Vec::new();
        let mut failure: Option<Error> = None;
        for (share, outcome) in shares.iter().zip(outcomes.await) {
            match outcome {
                Ok(Reply::Each(replies)) => batch.take(share, replies, &mut redirects),
                Ok(_) => failure = Some(miscounted()),
                Err(error)
                    if self.is_to_go_elsewhere(&share.node, &error, || {
                        share.is_replayed(self.client)
                    }) =>
                {
                    batch.has_run |= error.delivery() != Some(Delivery::NotSent);
                    redirects.extend(share.items().map(|index| (index, None)));
                }
                Err(error) => {
                    self.suspect(&error);
                    failure = Some(match failure {
                        Some(other) if other.delivery() != Some(Delivery::NotSent) => other,
                        _ => error,
                    });
                }
            }
        }
        match failure {
            None => Ok(redirects),
            Some(error) => Err(error),
        }
    }
}

impl<'a> Batch<'a> {
    fn new(items: &'a [Item<'a>]) -> Self {
        Self {
            items,
            replies: vec![None; items.len()],
            pending: (0..items.len()).collect(),
            asked: HashMap::new(),
            by_masters: false,
            has_run: false,
        }
    }

    fn take(
        &mut self,
        share: &Share<'_>,
        replies: Vec<Value>,
        redirects: &mut Vec<(usize, Option<Redirect>)>,
    ) {
        for (reply, (index, _)) in replies.into_iter().zip(&share.commands) {
            let Some(index) = *index else {
                continue;
            };
            match Redirect::of(&reply, share.node.address()) {
                Some(redirect) => redirects.push((index, Some(redirect))),
                None => self.has_run = true,
            }
            if let Some(place) = self.replies.get_mut(index) {
                *place = Some(reply);
            }
        }
    }

    /// The replies, once there is nothing more to be done.
    fn replies(&mut self) -> Result<Vec<Value>> {
        if self.replies.iter().all(Option::is_some) {
            return Ok(std::mem::take(&mut self.replies)
                .into_iter()
                .flatten()
                .collect());
        }
        let message = "the nodes that were to run it left the cluster, one after the other";
        let error = Error::new(ErrorKind::Disconnected, message);
        Err(error.with_delivery(Delivery::NotSent))
    }

    /// `error`, of some of them, as that of all.
    fn in_part(&self, error: Error) -> Error {
        if !self.has_run || error.delivery() == Some(Delivery::Unknown) {
            return error;
        }
        let message = format!("{}; other parts of it may have run", error.message());
        error.with_message(message).with_delivery(Delivery::Unknown)
    }
}

fn miscounted() -> Error {
    Error::new(ErrorKind::Internal, "a pipeline has one reply")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(delivery: Delivery) -> Error {
        Error::new(ErrorKind::Timeout, "why").with_delivery(delivery)
    }

    #[test]
    fn nothing_was_sent_only_if_none_of_them_was() {
        const PART: &str = "why; other parts of it may have run";
        use Delivery::{NotSent, Unknown};
        for (has_run, before, delivery, message) in [
            (false, NotSent, NotSent, "why"),
            (false, Unknown, Unknown, "why"),
            (true, NotSent, Unknown, PART),
            (true, Unknown, Unknown, "why"),
        ] {
            let mut batch = Batch::new(&[]);
            batch.has_run = has_run;
            let error = batch.in_part(failed(before));
            assert_eq!(error.delivery(), Some(delivery));
            assert_eq!(error.message(), message);
        }
    }
}
