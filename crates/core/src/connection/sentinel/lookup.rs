//! Asks the sentinels where the master is.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::super::connect::Peer;
use super::super::dialogue::Dialogue;
use super::super::endpoint::Endpoint;
use super::super::login::{ask, name_of};
use super::super::progress::Progress;
use super::SentinelSet;
use super::answer::{Address, address};
use super::found_master::FoundMaster;
use super::round::{nobody_knows, order, share};
use crate::resp::Decoder;
use crate::{Credentials, Error, ErrorKind, Result};

impl SentinelSet {
    /// Asks one after the other, of whom all together have less than `time`; once for all who want to know it at the same time.
    ///
    /// The next one is asked first next time, unless the server turns out to be a master: who named it may be behind.
    pub(in super::super) async fn master(self: &Arc<Self>, time: Duration) -> Result<FoundMaster> {
        // Before they are asked, so that a switch meanwhile is noticed.
        let switches = self.switches();
        let (index, endpoint) = self.named.get(self.ask_all(time)).await?;
        Ok(FoundMaster::new(self, index, endpoint, switches))
    }

    /// Completes with the number of a sentinel that names a master, and with that.
    async fn ask_all(&self, time: Duration) -> Result<(usize, Endpoint)> {
        let (share, count) = (share(time, self.nodes.len()), self.nodes.len());
        let mut said = Vec::new();
        let mut behind = None;
        for index in order(self.first.load(Ordering::Relaxed), count) {
            match self.ask_in_time(index, share).await {
                Ok(endpoint) if self.known.borrow().is_behind(&endpoint) => {
                    behind.get_or_insert((index, endpoint));
                }
                Ok(endpoint) => return Ok(self.found(index, endpoint)),
                Err(error) => said.push(error),
            }
        }
        match behind {
            Some((index, endpoint)) => Ok(self.found(index, endpoint)),
            None => Err(nobody_knows(&self.master, &self.uri, &said)),
        }
    }

    fn found(&self, index: usize, endpoint: Endpoint) -> (usize, Endpoint) {
        self.first.store(index + 1, Ordering::Relaxed);
        (index, endpoint)
    }

    /// Asks the sentinel of this number, which has so much time: its share of the option `connect_timeout`.
    pub(super) async fn ask_in_time(&self, index: usize, time: Duration) -> Result<Endpoint> {
        let progress = Progress::default();
        match tokio::time::timeout(time, self.ask(index, &progress)).await {
            Ok(answer) => answer,
            Err(_) => {
                let (name, hint) = (self.name(index), progress.hint(&self.uri));
                let whole = self.options.connect_timeout();
                let message = format!(
                    "{name} does not answer within its share of the connect_timeout of {whole:?}{hint}"
                );
                Err(Error::new(ErrorKind::Timeout, message))
            }
        }
    }

    async fn ask(&self, index: usize, progress: &Progress) -> Result<Endpoint> {
        let mut dialogue = self.call(index, progress).await?;
        self.say_question(&mut dialogue);
        self.take_answer(&mut dialogue).await
    }

    /// Connects to the sentinel of this number, and logs in.
    pub(super) async fn call(&self, index: usize, progress: &Progress) -> Result<Dialogue<'_>> {
        let Some(endpoint) = self.nodes.get(index) else {
            return Err(Error::new(ErrorKind::Internal, "no such sentinel"));
        };
        let peer = Peer {
            uri: &self.uri,
            options: &self.options,
            resources: &self.resources,
        };
        let mut dialogue = Dialogue::open(endpoint.clone(), peer, progress).await?;
        if let Some(provider) = self.options.sentinel_credentials() {
            progress.asking_began(name_of(&**provider));
            let credentials = ask(endpoint, &**provider).await;
            progress.answered();
            let credentials = credentials?;
            dialogue.credentials = Some(credentials).filter(Credentials::is_login);
            dialogue.log_in().await?;
        }
        Ok(dialogue)
    }

    pub(super) fn say_question(&self, dialogue: &mut Dialogue<'_>) {
        dialogue.say(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", &self.master]);
    }

    pub(super) async fn take_answer(&self, dialogue: &mut Dialogue<'_>) -> Result<Endpoint> {
        let answer = match dialogue.next(Decoder::next_value).await? {
            redis::Value::ServerError(error) => return Err(dialogue.explain(error.into())),
            answer => answer,
        };
        match address(&answer) {
            Ok(Some(found)) => Ok(self.at(found)),
            Ok(None) => {
                let (endpoint, master) = (&dialogue.endpoint, &self.master);
                let message = format!("{endpoint} knows no master {master}");
                Err(Error::new(ErrorKind::Server, message))
            }
            Err(reason) => {
                let message = format!("{}: {reason}", dialogue.endpoint);
                Err(Error::new(ErrorKind::Protocol, message))
            }
        }
    }

    pub(super) fn at(&self, (host, port): Address) -> Endpoint {
        Endpoint::Master {
            name: Arc::clone(&self.master),
            host,
            port,
        }
    }

    pub(super) fn name(&self, index: usize) -> String {
        let node = self.nodes.get(index);
        node.map(Endpoint::to_string).unwrap_or_default()
    }
}
