//! What EXEC will reply to, on a connection where a transaction is begun and ended by hand.

use redis::{Cmd, Value};

use super::{Guard, ReplyShape};
use crate::route::argument;
use crate::{Delivery, Error, ErrorKind, Result};

/// The commands that the server has queued, by where names will come back. One caller at a time.
#[derive(Debug, Default)]
pub(crate) struct QueuedReplies {
    queued: Vec<Option<ReplyShape>>,
    /// What was sent and is not answered yet: whether names come back in it.
    unanswered: Option<bool>,
    /// Something was never answered, and the server may have queued it: whether names come back in it.
    doubtful: Option<bool>,
}

impl QueuedReplies {
    /// Notes that commands are about to be sent, whose replies have these shapes.
    pub(crate) fn sent(&mut self, shapes: impl IntoIterator<Item = Option<ReplyShape>>) {
        let names_come_back = shapes.into_iter().any(|shape| shape.is_some());
        if let Some(before) = self.unanswered.replace(names_come_back) {
            self.doubtful = Some(before || self.doubtful.unwrap_or(false));
        }
    }

    /// Notes the reply to one of them, and takes the prefix off its names.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Conversion`] if it is EXEC's, and it is not certain what its elements are.
    pub(crate) fn answered(
        &mut self,
        guard: &Guard,
        cmd: &Cmd,
        shape: Option<ReplyShape>,
        reply: Value,
    ) -> Result<Value> {
        if matches!(&reply, Value::SimpleString(status) if status == "QUEUED") {
            self.queued.push(shape);
            return Ok(reply);
        }
        let name = argument(cmd, 0).unwrap_or_default();
        let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
        let succeeded = !matches!(reply, Value::ServerError(_));
        if is("EXEC") {
            // Whatever it is, there is no transaction any more.
            let (queued, doubtful) = (std::mem::take(&mut self.queued), self.doubtful.take());
            return Self::exec(guard, &queued, doubtful, reply);
        }
        if succeeded && (is("MULTI") || is("DISCARD")) {
            self.queued.clear();
            self.doubtful = None;
        }
        Ok(guard.strip(shape, reply))
    }

    /// Notes that all that was sent is answered.
    pub(crate) fn all_answered(&mut self) {
        self.unanswered = None;
    }

    fn exec(
        guard: &Guard,
        queued: &[Option<ReplyShape>],
        doubtful: Option<bool>,
        reply: Value,
    ) -> Result<Value> {
        let names_come_back = queued.iter().any(Option::is_some);
        let is_doubtful = match doubtful {
            None => false,
            Some(names_come_back_too) => names_come_back || names_come_back_too,
        };
        if is_doubtful && matches!(reply, Value::Array(_)) {
            let message = "the transaction was executed, and because a call in it was given up it is not certain \
                which of its replies have names that lose the key prefix";
            return Err(Error::new(ErrorKind::Conversion, message).with_delivery(Delivery::Replied));
        }
        Ok(guard.strip_exec(queued, reply))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DeniedCommands;

    const NAMES: Option<ReplyShape> = Some(ReplyShape::Names);

    fn reply(frame: &str) -> Value {
        redis::parse_redis_value(frame.replace(' ', "\r\n").as_bytes()).unwrap()
    }

    struct Connection(QueuedReplies, Box<Guard>);

    impl Connection {
        fn new() -> Self {
            let prefix = "p:".parse().unwrap();
            let guard = Guard::new(Some(&prefix), &DeniedCommands::none()).unwrap();
            Self(QueuedReplies::default(), guard)
        }

        fn call(&mut self, name: &str, shape: Option<ReplyShape>, frame: &str) -> Result<Value> {
            self.0.sent([shape]);
            let answer = self
                .0
                .answered(&self.1, &redis::cmd(name), shape, reply(frame));
            self.0.all_answered();
            answer
        }

        #[track_caller]
        fn hears(&mut self, name: &str, shape: Option<ReplyShape>, frame: &str, heard: &str) {
            assert_eq!(self.call(name, shape, frame).unwrap(), reply(heard));
        }
    }

    #[test]
    fn the_elements_of_exec_are_those_of_the_commands_that_were_queued() {
        let mut connection = Connection::new();
        connection.hears("MULTI", None, "+OK ", "+OK ");
        connection.hears("GET", None, "+QUEUED ", "+QUEUED ");
        assert!(connection.call("NOPE", NAMES, "-ERR ").is_ok());
        connection.hears("KEYS", NAMES, "+QUEUED ", "+QUEUED ");
        connection.hears(
            "exec",
            None,
            "*2 $3 p:a *2 $3 p:a $3 q:b ",
            "*2 $3 p:a *1 $1 a ",
        );
        connection.hears("KEYS", NAMES, "*1 $3 p:a ", "*1 $1 a ");
        connection.hears("MULTI", None, "+OK ", "+OK ");
        connection.hears("KEYS", NAMES, "+QUEUED ", "+QUEUED ");
        connection.hears("DISCARD", None, "+OK ", "+OK ");
        connection.hears("MULTI", None, "+OK ", "+OK ");
        connection.hears("GET", None, "+QUEUED ", "+QUEUED ");
        connection.hears("EXEC", None, "*1 $1 v ", "*1 $1 v ");
        connection.hears("EXEC", None, "*-1 ", "*-1 ");
    }

    #[test]
    fn what_was_never_answered_leaves_doubt_until_the_transaction_ends() {
        let mut connection = Connection::new();
        connection.hears("MULTI", None, "+OK ", "+OK ");
        connection.0.sent([NAMES]);
        connection.hears("GET", None, "+QUEUED ", "+QUEUED ");
        let error = connection
            .call("EXEC", None, "*2 *1 $3 p:a $1 v ")
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conversion);
        assert_eq!(error.delivery(), Some(Delivery::Replied));
        connection.hears("MULTI", None, "+OK ", "+OK ");
        connection.0.sent([None]);
        connection.hears("GET", None, "+QUEUED ", "+QUEUED ");
        connection.hears("EXEC", None, "*2 $1 v $1 v ", "*2 $1 v $1 v ");
        connection.0.sent([None]);
        connection.hears("MULTI", None, "+OK ", "+OK ");
        connection.hears("KEYS", NAMES, "+QUEUED ", "+QUEUED ");
        connection.hears("EXEC", None, "*1 *1 $3 p:a ", "*1 *1 $1 a ");
    }
}
