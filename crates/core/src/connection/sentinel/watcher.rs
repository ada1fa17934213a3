//! Listens to the sentinels for another master.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, timeout};

use super::super::backoff::Backoff;
use super::super::dialogue::Dialogue;
use super::super::progress::Progress;
use super::SentinelSet;
use super::answer::{PROMOTED, SWITCHED, switch};
use super::round::{order, share};
use crate::resp::Decoder;
use crate::{Error, ErrorKind, Result};

impl SentinelSet {
    /// Starts the task that listens, until nobody uses the sentinels any more.
    pub(super) fn start_watching(self: &Arc<Self>) {
        let set = Arc::clone(self);
        let task = async move {
            tokio::select! {
                biased;
                () = set.unwanted.cancelled() => {}
                () = set.watch() => {}
            }
        };
        let task = self.tasks.track_future(Box::pin(task));
        drop(self.resources.spawn(task));
    }

    /// Listens to all of them: the one that leads a failover knows of it first, and the others hear it from that one, up to
    /// some seconds later.
    async fn watch(&self) {
        let each = (0..self.nodes.len()).map(|index| self.keep_listening(index));
        join_all(each).await;
    }

    async fn keep_listening(&self, index: usize) {
        let longest_delay = self.options.reconnect_delay();
        let mut backoff = Backoff::new(longest_delay);
        let mut was_refused = false;
        loop {
            let began = Instant::now();
            if let Err(cause) = self.listen(index).await {
                let is_refused = cause.answer().is_some();
                if is_refused && !was_refused {
                    // Nothing else shows it before there is another master.
                    tracing::warn!(
                        master = %self.master, sentinel = self.name(index), %cause,
                        "a sentinel does not let itself be listened to; another master may be noticed late"
                    );
                } else {
                    tracing::debug!(master = %self.master, %cause, "a sentinel is not listened to");
                }
                was_refused = is_refused;
            }
            // One that greets and hangs up is not to be tried again at full speed.
            if began.elapsed() > longest_delay {
                backoff = Backoff::new(longest_delay);
            }
            tokio::time::sleep(backoff.next_delay()).await;
        }
    }

    /// Listens to the sentinel of this number until it is lost.
    async fn listen(&self, index: usize) -> Result<()> {
        let time = share(self.options.connect_timeout(), self.nodes.len());
        let subscribing = async {
            let mut dialogue = self.call(index, &Progress::default()).await?;
            // In one write, so that no switch is between them.
            self.say_question(&mut dialogue);
            dialogue.say(&["SUBSCRIBE", SWITCHED, PROMOTED]);
            let master = self.take_answer(&mut dialogue).await?;
            Ok((dialogue, master))
        };
        let (mut dialogue, master) = timeout(time, subscribing)
            .await
            .unwrap_or_else(|_| Err(silent()))?;
        let known = self.known.borrow().master.clone();
        if known.is_some_and(|known| known != master) && !self.is_confirmed(index, &master).await {
            let message = format!("{} is behind: it names {master}", dialogue.endpoint);
            return Err(Error::new(ErrorKind::Connect, message));
        }
        self.learn(index, None, master);
        loop {
            let message = hear(&mut dialogue, self.options.heartbeat()).await?;
            match switch(&message, &self.master) {
                Some(switch) => self.learn(index, Some(self.at(switch.old)), self.at(switch.new)),
                None => {
                    message.extract_error()?;
                }
            }
        }
    }

    /// Whether another sentinel that answers, if there is one, names that master too.
    async fn is_confirmed(&self, index: usize, master: &super::Endpoint) -> bool {
        let count = self.nodes.len();
        let time = share(self.options.connect_timeout(), count);
        for other in order(index + 1, count).take(count - 1) {
            if let Ok(named) = self.ask_in_time(other, time).await {
                return named == *master;
            }
        }
        true
    }
}

/// What the sentinel says next. If it is silent for a `heartbeat` it is asked for a sign of life.
async fn hear(dialogue: &mut Dialogue<'_>, heartbeat: Option<Duration>) -> Result<redis::Value> {
    let Some(heartbeat) = heartbeat else {
        return dialogue.next(Decoder::next_value).await;
    };
    if let Ok(heard) = timeout(heartbeat, dialogue.next(Decoder::next_value)).await {
        return heard;
    }
    dialogue.say(&["PING"]);
    let heard = timeout(heartbeat, dialogue.next(Decoder::next_value)).await;
    heard.unwrap_or_else(|_| Err(silent()))
}

fn silent() -> Error {
    Error::new(ErrorKind::Timeout, "the sentinel is silent")
}
