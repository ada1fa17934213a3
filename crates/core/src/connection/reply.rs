//! What a request waits for, and how its replies are put together.

use redis::{ServerError, ServerErrorKind, Value};

/// How many replies a request gets, and which of them count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// One reply.
    One,
    /// As many replies.
    Each(usize),
    /// A transaction of as many commands: MULTI's reply, one QUEUED each, and EXEC's, which counts.
    Transaction(usize),
    /// The confirmation of one subscription or its end, which comes as a push.
    Confirmation,
    /// That of the end of a shard channel in a cluster, and the reply to a PING behind it. When the slot moves, the server
    /// ends the subscription by itself, with a push that looks the same, and refuses to do so once more.
    Ending,
    /// One reply to a question of our own.
    SignOfLife,
    /// One reply to a login of our own.
    Login,
}

impl Expected {
    /// How many commands of a caller that is.
    pub(super) fn commands(self) -> usize {
        match self {
            Self::One | Self::Confirmation | Self::Ending | Self::SignOfLife | Self::Login => 1,
            Self::Each(commands) | Self::Transaction(commands) => commands,
        }
    }
}

/// The replies of one request, put together.
#[derive(Debug)]
pub(super) enum Reply {
    One(Value),
    Each(Vec<Value>),
    /// The server refused the transaction, because of these commands of it.
    Aborted(Vec<(usize, ServerError)>),
}

impl Reply {
    /// How many of the commands got an error, if the request was of this kind.
    pub(super) fn errors(&self, expected: Expected) -> usize {
        match (self, expected) {
            (Self::One(Value::Array(replies)), Expected::Transaction(_)) => errors(replies),
            (Self::One(reply), _) => usize::from(is_error(reply)),
            (Self::Each(replies), _) => errors(replies),
            (Self::Aborted(refused), _) => refused.len(),
        }
    }
}

fn errors(replies: &[Value]) -> usize {
    replies.iter().filter(|reply| is_error(reply)).count()
}

/// Whether a node says that it does not have, or not serve, a slot.
fn is_moved(reply: &Value) -> bool {
    let kind = match reply {
        Value::ServerError(error) => error.kind(),
        _ => None,
    };
    matches!(
        kind,
        Some(ServerErrorKind::Moved | ServerErrorKind::Ask | ServerErrorKind::ClusterDown)
    )
}

fn is_error(reply: &Value) -> bool {
    matches!(reply, Value::ServerError(_))
}

/// Takes the replies of one request in their order.
#[derive(Debug)]
pub(super) struct Collector {
    commands: Commands,
    seen: usize,
    values: Vec<Value>,
    refused: Vec<(usize, ServerError)>,
}

#[derive(Clone, Copy, Debug)]
enum Commands {
    Each(usize),
    Transaction(usize),
    Ending,
}

impl Collector {
    /// One for a request that expects several replies.
    pub(super) fn of(expected: Expected) -> Option<Box<Self>> {
        let (commands, kept) = match expected {
            Expected::One | Expected::Confirmation | Expected::SignOfLife | Expected::Login => {
                return None;
            }
            Expected::Each(count) => (Commands::Each(count), count),
            Expected::Transaction(count) => (Commands::Transaction(count), 0),
            Expected::Ending => (Commands::Ending, 1),
        };
        Some(Box::new(Self {
            commands,
            seen: 0,
            values: Vec::with_capacity(kept),
            refused: Vec::new(),
        }))
    }

    /// Takes the next reply; returns the whole once it is complete.
    pub(super) fn take(&mut self, value: Value) -> Option<Reply> {
        let index = self.seen;
        self.seen += 1;
        match self.commands {
            Commands::Each(count) => {
                self.values.push(value);
                (self.seen == count).then(|| Reply::Each(std::mem::take(&mut self.values)))
            }
            Commands::Transaction(count) => self.take_in_transaction(index, count, value),
            Commands::Ending => self.take_ending(value),
        }
    }

    /// Whether it has a reply already.
    pub(super) fn has_begun(&self) -> bool {
        self.seen > 0
    }

    fn take_ending(&mut self, value: Value) -> Option<Reply> {
        let refuses_again = is_moved(&value) && matches!(self.values[..], [Value::Push { .. }]);
        match self.values.pop() {
            // The refusal of what had ended before.
            Some(ended) if refuses_again => self.values.push(ended),
            Some(answer) => return Some(Reply::One(answer)),
            None => self.values.push(value),
        }
        None
    }

    fn take_in_transaction(&mut self, index: usize, count: usize, value: Value) -> Option<Reply> {
        let exec = count + 1;
        if index < exec {
            if let Value::ServerError(error) = value {
                if index == 0 {
                    // MULTI itself: what follows is not a transaction, and this is the reason.
                    self.values.push(Value::ServerError(error));
                } else {
                    self.refused.push((index - 1, error));
                }
            }
            return None;
        }
        Some(match self.values.pop() {
            Some(refused_multi) => Reply::One(refused_multi),
            None if self.refused.is_empty() => Reply::One(value),
            None => Reply::Aborted(std::mem::take(&mut self.refused)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(line: &str) -> Value {
        redis::parse_redis_value(format!("-{line}\r\n").as_bytes()).unwrap()
    }

    fn queued() -> Value {
        Value::SimpleString("QUEUED".to_owned())
    }

    fn collect(expected: Expected, values: Vec<Value>) -> Reply {
        let mut collector = Collector::of(expected).unwrap();
        let last = values.len() - 1;
        for (index, value) in values.into_iter().enumerate() {
            match collector.take(value) {
                Some(reply) if index == last => return reply,
                Some(reply) => panic!("complete after {index}: {reply:?}"),
                None => {}
            }
        }
        panic!("not complete");
    }

    #[test]
    fn a_pipeline_keeps_every_reply_in_order_errors_included() {
        let values = vec![Value::Int(1), error("ERR no"), Value::Okay];
        let reply = collect(Expected::Each(3), values.clone());
        assert!(matches!(reply, Reply::Each(kept) if kept == values));
    }

    #[test]
    fn of_a_transaction_only_the_reply_of_exec_counts() {
        let result = Value::Array(vec![Value::Int(2)]);
        let values = vec![Value::Okay, queued(), result.clone()];
        assert!(matches!(collect(Expected::Transaction(1), values), Reply::One(v) if v == result));
        let values = vec![Value::Okay, Value::Array(vec![])];
        assert!(matches!(
            collect(Expected::Transaction(0), values),
            Reply::One(_)
        ));
    }

    #[test]
    fn a_refused_command_aborts_its_transaction_by_its_index() {
        let values = vec![Value::Okay, queued(), error("ERR no"), error("EXECABORT x")];
        let Reply::Aborted(refused) = collect(Expected::Transaction(2), values) else {
            panic!("not aborted");
        };
        assert_eq!(refused.len(), 1);
        assert_eq!(refused[0].0, 1);
    }

    #[test]
    fn the_errors_among_replies_are_those_of_commands() {
        let mixed = Value::Array(vec![Value::Okay, error("ERR no"), error("ERR no")]);
        let transaction = Expected::Transaction(3);
        assert_eq!(Reply::One(mixed.clone()).errors(transaction), 2);
        assert_eq!(Reply::One(error("EXECABORT x")).errors(transaction), 1);
        // What a script returns is one reply, whatever is in it.
        assert_eq!(Reply::One(mixed).errors(Expected::One), 0);
        assert_eq!(Reply::One(error("ERR no")).errors(Expected::One), 1);
        let each = Reply::Each(vec![Value::Okay, error("ERR no")]);
        assert_eq!(each.errors(Expected::Each(2)), 1);
        assert_eq!((transaction.commands(), Expected::One.commands()), (3, 1));
    }

    #[test]
    fn the_end_of_a_shard_channel_is_told_from_the_one_that_the_server_made() {
        let ended = || Value::Push {
            kind: redis::PushKind::SUnsubscribe,
            data: vec![Value::BulkString(b"c".to_vec()), Value::Int(0)],
        };
        let pong = || Value::SimpleString("PONG".to_owned());
        let moved = || error("MOVED 7365 127.0.0.1:7001");
        for replies in [
            vec![ended(), pong()],
            // The server's own came first.
            vec![ended(), moved(), pong()],
            vec![ended(), error("NOPERM no PING for you")],
        ] {
            assert!(matches!(collect(Expected::Ending, replies), Reply::One(it) if it == ended()));
        }
        let refused = collect(Expected::Ending, vec![moved(), pong()]);
        assert!(matches!(refused, Reply::One(it) if it == moved()));
    }

    #[test]
    fn a_refused_multi_is_the_answer() {
        let refused = error("NOPERM no");
        let values = vec![
            refused.clone(),
            Value::Okay,
            error("ERR EXEC without MULTI"),
        ];
        assert!(matches!(collect(Expected::Transaction(1), values), Reply::One(v) if v == refused));
    }
}
