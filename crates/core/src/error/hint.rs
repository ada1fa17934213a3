//! What an error that the server answered means, beyond its own words. Pure.

use redis::{RedisError, ServerError, ServerErrorKind};

use super::Error;

/// What there is to say of such an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hint {
    /// A node of a cluster names another one, to which nobody went.
    Redirected,
    /// The same, because whoever asked has to stay where it is.
    Bound,
    /// Keys are in several slots of a cluster.
    CrossSlot,
    /// A command that every server has is none there.
    Sentinel,
    /// The user may not subscribe to the pattern, perhaps to its channels.
    Pattern,
}

impl Hint {
    /// That of `error`, to anybody.
    pub(crate) fn of(error: &ServerError) -> Option<Self> {
        match error.kind()? {
            ServerErrorKind::Moved | ServerErrorKind::Ask => Some(Self::Redirected),
            ServerErrorKind::CrossSlot => Some(Self::CrossSlot),
            ServerErrorKind::ResponseError if is_of_sentinel(error.details()?) => {
                Some(Self::Sentinel)
            }
            _ => None,
        }
    }

    /// The first of those that the server's errors in `error` have, to a pipeline perhaps. `None` if it has one already.
    pub(crate) fn of_any(error: &RedisError) -> Option<Self> {
        let errors = error.clone().into_server_errors()?;
        errors.iter().find_map(|(_, error)| Self::of(error))
    }

    /// That of `error`, by which a subscription by `command` was refused.
    pub(crate) fn of_subscription(command: &str, error: &Error) -> Option<Self> {
        // Of the command itself it says "to run".
        let is_of_channels = error.code() == Some("NOPERM")
            && error.answer().is_some_and(|it| it.contains(" to access "));
        (command == "PSUBSCRIBE" && is_of_channels).then_some(Self::Pattern)
    }

    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Redirected => {
                "another node of the cluster has the key; with a URI that begins with redis-cluster:// \
                 (rediss-cluster:// for TLS) calls go there, but for a session that watches keys or is in a transaction"
            }
            Self::Bound => {
                "another node has the key; a session stays on its own while it watches keys or is in a transaction"
            }
            Self::CrossSlot => {
                "in a cluster all keys of a command, or of a transaction, have to be in one slot; those with the same \
                 hash tag are, as {order:7}:a and {order:7}:b"
            }
            Self::Sentinel => {
                "a sentinel has no data; if this is one, a URI that begins with redis-sentinel:// \
                 (rediss-sentinel:// for TLS) and ends with # and the name of a master leads to that"
            }
            Self::Pattern => {
                "to subscribe to a pattern a user needs that very pattern among its channels, behind the script's key \
                 prefix if it has one (ACL SETUSER name &shop:news.*); one that matches more is not enough"
            }
        }
    }

    /// `error` as an error of redis with the same kind, code and detail, which begins with the hint.
    pub(crate) fn explain(self, error: &ServerError) -> RedisError {
        let bare = RedisError::from(error.clone());
        let detail = error.details().unwrap_or_default().to_owned();
        RedisError::from((bare.kind(), self.text(), detail))
    }
}

/// The command that a server says it does not know.
pub(crate) fn unknown_command(details: &str) -> Option<&str> {
    let rest = details.strip_prefix("unknown command ")?;
    // Before 7.0 it stands in other quotes.
    let quote = |char| matches!(char, '\'' | '`');
    rest.strip_prefix(quote)?.split(quote).next()
}

fn is_of_sentinel(details: &str) -> bool {
    const REFUSED_PUBLISH: &str = "accepted by Sentinel instances";
    let is_everywhere = |name: &str| {
        EVERYWHERE
            .split(' ')
            .any(|other| other.eq_ignore_ascii_case(name))
    };
    unknown_command(details).is_some_and(is_everywhere) || details.contains(REFUSED_PUBLISH)
}

/// What scripts begin with, of what every server has and no sentinel. Not what is often renamed, as FLUSHALL, KEYS and EVAL.
const EVERYWHERE: &str = "APPEND BLPOP BRPOP CLUSTER DECR DECRBY DEL ECHO EXISTS EXPIRE GET GETSET HDEL HEXISTS HGET HGETALL \
    HINCRBY HKEYS HLEN HMGET HMSET HSET HVALS INCR INCRBY LINDEX LLEN LPOP LPUSH LRANGE LREM LTRIM MGET MSET MULTI PERSIST \
    PEXPIRE PTTL RPOP RPUSH SADD SCAN SCARD SELECT SET SETEX SETNX SISMEMBER SMEMBERS SPOP SREM STRLEN TTL TYPE UNLINK \
    WATCH XADD XLEN XRANGE XREAD ZADD ZCARD ZINCRBY ZRANGE ZRANK ZREM ZSCORE";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Delivery, ErrorKind};

    fn error(line: &str) -> ServerError {
        match redis::parse_redis_value(format!("-{line}\r\n").as_bytes()) {
            Ok(redis::Value::ServerError(error)) => error,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_hint_is_of_what_the_server_says() {
        // As Redis 6.2 and 7.0, and their sentinels, say it.
        for (line, expected) in [
            ("MOVED 866 h:7001", Some(Hint::Redirected)),
            ("ASK 866 h:7001", Some(Hint::Redirected)),
            (
                "CROSSSLOT Keys in request don't hash to the same slot",
                Some(Hint::CrossSlot),
            ),
            (
                "ERR unknown command 'get', with args beginning with: 'k' ",
                Some(Hint::Sentinel),
            ),
            (
                "ERR unknown command `SET`, with args beginning with: `k`, `v`, ",
                Some(Hint::Sentinel),
            ),
            (
                "ERR Only HELLO messages are accepted by Sentinel instances.",
                Some(Hint::Sentinel),
            ),
            (
                "ERR unknown command 'gte', with args beginning with: 'get' ",
                None,
            ),
            ("ERR unknown command 'JSON.GET', with args", None),
            ("ERR unknown command 'FLUSHALL', with args", None),
            ("ERR unknown command ", None),
            ("CLUSTERDOWN the cluster is down", None),
            ("WRONGTYPE no list", None),
            ("ERR", None),
        ] {
            assert_eq!(Hint::of(&error(line)), expected, "{line}");
        }
    }

    #[test]
    fn the_hint_stands_beside_what_the_server_said_and_changes_nothing_of_that() {
        for (line, code) in [
            ("MOVED 866 h:7001", "MOVED"),
            ("ASK 866 h:7001", "ASK"),
            ("CROSSSLOT no", "CROSSSLOT"),
            ("ERR unknown command 'GET'", "ERR"),
        ] {
            let bare = RedisError::from(error(line));
            let hint = Hint::of(&error(line)).unwrap();
            let theirs = hint.explain(&error(line));
            assert_eq!(theirs.kind(), bare.kind());
            assert_eq!(
                (theirs.code(), theirs.detail()),
                (Some(code), bare.detail())
            );
            assert_eq!(theirs.redirect_node(), bare.redirect_node());
            assert!(theirs.to_string().contains(hint.text()), "{theirs}");
            let ours = Error::from(theirs.clone());
            assert_eq!(ours.kind(), ErrorKind::Server);
            assert_eq!(ours.delivery(), Some(Delivery::Replied));
            assert_eq!((ours.code(), ours.answer()), (Some(code), bare.detail()));
            // Once.
            assert_eq!(ours.message(), theirs.to_string());
            assert_eq!(RedisError::from(ours).to_string(), theirs.to_string());
        }
    }

    #[test]
    fn of_subscriptions_only_those_to_patterns_are_explained_and_only_if_their_channels_are_refused()
     {
        // As Redis 7.0 and 7.4 say it.
        const CHANNELS: [&str; 2] = [
            "NOPERM this user has no permissions to access one of the channels used as arguments",
            "NOPERM No permissions to access a channel",
        ];
        let of = |command, line| {
            let error = Error::from(RedisError::from(error(line)));
            Hint::of_subscription(command, &error)
        };
        for refusal in CHANNELS {
            assert_eq!(of("PSUBSCRIBE", refusal), Some(Hint::Pattern));
            assert_eq!(of("SUBSCRIBE", refusal), None);
        }
        let command = "NOPERM User channel has no permissions to run the 'psubscribe' command";
        assert_eq!(of("PSUBSCRIBE", command), None);
        assert_eq!(of("PSUBSCRIBE", "ERR no permissions to access"), None);
    }

    #[test]
    fn what_a_server_does_not_know_stands_in_quotes() {
        for (details, expected) in [
            ("unknown command 'HELLO', with args", Some("HELLO")),
            ("unknown command `get`, with args", Some("get")),
            ("unknown command get", None),
            ("unknown subcommand 'get'", None),
        ] {
            assert_eq!(unknown_command(details), expected);
        }
    }
}
