//! How our error travels inside [`redis::RedisError`] and comes out again.

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;

use redis::RedisError;

use super::{Delivery, Error, ErrorKind, Hint};

impl From<Error> for RedisError {
    fn from(error: Error) -> Self {
        // What the server answered stays what redis made of it, with its code and its indices; so does what it would have
        // answered.
        if (error.delivery() == Some(Delivery::Replied) || error.kind() == ErrorKind::Server)
            && let Some(theirs) = error.source().and_then(|it| it.downcast_ref::<Self>())
            // Where ours says more, as at which server that was, it is the error of more than the command.
            && error.message().starts_with(&theirs.to_string())
        {
            return theirs.clone();
        }
        // redis derives its retry advice from the io kind: anything it would call a dropped
        // connection makes callers reconnect on their own, so only these three kinds are used.
        let kind = match (error.kind(), error.delivery()) {
            (ErrorKind::Timeout, _) => io::ErrorKind::TimedOut,
            (_, Some(Delivery::NotSent)) => io::ErrorKind::NotConnected,
            _ => io::ErrorKind::Unsupported,
        };
        RedisError::from(io::Error::new(kind, error))
    }
}

impl From<RedisError> for Error {
    fn from(error: RedisError) -> Self {
        if let Some(ours) = carried(&error) {
            return ours.clone();
        }
        let (kind, delivery) = classify(&error);
        let message = error.to_string();
        // redis quotes the value that it could not convert, which may be anything.
        let message = match message.split_once(" (value was ") {
            Some((reason, _)) if kind == ErrorKind::Conversion => reason.to_owned(),
            _ => message,
        };
        let hint = Hint::of_any(&error);
        let error = Error::new(kind, message)
            .with_delivery(delivery)
            .with_source(error);
        match hint {
            // Whoever knows the client says it more exactly.
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }
}

/// Finds the error of ours that `error` carries. `redis` keeps foreign errors behind an `Arc`, and
/// hands out a reference to that `Arc`, not to what it holds.
fn carried(error: &RedisError) -> Option<&Error> {
    let source: &(dyn StdError + 'static) = StdError::source(error)?;
    let shared = source.downcast_ref::<Arc<dyn StdError + Send + Sync>>()?;
    let io = shared.downcast_ref::<io::Error>()?;
    io.get_ref()?.downcast_ref::<Error>()
}

fn classify(error: &RedisError) -> (ErrorKind, Delivery) {
    match error.kind() {
        redis::ErrorKind::Server(_) | redis::ErrorKind::Extension => {
            (ErrorKind::Server, Delivery::Replied)
        }
        redis::ErrorKind::AuthenticationFailed => (ErrorKind::Authentication, Delivery::Replied),
        // A reply that could not be converted was still a reply.
        redis::ErrorKind::Parse | redis::ErrorKind::UnexpectedReturnType => {
            (ErrorKind::Conversion, Delivery::Replied)
        }
        redis::ErrorKind::Client | redis::ErrorKind::InvalidClientConfig => {
            (ErrorKind::InvalidArgument, Delivery::NotSent)
        }
        #[cfg(feature = "json")]
        redis::ErrorKind::Serialize => (ErrorKind::Conversion, Delivery::NotSent),
        redis::ErrorKind::RESP3NotSupported => (ErrorKind::Unsupported, Delivery::Replied),
        redis::ErrorKind::Io if error.is_timeout() => (ErrorKind::Timeout, Delivery::Unknown),
        _ => (ErrorKind::Disconnected, Delivery::Unknown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_survives_the_round_trip_and_a_clone() {
        let ours = Error::new(ErrorKind::Refused, "not on a shared connection")
            .with_command("WATCH")
            .with_delivery(Delivery::NotSent);
        let theirs = RedisError::from(ours).clone();
        let back = Error::from(theirs);
        assert_eq!(back.kind(), ErrorKind::Refused);
        assert_eq!(back.command(), Some("WATCH"));
        assert_eq!(back.delivery(), Some(Delivery::NotSent));
    }

    #[test]
    fn only_deadlines_look_like_timeouts_to_redis() {
        let timeout = RedisError::from(Error::new(ErrorKind::Timeout, "late"));
        assert!(timeout.is_timeout());
        let closed = RedisError::from(Error::new(ErrorKind::Closed, "closed"));
        assert!(!closed.is_timeout() && !closed.is_unrecoverable_error());
    }

    #[test]
    fn a_server_error_is_an_answer() {
        let value = redis::parse_redis_value(b"-WRONGTYPE Operation against a key\r\n")
            .expect("a well-formed reply");
        let theirs = value.extract_error().expect_err("an error reply");
        let ours = Error::from(theirs);
        assert_eq!(ours.kind(), ErrorKind::Server);
        assert_eq!(ours.delivery(), Some(Delivery::Replied));
        assert!(ours.message().contains("WRONGTYPE"), "{ours}");
    }

    #[test]
    fn what_the_server_answered_is_the_same_after_the_round_trip() {
        let value = redis::parse_redis_value(b"-NOSCRIPT No matching script\r\n").unwrap();
        let theirs = value.extract_error().unwrap_err();
        let ours = Error::from(theirs.clone()).with_command("EVALSHA");
        assert_eq!(RedisError::from(ours), theirs);
    }

    #[test]
    fn what_a_server_answered_to_something_else_than_the_command_keeps_our_words() {
        let value = redis::parse_redis_value(b"-NOPERM no rights\r\n").unwrap();
        let theirs = value.extract_error().unwrap_err();
        let message = format!("h:1 refused the connection: {theirs}");
        let ours = Error::new(ErrorKind::Server, message).with_source(theirs);
        let ours = ours.with_delivery(Delivery::NotSent);
        let back = Error::from(RedisError::from(ours.clone()));
        assert_eq!(back.message(), ours.message());
        assert_eq!(back.delivery(), Some(Delivery::NotSent));
        assert_eq!(back.code(), Some("NOPERM"));
    }

    #[test]
    fn a_redirection_says_who_follows_it_and_is_the_same_after_the_round_trip() {
        let value = redis::parse_redis_value(b"-MOVED 866 h:7001\r\n").unwrap();
        let theirs = value.extract_error().unwrap_err();
        let ours = Error::from(theirs.clone());
        assert!(ours.message().contains("redis-cluster://"), "{ours}");
        assert_eq!(
            (ours.code(), ours.answer()),
            (Some("MOVED"), Some("866 h:7001"))
        );
        assert_eq!(RedisError::from(ours), theirs);
    }

    #[test]
    fn a_conversion_failure_is_not_a_lost_connection() {
        let theirs =
            RedisError::from(redis::from_redis_value::<i64>(redis::Value::Okay).unwrap_err());
        let ours = Error::from(theirs);
        assert_eq!(ours.kind(), ErrorKind::Conversion);
        assert!(!ours.message().contains("value was"), "{ours}");
    }
}
